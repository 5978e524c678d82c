"""A table of numbers as colours with its numbers written in: confusion matrices, correlations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from components.figures import theme

WRITTEN = 20  # up to so many rows and columns the numbers fit into the cells


def confusion(counts: np.ndarray, classes: Sequence[str]) -> go.Figure:
    """How often each true class was called each class; a click in `views.figure` gives (true, predicted).

    Shape:
        counts: (C, C), row = true class, column = predicted class.
    """
    counts = np.asarray(counts)
    per_row = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, per_row, out=np.zeros(counts.shape), where=per_row > 0)
    fig = go.Figure(
        go.Heatmap(
            z=share,
            customdata=counts,
            text=counts,
            texttemplate="%{text}" if len(classes) <= WRITTEN else None,
            xgap=1,
            ygap=1,
            zmin=-1,  # the positive half of the zero-centred scale: an empty cell fades into the page
            zmax=1,
            showscale=False,
            hovertemplate="true %{y}<br>predicted %{x}<br>%{customdata} rows (%{z:.1%})<extra></extra>",
        )
    )
    ticks = list(range(len(classes)))
    axis = {"tickmode": "array", "tickvals": ticks, "ticktext": list(classes), "showgrid": False}
    fig.update_xaxes(title="predicted", **axis)
    fig.update_yaxes(title="true", autorange="reversed", **axis)
    return theme.style(fig)


def values(
    numbers: np.ndarray,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    title: str = "",
    digits: int = 2,
) -> go.Figure:
    """A matrix with zero as the neutral colour.

    Shape:
        numbers: (R, C), row 0 at the top.
    """
    numbers = np.asarray(numbers, dtype="float64")
    height, width = numbers.shape
    fig = go.Figure(
        go.Heatmap(
            z=numbers,
            texttemplate=f"%{{z:.{digits}f}}" if max(height, width) <= WRITTEN else None,
            xgap=1,
            ygap=1,
            hovertemplate="row %{y}, column %{x}<br>%{z:.6g}<extra></extra>",
            **theme.zero_centred(numbers),
        )
    )
    for update, names, count in (
        (fig.update_xaxes, columns, width),
        (fig.update_yaxes, rows, height),
    ):
        if names is not None:
            update(tickmode="array", tickvals=list(range(count)), ticktext=list(names))
        update(showgrid=False, zeroline=False)
    fig.update_yaxes(autorange="reversed")
    fig.update_layout(title=title or None)
    return theme.style(fig)
