"""Errors that this torch really raises are retold with their numbers; what nobody foresaw keeps its first line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from models import torch_errors

A, B = torch.ones(2, 3), torch.ones(4)

PROVOKED: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "broadcast": (lambda: A + B, ("3", "4", "(2, 3) and (4,)", "unsqueeze")),
    "matrix product": (lambda: A @ torch.ones(2, 5), ("3 and 2", "Transpose")),
    "dim": (lambda: A.sum(dim=5), ("dim 5", "-2 to 1")),
    "reshape": (lambda: A.reshape(4, 2), ("6 elements", "4, 2")),
    "view": (lambda: A.T.view(6), ("reshape",)),
    "index": (lambda: A[5], ("Index 5", "0 to 1")),
    "too many indices": (lambda: A[0, 0, 0], ("2 dims",)),
    "item": (lambda: A.item(), ("6",)),
    "mean of whole numbers": (lambda: torch.arange(3).mean(), ("float",)),
    "truth of a tensor": (lambda: bool(A), ("any()",)),
    "cat": (lambda: torch.cat([A, torch.ones(2, 2)]), ("dim 0",)),
    "stack": (lambda: torch.stack([A, B]), ("one shape", "number 2")),
    "square": (lambda: torch.linalg.inv(A), ("square",)),
    "singular": (lambda: torch.linalg.inv(torch.zeros(2, 2)), ("no inverse",)),
    "expand": (lambda: A.expand(2, 5), ("size 3", "5")),
    "permute": (lambda: A.permute(0), ("2 dims", "1")),
    "largest of nothing": (lambda: torch.ones(0).max(), ("nothing to reduce",)),
    "topk": (lambda: torch.topk(B, 9), ("Choose a smaller k",)),
    "in place into a smaller kind": (lambda: torch.ones(2, dtype=torch.int64).add_(0.5), ("in-place", "int64")),
    "a leaf in place": (lambda: torch.ones(2, requires_grad=True).add_(1), ("gradients",)),
    "two devices": (lambda: A + torch.ones(2, 3, device="meta"), ("device",)),
}  # fmt: skip


@pytest.mark.parametrize("name", PROVOKED)
def test_what_torch_says_is_retold_with_its_numbers(name: str) -> None:
    provoke, words = PROVOKED[name]
    with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)) as caught:
        provoke()
    told = torch_errors.explain(caught.value, (A, B))
    assert not told.startswith("PyTorch refused"), str(caught.value)
    for word in words:
        assert word in told, told


def test_an_unforeseen_error_keeps_its_first_line_and_an_empty_one_its_name() -> None:
    told = torch_errors.explain(RuntimeError("the moon is full\nException raised from kernel.cpp"))
    assert told == "PyTorch refused: the moon is full"
    assert torch_errors.explain(KeyError()) == "PyTorch refused: KeyError"
