"""The real backward pass, one node at a time: what came in, the local derivative, what went out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.autograd.recording import Graph, Node, Write, start, topological


@dataclass(frozen=True)
class Term:
    """One summand of an incoming gradient: what step number `step` sent over its edge `slot` (step -1: the seed)."""

    step: int
    slot: int
    grad: Tensor


@dataclass(frozen=True)
class Incoming:
    """The gradient of the loss with respect to one output of a node.

    Attributes:
        out_nr: which output; terms: what arrived over each edge; total: what the engine handed to the node.
    """

    out_nr: int
    terms: tuple[Term, ...]
    total: Tensor


@dataclass(frozen=True)
class Outgoing:
    """What a node sends back over one edge.

    Attributes:
        slot: index into `next_functions`; target: the vertex it goes to; out_nr: that vertex's output.
        jacobians: by output number of this node, (outputs, inputs) with J[i, j] = d out.flat[i] / d input.flat[j];
            empty where it would be too large. Where the input was broadcast, its columns are already summed.
        vjp: the node's own product of incoming gradient and local derivative, before any reduction;
            None where it cannot be asked a second time.
        summed: dimensions of `vjp` that were summed because the input had been broadcast over them.
        grad: what the engine sent, in the input's shape.
    """

    slot: int
    target: int
    out_nr: int
    jacobians: Mapping[int, Tensor]
    vjp: Tensor | None
    summed: tuple[int, ...]
    grad: Tensor | None


@dataclass(frozen=True)
class Saved:
    """Something a node kept from the forward pass for its backward.

    Attributes:
        name: autograd's name ("self", "result", "dim"); value: a tensor, or None with its text in `text`.
        state: "kept", "overwritten" (changed in place since it was saved) or "freed".
        freed: the backward pass released it.
    """

    name: str
    value: Tensor | None
    text: str
    state: str
    freed: bool


@dataclass(frozen=True)
class Step:
    """One node of the backward pass, in the engine's own order.

    Attributes:
        vertex: the graph's vertex, -1 when it has none; name: the node's.
        before, after: `.grad` of a leaf around its accumulation (None: no gradient yet).
        seconds: of the node in the real pass.
        failed: the pass ended here.
    """

    vertex: int
    name: str
    incoming: tuple[Incoming, ...]
    outgoing: tuple[Outgoing, ...]
    saved: tuple[Saved, ...]
    leaf: bool
    before: Tensor | None
    after: Tensor | None
    seconds: float
    failed: bool


@dataclass(frozen=True)
class Failure:
    """Why a backward pass ended early.

    Attributes:
        message: PyTorch's own words; victim: the vertex whose backward failed (-1: before any);
        culprits: the in-place operations that overwrote what the victim had saved.
    """

    message: str
    victim: int
    culprits: tuple[Write, ...]


@dataclass(frozen=True)
class Backward:
    """A whole backward pass: its steps in order, and why it stopped when it did."""

    steps: tuple[Step, ...]
    failure: Failure | None
    seconds: float


MAX_JACOBIAN = 576  # numbers: 24 × 24, the most a heat map of one edge can show
MAX_CALLS = 1500  # single-node calls per backward pass, ≈ 10 µs each


def backward(
    graph: Graph,
    result: Tensor,
    gradient: Tensor | None = None,
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
    jacobians: bool = True,
) -> Backward:
    """Run `result.backward(…)` in PyTorch's engine and write down every step.

    The order, the incoming gradients and the gradient of every edge come from hooks on the nodes. Local
    derivatives come from calling each single node before the pass, while its buffers still exist (so an
    own Function's backward runs more often than once).
    """
    nodes = topological(start(result))
    local = {n: _Local(n) for n in nodes}
    if jacobians:
        calls = MAX_CALLS
        for about in local.values():
            calls -= about.find_jacobians(calls)
        _ask_products(nodes, local, result, gradient)
    for about in local.values():
        about.read_saved()
    notes = {n: _Note(n) for n in nodes}
    log: list[_Note] = []
    handles: list[Any] = []
    for node, note in notes.items():
        handles.append(node.register_prehook(note.before_hook(log)))
        handles.append(node.register_hook(note.after_hook()))
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            handles.append(variable.register_post_accumulate_grad_hook(note.accumulated_hook()))
    message = ""
    began = time.perf_counter()
    try:
        result.backward(gradient, retain_graph=retain_graph, create_graph=create_graph)
    except RuntimeError as error:
        message = str(error)
    finally:
        seconds = time.perf_counter() - began
        for handle in handles:
            handle.remove()
    failure = None
    if message:
        stuck = [n for n in log if not n.done and not n.is_leaf]
        victim = graph.vertex_of(stuck[-1].node) if stuck else -1
        if victim < 0 and log and "modified by an inplace" not in message:
            victim = graph.vertex_of(log[-1].node)
        failure = Failure(message, victim, graph.culprits(victim) if victim >= 0 else ())
    return Backward(_steps(graph, log, local), failure, seconds)


def saved(node: Node) -> dict[str, Any]:
    """What a node keeps for its backward, by name; a freed or overwritten one is the RuntimeError it raises.

    Reads the documented `_saved_…` attributes. Never use `saved_tensors_hooks` for this: even identity hooks turn
    PyTorch's in-place check off, and wrong gradients follow without a word.
    """
    found: dict[str, Any] = {}
    names = [n for n in dir(node) if n.startswith("_saved_")]
    if isinstance(node, torch.autograd.function.BackwardCFunction):
        names = ["saved_tensors"]
    for name in names:
        try:
            found[name.removeprefix("_saved_")] = getattr(node, name)
        except RuntimeError as error:
            found[name.removeprefix("_saved_")] = error
    return found


def vjp(node: Node, grads: list[Tensor | None]) -> list[Tensor | None]:
    """One node's own vector-Jacobian products, one per edge, as the bare node gives them.

    A broadcast input's product still has the output's shape: follow with `reduce_to`, as the engine does.
    """
    metadata: Any = node._input_metadata  # type: ignore[attr-defined]  # private; there is no public shape of a node's outputs
    with torch.no_grad():
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            filled = [
                torch.zeros(m.shape, dtype=m.dtype, device=m.device) if g is None else g
                for g, m in zip(grads, metadata, strict=True)
            ]
            out = node.apply(*filled)  # type: ignore[attr-defined]  # the C++ half of a custom Function
        else:
            out = node(*grads)  # type: ignore[operator]  # nodes are callable; the stub does not say so
    return list(out) if isinstance(out, tuple) else [out]


def reduce_to(grad: Tensor, shape: torch.Size) -> tuple[Tensor, tuple[int, ...]]:
    """Sum a gradient over the dimensions its input was broadcast over; also says which ones."""
    if grad.shape == shape:
        return grad, ()
    extra = grad.dim() - len(shape)
    wide = [i + extra for i, n in enumerate(shape) if n == 1 and grad.shape[i + extra] != 1]
    return grad.sum_to_size(shape), (*range(extra), *wide)


def _ask_products(
    nodes: list[Node], local: Mapping[Node, _Local], result: Tensor, gradient: Tensor | None
) -> None:
    """Ask every single node for its products outside the engine, before the pass frees its buffers.

    Not from a hook inside the pass: a checkpointed region can be unpacked only once there.
    """
    seed = torch.ones_like(result) if gradient is None else gradient
    sums: dict[tuple[Node, int], Tensor] = {(nodes[0], result.output_nr): seed.detach()}
    for node in nodes:
        about = local[node]
        if about.leaf:
            continue
        outputs = len(node._input_metadata)  # type: ignore[attr-defined]  # as in vjp
        about.asked = [sums.get((node, i)) for i in range(outputs)]
        if all(g is None for g in about.asked):
            continue
        try:
            products = [None if p is None else p.detach() for p in vjp(node, about.asked)]
            reduced = {
                slot: reduce_to(product, shape)[0]
                for slot, shape in about.targets()
                if slot < len(products) and (product := products[slot]) is not None
            }
        except (RuntimeError, TypeError, ValueError):
            continue  # overwritten, freed, of a wrong shape or only for the engine: the pass itself will say so
        about.products = products
        for slot, grad in reduced.items():
            key = node.next_functions[slot]
            sums[key] = sums[key] + grad if key in sums else grad  # type: ignore[index]  # targets() has only edges with a node


def sum_terms(terms: list[Tensor]) -> Tensor:
    """The terms added in order: what fan-in means."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


class _Local:
    """What can be asked of one node alone: its Jacobian, its products, its saved tensors."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.leaf = isinstance(getattr(node, "variable", None), Tensor)
        self.jacobians: dict[tuple[int, int], Tensor] = {}  # (out_nr, slot) → (outputs, inputs)
        self.saved: dict[str, Any] = {}
        self.asked: list[Tensor | None] = []
        self.products: list[Tensor | None] = []

    def targets(self) -> list[tuple[int, torch.Size]]:
        """(slot, shape of that input) of every edge."""
        return [
            (slot, torch.Size(following._input_metadata[nr].shape))  # type: ignore[attr-defined]  # as in vjp
            for slot, (following, nr) in enumerate(self.node.next_functions)
            if following is not None
        ]

    def find_jacobians(self, budget: int) -> int:
        """Row i is the product with the i-th unit vector; returns how many calls of the node it took."""
        if self.leaf:
            return 0
        metadata: Any = self.node._input_metadata  # type: ignore[attr-defined]  # as in vjp
        targets = self.targets()
        used = 0
        for out_nr, about in enumerate(metadata):
            size = torch.Size(about.shape).numel()
            small = [(s, shape) for s, shape in targets if 0 < size * shape.numel() <= MAX_JACOBIAN]
            if not small or used + size > budget or not about.dtype.is_floating_point:
                continue
            rows: dict[int, list[Tensor]] = {slot: [] for slot, _ in small}
            for unit in torch.eye(size, dtype=about.dtype, device=about.device):
                grads: list[Tensor | None] = [
                    torch.zeros(m.shape, dtype=m.dtype, device=m.device) for m in metadata
                ]
                grads[out_nr] = unit.reshape(torch.Size(about.shape))
                used += 1
                try:
                    products = vjp(self.node, grads)
                    for slot, shape in small:
                        product = products[slot] if slot < len(products) else None
                        if product is None or product.is_sparse:
                            rows.pop(slot, None)
                        elif slot in rows:
                            rows[slot].append(reduce_to(product, shape)[0].detach().reshape(-1))
                except (RuntimeError, TypeError, ValueError):
                    return (
                        used  # overwritten, freed or of a wrong shape: the pass itself will say so
                    )
            for slot, found in rows.items():
                if len(found) == size:
                    self.jacobians[out_nr, slot] = torch.stack(found)
        return used

    def product(self, slot: int, incoming: list[Tensor | None]) -> Tensor | None:
        """The bare product of one edge, if it was asked with the gradients that really came in."""
        product = self.products[slot] if slot < len(self.products) else None
        asked = [g for g in self.asked if g is not None]
        came = [g for g in incoming if g is not None]
        same = len(asked) == len(came) and all(map(_close, asked, came))
        return product if same else None  # a hook changed a gradient on its way

    def read_saved(self) -> None:
        self.saved = {} if self.leaf else saved(self.node)
        # copies, since the memory may be written to before they are shown
        for name, value in self.saved.items():
            if isinstance(value, Tensor):
                self.saved[name] = value.detach().clone()


class _Note:
    """What the hooks of one node write down during the pass."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.is_leaf = isinstance(getattr(node, "variable", None), Tensor)
        self.incoming: list[Tensor | None] = []
        self.outgoing: list[Tensor | None] = []
        self.before: Tensor | None = None
        self.after: Tensor | None = None
        self.start = self.seconds = 0.0
        self.done = False

    def before_hook(self, log: list[_Note]) -> Any:
        def prehook(grads: tuple[Tensor | None, ...]) -> None:
            self.incoming = [_copy(g) for g in grads]
            if self.is_leaf:
                self.before = _copy(self.node.variable.grad)  # type: ignore[attr-defined]  # AccumulateGrad has one
            log.append(self)
            self.start = time.perf_counter()

        return prehook

    def after_hook(self) -> Any:
        def hook(grad_inputs: tuple[Tensor | None, ...], _: Any) -> None:
            self.seconds = time.perf_counter() - self.start
            self.outgoing = [_copy(g) for g in grad_inputs]
            self.done = True

        return hook

    def accumulated_hook(self) -> Any:
        def hook(variable: Tensor) -> None:
            self.seconds = time.perf_counter() - self.start
            self.after = _copy(variable.grad)
            self.done = True

        return hook


def _steps(graph: Graph, log: list[_Note], local: Mapping[Node, _Local]) -> tuple[Step, ...]:
    arrived: dict[tuple[Node, int], list[Term]] = {}
    steps: list[Step] = []
    for number, note in enumerate(log):
        node, about = note.node, local[note.node]
        incoming = tuple(
            Incoming(
                i,
                tuple(arrived.get((node, i), [])) or ((Term(-1, 0, g),) if number == 0 else ()),
                g,
            )
            for i, g in enumerate(note.incoming)
            if g is not None
        )
        outgoing: list[Outgoing] = []
        for slot, shape in about.targets():
            following, nr = node.next_functions[slot]
            grad = note.outgoing[slot] if slot < len(note.outgoing) else None
            product = about.product(slot, note.incoming)
            summed = reduce_to(product, shape)[1] if product is not None else ()
            jacobians = {o: j for (o, s), j in about.jacobians.items() if s == slot}
            if following is None:
                continue
            if (
                product is None
                and grad is not None
                and jacobians.keys() >= {i.out_nr for i in incoming}
            ):
                product = sum_terms(
                    [i.total.flatten() @ jacobians[i.out_nr] for i in incoming]
                ).reshape(shape)
            outgoing.append(
                Outgoing(slot, graph.vertex_of(following), nr, jacobians, product, summed, grad)
            )
            if grad is not None:
                arrived.setdefault((following, nr), []).append(Term(number, slot, grad))
        steps.append(
            Step(
                graph.vertex_of(node),
                node.name(),
                incoming,
                tuple(outgoing),
                _saved_notes(about.saved, {} if note.is_leaf else saved(node)),
                note.is_leaf,
                note.before,
                note.after,
                note.seconds,
                not note.done,
            )
        )
    return tuple(steps)


def _saved_notes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Saved, ...]:
    notes: list[Saved] = []
    for name, value in before.items():
        freed = isinstance(after.get(name), RuntimeError)
        parts = list(value) if isinstance(value, tuple) else [value]
        for i, part in enumerate(parts):
            shown = name if len(parts) == 1 else f"{name}[{i}]"
            if isinstance(part, RuntimeError):
                state = "overwritten" if "modified by an inplace" in str(part) else "freed"
                notes.append(Saved(shown, None, str(part).splitlines()[0], state, True))
            elif isinstance(part, Tensor):
                notes.append(Saved(shown, part.detach(), "", "kept", freed))
            else:
                notes.append(Saved(shown, None, repr(part), "kept", freed))
    return tuple(notes)


def _close(a: Tensor, b: Tensor) -> bool:
    if a.is_sparse or b.is_sparse or a.shape != b.shape:
        return False
    return torch.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)


def _copy(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()
