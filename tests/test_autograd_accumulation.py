"""Laws of accumulation: equal where mathematics says equal, and explained where not."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from models.autograd import accumulation
from models.autograd.accumulation import Spec
from models.core import export
from models.core.spec import SpecError


@pytest.mark.parametrize("parts", [1, 2, 5, 12])
@pytest.mark.parametrize("sizes", ["equal", "unequal"])
def test_means_weighted_by_their_share_meet_the_big_batch(parts: int, sizes: str) -> None:
    spec = Spec(batch_size=48, micro_batches=parts, sizes=sizes, scale="share of samples")
    result = accumulation.run(spec)
    assert result.equal
    torch.testing.assert_close(result.accumulated, result.big)


@pytest.mark.parametrize("sizes", ["equal", "unequal"])
def test_sums_meet_the_big_batch_without_scaling(sizes: str) -> None:
    assert accumulation.run(Spec(reduction="sum", scale="none", sizes=sizes)).equal


UNEQUAL = {
    "the mean of unequal parts": ({"sizes": "unequal"}, "samples of small parts weigh more"),
    "batch norm": ({"batch_norm": True}, "own mean and variance"),
    "no division": ({"scale": "none"}, "3 times too large"),
    "zero between parts": ({"zero_grad": "before every part"}, "only the last part counts"),
    "forgotten zero_grad": ({"zero_grad": "never"}, "was forgotten"),
    "sum divided": ({"reduction": "sum"}, "multiply nothing"),
    "parts that do not divide": ({"batch_size": 13}, "5, 4, 4 samples"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNEQUAL)
def test_what_goes_wrong_is_measured_and_explained(name: str) -> None:
    changes, words = UNEQUAL[name]
    result = accumulation.run(Spec(**changes))
    assert not result.equal
    assert words in " ".join(result.why)


def test_no_division_is_exactly_k_times_the_gradient() -> None:
    result = accumulation.run(Spec(scale="none"))
    torch.testing.assert_close(result.accumulated, result.big * 3)


def test_a_forgotten_zero_grad_doubles_the_gradient() -> None:
    result = accumulation.run(Spec(zero_grad="never"))
    torch.testing.assert_close(result.accumulated, result.big * 2)
    assert result.parts[0].before is not None
    torch.testing.assert_close(result.parts[0].before, result.big)


def test_each_part_starts_where_the_last_one_ended() -> None:
    parts = accumulation.run(Spec()).parts
    assert parts[0].before is None
    for earlier, later in itertools.pairwise(parts):
        assert later.before is not None
        assert torch.equal(later.before, earlier.after)


def test_one_part_is_the_big_batch_even_with_batch_norm() -> None:
    assert accumulation.run(Spec(micro_batches=1, batch_norm=True)).equal


def test_too_small_parts_are_refused_beside_the_smallest_that_work() -> None:
    assert accumulation.run(Spec(batch_size=2, micro_batches=2)).equal
    with pytest.raises(SpecError, match="at least 1"):
        Spec(batch_size=2, micro_batches=3)
    Spec(batch_size=4, micro_batches=2, batch_norm=True)
    with pytest.raises(SpecError, match="batch norm cannot"):
        Spec(batch_size=3, micro_batches=2, batch_norm=True)


def test_the_generator_of_others_is_left_alone() -> None:
    state = torch.random.get_rng_state()
    accumulation.run(Spec(seed=7))
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_export_prints_the_shown_numbers(tmp_path: Path) -> None:
    spec = Spec(sizes="unequal", batch_norm=True, seed=5)
    printed = export.numbers(export.run(accumulation.to_code(spec), tmp_path))
    assert printed == pytest.approx(accumulation.numbers(accumulation.run(spec)), rel=1e-5)
