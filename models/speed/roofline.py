"""The two ceilings of this machine, measured on the spot: how fast it multiplies, and how fast it moves bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from models.core import device as devices


@dataclass(frozen=True)
class Ceilings:
    """Best seen rates: floating-point operations per second of a square matrix product, bytes per second of a copy."""

    flops: float
    bytes: float

    def at(self, intensity: float) -> float:
        """The most floating-point operations per second for work of so many operations per byte."""
        return min(self.flops, self.bytes * intensity)

    @property
    def ridge(self) -> float:
        """Operations per byte from which arithmetic, not memory, is the limit."""
        return self.flops / self.bytes


def measure(device: str, dtype: torch.dtype, threads: int, seconds: float = 0.1) -> Ceilings:
    """Both ceilings with this many CPU threads: the fastest run counts, since a ceiling is what can be reached."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        flops = 0.0
        sizes = (128, 256, 512, 1024) if device == "cpu" else (1024, 2048, 4096, 8192)
        for n in sizes:
            a, b = (torch.ones(n, n, device=device, dtype=dtype) for _ in range(2))
            out = torch.empty_like(a)
            best = _fastest(lambda a=a, b=b, out=out: torch.mm(a, b, out=out), device, seconds / 4)
            flops = max(flops, 2 * n**3 / best)
            if best > seconds / 2:  # eight times as long comes next
                break
        many = 2**24 if device == "cpu" else 2**27  # beyond any cache
        source = torch.ones(many, device=device)
        target = torch.empty_like(source)
        best = _fastest(lambda: target.copy_(source), device, seconds)
        return Ceilings(flops, 2 * 4 * many / best)
    finally:
        torch.set_num_threads(before)


def _fastest(call: Callable[[], object], device: str, seconds: float) -> float:
    call()
    best, end = float("inf"), time.perf_counter() + seconds
    while True:
        devices.synchronize(device)
        start = time.perf_counter()
        call()
        devices.synchronize(device)
        now = time.perf_counter()
        best = min(best, now - start)
        if now >= end:
            return best
