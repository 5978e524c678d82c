"""Any plotly figure, drawn and changed in place: the zoom stays, clicks come back, also on heat-map cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import plotly
import plotly.graph_objects as go

from components.figures import theme
from components.views import mount


@dataclass(frozen=True)
class Point:
    """What was clicked.

    Attributes:
        trace: its number; name: its name.
        index: of the point in its trace; (row, column) in a heat map.
        x, y, z: as the figure has them. label: of a slice or text. customdata: what the figure attached.
    """

    trace: int
    name: str | None
    index: int | tuple[int, int] | None
    x: Any
    y: Any
    z: Any
    label: Any
    customdata: Any


def _point(value: Mapping[str, Any]) -> Point:
    index = value["index"]
    return Point(**{**value, "index": tuple(index) if isinstance(index, list) else index})


def figure(
    fig: go.Figure,
    *,
    key: str,
    alt: str,
    height: int = 400,
    on_click: Callable[[Point], None] | None = None,
    clickable: bool = False,
    modebar: bool = True,
    uirevision: str | None = None,
) -> Point | None:
    """Draw `fig` in the learner's theme (its own template is replaced); a change keeps zoom and rotation.

    Args:
        alt: one sentence saying what the chart shows.
        height: in pixels at the normal text size; the figure's own height and width are ignored.
        on_click: called with the clicked point before the rerun. Implies `clickable`.
        clickable: a click (or Enter on the point that the arrow keys reached) reruns the script.
        uirevision: another text resets the zoom.

    Returns:
        The point clicked in this rerun, or None.
    """
    spec = fig.to_dict()
    spec["layout"]["template"] = theme.TEMPLATE
    if uirevision is not None:
        spec["layout"]["uirevision"] = uirevision
    told = mount.view(
        "figure",
        {
            "figure": spec,
            "config": {"displayModeBar": "hover" if modebar else False},
            "clickable": clickable or on_click is not None,
            "plotly": plotly.__version__,
        },
        key=key,
        height=height,
        alt=alt,
        events={"click": (lambda v: on_click(_point(v))) if on_click else None},
    )
    return _point(told["click"]) if told["click"] else None
