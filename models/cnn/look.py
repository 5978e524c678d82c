"""What every layer of a network makes of a picture: feature maps, filters, the pictures a channel likes best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Maps:
    """One layer's output for one picture.

    Shape: values (C, H, W) float32; a layer without planes (flatten, linear) has (N, 1, 1).
    """

    name: str
    kind: str
    values: Tensor


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
    kinds = {name: type(layer).__name__ for name, layer in model.named_modules()}
    wanted = layers(model) if names is None else list(names)
    with evaluating(model), listening(model, wanted) as found, torch.no_grad():
        model(x[None])
    return tuple(Maps(name, kinds[name], _planes(y[0])) for name, y in found.items())


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
