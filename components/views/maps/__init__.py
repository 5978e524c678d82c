"""Feature maps of all layers of a network: the network, one layer, one single multiplication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from components.views import mount
from models.cnn import look
from models.core.device import to_numpy


def maps(
    *,
    key: str,
    alt: str,
    picture: Tensor | None = None,
    found: Sequence[look.Maps] = (),
    scale: str = "map",
    classes: Sequence[str] = (),
    probabilities: Tensor | None = None,
    weights: Mapping[str, Mapping[str, Any]] | None = None,
    run: str | None = None,
    height: int = 430,
) -> None:
    """Draw what every layer makes of a picture; a click on a layer opens it, a click on a map its window sums.

    Args:
        picture: (C, H, W) in [0, 1], as the network saw it.
        found: the layers' outputs; those too large to send are reduced, and say so.
        scale: what black and white stand for: the lowest and highest value of each "map", "layer" or the "network".
        probabilities: (classes,), drawn as bars at the end.
        weights: by layer name, what a convolution multiplies: {"values": (out, in, k, k), "bias", "stride", "padding"}.
        run: instead of all that, a run whose frames carry the maps (models.cnn.topic.Pictures).
    """
    layers = []
    for one, (values, ranges) in zip(found, look.scaled(found, scale), strict=True):
        layers.append(
            {
                "name": one.name,
                "kind": one.kind,
                "values": _few(values),
                "shape": list(one.values.shape),
                "ranges": to_numpy(ranges).astype(np.float32),
            }
        )
    mount.view(
        "maps",
        {
            "run": run,
            "picture": None if picture is None else to_numpy(picture).astype(np.float32),
            "layers": layers,
            "scale": scale,
            "classes": list(classes),
            "probabilities": None
            if probabilities is None
            else to_numpy(probabilities).astype(np.float32),
            "weights": dict(weights or {}),
        },
        key=key,
        height=height,
        alt=alt,
    )


MOST = 250_000  # bytes of one layer that are sent; a larger one shows its first channels, reduced


def _few(values: Tensor) -> np.ndarray:
    """The maps of one layer as a screen can show them, (C, H, W) uint8."""
    step = max(1, -(-max(values.shape[1:]) // 64))
    values = values[:, ::step, ::step]
    most = max(1, MOST // max(1, values[0].numel()))
    return to_numpy(values[:most])


def multiplied(model: Any, found: Sequence[look.Maps]) -> dict[str, dict[str, Any]]:
    """What the view needs to write out one sum of each small convolution of a network."""
    from torch import nn

    small = {one.name: one.values.numel() for one in found}
    wanted: dict[str, dict[str, Any]] = {}
    for name, layer in model.named_modules():
        plain = isinstance(layer, nn.Conv2d) and layer.groups == 1
        if not plain or layer.weight.numel() > 20_000 or small.get(name, 1 << 30) > 20_000:
            continue
        if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
            continue
        wanted[name] = {
            "values": to_numpy(layer.weight).astype(np.float32),
            "bias": None if layer.bias is None else to_numpy(layer.bias).astype(np.float32),
            "stride": list(layer.stride),
            "padding": list(layer.padding),
            "dilation": list(layer.dilation),
        }
    return wanted
