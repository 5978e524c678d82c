"""Tensor operations seen cell by cell: a shelf of tensors, one operation, and who made which cell."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch

from models import expressions
from models.core import export, seeding
from models.core.spec import Spec as BaseSpec
from models.core.spec import SpecError, knob
from models.tensor_ops import create, provenance, registry, sums
from models.tensor_ops.provenance import Links

OPS = registry.OPS


@dataclass(frozen=True)
class Spec(BaseSpec):
    """One operation on a shelf of named tensors."""

    op: str = knob("add", "The operation.", label="Operation", choices=tuple(OPS))
    shelf: str = knob(
        "",
        "The tensors, one line each: name = expression. Empty: the operation's own example.",
        max_chars=4000,
    )
    params: str = knob(
        "",
        "Parameters as name=value, separated by commas. Empty: the example's.",
        label="Parameters",
    )
    expression: str = knob(
        "",
        "Several steps in one line over the shelf, in place of the operation.",
        label="Expression",
        max_chars=1000,
        example="(a @ b.T).sum(0)",
    )
    seed: int = knob(0, "Where random numbers start.", minimum=0, maximum=9999)

    def check(self) -> None:
        create.lines(self.shelf_text)
        expressions.parse(self.code)

    @property
    def shelf_text(self) -> str:
        """The shelf's lines, the operation's own where none are given."""
        return self.shelf if self.shelf.strip() else OPS[self.op].shelf

    @property
    def names(self) -> tuple[str, ...]:
        """The names on the shelf, in order."""
        return tuple(dict.fromkeys(name for name, _ in create.lines(self.shelf_text)))

    @property
    def code(self) -> str:
        """The operation as one expression over the shelf."""
        if self.expression.strip():
            return self.expression.strip()
        return OPS[self.op].code(self.fitted, self.names)

    @property
    def fitted(self) -> str:
        """The parameters, with the example's tensors replaced where an own shelf has no such names."""
        if not self.shelf.strip():
            return self.params
        op = OPS[self.op]
        given = registry.parse_params(self.params)
        example = registry.parse_params(op.example)
        for name, value in example.items():
            if name not in given and _names_in(value) - set(self.names) - {"torch"}:
                given[name] = _nearest(op, name, self.names)
        return registry.join_params(given)


def _names_in(text: str) -> set[str]:
    """The names that a parameter's source text uses; none in what stands in brackets (`1:, ::2`)."""
    try:
        tree = ast.parse(text.strip() or "0", mode="eval")
    except SyntaxError:
        return set()
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}


def _nearest(op: registry.Op, name: str, names: Sequence[str]) -> str:
    tensors = [p.name for p in op.params if p.kind == "tensor"]
    if name in tensors:
        return names[min(tensors.index(name), len(names) - 1)]
    return "[" + ", ".join(names[:2]) + "]"


@dataclass(frozen=True)
class Result:
    """What one operation did.

    Attributes:
        code: the expression that ran.
        shelf: the tensors by name after the operation; `before`: what they were before it.
        outputs: (label, tensor) of every result; a number is a 0-d tensor.
        value: the result itself.
        steps: every sub-expression and its value.
        links: by tensor name, which of its cells made which output cell (flat over all outputs);
            None when the tensors are too large to show them.
        changed: names of shelf tensors whose numbers the operation changed in place.
        notes: what ran and is seldom meant.
    """

    code: str
    shelf: Mapping[str, torch.Tensor]
    before: Mapping[str, torch.Tensor]
    outputs: tuple[tuple[str, torch.Tensor], ...]
    value: Any
    steps: tuple[expressions.Step, ...]
    links: Mapping[str, Links] | None
    changed: tuple[str, ...]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def run(spec: Spec, *, device: str = "cpu", links: bool = True) -> Result:
    """Build the shelf, run the operation, and find out which cells made which.

    Raises:
        SpecError: the shelf cannot be made, or PyTorch refuses the operation on these tensors.
    """
    tree = expressions.parse(spec.code)
    random = is_random(spec)
    place = nullcontext() if device == "cpu" else torch.device(device)
    with seeding.seeded(spec.seed) if random else nullcontext(), place:
        made = create.build(spec.shelf_text)
        shelf = {n: t for n, t in made.items() if isinstance(t, torch.Tensor)}
        writes = expressions.writes(tree)
        before = {n: t.detach().clone() if writes else t.detach() for n, t in shelf.items()}
        try:
            evaluation = expressions.evaluate(spec.code, shelf, seed=None)
        except expressions.ExpressionError as error:
            if spec.expression.strip():
                raise
            raise SpecError(error.words, "params", error.detail) from None
    outputs = _outputs(evaluation.value)
    changed = tuple(
        n
        for n, t in shelf.items()
        if writes and not torch.equal(t.detach().nan_to_num(), before[n].nan_to_num())
    )
    found = _links(spec, tree, before, outputs) if links else None
    arrays = {n: a for n, a in made.items() if isinstance(a, np.ndarray)}
    return Result(
        spec.code,
        shelf,
        before,
        outputs,
        evaluation.value,
        evaluation.steps,
        found,
        changed,
        arrays,
        evaluation.notes,
    )


def shelf(spec: Spec) -> tuple[dict[str, torch.Tensor], dict[str, np.ndarray]]:
    """The tensors, and the NumPy arrays, before the operation.

    Raises:
        SpecError: the shelf cannot be made.
    """
    with seeding.seeded(spec.seed):
        made = create.build(spec.shelf_text)
    return (
        {n: t for n, t in made.items() if isinstance(t, torch.Tensor)},
        {n: a for n, a in made.items() if isinstance(a, np.ndarray)},
    )


def tensors(spec: Spec) -> dict[str, torch.Tensor]:
    """The shelf's tensors, before the operation; raises as `shelf` does."""
    return shelf(spec)[0]


def used(spec: Spec) -> tuple[str, ...]:
    """The shelf's tensors that the operation names, in the order in which it does."""
    tree = expressions.parse(spec.code)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in spec.names]
    return tuple(dict.fromkeys(n.id for n in sorted(found, key=lambda n: n.col_offset)))


def broadcast(spec: Spec, tensors: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Names of the tensors whose shapes are lined up cell by cell, () for an operation that does not."""
    tree = expressions.parse(spec.code)
    if isinstance(tree, ast.BinOp) and not isinstance(tree.op, ast.MatMult):
        parts: list[ast.AST] = [tree.left, tree.right]
    elif isinstance(tree, ast.Compare) and len(tree.ops) == 1:
        parts = [tree.left, *tree.comparators]
    elif (
        not spec.expression.strip()
        and OPS[spec.op].family in _CELL_BY_CELL
        and isinstance(tree, ast.Call)
    ):
        parts = list(tree.args)
    else:
        return ()
    names = [p.id for p in parts if isinstance(p, ast.Name) and p.id in tensors]
    return tuple(names) if len(names) > 1 else ()


def products(
    spec: Spec, tensors: Mapping[str, torch.Tensor]
) -> tuple[tuple[str, ...], sums.Terms | None]:
    """The names of a matrix product's factors and every term of its sums, if it is one and small enough."""
    tree = expressions.parse(spec.code)
    op = OPS[spec.op]
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.MatMult):
        op, parts = OPS["@"], [tree.left, tree.right]
    elif spec.expression.strip() or not isinstance(tree, ast.Call):
        return (), None
    elif (
        op.name == "einsum"
        and len(tree.args) == 2
        and isinstance(tree.args[1], (ast.List, ast.Tuple))
    ):
        parts = list(tree.args[1].elts)
    else:
        parts = list(tree.args)
    names = tuple(p.id for p in parts if isinstance(p, ast.Name) and p.id in tensors)
    if len(names) != len(parts) or not names:
        return (), None
    shapes = [tuple(tensors[n].shape) for n in names]
    values = op.values() if op.name == "@" else op.values(spec.fitted, spec.names)
    return names, sums.terms(sums.equation(op, values, shapes), shapes)


def preview(value: Any, most: int = 120) -> str:
    """A value as one short line."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        flat = value.reshape(-1)[:12].tolist()
        shown = ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in flat)
        return shown + (", …" if value.numel() > 12 else "")
    return str(value)[:most]


def failing(op: registry.Op) -> Spec:
    """The call of this operation that PyTorch refuses, ready to be tried."""
    if not op.fails.shelf:
        return Spec(op=op.name, params=op.fails.params)
    lines = dict(create.lines(op.shelf)) | dict(create.lines(op.fails.shelf))
    shelf = "\n".join(f"{n} = {e}" for n, e in lines.items())
    params = registry.parse_params(op.example) | registry.parse_params(op.fails.params)
    return Spec(op=op.name, shelf=shelf, params=registry.join_params(params))


def report(result: Any) -> dict[str, float]:
    """The numbers of a result: how many, each size, sum, smallest, largest, and a sum that depends on the order."""
    parts = list(result) if isinstance(result, (tuple, list)) else [result]
    found: dict[str, float] = {}
    for i, part in enumerate(parts):
        name = f"result_{i}" if len(parts) > 1 else "result"
        tensor = torch.as_tensor(part).detach().cpu()
        flat = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
        flat = flat.to(torch.float64).reshape(-1)
        found[f"{name}_numel"] = float(tensor.numel())
        for d, size in enumerate(tensor.shape):
            found[f"{name}_size_{d}"] = float(size)
        if flat.numel():
            found[f"{name}_sum"] = flat.sum().item()
            found[f"{name}_min"] = flat.min().item()
            found[f"{name}_max"] = flat.max().item()
            found[f"{name}_in_order"] = (flat * torch.arange(1, flat.numel() + 1)).sum().item()
    return found


def numbers(result: Result) -> dict[str, float]:
    """What the exported script prints."""
    return report(result.value)


def script_shelf(spec: Spec) -> tuple[str, str]:
    """What a script begins with, in two cells: its imports and seed, then the shelf."""
    text = f"{spec.shelf_text}\n{spec.code}"
    head = ["import torch", *create.needs(text), f"torch.manual_seed({spec.seed})"]
    shelf = (
        f"{name} = {expression}"
        for name, expression in create.lines(create.for_script(spec.shelf_text))
    )
    return "\n".join(head), "\n".join(shelf)


def to_code(spec: Spec) -> str:
    """The shelf and the operation as a script of plain PyTorch."""
    return export.script(
        f"{OPS[spec.op].name}: tensors cell by cell"
        if not spec.expression
        else "Tensors cell by cell",
        [
            *script_shelf(spec),
            f"result = {spec.code}\nprint(result)",
            "from typing import Any\n\n\n"
            + _report_source()
            + '\n\n\nfor name, number in report(result).items():\n    print(f"{name} = {number}")',
        ],
    )


@cache
def _report_source() -> str:
    return export.source(report)


def is_random(spec: Spec) -> bool:
    """Whether the shelf or the operation draws random numbers, so that the seed matters."""
    parts = [spec.code, *(line for _, line in create.lines(spec.shelf_text))]
    return any(expressions.is_random(expressions.parse(p, create.LIMITS)) for p in parts)


def _outputs(value: Any) -> tuple[tuple[str, torch.Tensor], ...]:
    """Every tensor of a value with its label."""
    if isinstance(value, torch.Tensor):
        return (("result", value),)
    if isinstance(value, torch.Size) or not isinstance(value, (tuple, list)):
        return (("result", _plain(value)),)
    fields = [n for n in dir(type(value)) if not n.startswith("_") and n not in ("count", "index")]
    labels = {
        id(getattr(value, n)): n
        for n in fields
        if isinstance(getattr(value, n, None), torch.Tensor)
    }
    return tuple((labels.get(id(v), f"result[{i}]"), _plain(v)) for i, v in enumerate(value))


def _plain(value: Any) -> torch.Tensor:
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SpecError(
            f"The expression gives a {type(value).__name__}, which has no cells to show. "
            "End it with something that gives a tensor or numbers.",
            "expression",
            str(error),
        ) from None


def _links(
    spec: Spec,
    tree: ast.expr,
    before: Mapping[str, torch.Tensor],
    outputs: Sequence[tuple[str, torch.Tensor]],
) -> dict[str, Links] | None:
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    tensors = {n: t for n, t in before.items() if n in used}
    if sum(t.numel() for t in tensors.values()) > provenance.MAX_INPUT_CELLS:
        return None
    if spec.expression.strip():
        op, values = _operation(tree, before)
    else:
        op = OPS[spec.op]
        values = op.values(spec.fitted, spec.names)
    call = expressions.function(tree, spec.code)
    seed = spec.seed if expressions.is_random(tree) else None

    def function(named: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
        given = {n: t.clone() for n, t in named.items()}  # in-place operations write into these
        if op is not None and op.triangle:
            given = {n: t.tril() + t.tril(-1).mT for n, t in given.items()}
        with seeding.seeded(seed) if seed is not None else nullcontext():
            return [t for _, t in _outputs(call(given))]

    selectors = {n for n in _selecting(tree) if n in tensors and not _decimal(tensors[n])}
    selectors |= {
        values[p.name]
        for p in (op.params if op else ())
        if p.kind == "tensor" and p.name in _SELECT and values.get(p.name) in tensors
    }
    known = None
    if op is not None and op.name in provenance.PLACES:
        parts = [t for _, t in outputs]
        try:
            if op.name == "unique":
                known = provenance.unique(tensors, values, parts)
            elif len(parts) == 1:
                known = provenance.PLACES[op.name](tensors, values, parts[0])
        except (KeyError, ValueError, IndexError, RuntimeError):
            known = None  # written in a way that the rule does not read: the cells are tried
    return provenance.trace(function, tensors, frozenset(selectors), known)


def _operation(
    tree: ast.expr, tensors: Mapping[str, torch.Tensor]
) -> tuple[registry.Op | None, dict[str, str]]:
    """The menu's operation that an expression is one call of, with its parameters as written; else nothing."""
    if isinstance(tree, ast.Subscript) and isinstance(tree.slice, ast.Name):
        mask = tensors.get(tree.slice.id)
        if mask is not None and mask.dtype == torch.bool:
            return OPS["mask"], {"input": ast.unparse(tree.value), "mask": tree.slice.id}
    if not isinstance(tree, ast.Call) or any(isinstance(a, ast.Starred) for a in tree.args):
        return None, {}
    name = expressions.dotted(tree.func)
    function = name.startswith(("torch.", "F."))
    attribute = tree.func.attr if isinstance(tree.func, ast.Attribute) else ""
    op = OPS.get(attribute)
    if op is None or op.writes or (function and name != op.function):
        return None, {}
    args = list(tree.args)
    if not function and isinstance(tree.func, ast.Attribute):
        args.insert(0, tree.func.value)
    if len(args) > len(op.params):
        return None, {}
    values = {p.name: p.default or "" for p in op.params}
    values |= {p.name: ast.unparse(a) for p, a in zip(op.params, args, strict=False)}
    values |= {str(k.arg): ast.unparse(k.value) for k in tree.keywords}
    return op, values


def _selecting(tree: ast.AST) -> set[str]:
    """Names that say where: inside brackets, or as an index, mask or label of a call."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            found.append(node.slice)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            place = _PLACE.get(node.func.attr.rstrip("_"))
            found += [k.value for k in node.keywords if k.arg in _SELECT]
            if place is None:
                continue
            function = expressions.dotted(node.func).startswith(("torch.", "F.", "nn."))
            given = node.args if function else [node.func.value, *node.args]
            if node.func.attr == "where" and not function:
                place = 1  # the condition comes behind the tensor
            found += given[place : place + 1]
    return {n.id for part in found for n in ast.walk(part) if isinstance(n, ast.Name)}


def _decimal(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


_CELL_BY_CELL = ("arithmetic", "maths", "comparison", "logic", "dtypes", "rounding")
_SELECT = ("index", "indices", "mask", "condition", "target", "repeats")
# which argument of a function (the tensor itself is number 0) says where
_PLACE = {
    "gather": 2, "scatter": 2, "scatter_add": 2, "scatter_reduce": 2, "index_select": 2, "index_add": 2,
    "index_copy": 2, "index_fill": 2, "index_reduce": 2, "index_put": 1, "take": 1, "take_along_dim": 1,
    "masked_fill": 1, "masked_select": 1, "masked_scatter": 1, "where": 0, "bincount": 0, "embedding": 0,
    "repeat_interleave": 1, "cross_entropy": 1, "nll_loss": 1,
}  # fmt: skip

VARIATIONS: dict[str, Spec] = {
    "op": Spec(op="mul"),
    "shelf": Spec(shelf="a = torch.ones(2, 3)\nb = torch.arange(3.0)"),
    "params": Spec(params="alpha=2"),
    "expression": Spec(expression="(a @ b).softmax(dim=0)"),
    "seed": Spec(seed=1),
}
