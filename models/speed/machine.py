"""What measured: the machine, its software, and how busy it was besides."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from typing import Any

import torch

from models.core import device as devices


@dataclass(frozen=True)
class Machine:
    """Enough to tell whether two measurements may be compared."""

    processor: str
    cores: int
    memory: int
    capability: str
    device: str
    torch: str
    python: str
    system: str


def describe(device: str = "cpu") -> Machine:
    """This machine now."""
    found = devices.available()
    here = next((d for d in found if d.name.partition(":")[0] == device), found[0])
    return Machine(
        processor=_processor(),
        cores=cores(),
        memory=found[0].memory,
        capability=torch.backends.cpu.get_cpu_capability(),
        device=here.title if device != "cpu" else "cpu",
        torch=torch.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
    )


def cores() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has(device: str) -> bool:
    """Whether this machine has a device of this type."""
    return any(d.name.partition(":")[0] == device for d in devices.available())


class Busy:
    """How much of the machine others used while something was measured."""

    def __enter__(self) -> Busy:
        self._start = _times()
        return self

    def __exit__(self, *_: Any) -> None:
        self._end = _times()

    @property
    def share(self) -> float:
        """Processors' time that went to other processes, as a share of all; 0 where the system does not tell."""
        wall, used, own = (end - start for start, end in zip(self._start, self._end, strict=True))
        total = wall * (os.cpu_count() or 1)
        return min(1.0, max(0.0, (used - own) / total)) if total > 0 else 0.0


def _times() -> tuple[float, float, float]:
    import psutil

    every = psutil.cpu_times()
    used = sum(every) - every.idle - getattr(every, "iowait", 0.0)
    # guests are counted in user already
    used -= getattr(every, "guest", 0.0) + getattr(every, "guest_nice", 0.0)
    own = time.process_time()
    return time.perf_counter(), used, own


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as about:
            for line in about:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # no Linux
    return platform.processor() or platform.machine()
