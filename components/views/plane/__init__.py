"""The plane of two inputs: the model's answer everywhere as colour, the data as points, clicks to change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from components.views import mount


@dataclass(frozen=True)
class Edit:
    """A click that changes the data.

    Attributes:
        action: "add" a point at (x, y), or "remove" the existing one `index` (of `scene["points"]`).
        x, y: in the units of the axes. label: the class's number, or the value for regression.
    """

    action: Literal["add", "remove"]
    x: float
    y: float
    label: float
    index: int | None


def plane(
    run: str | None = None,
    *,
    key: str,
    scene: Mapping[str, Any] | None = None,
    frame: Mapping[str, Any] | None = None,
    editable: bool = False,
    on_edit: Callable[[Edit], None] | None = None,
    square: bool = False,
    height: int = 420,
    alt: str = "What the model predicts for every place of the plane, with the data points.",
    empty: str = "Waiting for the first picture.",
) -> Edit | None:
    """Draw the decision plane of a live `run`, or of one `scene` and `frame` (as in the training frames).

    `scene`: "task", "classes", "points" {"x": (n, 2), "y": (n,), "split": (n,)}, "axes", "extent"; for regression
    also "range" (lowest and highest target) and "target" (its name), both optional. `frame`: "plane" {"values": uint8
    (n, m) with row 0 at the bottom, "kind", "lo", "hi", "confidence"}, "batch", "epoch".

    Points are circles (train), triangles (validation) and squares (test); the current batch is ringed. With
    `editable` a click adds a point and shift-click, Delete or the "remove" tool takes the nearest away.

    Returns:
        The edit of this rerun, if there was one; `on_edit` gets it before the rerun.
    """

    def read(value: Mapping[str, Any]) -> Edit:
        place = {name: float(value[name]) for name in ("x", "y", "label")}
        return Edit(value["action"], index=value["index"], **place)

    told = mount.view(
        "plane",
        {
            "run": run,
            "scene": scene,
            "frame": frame,
            "editable": editable,
            "square": square,
            "empty": empty,
        },
        key=key,
        height=height,
        alt=alt,
        events={"edit": (lambda v: on_edit(read(v))) if on_edit else None},
    )
    return read(told["edit"]) if told["edit"] else None
