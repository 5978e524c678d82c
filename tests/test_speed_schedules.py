"""Schedules at equal time: their shapes, the same beginnings for all, and a verdict only where all repeats agree."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
import torch

from components.figures import speed as figures
from models.speed import levers, schedules, verdict
from tests.speed_cases import LEVERS, QUICK, told


def test_a_schedule_ends_where_its_name_says() -> None:
    rates = {n: [s.rate(t) for t in (0.0, 0.5, 1.0)] for n, s in schedules.SCHEDULES.items()}
    assert rates["constant"] == [1, 1, 1]
    assert rates["cosine"] == pytest.approx([1, 0.5, 0])
    assert rates["warm-up, then linear"] == pytest.approx([0, 0.5, 0])


def test_every_schedule_begins_with_the_same_weights_in_every_repeat() -> None:
    found = told(LEVERS)["schedules"]
    firsts = {name: [row[0] for row in rows] for name, rows in found.items()}
    assert all(values == firsts["constant"] for values in firsts.values())
    assert firsts["constant"][0] == told(LEVERS)["loss"]
    assert len(set(firsts["constant"])) == schedules.REPEATS >= verdict.FEWEST_PAIRS
    assert all(steps > 0 for rows in found.values() for _, _, steps in rows)


def test_training_lasts_as_long_as_it_is_told_and_learns() -> None:
    start = levers.start(QUICK)
    begun = time.perf_counter()
    first, last, steps = schedules.train_for(
        0.05, start.fresh, start.optimizer, 3, schedules.constant, 0.0
    )
    assert time.perf_counter() - begun >= 0.05
    assert steps > 1
    assert last < first


def test_clipping_keeps_a_step_as_short_as_it_says() -> None:
    start = levers.start(QUICK)
    model, _, _ = start.fresh()
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    kept: list[torch.nn.Module] = []

    def fresh(**how: Any) -> Any:
        made = start.fresh(**how)
        kept.append(made[0])
        return made

    _, _, steps = schedules.train_for(
        1e-9, fresh, start.optimizer, QUICK.seed, lambda t: 10.0, 0.01
    )
    assert steps <= 1
    after = torch.cat([p.detach().flatten() for p in kept[0].parameters()])
    assert (after - before).norm() <= 10 * 0.01 * 0.01 * (1 + 1e-5)  # rate × gradient's length


def test_a_diverged_run_is_infinite_and_drawn_as_such() -> None:
    start = levers.start(QUICK)
    _, last, _ = schedules.train_for(0.02, start.fresh, start.optimizer, 0, lambda t: 1e30, 0.0)
    assert last == math.inf
    fig: Any = figures.equal_time({"a": [0.1, 0.2], "b": [0.3, None]})
    assert list(fig.data[-1].y) == ["a", "b (1 diverged)"]
    assert list(fig.data[-1].x) == pytest.approx([0.15, 0.3])


def test_pairs_are_ranked_only_where_all_agree() -> None:
    base = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    lower = [v - 0.1 for v in base]  # the two overlap widely, and yet every pair says the same
    assert verdict.paired(base, lower, "A", "B").kind == "better"
    assert "lower loss than A in all 6" in verdict.paired(base, lower, "A", "B").text
    assert verdict.paired(lower, base).kind == "worse"
    assert verdict.paired(base, base).kind == "same"
    one_against = [*lower[:5], 6.1]
    found = verdict.paired(base, one_against, "A", "B")
    assert found.kind == "same"
    assert "lower in 5 of 6" in found.text
    assert found.low < 0 < found.high


def test_few_pairs_are_not_ranked_and_unequal_ones_refused() -> None:
    few = [1.0] * (verdict.FEWEST_PAIRS - 1)
    assert verdict.paired(few, [0.0] * len(few)).kind == "same"
    assert verdict.paired([*few, 1.0], [0.0] * (len(few) + 1)).kind == "better"
    with pytest.raises(ValueError, match="do not make pairs"):
        verdict.paired([1.0], [])


def test_what_diverges_always_is_worse_and_said_so() -> None:
    found = verdict.paired([1.0] * 6, [math.inf] * 6, "A", "B")
    assert found.kind == "worse"
    assert "diverged in 6 of 6" in found.text
    assert verdict.paired([math.inf] * 6, [math.inf] * 6).kind == "same"
