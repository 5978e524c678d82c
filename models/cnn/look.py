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
        name: the layer's dotted name; where one layer runs several times (a ResNet's relu), "#2" follows, and so on.
        source: the layer whose very output it took in; "" for the picture itself, None for what was computed in
            between (the sum at the end of a residual block).
        given: what it took in where `source` is None, as planes like `values`; else None.
    """

    name: str
    kind: str
    values: Tensor
    source: str | None = None
    given: Tensor | None = None

    @property
    def layer(self) -> str:
        """The layer's dotted name in the model."""
        return self.name.partition("#")[0]


def layers(model: nn.Module) -> list[str]:
    """The dotted names of the layers that compute (those without children), in the order of the model."""
    return [name for name, layer in model.named_modules() if name and not list(layer.children())]


def title(model: nn.Module, name: str) -> str:
    """A layer's name as learners read it, as the maps view writes it: "4 Conv2d" for "3", "layer1.0.conv1 Conv2d"."""
    kind = type(model.get_submodule(name)).__name__
    return f"{int(name) + 1 if name.isdecimal() else name} {kind}"


def usual(model: nn.Module) -> str:
    """The layer to begin with: the last ReLU, whose channels tell classes apart best, else the last convolution."""
    names = layers(model)
    for kind in (nn.ReLU, nn.Conv2d, nn.Module):
        found = [name for name in names if isinstance(model.get_submodule(name), kind)]
        if found:
            return found[-1]
    return ""


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
    wanted = set(layers(model) if names is None else names)
    batch = x[None]
    # a tensor → the layer that made it, and its version then: `y += x` changes it in place
    made_by: dict[int, tuple[str | None, int]] = {id(batch): ("", batch._version)}
    alive: list[Tensor] = [batch]  # so that no id is used twice
    calls: dict[str, int] = {}
    came: list[tuple[str | None, Tensor | None]] = []  # of the layers running now
    found: list[Maps] = []

    def before(given: Any) -> None:
        source, version = made_by.get(id(given), (None, 0))
        if version != given._version:
            source = None
        # kept now: a layer in place overwrites it
        came.append((source, None if source is not None else _planes(given[0].detach().clone())))

    def after(name: str, made: Any) -> None:
        calls[name] = calls.get(name, 0) + 1
        called = name if calls[name] == 1 else f"{name}#{calls[name]}"
        made_by[id(made)] = called, made._version
        alive.append(made)
        source, given = came.pop()
        if name in wanted:  # a layer in place after this one would overwrite a mere reference
            values = _planes(made[0].detach().clone())
            found.append(Maps(called, type(layer_of[name]).__name__, values, source, given))

    handles = []
    for name in layers(model):
        layer = layer_of[name]
        handles.append(layer.register_forward_pre_hook(lambda m, x: before(x[0])))
        handles.append(layer.register_forward_hook(lambda m, x, y, name=name: after(name, y)))
    try:
        with evaluating(model), torch.no_grad():
            output = model(batch)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(found), output[0].detach().cpu()


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


def mean_maps(
    model: nn.Module, pictures: Tensor, names: Iterable[str] | None = None, batch: int = 64
) -> tuple[Maps, ...]:
    """What every layer makes of several pictures, on average: the activations of a class, given its pictures.

    Shape: pictures (N, C, H, W), N ≥ 1.
    """
    wanted = layers(model) if names is None else list(names)
    total: dict[str, Tensor] = {}
    with evaluating(model), torch.no_grad():
        for part in pictures.split(batch):
            with listening(model, wanted) as found:
                model(part)
            for name, y in found.items():
                y = y.float().sum(0).cpu()
                total[name] = total[name] + y if name in total else y
    kinds = dict(model.named_modules())
    return tuple(
        Maps(name, type(kinds[name]).__name__, _planes(y / len(pictures)))
        for name, y in total.items()
    )


def channel_means(
    model: nn.Module, pictures: Tensor, labels: Tensor, classes: int, name: str, batch: int = 64
) -> Tensor:
    """How strongly each channel of a layer answers to each class: the mean over its pictures and their maps.

    Shape: pictures (N, C, H, W); labels (N,); returns (classes, channels), NaN for a class without pictures.
    """
    rows = []
    with evaluating(model), torch.no_grad():
        for part in pictures.split(batch):
            with listening(model, [name]) as found:
                model(part)
            y = found[name].float().cpu()
            rows.append(y.flatten(2).mean(2) if y.ndim > 2 else y)
    means = torch.cat(rows)  # (N, channels)
    return torch.stack([means[labels.cpu() == c].mean(0) for c in range(classes)])


def multiplied(model: nn.Module, found: Sequence[Maps]) -> dict[str, dict[str, Any]]:
    """What a small network multiplies, by layer name: enough to write out how any single number comes about.

    Each is {"op": "conv", "linear", "relu", "max", "mean", "adaptive", "norm", "same" or "function"}, with weights
    ("values", "bias", "groups"), window ("kernel", "stride", "padding", "dilation"), statistics ("mean", "deviation",
    "weight") and "name" where it has them. Large networks are left out: see `single`.
    """
    if sum(one.values.numel() for one in found) > MULTIPLIED:
        return {}
    layer_of = dict(model.named_modules())
    return {one.name: told for one in found if (told := _arithmetic(layer_of[one.layer]))}


def single(
    model: nn.Module,
    found: Sequence[Maps],
    picture: Tensor,
    name: str,
    map: int,
    cell: Sequence[int],
) -> dict[str, Any] | None:
    """How one number of any layer of any network comes about, as the maps view writes it out.

    Args:
        found: all maps of the picture; picture: (C, H, W) as the network saw it.
    Returns:
        "layer", "map", "cell", "value" (PyTorch's), "drawn" (the whole map as bytes, (H, W)) and "op", with what that
        takes: "x" and "w" of a window (input channels, kH, kW) and "inside" (kH, kW), of a linear layer (N,), or the
        one number that came in; None where there is no such layer or number.
    """
    at = {one.name: one for one in found}
    one = at.get(name)
    if one is None or not _within((map, *cell), one.values.shape):
        return None
    i, j = cell
    drawn, ranges = scaled([one])[0]
    answer: dict[str, Any] = {
        "layer": name,
        "map": map,
        "cell": [i, j],
        "value": float(one.values[map, i, j]),
        "drawn": to_numpy(drawn[map].contiguous()),
        "range": ranges[map].tolist(),
        "op": None,
    }
    given = (
        one.given if one.source is None else picture if one.source == "" else at[one.source].values
    )
    told = _arithmetic(dict(model.named_modules())[one.layer])
    if told is None or given is None:
        return answer
    op = told["op"]
    answer["op"] = op
    if op in ("conv", "max", "mean", "adaptive"):
        answer |= _windowed(told, given, one.values.shape, map, i, j)
    elif op == "linear":
        answer |= {"x": to_numpy(given.flatten()), "w": told["values"][map]}
    else:  # one number in, one number out; flatten takes it from anywhere
        answer["x"] = float(
            given.flatten()[(map * one.values.shape[1] + i) * one.values.shape[2] + j]
        )
        answer |= {k: float(told[k][map]) for k in ("mean", "deviation", "weight") if k in told}
        answer["name"] = told.get("name", "")
    bias = told.get("bias")
    answer["bias"] = 0.0 if bias is None else float(bias[map])
    return answer


def _within(index: Sequence[int], shape: Sequence[int]) -> bool:
    return len(index) == len(shape) and all(0 <= i < n for i, n in zip(index, shape, strict=True))


def _windowed(
    told: dict[str, Any], given: Tensor, out: Sequence[int], map: int, i: int, j: int
) -> dict[str, Any]:
    """What lies under the window of output cell (map, i, j), channel by channel, and the weights on it."""
    channels, h, w = given.shape
    if told["op"] == "adaptive":  # where the window begins and ends, as torch divides
        rows, columns = (
            torch.arange(k * n // o, -(-(k + 1) * n // o))
            for k, n, o in ((i, h, out[1]), (j, w, out[2]))
        )
    else:
        rows, columns = (
            torch.arange(told["kernel"][a]) * told["dilation"][a]
            + k * told["stride"][a]
            - told["padding"][a]
            for a, k in enumerate((i, j))
        )
    inside = ((rows >= 0) & (rows < h))[:, None] & ((columns >= 0) & (columns < w))[None]
    first, count = map, 1
    if told["op"] == "conv":
        count = channels // told["groups"]
        first = map // (len(told["values"]) // told["groups"]) * count
    x = (
        given[first : first + count][:, rows.clamp(0, h - 1)][:, :, columns.clamp(0, w - 1)]
        * inside
    )
    weights = {"w": told["values"][map]} if told["op"] == "conv" else {}
    return {"x": to_numpy(x), "inside": to_numpy(inside.to(torch.uint8)), "first": first, **weights}


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
        window = _window(layer, 1)
        if not layer.count_include_pad and any(window["padding"]):
            return None
        return {"op": "mean", **window}
    if isinstance(layer, nn.AdaptiveAvgPool2d):
        return {"op": "adaptive"}
    if isinstance(layer, nn.Linear):
        return {
            "op": "linear",
            "values": to_numpy(layer.weight),
            "bias": None if layer.bias is None else to_numpy(layer.bias),
        }
    if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
        if layer.running_mean is None or layer.running_var is None:
            return None
        ones = torch.ones_like(layer.running_mean)
        return {
            "op": "norm",
            "mean": to_numpy(layer.running_mean),
            "deviation": to_numpy((layer.running_var + layer.eps).sqrt()),
            "weight": to_numpy(ones if layer.weight is None else layer.weight),
            "bias": None if layer.bias is None else to_numpy(layer.bias),
        }
    if isinstance(layer, nn.ReLU):
        return {"op": "relu"}
    if isinstance(layer, (nn.Dropout, nn.Identity, nn.Flatten)):
        return {"op": "same"}  # dropout only drops while training
    if isinstance(layer, _ELEMENTWISE):
        return {"op": "function", "name": type(layer).__name__}
    return None


_ELEMENTWISE = (
    nn.LeakyReLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.ReLU6, nn.Hardswish, nn.Hardsigmoid,
)  # fmt: skip


def _window(layer: Any, dilation: Any) -> dict[str, list[int]]:
    return {
        "kernel": _pair(layer.kernel_size),
        "stride": _pair(layer.stride),
        "padding": _pair(layer.padding),
        "dilation": _pair(dilation),
    }


def _pair(value: Any) -> list[int]:
    return list(value) if isinstance(value, tuple) else [value, value]
