"""The look that all figures share; the colours of text and grid come from the learner's theme in the browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

# The same ten as .streamlit/config.toml gives the light theme: told apart with the usual colour-vision deficiencies.
CATEGORICAL = (
    "#0072b2",
    "#d55e00",
    "#00aa88",
    "#440077",
    "#bb88ee",
    "#660011",
    "#bb33ff",
    "#774466",
    "#1111cc",
    "#aa2200",
)
# negative (orange) - neutral - positive (blue)
DIVERGING = (
    "#b35806",
    "#e08214",
    "#fdb863",
    "#fee0b6",
    "#f7f7f7",
    "#d1e5f0",
    "#92c5de",
    "#4393c3",
    "#2166ac",
)
# small values fade into a light page
SEQUENTIAL = (
    "#fde725",
    "#6ece58",
    "#35b779",
    "#1f9e89",
    "#26828e",
    "#31688e",
    "#3e4a89",
    "#482878",
    "#440154",
)
# Different in shape too: colour never carries meaning alone. The same order as the browser views draw.
SYMBOLS = (
    "circle",
    "triangle-up",
    "square",
    "diamond",
    "x",
    "cross",
    "triangle-down",
    "star",
    "circle-open",
    "line-ew-open",
)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def _scale(colors: tuple[str, ...]) -> list[list[Any]]:
    return [[i / (len(colors) - 1), color] for i, color in enumerate(colors)]


_CLEAR = "rgba(0,0,0,0)"
_AXIS = {
    "automargin": True,
    "showline": True,
    "mirror": True,
    "ticks": "outside",
    "ticklen": 4,
    "title": {"standoff": 8},
}

TEMPLATE: dict[str, Any] = {
    "layout": {
        "font": {"size": 13},
        "margin": {"l": 8, "r": 8, "t": 30, "b": 8, "pad": 0},
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "colorway": list(CATEGORICAL),
        "colorscale": {
            "diverging": _scale(DIVERGING),
            "sequential": _scale(SEQUENTIAL),
            "sequentialminus": _scale(SEQUENTIAL),
        },
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "hovermode": "closest",
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0},
        "title": {
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "top",
            "yref": "container",
            "pad": {"t": 6, "b": 6, "l": 4},
            "automargin": True,
            "font": {"size": 15},
        },
        "hoverlabel": {"align": "left"},
    },
    "data": {
        # autocolorscale: the browser picks the theme's diverging colours when zero lies inside, else the sequential ones
        "heatmap": [{"autocolorscale": True, "colorbar": {"thickness": 14, "outlinewidth": 0}}],
        "surface": [{"autocolorscale": True, "colorbar": {"thickness": 14, "outlinewidth": 0}}],
        "contour": [{"autocolorscale": True, "colorbar": {"thickness": 14, "outlinewidth": 0}}],
        "scatter": [{"line": {"width": 2.5}, "marker": {"size": 8}}],
    },
}


def style(fig: go.Figure) -> go.Figure:
    """The same figure, in the shared look."""
    return fig.update_layout(template=TEMPLATE)


def zero_centred(values: np.ndarray) -> dict[str, Any]:
    """Colour limits of a heat map, surface or contour of `values` whose neutral colour is exactly zero.

    Returns:
        Arguments for the trace: "zmin" and "zmax" of equal size and opposite sign; NaN and infinity
        do not count, and all zeros give ±1.
    """
    finite = np.asarray(values, dtype="float64")
    finite = finite[np.isfinite(finite)]
    most = float(np.abs(finite).max()) if finite.size else 0.0
    most = most or 1.0
    return {"zmin": -most, "zmax": most}


def categorical(i: int) -> str:
    """The colour of the i-th of several things; after ten they come again, so give them shapes as well."""
    return CATEGORICAL[i % len(CATEGORICAL)]


def symbol(i: int) -> str:
    """The marker of the i-th of several things."""
    return SYMBOLS[i % len(SYMBOLS)]


def dash(i: int) -> str:
    """The dash pattern of the i-th of several lines."""
    return DASHES[i % len(DASHES)]
