"""Broadcasting and sums of products, step by step: what lines up with what, and every term of every sum."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.tensor_ops.registry import Op

MAX_TERMS = 20_000


@dataclass(frozen=True)
class Alignment:
    """Shapes lined up from the right.

    Attributes:
        rows: one per tensor, a size or None (no such dim) for each column.
        result: the size of each column; `failed`: the first column, from the right, that does not fit, or None.
        stretched: per tensor, the columns in which it is stretched.
    """

    rows: tuple[tuple[int | None, ...], ...]
    result: tuple[int, ...]
    failed: int | None
    stretched: tuple[tuple[int, ...], ...]


def align(shapes: Sequence[Sequence[int]]) -> Alignment:
    """How these shapes broadcast; sizes must be equal or 1, counted from the right."""
    width = max((len(s) for s in shapes), default=0)
    rows = tuple(tuple([None] * (width - len(s)) + list(s)) for s in shapes)
    result: list[int] = []
    failed = None
    for column in reversed(range(width)):
        sizes = {r[column] for r in rows} - {None, 1}
        if len(sizes) > 1 and failed is None:
            failed = column
        result.insert(
            0, max((s for s in sizes if s is not None), default=1) if 0 not in sizes else 0
        )
    stretched = tuple(tuple(c for c in range(width) if r[c] != result[c]) for r in rows)
    return Alignment(rows, tuple(result), failed, stretched)


def equation(op: Op, values: Mapping[str, str], shapes: Sequence[Sequence[int]]) -> str:
    """The einsum equation of a product of matrices, "" for an operation that is none (or broadcasts batches)."""
    if op.name == "einsum":
        return values["equation"].strip("'\"").replace(" ", "")
    if op.name not in _PRODUCTS or len(shapes) != 2:
        return ""
    a, b = len(shapes[0]), len(shapes[1])
    if op.name == "outer":
        return "i,j->ij"
    if op.name == "tensordot":
        n = int(values["dims"])
        left, shared, right = "abcdef"[: a - n], "uvwxyz"[:n], "ghijkl"[: b - n]
        return f"{left}{shared},{shared}{right}->{left}{right}"
    if not a or not b:
        return ""
    batch = "abcdef"[: max(a, b, 2) - 2]
    if batch and list(shapes[0][:-2]) != list(shapes[1][:-2]) and a > 2 and b > 2:
        return ""
    left = "k" if a == 1 else (batch if a > 2 else "") + "ik"
    right = "k" if b == 1 else (batch if b > 2 else "") + "kj"
    out = batch + ("i" if a > 1 else "") + ("j" if b > 1 else "")
    return f"{left},{right}->{out}"


@dataclass(frozen=True)
class Terms:
    """Every product that is added into every output cell.

    Attributes:
        output: (T,) flat output cell, rising; operands: (T, n) flat cell of each tensor.
    """

    output: Tensor
    operands: Tensor


def terms(text: str, shapes: Sequence[Sequence[int]]) -> Terms | None:
    """The terms of an einsum over tensors of these shapes; None when there are too many or it has an ellipsis."""
    if "." in text or not text:
        return None
    left, _, out = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(shapes) or any(
        len(i) != len(s) for i, s in zip(inputs, shapes, strict=True)
    ):
        return None
    sizes: dict[str, int] = {}
    for letters, shape in zip(inputs, shapes, strict=True):
        for letter, size in zip(letters, shape, strict=True):
            if letter not in string.ascii_letters or sizes.setdefault(letter, size) != size:
                return None
    if "->" not in text:
        out = "".join(sorted(c for c in sizes if left.count(c) == 1))
    order = out + "".join(c for c in sizes if c not in out)
    total = 1
    for letter in order:
        total *= sizes[letter]
    if total > MAX_TERMS or not total:
        return None
    ranges = [torch.arange(sizes[c]) for c in order]
    grid = dict(zip(order, torch.meshgrid(*ranges, indexing="ij"), strict=True)) if order else {}
    operands = [
        _flat([grid[c] for c in letters], shape, total)
        for letters, shape in zip(inputs, shapes, strict=True)
    ]
    output = _flat([grid[c] for c in out], [sizes[c] for c in out], total)
    return Terms(output.int(), torch.stack(operands, 1).int())


def written(found: Terms, cell: int, tensors: Sequence[Tensor]) -> str:
    """One output cell's sum with its numbers: "1·2 + 3·4 = 14"."""
    rows = found.operands[found.output == cell].tolist()
    flat = [t.detach().reshape(-1).tolist() for t in tensors]
    products = [[flat[i][at] for i, at in enumerate(row)] for row in rows]
    total = sum(_product(p) for p in products)
    return " + ".join("·".join(f"{v:g}" for v in p) for p in products) + f" = {total:g}"


def _product(values: Sequence[float]) -> float:
    made = 1.0
    for value in values:
        made *= value
    return made


def _flat(places: Sequence[Tensor], shape: Sequence[int], total: int) -> Tensor:
    flat = torch.zeros(total, dtype=torch.long)
    for place, size in zip(places, shape, strict=True):
        flat = flat * size + place.reshape(-1)
    return flat


_PRODUCTS = ("matmul", "@", "mm", "bmm", "mv", "dot", "outer", "tensordot", "einsum")
