"""What a column holds is counted as NumPy counts it; names survive being written as one text."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.core.spec import SpecError
from models.data import bundled, tables
from models.data.tables import comma_list, comma_text


def test_a_number_column_is_described_as_numpy_does() -> None:
    values = np.array([3, np.nan, -1, np.inf, 3, 2.5], "float32")
    (about,) = tables.describe(pd.DataFrame({"a": values}))
    finite = values[np.isfinite(values)]
    assert (about.kind, about.rows, about.missing, about.infinite, about.distinct) == (
        "number",
        6,
        1,
        1,
        3,
    )
    assert (about.low, about.mean, about.high) == (finite.min(), finite.mean(), finite.max())
    assert (about.whole, about.is_number, about.examples) == (False, True, ("3", "-1", "3", "2.5"))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (list("abcab"), "category"),
        (list("abcde"), "category"),
        (list("abcdef"), "id"),
        ([None, None], "empty"),
        ([f"t{i % 1001}" for i in range(2001)], "text"),
        ([f"t{i % 1000}" for i in range(2001)], "category"),
    ],
)
def test_words_are_a_category_until_they_are_too_many(values: list, kind: str) -> None:
    column = pd.Series(values, dtype="category")
    assert tables.describe_column("w", column).kind == kind
    assert math.isnan(tables.describe_column("w", column).low)


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("anything", range(1, 10), "id"),
        ("anything", range(9), "id"),
        ("anything", [3, 1, 2, 6, 5, 4, 7], "id"),
        ("anything", range(2, 11), "number"),
        ("anything", range(1, 6), "number"),  # few enough to mean something
        ("anything", [1, 2, 3, 4, 5, 6, 8], "number"),
        ("anything", [1, 2, 3, 4, 5, 6, np.nan], "number"),
        ("year", range(1990, 2020), "number"),
        *((name, range(1990, 2020), "id") for name in ("id", "Row", "customer_id", "PassengerId")),
        *((name, [7, 301, 44, 5], "id") for name in ("userid", "Kunden-Nr", "Unnamed: 0", "#")),
        *((name, [7, 301, 44, 5], "number") for name in ("valid", "paid", "width", "nose", "x")),
        ("customer id", [7, 301, 7, 5], "number"),  # whose each row is, not which row it is
        ("customer id", [20_000_000 + 3 * i for i in range(9)], "id"),  # float32 joins some of them
        ("id", [0.5, 1.5, 2.5], "number"),
    ],
)
def test_whole_numbers_that_number_the_rows_are_an_id(name: str, values: list, kind: str) -> None:
    column = pd.Series(np.array(list(values), "float32"))
    assert tables.describe_column(name, column).kind == kind


def test_a_kind_set_by_hand_stands_but_nothing_can_fill_an_empty_column() -> None:
    assert (
        tables.describe_column("id", pd.Series(np.arange(9, dtype="float32")), "number").kind
        == "number"
    )
    assert (
        tables.describe_column("a", pd.Series(np.array([np.nan], "float32")), "number").kind
        == "empty"
    )


@pytest.mark.parametrize("name", bundled.BUNDLED)
def test_every_bundled_column_is_described(name: str) -> None:
    about = tables.describe(bundled.table(name))
    assert all(c.kind in ("number", "category") and c.missing == 0 for c in about)


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool), max_size=5))
def test_names_survive_as_one_text(names: list[str]) -> None:
    assert comma_list(comma_text(names)) == names


def test_a_list_is_read_with_or_without_blanks() -> None:
    assert comma_list("a,b c,  d") == ["a", "b c", "d"]
    assert comma_list('"x, y",z') == ["x, y", "z"]
    assert comma_list("") == comma_list("  ") == comma_list(",") == []


def test_kinds_set_by_hand_are_read_and_nonsense_is_explained() -> None:
    assert tables.parse_kinds("a=number, b=c=category") == {"a": "number", "b=c": "category"}
    assert tables.parse_kinds(comma_text(["b, c=text"])) == {"b, c": "text"}
    for wrong in ("a", "a=colour", "a=number,b"):
        with pytest.raises(SpecError, match="sets no kind"):
            tables.parse_kinds(wrong)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_number_is_written_without_loss(value: float) -> None:
    assert np.float32(tables.number_text(value)) == np.float32(value)
