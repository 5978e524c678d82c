"""Feature maps of all layers of a network: the network, one layer, one single multiplication."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from components.views import mount
from models.cnn import look
from models.core.device import to_numpy

THUMBS, THUMB = 12, 32  # maps of a layer in the overview of a large network, and their longest side
MOST = 250_000  # bytes of one opened layer that are sent; the maps of a larger one are reduced
EXACT = 70_000  # numbers of a layer up to which they travel as they are, to be read and multiplied


def maps(
    *,
    key: str,
    alt: str,
    picture: Tensor | None = None,
    input: Tensor | None = None,
    found: Sequence[look.Maps] = (),
    scale: str = "map",
    classes: Sequence[str] = (),
    probabilities: Tensor | None = None,
    weights: Mapping[str, Mapping[str, Any]] | None = None,
    opened: str | None = None,
    on_open: Callable[[str], None] | None = None,
    single: Mapping[str, Any] | None = None,
    on_cell: Callable[[dict[str, Any]], None] | None = None,
    hint: str = "",
    misfit: tuple[str, str] | None = None,
    run: str | None = None,
    height: int = 430,
) -> None:
    """Draw what every layer makes of a picture; a click on a layer opens it, a click on a map its single sums.

    Args:
        picture: (1 or 3, H, W) in [0, 1], as the network saw it; input: its numbers, where they are others.
        found: the layers' outputs; those too large to send are reduced, and say so.
        scale: what black and white stand for: the lowest and highest value of each "map", "layer" or the "network".
        probabilities: (classes,), drawn as bars at the end.
        weights: by layer name what it multiplies, see `look.multiplied`.
        opened: the layer of a large network that is sent in full; `on_open` is told its name.
        single: how the pointed-at number of a large network comes about, see `look.single`; `on_cell` is told which
            number that is: {"layer", "map", "cell"}. Small networks are multiplied in the browser.
        misfit: name of the layer that cannot take what comes, and why; drawn in its place.
        hint: what a column is, where it is not what a layer makes of the picture.
        run: instead of all that, a run whose frames carry the maps (models.cnn.topic.Pictures).
    """
    small = sum(one.values.numel() for one in found) <= 4 * EXACT
    layers = [
        _layer(one, drawn, ranges, small or one.name == opened, small)
        for one, (drawn, ranges) in zip(found, _drawn(found, scale), strict=True)
    ]
    mount.view(
        "maps",
        {
            "run": run,
            "picture": None if picture is None else to_numpy(picture).astype(np.float32),
            "input": None if input is None else to_numpy(input).astype(np.float32),
            "layers": layers,
            "scale": scale,
            "classes": list(classes),
            "probabilities": None
            if probabilities is None
            else to_numpy(probabilities).astype(np.float32),
            "weights": dict(weights or {}),
            "asks": not small,
            "single": None if small else single,
            "hint": hint,
            "misfit": list(misfit) if misfit else None,
        },
        key=key,
        height=height,
        alt=alt,
        events={"open": on_open, "cell": on_cell},
    )


def _drawn(found: Sequence[look.Maps], scale: str) -> list[tuple[Tensor, Tensor]]:
    """The maps as bytes; single numbers have no range of their own, so their layer's stands in."""
    drawn = look.scaled(found, scale)
    if scale != "map":
        return list(drawn)
    return [
        look.scaled([one], "layer")[0] if one.values[0].numel() == 1 else as_is
        for one, as_is in zip(found, drawn, strict=True)
    ]


def _layer(
    one: look.Maps, drawn: Tensor, ranges: Tensor, full: bool, exact: bool
) -> dict[str, Any]:
    channels, h, w = drawn.shape
    step = max(1, -(-max(h, w) // (128 if full else THUMB)))
    while full and channels * -(-h // step) * -(-w // step) > MOST and step < max(h, w):
        step += 1  # smaller, so that every map can be opened
    few = drawn[: None if full else THUMBS, ::step, ::step]
    return {
        "name": one.name,
        "kind": one.kind,
        "source": one.source,
        "given": to_numpy(one.given).astype(np.float32)
        if exact and one.given is not None
        else None,
        "shape": list(one.values.shape),
        "tiles": to_numpy(few.contiguous()),
        "ranges": to_numpy(ranges[: len(few)]).astype(np.float32),
        "exact": to_numpy(one.values).astype(np.float32)
        if exact and one.values.numel() <= EXACT
        else None,
    }
