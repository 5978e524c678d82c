"""PyTorch's messages retold: the numbers are the learner's own, and an unknown message is kept."""

import pytest
import torch

from models import torch_errors

A, B = torch.ones(2, 3), torch.ones(4)

CALLS = {
    "broadcast": (lambda: A + B, ["3", "4", "(2, 3) and (4,)", "unsqueeze"]),
    "matmul": (lambda: A @ torch.ones(2, 3), ["columns of the first", "3 and 2"]),
    "dim": (lambda: A.sum(dim=7), ["dim 7", "-2 to 1"]),
    "index": (lambda: A[9], ["Index 9", "0 to 1"]),
    "reshape": (lambda: A.reshape(4, 2), ["6 elements"]),
    "view": (lambda: A.T.view(6), ["reshape", "contiguous"]),
    "scalar": (lambda: A.item(), ["6", "Reduce"]),
    "truth": (lambda: bool(A), ["& and |"]),
    "whole numbers": (lambda: torch.tensor([1, 2]).mean(), ["int64", ".float()"]),
    "square": (lambda: torch.linalg.inv(A), ["square", "(2, 3)"]),
    "list": (lambda: torch.exp([1.0]), ["not a list", "torch.tensor"]),  # type: ignore[arg-type]  # the mistake
    "expand": (lambda: A.expand(5, 3), ["dim 0 has size 2"]),
    "mask": (lambda: A[torch.ones(3, dtype=torch.bool)], ["mask", "dim 0"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_refusal_of_pytorch_is_retold_with_its_numbers(name: str) -> None:
    call, words = CALLS[name]
    with pytest.raises((RuntimeError, IndexError, TypeError)) as caught:
        call()
    used = {"whole numbers": [torch.tensor([1, 2])], "broadcast": [A, B]}.get(name, [A])
    told = torch_errors.explain(caught.value, used)
    for word in words:
        assert word in told


def test_an_unknown_message_is_kept_short_and_an_empty_one_has_a_name() -> None:
    told = torch_errors.explain(RuntimeError("something new\nand a long trace"))
    assert told == "PyTorch refused: something new"
    assert "RuntimeError" in torch_errors.explain(RuntimeError())
