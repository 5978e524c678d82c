"""What lies in memory during one step, operation by operation, told apart by what it is for."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

CATEGORIES = ("parameters", "gradients", "optimizer state", "inputs", "activations", "temporaries")


@dataclass(frozen=True)
class Trace:
    """The memory of one call.

    Attributes:
        peak: bytes at the fullest moment; at: its operation.
        by_category: bytes at that moment.
        lines: per category the bytes after each operation, equally long.
        operations: what ran.
    """

    peak: int
    at: int
    by_category: dict[str, int]
    lines: dict[str, list[int]]
    operations: list[str]


@dataclass(eq=False)
class _Block:
    size: int
    born: int
    died: int = -1  # still there at the end
    category: str = ""
    kept_by_forward: bool = False


@dataclass
class _Tracker(TorchDispatchMode):
    """Watches storages come and go."""

    blocks: dict[int, _Block] = field(default_factory=dict)
    done: list[_Block] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    forward_end: int = -1

    def __post_init__(self) -> None:
        super().__init__()

    def see(self, tensor: torch.Tensor, category: str = "") -> None:
        """Start to follow a tensor's storage, or give it its category."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        block = self.blocks.get(key)
        if block is None:
            block = self.blocks[key] = _Block(storage.nbytes(), len(self.operations))
            weakref.finalize(storage, self._gone, key)
        block.category = category or block.category

    def _gone(self, key: int) -> None:
        block = self.blocks.pop(key, None)
        if block is not None:
            block.died = len(self.operations)
            self.done.append(block)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func._overloadpacket.__name__
        if self.forward_end < 0 and "backward" in name:
            self.forward_end = len(self.operations)
        out = func(*args, **(kwargs or {}))
        self.operations.append(name)
        for tensor in _tensors((out,)):
            self.see(tensor)
        return out


def trace(
    call: Callable[[], Any],
    model: nn.Module,
    inputs: Iterable[torch.Tensor] = (),
    optimizer: Any = None,
) -> Trace:
    """Follow every storage through one call: what lives until backward is an activation, the rest is temporary.

    Storages are counted by their own size; what a kernel takes and gives back inside itself is not seen.
    """
    tracker = _Tracker()
    for p in model.parameters():
        tracker.see(p, "parameters")
        if p.grad is not None:
            tracker.see(p.grad, "gradients")
    for b in model.buffers():
        tracker.see(b, "parameters")
    for x in inputs:
        tracker.see(x, "inputs")
    if optimizer is not None:
        _see_state(tracker, optimizer)
    with tracker:
        kept = call()
    for p in model.parameters():
        if p.grad is not None:
            tracker.see(p.grad, "gradients")
    if optimizer is not None:
        _see_state(tracker, optimizer)
    del kept
    return _summary(tracker)


def _see_state(tracker: _Tracker, optimizer: Any) -> None:
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor):
                tracker.see(value, "optimizer state")


def _summary(tracker: _Tracker) -> Trace:
    steps = len(tracker.operations)
    end = tracker.forward_end if tracker.forward_end >= 0 else steps
    changes = {category: [0] * (steps + 2) for category in CATEGORIES}
    for block in [*tracker.done, *tracker.blocks.values()]:
        died = block.died if block.died >= 0 else steps + 1
        category = block.category
        if not category:
            saved = block.born <= end < died
            category = "activations" if saved else "temporaries"
        changes[category][min(block.born, steps)] += block.size
        changes[category][min(died, steps + 1)] -= block.size
    lines = {c: _running(changes[c][: steps + 1]) for c in CATEGORIES}
    totals = [sum(line[i] for line in lines.values()) for i in range(steps + 1)]
    at = max(range(steps + 1), key=totals.__getitem__)
    return Trace(totals[at], at, {c: lines[c][at] for c in CATEGORIES}, lines, tracker.operations)


def _running(changes: list[int]) -> list[int]:
    out, total = [], 0
    for change in changes:
        total += change
        out.append(total)
    return out


def _tensors(values: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += _tensors(value)
    return found


# what a script needs for `trace`
SOURCE = (Trace, _Block, _Tracker, trace, _see_state, _summary, _running, _tensors)
