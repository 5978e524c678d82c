"""Figures of the Tensors page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from components.figures import theme


def race(rows: Sequence[Mapping[str, Any]], scene: Mapping[str, Any]) -> go.Figure:
    """Time by size on two logarithmic axes; bars reach over the middle half of the runs."""
    fig = go.Figure()
    for number, name in enumerate(scene.get("lanes", [])):
        mine = sorted((r for r in rows if r["lane"] == number), key=lambda r: r["size"])
        if not mine:
            continue
        for transfer in (False, True):
            if transfer and not any(r["transfer"] for r in mine):
                continue
            extra = [r["transfer"] if transfer else 0.0 for r in mine]
            times = [(r["median"] + e) * 1e3 for r, e in zip(mine, extra, strict=True)]
            fig.add_scatter(
                x=[r["size"] for r in mine],
                y=times,
                name=f"{name} with transfer" if transfer else name,
                mode="lines+markers",
                marker={"symbol": theme.SYMBOLS[number], "size": 9},
                line={
                    "color": theme.CATEGORICAL[number],
                    "dash": "dot" if transfer else theme.DASHES[number % 4],
                },
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [(r["high"] - r["median"]) * 1e3 for r in mine],
                    "arrayminus": [(r["median"] - r["low"]) * 1e3 for r in mine],
                },
            )
    fig.update_xaxes(type="log", title="rows and columns", tickvals=list(scene.get("sizes", [])))
    if not rows:
        fig.update_layout(xaxis_visible=False, yaxis_visible=False)
    fig.update_yaxes(type="log", title="milliseconds, median", dtick=1)
    return fig
