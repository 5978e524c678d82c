"""Laws of looking inside: maps are what the layers made, whatever runs after them."""

from typing import Any

import pytest
import torch
from torch import nn

from models.cnn import architecture, look


@pytest.fixture
def model():
    torch.manual_seed(0)
    calls = architecture.parse(architecture.KNOWN["tiny"], 1, (8, 8), 4)
    return nn.Sequential(*[call.build() for call in calls])


def test_every_layers_maps_are_its_output(model):
    x = torch.rand(1, 8, 8)
    maps = look.feature_maps(model, x)
    assert [m.name for m in maps] == look.layers(model)
    y: Any = x[None]
    for layer, seen in zip(model, maps, strict=True):
        y = layer(y)
        torch.testing.assert_close(seen.values.flatten(), y[0].flatten())


def test_an_in_place_layer_does_not_overwrite_the_maps_before_it():
    negative = nn.Conv2d(1, 2, 1, bias=False)
    nn.init.constant_(negative.weight, -1.0)
    model = nn.Sequential(negative, nn.ReLU(inplace=True))
    before, after = look.feature_maps(model, torch.ones(1, 2, 2))
    assert float(before.values.min()) == -1
    assert float(after.values.min()) == 0


def test_a_layer_that_runs_twice_shows_both_of_its_maps():
    relu, wide = nn.ReLU(inplace=True), nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(wide.weight, -1.0)
    model = nn.Sequential(wide, relu, wide, relu)
    maps = look.feature_maps(model, -torch.ones(1, 2, 2))
    assert [(m.name, m.source) for m in maps] == [
        ("0", ""), ("1", "0"), ("0#2", "1"), ("1#2", "0#2"),
    ]  # fmt: skip
    assert [float(m.values.mean()) for m in maps] == [1, 1, -1, 0]
    assert {m.layer for m in maps} == {"0", "1"}


def test_any_number_of_any_layer_is_worked_out_and_nothing_outside(model):
    x = torch.rand(1, 8, 8)
    maps = look.feature_maps(model, x)
    for one in maps:
        last = [n - 1 for n in one.values.shape]
        single = look.single(model, maps, x, one.name, last[0], last[1:])
        assert single is not None
        assert single["value"] == float(one.values[tuple(last)])
        assert look.single(model, maps, x, one.name, last[0] + 1, last[1:]) is None
        assert look.single(model, maps, x, one.name, 0, (-1, 0)) is None
    assert look.single(model, maps, x, "no layer", 0, (0, 0)) is None


def test_the_activations_of_a_class_are_the_mean_of_its_pictures(model):
    pictures, labels = torch.rand(9, 1, 8, 8), torch.tensor([0, 1, 2] * 3)
    mean = look.mean_maps(model, pictures[labels == 1], batch=2)
    each = [look.feature_maps(model, x) for x in pictures[labels == 1]]
    for k, one in enumerate(mean):
        torch.testing.assert_close(one.values, torch.stack([e[k].values for e in each]).mean(0))
    strength = look.channel_means(model, pictures, labels, 4, "3", batch=4)
    torch.testing.assert_close(strength[1], mean[3].values.mean((1, 2)))
    assert strength[3].isnan().all()  # a class without pictures


def test_layers_are_named_as_the_view_names_them(model):
    assert look.title(model, "0") == "1 Conv2d"
    assert look.title(nn.Sequential(model), "0.3") == "0.3 Conv2d"
    assert look.usual(model) == "4"
    assert look.usual(nn.Sequential(nn.Flatten())) == "0"


def test_looking_leaves_the_model_as_it_was(model):
    model.train()
    look.feature_maps(model, torch.rand(1, 8, 8))
    assert model.training
    assert not any(layer._forward_hooks for layer in model.modules())


@pytest.mark.parametrize("by", ["map", "layer", "network"])
def test_the_drawn_range_is_the_true_one(model, by):
    maps = look.feature_maps(model, torch.rand(1, 8, 8))
    for (drawn, ranges), layer in zip(look.scaled(maps, by), maps, strict=True):
        low, high = ranges[:, 0, None, None], ranges[:, 1, None, None]
        back = low + drawn / 255 * (high - low)
        torch.testing.assert_close(
            back, layer.values, atol=float((high - low).max()) / 255 + 1e-6, rtol=0
        )
    spans = {tuple(r) for _, ranges in look.scaled(maps, by) for r in ranges.tolist()}
    assert (
        len(spans)
        == {
            "map": len(spans),
            "layer": len({tuple(r) for _, rs in look.scaled(maps, "layer") for r in rs.tolist()}),
            "network": 1,
        }[by]
    )


def test_the_most_activating_pictures_are_found_in_any_batch_size(model):
    pictures = torch.rand(20, 1, 8, 8)
    indices, values = look.most_activating(model, pictures, "0", k=3)
    with torch.no_grad():
        peaks = model[0](pictures).flatten(2).amax(2)  # (20, channels)
    for channel in range(peaks.shape[1]):
        assert indices[channel].tolist() == peaks[:, channel].argsort(descending=True)[:3].tolist()
        assert values[channel, 0] == peaks[:, channel].max()
    again, _ = look.most_activating(model, pictures, "0", k=3, batch=7)
    assert torch.equal(indices, again)


def test_filters_are_the_weights_and_only_convolutions_have_them(model):
    assert look.filters(model, "0").shape == (8, 1, 3, 3)
    with pytest.raises(KeyError, match="no filters"):
        look.filters(model, "1")
