"""How good a model is, drawn: ROC and precision-recall, predictions and residuals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go


def threshold_curve(curve: Mapping[str, Any], roc: bool, name: str) -> go.Figure:
    """ROC (false against true positive rate) or precision against recall, of the class `name`."""
    label = "ROC AUC" if roc else "average precision"
    figure = go.Figure(
        go.Scatter(
            x=curve["x"],
            y=curve["y"],
            customdata=curve["thresholds"],
            mode="lines",
            name=f"{_short(name)}: {label} {curve['area']:.4f}",
            hovertemplate="%{x:.3f}, %{y:.3f} at threshold %{customdata:.3f}<extra></extra>",
        )
    )
    if roc:
        figure.add_scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"dash": "dot"},
            name="guessing",
            hoverinfo="skip",
        )
    figure.update_xaxes(title="false positive rate" if roc else "recall", range=[-0.02, 1.02])
    figure.update_yaxes(title="true positive rate" if roc else "precision", range=[-0.02, 1.02])
    return figure.update_layout(
        margin={"l": 60, "r": 10, "t": 10, "b": 50},
        legend={"x": 0.3, "y": 0.15},
        showlegend=True,  # plotly hides that of a single line, and with it the area
    )


def predictions(truth: np.ndarray, predicted: np.ndarray, rows: np.ndarray) -> go.Figure:
    """Each row's prediction against its true value, both (N,), with the line on which they agree."""
    low = float(min(np.min(truth), np.min(predicted)))
    high = float(max(np.max(truth), np.max(predicted)))
    figure = go.Figure(_points(truth, predicted, rows, "true %{x:.4g}, predicted %{y:.4g}"))
    figure.add_scatter(
        x=[low, high], y=[low, high], mode="lines", line={"dash": "dot"}, hoverinfo="skip"
    )
    figure.update_xaxes(title="true")
    figure.update_yaxes(title="predicted")
    return figure.update_layout(showlegend=False, margin={"l": 60, "r": 10, "t": 10, "b": 50})


def residuals(predicted: np.ndarray, residual: np.ndarray, rows: np.ndarray) -> go.Figure:
    """Truth minus prediction against prediction, both (N,): a pattern is something left to learn."""
    figure = go.Figure(_points(predicted, residual, rows, "predicted %{x:.4g}, off by %{y:.4g}"))
    figure.add_hline(y=0, line_dash="dot")
    figure.update_xaxes(title="predicted")
    figure.update_yaxes(title="residual (true − predicted)")
    return figure.update_layout(showlegend=False, margin={"l": 60, "r": 10, "t": 10, "b": 50})


def _points(x: np.ndarray, y: np.ndarray, rows: np.ndarray, says: str) -> go.Scatter:
    keep = slice(None, None, max(1, len(x) // 5000))  # as many as a screen can show apart
    return go.Scatter(
        x=np.asarray(x)[keep],
        y=np.asarray(y)[keep],
        customdata=np.asarray(rows)[keep],
        mode="markers",
        marker={"size": 6, "opacity": 0.7},
        hovertemplate=f"row %{{customdata}}: {says}<extra></extra>",
    )


def _short(name: str) -> str:
    text = str(name).replace("<", "‹").replace(">", "›")  # plotly reads tags
    return text if len(text) <= 16 else text[:15] + "…"


def reliability(confidence: np.ndarray, right: np.ndarray, count: np.ndarray) -> go.Figure:
    """Share that is right against mean confidence of each bin, (B,) each; on the diagonal the network knows itself."""
    figure = go.Figure(
        go.Bar(
            x=confidence,
            y=right,
            customdata=count,
            width=0.07,
            name="right",
            hovertemplate="%{customdata} pictures: confidence %{x:.3f}, right %{y:.3f}<extra></extra>",
        )
    )
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot"}, name="calibrated", hoverinfo="skip"
    )
    figure.update_xaxes(title="confidence", range=[0, 1.05])
    figure.update_yaxes(title="share that is right", range=[0, 1.05])
    return figure.update_layout(showlegend=False, margin={"l": 60, "r": 10, "t": 10, "b": 50})


def deletion(shares: np.ndarray, curves: Mapping[str, np.ndarray]) -> go.Figure:
    """Probability of the class against the share of pixels turned grey, one line per attribution, (S,) each."""
    dashes = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
    figure = go.Figure(
        [
            go.Scatter(
                x=shares,
                y=values,
                mode="lines+markers",
                name=f"{name}: area {float(np.trapezoid(values, shares)):.3f}",
                line={"dash": "dot" if name == "random" else dashes[k % len(dashes)]},
            )
            for k, (name, values) in enumerate(curves.items())
        ]
    )
    figure.update_xaxes(title="share of pixels turned grey, highest ranked first")
    figure.update_yaxes(title="probability of the class", range=[-0.02, 1.02])
    return figure.update_layout(margin={"l": 60, "r": 10, "t": 10, "b": 50})


def lines(
    columns: Mapping[str, tuple[np.ndarray, np.ndarray]],
    x_title: str,
    y_title: str,
    log_x: bool = False,
) -> go.Figure:
    """Named curves, x and y each, told apart by marker and dash too."""
    dashes = ("solid", "dash", "dot", "dashdot")
    marks = ("circle", "triangle-up", "square", "diamond")
    figure = go.Figure(
        [
            go.Scatter(
                x=x,
                y=y,
                mode="lines+markers",
                name=name,
                line={"dash": dashes[k % 4]},
                marker={"symbol": marks[k % 4], "size": 8},
            )
            for k, (name, (x, y)) in enumerate(columns.items())
        ]
    )
    figure.update_xaxes(title=x_title)
    if log_x:
        ticks = sorted({float(v) for x, _ in columns.values() for v in x})
        figure.update_xaxes(type="log", tickvals=ticks)
    figure.update_yaxes(title=y_title)
    return figure.update_layout(margin={"l": 60, "r": 10, "t": 10, "b": 50})
