"""Verdicts on synthetic samples: equal, shifted, noisy, few."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.speed import verdict
from models.speed.verdict import Sample


def drawn(median: float, noise: float, seed: int = 0, count: int = 50) -> Sample:
    times = median * (1 + noise * np.random.default_rng(seed).standard_normal(count))
    return verdict.sample(times)


def test_a_sample_is_its_median_and_quartiles() -> None:
    one = verdict.sample([4.0, 1.0, 3.0, 2.0, 5.0], first=9.0)
    assert (one.low, one.median, one.high, one.count, one.first) == (2.0, 3.0, 4.0, 5, 9.0)
    assert one.spread == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="no times"):
        verdict.sample([])


@pytest.mark.parametrize("seed", range(5))
def test_equal_samples_are_not_ranked(seed: int) -> None:
    found = verdict.compare(drawn(1e-3, 0.05, seed), drawn(1e-3, 0.05, seed + 100))
    assert found.kind == "same"
    assert "not distinguishable" in found.text
    assert found.low <= 1 <= found.high


def test_a_sample_beside_itself_is_not_ranked_however_quiet() -> None:
    still = verdict.sample([1e-3] * 10)
    assert verdict.compare(still, still).kind == "same"


@pytest.mark.parametrize("factor", [1.25, 1.8, 30.0])
def test_a_shifted_sample_is_ranked_with_its_ratio(factor: float) -> None:
    a, b = drawn(1e-3 * factor, 0.01), drawn(1e-3, 0.01, 7)
    found = verdict.compare(a, b, "eager", "compiled")
    assert found.kind == "faster"
    assert found.low < factor < found.high
    assert found.text.startswith(f"compiled is {found.ratio:.3g}× faster than eager")


def test_a_shift_that_drowns_in_noise_is_not_ranked() -> None:
    assert verdict.compare(drawn(1.1e-3, 0.4), drawn(1e-3, 0.4, 3)).kind == "same"
    assert verdict.compare(drawn(1.1e-3, 0.01), drawn(1e-3, 0.01, 3)).kind == "faster"


def test_few_runs_are_not_ranked_whatever_their_distance() -> None:
    few = verdict.FEWEST - 1
    assert verdict.compare(drawn(9.0, 0.01, count=few), drawn(1.0, 0.01)).kind == "same"
    assert verdict.compare(drawn(9.0, 0.01, count=few + 1), drawn(1.0, 0.01)).kind == "faster"


@given(
    *[st.lists(st.floats(1e-6, 1e3), min_size=5, max_size=30)] * 2,
)
def test_b_is_faster_than_a_exactly_when_a_is_slower_than_b(one: list, two: list) -> None:
    a, b = verdict.sample(one), verdict.sample(two)
    there, back = verdict.compare(a, b), verdict.compare(b, a)
    assert {"faster": "slower", "slower": "faster", "same": "same"}[there.kind] == back.kind
    assert math.isclose(there.ratio * back.ratio, 1, rel_tol=1e-9)
    if there.kind != "same":
        assert a.low > b.high or b.low > a.high


def test_noise_is_named_with_the_worst_sample() -> None:
    quiet, loud = drawn(1e-3, 0.01), drawn(1e-3, 0.4)
    assert verdict.noise({"step": quiet}) == ""
    assert "runs of backward" in verdict.noise({"step": quiet, "backward": loud})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.163e-4, "216 µs"), (0.00125, "1.25 ms"), (3.4, "3.4 s"), (5e-9, "5 ns"), (0.99999, "1 s")],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert verdict.duration(seconds) == text


def test_quantities_carry_a_prefix() -> None:
    assert verdict.quantity(12_345_000_000, "FLOP/s") == "12.3 GFLOP/s"
    assert verdict.quantity(999.9, "B") == "1 kB"
    assert verdict.quantity(12, "B") == "12 B"
