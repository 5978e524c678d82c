"""How much work a call is: floating-point operations by formula, bytes by looking, and what no formula counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry


@dataclass(frozen=True)
class Work:
    """What one call computes and moves.

    Attributes:
        flops: floating-point operations, a multiply and an add being two.
        moved: bytes of all tensors that operations read and wrote: what would cross the bus without caches.
        by_op: flops per counted operation; by_module: per module and operation.
        calls: how often each counted operation ran.
        uncounted: operations without a formula that do arithmetic, and how often they ran.
    """

    flops: int
    moved: int
    by_op: dict[str, int]
    by_module: dict[str, dict[str, int]]
    calls: dict[str, int]
    uncounted: dict[str, int]


def flop_counter():
    """PyTorch's counter, with formulas for attention on the CPU where this version has none."""
    from torch.utils import flop_counter

    def forward(q, k, v, *args, out_shape=None, **kwargs):
        return flop_counter.sdpa_flop_count(q, k, v)

    def backward(grad, q, k, v, *args, out_shape=None, **kwargs):
        return flop_counter.sdpa_backward_flop_count(grad, q, k, v)

    aten = torch.ops.aten
    wanted = {
        "_scaled_dot_product_flash_attention_for_cpu": forward,
        "_scaled_dot_product_flash_attention_for_cpu_backward": backward,
    }
    known = flop_counter.flop_registry
    missing = {
        getattr(aten, name): f for name, f in wanted.items() if getattr(aten, name) not in known
    }
    return flop_counter.FlopCounterMode(display=False, custom_mapping=missing)


def count(call: Callable[[], Any]) -> Work:
    """The work of one call; it really runs. For workers only: the counter's hooks are global to the process."""
    counter = flop_counter()
    look = _Look(counter)
    with look, counter:
        call()
    counts = counter.get_flop_counts()
    whole = {str(op): int(n) for op, n in counts.get("Global", {}).items()}
    modules = {
        name: {str(op): int(n) for op, n in ops.items()}
        for name, ops in counts.items()
        if name != "Global"
    }
    return Work(
        int(counter.get_total_flops()),
        look.moved,
        whole,
        modules,
        dict(look.counted),
        dict(look.rest),
    )


class _Look(TorchDispatchMode):
    """Sees every operation: its bytes, and whether a formula counts it."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()
        self.moved = 0
        self.counted: Counter[str] = Counter()
        self.rest: Counter[str] = Counter()
        self._formulas = {*flop_registry, *counter.flop_registry}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        name = str(packet)
        if packet in self._formulas:
            self.counted[name] += 1
        elif not _free(func):
            self.rest[name] += 1
        if not _free(func):
            self.moved += sum(map(_bytes, _tensors(args))) + sum(map(_bytes, _tensors((out,))))
        return out


def _free(func: Any) -> bool:
    """Whether an operation only looks at its input from another side, or reserves memory."""
    return bool(func.is_view or func.namespace != "aten" or func._overloadpacket.__name__ in _FREE)


_FREE = {"detach", "empty", "empty_like", "empty_strided", "_local_scalar_dense", "_unsafe_view", "new_empty", "new_empty_strided"}  # fmt: skip


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _tensors(values: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += _tensors(value)
    return found
