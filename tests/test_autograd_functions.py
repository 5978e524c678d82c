"""Laws of own Functions: the class on screen is the one that ran, and gradcheck's verdict is PyTorch's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.autograd import functions
from models.autograd.functions import PRESETS, Spec
from models.autograd.language import ProgramError
from models.core import export

RIGHT = {"clamped-relu", "logsumexp"}


@pytest.mark.parametrize("name", PRESETS)
def test_the_class_on_screen_gives_the_same_values_and_gradients(name: str) -> None:
    result = functions.run(Spec(preset=name))
    names: dict[str, Any] = {"torch": torch}
    exec(result.code, names)
    inputs = [t.detach().requires_grad_() for t in result.inputs.values()]
    value = names["MyFunction"].apply(*inputs)
    torch.testing.assert_close(value, result.value)
    want = torch.autograd.grad(value.sum(), inputs)
    for leaf, gradient in zip(result.inputs.values(), want, strict=True):
        torch.testing.assert_close(leaf.grad, gradient)


@pytest.mark.parametrize("name", PRESETS)
def test_the_verdict_is_gradchecks_and_agrees_with_the_jacobians(name: str) -> None:
    result = functions.run(Spec(preset=name))
    assert result.passed is (name in RIGHT)
    worst = max(c.difference for c in result.checks)
    assert (worst < 1e-4) is result.passed
    assert bool(result.message) is not result.passed


def test_repairing_the_wrong_backward_makes_gradcheck_pass() -> None:
    assert not functions.run(Spec()).passed
    repaired = functions.run(Spec(backward="grad_x = grad_y * 3 * x ** 2"))
    assert repaired.passed
    torch.testing.assert_close(
        repaired.checks[0].numerical, torch.diag(torch.tensor([3.0, 12.0, 6.75])).double()
    )


def test_the_graph_holds_the_function_as_one_marked_box() -> None:
    result = functions.run(Spec())
    custom = [v for v in result.graph.vertices if "custom" in v.marks]
    assert [v.name for v in custom] == ["MyFunctionBackward"]
    assert result.graph.missing == ()


def test_the_stable_log_sum_exp_stays_finite() -> None:
    result = functions.run(Spec(preset="logsumexp", inputs="x = [1000.0, 999.0]"))
    assert result.value.isfinite().all()
    assert result.passed


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no gradient for an input": ({"backward": "grad_z = grad_y"}, "backward", "grad_x"),
    "no y": ({"forward": "z = x * 2", "backward": "grad_x = grad_y"}, "forward", "no line assigns y"),
    "y is a number": ({"forward": "y = 3", "backward": "grad_x = grad_y"}, "forward", "y is a int"),
    "syntax": ({"forward": "y = x *"}, "forward", "cannot read"),
    "a name forward never made": ({"backward": "grad_x = grad_y * q"}, "backward", "'q'"),
    "hostile": ({"forward": "y = x.__class__"}, "forward", "underscore"),
    "too many numbers": ({"inputs": "x = torch.ones(5, 5)"}, "inputs", "25 numbers"),
    "text": ({"inputs": "x = 'a'"}, "inputs", "numbers"),
    "endless": ({"forward": "while True:\n    y = x * 2"}, "forward", "ever end"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies_get_a_sentence_in_their_own_box(name: str) -> None:
    changes, field, words = BAD[name]
    with pytest.raises(ProgramError) as caught:
        functions.run(Spec(**changes))
    assert caught.value.field == field
    assert words in str(caught.value)


def test_a_gradient_of_the_wrong_shape_fails_with_pytorchs_words() -> None:
    with pytest.raises(ProgramError, match=r"refused what backward returned: .*7"):
        functions.run(Spec(backward="grad_x = grad_y.sum() * torch.ones(7)"))


@pytest.mark.parametrize("name", ["product", "logsumexp"])
def test_the_export_prints_the_shown_jacobians(name: str, tmp_path: Path) -> None:
    spec = Spec(preset=name)
    printed = export.numbers(export.run(functions.to_code(spec), tmp_path))
    assert printed == pytest.approx(functions.numbers(functions.run(spec)))
