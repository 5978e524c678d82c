"""What one run has shown so far, kept encoded; any number of viewers read it, each from its own cursor."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_MB = 2**20


@dataclass(frozen=True)
class News:
    """What is new since a cursor: encoded JSON pieces, and the cursor for the next question.

    `reset` says that what came before is void: forget it, everything there is comes again.
    """

    cursor: str
    reset: bool
    rows: list[bytes]
    events: list[bytes]
    scene: bytes | None
    frame: bytes | None


@dataclass(frozen=True)
class Kept:
    """A picture kept for scrubbing."""

    step: int
    epoch: float
    frame: bytes


class History:
    """Rows, events, scene, pictures and named bytes of one run, each bounded."""

    def __init__(
        self,
        rows: int = 20_000,
        events: int = 500,
        frames: int = 120,
        frames_mb: float = 16,
        blobs_mb: float = 256,
    ) -> None:
        self._most_rows, self._most_events, self._most_frames = rows, events, frames
        self._frame_bytes, self._blob_bytes = frames_mb * _MB, blobs_mb * _MB
        self._rows: list[tuple[int, bytes]] = []
        self._events: list[bytes] = []
        self._dropped_events = 0
        self._generation = 0
        self._scene: tuple[int, bytes] | None = None
        self._frame: tuple[int, bytes] | None = None
        self._version = itertools.count(1)
        self._kept: list[Kept] = []
        self._gap = 0  # steps that must lie between two kept pictures; doubles at each thinning
        self.blobs: dict[str, bytes] = {}

    @property
    def size(self) -> int:
        """Bytes held, about."""
        pieces: Iterable[int] = itertools.chain(
            (len(row) + 100 for _, row in self._rows),
            map(len, self._events),
            (len(kept.frame) for kept in self._kept),
            map(len, self.blobs.values()),
            (len(latest[1]) for latest in (self._scene, self._frame) if latest),
        )
        return sum(pieces)

    @property
    def epochs(self) -> list[float]:
        """The epochs whose pictures are kept, in order."""
        return [kept.epoch for kept in self._kept]

    def add_rows(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """New points of the curves as (step, JSON); one that does not go forward rewinds to its step."""
        for step, row in rows:
            if self._rows and step <= self._rows[-1][0]:
                self._rewind(step)
            self._rows.append((step, row))
        while len(self._rows) > self._most_rows:
            self._rows = self._rows[::2] + self._rows[-1:] * (len(self._rows) % 2 == 0)
            self._generation += 1

    def add_event(self, event: bytes) -> None:
        self._events.append(event)
        spare = len(self._events) - self._most_events
        if spare > 0:
            del self._events[:spare]
            self._dropped_events += spare

    def set_scene(self, step: int, scene: bytes) -> None:
        """A new scene; at step 0 everything before it is forgotten."""
        if step == 0 and (self._rows or self._kept or self._frame):
            self._rows, self._kept, self._gap = [], [], 0
            self._dropped_events += len(self._events)
            self._events = []
            self._frame = None
            self._generation += 1
        self._scene = (next(self._version), scene)

    def set_frame(self, step: int, epoch: float, frame: bytes) -> None:
        """The picture of now; one in so many is kept, so that the kept ones spread over the whole run."""
        self._frame = (next(self._version), frame)
        self._kept = [kept for kept in self._kept if kept.step != step]
        if not self._kept or step - self._kept[-1].step >= self._gap:
            self._kept.append(Kept(step, epoch, frame))
            self._kept.sort(key=lambda kept: kept.step)
        while len(self._kept) > 2 and (
            len(self._kept) > self._most_frames
            or sum(len(kept.frame) for kept in self._kept) > self._frame_bytes
        ):
            self._kept = self._kept[::2]
            steps = self._kept[-1].step - self._kept[0].step
            self._gap = max(2 * self._gap, steps // max(1, len(self._kept)), 1)

    def set_blobs(self, blobs: Mapping[str, bytes]) -> list[str]:
        """Keep named bytes; returns the names that did not fit."""
        refused = []
        for name, value in blobs.items():
            others = sum(len(v) for n, v in self.blobs.items() if n != name)
            if others + len(value) > self._blob_bytes:
                refused.append(name)
            else:
                self.blobs[name] = value
        return refused

    def frame_at(self, epoch: float) -> Kept | None:
        """The kept picture nearest to this epoch."""
        return min(self._kept, key=lambda kept: abs(kept.epoch - epoch), default=None)

    def news(self, since: str) -> News:
        """What is new since a cursor of an earlier answer; "" or an unreadable one means everything."""
        events_end = self._dropped_events + len(self._events)
        scene, frame = self._scene, self._frame
        seen = _cursor(since)
        now = (
            self._generation,
            len(self._rows),
            events_end,
            scene[0] if scene else 0,
            frame[0] if frame else 0,
        )
        reset = (
            seen is None or seen[0] != now[0] or any(a > b for a, b in zip(seen, now, strict=True))
        )
        rows, events, old_scene, old_frame = (0, 0, 0, 0) if reset or seen is None else seen[1:]
        return News(
            cursor=".".join(map(str, now)),
            reset=reset,
            rows=[row for _, row in self._rows[rows:]],
            events=self._events[max(0, events - self._dropped_events) :],
            scene=scene[1] if scene and scene[0] != old_scene else None,
            frame=frame[1] if frame and frame[0] != old_frame else None,
        )

    def _rewind(self, step: int) -> None:
        self._rows = [row for row in self._rows if row[0] < step]
        self._kept = [kept for kept in self._kept if kept.step < step]
        self._generation += 1


def _cursor(text: str) -> tuple[int, int, int, int, int] | None:
    try:
        a, b, c, d, e = (int(part) for part in text.split("."))
    except ValueError:
        return None
    return (a, b, c, d, e) if min(a, b, c, d, e) >= 0 else None
