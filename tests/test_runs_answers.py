"""What an evaluator hands back is read without running anything of it."""

from __future__ import annotations

import os
import pickle

import pytest
import torch

from models.autograd.language import ProgramError
from models.core.runs import answers
from models.tensor_ops import Spec

KINDS = [
    torch.bool, torch.uint8, torch.int8, torch.int64, torch.float16, torch.bfloat16, torch.float32,
    torch.float64, torch.complex64, torch.complex128,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (2, 0, 3)], ids=str)
def test_every_kind_and_shape_arrives_as_it_was(kind: torch.dtype, shape: tuple[int, ...]) -> None:
    sent = torch.randint(0, 2, shape).to(kind)
    got = answers.unpack(answers.pack(sent))
    assert got.dtype == kind
    assert got.shape == sent.shape
    assert torch.equal(got, sent)


def test_views_conjugates_and_sparse_tensors_arrive_as_their_numbers() -> None:
    z = torch.tensor([[1 + 2j, 3 - 1j]])
    for sent in (z.T.conj(), torch.arange(6).reshape(2, 3).T[::2], torch.ones(1).expand(4)):
        assert torch.equal(answers.unpack(answers.pack(sent)), sent)
    assert torch.equal(answers.unpack(answers.pack(torch.eye(3).to_sparse())), torch.eye(3))


def test_a_tensor_at_the_limit_keeps_its_numbers_and_one_beyond_it_does_not() -> None:
    cells = answers.WHOLE // 4
    assert answers.unpack(answers.pack(torch.ones(cells))).device.type == "cpu"
    assert answers.unpack(answers.pack(torch.ones(cells + 1))).device.type == "meta"


def test_settings_arrive_as_their_own_class() -> None:
    assert answers.unpack(answers.pack(Spec(seed=3))) == Spec(seed=3)


def test_a_refusal_is_its_own_class_again() -> None:
    sent = ProgramError("no.", 3, "x = y", "detail", "leaves")
    got = answers.error_of(answers.unpack(answers.pack(answers.refusal(sent))))
    assert type(got) is ProgramError
    assert str(got) == "Line 3: no."
    assert (got.line, got.text, got.field, got.detail) == (3, "x = y", "leaves", "detail")


class _Evil:
    def __reduce__(self) -> tuple:
        return os.system, ("echo hacked",)


@pytest.mark.parametrize("value", [_Evil(), os.system, torch.load, Spec.check, eval])
def test_what_would_run_when_it_is_read_is_refused(value: object) -> None:
    with pytest.raises(pickle.UnpicklingError):
        answers.unpack(pickle.dumps(value))


def test_a_refusal_that_is_none_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError):
        answers.error_of(answers.Refusal("subprocess", "Popen", "ls", {}))
