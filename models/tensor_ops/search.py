"""Which operation makes this shape out of that one? Answered by trying them."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence

import torch

from models import expressions
from models.core.spec import SpecError
from models.tensor_ops.registry import OPS, Op, join_params

Shape = tuple[int, ...]

MAX_TRIES = 40  # parameter settings per operation
MAX_CELLS = 4096


def parse(text: str) -> tuple[list[Shape], Shape]:
    """`"2,3 ; 3,4 -> 2,4"` as ([(2, 3), (3, 4)], (2, 4)); `()` or `scalar` is a 0-d tensor.

    Raises:
        SpecError: it is not of that form, or the shapes are too large to try.
    """
    left, arrow, right = text.partition("->")
    if not arrow:
        left, arrow, right = text.partition("→")
    if not arrow:
        raise SpecError(
            "Write the shape before and after with an arrow, for example 2, 3 -> 3, 2.", "search"
        )
    inputs = [_shape(part) for part in re.split(r"[;+]|\)\s*,\s*\(|\band\b", left)]
    out = _shape(right)
    for shape in [*inputs, out]:
        if math.prod(shape) > MAX_CELLS:
            raise SpecError(
                f"Shape {shape} has {math.prod(shape)} cells; the search tries shapes of up to {MAX_CELLS}. Use smaller sizes.",
                "search",
            )
    if len(inputs) > 2:
        raise SpecError("The search tries one or two input shapes.", "search")
    return inputs, out


def find(text: str) -> tuple[tuple[Op, str], ...]:
    """(operation, parameters) that turn the first shapes into the second, each tried with PyTorch."""
    inputs, out = parse(text)
    names = ("a", "b")[: len(inputs)]
    tensors = {n: torch.ones(s) for n, s in zip(names, inputs, strict=True)}
    found = []
    for op in OPS.values():
        needed = sum(p.kind == "tensor" and p.default is None for p in op.params)
        joins = any(p.kind == "tensors" for p in op.params)
        if op.writes or (needed != len(inputs) and not (joins and len(inputs) == 2)):
            continue
        for params in itertools.islice(_settings(op, inputs, out), MAX_TRIES):
            text = join_params(params)
            try:
                value = expressions.function(op.code(text, names))(tensors)
            except Exception:  # PyTorch refuses most settings, in many ways
                continue
            first = value[0] if isinstance(value, tuple) and value else value
            if isinstance(first, torch.Tensor) and tuple(first.shape) == out:
                found.append((op, text))
                break
    return tuple(found)


def _shape(text: str) -> Shape:
    text = text.strip().strip("()[]").strip()
    if text in ("", "scalar"):
        return ()
    try:
        sizes = tuple(int(n) for n in re.split(r"[,\s×x]+", text) if n)
    except ValueError:
        raise SpecError(
            f"{text[:30]!r} is no shape. Write sizes with commas, for example 2, 3.", "search"
        ) from None
    if not sizes:
        raise SpecError(
            f"{text[:30]!r} is no shape. Write sizes with commas, for example 2, 3.", "search"
        )
    if any(n < 0 for n in sizes) or len(sizes) > 6:
        raise SpecError("A shape has up to 6 sizes, none of them negative.", "search")
    return sizes


def _settings(op: Op, inputs: Sequence[Shape], out: Shape) -> Iterator[dict[str, str]]:
    """Parameter settings worth trying for these shapes."""
    choices: dict[str, list[str]] = {}
    shape = inputs[0]
    for p in op.params:
        if p.kind == "dim":
            options = [str(d) for d in range(max(len(shape), len(out), 1))]
            choices[p.name] = ([p.default] if p.default is not None else []) + options
        elif p.name == "keepdim":
            choices[p.name] = ["False", "True"]
        elif p.kind == "sizes" and p.name in ("shape", "size", "sizes"):
            choices[p.name] = [str(out)]
            if p.name == "sizes":
                choices[p.name] = [
                    str(out[i:j]) for i in range(len(out)) for j in range(i + 2, len(out) + 1)
                ] or ["(1,)"]
        elif p.name in ("repeats", "dims") and op.name in ("repeat", "tile"):
            wide = (1,) * (len(out) - len(shape)) + shape
            fits = len(wide) == len(out) and all(
                w and o % w == 0 for o, w in zip(out, wide, strict=True)
            )
            choices[p.name] = (
                [str(tuple(o // w for o, w in zip(out, wide, strict=True)))] if fits else ["(1,)"]
            )
        elif p.kind == "dims" and p.name == "dims" and op.name == "permute":
            choices[p.name] = [str(d) for d in itertools.permutations(range(len(shape)))][:24]
        elif p.kind == "int" and p.name in (
            "k",
            "length",
            "chunks",
            "repeats",
            "num_classes",
            "bins",
        ):
            sizes = sorted(
                {
                    n
                    for n in (*out, *(o // s for o in out for s in shape if s and o % s == 0))
                    if n > 0
                }
            )
            choices[p.name] = [str(n) for n in sizes] or ["1"]
        elif p.name == "pad":
            grown = [o - s for o, s in zip(out, shape, strict=False)]
            sides = [n for g in reversed(grown) for n in (g // 2, g - g // 2)]
            choices[p.name] = (
                [str(tuple(sides))]
                if len(out) == len(shape) and min(grown, default=0) >= 0
                else ["(0, 0)"]
            )
        elif p.name == "index" and p.kind == "index":
            choices[p.name] = ["0", ":, 0", "None", "..., None", "::2", ":, ::2", "1:", ":, 1:"]
        elif p.name == "equation":
            choices[p.name] = ["'ij,jk->ik'", "'ij,kj->ik'", "'i,j->ij'", "'ij,ij->i'", "'ij,j->i'"]
    for setting in itertools.product(*choices.values()):
        yield dict(zip(choices, setting, strict=True))
