"""What a tensor is besides its numbers: kind of number, memory, and who shares it with whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

MAX_DRAWN = 256  # memory cells drawn as a line
MOST_CELLS = (
    1600  # of a tensor that is shown whole; a larger one is summarised, with a window that pans
)
WINDOW = 8  # rows and columns of that window


@dataclass(frozen=True)
class Property:
    """One property: its PyTorch name, its value as text, and one line on what it means."""

    name: str
    value: str
    means: str


def describe(tensor: Tensor) -> tuple[Property, ...]:
    """Everything about a tensor that is not its numbers."""
    kind = tensor.dtype
    limits = ""
    if kind == torch.bool:
        limits = "False or True"
    elif tensor.is_floating_point() or tensor.is_complex():
        about = torch.finfo(kind)
        limits = f"±{about.max:.4g}, smallest step at 1: {about.eps:.3g}"
    else:
        whole = torch.iinfo(kind)
        limits = f"{whole.min} to {whole.max}"
    return (
        Property("shape", str(tuple(tensor.shape)), "the size of every dim"),
        Property("dim()", str(tensor.dim()), "how many dims"),
        Property("numel()", str(tensor.numel()), "how many cells: the product of the sizes"),
        Property("dtype", str(kind), f"the kind of number: {limits}"),
        Property("itemsize", str(tensor.element_size()), "bytes of one cell"),
        Property("nbytes", str(tensor.numel() * tensor.element_size()), "bytes of all cells"),
        Property(
            "stride()",
            str(tensor.stride()) if tensor.layout == torch.strided else "none",
            "memory cells from one place to the next, for each dim",
        ),
        Property("storage_offset()", str(tensor.storage_offset()), "where in memory it begins"),
        Property(
            "is_contiguous()", str(tensor.is_contiguous()), "whether reading row by row walks the memory in order"
        ),
        Property("device", str(tensor.device), "where it lives"),
        Property("layout", str(tensor.layout), "strided: cells found by strides"),
        Property("requires_grad", str(tensor.requires_grad), "whether operations are recorded for gradients"),
    )  # fmt: skip


@dataclass(frozen=True)
class View:
    """How one tensor walks through a storage.

    Attributes:
        name: on the shelf; shape, stride, offset: as PyTorch has them.
        path: the memory cell of every element in reading order, or empty when there are too many.
        kind: "tensor" or "numpy".
    """

    name: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    path: tuple[int, ...]
    kind: str = "tensor"


def places(tensors: Mapping[str, Tensor]) -> dict[str, float]:
    """Where each tensor lies: which storage (equal numbers share one), where it begins there, its sizes and strides."""
    storages: dict[int, int] = {}
    found: dict[str, float] = {}
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided:
            continue
        storage = tensor.untyped_storage().data_ptr()
        found[f"{name}.storage"] = storages.setdefault(storage, len(storages))
        found[f"{name}.storage_offset"] = int(tensor.storage_offset())
        for dim, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
            found[f"{name}.size_{dim}"], found[f"{name}.stride_{dim}"] = size, stride
    return found


@dataclass(frozen=True)
class Storage:
    """One stretch of memory and everything that looks at it.

    Attributes:
        cells: how many elements fit; itemsize: bytes of one; values: what they hold, empty when too many.
    """

    cells: int
    itemsize: int
    dtype: str
    values: tuple[float, ...]
    views: tuple[View, ...]


def memory(
    tensors: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray] | None = None
) -> tuple[Storage, ...]:
    """Every storage behind these tensors, with the tensors (and NumPy arrays) that share it."""
    groups: dict[int, list[tuple[str, Tensor]]] = {}
    for name, tensor in tensors.items():
        if tensor.layout == torch.strided:
            groups.setdefault(tensor.untyped_storage().data_ptr(), []).append((name, tensor))
    found = []
    for members in groups.values():
        first = members[0][1]
        size = first.element_size()
        cells = first.untyped_storage().nbytes() // size if size else 0
        views = [_view(name, tensor) for name, tensor in members]
        for name, array in (arrays or {}).items():
            if array.size and array.flags.c_contiguous and array.ctypes.data == first.data_ptr():
                strides = tuple(s // array.itemsize for s in array.strides)
                path = tuple(range(array.size)) if array.size <= MAX_DRAWN else ()
                views.append(View(name, array.shape, strides, 0, path, "numpy"))
        values: tuple[float, ...] = ()
        if cells <= MAX_DRAWN and not first.is_complex():
            line = torch.empty(0, dtype=first.dtype, device=first.device).set_(
                first.untyped_storage(), 0, (cells,), (1,)
            )
            values = tuple(line.detach().double().tolist())
        found.append(Storage(cells, size, str(first.dtype), values, tuple(views)))
    return tuple(found)


def _view(name: str, tensor: Tensor) -> View:
    path: tuple[int, ...] = ()
    if tensor.numel() <= MAX_DRAWN:
        place = torch.full(tensor.shape, tensor.storage_offset())
        for dim, stride in enumerate(tensor.stride()):
            steps = torch.arange(tensor.shape[dim]) * stride
            place = place + steps.reshape([-1 if d == dim else 1 for d in range(tensor.dim())])
        path = tuple(place.reshape(-1).tolist())
    return View(
        name, tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset()), path
    )


def shares(a: Tensor, b: Tensor) -> bool:
    """Whether writing into one can be seen in the other: same storage, overlapping cells."""
    if a.untyped_storage().data_ptr() != b.untyped_storage().data_ptr():
        return False
    if a.numel() > MAX_DRAWN or b.numel() > MAX_DRAWN:
        return True
    return bool(set(_view("", a).path) & set(_view("", b).path))


@dataclass(frozen=True)
class Summary:
    """What can be said about a tensor too large to read.

    Attributes:
        counts: (40,) cells per bin from `low` to `high` of the finite numbers.
        mean, std, low, high: of the finite numbers, NaN when there are none.
        nan, inf: how many of each; zeros: how many cells are 0.
    """

    shape: tuple[int, ...]
    dtype: str
    bytes: int
    counts: Tensor
    low: float
    high: float
    mean: float
    std: float
    nan: int
    inf: int
    zeros: int


def summarise(tensor: Tensor, bins: int = 40) -> Summary:
    """Histogram, mean, spread, extremes and what is not finite; every cell is looked at."""
    flat = tensor.detach().reshape(-1)
    if flat.is_complex():
        flat = flat.abs()
    zeros = flat.numel() - int(torch.count_nonzero(flat))
    if not flat.is_floating_point():
        flat = (
            flat.float() if flat.dtype in (torch.bool, torch.uint8, torch.int8) else flat.double()
        )
    nan = inf = 0
    low, high = (v.item() for v in torch.aminmax(flat)) if flat.numel() else (torch.nan, torch.nan)
    if not (abs(low) < torch.inf and abs(high) < torch.inf):  # NaN or inf somewhere
        nan = int(flat.isnan().sum())
        inf = int(flat.isinf().sum())
        flat = flat[flat.isfinite()]
        low, high = (
            (v.item() for v in torch.aminmax(flat)) if flat.numel() else (torch.nan, torch.nan)
        )
    if flat.numel():
        if flat.dtype in (torch.float16, torch.bfloat16):
            flat = flat.float()
        mean = flat.mean()
        std = _length(flat - mean) / flat.numel() ** 0.5  # 4 × faster than torch.std
        counts = torch.histc(flat, bins, low, high) if low < high else torch.zeros(bins)
        if low == high:
            counts[0] = flat.numel()
    else:
        std = mean = torch.tensor(torch.nan)
        counts = torch.zeros(bins)
    return Summary(
        tuple(tensor.shape), str(tensor.dtype), tensor.numel() * tensor.element_size(), counts,
        float(low), float(high), mean.item(), std.item(), nan, inf, zeros,
    )  # fmt: skip


def _length(flat: Tensor) -> Tensor:
    """The norm in two stages: one float32 sum of 16 million squares loses its last three digits."""
    whole = flat.numel() // 4096 * 4096
    rows = torch.linalg.vector_norm(flat[:whole].view(-1, 4096), dim=1)
    return torch.linalg.vector_norm(torch.cat([rows, flat[whole:]]))


def thumbnail(tensor: Tensor, size: int = 128) -> Tensor:
    """The last two dims of a large tensor as at most size × size cells, each the mean of what it covers.

    Shape:
        tensor: (…, H, W); returns (min(H, size), min(W, size)) of the first plane, float32.
    """
    plane = tensor.detach()
    while plane.dim() > 2:
        plane = plane[0]
    plane = plane.reshape(1, -1) if plane.dim() < 2 else plane
    h, w = min(plane.shape[0], size), min(plane.shape[1], size)
    if not h or not w:
        return torch.zeros(h, w)
    return torch.nn.functional.adaptive_avg_pool2d(plane.float()[None], (h, w))[0]


def window(tensor: Tensor, row: int, column: int, size: int = 16) -> Tensor:
    """A readable piece of the last two dims of the first plane, moved back inside at the edges."""
    plane = tensor.detach()
    while plane.dim() > 2:
        plane = plane[0]
    plane = plane.reshape(1, -1) if plane.dim() < 2 else plane
    row = max(0, min(row, plane.shape[0] - size))
    column = max(0, min(column, plane.shape[1] - size))
    return plane[row : row + size, column : column + size]


@dataclass(frozen=True)
class Seen:
    """What there is to see of a large tensor (of complex numbers: their sizes).

    Attributes:
        thumb: (h, w) means of the first plane; window: (WINDOW, WINDOW) cells of it, float64.
        at: row and column where the window begins.
    """

    summary: Summary
    thumb: Tensor
    window: Tensor
    at: tuple[int, int]


def see(tensor: Tensor, at: tuple[int, int] = (0, 0)) -> Seen:
    """A tensor too large to be shown whole; the window is moved back inside at the edges."""
    t = tensor.detach()
    t = t.abs() if t.is_complex() else t
    cells = window(t, *at, size=WINDOW)
    plane = t.shape[-2:] if t.dim() > 1 else (1, t.shape[0])
    row, column = (max(0, min(a, n - c)) for a, n, c in zip(at, plane, cells.shape, strict=True))
    return Seen(summarise(t), thumbnail(t, 96), cells.double(), (row, column))


# dtypes in the order of the promotion table
DTYPES = (
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
)  # fmt: skip


def promotions() -> dict[tuple[str, str], str]:
    """For every pair of dtypes, the dtype that a + b has, asked of PyTorch."""
    short = {d: str(d).removeprefix("torch.") for d in DTYPES}
    return {(short[a], short[b]): short[torch.promote_types(a, b)] for a in DTYPES for b in DTYPES}
