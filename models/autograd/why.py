"""Why a gradient is None or zero: where the graph was cut, what is flat, what was multiplied by zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models.autograd.recording import Graph, Vertex
from models.autograd.stepping import Backward, Outgoing, Step


@dataclass(frozen=True)
class Why:
    """Reasons in sentences.

    Attributes:
        leaves: by leaf with requires_grad whose gradient is None or holds zeros; nodes: by vertex.
        line: the first line that cuts the graph, 0 where none does.
    """

    leaves: Mapping[str, str]
    nodes: Mapping[int, str]
    line: int = 0


# what took a value out of the graph → what happened, and what to do instead
CUTS: dict[str, str] = {
    "detach": "detach() gives the numbers without their history; leave it out to let the gradient through",
    "detach_": "its history is removed by detach_(); leave that out to let the gradient through",
    ".data": ".data gives the numbers without their history; use the tensor itself",
    "torch.tensor": "torch.tensor(…) copies the numbers and forgets where they came from; use torch.stack([…]) or torch.cat([…])",
    "no_grad": "it runs inside torch.no_grad(), where nothing is recorded; move the line out of that block",
    "inference_mode": "it runs inside torch.inference_mode(), where nothing is recorded; move the line out of that block",
    "comparison": "a comparison gives True or False, which have no slope; use a smooth function such as sigmoid",
    "integer": "whole numbers have no slope; stay with floating-point numbers",
    "index": "an index is a whole number and has no slope; use the value itself, or softmax weights",
    "number": "a plain Python number has no history; stay with the tensor",
    "shape": "only its shape and dtype are used, none of its numbers",
    "other": "PyTorch has no derivative for it",
}  # fmt: skip


UNUSED = " no line uses it."


def explain(graph: Graph, backward: Backward, leaves: Mapping[str, Tensor]) -> Why:
    """Sentences for every tracked leaf without a gradient or with zeros in it, and for the nodes that are to blame."""
    nodes: dict[int, list[str]] = {}
    found: dict[str, str] = {}
    places = {v.label: v.index for v in graph.vertices if v.kind == "leaf"}
    for vertex in graph.vertices:
        if vertex.cut and vertex.cut != "shape" and "unused" not in vertex.marks:
            nodes.setdefault(vertex.index, []).append(
                f"The gradient is cut here: {CUTS[vertex.cut]}."
            )
        elif "unused" in vertex.marks and vertex.kind == "op":
            nodes.setdefault(vertex.index, []).append(
                "No gradient comes here: nothing that leads to the result uses it."
            )
    changed = {
        v: f"line {write.line} changed through {write.how} what {said(kind(graph.vertices[v].name))} in line {graph.vertices[v].line} had kept"
        for write in graph.behind
        for v in write.saved
    }
    for at, reason in changed.items():
        nodes.setdefault(at, []).append(f"Behind autograd's back: {reason}.")
    for name, leaf in leaves.items():
        at = places.get(name)
        if not leaf.requires_grad or at is None:
            continue
        if leaf.grad is None:
            found[name] = reason = f"{name}.grad is None: {_none(graph, backward, at)}."
            nodes.setdefault(at, []).append(reason)
        elif not leaf.grad.is_sparse and bool((leaf.grad == 0).any()):
            blames = [(v, changed.get(v, reason)) for v, reason in _zeros(graph, backward, at)]
            if not blames:
                continue
            zeros = leaf.grad == 0
            which = "is zero" if bool(zeros.all()) else f"is zero in {int(zeros.sum())} of {zeros.numel()} cells"  # fmt: skip
            found[name] = f"{name}.grad {which}: {'; '.join(b for _, b in blames)}."
            nodes.setdefault(at, []).append(found[name])
            for vertex, blame in blames:
                if vertex >= 0:
                    nodes.setdefault(vertex, []).append(f"For {name}: {blame}.")
    lines = [
        v.line for v in graph.vertices if v.cut and v.cut != "shape" and "unused" not in v.marks
    ]
    texts = {i: " ".join(dict.fromkeys(words)) for i, words in nodes.items()}
    return Why(found, texts, min(lines, default=0))


def second(leaves: Mapping[str, Tensor]) -> Why:
    """The same for second derivatives, whose graph is PyTorch's own and not the learner's lines."""
    return Why(
        {
            name: f"{name}.grad is None: the sum of the first derivatives does not depend on {name}, so its own derivative by it is 0."
            for name, leaf in leaves.items()
            if leaf.requires_grad and leaf.grad is None
        },
        {},
    )


def infinite(graph: Graph, step: Step, out: Outgoing) -> str:
    """What makes this step's derivative infinite or NaN, as the end of a sentence; "" where it is not known."""
    name = kind(step.name)
    reason = next((words for kinds, words in _INFINITE.items() if name in kinds), "")
    if out.grad is None or not reason:
        return ""
    bad = ~out.grad.isfinite()
    value = graph.vertices[out.target].values.get(out.out_nr) if out.target >= 0 else None
    at = ""
    if value is not None and value.shape == bad.shape:
        at = f" (its input is {value[bad].flatten()[0].item():g} there)"
    total = step.incoming[0].total if step.incoming else None
    nought = ""
    if total is not None and total.shape == bad.shape and bool((total[bad] == 0).any()):
        nought = "; the gradient that comes in there is 0, and 0 × inf is NaN"
    return f": {reason}{at}{nought}"


_INFINITE: dict[tuple[str, ...], str] = {
    ("sqrt",): "the derivative of sqrt, 1 / (2 · √x), is infinite at 0, and below 0 there is none",
    ("rsqrt",): "the derivative of 1 / √x is infinite at 0",
    ("log", "log2", "log10"): "the derivative of log, 1 / x, is infinite at 0",
    ("log1p",): "the derivative of log(1 + x), 1 / (1 + x), is infinite at −1",
    ("xlogy", "entr", "logit"): "its derivative holds a log or a quotient that is infinite at the ends of its range",
    ("pow",): "the derivative of x ** n, n · x ** (n − 1), is infinite at 0 for an n below 1; that of a ** x holds log(a)",
    ("div", "reciprocal"): "the derivative of a / b holds 1 / b², which is infinite at b = 0",
    ("asin", "acos", "atanh", "acosh"): "its derivative is infinite at the ends of its range",
    ("linalgvectornorm", "norm", "cdist", "pdist"): "the derivative of a norm, x / ‖x‖, is 0 / 0 at the zero vector",
    ("std", "var"): "the derivative of std divides by std, which is 0 where all numbers are equal or there is one only",
    ("exp", "exp2", "expm1", "sinh", "cosh"): "the function itself overflows at this input",
    ("tan",): "the derivative of tan is infinite at its poles",
    ("mul", "mm", "bmm", "addmm"): "one of the factors is infinite or NaN itself",
}  # fmt: skip


# ---- None -------------------------------------------------------------------------------------------------------


def _none(graph: Graph, backward: Backward, leaf: int) -> str:
    after: dict[int, list[tuple[int, int, int]]] = {}
    before: dict[int, list[int]] = {}
    for e in graph.edges:
        after.setdefault(e.source, []).append((e.target, e.slot, e.out_nr))
        before.setdefault(e.target, []).append(e.source)
    tracked = _reach(leaf, lambda v: [t for t, slot, _ in after.get(v, ()) if slot >= 0])
    leading = _reach(graph.root, lambda v: before.get(v, ())) if graph.root >= 0 else set()
    reads = [r for r in graph.reads if r.vertex in tracked]
    if leaf in leading and (cuts := list(_cuts(graph, tracked, leading, after))):
        return _listed(cuts)
    if reads:
        return _listed(
            f"line {r.line} takes {_name(graph, r.vertex, leaf)} out as a Python number ({r.call}): {CUTS['number']}"
            for r in reads
        )
    if leaf in leading and graph.root in tracked:
        if backward.failure is not None:
            return "the backward pass stopped before it got there"
        return "no backward pass ran" if not backward.steps else "nothing was sent back to it"
    uses = sorted({graph.vertices[t].line for t, _, _ in after.get(leaf, ())})
    # a shape that is copied uses none of the numbers
    if uses:
        shapes = [graph.vertices[t] for t, _, _ in after[leaf]]
        if leaf in leading and all(v.cut == "shape" for v in shapes):
            return f"line {uses[0]}: {CUTS['shape']}"
        lines = ", ".join(map(str, uses))
        return f"it is used in line{'s' * (len(uses) > 1)} {lines}, but nothing that is computed from it there reaches the result"
    return UNUSED.strip(" .")


def _cuts(
    graph: Graph,
    tracked: set[int],
    leading: set[int],
    after: Mapping[int, list[tuple[int, int, int]]],
) -> Iterable[str]:
    for source in sorted(tracked & leading):
        for target, slot, out_nr in after.get(source, ()):
            vertex = graph.vertices[target]
            if slot >= 0 or target not in leading or target in tracked:
                continue
            value = graph.vertices[source].values.get(out_nr)
            cut = vertex.cut
            name = _name(graph, source, -1)
            # max and sort put out indices beside their values
            if not cut and (value is None or not value.is_floating_point()):
                cut, name = "index", f"output {out_nr} of {_call(graph.vertices[source])}"
            yield f"line {vertex.line} cuts {name} off ({_call(vertex)}): {CUTS[cut or 'other']}"


def _listed(sentences: Iterable[str], most: int = 3) -> str:
    found = list(dict.fromkeys(sentences))
    rest = f"; and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(found[:most]) + rest


def _reach(start: int, following) -> set[int]:
    seen: set[int] = set()
    stack = [start]
    while stack:
        at = stack.pop()
        if at not in seen:
            seen.add(at)
            stack += following(at)
    return seen


# ---- zero -------------------------------------------------------------------------------------------------------


def _zeros(graph: Graph, backward: Backward, leaf: int) -> list[tuple[int, str]]:
    """(vertex, reason) of every place where the zeros of a leaf's gradient come from, at most four."""
    steps = backward.steps
    found: dict[tuple[int, str], None] = {}
    start = next((s for s in steps if s.leaf and s.vertex == leaf), None)
    if start is None or not start.incoming:
        return []
    work = [(start, start.incoming[0].total == 0)]
    seen: set[tuple[int, int]] = set()
    while work and len(found) < 4:
        step, mask = work.pop(0)
        for incoming in step.incoming:
            gone = mask & (incoming.total == 0) if mask.shape == incoming.total.shape else incoming.total == 0  # fmt: skip
            cancelled = torch.zeros_like(gone)
            for term in incoming.terms:
                part = gone & (term.grad == 0)
                cancelled |= gone & (term.grad != 0)
                if term.step < 0:
                    if bool(part.any()):
                        found[step.vertex, "the gradient argument is zero there"] = None
                    continue
                if not bool(part.any()) or (term.step, term.slot) in seen:
                    continue
                seen.add((term.step, term.slot))
                sender = steps[term.step]
                edge = next(o for o in sender.outgoing if o.slot == term.slot)
                work += _above(graph, sender, edge, part, found)
            if bool(cancelled.any()):
                lines = sorted(
                    {_line(graph, steps[t.step]) for t in incoming.terms if t.step >= 0} - {0}
                )
                where = (
                    f" (line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))})" if lines else ""
                )
                found[
                    step.vertex,
                    f"what comes back over {len(incoming.terms)} edges{where} cancels out",
                ] = None
    return list(found)


def _above(
    graph: Graph, step: Step, edge: Outgoing, part: Tensor, found: dict[tuple[int, str], None]
) -> list[tuple[Step, Tensor]]:
    """Blames this step for the cells that came in nonzero; the others are to be followed further up."""
    totals = [i.total for i in step.incoming]
    if all(bool((t == 0).all()) for t in totals):
        return [(step, torch.ones_like(totals[0], dtype=torch.bool))]
    same = len(totals) == 1 and totals[0].shape == part.shape and kind(step.name) in _CELLWISE
    killed = part & (totals[0] != 0) if same else part
    if bool(killed.any()):
        found[step.vertex, _blame(graph, step, edge, killed)] = None
    rest = part & (totals[0] == 0) if same else torch.zeros_like(part)
    return [(step, rest)] if bool(rest.any()) else []


def _blame(graph: Graph, step: Step, edge: Outgoing, killed: Tensor) -> str:
    """Why this node passes nothing on over this edge, in a clause."""
    op = kind(step.name)
    line = _line(graph, step)
    where = said(op) + (f" in line {line}" if line else "")
    if op == "mul":
        other = next((o for o in step.outgoing if o.slot != edge.slot), None)
        by = _name(graph, other.target, -1) if other is not None else _factor(graph, step)
        return f"{where} multiplies it by zero ({by} is 0 there)"
    for kinds, words in _FLAT.items():
        if op in kinds:
            return f"{where} {words}"
    return f"the local derivative of {where} is 0 there"


def _factor(graph: Graph, step: Step) -> str:
    """The name of a product's other operand, which asked for no gradient."""
    others = [
        _name(graph, e.source, -1) for e in graph.edges if e.target == step.vertex and e.slot < 0
    ]
    return others[0] if others else "the factor"


_FLAT: dict[tuple[str, ...], str] = {
    ("relu", "threshold"): "is dead there: its input is not above 0, so its slope is 0",
    ("leakyrelu",): "is flat there",
    ("clamp", "clampmin", "clampmax", "hardtanh", "hardsigmoid", "hardswish"): "is flat there: its input lies outside of the bounds",
    ("round", "floor", "ceil", "sign", "trunc", "sgn", "floordivide"): "is a staircase: its slope is 0 everywhere",
    ("tanh", "sigmoid", "erf", "softmax", "logsoftmax", "logsigmoid"): "is saturated: in this dtype its output no longer changes with its input",
    ("pow",): "has slope 0 at this input (the derivative of x ** n holds a factor x ** (n − 1))",
    ("abs",): "has slope sign(0) = 0 at 0",
    ("where", "maskedfill", "maximum", "minimum"): "took the other value there",
    ("max", "min", "amax", "amin", "median", "mode", "kthvalue", "sort", "topk", "maxpool2dwithindices", "maxpool1d",
     "adaptivemaxpool2d"): "took other cells, and only the chosen ones get a gradient",
    ("index", "indexselect", "select", "slice", "gather", "take", "maskedselect", "narrow", "split", "unbind", "diagonal",
     "tril", "triu", "squeeze", "embedding", "splitwithsizes", "unsafesplit"): "takes other cells, and what is not taken gets no gradient",
    ("copyslices", "fill", "zero", "indexput", "copy", "scatter", "indexfill"): "overwrites it there",
    ("dropout", "nativedropout"): "dropped it",
    ("mm", "bmm", "addmm", "mv", "dot", "baddbmm", "convolution", "linear"): "multiplies it by weights that are all zero there, or whose products cancel out",
}  # fmt: skip
# a gradient's cell belongs to the same cell of the output
_CELLWISE = frozenset(
    [
        "relu",
        "threshold",
        "leakyrelu",
        "clamp",
        "clampmin",
        "clampmax",
        "hardtanh",
        "hardsigmoid",
        "hardswish",
        "round",
        "floor",
        "ceil",
        "sign",
        "trunc",
        "sgn",
        "tanh",
        "sigmoid",
        "erf",
        "logsigmoid",
        "pow",
        "abs",
        "where",
        "maskedfill",
        "maximum",
        "minimum",
        "mul",
        "add",
        "sub",
        "div",
        "neg",
        "exp",
        "log",
        "log1p",
        "expm1",
        "sin",
        "cos",
        "sqrt",
        "rsqrt",
        "reciprocal",
        "clone",
        "tocopy",
        "gelu",
        "silu",
        "elu",
        "softplus",
        "dropout",
        "nativedropout",
    ]
)


def kind(name: str) -> str:
    """What a backward node belongs to: "ReluBackward0" → "relu"."""
    return name.rsplit("::", 1)[-1].split("Backward")[0].lower()


def said(kind: str) -> str:
    """The kind of a node in a learner's words."""
    return _SAID.get(kind, kind)


_SAID = {
    "copyslices": "the assignment",
    "tocopy": "a cast",
    "getitem": "indexing",
    "setitem": "the assignment",
}

# ---- words ------------------------------------------------------------------------------------------------------


def _line(graph: Graph, step: Step) -> int:
    return graph.vertices[step.vertex].line if step.vertex >= 0 else 0


def _name(graph: Graph, vertex: int, leaf: int) -> str:
    """A learner's name for a value, or what made it."""
    about = graph.vertices[vertex]
    if vertex == leaf:
        return "it"
    return about.label or f"the result of {_call(about)}" + (
        f" in line {about.line}" if about.line else ""
    )


def _call(vertex: Vertex) -> str:
    name = (vertex.call or vertex.op or vertex.name).removesuffix(".__get__").rsplit(".", 1)[-1]
    return said(name.strip("_") or name)
