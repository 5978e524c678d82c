"""Laws of the autograd topic: every preset's stepped gradients are PyTorch's, and bad input gets a sentence."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from models import autograd
from models.autograd import PRESETS, ProgramError, Spec
from models.core import export
from models.core.spec import SpecError

FINITE = [name for name, p in PRESETS.items() if not p.ends]


def plain(spec: Spec) -> dict[str, Any]:
    """The same program by Python itself."""
    torch.manual_seed(spec.seed)
    names: dict[str, Any] = {"torch": torch, "F": F, "math": math}
    exec(spec.chosen.preamble, names)
    exec(spec.leaves_text, names)
    exec(spec.program_text, names)
    return names


@pytest.mark.parametrize("name", FINITE)
def test_stepped_gradients_equal_autograd_grad_on_every_preset(name: str) -> None:
    spec = Spec(preset=name)
    result = autograd.run(spec)
    names = plain(spec)
    value = names[result.name]
    torch.testing.assert_close(result.value.detach(), value.detach())
    tracked = [n for n, leaf in result.leaves.items() if leaf.requires_grad]
    gradient = eval(spec.gradient_text, names) if spec.gradient_text else None
    want = torch.autograd.grad(value, [names[n] for n in tracked], gradient) if tracked else ()
    after = {result.graph.vertices[s.vertex].name: s.after for s in result.backward.steps if s.leaf}
    for leaf, expected in zip(tracked, want, strict=True):
        torch.testing.assert_close(result.leaves[leaf].grad, expected, equal_nan=True)
        torch.testing.assert_close(after[leaf], expected, equal_nan=True)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_recorded_without_a_gap(name: str) -> None:
    result = autograd.run(Spec(preset=name))
    assert result.graph.missing == ()
    assert result.backward.steps
    if PRESETS[name].ends:
        assert result.backward.failure is not None
        assert result.backward.failure.message.startswith(PRESETS[name].ends)
    else:
        assert result.backward.failure is None


@pytest.mark.parametrize("name", ["conv", "in-place", "non-scalar", "no-grad", "resnet18"])
def test_the_export_prints_the_shown_numbers(name: str, tmp_path: Path) -> None:
    spec = Spec(preset=name, seed=3)
    printed = export.numbers(export.run(autograd.to_code(spec), tmp_path))
    shown = autograd.numbers(autograd.run(spec, jacobians=False))
    assert shown
    assert printed.keys() == shown.keys()
    for key, number in shown.items():
        assert printed[key] == pytest.approx(number, rel=1e-5, abs=1e-7), key


AWKWARD = {
    "constant gradient": "loss = (x * 2).sum()",
    "one cell": "loss = x[0]",
    "absent": "loss = (x.detach() ** 2).sum()",
    "absent from one leaf": "loss = (x ** 2).sum()",
    "computed and not used": "z = y * 2\nloss = (x ** 2).sum()",
    "a comparison": "loss = x > y",
    "constant for one leaf only": "loss = (x ** 3).sum() + (y * 2).sum()",
    "a leaf under another value": "x = x * y\nloss = (x ** 2).sum()",
    "names of the script": "parts = x * 2\nleaves = parts ** 2\ngrads = leaves * y\nresult = grads.sum()",
    "names of Python": "enumerate = x * y\nsum = enumerate.exp()\nprint = sum.sum()",
    "complex cells": "loss = torch.complex(x, y)",
    "no scalar": "loss = x * y",
    "overwritten": "a = x.exp()\na += 1\nloss = a.sum()",
    "infinite": "loss = (x - x.detach()).sqrt().sum()",
    "a number under the last name": "a = (x * y).sum()\nb = a * 2\nb = 3",
    "a leaf of the program's own": "w = torch.ones(2)\nw.requires_grad_()\nloss = (w * x.detach()).sum()",
}


def generated(count: int) -> Iterator[str]:
    """Random programs over x and y: some lines are never used, some cut, some linear."""
    draw = random.Random(0)
    for _ in range(count):
        names, lines = ["x", "y"], []
        for i in range(draw.randint(1, 5)):
            a, b = draw.choice(names), draw.choice(names)
            right = draw.choice(
                (f"{a} * {b}", f"{a} * 3", f"{a} + {b}", f"{a} - {a}", f"{a}.exp()", f"{a}.detach() * {b}", f"{a}.sin()",
                 f"torch.where({a} > 1, {a}, {b})", f"{a}.relu()", f"{a}.round()", f"torch.ones(2) * {draw.randint(0, 2)}",
                 f"{a} * {b}.sum()", f"({a} > {b}).float()", f"{a}.max() + {b}")
            )  # fmt: skip
            names.append(draw.choice((f"n{i}", f"n{i}", "x", "sum")))
            lines.append(f"{names[-1]} = {right}")
        yield "\n".join([*lines, f"loss = {draw.choice(names)}.sum()"])


def test_exports_run_and_print_the_numbers_whatever_becomes_of_the_gradient(tmp_path: Path) -> None:
    leaves = "x = torch.tensor([1.0, 2.0], requires_grad=True)\ny = torch.tensor([3.0, 0.5], requires_grad=True)"
    shown: list[tuple[Spec, dict[str, float]]] = []
    refused: set[str] = set()
    for program in [*AWKWARD.values(), *generated(60)]:
        for order, gradient in ((1, ""), (2, ""), (2, "torch.tensor([1, 2])")):
            spec = Spec(leaves=leaves, program=program, order=order, gradient=gradient)
            try:
                result = autograd.run(spec)
            except SpecError as error:
                refused.add(error.field)
                continue
            (tmp_path / f"script{len(shown)}.py").write_text(
                autograd.to_code(spec, result), encoding="utf-8"
            )
            shown.append((spec, autograd.numbers(result)))
    # no second derivative, or an argument of another shape
    assert refused == {"order", "gradient"}
    assert len(shown) > 130
    # one interpreter for all of them: most of the time goes into importing torch
    driver = (
        f"import runpy\nfor i in range({len(shown)}):\n"
        "    runpy.run_path(f'script{i}.py', run_name='__main__')\n    print('=' * 20)\n"
    )
    printed = export.run(driver, tmp_path).split("=" * 20)
    for (spec, numbers), text in zip(shown, printed, strict=False):
        assert export.numbers(text) == pytest.approx(numbers, rel=1e-5, abs=1e-6, nan_ok=True), spec


def test_the_in_place_culprit_is_named_with_its_line_and_versions() -> None:
    problem = autograd.run(Spec(preset="in-place")).problem
    assert problem is not None
    assert problem.line == 3
    assert "ExpBackward0 (line 1)" in problem.message
    assert "of a went from 0 to 1" in problem.message
    repaired = PRESETS["in-place"].program.replace("a += 1", "a = a + 1")
    assert autograd.run(Spec(preset="in-place", program=repaired)).problem is None


def test_the_first_nan_is_found_where_it_is_made() -> None:
    problem = autograd.run(Spec(preset="where-nan")).problem
    assert problem is not None
    assert "SqrtBackward0 (line 1)" in problem.message
    assert "own local derivative" in problem.message
    repaired = PRESETS["where-nan"].program.replace("x.sqrt()", "x.clamp(min=1e-6).sqrt()")
    assert autograd.run(Spec(preset="where-nan", program=repaired)).problem is None


def test_the_length_of_a_loop_depends_on_the_values() -> None:
    def boxes(x: str) -> int:
        spec = Spec(preset="loop", leaves=f"x = torch.tensor({x}, requires_grad=True)")
        return len(autograd.run(spec).backward.steps)

    assert boxes("[0.1, -0.1]") > boxes("[0.4, -0.3]") > boxes("[2.0, -2.0]")


PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "no leaf requires grad": ({"leaves": "x = torch.tensor(2.0)", "program": "loss = x * 2"}, "requires_grad on"),
    "cut off by detach": ({"program": "loss = (w * x + b).detach() * 2"}, "detach"),
    "cut off by no_grad": ({"program": "with torch.no_grad():\n    loss = w * x"}, "no_grad"),
    "non-scalar": ({"leaves": "x = torch.ones(3, requires_grad=True)", "program": "y = x * 2"}, "3 elements"),
    "only a leaf": ({"leaves": "x = torch.ones(3, requires_grad=True)", "program": "loss = x"}, "3 elements"),
    "infinite": ({"leaves": "x = torch.tensor(0.0, requires_grad=True)", "program": "loss = x.sqrt()"}, "gradient is inf"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_graph_without_useful_gradients_is_still_drawn_and_explained(name: str) -> None:
    changes, words = PROBLEMS[name]
    result = autograd.run(Spec(**changes))
    assert result.problem is not None
    assert words in result.problem.message
    assert result.graph.vertices


REFUSED: dict[str, tuple[dict[str, Any], str, int]] = {
    "integer leaf": ({"leaves": "x = torch.tensor([1, 2], requires_grad=True)", "program": "loss = x.sum()"}, "leaves", 1),
    "leaf from a leaf": ({"leaves": "x = torch.ones(2, requires_grad=True)\ny = x * 2", "program": "loss = y.sum()"}, "leaves", 2),
    "a number as leaf": ({"leaves": "x = 3", "program": "loss = x * 2"}, "leaves", 1),
    "nothing assigned": ({"program": "x.sum()"}, "program", 1),
    "in-place on a leaf": ({"program": "x += 1\nloss = x"}, "program", 1),
    "ragged lists": ({"leaves": "x = torch.tensor([[1.0, 2.0], [3.0]])", "program": "loss = x"}, "leaves", 1),
    "syntax in the leaves": ({"leaves": "x = torch.tensor(", "program": "loss = x"}, "leaves", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_run_gets_a_sentence_at_its_line(name: str) -> None:
    changes, field, line = REFUSED[name]
    with pytest.raises(ProgramError) as caught:
        autograd.run(Spec(**changes))
    assert (caught.value.field, caught.value.line) == (field, line)
    assert "PyTorch refused" not in str(caught.value)


def test_a_gradient_argument_of_another_shape_is_refused() -> None:
    with pytest.raises(SpecError, match=r"shape \(2,\)"):
        autograd.run(Spec(preset="non-scalar", gradient="torch.ones(2)"))
    with pytest.raises(SpecError, match="must be a tensor"):
        autograd.run(Spec(preset="non-scalar", gradient="3.0"))


@pytest.mark.parametrize("name", PRESETS)
def test_leaves_can_be_taken_apart_and_written_again(name: str) -> None:
    parts = autograd.leaves(PRESETS[name].leaves)
    again = "\n".join(p.text() for p in parts)
    assert autograd.leaves(again) == parts
    torch.manual_seed(0)
    before = autograd.run(Spec(preset=name), jacobians=False)
    torch.manual_seed(0)
    after = autograd.run(Spec(preset=name, leaves=again), jacobians=False)
    assert autograd.numbers(before) == pytest.approx(autograd.numbers(after), nan_ok=True)


def test_a_preset_starts_fresh_and_own_text_wins() -> None:
    spec = Spec(preset="fan-out", program="loss = x * 5")
    assert spec.leaves_text == PRESETS["fan-out"].leaves
    assert autograd.numbers(autograd.run(spec))["x.grad[0]"] == 5.0


def test_a_program_of_ones_own_does_not_carry_the_presets_name() -> None:
    assert autograd.to_code(Spec(preset="fan-out")).startswith('"""Autograd: Fan-out"""')
    spec = Spec(preset="fan-out", program="loss = x * 5")
    assert spec.own
    assert "Fan-out" not in autograd.to_code(spec)
    # another number in a leaf leaves the program what it is
    assert not Spec(preset="fan-out", leaves="x = torch.tensor(2.0, requires_grad=True)").own


def test_random_leaves_follow_the_seed_and_leave_the_generator_alone() -> None:
    state = torch.random.get_rng_state()
    one, same, other = (
        autograd.numbers(autograd.run(Spec(preset="conv", seed=s))) for s in (1, 1, 2)
    )
    assert one == same
    assert one != other
    assert torch.equal(state, torch.random.get_rng_state())


SMOOTH = [n for n in FINITE if n not in ("abs", "where-nan", "resnet18", "conv", "no-grad")]


@pytest.mark.parametrize("name", SMOOTH)
def test_double_backward_equals_the_gradient_of_the_gradients_sum(name: str) -> None:
    spec = Spec(preset=name, order=2)
    try:
        result = autograd.run(spec)
    except SpecError:
        pytest.fail("every smooth preset has a second derivative")
    names = plain(spec)
    tracked = [n for n, leaf in result.leaves.items() if leaf.requires_grad]
    gradient = eval(spec.gradient_text, names) if spec.gradient_text else None
    leaves = [names[n] for n in tracked]
    first = torch.autograd.grad(names[result.source], leaves, gradient, create_graph=True)
    total = torch.stack([g.sum() for g in first]).sum()
    torch.testing.assert_close(result.value.detach(), total.detach())
    if not total.requires_grad:
        assert result.problem is not None
        return
    want = torch.autograd.grad(total, leaves, allow_unused=True)
    for leaf, expected in zip(tracked, want, strict=True):
        torch.testing.assert_close(result.leaves[leaf].grad, expected)


def test_second_order_nodes_are_tied_to_the_nodes_that_anomaly_mode_names() -> None:
    result = autograd.run(Spec(preset="fan-out", order=2))
    made = {v.index: v.made_by for v in result.graph.vertices if v.made_by >= 0}
    assert made
    names = {result.graph.vertices[m].name for m in made.values()}
    assert {"MulBackward0", "SinBackward0"} <= names
    # the same program in a process where anomaly mode may be on: PyTorch's own record of who made whom
    code = (
        "import torch\ntorch.autograd.set_detect_anomaly(True)\n"
        + f"{result_code()}\n"
        + "seen, stack = set(), [gradient_sum.grad_fn]\n"
        + "while stack:\n    n = stack.pop()\n    if n is None or n in seen: continue\n    seen.add(n)\n"
        + "    stack += [m for m, _ in n.next_functions]\n"
        + "pairs = sorted((n.name(), n.metadata['parent_'].name()) for n in seen if 'parent_' in n.metadata)\n"
        + "print('pairs:', pairs)\n"
    )
    import subprocess
    import sys

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    pairs = eval(printed.split("pairs:")[1])
    reached = [v for v in result.graph.vertices if "unused" not in v.marks and v.kind == "op"]
    ours = sorted(
        (v.name, result.graph.vertices[v.made_by].name) for v in reached if v.made_by >= 0
    )
    assert ours == pairs


def result_code() -> str:
    return (
        f"{PRESETS['fan-out'].leaves}\n{PRESETS['fan-out'].program}\n"
        "grads = torch.autograd.grad(loss, [x], create_graph=True)\ngradient_sum = sum(g.sum() for g in grads)"
    )


def test_order_two_of_a_cut_graph_is_explained() -> None:
    with pytest.raises(SpecError, match="needs a first one"):
        autograd.run(Spec(program="loss = (w * x).detach()", order=2))
