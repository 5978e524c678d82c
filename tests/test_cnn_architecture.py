"""Laws of layer lists: shapes, costs and receptive fields are torch's own, and a misfit is shown where it happens."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from models.cnn import architecture
from models.core.spec import SpecError


def build(text: str, shape=(1, 28, 28), classes: int = 10) -> nn.Sequential:
    calls = architecture.parse(text, shape[0], shape[1:], classes)
    return nn.Sequential(*[call.build() for call in calls])


@pytest.mark.parametrize("name", architecture.KNOWN)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 64, 48)])
def test_known_lists_run_and_give_one_number_per_class(name, shape):
    model = build(architecture.KNOWN[name], shape, 7)
    assert model(torch.zeros(2, *shape)).shape == (2, 7)
    assert not any(layer.error for layer in architecture.describe(model, shape))


def test_lenet_has_the_published_number_of_parameters():
    model = build(architecture.KNOWN["LeNet-5"])
    layers = architecture.describe(model, (1, 28, 28))
    assert sum(layer.parameters for layer in layers) == 61_706
    assert layers[0].out == (6, 28, 28)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (build(architecture.KNOWN["Tiny-VGG"], (3, 64, 64)), (3, 64, 64)),
        (build("conv 8 3 stride=2 groups=1\nbatch_norm\nconv 8 3 groups=8 bias=0\nadaptive_avg_pool\nflatten\nlinear 3"), (1, 28, 28)),
        (architecture.small_resnet(3, 5), (3, 32, 32)),
    ],
    ids=["tiny-vgg", "depthwise", "resnet"],
)  # fmt: skip
def test_parameters_shapes_and_multiply_adds_are_what_torch_runs(model, shape):
    layers = architecture.describe(model, shape)
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in model.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        y = model.eval()(torch.zeros(1, *shape))
    assert counter.get_total_flops() == 2 * sum(layer.multiply_adds for layer in layers)
    assert layers[-1].out == tuple(y.shape[1:])
    assert all(layer.output_bytes == 4 * torch.Size(layer.out).numel() for layer in layers)


def test_the_receptive_field_is_what_the_gradient_reaches():
    model = build(
        "conv 2 3\nrelu\nmax_pool 2\nconv 2 5 dilation=2\navg_pool 3 stride=1", (1, 64, 64)
    )
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(1.0)
    x = torch.linspace(0, 1, 64 * 64).reshape(
        1, 1, 64, 64
    )  # rising, so that max pooling has one winner
    seen = []
    for i in range(len(model)):
        leaf = x.clone().requires_grad_()
        y = model[: i + 1](leaf)
        (grad,) = torch.autograd.grad(y[0, 0, y.shape[2] // 2, y.shape[3] // 2], leaf)
        rows = (grad[0, 0] != 0).any(1).nonzero()
        seen.append(int(rows.max() - rows.min()) + 1)
    fields = [layer.receptive_field for layer in architecture.describe(model, (1, 64, 64))]
    assert fields[:2] == seen[:2] == [3, 3]
    # behind max pooling the gradient takes one winner of each window: at most what the field says
    assert all(0 <= field - s <= 1 for field, s in zip(fields, seen, strict=True))


@pytest.mark.parametrize("name", architecture.TORCHVISION)
def test_torchvisions_networks_are_described_without_computing(name):
    import torchvision

    model = torchvision.models.get_model(name, weights=None)
    layers = architecture.describe(model, (3, 224, 224))
    assert layers[-1].out == (1000,)
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in model.parameters())


def test_the_published_multiply_adds_of_resnet18():
    import torchvision

    layers = architecture.describe(torchvision.models.resnet18(weights=None), (3, 224, 224))
    assert sum(layer.multiply_adds for layer in layers) == pytest.approx(
        1.814e9, rel=0.01
    )  # torchvision's table: 1.81


@pytest.mark.parametrize(
    ("text", "index", "word"),
    [
        ("conv 4 3\nrelu\nlinear 5", 2, "Put flatten before"),
        ("flatten\nlinear 9\nconv 4 3", 2, "Move it before flatten"),
        ("max_pool 2\nmax_pool 2\nmax_pool 2\nconv 4 5", 3, "reaches over 5 cells"),
        ("max_pool 2\nmax_pool 2\nmax_pool 2\nmax_pool 2\nmax_pool 2", 4, "reaches over 2 cells"),
    ],
)
def test_a_layer_that_does_not_fit_is_named_with_what_comes_before_it(text, index, word):
    layers = architecture.describe(build(text), (1, 28, 28))
    assert len(layers) == index + 1
    assert word in layers[index].error
    assert all(not layer.error and layer.out for layer in layers[:index])


@pytest.mark.parametrize(
    ("bad", "good", "word"),
    [
        ("", "conv 1 1", "empty"),
        ("convolution 3", "conv 3", "no layer known"),
        ("conv", "conv 1", "needs out_channels"),
        ("conv 0", "conv 1", "from 1 to 1024"),
        ("conv 4 3 2.5", "conv 4 3 2", "stride is 2.5"),
        ("conv 4 colour=2", "conv 4 padding=2", "not understood"),
        ("conv 4 3 groups=3", "conv 4 3 groups=1", "does not divide"),
        ("dropout 1", "dropout 0.95", "from 0 to 0.95"),
        ("relu 3", "relu", "takes: nothing"),
        ("relu\n" * 41, "relu\n" * 40, "at most 40"),
        ("linear nan", "linear 4096", "from 1 to 4096"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_explained(bad, good, word):
    with pytest.raises(SpecError, match=word):
        architecture.parse(bad, 1, (28, 28), 10)
    architecture.parse(good, 1, (28, 28), 10)
