"""Laws of the table of numbers: what is typed is what comes out, in any size."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from components import number_grid


def test_edits_replace_their_cells_and_an_emptied_one_is_zero():
    base = [[1.0, 2.0], [3.0, 4.0]]
    assert number_grid.typed(base, {0: {"1": 9.5}, "1": {"0": None}}) == [[1, 9.5], [0, 4]]
    assert base == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((1, 1), [[5]]),
        ((3, 3), [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        ((5, 3), [[0, 0, 0], [1, 2, 3], [4, 5, 6], [7, 8, 9], [0, 0, 0]]),
        ((3, 1), [[2], [5], [8]]),
    ],
)
def test_another_size_keeps_the_middle(size, wanted):
    assert number_grid.resized([[1, 2, 3], [4, 5, 6], [7, 8, 9]], *size) == wanted


def test_as_text_it_has_rows_and_few_digits():
    assert number_grid.text([[1.0, -0.5], [0.12345, 1e-7]]) == "1,-0.5;0.12345,1e-07"


def test_numbers_from_elsewhere_replace_what_was_typed_and_typing_keeps_its_table():
    def script():
        import streamlit as st

        from components import number_grid

        rows = st.session_state.get("rows", [[1.0, 2.0]])
        number_grid.number_grid("g", rows, lambda made: st.session_state.update(rows=made))

    at = AppTest.from_function(script, default_timeout=60).run()
    mind = at.session_state["g:grid"]
    at.session_state["rows"] = mind.made = [[1.0, 7.0]]  # as after typing
    at.run()
    assert (mind.base, mind.round) == ([[1.0, 2.0]], 0)
    at.session_state["rows"] = [[3.0]]
    at.run()
    assert (mind.base, mind.round) == ([[3.0]], 1)
    assert not at.exception
