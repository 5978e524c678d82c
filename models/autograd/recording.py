"""What PyTorch did while a program ran: every operation, its values, and the backward node it left behind."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Node = torch.autograd.graph.Node


@dataclass(frozen=True)
class Edge:
    """From the vertex that made a value to the one that used it; gradients flow the other way.

    Attributes:
        source, target: indices into `Graph.vertices`.
        out_nr: which output of the source.
        slot: the index into the target's `next_functions`, or -1 where autograd does not follow (a constant, detach, no_grad).
    """

    source: int
    target: int
    out_nr: int
    slot: int


@dataclass(frozen=True)
class Vertex:
    """One box of the drawn graph: a leaf tensor, a constant, or one operation that ran.

    Attributes:
        kind: "leaf" (collects .grad), "constant", "op" (has a backward node) or "untracked" (ran without one).
        name: the backward node's name ("MulBackward0"), the aten operation's, or the leaf's.
        label: the learner's own name for the value, "" when it has none.
        op: the aten operation ("aten.mul.Tensor"); call: the Python function around it ("torch.Tensor.mul").
        line: the learner's line (0: none); turn: which time that line ran, from 1.
        module: dotted path of the module it ran in, "" outside of modules.
        values: by output number, what it put out, copied when it ran.
        marks: of "view", "in-place", "custom", "unused".
        seconds: of the forward call; bytes: of the outputs.
        made_by: the vertex whose backward ran this operation (second order), -1 for the forward pass.
        cut: what took the values out of the graph ("detach", "no_grad", …: see `models.autograd.why`), "" where nothing did.
    """

    index: int
    kind: str
    name: str
    label: str = ""
    op: str = ""
    call: str = ""
    line: int = 0
    turn: int = 1
    module: str = ""
    values: Mapping[int, Tensor] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()
    seconds: float = 0.0
    bytes: int = 0
    made_by: int = -1
    cut: str = ""


@dataclass(frozen=True)
class Read:
    """A tensor that became a plain Python number: by `.item()`, `float()` or an `if`."""

    vertex: int
    line: int
    call: str


@dataclass(frozen=True, eq=False)
class Behind:
    """A write to a tensor's memory of which its graph knows nothing.

    Attributes:
        op, line: as of a `Write`; label: the learner's name of the tensor whose memory it was.
        how: ".data", which the version counter does not notice either, "detach()", "torch.no_grad()" or the like.
        saved: vertices that ran before and keep that memory for their backward.
        leaf: whether it was a leaf's; tensor: what was written to, with its numbers before and after.
    """

    op: str
    line: int
    label: str
    how: str
    saved: tuple[int, ...]
    leaf: bool
    tensor: Tensor
    before: Tensor
    after: Tensor


@dataclass(frozen=True)
class Lost:
    """A write into a copy that nothing uses afterwards.

    Attributes:
        line: the learner's; copy: what made the copy ("index"); of: the name of what was copied, "" without one;
        label: the copy's own name, "" where it has none.
    """

    line: int
    copy: str
    of: str
    label: str


@dataclass(frozen=True)
class Write:
    """One in-place operation: the culprit when a saved tensor was overwritten.

    Attributes:
        op: the aten operation; line: the learner's line; label: the name of the tensor it wrote to.
        before, after: the tensor's version counter around it.
    """

    op: str
    line: int
    label: str
    before: int
    after: int
    storage: int
    time: int


@dataclass(frozen=True, eq=False)
class Graph:
    """Forward and backward of one run: boxes in the order they ran, the edges between them, and autograd's own nodes.

    Attributes:
        nodes: the backward node of each vertex, None for constants and untracked operations.
        root: the vertex that backward starts from, -1 when the result has no graph.
        missing: names of backward nodes whose forward value was not seen (none, in every known case).
        reads, behind, lost: numbers taken out, writes that autograd did not notice, writes that nobody sees.
    """

    vertices: tuple[Vertex, ...]
    edges: tuple[Edge, ...]
    nodes: tuple[Node | None, ...]
    root: int
    root_out: int
    writes: tuple[Write, ...]
    missing: tuple[str, ...]
    reads: tuple[Read, ...]
    behind: tuple[Behind, ...]
    lost: tuple[Lost, ...]
    _index: Mapping[Node, int] = field(repr=False)
    _inputs: Mapping[int, tuple[tuple[Tensor, int, int], ...]] = field(repr=False)

    def vertex_of(self, node: Node) -> int:
        """The index of a backward node's vertex, -1 for a node made later."""
        return self._index.get(node, -1)

    def culprits(self, vertex: int) -> tuple[Write, ...]:
        """In-place operations that changed, after this vertex ran, a tensor that it read or made: who broke it.

        PyTorch's own message names the victim only; this names the line that wrote.
        """
        kept = self._inputs.get(vertex, ())
        return tuple(
            w for w in self.writes if any(w.storage == s and w.time > t for _, s, t in kept)
        )


class Recorder:
    """Watches a program: `with Recorder() as r: loss = f()`, then `r.graph(loss)`.

    Values come from a dispatch mode, which stands below autograd: an output has no `grad_fn` yet
    while its own operation ends, so it is read when the next operation starts. The learner's own
    function names come from a function mode above autograd.

    Args:
        where: the number of the learner's line that runs now.
        leaves: the learner's named tensors, drawn even when nothing uses them.
        module: a network whose submodules name the operations that run inside them.
    """

    def __init__(
        self,
        where: Callable[[], int] = lambda: 0,
        leaves: Mapping[str, Tensor] | None = None,
        module: nn.Module | None = None,
    ) -> None:
        self.where = where
        self.leaves = dict(leaves or {})
        if module is not None:
            self.leaves |= {**dict(module.named_parameters()), **dict(module.named_buffers())}
        self.ops: list[_Op] = []
        self.writes: list[_Written] = []
        self.names: list[tuple[str, Tensor, Node | None, int]] = []
        self.turns: dict[int, int] = {}
        self.calls: list[Any] = []  # functions that are open, the learner's own first
        self.given: list[Tensor] = []  # what `torch.tensor` copies numbers from
        self.bytes = 0  # of all copies made so far
        self.making: Node | None = None  # the backward node that runs now
        self._module = module
        self._modules: list[str] = []
        self._exit = ExitStack()

    def __enter__(self) -> Recorder:
        if self._module is not None:
            self._watch(self._module)
        self._exit.enter_context(_Functions(self))
        self._below = self._exit.enter_context(_Dispatch(self))
        return self

    def __exit__(self, *error: Any) -> None:
        # first of all: what looks at the last operation is not part of the program
        self._exit.close()
        self._below.flush()
        for op in self.ops:  # outputs that a custom Function adopted after its last operation
            op.late = [
                (late, o.output_nr, v)
                for o, v, (node, _, _) in zip(op.outputs, op.values, op.claims, strict=False)
                if node is None and (late := _node(o)) is not None
            ]

    def begin_line(self, line: int) -> None:
        """A line of the program starts (again); loops run a line several times."""
        self.turns[line] = self.turns.get(line, 0) + 1

    def name(self, label: str, value: Any) -> None:
        """The learner calls this value `label` from here on."""
        if isinstance(value, Tensor):
            self.names.append((label, value, _node(value), value.output_nr))

    @contextmanager
    def first_order(self, result: Tensor) -> Iterator[None]:
        """Around a backward pass with `create_graph`: new operations are tied to the node that ran them."""
        handles: list[Any] = []

        def enter(node: Node) -> Callable[..., None]:
            return lambda *_: setattr(self, "making", node)

        for node in topological(start(result)):
            # until the next node starts: the sums at fan-ins belong to the node that sent the last term
            handles.append(node.register_prehook(enter(node)))
        try:
            yield
        finally:
            self.making = None
            for handle in handles:
                handle.remove()

    def graph(self, result: Tensor | None) -> Graph:
        """Everything recorded, with the backward graph below `result`."""
        return _Builder(self).build(result)

    def _watch(self, module: nn.Module) -> None:
        # a weak reference: the hooks live as long as this recording
        me = weakref.ref(self)

        def enter(name: str) -> Callable[..., None]:
            return lambda *_: me()._modules.append(name)  # type: ignore[union-attr]  # alive inside its own with block

        def leave(*_: Any) -> None:
            me()._modules.pop()  # type: ignore[union-attr]  # alive inside its own with block

        for name, part in module.named_modules():
            if name:
                self._exit.callback(part.register_forward_pre_hook(enter(name)).remove)
                self._exit.callback(part.register_forward_hook(leave, always_call=True).remove)


def start(result: Tensor | None) -> Node | None:
    """The node that a backward pass from `result` runs first: of a leaf, the one that fills its `.grad`."""
    if result is None or not result.requires_grad:
        return None
    return torch.autograd.graph.get_gradient_edge(result).node


def topological(root: Node | None) -> list[Node]:
    """Every backward node below `root`, each after all nodes that send it a gradient.

    Keep the list: a node's Python wrapper, and so its identity, lives only while it is held.
    """
    seen: set[Node] = set()
    order: list[Node] = []
    stack: list[tuple[Node | None, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        if node is None:
            continue
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(following, False) for following, _ in node.next_functions]
    return order[::-1]


def is_custom(node: Node) -> bool:
    """Whether it belongs to an autograd.Function written in Python; such a node is called by `apply`."""
    return isinstance(node, torch.autograd.function.BackwardCFunction)


def version(tensor: Tensor) -> int:
    """How often this tensor's memory was written to, or -1 where PyTorch does not count (inference mode)."""
    return -1 if tensor.is_inference() else tensor._version


@dataclass(eq=False)
class _Op:
    """One aten operation as the dispatcher saw it."""

    name: str
    call: str
    line: int
    turn: int
    module: str
    inputs: list[Tensor]
    made_by: Node | None
    tracked: bool = False  # whether an input required grad
    off: str = ""  # what had switched recording off
    seconds: float = 0.0
    outputs: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    writes: bool = False
    view: bool = False
    # one per output (node, output number, value), then those of written bases
    claims: list[tuple[Node | None, int, Tensor]] = field(default_factory=list)
    late: list[tuple[Node, int, Tensor]] = field(default_factory=list)


@dataclass(eq=False)
class _Written:
    """One in-place operation on one tensor, with the tensors that require grad and share its memory."""

    op: _Op
    tensor: Tensor
    version: int
    before: Tensor
    # each with its version before
    others: list[tuple[Tensor, int]]
    after_version: int = 0
    after: Tensor | None = None
    found: tuple[Tensor, str] | None = None

    def behind(self) -> tuple[Tensor, str] | None:
        """A tensor whose graph does not know of this write, and how it went round it."""
        for tensor, before in self.others:
            if version(tensor) == before:
                return tensor, ".data"
        if self.op.off or not self.tensor.requires_grad:
            known = [t for t, _ in self.others if _node(t) is not None]
            return (
                (known[0], f"torch.{self.op.off}()" if self.op.off else "detach()")
                if known
                else None
            )
        return None


class _Functions(TorchFunctionMode):
    """Keeps the stack of Python-level functions: `torch.nn.functional.cross_entropy` around its aten operations."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        recorder = self.recorder
        recorder.calls.append(func)
        if func in _COPYING:
            recorder.given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        try:
            return func(*args, **(kwargs or {}))
        finally:
            recorder.calls.pop()


# read their tensors' numbers below everything that can be watched
_COPYING = (torch.tensor, torch.as_tensor)


def _function_name(func: Any) -> str:
    # resolve_name walks a cached table; property getters have no entry there
    return resolve_name(func) or getattr(func, "__name__", str(func))


class _Dispatch(TorchDispatchMode):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder
        self.pending: _Op | None = None
        self.written: list[_Written] = []
        self.sharing: dict[int, list[Tensor]] = {}  # by storage, every tensor seen

    def flush(self) -> None:
        """The last operation is over: autograd has given its outputs their nodes by now."""
        op, self.pending = self.pending, None
        if op is None:
            return
        for out, value in zip(op.outputs, op.values, strict=True):
            op.claims.append((_node(out), out.output_nr, value))
            if op.writes and out._is_view() and out._base is not None:
                base = out._base  # an in-place write to a view: its node (CopySlices) is the base's
                if base.grad_fn is not None:
                    op.claims.append((base.grad_fn, base.output_nr, base.detach().clone()))
        written, self.written = self.written, []
        for write in written:
            write.after_version = version(write.tensor)
            write.found = write.behind()
            write.after = _copy(write.tensor) if write.found else None
            self.recorder.writes.append(write)
        for tensor in [*op.inputs, *op.outputs]:
            known = self.sharing.setdefault(_storage(tensor), [])
            if not any(t is tensor for t in known):
                known.append(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.flush()
        kwargs = kwargs or {}
        recorder = self.recorder
        line = recorder.where()
        inputs = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if recorder.calls and recorder.calls[0] in _COPYING and "lift_fresh" in str(func):
            inputs = list(recorder.given) or inputs
        op = _Op(
            str(func),
            _function_name(recorder.calls[0]) if recorder.calls else "",
            line,
            recorder.turns.get(line, 1),
            recorder._modules[-1] if recorder._modules else "",
            inputs,
            recorder.making,
            any(t.requires_grad for t in inputs),
            "inference_mode"
            if torch.is_inference_mode_enabled()
            else ""
            if torch.is_grad_enabled()
            else "no_grad",
        )
        for argument, value in zip(func._schema.arguments, args, strict=False):
            alias = argument.alias_info
            if alias is not None and isinstance(value, Tensor):
                op.writes |= alias.is_write
                op.view |= not alias.is_write
                if alias.is_write:
                    others = self.sharing.get(_storage(value), [])
                    watched = [(t, version(t)) for t in others if t.requires_grad]
                    self.written.append(_Written(op, value, version(value), _copy(value), watched))
        start = time.perf_counter()
        out = func(*args, **kwargs)
        op.seconds = time.perf_counter() - start
        op.outputs = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
        op.values = [_copy(t) for t in op.outputs]
        recorder.bytes += sum(t.numel() * t.element_size() for t in op.values)
        recorder.ops.append(op)
        self.pending = op
        return out


class _Builder:
    """Turns recorded operations into vertices and edges."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.vertices: list[dict[str, Any]] = []
        self.nodes: list[Node | None] = []
        self.index: dict[Node, int] = {}
        self.leaves: dict[int, int] = {}  # id of a live tensor → vertex
        self.producer: dict[int, tuple[int, int]] = {}  # id of a live tensor → vertex, out_nr
        self.by_storage: dict[int, tuple[int, int]] = {}
        self.edges: dict[tuple[int, int, int, int], Edge] = {}
        self.inputs: dict[int, tuple[tuple[Tensor, int, int], ...]] = {}
        self.reads: list[Read] = []

    def build(self, result: Tensor | None) -> Graph:
        recorder = self.recorder
        for name, tensor in recorder.leaves.items():
            self.leaf(tensor, name)
        for when, op in enumerate(recorder.ops):
            self.operation(op, when)
        order = topological(start(result))
        for node in order:
            variable = getattr(node, "variable", None)
            if isinstance(variable, Tensor) and not node.next_functions:
                self.index[node] = at = self.leaf(variable, "")
                self.nodes[at] = node
            elif node not in self.index:
                self.renewed(node)
        if result is not None:
            at = self.index.get(result.grad_fn) if result.grad_fn is not None else None
            if at is not None:
                self.vertices[at]["values"].setdefault(result.output_nr, result.detach().clone())
        for node, target in list(self.index.items()):
            for slot, (following, out_nr) in enumerate(node.next_functions):
                if following is not None and self.index.get(following) is None:
                    variable = getattr(following, "variable", None)
                    if isinstance(variable, Tensor):
                        self.index[following] = at = self.leaf(variable, "")
                        self.nodes[at] = following
                if following is not None and following in self.index:
                    self.edge(self.index[following], target, out_nr, slot)
        root, root_out = self.root(result)
        self.label(result)
        self.marks(root, order)
        missing = tuple(n.name() for n in order if not self.vertices[self.index[n]]["values"])
        names = {id(t): label for label, t, _, _ in recorder.names} | {
            id(t): label for label, t in recorder.leaves.items()
        }
        when = {id(op): i for i, op in enumerate(recorder.ops)}
        # a view that has no name is called after what it looks into
        memory = {_storage(t): label for label, t in reversed(recorder.leaves.items())}
        for label, tensor, _, _ in reversed(recorder.names):
            memory[_storage(tensor)] = label
        labels = [
            names.get(id(w.tensor)) or memory.get(_storage(w.tensor), "") for w in recorder.writes
        ]
        writes = tuple(
            Write(
                w.op.name,
                w.op.line,
                label,
                w.version,
                w.after_version,
                _storage(w.tensor),
                when[id(w.op)],
            )
            for w, label in zip(recorder.writes, labels, strict=True)
        )
        vertices = tuple(
            Vertex(i, marks=frozenset(v.pop("marks")), **v) for i, v in enumerate(self.vertices)
        )
        edges = tuple(sorted(self.edges.values(), key=lambda e: (e.target, e.slot, e.source)))
        return Graph(
            vertices,
            edges,
            tuple(self.nodes),
            root,
            root_out,
            writes,
            missing,
            tuple(self.reads),
            tuple(self.behind(when, names)),
            tuple(self.lost(when, names, memory, result)),
            self.index,
            self.inputs,
        )

    def add(self, node: Node | None, **about: Any) -> int:
        at = len(self.vertices)
        self.vertices.append({"values": {}, "marks": set(), **about})
        self.nodes.append(node)
        if node is not None:
            self.index[node] = at
        return at

    def renewed(self, node: Node) -> None:
        """The new node of a view whose base was changed in place after the view was taken."""
        for op in self.recorder.ops:
            for out in op.outputs:
                if out.requires_grad and out._is_view() and _node(out) is node:
                    names = [label for label, tensor, _, _ in self.recorder.names if tensor is out]
                    about = {
                        "line": op.line,
                        "turn": op.turn,
                        "module": op.module,
                        "op": op.name,
                        "call": op.call,
                    }
                    at = self.add(
                        node, kind="op", name=node.name(), label=names[-1] if names else "", **about
                    )
                    self.vertices[at]["marks"] = {"view"}
                    self.vertices[at]["values"] = {out.output_nr: _copy(out)}
                    return
        self.add(node, kind="op", name=node.name())

    def edge(self, source: int, target: int, out_nr: int, slot: int) -> None:
        self.edges.setdefault((source, target, out_nr, slot), Edge(source, target, out_nr, slot))

    def leaf(self, tensor: Tensor, name: str) -> int:
        known = self.leaves.get(id(tensor))
        if known is not None:
            return known
        at = self.leaves[id(tensor)] = self.add(
            None,
            kind="leaf" if tensor.requires_grad else "constant",
            name=name or ("parameter" if isinstance(tensor, nn.Parameter) else "tensor"),
            label=name,
            values={0: _copy(tensor)},
            bytes=tensor.numel() * tensor.element_size(),
        )
        self.producer.setdefault(id(tensor), (at, 0))
        self.by_storage.setdefault(_storage(tensor), (at, 0))
        return at

    def operation(self, op: _Op, when: int) -> None:
        about = {
            "op": op.name,
            "call": op.call,
            "line": op.line,
            "turn": op.turn,
            "module": op.module,
            "made_by": self.index.get(op.made_by, -1) if op.made_by is not None else -1,
            "seconds": op.seconds,
            "bytes": sum(t.numel() * t.element_size() for t in op.values),
        }
        marks = ({"in-place"} if op.writes else set()) | ({"view"} if op.view else set())
        targets: list[int] = []
        fresh: dict[Node, int] = {}
        for node, out_nr, value in [*op.claims, *op.late]:
            if node is None:
                continue
            custom = is_custom(node)
            if custom and node in self.index:  # one of several outputs of the same Function
                fresh[node] = self.index[node]
            if node not in self.index:
                fresh[node] = self.add(
                    node,
                    kind="op",
                    name=node.name(),
                    **about,
                    marks=marks | ({"custom"} if custom else set()),
                )
            if node in fresh:
                self.vertices[fresh[node]]["values"].setdefault(out_nr, value)
        targets = list(fresh.values())
        cut = "" if targets else _cut(op)
        if not targets:
            if not op.outputs:
                source = self.origin(op.inputs[0]) if op.inputs else None
                if source is not None and op.tracked:
                    self.reads.append(Read(source[0], op.line, _short(op.call)))
                return
            if op.name in _INVISIBLE and not op.call.endswith(".detach") and not cut:
                source = self.origin(op.inputs[0])
                if source is not None:
                    for out in op.outputs:
                        self.producer[id(out)] = source
                return
            targets = [
                self.add(
                    None,
                    kind="untracked",
                    name=op.name,
                    # what the learner wrote, where PyTorch's own name tells nobody anything
                    **(about | {"op": "aten.tensor.default"} if cut == "torch.tensor" else about),
                    marks=marks,
                    values=dict(enumerate(op.values)),
                    cut=cut,
                )
            ]
        for tensor in op.inputs:
            source = self.origin(tensor)
            if source is None:
                source = self.leaf(tensor, ""), 0
            for target in targets:
                kind = self.vertices[source[0]]["kind"]
                # indices and masks have no gradient, whatever put them out
                slope = tensor.is_floating_point() or tensor.is_complex()
                follows = slope and self.vertices[target]["kind"] == "op" and kind in ("leaf", "op")
                if source[0] != target and not follows:
                    self.edge(source[0], target, source[1], -1)
        kept = tuple((t, _storage(t), when) for t in [*op.inputs, *op.outputs])
        for target in targets:
            self.inputs[target] = kept
        for out_nr, out in enumerate(op.outputs):
            node = _node(out)
            claimed = self.index.get(node) if node is not None else None
            at = claimed if claimed is not None and claimed in targets else targets[0]
            if id(out) in self.leaves and out.is_leaf and out.requires_grad:
                continue  # an update under no_grad: the leaf stays a leaf
            self.producer[id(out)] = at, (out.output_nr if claimed in targets else out_nr)
            if op.writes:
                self.by_storage[_storage(out)] = self.producer[id(out)]
                if out._is_view() and out._base is not None:
                    self.producer[id(out._base)] = targets[-1], 0

    def behind(self, when: Mapping[int, int], names: Mapping[int, str]) -> Iterator[Behind]:
        """Writes to memory that an operation with a node had read or made before, unknown to its graph."""
        for write in self.recorder.writes:
            if write.found is None or write.after is None:
                continue
            (tensor, how), at, now = write.found, _storage(write.tensor), when[id(write.op)]
            before = [
                v for v, kept in self.inputs.items()
                if self.nodes[v] is not None and any(s == at and t < now for _, s, t in kept)
            ]  # fmt: skip
            if before:
                saved = tuple(v for v in before if _keeps(self.nodes[v], at))
                label = names.get(id(tensor), "")
                yield Behind(write.op.name, write.op.line, label, how, saved, _node(tensor) is None,
                             write.tensor, write.before, write.after)  # fmt: skip

    def lost(
        self,
        when: Mapping[int, int],
        names: Mapping[int, str],
        memory: Mapping[int, str],
        result: Tensor | None,
    ) -> Iterator[Lost]:
        """Writes into a copy, where nothing reads that memory afterwards."""
        ops = self.recorder.ops
        last = {_storage(t): i for i, op in enumerate(ops) for t in op.inputs}
        made: dict[int, _Op] = {}
        for op in ops:
            for t in op.outputs:
                made.setdefault(_storage(t), op)
        keep = {_storage(t) for t in self.recorder.leaves.values()}
        keep |= {_storage(result)} if result is not None else set()
        for write in self.recorder.writes:
            at = _storage(write.tensor)
            maker = made.get(at)
            if maker is None or maker is write.op or at in keep or last[at] > when[id(write.op)]:
                continue
            if not maker.inputs or (at in memory and maker.name.split(".")[1] not in _COPIES):
                continue
            source = maker.inputs[0]
            of = names.get(id(source)) or memory.get(_storage(source), "")
            yield Lost(
                write.op.line,
                _short(maker.call).replace("getitem", "indexing") or maker.name,
                of,
                memory.get(at, ""),
            )

    def origin(self, tensor: Tensor) -> tuple[int, int] | None:
        return self.producer.get(id(tensor)) or (
            self.by_storage.get(_storage(tensor)) if tensor._is_view() else None
        )

    def root(self, result: Tensor | None) -> tuple[int, int]:
        if result is None:
            return -1, 0
        node = start(result)
        if node is not None:
            return self.index[node], result.output_nr
        return (self.origin(result) or (-1, 0))[0], 0

    def label(self, result: Tensor | None) -> None:
        for label, tensor, node, _ in self.recorder.names:
            at = self.index.get(node) if node is not None else None
            if at is None:
                known = self.producer.get(id(tensor))
                at = known[0] if known else None
            if at is not None and self.vertices[at]["kind"] not in ("leaf", "constant"):
                self.vertices[at].setdefault("label", "")
                if not self.vertices[at]["label"]:
                    self.vertices[at]["label"] = label

    def marks(self, root: int, order: list[Node]) -> None:
        sources: dict[int, list[int]] = {}
        for edge in self.edges.values():
            sources.setdefault(edge.target, []).append(edge.source)
        used: set[int] = set()
        stack = [root]
        while stack:
            at = stack.pop()
            if at not in used:
                used.add(at)
                stack += sources.get(at, [])
        for at, vertex in enumerate(self.vertices):
            if at not in used:
                vertex["marks"] = {*vertex["marks"], "unused"}


# bookkeeping that a learner did not write: no box for it unless a gradient is cut there
_INVISIBLE = frozenset({"aten.detach.default", "aten.lift_fresh.default", "aten.alias.default"})


# what a learner may take for a look into the same memory
_COPIES = frozenset(
    {"index", "clone", "_to_copy", "masked_select", "index_select", "gather", "take", "repeat"}
)
_SHAPES = ("_like.", "aten.new_")


def _cut(op: _Op) -> str:
    """What took this operation's result out of the graph, a key of `why.CUTS`; "" where there was nothing to take."""
    if not op.tracked:
        return ""
    for ending, cut in (
        (".detach", "detach"),
        (".data.__get__", ".data"),
        ("torch.tensor", "torch.tensor"),
        ("as_tensor", "torch.tensor"),
    ):
        if op.call.endswith(ending):
            return cut
    if op.name in _INVISIBLE:
        return ""
    if any(part in op.name for part in _SHAPES):
        return "shape"
    if op.off:
        return op.off
    dtypes = {t.dtype for t in op.values}
    if dtypes == {torch.bool}:
        return "comparison"
    if not any(d.is_floating_point or d.is_complex for d in dtypes):
        return "integer" if "_to_copy" in op.name else "index"
    # an operation on what requires grad leaves a node, unless somebody took it away
    return "detach_" if op.outputs and not op.outputs[0].requires_grad else "other"


def _short(call: str) -> str:
    return call.removesuffix(".__get__").rsplit(".", 1)[-1].strip("_")


def _node(tensor: Tensor) -> Node | None:
    """A tensor's backward node; None for a view made under no_grad whose base has been written to, which may not be asked."""
    try:
        return tensor.grad_fn
    except RuntimeError:
        return None


def _keeps(node: Node | None, storage: int) -> bool:
    """Whether a node saved a tensor in this memory; one that was overwritten cannot be read, and counts."""
    names = (
        ["saved_tensors"]
        if node is not None and is_custom(node)
        else [n for n in dir(node) if n.startswith("_saved_")]
    )
    for name in names:
        try:
            found = tree_leaves(getattr(node, name))
        except RuntimeError:
            return True
        if any(isinstance(t, Tensor) and _storage(t) == storage for t in found):
            return True
    return False


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone()


def _storage(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):  # batched and sparse tensors have no plain storage
        return id(tensor)
