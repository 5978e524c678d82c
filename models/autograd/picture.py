"""A recorded run as plain data for the graph view: small tensors whole, large ones in summary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from models.autograd.recording import Graph, Vertex
from models.autograd.stepping import Backward, Step

WHOLE = 64  # numbers of a tensor that is shown cell by cell
RANGED = 20_000  # numbers of a tensor whose smallest and largest are looked up
CORNER = 6  # rows and columns shown of a larger one


def picture(
    graph: Graph, backward: Backward, lines: list[str], why: Mapping[int, str] | None = None
) -> dict[str, Any]:
    """What the browser draws and steps through.

    Args:
        why: by vertex, a sentence on a gradient that is None or zero there.

    Returns:
        nodes (one per vertex), edges [source, target, out_nr, slot], steps in the engine's order, lines of the
        program, and the root's index. A tensor is an array when it is small, otherwise its shape, root mean square,
        first corner and, up to a size, its range.
    """
    rms = _gradients(backward)
    seconds = _seconds(graph, backward)
    return {
        "nodes": [
            _node(v, rms.get(v.index), seconds[v.index], (why or {}).get(v.index, ""))
            for v in graph.vertices
        ],
        "edges": [[e.source, e.target, e.out_nr, e.slot] for e in graph.edges],
        "steps": [_step(s) for s in backward.steps],
        "lines": lines,
        "root": graph.root,
    }


def _node(vertex: Vertex, gradient: float | None, seconds: float, why: str) -> dict[str, Any]:
    outputs = [tensor(t) for _, t in sorted(vertex.values.items())]
    return {
        "kind": vertex.kind,
        "name": vertex.name.removeprefix("torch::autograd::"),
        "label": vertex.label,
        "op": vertex.op,
        "call": vertex.call,
        "line": vertex.line,
        "turn": vertex.turn,
        "group": _group(vertex),
        "marks": sorted(vertex.marks),
        "values": outputs,
        "madeBy": vertex.made_by,
        "why": why,
        "size": {
            "value": _rms(next(iter(vertex.values.values()), None)),
            "grad": gradient,
            "time": seconds,
            "bytes": vertex.bytes,
        },
    }


def _group(vertex: Vertex) -> str:
    """What folds together: the turn of a line, below it the module (two names deep), and a module's own parameters."""
    if vertex.kind in ("leaf", "constant"):
        path = vertex.label.split(".")[:-1]
        return "m:" + ".".join(path[:2]) if path else ""
    if vertex.module:
        return "m:" + ".".join(vertex.module.split(".")[:2])
    if vertex.made_by >= 0:
        return "second"
    return f"{vertex.line}:{vertex.turn}" if vertex.line else ""


def _step(step: Step) -> dict[str, Any]:
    return {
        "vertex": step.vertex,
        "name": step.name.removeprefix("torch::autograd::"),
        "incoming": [
            {
                "out": i.out_nr,
                # a single term is the total
                "terms": [
                    {
                        "step": t.step,
                        "slot": t.slot,
                        "grad": tensor(t.grad) if len(i.terms) > 1 else None,
                    }
                    for t in i.terms
                ],
                "total": tensor(i.total),
            }
            for i in step.incoming
        ],
        "outgoing": [
            {
                "slot": o.slot,
                "target": o.target,
                "out": o.out_nr,
                "jacobians": [{"out": n, "values": j} for n, j in o.jacobians.items()],
                "vjp": tensor(o.vjp) if o.summed else None,  # otherwise it is the gradient
                "summed": list(o.summed),
                "grad": tensor(o.grad),
            }
            for o in step.outgoing
        ],
        "saved": [
            {
                "name": s.name,
                "value": tensor(s.value),
                "text": s.text,
                "state": s.state,
                "freed": s.freed,
            }
            for s in step.saved
            if not s.name.startswith(_SHAPES) and "_sym_" not in s.name
        ],
        "leaf": step.leaf,
        "before": tensor(step.before),
        "after": tensor(step.after),
        "seconds": step.seconds,
        "failed": step.failed,
    }


_SHAPES = ("self_sym", "ignore_index", "reduction")  # bookkeeping that no equation shows


def tensor(value: Tensor | None) -> Any:
    """A tensor as the view takes it: itself when small, else a summary; complex numbers by their size."""
    if value is None:
        return None
    value = value.detach()
    if value.is_sparse:
        value = value.to_dense()
    if value.is_complex():
        value = value.abs()
    if value.numel() <= WHOLE:
        return value
    flat = value if value.is_floating_point() else value.double()
    corner = value
    while corner.dim() > 2:
        corner = corner[0]
    corner = corner[:CORNER, :CORNER] if corner.dim() == 2 else corner[:CORNER]
    # a range takes ten times as long as a norm
    ends = torch.aminmax(flat) if flat.numel() <= RANGED else ()
    return {
        "shape": list(value.shape),
        "range": [_text(e.item()) for e in ends],
        "rms": _text(_rms(flat) or 0.0),
        "corner": corner.contiguous(),
    }


def _text(number: float) -> float | str:
    return number if math.isfinite(number) else str(number)


def _rms(value: Tensor | None) -> float | None:
    if value is None or value.numel() == 0 or value.is_complex():
        return None
    flat = value.detach()
    flat = flat if flat.is_floating_point() else flat.double()
    return float(torch.linalg.vector_norm(flat)) / math.sqrt(flat.numel())


def _gradients(backward: Backward) -> Mapping[int, float | None]:
    return {s.vertex: _rms(s.incoming[0].total) for s in backward.steps if s.incoming}


def _seconds(graph: Graph, backward: Backward) -> list[float]:
    """Forward plus backward time of each vertex."""
    found = [v.seconds for v in graph.vertices]
    for step in backward.steps:
        if step.vertex >= 0:
            found[step.vertex] += step.seconds
    return found
