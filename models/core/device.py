"""Which devices this machine has; the only module that asks."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

_LOCK = threading.Lock()
_before: list[int] = []  # threads before the first of those who are in `one_thread`
_inside: list[int] = []


@dataclass(frozen=True)
class Device:
    """A place tensors can live: its torch name ("cpu", "cuda:0", "mps"), what it is, memory in bytes (0 = unknown)."""

    name: str
    title: str
    memory: int


def available() -> tuple[Device, ...]:
    """Every device, the CPU first; only the CPU when PLAYGROUND_CPU is set."""
    found = [Device("cpu", platform.processor() or platform.machine(), _cpu_memory())]
    if os.environ.get("PLAYGROUND_CPU"):
        return tuple(found)
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(i)
            found.append(Device(f"cuda:{i}", about.name, about.total_memory))
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU", 0))
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        for i in range(torch.xpu.device_count()):
            found.append(Device(f"xpu:{i}", torch.xpu.get_device_name(i), 0))
    return tuple(found)


@contextmanager
def one_thread() -> Iterator[None]:
    """Small work of a page on its own thread alone.

    Threads that share an operation of a millisecond wait for each other; while other work is going on, such as a
    class that trains, that wait is ten times the operation (a kernel over a photograph: 127 ms instead of 9).
    """
    with _LOCK:
        if not _inside:
            _before.append(torch.get_num_threads())
        _inside.append(1)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        with _LOCK:
            _inside.pop()
            threads = _before[0]
            if not _inside:
                _before.clear()
        torch.set_num_threads(threads)


def best() -> str:
    """The name of the first accelerator, or "cpu"."""
    return available()[-1 if len(available()) == 1 else 1].name


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """A tensor of any device, dtype and grad mode as a NumPy array (bfloat16 and float8 as float32)."""
    tensor = tensor.detach()
    if tensor.is_floating_point() and tensor.dtype not in _NUMPY_FLOATS:
        tensor = tensor.float()
    return tensor.resolve_conj().resolve_neg().cpu().numpy()


_NUMPY_FLOATS = (torch.float16, torch.float32, torch.float64)


def _cpu_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 0


def synchronize(device: str) -> None:
    """Wait until everything queued on this device is done; needed before reading a clock."""
    module: Any = getattr(torch, torch.device(device).type, None)
    if module is not None and hasattr(module, "synchronize") and device != "cpu":
        module.synchronize()
