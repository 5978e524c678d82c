"""Laws of the small language: it computes what Python computes, and refuses with a sentence at the learner's line."""

from __future__ import annotations

import pytest
import torch

from models.autograd import language
from models.autograd.language import Interpreter, ProgramError

PROGRAMS = {
    "chained assignment": "a = b = x * 2\na += 1\nloss = (a + b).sum()",
    "several names": "a, (b, c) = x[0], (x[1], x[2])\nloss = a * b + c",
    "if and elif": "if x.sum() > 100:\n    loss = x.sum()\nelif x[0] > 0:\n    loss = x.prod()\nelse:\n    loss = -x.sum()",
    "loops": "y = x\nfor i in range(2, 8, 2):\n    if i == 4:\n        continue\n    y = y * i\nloss = y.sum()",
    "while and break": "y = x * 1\nn = 0\nwhile True:\n    y = y * 2\n    n += 1\n    if y.norm() > 30:\n        break\nloss = y.sum() * n",
    "in place": "y = x * 1\ny += x\ny -= 1\ny *= x.detach()\ny /= 2\nloss = y.sum()",
    "cells": "y = x * 1\ny[0] = 5\ny[1:] = x[:2] * 3\ny[0] += x[2]\nloss = (y * y).sum()",
    "no_grad": "with torch.no_grad():\n    s = x.sum()\nwith torch.enable_grad():\n    loss = (x * s).sum()",
    "methods in place": "y = x.clone()\ny.mul_(2).add_(1)\nloss = y.sum()",
    "functions": "loss = F.relu(torch.sin(x) @ torch.ones(3, 2)).mean() * math.sqrt(2)",
    "requires_grad_ inside": "w = torch.ones(3).requires_grad_()\nloss = (w * x).sum()",
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_means_what_it_means_in_python(name: str) -> None:
    import math

    results = []
    for run in ("python", "ours"):
        x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        if run == "python":
            names: dict = {"x": x, "torch": torch, "F": torch.nn.functional, "math": math}
            exec(PROGRAMS[name], names)
        else:
            names = Interpreter({"x": x}).run(language.parse(PROGRAMS[name]))
        names["loss"].backward()
        results.append((names["loss"].detach(), x.grad))
    torch.testing.assert_close(results[0], results[1])


BAD = {
    "syntax": ("y = x\nz = (1 +", 2, "cannot read"),
    "missing colon": ("if x.sum() > 0\n    y = x", 1, "colons"),
    "unknown name": ("y = x\nz = wrong * 2", 2, "'wrong'"),
    "import": ("import os", 1, "imported"),
    "function": ("def f(x):\n    return f(x)", 1, "recurses"),
    "recursion by lambda": ("f = lambda: 1", 1, "lambda"),
    "endless while": ("while True:\n    y = x * 2", 1, "ever end"),
    "endless for": ("for i in range(10 ** 12):\n    y = x", 1, "ever end"),
    "huge tensor": ("y = x\nz = torch.zeros(100000, 100000)", 2, "GB"),
    "huge product": ("y = x.reshape(3, 1).expand(3, 10 ** 9) * 1", 1, "GB"),
    "dunder": ("y = x.__class__", 1, "underscore"),
    "dunder name": ("y = __import__('os')", 1, "underscore"),
    "file": ("y = torch.load('a')", 1, "torch.load"),
    "numpy file": ("y = x.numpy().tofile('a')", 1, "numpy"),
    "eval": ("y = eval('1')", 1, "'eval'"),
    "backward": ("y = x.sum()\ny.backward()", 2, "leave .backward() away"),
    "shapes": ("y = x @ torch.ones(4, 4)", 1, "matrix product"),
    "leaf in place": ("x += 1", 1, "in place"),
    "attribute assignment": ("x.grad = x", 1, ".grad"),
    "assigning torch": ("torch = 1", 1, "torch"),
    "too many values": ("a, b = x", 1, "3 values"),
    "no iterable": ("a, b = 5", 1, "taken apart"),
    "else of a loop": ("for i in range(2):\n    y = x\nelse:\n    z = x", 4, "else after a loop"),
    "lonely break": ("break", 1, "inside a loop"),
    "range of text": ("for i in range('a'):\n    y = x", 1, "whole numbers"),
    "for over a tensor": ("for row in x:\n    y = row", 1, "range"),
    "other with": ("with open('a') as f:\n    y = x", 1, "torch.no_grad"),
    "ambiguous if": ("if x > 1:\n    y = x", 1, "true nor false"),
    "deep brackets": ("y = " + "(" * 80 + "x" + ")" * 80, 1, "deep"),
    "deep blocks": ("\n".join("    " * i + "if x[0] > 0:" for i in range(9)) + "\n" + "    " * 9 + "y = x", 8, "deep"),
    "class": ("class A:\n    pass", 1, "section below"),
    "comprehension": ("y = [i for i in range(3)]", 1, "Comprehensions"),
    "null byte": ("y = x\0", 1, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_programs_get_a_sentence_at_their_line(name: str) -> None:
    text, line, words = BAD[name]
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(ProgramError) as caught:
        Interpreter({"x": x}).run(language.parse(text))
    assert caught.value.line == line
    assert words in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_memory_of_a_long_run_is_bounded() -> None:
    kept = 0

    def more() -> int:
        nonlocal kept
        kept += language.MAX_BYTES // 3
        return kept

    program = language.parse("for i in range(100):\n    y = x * 2")
    with pytest.raises(ProgramError, match="fill more than"):
        Interpreter({"x": torch.ones(2)}, bytes_kept=more).run(program)


def test_a_loop_of_a_thousand_turns_is_fine() -> None:
    program = language.parse("n = 0\nfor i in range(1000):\n    n += 1")
    assert Interpreter().run(program)["n"] == 1000


def test_own_functions_can_be_called_by_name() -> None:
    names = Interpreter({"x": torch.ones(2)}, functions={"twice": lambda t: t * 2}).run(
        language.parse("y = twice(x)")
    )
    assert names["y"].tolist() == [2.0, 2.0]


def test_listeners_hear_lines_and_names_in_order() -> None:
    lines: list[int] = []
    named: list[str] = []
    program = language.parse("a = x * 2\nfor i in range(2):\n    b = a + i\nloss = b.sum()")
    Interpreter({"x": torch.ones(2)}, started=lines.append, named=lambda n, v: named.append(n)).run(
        program
    )
    assert lines == [1, 2, 2, 3, 2, 3, 4]
    assert named == ["a", "b", "b", "loss"]


def test_grad_mode_is_restored_after_an_error_inside_with() -> None:
    program = language.parse("with torch.no_grad():\n    y = x @ torch.ones(9)")
    with pytest.raises(ProgramError):
        Interpreter({"x": torch.ones(2)}).run(program)
    assert torch.is_grad_enabled()


def test_random_programs_are_known() -> None:
    assert language.parse("y = torch.randn(2)").random
    assert not language.parse("y = torch.ones(2)").random
