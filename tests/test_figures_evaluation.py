"""Figures of an evaluation hold the numbers they were given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from components.figures import evaluation

if TYPE_CHECKING:
    import plotly.graph_objects as go

CURVE = {
    "x": np.array([0.0, 0.5, 1.0]),
    "y": np.array([0.0, 0.8, 1.0]),
    "thresholds": np.array([1.0, 0.5, 0.0]),
    "area": 0.65,
}


def traces(figure: go.Figure) -> list[dict[str, Any]]:
    """As plotly keeps them, named by its schema."""
    found: Any = figure.data  # untyped in plotly
    return [trace.to_plotly_json() for trace in found]


def test_a_roc_has_the_line_of_guessing_and_precision_recall_has_none():
    roc = traces(evaluation.threshold_curve(CURVE, True, "yes"))
    pr = traces(evaluation.threshold_curve(CURVE, False, "yes"))
    assert len(roc) == 2
    assert len(pr) == 1
    assert list(roc[0]["y"]) == [0.0, 0.8, 1.0]
    assert "0.6500" in roc[0]["name"]
    assert "average precision" in pr[0]["name"]
    layout: Any = evaluation.threshold_curve(CURVE, False, "yes").layout  # untyped in plotly
    assert layout.showlegend


def test_names_cannot_write_tags_into_a_figure():
    [trace, _] = traces(evaluation.threshold_curve(CURVE, True, "<b>x</b>"))
    assert "<" not in trace["name"]


def test_predictions_and_residuals_show_every_row_up_to_what_a_screen_can():
    truth, predicted = np.arange(3.0), np.array([0.5, 1.0, 1.5])
    dots = traces(evaluation.predictions(truth, predicted, np.arange(3)))[0]
    assert list(dots["x"]) == [0, 1, 2]
    assert list(dots["y"]) == [0.5, 1.0, 1.5]
    many = np.arange(100_000.0)
    assert len(traces(evaluation.residuals(many, many, many))[0]["x"]) <= 10_000
    assert len(traces(evaluation.residuals(truth[:1], predicted[:1], truth[:1]))[0]["x"]) == 1
