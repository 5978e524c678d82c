"""How much work a call is: floating-point operations by formula, bytes by looking, and what no formula counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Work:
    """What one call computes and moves.

    Attributes:
        flops: floating-point operations, a multiply and an add being two.
        moved: bytes of all tensors that operations read and wrote: what would cross the bus without caches.
        by_op: flops per counted operation; by_module: per module and operation.
        calls: how often each counted operation ran.
        uncounted: operations without a formula that do arithmetic, and how often they ran;
            those of `fused` among them hold whole matrix products, so that `flops` is too low.
    """

    flops: int
    moved: int
    by_op: dict[str, int]
    by_module: dict[str, dict[str, int]]
    calls: dict[str, int]
    uncounted: dict[str, int]


def flop_counter():
    """PyTorch's counter, with formulas for what it leaves out or counts wrongly.

    A convolution's gradients each take the products of its forward pass: every place of the kernel times every weight.
    PyTorch's formula (up to 2.15 at least) forgets that groups split the weight's gradient, too.
    """
    import math

    from torch.utils import flop_counter

    def convolution(grad, x, weight, bias, stride, padding, dilation, transposed, *rest, **kwargs):
        places = math.prod((x if transposed else grad)[2:])
        # rest: output_padding, groups, output_mask (of input, weight, bias)
        return 2 * x[0] * places * math.prod(weight) * sum(map(bool, rest[2][:2]))

    def matrices(a, *rest, **kwargs):
        return 2 * math.prod(a)

    def added(total, a, b, *rest, **kwargs):
        # a: (m, k) or (b, m, k); b: (k,) or (b, k, n)
        return 2 * math.prod(a) * (b[-1] if len(b) > 1 else 1)

    def forward(q, k, v, *args, out_shape=None, **kwargs):
        return flop_counter.sdpa_flop_count(q, k, v)

    def backward(grad, q, k, v, *args, out_shape=None, **kwargs):
        return flop_counter.sdpa_backward_flop_count(grad, q, k, v)

    aten = torch.ops.aten
    formulas: dict = {aten.convolution_backward: convolution}
    formulas |= dict.fromkeys((aten.dot, aten.vdot, aten.mv), matrices)
    formulas |= dict.fromkeys((aten.addmv, aten.addbmm), added)
    # attention on the CPU, where this version has no formula of its own
    attention = aten._scaled_dot_product_flash_attention_for_cpu
    if attention not in flop_counter.flop_registry:
        formulas[attention] = forward
        formulas[aten._scaled_dot_product_flash_attention_for_cpu_backward] = backward
    return flop_counter.FlopCounterMode(display=False, custom_mapping=formulas)


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


def fused(uncounted: Mapping[str, int]) -> dict[str, int]:
    """Those of the operations without a formula whose work is matrix products: recurrent layers, fused attention."""
    return {name: n for name, n in uncounted.items() if _FUSED.search(name)}


def left_out(uncounted: Mapping[str, int]) -> str:
    """What the FLOPs are too low by, in a sentence; "" where all products are counted."""
    if not (found := fused(uncounted)):
        return ""
    names = ", ".join(f"`{name.removeprefix('aten.')}` ×{n}" for name, n in found.items())
    return (
        f"**FLOPs are a lower bound here:** no formula counts the matrix products inside {names}, "
        "so FLOP/s and the points under the roofline are too low."
    )


_FUSED = re.compile(
    r"rnn|lstm|gru|attention|transformer|trilinear|cdist|conv|linalg|fft|mm$|linear$"
)


class _Look(TorchDispatchMode):
    """Sees every operation: its bytes, and whether a formula counts it."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()
        self.moved = 0
        self.counted: Counter[str] = Counter()
        self.rest: Counter[str] = Counter()
        self._formulas = counter.flop_registry

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
