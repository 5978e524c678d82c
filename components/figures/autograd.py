"""Curves and Jacobians of the gradient lessons."""

from __future__ import annotations

import plotly.graph_objects as go

from components.figures import matrix, theme
from models.autograd import by_hand
from models.core.device import to_numpy


def losses(result: by_hand.Result) -> go.Figure:
    """The loss of both loops per turn: they lie on top of each other."""
    fig = go.Figure()
    turns = list(range(1, len(result.hand) + 1))
    fig.add_scatter(
        x=turns,
        y=to_numpy(result.module),
        name="nn and optim",
        mode="lines",
        line={"width": 7},
        opacity=0.5,
    )
    fig.add_scatter(
        x=turns,
        y=to_numpy(result.hand),
        name="by hand",
        mode="lines",
        line={"width": 2, "dash": "dash"},
    )
    fig.update_xaxes(title="turn")
    fig.update_yaxes(title="loss before the update")
    return theme.style(fig)


def jacobian(values, title: str, scale: float = 0.0) -> go.Figure:
    """A matrix of derivatives, (outputs, inputs); a single number or row is shown as a matrix too.

    Args:
        scale: the number with the strongest colour, so that rounding errors stay pale; 0: the largest there is.
    """
    numbers = to_numpy(values)
    rows = numbers.reshape(-1, numbers.shape[-1]) if numbers.ndim else numbers.reshape(1, 1)
    names = [[str(i) for i in range(n)] for n in rows.shape]
    wide = (
        rows.shape[1] > 6
    )  # then fewer digits and no colour bar: what fits at a projector's text size
    fig = matrix.values(
        rows, rows=names[0], columns=names[1], title=title, digits=2 if wide else 3
    ).update_traces(showscale=not wide)
    return fig.update_traces(zmin=-scale, zmax=scale) if scale > 0 else fig
