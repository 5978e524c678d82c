"""What a call would cost, found before anything is computed: the first and friendly refusal.

It may be wrong; what really holds is that expressions are evaluated in a process that can be ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map

from models.core.spec import SpecError


@dataclass(frozen=True)
class Limits:
    """What one expression may use; refused before anything is computed or allocated.

    Attributes:
        characters, nodes, depth: size of the text and of its syntax tree.
        items: entries of all written lists and tuples together.
        step_bytes, total_bytes: memory of one result, and of all results of the expression.
        operations: floating-point operations of one step; what has no fast kernel counts more.
    """

    characters: int = 1000
    nodes: int = 400
    depth: int = 40
    items: int = 1000
    step_bytes: int = 128 * 2**20
    total_bytes: int = 512 * 2**20
    operations: float = 3e10


LIMITS = Limits()


@dataclass(frozen=True)
class Cost:
    """Shapes of the results, bytes of everything allocated on the way (and of the largest), operations."""

    shapes: tuple[tuple[int, ...], ...]
    bytes: int
    largest: int
    operations: float


def cost(call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Cost:
    """What a call would make, found on `device="meta"`: nothing is computed or allocated.

    Raises whatever PyTorch raises for these shapes; NotImplementedError where the shape depends on values.
    """
    meter = _Meter()
    busy = (
        torch._C._len_torch_dispatch_stack()
    )  # someone is recording: our meta calls are not theirs
    apart = _disable_current_modes() if busy else nullcontext()
    with apart, torch._C.DisableTorchFunction(), torch.no_grad():
        made, kept = tree_map(_to_meta, (tuple(args), dict(kwargs)))
        with meter:
            out = call(*made, **kept)
    result = [t for t in tree_flatten(out)[0] if isinstance(t, torch.Tensor)]
    return Cost(tuple(tuple(t.shape) for t in result), meter.bytes, meter.largest, meter.operations)


def show_bytes(count: float) -> str:
    """A size as people say it: 512 B, 1.5 KB, 64 MB, 4 TB."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.0f} PB"


class _Meter(TorchDispatchMode):
    """Adds up what kernels would allocate and multiply."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return (
            False  # PyTorch's default wraps the method below and imports torch._dynamo for it: 3 s
        )

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self.largest = 0
        self.operations = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [a for a in tree_flatten((args, kwargs))[0] if isinstance(a, torch.Tensor)]
        view = any(r.alias_info is not None for r in func._schema.returns)
        for made in tree_flatten(out)[0]:
            if isinstance(made, torch.Tensor) and not view:
                size = made.numel() * made.element_size()
                self.bytes += size
                self.largest = max(self.largest, size)
                name = func.overloadpacket._qualified_op_name
                self.operations += _operations(name, args, tensors, made)
        return out


def _operations(
    name: str, args: Sequence[Any], tensors: list[torch.Tensor], made: torch.Tensor
) -> float:
    """About how many operations a kernel runs, a multiply and an add being two; arithmetic that is slow counts more."""
    short = name.split("::")[-1]
    cells = max([made.numel(), *(t.numel() for t in tensors)])
    if (formula := _counted().get(short)) is not None:
        with suppress(Exception):  # a formula of another version of PyTorch takes other arguments
            return float(formula(*args, out_val=made)) * _slowness(tensors)
    if short.startswith(
        ("linalg_", "_linalg_", "cholesky", "linalg", "matrix_exp", "lu_", "geqrf")
    ):
        widest = max((max(t.shape, default=1) for t in tensors), default=1)
        return 25.0 * cells * widest
    if short.startswith(("avg_pool", "max_pool")) and len(args) > 1:
        return 2.0 * made.numel() * _window(args[1], short)
    if short in ("mv", "addmv", "dot", "vdot") and tensors:
        return 2.0 * cells * _slowness(tensors)
    if short.startswith(("_cdist", "_pdist")) and tensors:
        return 3.0 * made.numel() * tensors[0].shape[-1]
    if short in (
        "sort",
        "topk",
        "kthvalue",
        "median",
        "nanmedian",
        "mode",
        "unique_dim",
        "_unique2",
        "searchsorted",
    ):
        return 10.0 * cells * max(1.0, math.log2(max(cells, 2)))
    return 10.0 * cells * (2.0 if any(t.dtype in _HALF for t in tensors) else 1.0)


_HALF = (torch.float16, torch.bfloat16)


@cache
def _counted() -> Mapping[str, Callable[..., Any]]:
    """PyTorch's own formulas by the kernel's short name: products of matrices, convolutions, attention."""
    from torch.utils.flop_counter import flop_registry

    return {
        getattr(packet, "_qualified_op_name", "").split("::")[-1]: formula
        for packet, formula in flop_registry.items()
    }


def _slowness(tensors: Sequence[torch.Tensor]) -> float:
    """How much longer a product takes than one of float32: others than float32 and float64 have no fast kernels."""
    if any(t.dtype not in (torch.float32, torch.float64) for t in tensors):
        return 30.0
    return 1.0


def _window(kernel: Any, short: str) -> int:
    """Cells under a pooling kernel; one number stands for all dims."""
    sizes = list(kernel) if isinstance(kernel, (list, tuple)) else [kernel]
    dims = next((int(c) for c in short if c.isdigit()), 1)
    return math.prod(int(n) for n in (sizes * dims if len(sizes) == 1 else sizes))


def _to_meta(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
    return value


def _to_meta_but_numbers(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return value.detach().item()
    return value


def memory(tensor: torch.Tensor) -> tuple[int, int]:
    """Which memory a tensor stands on, and its bytes; inside torch.func a wrapped tensor shows none of its own."""
    try:
        storage = tensor.untyped_storage()
    except NotImplementedError:
        return id(tensor), tensor.numel() * tensor.element_size()
    return storage._cdata, storage.nbytes()


def _tiny(values: Any) -> bool:
    """Whether even the product of all sizes (an outer product of everything) stays small; a size of 0 counts as 1."""
    sizes = [
        math.prod(max(n, 1) for n in t.shape)
        for t in tree_flatten(values)[0]
        if isinstance(t, torch.Tensor)
    ]
    numbers = [abs(v) for v in tree_flatten(values)[0] if isinstance(v, int)]
    return (
        max(sizes, default=1) <= 4096
        and math.prod(sizes) <= 2**22
        and max(numbers, default=0) <= 4096
    )


def afford(
    name: str,
    call: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    limits: Limits,
    spent: int,
) -> str:
    """Why a call is too large to be made, "" when it may be; raises what PyTorch says to these shapes in a dry run.

    Args:
        spent: bytes of all that the expression has made so far.
    """
    short = name.split(".")[-1]
    if short not in _GROWING and _tiny((args, kwargs)):
        return ""  # nothing large can come of it; PyTorch's Python meta kernels take 3 s to import
    if too_many := _pieces(short, args, kwargs, limits):
        return too_many
    if name.startswith("torch.") and short in _FACTORIES:
        kwargs = {**kwargs, "device": "meta"}
    try:
        price = cost(call, args, kwargs)
    except Exception:  # the shape depends on values, or the shapes don't fit
        if short not in _GROWING:
            return _read(name, args, kwargs, limits)
        args, kwargs = tree_map(_to_meta_but_numbers, (list(args), kwargs))
        price = cost(call, args, kwargs)
    if price.largest > limits.step_bytes or price.bytes > limits.total_bytes:
        size = max(price.largest, price.bytes)
        shapes = ", ".join(map(str, price.shapes[:2]))
        return (
            f"{name} would make {shapes}: {show_bytes(size)}, and one step may use "
            f"{show_bytes(limits.step_bytes)}. Nothing was computed; use smaller sizes."
        )
    if price.operations > limits.operations:
        return (
            f"{name} would take about {price.operations:.1e} operations; the most is {limits.operations:.0e}. "
            "Use smaller sizes."
        )
    if spent + price.bytes > limits.total_bytes:
        return over(spent + price.bytes, limits)
    return _read(name, args, kwargs, limits) if price.operations else ""


def over(spent: int, limits: Limits) -> str:
    """What is said when the steps together take too much."""
    return (
        f"All steps together would use {show_bytes(spent)}; the most is "
        f"{show_bytes(limits.total_bytes)}. Use smaller sizes."
    )


def _read(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], limits: Limits) -> str:
    """A tensor that was expanded has more cells than memory, and a kernel may go through (or copy) all of them."""
    for t in tree_flatten((args, kwargs))[0]:
        if isinstance(t, torch.Tensor) and t.numel() * t.element_size() > limits.step_bytes:
            return (
                f"{name} would go through {t.numel():,} cells of shape {tuple(t.shape)}: "
                f"{show_bytes(t.numel() * t.element_size())}, and one step may use {show_bytes(limits.step_bytes)}. "
                "Nothing was computed; use smaller sizes."
            )
    return ""


def _pieces(short: str, args: Sequence[Any], kwargs: Mapping[str, Any], limits: Limits) -> str:
    """Each piece of a tensor is a tensor, so that a million of them takes a gigabyte whatever they hold."""
    tensor = args[0] if args else kwargs.get("input")
    if short not in _CUTTING or not isinstance(tensor, torch.Tensor) or not tensor.dim():
        return ""
    given = dict(zip(_CUTTING[short], args[1:], strict=False)) | dict(kwargs)
    dim, size = given.get("dim", 0), given.get("size")
    if size is None:
        size = given.get("split_size", given.get("split_size_or_sections"))
    if not isinstance(dim, int) or not -tensor.dim() <= dim < tensor.dim():
        return ""
    length = tensor.shape[dim]
    if short == "unbind" or short == "tolist":
        count = length if short == "unbind" else tensor.numel()
    elif short == "split" and isinstance(size, int) and size > 0:
        count = -(-length // size)
    else:
        number = given.get("chunks", given.get("sections", given.get("indices_or_sections", 0)))
        count = number if isinstance(number, int) else 0
        count = min(count, length) if short == "chunk" else count
    if count <= limits.items:
        return ""
    return f"{short} would give {count:,} pieces; the most is {limits.items}. Cut into fewer."


_CUTTING: dict[str, tuple[str, ...]] = {
    "unbind": ("dim",),
    "split": ("size", "dim"),
    "chunk": ("chunks", "dim"),
    "tensor_split": ("indices_or_sections", "dim"),
    "hsplit": ("sections",),
    "vsplit": ("sections",),
    "dsplit": ("sections",),
    "tolist": (),
}


def check_quotient(
    input: Any = None, other: Any = None, *, rounding_mode: Any = None, **_: Any
) -> None:
    """The one quotient that stops the whole process: the smallest whole number by -1, cut off."""
    if rounding_mode is None or not isinstance(input, torch.Tensor) or input.is_floating_point():
        return
    if input.is_complex() or input.dtype == torch.bool:
        return
    lowest = bool((input == torch.iinfo(input.dtype).min).any())
    if lowest and bool((torch.as_tensor(other) == -1).any()):
        raise SpecError(
            f"The smallest {str(input.dtype).removeprefix('torch.')} divided by -1 is too large for its kind. "
            "Change one of the numbers, or convert with .double()."
        )


def _guard_one_hot(tensor: torch.Tensor, num_classes: int = -1) -> None:
    largest = int(tensor.max()) + 1 if num_classes == -1 and tensor.numel() else num_classes
    if largest * max(tensor.numel(), 1) * 8 > LIMITS.step_bytes:
        raise SpecError(
            f"one_hot would make {largest} columns: {show_bytes(largest * tensor.numel() * 8)}. Use smaller class numbers."
        )


def _guard_eye(n: int, m: int | None = None, **_: Any) -> None:
    size = int(n) * int(n if m is None else m) * 8
    if size > LIMITS.step_bytes:
        raise SpecError(f"eye would make ({n}, {m or n}): {show_bytes(size)}. Use smaller sizes.")


def _guard_diag(tensor: torch.Tensor, offset: int = 0, *_: Any, **named: Any) -> None:
    away = abs(int(named.get("diagonal", offset)))
    made = (max(tensor.shape, default=1) + away) ** 2 * tensor.element_size()
    if tensor.dim() < 2 and made > LIMITS.step_bytes:
        raise SpecError(f"A diagonal matrix would take {show_bytes(made)}. Use smaller sizes.")


def _guard_bincount(tensor: torch.Tensor, weights: Any = None, minlength: int = 0) -> None:
    largest = max(int(tensor.max()) + 1 if tensor.numel() else 0, minlength)
    if largest * 8 > LIMITS.step_bytes:
        raise SpecError(
            f"bincount would make {largest} bins: {show_bytes(largest * 8)}. Use smaller values."
        )


def _guard_repeat_interleave(
    tensor: torch.Tensor, repeats: Any, dim: int | None = None, **_: Any
) -> None:
    times = repeats.max() if isinstance(repeats, torch.Tensor) and repeats.numel() else repeats
    made = int(times) * tensor.numel() * tensor.element_size()
    if made > LIMITS.step_bytes:
        raise SpecError(
            f"repeat_interleave would make up to {show_bytes(made)}. Use fewer repeats."
        )


def _guard_histc(tensor: torch.Tensor, bins: int = 100, *_: Any, **__: Any) -> None:
    if bins > 100_000:
        raise SpecError(f"histc was asked for {bins} bins; the most is 100000.")


def _guard_tensor(data: Any, **_: Any) -> None:
    if isinstance(data, str):
        raise SpecError("torch.tensor takes numbers and lists of numbers, not a text.")


def _guard_combinations(tensor: torch.Tensor, r: int = 2, with_replacement: bool = False) -> None:
    count = math.comb(tensor.numel() + (int(r) - 1 if with_replacement else 0), int(r))
    if count * int(r) * 8 > LIMITS.step_bytes:
        raise SpecError(f"combinations would make {count:,} rows. Use fewer elements.")


def _guard_diff(tensor: torch.Tensor, n: int = 1, *_: Any, **__: Any) -> None:
    if int(n) > 100:
        raise SpecError(f"diff was asked for {n} differences in turn; the most is 100.")


def _guard_bilinear(
    a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor, *_: Any, **__: Any
) -> None:
    cells = a.shape[:-1].numel() * weight.numel()
    if 3.0 * cells > LIMITS.operations:
        raise SpecError(
            f"bilinear would take about {3.0 * cells:.1e} operations; the most is {LIMITS.operations:.0e}. "
            "Use smaller sizes."
        )


GUARDS: dict[str, Callable[..., None]] = {
    "one_hot": _guard_one_hot,
    "bincount": _guard_bincount,
    "repeat_interleave": _guard_repeat_interleave,
    "histc": _guard_histc,
    "eye": _guard_eye,
    "diag": _guard_diag,
    "diagflat": _guard_diag,
    "tensor": _guard_tensor,
    "as_tensor": _guard_tensor,
    "combinations": _guard_combinations,
    "diff": _guard_diff,
    "bilinear": _guard_bilinear,
}

_FACTORIES = frozenset(
    [
        "arange",
        "empty",
        "full",
        "linspace",
        "logspace",
        "ones",
        "rand",
        "randint",
        "randn",
        "randperm",
        "zeros",
    ]
)

# functions whose result can be larger than any product of their inputs' sizes: no call without a known size
_GROWING = _FACTORIES | frozenset(
    [
        "diff",
        "bilinear",
        "normal",
        "repeat",
        "expand",
        "tile",
        "pad",
        "broadcast_to",
        "as_strided",
        "unfold",
        "fold",
        "interpolate",
        "new_full",
        "new_ones",
        "new_zeros",
        "vander",
        "multinomial",
        "matrix_power",
        "adaptive_avg_pool1d",
        "adaptive_avg_pool2d",
        "adaptive_max_pool2d",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "max_pool1d",
        "max_pool2d",
        "avg_pool1d",
        "avg_pool2d",
        "block_diag",
    ]
)
