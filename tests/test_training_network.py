"""A readable layer list becomes exactly the modules it names."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.core.seeding import seeded
from models.core.spec import SpecError
from models.training import Spec, network
from models.training.network import Layer


def test_a_layer_is_read_with_all_its_words():
    text = "32 relu dropout=0.2 batch_norm, 16 GELU,8"
    assert network.parse(text, "Tanh") == (
        Layer(32, "ReLU", 0.2, True),
        Layer(16, "GELU"),
        Layer(8, "Tanh"),
    )


@pytest.mark.parametrize("name", network.ACTIVATIONS)
def test_every_activation_can_be_written_and_read_back(name):
    layer = Layer(3, name, 0.5, True)
    assert network.parse(layer.text()) == (layer,)
    assert network.parse(f"3 {name}") == (Layer(3, name),)


def test_an_empty_list_is_a_linear_model():
    calls = network.modules(network.parse(" "), 5, 2)
    assert [call.code() for call in calls] == ["nn.Linear(5, 2)"]


def test_the_edges_of_the_limits_are_taken():
    assert network.parse("1") == (Layer(1, "ReLU"),)
    assert network.parse("512")[0].units == 512
    assert len(network.parse(", ".join(["1"] * 8))) == 8
    assert network.parse("8 dropout=0")[0].dropout == 0
    assert len(network.parse("8 tanh,\n8 tanh,")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "1 to 512"),
        ("513 tanh", "513 units"),
        (", ".join(["1"] * 9), "9 hidden layers"),
        ("8, , 8", "Layer 2 is empty"),
        ("tanh 8", "begin with a number"),
        ("-3", "begin with a number"),
        ("8.5", "begin with a number"),
        ("8 tanh relu", "two activations"),
        ("8 swoosh", "none of"),
        ("8 dropout=1", "0 to below 1"),
        ("8 dropout=x", "0 to below 1"),
        ("8 dropout=nan", "0 to below 1"),
        ("9" * 30, "begin with a number"),
    ],
)
def test_what_cannot_be_read_is_named(text, said):
    with pytest.raises(SpecError, match=said) as caught:
        Spec(data="iris", layers=text)
    assert caught.value.field == "layers"


def test_the_printed_network_is_the_built_one():
    layers = network.parse("4 relu dropout=0.2 batch_norm, 3 silu")
    calls = network.modules(layers, 2, 3, log_softmax=True)
    for init in network.INITS:
        with seeded(3):
            built = network.build(calls, init)
        space = {"nn": nn, "torch": torch}
        with seeded(3):
            exec(network.code(calls, init), space)
        printed = space["model"]
        assert str(printed) == str(built)
        for a, b in zip(built.parameters(), printed.parameters(), strict=True):
            assert torch.equal(a, b)


def test_initialisations_do_what_they_say():
    calls = network.modules(network.parse("200 relu"), 100, 1)
    with seeded(0):
        assert network.linears(network.build(calls, "zeros"))[0].weight.abs().max() == 0
        small = network.linears(network.build(calls, "small"))[0].weight
        kaiming = network.linears(network.build(calls, "kaiming_normal"))[0]
        xavier = network.linears(network.build(calls, "xavier_uniform"))[0].weight
    assert small.std().item() == pytest.approx(0.01, rel=0.05)
    assert kaiming.weight.std().item() == pytest.approx((2 / 100) ** 0.5, rel=0.05)
    assert kaiming.bias.abs().max() == 0
    assert xavier.abs().max().item() <= (6 / 300) ** 0.5


def test_activations_are_what_the_next_layer_sees():
    calls = network.modules(network.parse("4 relu batch_norm, 3 tanh"), 2, 2, log_softmax=True)
    model = network.build(calls, "default").eval()
    x = torch.randn(5, 2)
    first, second, output = network.activations(model, x)
    assert torch.equal(output, model(x))
    assert torch.equal(first, model[:3](x))
    assert torch.equal(second, model[:5](x))
