"""Laws of backward as Python: the printed function is complete, and computes the shown gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models import autograd
from models.autograd import PRESETS, Spec, tracing
from models.core.spec import SpecError

WITHOUT = {"loop", "in-place", "non-scalar", "resnet18"}


@pytest.mark.parametrize("name", [n for n in PRESETS if n not in WITHOUT])
def test_the_printed_function_computes_loss_and_gradients(name: str) -> None:
    spec = Spec(preset=name)
    names: dict[str, Any] = {"torch": torch, "device": torch.device, "inf": float("inf")}
    exec(tracing.backward_code(spec), names)
    result = autograd.run(spec, jacobians=False)
    leaves = {n: leaf.detach() for n, leaf in result.leaves.items()}
    value, *gradients = names["forward_and_backward"](**leaves)
    torch.testing.assert_close(value, result.value.detach())
    want = [leaf.grad for leaf in result.leaves.values() if leaf.requires_grad]
    torch.testing.assert_close(gradients, want, equal_nan=True)


def test_leaf_names_never_clash_with_traced_names() -> None:
    spec = Spec(
        leaves="mul = torch.tensor(2.0, requires_grad=True)\nadd = torch.tensor(3.0, requires_grad=True)",
        program="loss = mul * add + mul",
    )
    names: dict[str, Any] = {"torch": torch}
    exec(tracing.backward_code(spec), names)
    value, d_mul, d_add = names["forward_and_backward"](torch.tensor(2.0), torch.tensor(3.0))
    assert (value.item(), d_mul.item(), d_add.item()) == (8.0, 4.0, 2.0)


def test_a_program_that_asks_for_a_value_is_explained_at_its_line() -> None:
    with pytest.raises(SpecError, match="Line 2 asks for a tensor's value"):
        tracing.backward_code(Spec(preset="loop"))


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_what_cannot_be_written_out_gets_a_sentence(name: str) -> None:
    with pytest.raises(SpecError):
        tracing.backward_code(Spec(preset=name))
