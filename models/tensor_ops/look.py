"""What the page shows of an operation, made where the operation ran: small tensors whole, large ones as they are seen.

These are the questions that the page asks an evaluator; each answer is small whatever the tensors are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch

from models import tensor_ops
from models.core import export
from models.expressions import show_bytes
from models.tensor_ops import Result, Spec, create, properties, search
from models.tensor_ops.properties import Property, Seen, Storage
from models.tensor_ops.provenance import Links

At = tuple[int, int]
_HELD = 96 * 2**20  # bytes of the last result, kept so that panning in it need not make it again


@dataclass(frozen=True)
class Look:
    """An operation on the screen.

    Attributes:
        inputs: the shelf before the operation; outputs: (label, tensor) of every result.
        after: what an in-place operation made of shelf tensors that are no result themselves.
        changed: names of all shelf tensors that it changed.
        links: as `Result.links`.
        seen: by shown name, what there is to see of tensors that arrive without their numbers.
        table: one row of properties per output; steps: one row per step.
        notes: what ran and is seldom meant.
        first: the first cell of the result, None when it has none.
    """

    inputs: Mapping[str, torch.Tensor]
    outputs: tuple[tuple[str, torch.Tensor], ...] = ()
    after: Mapping[str, torch.Tensor] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    links: Mapping[str, Links] | None = None
    seen: Mapping[str, Seen] = field(default_factory=dict)
    table: tuple[Mapping[str, str], ...] = ()
    steps: tuple[Mapping[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    first: float | complex | bool | None = None


@dataclass(frozen=True)
class Memory:
    """The memory behind a shelf and the results on it.

    Attributes:
        properties: of every tensor, by name. numbers: what the exported script prints; code: that script.
    """

    storages: tuple[Storage, ...]
    properties: Mapping[str, tuple[Property, ...]]
    numbers: Mapping[str, float]
    code: str


def look(spec: Spec, at: Mapping[str, At] | None = None) -> Look:
    """The operation, its tensors and its steps; `at` is where the windows of large tensors begin.

    Raises:
        SpecError: as `tensor_ops.run` does.
    """
    result = _run(spec)
    ends = {id(t) for _, t in result.outputs}
    after = {f"{n} after": result.shelf[n] for n in result.changed if id(result.shelf[n]) not in ends}  # fmt: skip
    first = next((t for _, t in result.outputs), torch.empty(0))
    found = Look(
        dict(result.before),
        result.outputs,
        after,
        result.changed,
        result.links,
        _seen({**result.before, **dict(result.outputs), **after}, at or {}),
        tuple(_row(result, label, t) for label, t in result.outputs),
        tuple(_step(s) for s in result.steps if s.name),
        result.notes,
        first.reshape(-1)[0].item() if first.numel() else None,
    )
    if sum(t.numel() * t.element_size() for t in (*result.shelf.values(), *dict(result.outputs).values())) > _HELD:  # fmt: skip
        _run.cache_clear()
    return found


def shelf(spec: Spec, at: Mapping[str, At] | None = None) -> Look:
    """The shelf alone, for an operation that fails.

    Raises:
        SpecError: the shelf cannot be made.
    """
    tensors = tensor_ops.tensors(spec)
    return Look(tensors, seen=_seen(tensors, at or {}))


def memory(spec: Spec) -> Memory:
    """Who shares memory with whom, the results included where the operation fits the shelf.

    Raises:
        SpecError: the shelf cannot be made.
    """
    tensors, arrays = tensor_ops.shelf(spec)
    code, outputs = "", {}
    try:
        result = tensor_ops.run(spec, links=False)
    except ValueError:
        pass  # the operation does not fit this shelf; its tensors are what this part is about
    else:
        tensors, arrays, code = dict(result.shelf), dict(result.arrays), spec.code
        outputs = {
            label: t for label, t in result.outputs if all(t is not o for o in tensors.values())
        }
    script = _memory_script(spec, tuple(tensors), tuple(outputs), code)
    tensors |= outputs
    return Memory(
        properties.memory(tensors, arrays),
        {name: properties.describe(t) for name, t in tensors.items()},
        properties.places(tensors),
        script,
    )


def _memory_script(
    spec: Spec, names: tuple[str, ...], outputs: tuple[str, ...], operation: str
) -> str:
    shelf = tensor_ops.script_shelf(spec)
    known = ", ".join(f'"{name}": {name}' for name in names)
    cells = [*shelf, f"tensors = {{{known}}}"]
    if operation:
        # "result", "result[0]", or the name of a field; plain numbers and shapes become tensors, as on the page
        shown = {
            label: label if label.startswith("result") else f"result.{label}" for label in outputs
        }
        made = "".join(f'\ntensors["{label}"] = torch.as_tensor({v})' for label, v in shown.items())
        cells.insert(len(shelf), f"result = {operation}")
        cells[-1] += made
    cells.append(
        "import torch\nfrom torch import Tensor\nfrom collections.abc import Mapping\n\n\n"
        + export.source(properties.places)
        + '\n\n\nfor name, number in places(tensors).items():\n    print(f"{name} = {number}")'
    )
    return export.script("Who shares memory with whom", cells)


def changed(spec: Spec, name: str, cell: int, typed: str) -> str:
    """The shelf's text with one cell set to what was typed.

    Raises:
        SpecError: it is no number of the tensor's kind.
    """
    return create.changed(spec.shelf_text, name, tensor_ops.tensors(spec)[name], cell, typed)


def found(words: str) -> tuple[tuple[str, str], ...]:
    """(operation, parameters) that make one shape of another; raises as `search.find` does."""
    return tuple((op.name, params) for op, params in search.find(words))


@lru_cache(maxsize=1)
def _run(spec: Spec) -> Result:
    return tensor_ops.run(spec)


def _seen(tensors: Mapping[str, torch.Tensor], at: Mapping[str, At]) -> dict[str, Seen]:
    return {
        name: properties.see(t, at.get(name, (0, 0)))
        for name, t in tensors.items()
        if t.numel() > properties.MOST_CELLS
    }


def _row(result: Result, label: str, tensor: torch.Tensor) -> dict[str, str]:
    about = {p.name: p.value for p in properties.describe(tensor)}
    shares = [n for n, o in result.shelf.items() if o is tensor or properties.shares(o, tensor)]
    return {
        "name": label,
        "shape": about["shape"],
        "dtype": about["dtype"],
        "stride": about["stride()"],
        "contiguous": about["is_contiguous()"],
        "shares memory with": ", ".join(shares) or "nobody: a new tensor",
    }


def _step(step: Any) -> dict[str, str]:
    value = step.value
    tensor = isinstance(value, torch.Tensor)
    return {
        "step": step.text,
        "shape": str(tuple(value.shape)) if tensor else type(value).__name__,
        "dtype": str(value.dtype).removeprefix("torch.") if tensor else "",
        "memory": show_bytes(value.numel() * value.element_size()) if tensor else "",
        "value": tensor_ops.preview(value),
    }
