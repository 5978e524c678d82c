"""Past states fit into their budget, and the nearest one before any epoch is found."""

from __future__ import annotations

import itertools

import pytest
import torch

from models.training import Spec, history
from models.training.history import History, State
from models.training.run import Run


def state(epoch: int, numbers: int = 100) -> State:
    rng = torch.zeros(10, dtype=torch.uint8)
    model = {"weight": torch.full((numbers,), float(epoch))}
    return State(epoch * 5, epoch, 0, None, model, {}, None, rng, None, None, {}, {}, {})


def test_the_nearest_state_is_at_or_before_the_epoch():
    kept = History(10**6, stride=3)
    for epoch in range(10):
        if kept.wants(epoch):
            kept.keep(state(epoch))
    assert [kept.nearest(epoch).epoch for epoch in range(10)] == [0, 0, 0, 3, 3, 3, 6, 6, 6, 9]


def test_beyond_the_budget_states_thin_evenly_and_the_start_stays():
    one = history.size(state(0))
    kept = History(8 * one, stride=1)
    for epoch in range(100):
        if kept.wants(epoch):
            kept.keep(state(epoch))
    assert kept.bytes <= 8 * one
    assert 4 <= len(kept) <= 8
    assert kept.stride == 16
    assert kept.nearest(0).epoch == 0
    assert all(epoch - kept.nearest(epoch).epoch < 16 for epoch in range(100))


def test_a_state_larger_than_the_budget_leaves_the_start():
    kept = History(1, stride=1)
    for epoch in range(5):
        if kept.wants(epoch):
            kept.keep(state(epoch))
    assert kept.nearest(4).epoch == 0


def test_a_future_is_forgotten():
    kept = History(10**6, stride=1)
    for epoch in range(5):
        kept.keep(state(epoch))
    kept.forget_after(10)
    assert kept.nearest(99).epoch == 2
    assert kept.bytes == 3 * history.size(state(0))


def test_copies_share_nothing():
    original = {"a": [torch.ones(2), {"b": torch.zeros(1)}], "c": 3}
    copy = history.copied(original)
    original["a"][0].add_(1)
    assert copy["a"][0].tolist() == [1, 1]
    assert copy["c"] == 3


@pytest.mark.parametrize("budget", [1, 40_000, 10**8])
def test_any_budget_goes_back_exactly(budget):
    spec = Spec(data="iris", epochs=12, optimizer="Adam", lr=0.01, layers="6 relu dropout=0.2")
    weights = []
    run = Run(spec, budget=budget)
    while not run.over:
        run.batch()
        if run.position == 0:
            weights.append(run.linears[0].weight.detach().clone())
    for epoch in (12, 1, 7, 11):
        run.seek(epoch)
        assert torch.equal(run.linears[0].weight, weights[epoch - 1])


def test_weights_are_kept_at_even_distances_from_the_start_within_their_number_and_bytes():
    def weights(epoch: int) -> dict[str, torch.Tensor]:
        return {"w": torch.full((4,), float(epoch))}

    for past in (history.Weights(10_000, 5), history.Weights(5 * 16, 100)):
        for epoch in range(40):
            past.keep(epoch, 10 * epoch, weights(epoch))
            kept = list(past.until(10 * epoch))
            assert kept[0] == 0
            assert len(kept) <= 5
            assert len({b - a for a, b in itertools.pairwise(kept)}) <= 1
        assert len(kept) >= 3
        assert list(past.until(160)) == [e for e in kept if e <= 16]
    past.keep(16, 165, {"w": torch.zeros(4)})  # another course
    assert float(past.until(165)[16]["w"].sum()) == 0


def test_kept_weights_do_not_move_with_the_networks():
    live, past = {"w": torch.zeros(2)}, history.Weights(100, 4)
    past.keep(0, 0, live)
    live["w"] += 1
    assert float(past.until(0)[0]["w"].sum()) == 0
