"""Every gradient that is None or zero has its reason, at the leaf and at the node; so has every write that gets lost."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models import autograd
from models.autograd import ProgramError, Spec, why

LEAVES = "x = torch.tensor([1.0, 2.0], requires_grad=True)\nw = torch.tensor([3.0, 0.0], requires_grad=True)"

# program → what the sentence about x names
CUT: dict[str, tuple[str, ...]] = {
    "loss = (x.detach() * w).sum()": ("line 1", "detach"),
    "y = x * 2\ny.detach_()\nloss = (y * w).sum()": ("line 1", "detach_()"),
    "y = x * 2\nloss = (y.data * w).sum()": ("line 2", ".data"),
    "with torch.no_grad():\n    y = x * 2\nloss = (y * w).sum()": ("line 2", "no_grad"),
    "loss = (torch.tensor([x[0] * 2, x[1] * 3]) * w).sum()": ("line 1", "torch.tensor", "torch.stack"),
    "loss = (torch.as_tensor([x[0], x[1]]) * w).sum()": ("line 1", "torch.tensor", "torch.stack"),
    "loss = ((x > 1) * w).sum()": ("line 1", "gt", "no slope"),
    "loss = (torch.eq(x, 1).float() * w).sum()": ("line 1", "eq", "no slope"),
    "loss = (x.long() * w).sum()": ("line 1", "long", "whole numbers"),
    "loss = (x.to(torch.int64) * w).sum()": ("line 1", "whole numbers"),
    "loss = (x.argmax() * w).sum()": ("line 1", "argmax", "index"),
    "best, where = x.max(dim=0)\nloss = (where * w).sum()": ("line 2", "output 1 of max", "index"),
    "s = x.sum().item()\nloss = (s * w).sum()": ("line 1", "item", "Python number"),
    "loss = (float(x[0]) * w).sum()": ("line 1", "float", "Python number"),
    "loss = (torch.ones_like(x) * w).sum()": ("line 1", "only its shape"),
    "loss = w.sum()": ("no line uses it",),
    "z = x * 2\nloss = w.sum()": ("used in line 1", "reaches the result"),
    "if x[0] > 0:\n    loss = w.sum()": ("used in line 1", "reaches the result"),
}  # fmt: skip


@pytest.mark.parametrize("program", CUT)
def test_a_gradient_that_is_none_names_what_cut_it_off(program: str) -> None:
    result = autograd.run(Spec(leaves=LEAVES, program=program))
    assert result.leaves["x"].grad is None
    sentence = result.why.leaves["x"]
    assert all(words in sentence for words in ("x.grad is None", *CUT[program])), sentence
    # the leaf's own box says it too, and so does the box where it was cut
    at = next(v.index for v in result.graph.vertices if v.label == "x")
    assert sentence in result.why.nodes[at]
    cut = [
        v for v in result.graph.vertices if v.cut not in ("", "shape") and "unused" not in v.marks
    ]
    assert all("The gradient is cut here" in result.why.nodes[v.index] for v in cut)
    assert result.leaves["w"].grad is not None


@pytest.mark.parametrize("program", [p for p in CUT if "w" in p and p.count("loss") == 1])
def test_without_the_cut_there_is_nothing_to_explain(program: str) -> None:
    assert (
        "w"
        not in autograd.run(
            Spec(leaves=LEAVES, program="loss = (x * x * w.exp()).sum()")
        ).why.leaves
    )


# program → cells of x's gradient that are zero, what the sentence names
FLAT: dict[str, tuple[int, tuple[str, ...]]] = {
    "loss = (x - 5).relu().sum()": (2, ("relu in line 1", "dead")),
    "loss = (x - 1.5).relu().sum()": (1, ("in 1 of 2 cells", "relu")),
    "y = x * 1000\nloss = y.tanh().sum()": (2, ("tanh in line 2", "saturated")),
    "loss = (x * 1000).sigmoid().sum()": (2, ("sigmoid", "saturated")),
    "loss = x.clamp(max=0.5).sum()": (2, ("clamp", "outside")),
    "loss = x.round().sum()": (2, ("round", "staircase")),
    "loss = x.sign().sum()": (2, ("sign", "staircase")),
    "loss = (x * w).sum()": (1, ("mul in line 1", "multiplies it by zero", "w is 0")),
    "z = w.detach() * 0\nloss = (x * z).sum()": (2, ("multiplies it by zero", "z is 0")),
    "loss = (x - x).sum()": (2, ("cancels out",)),
    "loss = x.max()": (1, ("max", "other cells")),
    "loss = x[0]": (1, ("takes other cells",)),
    "y = x * 1\ny[0] = 3.0\nloss = y.sum()": (1, ("the assignment in line 2", "overwrites")),
    "loss = torch.where(x > 1.5, x, w).sum()": (1, ("where", "the other value")),
    "loss = ((x - 1) ** 2).sum()": (1, ("pow", "slope 0")),
    "loss = (x - 1).abs().sum()": (1, ("abs", "sign(0)")),
}  # fmt: skip


@pytest.mark.parametrize("program", FLAT)
def test_a_gradient_that_is_zero_names_where_it_got_lost(program: str) -> None:
    zeros, words = FLAT[program]
    result = autograd.run(Spec(leaves=LEAVES, program=program))
    grad = result.leaves["x"].grad
    assert grad is not None
    assert int((grad == 0).sum()) == zeros
    sentence = result.why.leaves["x"]
    assert all(w in sentence for w in words), sentence
    assert any(words[0] in text for text in result.why.nodes.values())


def test_a_zero_gradient_argument_is_to_blame_itself() -> None:
    result = autograd.run(
        Spec(leaves=LEAVES, program="loss = x * 2", gradient="torch.tensor([0.0, 1.0])")
    )
    assert "the gradient argument is zero" in result.why.leaves["x"]


@pytest.mark.parametrize(
    ("x", "program", "words"),
    [
        ("0.0", "loss = x.sqrt()", ("1 / (2 · √x)", "input is 0")),
        ("0.0", "loss = x.sqrt() * 0", ("1 / (2 · √x)", "0 × inf is NaN")),
        ("0.0", "loss = x.log()", ("1 / x", "input is 0")),
        ("0.0", "loss = x ** 0.5", ("n · x ** (n − 1)",)),
        ("1.0", "loss = x.asin()", ("ends of its range", "input is 1")),
        ("0.0", "loss = 1 / x", ("infinite at",)),
    ],
)
def test_an_infinite_gradient_names_the_derivative_that_is(
    x: str, program: str, words: tuple[str, ...]
) -> None:
    problem = autograd.run(
        Spec(leaves=f"x = torch.tensor({x}, requires_grad=True)", program=program)
    ).problem
    assert problem is not None
    assert all(w in problem.message for w in words), problem.message


# program → the line that writes, whether a backward formula had kept the numbers
BEHIND: dict[str, tuple[int, bool]] = {
    "y = x.exp()\ny.data.zero_()\nloss = y.sum()": (2, True),
    "y = x.exp()\ny.data[0] = 7.0\nloss = y.sum()": (2, True),
    "y = x.exp()\nd = y.data\nd.mul_(2)\nloss = y.sum()": (3, True),
    "y = x.exp()\nF.relu(y.data.neg_(), inplace=True)\nloss = y.sum()": (2, True),
    "y = x * x\nx.data.mul_(2)\nloss = y.sum()": (2, True),
    "y = x * 3\ny.data.zero_()\nloss = y.sum()": (2, False),
    "y = x * 3\nwith torch.no_grad(): y.zero_()\nloss = y.sum()": (2, False),
    "y = x * 3\nwith torch.no_grad(): y[0] = 5.0\nloss = y.sum()": (2, False),
    "y = x * 3\ny.detach().zero_()\nloss = y.sum()": (2, False),
}


@pytest.mark.parametrize("program", BEHIND)
def test_a_write_behind_autograds_back_is_warned_of_with_the_right_gradient(program: str) -> None:
    line, wrong = BEHIND[program]
    result = autograd.run(Spec(leaves=LEAVES, program=program))
    assert result.problem is not None
    assert result.problem.line == line
    assert "behind autograd's back" in result.problem.message
    names: dict[str, Any] = {"torch": torch, "F": torch.nn.functional}
    exec(LEAVES, names)
    # the same lines without the writing one
    exec("\n".join(t for i, t in enumerate(program.split("\n"), 1) if i != line), names)
    (right,) = torch.autograd.grad(names["loss"], names["x"])
    shown = ", ".join(f"{v:.6g}" for v in right.tolist())
    grad = result.leaves["x"].grad
    assert grad is not None
    assert wrong == (f"[{shown}]" in result.problem.message) == (not torch.allclose(grad, right))
    assert wrong <= any("Behind autograd's back" in t for t in result.why.nodes.values())


@pytest.mark.parametrize(
    "program",
    [
        "x.data.mul_(2)\nloss = (x * x).sum()",
        "with torch.no_grad():\n    x *= 2\nloss = (x * x).sum()",
        "x.detach().mul_(2)\nloss = (x * x).sum()",
        "y = x.exp()\nz = y.detach().clone()\nz.zero_()\nloss = (y * z).sum()",
        "y = x * 1\ny[0] = 3.0\nloss = y.sum()",
    ],
)
def test_writes_that_autograd_knows_or_need_not_know_are_left_alone(program: str) -> None:
    assert autograd.run(Spec(leaves=LEAVES, program=program)).problem is None


def test_the_version_counter_is_shared_by_detach_and_names_the_line() -> None:
    problem = autograd.run(
        Spec(leaves=LEAVES, program="y = x.exp()\nc = y.detach()\nc.zero_()\nloss = y.sum()")
    ).problem
    assert problem is not None
    assert problem.line == 3


LOST: dict[str, int] = {
    "y = x * 1\ny[y > 1][0] = 17.0\nloss = (y * y).sum()": 2,
    "y = x * 1\ny[[0, 1]].zero_()\nloss = y.sum()": 2,
    "y = x * 1\ny.clone()[0] = 5.0\nloss = y.sum()": 2,
    "y = x * 1\ny.double().zero_()\nloss = y.sum()": 2,
    "y = x * 1\nz = y[[0, 1]]\nz[0] = 3.0\nloss = y.sum()": 3,
    "y = x * 1\ny.add(1).mul_(2)\nloss = y.sum()": 2,
}
KEPT = (
    "y = x * 1\ny[1] = 17.0\nloss = (y * y).sum()",
    "y = x * 1\ny[y > 1] = 17.0\nloss = (y * y).sum()",
    "y = x * 1\ny[[0, 1]] += 1\nloss = y.sum()",
    "y = x * 1\ny[0:1][0] = 5.0\nloss = y.sum()",
    "y = x * 1\nz = y[[0, 1]]\nz[0] = 3.0\nloss = z.sum()",
    "with torch.no_grad():\n    x -= 0.1\nloss = x.sum()\nwith torch.no_grad():\n    x -= 0.1",
    "y = x.clone()\ny.mul_(2)\nloss = y.sum()",
)  # fmt: skip


@pytest.mark.parametrize("program", LOST)
def test_a_write_into_a_copy_that_nothing_uses_is_said(program: str) -> None:
    (hint,) = autograd.run(Spec(leaves=LEAVES, program=program)).hints
    assert hint.line == LOST[program]
    assert "nothing uses that copy" in hint.message


@pytest.mark.parametrize("program", KEPT)
def test_a_write_that_arrives_gets_no_hint(program: str) -> None:
    assert autograd.run(Spec(leaves=LEAVES, program=program)).hints == ()


def test_a_leaf_that_came_out_of_an_operation_is_explained_with_its_numbers() -> None:
    leaves = (
        "a = torch.tensor(5.0, requires_grad=True) * 0.1\nb = torch.tensor(2.0, requires_grad=True)"
    )
    with pytest.raises(
        ProgramError, match=r"a is the result of mul.*torch\.tensor\(0\.5, requires_grad=True\)"
    ):
        autograd.run(Spec(leaves=leaves, program="loss = a + b"))
    result = autograd.run(Spec(leaves=leaves.replace(" * 0.1", ""), program="loss = a * 0.1 + b"))
    assert autograd.numbers(result) == pytest.approx(
        {"loss[0]": 2.5, "a.grad[0]": 0.1, "b.grad[0]": 1.0}
    )


@pytest.mark.parametrize("program", ["a = y[0:1]\nb = a[0:1]\nz = (b * b).sum()\nb[0] = 1.0\nloss = z",
                                     "a = y.view(2, 1)\nb = a[0]\nz = (y * y).sum()\nb[0] = 1.0\nloss = z"])  # fmt: skip
def test_the_culprit_that_wrote_through_a_view_of_a_view_is_named(program: str) -> None:
    problem = autograd.run(Spec(leaves=LEAVES, program=f"y = x.exp()\n{program}")).problem
    assert problem is not None
    assert problem.line == 5
    assert "line 5 (fill_) wrote over" in problem.message
    assert "of y went" in problem.message or "of b went" in problem.message


def test_a_constant_first_derivative_is_no_fault_of_the_leaves() -> None:
    result = autograd.run(Spec(leaves=LEAVES, program="loss = (x * 2).sum()", order=2))
    assert result.problem is not None
    assert "the second ones are 0" in result.problem.message
    assert "second" not in why.explain(result.graph, result.backward, {}).leaves


def test_a_view_whose_base_is_changed_afterwards_keeps_its_name_line_and_value() -> None:
    result = autograd.run(Spec(leaves=LEAVES, program="y = x * 1\na = y[0]\ny += 1\nloss = a * 2"))
    assert result.graph.missing == ()
    used = [v for v in result.graph.vertices if v.label == "a" and "unused" not in v.marks]
    assert [(v.line, v.values[0].item()) for v in used] == [(2, 2.0)]


def test_a_leaf_that_is_the_result_gets_gradient_one() -> None:
    result = autograd.run(
        Spec(leaves="x = torch.tensor(3.0, requires_grad=True)", program="loss = x")
    )
    assert result.problem is None
    assert autograd.numbers(result) == {"loss[0]": 3.0, "x.grad[0]": 1.0}
    (step,) = result.backward.steps
    assert step.leaf
    given = autograd.run(
        Spec(leaves=LEAVES, program="loss = x", gradient="torch.tensor([2.0, 5.0])")
    )
    assert given.leaves["x"].grad is not None
    assert given.leaves["x"].grad.tolist() == [2.0, 5.0]
