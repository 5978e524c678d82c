"""The measuring tools tell the truth about numbers that are known."""

from __future__ import annotations

import random

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks import __main__ as runner
from benchmarks import table
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([1.0], 0.5, 1.0),
        ([1.0], 0.95, 1.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([1.0, 2.0], 0.51, 2.0),
        (list(map(float, range(1, 101))), 0.95, 95.0),
        (list(map(float, range(1, 101))), 0.0, 1.0),
        (list(map(float, range(1, 101))), 1.0, 100.0),
    ],
)
def test_a_percentile_is_a_measured_value_whatever_the_order(
    values: list[float], share: float, expected: float
) -> None:
    random.Random(0).shuffle(values)
    assert table.percentile(values, share) == expected


def test_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        table.percentile([], 0.5)


def test_a_table_lines_up_and_keeps_three_digits() -> None:
    assert table.table(["what", "ms"], [["floor", 26.04], ["slow thing", 1234.5]]) == (
        "| what       |   ms |\n| ---------- | ---: |\n| floor      |   26 |\n| slow thing | 1234 |"
    )


def test_a_table_without_rows_is_its_head() -> None:
    assert table.table(["a"], []).splitlines()[0] == "| a |"


def test_the_runner_lists_every_measurement_with_what_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = runner.names()
    assert "floor" in known
    assert {"table", "latency"} & set(known) == set()
    assert all(known.values())
    for arguments in ([], ["--help"]):
        assert runner.main(arguments) == 0
        assert known["floor"] in capsys.readouterr().out


def test_an_unknown_measurement_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["flor"]) == 1
    assert "flor" in capsys.readouterr().err


def test_the_measured_server_has_every_page_and_the_empty_one() -> None:
    original = st.navigation
    try:
        app = AppTest.from_file(str(ROOT / "benchmarks/server/ui.py"), default_timeout=120).run()
        app.switch_page("floor_page.py").run()
        app.slider(key="floor-value").set_value(7).run()
        assert app.text[0].value.startswith("7 with torch")
        app.switch_page("../../pages/training.py").run()
        assert not app.exception
    finally:
        st.navigation = original
