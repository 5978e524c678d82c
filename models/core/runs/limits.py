"""How much a run may take, and how many there may be: every limit in one place, each overridable by environment."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import psutil

_MB = 2**20


def _half_of_memory_mb() -> int:
    return min(4096, psutil.virtual_memory().total // _MB // 2)


def _cores() -> int:
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Limits:
    """Limits of the runs of one server; `PLAYGROUND_<NAME>` in the environment overrides a number.

    Attributes:
        wall_seconds: the longest a run may compute, pauses not counted.
        memory_mb: the most memory one worker may take beyond what it starts with.
        per_owner, per_server: live runs of one owner and of all.
        queued_per_owner: runs one owner may have waiting.
        evaluators: questions (expressions, programs) that are answered at once, each in a process that can be ended.
        idle_seconds: runs end when their owner has not been heard of for so long. Browsers wake the timers
            of a background tab once a minute, so this is longer.
        paused_seconds: a run paused for so long gives its place to a waiting one.
        grace_seconds: how long a stopped run may take to end by itself before it is killed.
        keep_seconds, keep_runs, keep_mb: how long, how many and how much of ended runs is kept for looking.
        rows, events, frames, frames_mb, blobs_mb: what is kept of one run.
        peeks_per_second: pictures of past epochs that a live run is asked for.
        modules: prefixes of the topic modules that may run.
        exclusive: prefixes of those that measure: one of them runs at a time, at full priority, so that
            they do not disturb each other.
        reading: the topics that only open a file: they wait for no other run, end once they are done, and may
            take `reading_seconds` and `reading_per_owner` at a time.
    """

    wall_seconds: float = 1800
    memory_mb: int = dataclasses.field(default_factory=_half_of_memory_mb)
    per_owner: int = 4
    per_server: int = dataclasses.field(default_factory=lambda: max(8, 4 * _cores()))
    queued_per_owner: int = 8
    evaluators: int = dataclasses.field(default_factory=lambda: max(2, _cores()))
    idle_seconds: float = 180
    paused_seconds: float = 300
    grace_seconds: float = 0.1
    keep_seconds: float = 6 * 3600
    keep_runs: int = 200
    keep_mb: int = 1024
    rows: int = 20_000
    events: int = 500
    frames: int = 120
    frames_mb: int = 16
    blobs_mb: int = 256
    peeks_per_second: float = 10
    modules: tuple[str, ...] = ("models.",)
    exclusive: tuple[str, ...] = ("models.speed",)
    reading: tuple[str, ...] = (
        "models.data.profiling",
        "models.data.opening",
        "models.cnn.opening",
        "models.training.opening",
        "models.datasets.previewing",
    )
    reading_seconds: float = 120
    reading_per_owner: int = 2

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The defaults, with every number that the environment names put in its place.

        Raises:
            ValueError: a variable does not hold a positive number.
        """
        changes: dict[str, float] = {}
        for field in dataclasses.fields(cls):
            text = environment.get(f"PLAYGROUND_{field.name.upper()}")
            if text is None or field.type not in ("int", "float"):
                continue
            number = int if field.type == "int" else float
            try:
                changes[field.name] = number(text)
            except ValueError:
                changes[field.name] = -1
            if not changes[field.name] > 0:
                raise ValueError(
                    f"PLAYGROUND_{field.name.upper()} is {text!r}, but it takes a positive number."
                )
        return cls(**changes)  # type: ignore[arg-type]  # numbers only: the prefixes are left out above


def threads(wanted: int, live: int) -> int:
    """CPU threads for one of `live` workers: what its topic wants, within its share of the cores."""
    return max(1, min(wanted, _cores() // max(1, live)))
