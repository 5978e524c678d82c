"""Figures of an evaluation hold the numbers they were given."""

from __future__ import annotations

import numpy as np

from components.figures import evaluation

CURVE = {
    "x": np.array([0.0, 0.5, 1.0]),
    "y": np.array([0.0, 0.8, 1.0]),
    "thresholds": np.array([1.0, 0.5, 0.0]),
    "area": 0.65,
}


def test_a_roc_has_the_line_of_guessing_and_precision_recall_has_none():
    roc = evaluation.threshold_curve(CURVE, True, "yes")
    pr = evaluation.threshold_curve(CURVE, False, "yes")
    assert len(roc.data) == 2
    assert len(pr.data) == 1
    assert list(roc.data[0].y) == [0.0, 0.8, 1.0]
    assert "0.6500" in roc.data[0].name
    assert "average precision" in pr.data[0].name


def test_names_cannot_write_tags_into_a_figure():
    assert "<" not in evaluation.threshold_curve(CURVE, True, "<b>x</b>").data[0].name


def test_predictions_and_residuals_show_every_row_up_to_what_a_screen_can():
    truth, predicted = np.arange(3.0), np.array([0.5, 1.0, 1.5])
    figure = evaluation.predictions(truth, predicted, np.arange(3))
    assert list(figure.data[0].x) == [0, 1, 2]
    assert list(figure.data[0].y) == [0.5, 1.0, 1.5]
    many = np.arange(100_000.0)
    assert len(evaluation.residuals(many, many, many).data[0].x) <= 10_000
    assert len(evaluation.residuals(truth[:1], predicted[:1], truth[:1]).data[0].x) == 1
