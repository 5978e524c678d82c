"""What ran and is seldom meant: a word beside the result, never in place of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from models import torch_errors

MOST_CELLS = 100_000  # of a result whose whole numbers are computed again in int64
_SMALL = (torch.uint8, torch.int8, torch.int16, torch.int32)
_WRAPS = frozenset(
    [
        "+",
        "-",
        "*",
        "**",
        "<<",
        "neg",
        "negative",
        "add",
        "sub",
        "subtract",
        "mul",
        "multiply",
        "pow",
        "square",
    ]
)


@contextmanager
def heard(found: list[str]) -> Iterator[None]:
    """PyTorch's warnings inside, retold, each once, into `found`. For one thread: Python's filters are global."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
    told = (torch_errors.warn(str(w.message)) for w in said if issubclass(w.category, UserWarning))
    found += [note for note in dict.fromkeys(told) if note not in found]


def about(
    name: str, call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], value: Any
) -> list[str]:
    """What to say about a call that succeeded."""
    if not isinstance(value, torch.Tensor) or kwargs:
        return []
    short = name.split(".")[-1]
    if short in _WRAPS and value.dtype in _SMALL and value.numel() <= MOST_CELLS:
        return _wrapped(call, args, value)
    if short == "median" and len(args) == 1 and args[0].numel() % 2 == 0 and args[0].numel():
        return [
            f"The median of an even count ({args[0].numel()}) is the lower of the middle two in PyTorch; "
            "quantile(0.5) takes their mean."
        ]
    return []


def _wrapped(call: Callable[..., Any], args: Sequence[Any], value: torch.Tensor) -> list[str]:
    busy = torch._C._len_torch_dispatch_stack()  # someone is recording: this is not theirs
    try:
        with _disable_current_modes() if busy else nullcontext():
            meant = call(*(a.long() if isinstance(a, torch.Tensor) else a for a in args))
    except (RuntimeError, TypeError, ValueError):
        return []
    if meant.is_floating_point() or meant.shape != value.shape:
        return []
    wrong = (meant != value.long()).nonzero()
    if not len(wrong):
        return []
    place = tuple(wrong[0].tolist())
    kind = torch.iinfo(value.dtype)
    return [
        f"{str(value.dtype).removeprefix('torch.')} holds {kind.min} to {kind.max} and starts over beyond: "
        f"{meant[place].item()} became {value[place].item()}"
        + (f", and {len(wrong) - 1} more cells wrapped" if len(wrong) > 1 else "")
        + ". Convert first, for instance with .float() or .long()."
    ]
