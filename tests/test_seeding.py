"""Randomness that repeats and that no learner shares with another."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from models.core import seeding


def test_the_same_seed_draws_the_same_numbers_and_another_does_not() -> None:
    one, same, other = (torch.rand(4, generator=seeding.generator(s)) for s in (7, 7, 8))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_every_seed_within_64_bits_works_in_both_ways(seed: int) -> None:
    with seeding.seeded(seed):
        drawn = torch.rand(3)
    assert torch.equal(drawn, torch.rand(3, generator=seeding.generator(seed)))


def test_the_default_generator_continues_as_if_nothing_had_been_drawn() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with seeding.seeded(2):
        torch.rand(100)
    assert torch.equal(torch.rand(3), expected)


def test_the_default_generator_comes_back_after_an_error_too() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with pytest.raises(ZeroDivisionError), seeding.seeded(2):
        _ = 1 / 0
    assert torch.equal(torch.rand(3), expected)
    with seeding.seeded(3):  # the lock is free again
        pass


def test_learners_who_draw_at_the_same_time_get_their_own_numbers() -> None:
    expected = {seed: _weights(seed) for seed in range(4)}
    start = threading.Barrier(4)
    wrong: list[int] = []

    def learner(seed: int) -> None:
        start.wait()
        for _ in range(50):
            if not torch.equal(_weights(seed), expected[seed]):
                wrong.append(seed)

    threads = [threading.Thread(target=learner, args=(seed,)) for seed in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def _weights(seed: int) -> torch.Tensor:
    with seeding.seeded(seed):
        return nn.Linear(5, 5).weight.detach()
