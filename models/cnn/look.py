"""What every layer of a network makes of a picture: feature maps, filters, the pictures a channel likes best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.core.device import to_numpy

MULTIPLIED = 280_000  # most values of all maps up to which single sums are written out


@dataclass(frozen=True)
class Maps:
    """One layer's output for one picture.

    Shape: values (C, H, W) float32; a layer without planes (flatten, linear) has (N, 1, 1).
    Attributes:
        source: the layer whose very output it took in; "" for the picture itself, None for what was computed in
            between (the sum at the end of a residual block).
    """

    name: str
    kind: str
    values: Tensor
    source: str | None = None


def layers(model: nn.Module) -> list[str]:
    """The dotted names of the layers that compute (those without children), in the order of the model."""
    return [name for name, layer in model.named_modules() if name and not list(layer.children())]


@contextmanager
def listening(model: nn.Module, names: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Collects the outputs of the named layers while the model runs, detached copies, the last call's."""
    found: dict[str, Tensor] = {}
    wanted = set(names)
    # an in-place layer after this one would overwrite a mere reference
    handles = [
        layer.register_forward_hook(
            lambda m, x, y, name=name: found.__setitem__(name, y.detach().clone())
        )
        for name, layer in model.named_modules()
        if name in wanted
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def feature_maps(
    model: nn.Module, x: Tensor, names: Iterable[str] | None = None
) -> tuple[Maps, ...]:
    """Every layer's output for one picture, in the order in which the layers ran.

    Shape: x (C, H, W), as the model was trained to see it.
    """
    return seen(model, x, names)[0]


def seen(
    model: nn.Module, x: Tensor, names: Iterable[str] | None = None
) -> tuple[tuple[Maps, ...], Tensor]:
    """`feature_maps`, and the network's output for the picture, (classes,)."""
    layer_of = dict(model.named_modules())
    wanted = layers(model) if names is None else list(names)
    batch = x[None]
    made_by = {id(batch): ""}  # a tensor → the layer that made it
    alive: list[Tensor] = [batch]  # so that no id is used twice
    sources: dict[str, str | None] = {}

    def note(name: str, given: Any, made: Any) -> None:
        sources[name] = made_by.get(id(given))
        made_by[id(made)] = name
        alive.append(made)

    handles = [
        layer_of[name].register_forward_hook(lambda m, x, y, name=name: note(name, x[0], y))
        for name in layers(model)
    ]
    try:
        with evaluating(model), listening(model, wanted) as found, torch.no_grad():
            output = model(batch)
    finally:
        for handle in handles:
            handle.remove()
    maps = tuple(
        Maps(name, type(layer_of[name]).__name__, _planes(y[0]), sources.get(name))
        for name, y in found.items()
    )
    return maps, output[0].detach().cpu()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in eval mode, and back in its own mode afterwards."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def filters(model: nn.Module, name: str) -> Tensor:
    """A convolution's weights. Shape: (C_out, C_in / groups, kH, kW).

    Raises:
        KeyError: the layer is no convolution.
    """
    layer = dict(model.named_modules())[name]
    if not isinstance(layer, nn.Conv2d):
        raise KeyError(f"{name} is a {type(layer).__name__}, which has no filters")
    return layer.weight.detach().cpu()


def most_activating(
    model: nn.Module, pictures: Tensor, name: str, k: int = 9, batch: int = 256
) -> tuple[Tensor, Tensor]:
    """The pictures that each channel of a layer answers strongest, by the largest value of its map.

    Shape: pictures (N, C, H, W); returns indices (channels, k) int64 and values (channels, k), strongest first.
    """
    peaks = []
    with evaluating(model), torch.no_grad():
        for part in pictures.split(batch):
            with listening(model, [name]) as found:
                model(part)
            peaks.append(found[name].flatten(2).amax(2) if found[name].ndim > 2 else found[name])
    values, indices = torch.cat(peaks).T.topk(min(k, len(pictures)), dim=1)
    return indices.cpu(), values.cpu()


def scaled(maps: Iterable[Maps], by: str = "map") -> tuple[tuple[Tensor, Tensor], ...]:
    """Maps as bytes to draw: 0 is the lowest, 255 the highest value of each map, layer or the whole network.

    Shape: per layer uint8 (C, H, W) and the (C, 2) range that 0 and 255 stand for.
    """
    maps = tuple(maps)
    finite = [torch.nan_to_num(m.values) for m in maps]
    ranges = [
        torch.stack([v.flatten(1).amin(1), v.flatten(1).amax(1)], 1) for v in finite
    ]  # (C, 2) each
    if by == "layer":
        ranges = [torch.stack([r[:, 0].min(), r[:, 1].max()]).expand_as(r) for r in ranges]
    if by == "network" and ranges:
        every = torch.cat(ranges)
        ranges = [torch.stack([every[:, 0].min(), every[:, 1].max()]).expand_as(r) for r in ranges]
    drawn = []
    for values, limits in zip(finite, ranges, strict=True):
        low, high = limits[:, 0, None, None], limits[:, 1, None, None]
        span = torch.where(high > low, high - low, torch.ones_like(high))
        drawn.append((((values - low) / span) * 255).round().to(torch.uint8))
    return tuple(zip(drawn, ranges, strict=True))


def _planes(y: Tensor) -> Tensor:
    """Any output as planes: (C, H, W) stays, (N,) becomes (N, 1, 1), (T, N) becomes (1, T, N)."""
    y = y.float().cpu()
    return {3: lambda: y, 2: lambda: y[None]}.get(y.ndim, lambda: y.reshape(-1, 1, 1))()


def multiplied(model: nn.Module, found: Sequence[Maps]) -> dict[str, dict[str, Any]]:
    """What a small network multiplies, by layer name: enough to write out how any single number comes about.

    Each is {"op": "conv", "linear", "relu", "max" or "mean"}, with weights ("values", "bias", "groups") and window
    ("kernel", "stride", "padding", "dilation") where it has them. Other layers, and large networks, are left out.
    """
    if sum(one.values.numel() for one in found) > MULTIPLIED:
        return {}
    layer_of = dict(model.named_modules())
    return {
        one.name: told
        for one in found
        if one.source is not None and (told := _arithmetic(layer_of[one.name]))
    }


def _arithmetic(layer: nn.Module) -> dict[str, Any] | None:
    """How one output number of a layer comes about; None where the view cannot write it out."""
    if isinstance(layer, nn.Conv2d):
        if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
            return None
        return {
            "op": "conv",
            "values": to_numpy(layer.weight),
            "bias": None if layer.bias is None else to_numpy(layer.bias),
            "groups": layer.groups,
            **_window(layer, layer.dilation),
        }
    if isinstance(layer, nn.MaxPool2d):
        return {"op": "max", **_window(layer, layer.dilation)}
    if isinstance(layer, nn.AvgPool2d):
        return {"op": "mean", **_window(layer, 1)}
    if isinstance(layer, nn.ReLU):
        return {"op": "relu"}
    if isinstance(layer, nn.Linear):
        return {
            "op": "linear",
            "values": to_numpy(layer.weight),
            "bias": None if layer.bias is None else to_numpy(layer.bias),
        }
    return None


def _window(layer: Any, dilation: Any) -> dict[str, list[int]]:
    return {
        "kernel": _pair(layer.kernel_size),
        "stride": _pair(layer.stride),
        "padding": _pair(layer.padding),
        "dilation": _pair(dilation),
    }


def _pair(value: Any) -> list[int]:
    return list(value) if isinstance(value, tuple) else [value, value]
