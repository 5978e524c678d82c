"""Confusion matrices and matrices of numbers as figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from sklearn.metrics import confusion_matrix

from components.figures import matrix


def _heat(fig: go.Figure) -> Any:
    """The only trace; plotly's own types know nothing of it."""
    return next(iter(fig.data))


def test_a_cell_holds_the_count_and_the_share_of_its_true_class() -> None:
    true = [0, 0, 0, 1, 1, 2]
    called = [0, 0, 1, 1, 2, 2]
    counts = confusion_matrix(true, called)
    heat = _heat(matrix.confusion(counts, ["a", "b", "c"]))
    assert np.array_equal(heat.customdata, counts)
    assert np.allclose(heat.z, confusion_matrix(true, called, normalize="true"))


def test_a_class_without_rows_gets_zeros_not_a_division_by_zero() -> None:
    heat = _heat(matrix.confusion(np.array([[0, 0], [1, 3]]), ["absent", "there"]))
    assert np.array_equal(heat.z, [[0, 0], [0.25, 0.75]])


def test_numbers_are_written_only_where_they_fit() -> None:
    fits = matrix.confusion(np.eye(matrix.WRITTEN), [str(i) for i in range(matrix.WRITTEN)])
    n = matrix.WRITTEN + 1
    too_many = matrix.confusion(np.eye(n), [str(i) for i in range(n)])
    assert _heat(fits).texttemplate == "%{text}"
    assert _heat(too_many).texttemplate is None


def test_a_matrix_is_drawn_with_its_first_row_on_top_and_zero_neutral() -> None:
    fig = matrix.values(np.array([[1.0, -4.0], [np.nan, 2.0]]), rows=["r0", "r1"], title="W")
    assert fig.layout.yaxis.autorange == "reversed"
    assert fig.layout.yaxis.ticktext == ("r0", "r1")
    assert (_heat(fig).zmin, _heat(fig).zmax) == (-4.0, 4.0)
    assert fig.layout.title.text == "W"


def test_a_single_number_is_a_matrix() -> None:
    assert _heat(matrix.values(np.array([[0.0]]))).zmax == 1.0
