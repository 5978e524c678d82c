"""Laws of training by hand: the same numbers as nn and optim, turn for turn, on any table."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from models.autograd import by_hand
from models.autograd.by_hand import Spec
from models.core import export
from models.data import tabular, workspace

SPECS = {
    "default": Spec(),
    "one hidden unit": Spec(hidden=1, steps=20),
    "many hidden units": Spec(hidden=64, lr=0.5, seed=3),
    "regression": Spec(data="diabetes", lr=0.05),
    "made points": Spec(data="spiral", points=2000),
    "another target": Spec(target="petal width (cm)"),
}


@pytest.mark.parametrize("name", SPECS)
def test_both_loops_give_the_same_losses_and_gradients(name: str) -> None:
    result = by_hand.run(SPECS[name])
    torch.testing.assert_close(result.hand, result.module, atol=1e-5, rtol=1e-4)
    for mine, theirs in zip(result.hand_gradients, result.module_gradients, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-4)
    assert result.largest_difference < 1e-3


def test_the_network_learns() -> None:
    flowers = by_hand.run(Spec(steps=200, lr=0.3))
    assert flowers.accuracy > 0.95
    assert flowers.hand[-1] < 0.3 * flowers.hand[0]
    assert by_hand.run(Spec(data="diabetes", lr=0.05, steps=200)).accuracy > 0.4


def test_there_are_ten_steps_with_the_first_turns_values() -> None:
    result = by_hand.run(Spec())
    assert len(result.steps) == 10
    loss, out = result.steps[5].value, result.steps[3].value
    assert loss is not None
    assert out is not None
    assert loss.item() == result.hand[0].item()
    torch.testing.assert_close(torch.nn.functional.cross_entropy(out, result.data.y_train), loss)


def test_forgetting_zero_grad_changes_the_second_update_only_from_then_on() -> None:
    good, bad = by_hand.run(Spec(steps=6)), by_hand.run(Spec(steps=6, zero_grad=False))
    assert torch.equal(good.hand[:2], bad.hand[:2])
    assert not torch.allclose(good.hand[3:], bad.hand[3:])
    torch.testing.assert_close(bad.hand, bad.module, atol=1e-5, rtol=1e-4)


def test_one_turn_is_enough_for_a_result() -> None:
    assert by_hand.run(Spec(steps=1)).hand.shape == (1,)


def test_a_table_of_ones_own_is_trained_on(tmp_path: Path) -> None:
    lines = ["size,weight,kind", *(f"{i},{i * i % 7},{'ab'[i % 2]}" for i in range(60))]
    upload = workspace.put("\n".join(lines).encode(), "own.csv")
    spec = Spec(data=f"upload:{upload}", steps=3)
    result = by_hand.run(spec)
    assert result.data.classes == ("a", "b")
    assert result.rows == len(result.data.x_train)
    for name, path in tabular.files(spec).items():
        shutil.copy(path, tmp_path / name)
    printed = export.numbers(export.run(by_hand.to_code(spec), tmp_path))
    assert printed == pytest.approx(by_hand.numbers(result), rel=1e-5)


def test_a_large_table_is_cut_to_its_first_training_rows() -> None:
    assert by_hand.run(Spec(data="spiral", points=2000, steps=1)).rows == by_hand.ROWS
