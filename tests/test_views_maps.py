"""What the maps view is sent, and its written-out sums against PyTorch, in Node."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from components.views import maps
from models.cnn import look, looking
from models.core import wire
from tests.node import NODE, broken

LAYERS = {
    "convolution": nn.Conv2d(3, 4, 3, padding=1),
    "stride": nn.Conv2d(2, 3, (3, 2), stride=2, padding=(1, 0), bias=False),
    "dilation": nn.Conv2d(1, 2, 2, dilation=2),
    "groups": nn.Conv2d(4, 6, 3, groups=2, padding=2),
    "depthwise": nn.Conv2d(3, 3, 1, groups=3),
    "max": nn.MaxPool2d(2),
    "padded max": nn.MaxPool2d(3, 2, padding=1),
    "mean": nn.AvgPool2d(2),
    "padded mean": nn.AvgPool2d(3, 1, padding=1),
    "adaptive": nn.AdaptiveAvgPool2d((2, 4)),
    "norm": nn.BatchNorm2d(3),
    "dropout": nn.Dropout(0.9),
    "relu": nn.ReLU(),
    "flatten": nn.Flatten(),
    "function": nn.Hardswish(),
}
LARGE = {"resnet18": 60, "mobilenet_v3_small": 40}  # and how many of their numbers are worked out


def layer_cases() -> list[dict[str, Any]]:
    torch.manual_seed(0)
    found = []
    for name, layer in [*LAYERS.items(), ("linear", nn.Linear(12, 3))]:
        layer.eval()
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean, layer.running_var = torch.randn(3), torch.rand(3) + 0.5
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
        channels = getattr(layer, "in_channels", 3)
        x = torch.randn(12, 1, 1) if name == "linear" else torch.randn(channels, 5, 6)
        with torch.no_grad():
            y = layer(x.flatten()[None] if name == "linear" else x[None])[0]
        told = look.multiplied(
            nn.Sequential(layer), [look.Maps("0", "", y.reshape(len(y), -1, 1), "")]
        )["0"]
        op = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in told.items()}
        if "values" in op:
            op["weightShape"] = list(told["values"].shape)
            op["values"] = told["values"].flatten().tolist()
        shape = list(y.shape) if y.ndim == 3 else [len(y), 1, 1]
        found.append(
            {"name": name, "op": op, "x": x.flatten().tolist(), "shape": list(x.shape),
             "y": y.flatten().tolist(), "outShape": shape}
        )  # fmt: skip
    return found


def singles() -> list[dict[str, Any]]:
    """Numbers of large networks, from all over them, as the server sends them one by one."""
    found = []
    for name, count in LARGE.items():
        spec = looking.Spec(network=name, image="china")
        used, seen = looking.bench(spec), looking.run(spec)
        draw = random.Random(0)
        for one in draw.sample(seen.maps, min(count, len(seen.maps))):
            channel, *cell = (draw.randrange(n) for n in one.values.shape)
            single = look.single(used.model, seen.maps, seen.x, one.name, channel, cell)
            assert single is not None
            assert single["value"] == float(one.values[channel, cell[0], cell[1]])
            assert single["op"], f"{one.kind} is not written out"
            plain = {
                k: {"values": v.flatten().tolist(), "shape": list(v.shape)}
                if hasattr(v, "shape")
                else v
                for k, v in single.items()
                if k != "drawn"
            }
            found.append({"name": f"{name} {one.name}", "single": plain})
    return found


if NODE:

    def test_written_out_sums_are_pytorchs_numbers(tmp_path: Path) -> None:
        cases = {"layers": layer_cases(), "singles": singles()}
        assert len({one["single"]["op"] for one in cases["singles"]}) >= 6
        assert broken("maps_laws", "maps", tmp_path, cases) == ""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    found: list[dict] = []
    monkeypatch.setattr(maps.mount, "view", lambda name, data, **how: found.append(dict(data)))
    return found


def drawn(spec: looking.Spec, **more: Any) -> None:
    result = looking.run(spec)
    maps.maps(key="k", alt="a", picture=result.x, found=result.maps, **more)


def test_a_small_network_is_sent_with_every_number(sent) -> None:
    drawn(looking.Spec())
    result = looking.run(looking.Spec())
    assert [one["name"] for one in sent[0]["layers"]] == [m.name for m in result.maps]
    for one, true in zip(sent[0]["layers"], result.maps, strict=True):
        assert torch.equal(torch.from_numpy(one["exact"]), true.values)
    assert not sent[0]["asks"]


def test_a_large_network_is_sent_as_thumbnails_and_the_opened_layer_in_full(sent) -> None:
    drawn(looking.Spec(network="resnet18", image="china"), opened="layer1.0.conv1")
    data = sent[0]
    sizes = {one["name"]: one["tiles"].shape for one in data["layers"]}
    assert sizes["conv1"] == (12, 28, 28)
    assert sizes["layer1.0.conv1"] == (64, 56, 56)
    drawn(looking.Spec(network="resnet18", image="china"), opened="conv1")
    opened = next(one for one in sent[1]["layers"] if one["name"] == "conv1")
    assert opened["tiles"].shape == (64, 56, 56)  # every map of 112 × 112, reduced
    assert data["asks"]
    assert len(wire.dumps(data)) < 2_000_000


def test_single_numbers_are_drawn_on_the_scale_of_their_layer(sent) -> None:
    drawn(looking.Spec())
    last = sent[0]["layers"][-1]
    assert last["tiles"].min() == 0
    assert last["tiles"].max() == 255
