"""A learner's words stand safely in sentences and in source text."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from models.data import wording


@given(st.text())
def test_a_word_in_a_sentence_is_short_and_printable(name: str) -> None:
    shown = wording.shown(name)
    assert len(shown) <= 42
    assert shown.isprintable()


def test_long_lists_are_counted_not_printed() -> None:
    assert wording.names_text("ab") == "'a', 'b'"
    assert wording.names_text(f"c{i}" for i in range(12)).endswith("'c9' and 2 more")


def test_a_noun_agrees_with_its_number() -> None:
    assert [wording.count(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert wording.count(2, "category", "categories") == "2 categories"


@given(st.lists(st.text(), max_size=20), st.sampled_from(["", "    "]))
def test_source_text_means_the_very_names(names: list[str], indent: str) -> None:
    assert ast.literal_eval(wording.literal(names, indent)) == names
    pairs = dict.fromkeys(names, "str")
    assert ast.literal_eval(wording.dict_literal(pairs, indent)) == pairs
