"""What the Autograd page shows of a run, made where the program ran: the picture, the words and the script.

These are the questions that the page asks an evaluator; graphs and recorded tensors stay there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from models import autograd
from models.autograd import Problem, Result, Spec, beyond, functions
from models.autograd.picture import picture


@dataclass(frozen=True)
class Shown:
    """A program, its graph and its backward pass on the screen.

    Attributes:
        picture: for the graph view; problem: why there are no (or strange) gradients, None when all is well.
        hints: what deserves a word; reasons: why leaves have no gradient, or zeros.
        headline: of the problem; summary: the result and the leaves' gradients, in Markdown.
        scalar: whether backward starts from one number; code: the run as a script.
    """

    picture: dict[str, Any]
    problem: Problem | None
    hints: tuple[Problem, ...]
    headline: str
    summary: str
    reasons: tuple[str, ...]
    scalar: bool
    code: str


@dataclass(frozen=True)
class ShownFunction:
    """An own Function on the screen; the attributes are those of `functions.Result`."""

    picture: dict[str, Any]
    checks: tuple[functions.Check, ...]
    passed: bool
    message: str
    code: str


def program(spec: Spec) -> Shown:
    """A program's run; raises as `autograd.run` does."""
    result = autograd.run(spec)
    return Shown(
        picture(result.graph, result.backward, spec.program_text.split("\n"), result.why.nodes),
        result.problem,
        result.hints,
        _headline(result),
        _summary(result),
        tuple(result.why.leaves.values()),
        result.value.numel() == 1,
        autograd.to_code(spec, result),
    )


def function(spec: functions.Spec) -> ShownFunction:
    """An own Function's run; raises as `functions.run` does."""
    result = functions.run(spec)
    return ShownFunction(
        picture(result.graph, result.backward, ["y = MyFunction.apply(…)"]),
        result.checks,
        result.passed,
        result.message,
        functions.to_code(spec),
    )


def derivatives(spec: beyond.Spec) -> tuple[beyond.Result, str]:
    """Every derivative of a function, and the script; raises as `beyond.run` does."""
    return beyond.run(spec), beyond.to_code(spec)


def short(tensor: Tensor) -> str:
    """Up to twelve numbers, or the shape of more."""
    if tensor.numel() > 12:
        return f"shape {tuple(tensor.shape)}"
    flat = [f"{v:.4g}" for v in tensor.detach().flatten().tolist()]
    if not tensor.dim():
        return flat[0]
    return f"[{', '.join(flat)}]" + (f" {tuple(tensor.shape)}" if tensor.dim() > 1 else "")


def _headline(result: Result) -> str:
    failure = result.backward.failure
    if failure is not None and failure.culprits:
        return f"Who broke it: line {failure.culprits[0].line}"
    return "The backward pass" if result.backward.steps else "No backward pass"


def _summary(result: Result) -> str:
    shown = [f"**{result.name}** = {short(result.value)}"]
    for name, leaf in result.leaves.items():
        if leaf.requires_grad:
            shown.append(f"**{name}.grad** = {'None' if leaf.grad is None else short(leaf.grad)}")
    return " · ".join(shown)
