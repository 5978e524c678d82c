"""Laws of training by hand: the same numbers as nn and optim, turn for turn."""

from __future__ import annotations

import pytest
import torch

from models.autograd import by_hand
from models.autograd.by_hand import Spec


@pytest.mark.parametrize(
    "spec", [Spec(), Spec(hidden=1, steps=20), Spec(hidden=64, lr=0.5, seed=3)]
)
def test_both_loops_give_the_same_losses_and_gradients(spec: Spec) -> None:
    result = by_hand.run(spec)
    torch.testing.assert_close(result.hand, result.module, atol=1e-5, rtol=1e-4)
    for mine, theirs in zip(result.hand_gradients, result.module_gradients, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-4)
    assert result.largest_difference < 1e-3


def test_the_network_learns_the_flowers() -> None:
    result = by_hand.run(Spec(steps=200, lr=0.3))
    assert result.accuracy > 0.95
    assert result.hand[-1] < 0.3 * result.hand[0]


def test_there_are_ten_steps_with_the_first_turns_values() -> None:
    result = by_hand.run(Spec())
    assert len(result.steps) == 10
    loss = result.steps[5].value
    assert loss is not None
    assert loss.item() == result.hand[0].item()
    logits = result.steps[3].value
    assert logits is not None
    _, target = by_hand.load()
    torch.testing.assert_close(torch.nn.functional.cross_entropy(logits, target), loss)


def test_forgetting_zero_grad_changes_the_second_update_only_from_then_on() -> None:
    good, bad = by_hand.run(Spec(steps=6)), by_hand.run(Spec(steps=6, zero_grad=False))
    assert torch.equal(good.hand[:2], bad.hand[:2])
    assert not torch.allclose(good.hand[3:], bad.hand[3:])
    torch.testing.assert_close(bad.hand, bad.module, atol=1e-5, rtol=1e-4)


def test_one_turn_is_enough_for_a_result() -> None:
    assert by_hand.run(Spec(steps=1)).hand.shape == (1,)
