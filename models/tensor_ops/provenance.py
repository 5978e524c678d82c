"""Which input cells made an output cell, and with which weight.

Two questions, answered by running the operation itself:

- **Weight**: the derivative of the output cell with respect to the input cell, by autograd in float64.
- **Membership**: does the output cell depend on the input cell at all? Each input cell is changed, at the actual
  numbers and at a few other ones (all equal, all different), and every output cell that changes belongs to it.
  Other numbers are needed because a single change may be hidden: one more True does not change `any`.

Tensors that say *where* (indices, masks, conditions) keep their values while the data is varied, so that what they
select stays selected; they are then varied themselves, over data that is all different, and a cell of theirs belongs to
what changes whatever it is changed to: an index that is moved leaves its old place every time, and reaches another new
one each time. Where one change moves many cells (`nonzero`, a mask in brackets), the places are known without trying:
`PLACES`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_INPUT_CELLS = 256
MAX_OUTPUT_CELLS = 1024
MAX_PAIRS = 40_000

Function = Callable[[Mapping[str, Tensor]], Sequence[Tensor]]
Places = Callable[[Mapping[str, Tensor], Mapping[str, str], Tensor], Mapping[str, Tensor]]

_REFUSALS = (
    RuntimeError,
    IndexError,
    TypeError,
    ValueError,
    NotImplementedError,
    ArithmeticError,
)  # a SpecError is a ValueError


@dataclass(frozen=True)
class Links:
    """Who made whom, for one input tensor, as a sparse list sorted by output cell.

    Attributes:
        output: (L,) flat index over all outputs laid end to end.
        input: (L,) flat index into the input tensor.
        weight: (L,) derivative; NaN where the cell decides without a derivative (indices, comparisons, counts).
    """

    output: Tensor
    input: Tensor
    weight: Tensor


def trace(
    function: Function,
    tensors: Mapping[str, Tensor],
    selectors: frozenset[str] = frozenset(),
    known: Mapping[str, Tensor] | None = None,
) -> dict[str, Links] | None:
    """The links of every tensor by name; None when the tensors are too large to show them.

    Args:
        function: takes tensors by name, returns its outputs; must not change what it is given.
        selectors: names of tensors that say where (indices, masks, conditions).
        known: (outputs, inputs) bool by name, for tensors whose places need no trying.
    """
    inputs = sum(t.numel() for t in tensors.values())
    if inputs > MAX_INPUT_CELLS:
        return None
    base = [t.detach() for t in function(tensors)]
    outputs = sum(t.numel() for t in base)
    if outputs > MAX_OUTPUT_CELLS or outputs * inputs > MAX_PAIRS:
        return None
    jacobians = _jacobians(function, tensors, base)
    shapes = [t.shape for t in base]
    found = {}
    for name, tensor in tensors.items():
        member = (known or {}).get(name)
        if member is None:
            member = _members(function, tensors, name, selectors, shapes)
        weight = jacobians.get(name)
        if weight is None:
            weight = torch.full((outputs, tensor.numel()), math.nan, dtype=torch.float64)
        where = member.nonzero()
        found[name] = Links(where[:, 0].int(), where[:, 1].int(), weight[member].float())
    return found


def _jacobians(
    function: Function, tensors: Mapping[str, Tensor], base: Sequence[Tensor]
) -> dict[str, Tensor]:
    """(outputs, inputs) derivatives by tensor name, NaN rows for outputs without one."""
    varied = {
        n: t.detach().double().requires_grad_()
        for n, t in tensors.items()
        if t.dtype != torch.bool and not t.is_complex()
    }
    decimals = {n: varied[n] for n in varied if tensors[n].is_floating_point()}
    # first with whole numbers as decimals, so that an int tensor has weights too; indices refuse that
    for chosen in (varied, decimals) if len(decimals) < len(varied) else (varied,):
        if not chosen:
            continue
        try:
            outputs = list(function({**tensors, **chosen}))
            if [o.shape for o in outputs] != [b.shape for b in base]:
                continue
            same = torch.cat(
                [
                    torch.isclose(
                        o.detach().double(), b.double(), 1e-2, 1e-3, equal_nan=True
                    ).reshape(-1)
                    for o, b in zip(outputs, base, strict=True)
                ]
            )
            if len(chosen) > len(decimals) and not same.all():
                continue  # another operation on decimals than on whole numbers
            rows = _rows(outputs, chosen)
            if rows is None:  # autograd has no rule for these shapes
                rows = _differences(function, {**tensors, **chosen}, chosen)
            for row in rows.values():
                row[~same] = math.nan
            return rows
        except _REFUSALS:
            continue
    return {}


def _differences(
    function: Function, tensors: Mapping[str, Tensor], chosen: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """(outputs, inputs) central differences in float64 by tensor name, where autograd refuses."""
    plain = {n: t.detach() for n, t in tensors.items()}
    made = {}
    for name in chosen:
        columns = []
        for cell in range(plain[name].numel()):
            ends = []
            for step in (_STEP, -_STEP):
                moved = plain[name].clone()
                moved.view(-1)[cell] += step
                out = function({**plain, name: moved})
                ends.append(torch.cat([o.double().reshape(-1) for o in out]))
            columns.append((ends[0] - ends[1]) / (2 * _STEP))
        made[name] = torch.stack(columns, 1)
    return made


_STEP = 2.0**-20  # a power of two, so that linear operations come out exactly


def _rows(outputs: Sequence[Tensor], chosen: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    names = list(chosen)
    total = sum(o.numel() for o in outputs)
    made = {n: torch.full((total, chosen[n].numel()), math.nan, dtype=torch.float64) for n in names}
    row = 0
    for output in outputs:
        if output.requires_grad:
            flat = output.reshape(-1)
            for i in range(flat.numel()):
                try:
                    grads = torch.autograd.grad(
                        flat[i], [chosen[n] for n in names], retain_graph=True, allow_unused=True
                    )
                except RuntimeError:
                    return None
                for name, grad in zip(names, grads, strict=True):
                    made[name][row + i] = 0.0 if grad is None else grad.reshape(-1)
        row += output.numel()
    return made


def _members(
    function: Function,
    tensors: Mapping[str, Tensor],
    name: str,
    selectors: frozenset[str],
    shapes: Sequence[torch.Size],
) -> Tensor:
    """(outputs, inputs) bool: which output cells change when a cell of this tensor does."""
    total = sum(math.prod(s) for s in shapes)
    count = tensors[name].numel()
    hits = torch.zeros(count, total, dtype=torch.int32)
    tries = torch.zeros(count, 1, dtype=torch.int32)
    bases = _bases(tensors, name, selectors)
    where = name in selectors
    longest = max((n for t in tensors.values() for n in t.shape), default=0)
    if where:
        bases = bases[1:] + bases[:1]  # all different first: equal data hides what moved
    for number, values in enumerate(bases):
        before = _outputs(function, values, shapes)
        if before is None:
            continue
        runs: list[Tensor] = []
        cells: list[int] = []
        for cell in range(count):
            for other in _candidates(values, name, cell, first=number == 0):
                if where and not isinstance(other, bool) and not 0 <= other < longest:
                    continue  # -2, or 40 taken round, may be the very place that it was
                changed = values[name].clone()
                changed.view(-1)[cell] = other
                after = _outputs(function, {**values, name: changed}, shapes)
                if after is not None:
                    runs.append(after)
                    cells.append(cell)
        if runs:
            after = torch.stack(runs)
            differs = (after != before) & ~(after.isnan() & before.isnan())
            hits.index_add_(0, torch.tensor(cells), differs.int())
            tries.index_add_(0, torch.tensor(cells), torch.ones(len(cells), 1, dtype=torch.int32))
            if where:
                break
    return ((hits == tries) & (tries > 0)).T if where else hits.T > 0


def _outputs(
    function: Function, values: Mapping[str, Tensor], shapes: Sequence[torch.Size]
) -> Tensor | None:
    """All outputs as one float64 vector; None when these values don't work or change a shape."""
    try:
        made = function(values)
    except _REFUSALS:
        return None
    if len(made) != len(shapes) or any(m.shape != s for m, s in zip(made, shapes, strict=True)):
        return None
    flat = [
        (torch.view_as_real(m).sum(-1) if m.is_complex() else m).double().reshape(-1) for m in made
    ]
    return flat[0] if len(flat) == 1 else torch.cat([torch.zeros(0), *flat])


def _bases(
    tensors: Mapping[str, Tensor], varied: str, selectors: frozenset[str]
) -> list[dict[str, Tensor]]:
    """The numbers at which cells are changed: the actual ones, all different, all equal."""
    dice = random.Random(7)
    plain = {n: t.detach().clone().contiguous() for n, t in tensors.items()}
    fills: list[Callable[[Tensor, random.Random, int], Tensor]] = [_spread]
    if varied not in selectors:
        fills += [_positive, _same, _unlike, _rising]
    bases = [plain]
    for fill in fills:
        bases.append(
            {n: t if n in selectors else fill(t, dice, i) for i, (n, t) in enumerate(plain.items())}
        )
    return bases


def _spread(t: Tensor, dice: random.Random, place: int) -> Tensor:
    """All different, of both signs; whole numbers stay small, so that they may be counts."""
    n = t.numel()
    if t.dtype == torch.bool:
        values: list[float] = [float(dice.random() < 0.5) for _ in range(n)]
    elif t.is_floating_point() or t.is_complex():
        values = [(dice.random() * 2 - 1) * 2 for _ in range(n)]
    else:
        values = [float(v) for v in dice.sample(range(1, 4 * n + 8), n)]
    return torch.tensor(values).to(t.dtype).reshape(t.shape)


def _positive(t: Tensor, dice: random.Random, place: int) -> Tensor:
    """Between 0.2 and 0.8: inside every logarithm, root and share."""
    if not (t.is_floating_point() or t.is_complex()):
        return torch.ones_like(t)
    values = [0.2 + dice.random() * 0.6 for _ in range(t.numel())]
    return torch.tensor(values).to(t.dtype).reshape(t.shape)


def _same(t: Tensor, dice: random.Random, place: int) -> Tensor:
    return torch.full_like(t, t.dtype != torch.bool)


def _unlike(t: Tensor, dice: random.Random, place: int) -> Tensor:
    """All equal, but unlike the other tensors; True for a mask."""
    return torch.full_like(t, 1 + place)


def _rising(t: Tensor, dice: random.Random, place: int) -> Tensor:
    """In order, for operations that search in borders."""
    low = 0.1 * place
    return torch.linspace(low - 1, low + 1, t.numel()).mul(3).to(t.dtype).reshape(t.shape)


def _candidates(
    values: Mapping[str, Tensor], name: str, cell: int, first: bool
) -> list[float | bool]:
    """Other values for one cell: a little and far to both sides, and what the other tensors hold."""
    tensor = values[name]
    old = tensor.view(-1)[cell].item()
    if tensor.dtype == torch.bool:
        return [not old]
    others = [t.view(-1)[0].item() for n, t in values.items() if n != name and t.numel()]
    if tensor.is_floating_point() or tensor.is_complex():
        far = [old + 0.37, 9e3, -9e3]
        if first:
            far += [old - 0.29, 0.0, math.inf, math.nan]
    else:
        far = [old + 1, old - 1, 0, old + 40, ~int(old.real)]
        if first:
            far += [old + 2, old - 40, old + 300]
    kept: list[float | bool] = [
        v for v in (*far, *others) if v != old and not isinstance(v, complex)
    ]
    if tensor.is_floating_point() or tensor.is_complex():
        return kept
    kind = torch.iinfo(tensor.dtype)  # a fraction would be cut off, perhaps to the old number
    return [v for v in kept if kind.min <= v <= kind.max and int(v.real) == v]


# --- operations whose places are known without trying -------------------------------------------------


def _pairs(outputs: int, inputs: int, output: Tensor, input: Tensor) -> Tensor:
    member = torch.zeros(outputs, inputs, dtype=torch.bool)
    member[output.reshape(-1).long(), input.reshape(-1).long()] = True
    return member


def _unique(
    tensors: Mapping[str, Tensor], params: Mapping[str, str], out: Tensor
) -> dict[str, Tensor]:
    """A value is made by every cell that holds it."""
    return {n: out.reshape(-1, 1) == t.reshape(1, -1) for n, t in tensors.items()}


def unique(
    tensors: Mapping[str, Tensor], params: Mapping[str, str], outputs: Sequence[Tensor]
) -> dict[str, Tensor]:
    """The same for each result: a count is made by the cells it counts, a place in the values by its own cell."""
    rest = list(outputs[1:])
    parts = {n: [m] for n, m in _unique(tensors, params, outputs[0]).items()}
    for flag in ("return_inverse", "return_counts"):
        if params.get(flag) == "True" and rest:
            rest.pop(0)
            for name, made in parts.items():
                count = tensors[name].numel()
                made.append(
                    torch.eye(count, dtype=torch.bool) if flag == "return_inverse" else made[0]
                )
    if rest or any(k in params and params[k] not in ("", "None") for k in ("dim",)):
        raise ValueError("along a dim, whole rows are compared")
    return {n: torch.cat(made) for n, made in parts.items()}


def _nonzero(
    tensors: Mapping[str, Tensor], params: Mapping[str, str], out: Tensor
) -> dict[str, Tensor]:
    """Row r of the result is the place of the r-th cell that is not 0."""
    made = {}
    for name, t in tensors.items():
        cells = t.reshape(-1).nonzero().reshape(-1).repeat_interleave(t.dim())
        made[name] = _pairs(out.numel(), t.numel(), torch.arange(out.numel()), cells)
    return made


def _masked(
    tensors: Mapping[str, Tensor], params: Mapping[str, str], out: Tensor
) -> dict[str, Tensor]:
    """Each output cell shows one data cell; the mask's cell at that place let it through."""
    if not {params["input"], params["mask"]} <= set(tensors):
        return {}
    data, mask = tensors[params["input"]], tensors[params["mask"]]
    if params["input"] == params["mask"]:
        return {}
    wide = torch.broadcast_shapes(data.shape, mask.shape) if mask.dim() == data.dim() else None
    cells = torch.arange(data.numel()).reshape(data.shape)
    marks = torch.arange(mask.numel()).reshape(mask.shape)
    if wide is not None:
        cells, marks, mask = cells.expand(wide), marks.expand(wide), mask.expand(wide)
    shown = cells[mask]
    marked = marks[mask].reshape(-1, *[1] * (shown.dim() - 1)).expand(shown.shape)
    place = torch.arange(out.numel())
    return {
        params["input"]: _pairs(out.numel(), data.numel(), place, shown),
        params["mask"]: _pairs(out.numel(), marks.numel(), place, marked),
    }


def _scattered(
    tensors: Mapping[str, Tensor], params: Mapping[str, str], out: Tensor
) -> dict[str, Tensor]:
    """An index cell belongs to the place it writes to."""
    index = tensors.get(params["index"])
    if index is None:
        return {}
    dim = int(params["dim"]) % out.dim()
    grid = list(torch.meshgrid(*(torch.arange(n) for n in index.shape), indexing="ij"))
    grid[dim] = index
    flat = torch.arange(out.numel()).reshape(out.shape)[tuple(grid)]
    return {params["index"]: _pairs(out.numel(), index.numel(), flat, torch.arange(index.numel()))}


def _rowwise(
    tensors: Mapping[str, Tensor], params: Mapping[str, str], out: Tensor
) -> dict[str, Tensor]:
    """An index cell belongs to the whole row it names."""
    index = tensors.get(params["index"])
    if index is None:
        return {}
    dim = int(params["dim"]) % out.dim()
    rows = torch.arange(out.numel()).reshape(out.shape).index_select(dim, index % out.shape[dim])
    who = torch.arange(index.numel()).reshape([-1 if d == dim else 1 for d in range(out.dim())])
    return {params["index"]: _pairs(out.numel(), index.numel(), rows, who.expand(rows.shape))}


def _counted(
    tensors: Mapping[str, Tensor], params: Mapping[str, str], out: Tensor
) -> dict[str, Tensor]:
    """A cell belongs to the bin that it raises."""
    made = {}
    for name, t in tensors.items():
        cells = t.reshape(-1)
        if not t.numel():
            continue
        if t.is_floating_point():
            low, high = float(params["min"]), float(params["max"])
            low, high = (low, high) if low != high else (float(t.min()), float(t.max()))
            bins = [torch.histc(c, out.numel(), low, high) for c in cells]
        else:
            bins = [torch.bincount(c.reshape(1), minlength=out.numel()) for c in cells]
        made[name] = torch.stack(bins).T > 0
    return made


PLACES: dict[str, Places] = {
    "unique": _unique,
    "nonzero": _nonzero,
    "mask": _masked,
    "masked_select": _masked,
    "scatter": _scattered,
    "scatter_add": _scattered,
    "scatter_reduce": _scattered,
    "index_add": _rowwise,
    "index_copy": _rowwise,
    "index_fill": _rowwise,
    "bincount": _counted,
    "histc": _counted,
}
