"""One line of tensor arithmetic, evaluated by a strict whitelist, with every intermediate kept.

`evaluate("(a @ b.T).softmax(dim=-1)", {"a": a, "b": b})` knows the names it was given, a fixed list of
PyTorch functions, methods and constants, and nothing else: no imports, no attributes beyond the list, no
file, no process. Every call runs on `device="meta"` first, so that a result that would be too large is
refused before anything is allocated.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from models.core import seeding
from models.expressions import notes
from models.expressions.evaluation import Evaluation, Evaluator, Step
from models.expressions.names import ATTRIBUTES, CONSTANTS, FUNCTIONS, RANDOM
from models.expressions.parsing import check, dotted, is_random, parse, writes
from models.expressions.price import LIMITS, Cost, Limits, cost, show_bytes
from models.expressions.refusals import ExpressionError

__all__ = [
    "ATTRIBUTES", "CONSTANTS", "FUNCTIONS", "LIMITS", "RANDOM", "Cost", "Evaluation", "ExpressionError", "Limits", "Step",
    "check", "cost", "dotted", "evaluate", "function", "is_random", "parse", "show_bytes", "writes",
]  # fmt: skip


def evaluate(
    source: str | ast.expr,
    names: Mapping[str, Any],
    *,
    text: str = "",
    limits: Limits = LIMITS,
    attributes: frozenset[str] = frozenset(),
    functions: Mapping[str, Callable[..., Any]] | None = None,
    seed: int | None = 0,
    trace: bool = True,
) -> Evaluation:
    """The value of one expression over named tensors, with its intermediate steps.

    Args:
        source: the text, or a tree that `check` has passed (then `text` is its line, for positions).
        names: what the expression may use; tensors are used as they are, so an in-place method changes them.
        attributes: further attributes and methods of a tensor to allow (a gradient lesson allows "grad").
        functions: further functions by the (dotted) name they are called with.
        seed: for expressions that draw random numbers; None when the caller has seeded.
        trace: keep the steps.

    Raises:
        ExpressionError: the expression is refused, or PyTorch refused the numbers.
    """
    if isinstance(source, str):
        text, tree = source, parse(source, limits)
    else:
        tree = source
        check(tree, text, limits)
    evaluator = Evaluator(names, text, limits, attributes, trace, writes(tree), functions)
    seeded = nullcontext() if seed is None or not is_random(tree) else seeding.seeded(seed)
    with seeded, notes.heard(evaluator.notes):
        value = evaluator.eval(tree)
    return Evaluation(value, tuple(evaluator.steps), tuple(evaluator.notes))


def function(source: str | ast.expr, text: str = "") -> Callable[[Mapping[str, Any]], Any]:
    """The expression as a function of its names, for running one that `evaluate` accepted many times over.

    The whitelist stays; sizes are not looked at again, so the names must keep their shapes.
    """
    if isinstance(source, str):
        text, tree = source, parse(source)
    else:
        tree = source
        check(tree, text)
    evaluator = Evaluator({}, text, LIMITS, frozenset(), trace=False, writes=False)
    evaluator.measured = False

    def run(names: Mapping[str, Any]) -> Any:
        evaluator.names = names
        return evaluator.eval(tree)

    return run
