"""Cells become numbers, days and words, and keep their places; what is none becomes missing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.data import cells

NAN = float("nan")


def test_numbers_keep_their_rows_and_what_is_none_is_missing() -> None:
    words = pd.Series(["1,5", None, "x", "-2e3", "1,5"], index=[5, 6, 7, 8, 9])
    numbers = cells.read_numbers(words, ",")
    np.testing.assert_array_equal(numbers, np.array([1.5, NAN, NAN, -2000, 1.5], "float32"))
    assert list(numbers.index) == [5, 6, 7, 8, 9]
    assert cells.read_numbers(pd.Series([], dtype="str"), ".").empty


def test_groups_of_digits_must_be_groups() -> None:
    texts = pd.Series(["1,234", "12,34,567", "1,23", "1,2345", "1,234.5"])
    np.testing.assert_array_equal(
        cells.read_numbers(texts, ".", ","), np.array([1234, 1234567, NAN, NAN, 1234.5], "float32")
    )
    np.testing.assert_array_equal(
        cells.read_numbers(texts.iloc[:1], "."), np.array([NAN], "float32")
    )


def test_days_are_counted_from_1970_in_one_or_several_forms() -> None:
    days = cells.days_since_1970(pd.Series(["02.01.1970", None, "31.12.1969", "never"]), "%d.%m.%Y")
    np.testing.assert_array_equal(days, np.array([1, NAN, -1, NAN], "float32"))
    mixed = pd.Series(["1970-01-02", "1970-01-02 06:00"])
    assert cells.days_since_1970(mixed, "%Y-%m-%d or %Y-%m-%d %H:%M").tolist() == [1, 1.25]


def test_months_are_known_by_name_in_several_languages() -> None:
    texts = [
        "3 März 2022",
        "3 March 2022",
        "3 mars 2022",
        "3 marzo 2022",
        "3 marca 2022",
        "3 марта 2022",
    ]
    assert set(cells.days_since_1970(pd.Series(texts), "%d %b %Y")) == {19054.0}
    both = cells.month_names(pd.Series(["juin", "juillet", "June", "July"]))
    assert both.tolist() == ["Jun", "Jul", "Jun", "Jul"]


def test_words_lose_the_blanks_around_them_and_some_mean_missing() -> None:
    column = pd.Series(["yes ", "\u00a0yes", "no", None, "NA", " "], index=[3, 4, 5, 6, 7, 8])
    found = cells.read_words(column, ["NA"])
    assert [None if v != v else v for v in found] == ["yes", "yes", "no", None, None, None]
    assert list(found.index) == [3, 4, 5, 6, 7, 8]
