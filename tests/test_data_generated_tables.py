"""Tables made by rules, whose truth is known: none is read wrong without a word, and nearly all are read right."""

from __future__ import annotations

from collections import Counter

from benchmarks import tables

COUNT = 60


def test_no_made_table_is_read_wrong_without_a_word() -> None:
    found = {seed: tables.judged(tables.generated(seed)) for seed in range(COUNT)}
    verdicts = Counter(verdict for verdict, _ in found.values())
    assert {seed: why for seed, (verdict, why) in found.items() if verdict == "wrong"} == {}
    assert verdicts["right"] >= 0.95 * COUNT


def test_a_made_table_is_the_same_again_and_a_wrong_one_is_found_out() -> None:
    made = tables.generated(0)
    assert made == tables.generated(0)
    name, truth = next(iter(made.truth.items()))
    lie = tables.Made(0, made.content, made.rules, made.truth | {name: [*truth[:-1], 12345.0]})
    assert tables.judged(lie)[0] in ("wrong", "named")
