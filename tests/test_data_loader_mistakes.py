"""Mistakes that PyTorch lets one make: each does the harm it is shown for, and its cure does none."""

from __future__ import annotations

import re

import pytest

from models.data import loader_mistakes
from models.data.loader_mistakes import CASES, Spec

EXPECTED = {
    "long": "IndexError after 12 items",
    "short": "9 items arrived: 0 more than once, 3 of 12 never.",
    "unsharded": "24 items arrived: 12 more than once, 0 of 12 never.",
    "ragged": "RuntimeError after 0 items",
}


@pytest.mark.parametrize("case", EXPECTED)
def test_a_mistake_shows_and_its_cure_loads_everything(case: str) -> None:
    found = loader_mistakes.run(Spec(case=case))
    assert found.wrong.startswith(EXPECTED[case])
    assert found.right in ("All 12 items arrived, each once.", _PADDED)


def test_a_shared_file_is_cured_by_opening_it_in_each_worker() -> None:
    found = loader_mistakes.run(Spec(case="opens"))
    # what workers that share one position in a file read is a matter of chance: other items, or no whole one
    wrong = r"400 items arrived: \d+ more than once, \d+ of 400 never\.|.*error after \d+ items: .*"
    assert re.fullmatch(wrong, found.wrong, re.IGNORECASE)
    assert found.right == "All 400 items arrived, each once."


def test_every_case_of_the_menu_is_there_and_shows_its_classes() -> None:
    assert set(CASES) == {*EXPECTED, "opens"}
    assert all(loader_mistakes.source(case).startswith("class ") for case in CASES)


_PADDED = (
    "12 items arrived; 18 cells are padding."  # the longest of 4 items, in three batches: 6 each
)
