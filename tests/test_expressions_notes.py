"""A word beside a result that is seldom meant; none beside the nearest that is."""

from __future__ import annotations

import pytest
import torch

from models import autograd, expressions
from models.autograd import language
from models.core.spec import SpecError

NAMES = {
    "l": torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3]]),
    "p": torch.tensor([0.5, 0.2, 0.1]),
    "column": torch.tensor([[1.0], [2.0], [3.0]]),
    "u": torch.tensor([10, 200], dtype=torch.uint8),
    "v": torch.tensor([20, 100], dtype=torch.uint8),
    "i": torch.tensor([[1, 2, 3], [4, 5, 6]]),
    "grey": torch.ones(1, 1, 28, 28),
    "w": torch.ones(6, 3, 3, 3),
}

NOTED = {
    "F.mse_loss(p, column)": "(3, 3)",
    "F.l1_loss(p, column)": "(3, 3)",
    "F.smooth_l1_loss(p, column)": "(3, 3)",
    "F.huber_loss(p, column)": "(3, 3)",
    "u - v": "-10 became 246",
    "u + 100": "300 became 44",
    "u * v": "became",
    "-u": "became",
    "torch.add(u, v)": "300 became 44",
    "u.sub(v)": "-10 became 246",
    "p[:2].median()": "lower of the middle two",
    "F.softmax(l)": "dim=",
}
QUIET = (
    "F.mse_loss(p, p)", "F.mse_loss(p, column.squeeze(1))", "u.float() - v", "u + 5", "v - u[:1]", "i - 9", "p.median()",
    "p[:2].quantile(0.5)", "F.softmax(l, dim=1)",
)  # fmt: skip


@pytest.mark.parametrize("text", NOTED)
def test_what_is_seldom_meant_gets_a_word_and_its_value(text: str) -> None:
    found = expressions.evaluate(text, NAMES)
    assert isinstance(found.value, torch.Tensor)
    assert NOTED[text] in " ".join(found.notes)


@pytest.mark.parametrize("text", QUIET)
def test_what_is_meant_gets_none(text: str) -> None:
    assert expressions.evaluate(text, NAMES).notes == ()


# PyTorch's refusals, by family: the numbers, and what to change
REFUSED = {
    "F.cross_entropy(l, torch.tensor([1, 3]))": ("3 classes, numbered 0 to 2", "target - 1"),
    "F.nll_loss(l, torch.tensor([1, 3]))": ("3 classes, numbered 0 to 2", "target - 1"),
    "F.cross_entropy(l, torch.tensor([1, 7]))": ("Label 7 does not exist", "3 classes"),
    "F.cross_entropy(l, torch.tensor([1, -1]))": ("Label -1", "ignore_index"),
    "F.cross_entropy(l, torch.tensor([1.0, 2.0]))": ("float32", "target.long()"),
    "F.cross_entropy(l, torch.tensor([[1], [2]]))": ("(2, 1)", "squeeze(1)"),
    "F.cross_entropy(l, torch.tensor([1, 2, 0]))": ("2 rows", "3 labels"),
    "F.cross_entropy(l, torch.ones(2, 3, dtype=torch.int64))": ("int64", ".float()"),
    "F.one_hot(torch.tensor([3]), 2)": ("from 0 to num_classes", "class number"),
    "F.one_hot(p)": ("float32", ".long()"),
    "i @ torch.ones(3, 2)": ("int64", "float32", "a.float() @ b"),
    "torch.ones(3, 2) @ i": ("int64", "float32", "a @ b.float()"),
    "i.to(torch.uint8) @ torch.ones(3, 2)": ("uint8", "float32", "a.float() @ b"),
    "i.to(torch.int16) @ torch.ones(3, 2)": ("int16", "float32"),
    "i[0].dot(p)": ("int64", "float32"),
    "i @ p": ("int64", "float32"),
    "l.bfloat16() @ torch.ones(3, 2)": ("bfloat16", "float32"),
    "F.linear(i, torch.ones(4, 3))": ("int64", "float32"),
    "F.conv2d(grey, w)": ("1 channel", "expects 3", "x.repeat(1, 3, 1, 1)"),
    "F.conv1d(torch.ones(1, 2, 8), torch.ones(6, 3, 3))": ("2 channels", "expects 3"),
    "F.conv2d(torch.ones(1, 4, 8, 8), w, groups=2)": ("4 channels", "expects 6", "2 groups"),
    "F.conv_transpose2d(grey, torch.ones(3, 6, 3, 3))": ("1 channel", "expects 3"),
    "F.conv2d(grey[0, 0], w)": ("(28, 28)", "unsqueeze"),
    "F.binary_cross_entropy_with_logits(p, torch.tensor([0, 1, 0]))": ("target.float()",),
    "F.binary_cross_entropy(p, torch.tensor([0, 1, 0]))": ("int64", "target.float()"),
    "F.binary_cross_entropy(p, column / 3)": ("(3, 1)", "squeeze(1)"),
    "F.binary_cross_entropy_with_logits(p, column)": ("(3, 1)", "squeeze(1)"),
    "F.binary_cross_entropy(column, column)": ("between 0 and 1", "sigmoid"),
    "F.embedding(p, l)": ("float32", ".long()"),
    "F.layer_norm(l, (2,))": ("(2, 3)", "normalized_shape"),
    "F.group_norm(torch.ones(1, 5, 2), 2)": ("5 channels", "2 equal groups"),
    "F.batch_norm(l, p[:2], p[:2])": ("3 channels", "2 numbers"),
    "F.cross_entropy(l, torch.tensor([1, 2]), weight=p[:2])": ("3 classes", "2 numbers"),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal_of_pytorch_names_the_numbers_and_what_to_change(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        expressions.evaluate(text, NAMES)
    for words in REFUSED[text]:
        assert words in str(caught.value)
    assert "PyTorch refused" not in str(caught.value)


@pytest.mark.parametrize("text", REFUSED)
def test_a_program_says_the_same(text: str) -> None:
    with pytest.raises(language.ProgramError) as caught:
        language.Interpreter(NAMES).run(language.parse(f"loss = {text}"))
    for words in REFUSED[text]:
        assert words in str(caught.value)


def test_the_nearest_right_calls_run() -> None:
    loss = expressions.evaluate("F.cross_entropy(l, torch.tensor([1, 3]) - 1)", NAMES).value
    torch.testing.assert_close(loss, torch.tensor(0.62163), atol=1e-5, rtol=0)
    for text in ("i.float() @ torch.ones(3, 2)", "F.conv2d(grey.repeat(1, 3, 1, 1), w)"):
        assert expressions.evaluate(text, NAMES).notes == ()


def test_a_program_keeps_the_line_of_its_notes() -> None:
    run = language.Interpreter(NAMES)
    run.run(language.parse("x = p * 2\nloss = F.mse_loss(x, column)"))
    assert list(run.notes.values()) == [2]


def test_the_autograd_page_shows_the_note_with_its_line() -> None:
    hints = autograd.run(
        autograd.Spec(
            leaves="p = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)\nt = torch.ones(3, 1)",
            program="y = p * 2\nloss = F.mse_loss(y, t)",
        )
    ).hints
    assert [(h.line, "(3, 3)" in h.message) for h in hints] == [(2, True)]
