"""Figures of the Datasets page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from components.figures import theme
from models.datasets.describe import ClassCount

_PARTS = (("train", ""), ("val", "/"), ("test", "x"))  # different in pattern too
MOST_CLASSES = 30


def as_is(text: str) -> str:
    """A learner's word for a picture: Plotly would take <b> or <a href=…> in it for its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def balance(classes: Sequence[ClassCount]) -> go.Figure:
    """Pictures of each class, by part of the split; the most common ones when there are many classes."""
    shown = sorted(classes, key=lambda c: -c.all)[:MOST_CLASSES]
    fig = go.Figure()
    for number, (part, pattern) in enumerate(_PARTS):
        fig.add_bar(
            y=[as_is(c.name) for c in shown],
            x=[getattr(c, part) for c in shown],
            name=part,
            orientation="h",
            marker={"color": theme.CATEGORICAL[number], "pattern": {"shape": pattern}},
        )
    fig.update_layout(barmode="stack", bargap=0.25)
    fig.update_xaxes(title="pictures")
    fig.update_yaxes(autorange="reversed", type="category")
    return fig


def sizes(width: Sequence[int], height: Sequence[int]) -> go.Figure:
    """Width and height of every picture in its file."""
    fig = go.Figure()
    fig.add_scattergl(
        x=list(width), y=list(height), mode="markers", marker={"size": 7, "opacity": 0.45}
    )
    fig.update_xaxes(title="width in pixels", rangemode="tozero")
    fig.update_yaxes(title="height in pixels", rangemode="tozero")
    fig.update_layout(showlegend=False)
    return fig


def timeline(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Who did what when: a lane for each worker, and one for training, in milliseconds since the first request."""
    fig = go.Figure()
    lanes = sorted({int(r["worker"]) for r in rows})
    names = {w: "training process reads" if w < 0 else f"worker {w}" for w in lanes}
    colors, patterns = theme.CATEGORICAL, ("", "/", "x", ".", "-")
    pieces = (
        ("read and augment", 0, "fetch", "fetched", False),
        ("collate", 2, "fetched", "collated", False),
        ("wait", 1, "asked", "arrived", True),
        ("train", 3, "arrived", "done", True),
    )
    for number, (title, color, start, end, main) in enumerate(pieces):
        lane = ["training" if main else names[int(r["worker"])] for r in rows]
        fig.add_bar(
            y=lane,
            x=[(r[end] - r[start]) * 1e3 for r in rows],
            base=[r[start] * 1e3 for r in rows],
            name=title,
            orientation="h",
            marker={
                "color": colors[color],
                "pattern": {"shape": patterns[number]},
                "line": {"width": 1, "color": "rgba(255,255,255,0.7)"},
            },
            text=[str(r["number"]) for r in rows] if title != "wait" else None,
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            customdata=[
                [r["number"], (r[end] - r[start]) * 1e3, ", ".join(map(str, r["indices"]))]
                for r in rows
            ],
            hovertemplate="batch %{customdata[0]}: %{customdata[1]:.1f} ms<br>indices %{customdata[2]} …<extra>"
            + title
            + "</extra>",
        )
    fig.update_layout(barmode="overlay", bargap=0.3)
    fig.update_xaxes(title="milliseconds since the first batch was asked for")
    begun, end = min(r["fetch"] for r in rows) * 1e3, max(r["done"] for r in rows) * 1e3
    if (
        begun > 0.3 * end
    ):  # starting the workers took so long that the work itself would be a sliver
        fig.update_xaxes(range=[begun - 0.1 * (end - begun), end + 0.02 * (end - begun)])
    fig.update_yaxes(
        categoryorder="array", categoryarray=["training", *(names[w] for w in reversed(lanes))]
    )
    return fig


def throughput(rows: Sequence[Mapping[str, Any]], knob: str) -> go.Figure:
    """Pictures per second for each value of one setting; the bar's whisker is the middle half of the repeats."""
    mine = [r for r in rows if r["knob"] == knob]
    fig = go.Figure()
    fig.add_bar(
        x=[str(r["value"]) for r in mine],
        y=[r["median"] for r in mine],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [r["high"] - r["median"] for r in mine],
            "arrayminus": [r["median"] - r["low"] for r in mine],
        },
    )
    fig.update_layout(showlegend=False)
    fig.update_xaxes(title=knob, type="category")
    fig.update_yaxes(title="pictures per second", rangemode="tozero")
    return fig


def padded(words: Sequence[Sequence[str]], mask: Any) -> go.Figure:
    """A batch of texts as cells: a token or padding; the tokens by pointing."""
    fig = _cells(np.asarray(mask, dtype=np.float32), words, "text %{y}, place %{x}: %{text}")
    fig.update_yaxes(title="text in the batch")
    return fig


def mask(values: Any) -> go.Figure:
    """True and False of each cell, by pointing."""
    cells = np.asarray(values, dtype=np.float32)
    words = [["True" if v else "False" for v in row] for row in cells]
    fig = _cells(cells, words, "text %{y}, place %{x}: %{text}")
    fig.update_yaxes(title="text in the batch")
    return fig


def packed(words: Sequence[Sequence[str]], texts: Sequence[int], sizes: Sequence[int]) -> go.Figure:
    """A packed batch: the texts from the longest to the shortest, and only cells that hold a token.

    Args:
        words: of each text in that order. texts: their rows in the batch. sizes: texts that are still there at each place.
    """
    cells = np.array([[float(row < size) for size in sizes] for row in range(len(words))])
    labels = [
        [f"text {text}: {word}" for word in row[: len(sizes)]]
        for text, row in zip(texts, words, strict=True)
    ]
    fig = _cells(np.where(cells > 0, cells, np.nan), labels, "place %{x}, %{text}")
    fig.update_yaxes(title="longest to shortest")
    return fig


def _cells(values: np.ndarray, words: Sequence[Sequence[str]], hover: str) -> go.Figure:
    fig = go.Figure()
    fig.add_heatmap(
        z=values,
        text=[[as_is(word) for word in row] for row in words],
        hovertemplate=f"{hover}<extra></extra>",
        hoverongaps=False,
        autocolorscale=False,
        colorscale=[[0, "rgba(128,128,128,0.18)"], [1, theme.CATEGORICAL[0]]],
        zmin=0,
        zmax=1,
        showscale=False,
        xgap=1,
        ygap=1,
    )
    fig.update_xaxes(title="place in the text", showgrid=False)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig


def lengths(values: Sequence[int]) -> go.Figure:
    """How long texts are."""
    fig = go.Figure()
    fig.add_histogram(x=list(values), nbinsx=40)
    fig.update_xaxes(title="characters", rangemode="tozero")
    fig.update_yaxes(title="texts")
    fig.update_layout(showlegend=False)
    return fig


def distribution(values: Any) -> go.Figure:
    """How often a column has which values: bins of numbers, the most common words."""
    fig = go.Figure()
    if str(values.dtype) == "category":
        counts = values.value_counts().head(20)
        fig.add_bar(
            y=[as_is(str(word)[:30]) for word in counts.index], x=counts.tolist(), orientation="h"
        )
        fig.update_yaxes(autorange="reversed", type="category")
        fig.update_xaxes(title="rows")
    else:
        fig.add_histogram(x=values.dropna().tolist(), nbinsx=40)
        fig.update_yaxes(title="rows")
    fig.update_layout(showlegend=False)
    return fig
