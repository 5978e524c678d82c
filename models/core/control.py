"""How a run is steered and watched: the two small contracts between a `train` iterator and its worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Command:
    """Something a learner asks of a live run, taken between two batches.

    `name` is a word the topic knows ("set", "seek", "peek", "weight", …); `args` its plain values.
    Pause, resume, step, speed and stop are the harness's own and never reach the topic.
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0


@dataclass(frozen=True)
class Snapshot:
    """What a run has to show since the last one; small, because it crosses two processes and a network.

    Attributes:
        step: batches done so far; epoch: passes over the training data, with its fraction.
        rows: new points of the curves, one dict of numbers each ("epoch", "train_loss", …); never thinned.
        scene: what stays the same for the whole run (points, names, layer sizes); sent once, replaces an older one.
        frame: arrays of the current picture (decision plane, weights, histograms); only the latest is
            live, a thinned history is kept for scrubbing.
        events: what happened, each {"kind", "text", …}: doctor's findings, applied changes, notes.
        replies: answers to commands by command id.
        blobs: named bytes kept for later (a checkpoint); the newest of a name replaces the older.
        final: this is the last one.
    """

    step: int
    epoch: float
    rows: tuple[Mapping[str, Any], ...] = ()
    scene: Mapping[str, Any] | None = None
    frame: Mapping[str, Any] | None = None
    events: tuple[Mapping[str, Any], ...] = ()
    replies: Mapping[int, Any] = field(default_factory=dict)
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    final: bool = False


class Control:
    """What a `train` iterator asks between two batches. This one is for plain loops: never paused, no commands.

    A worker passes its own, which blocks in `gate` while paused and counts steps.
    """

    def gate(self, epoch_ended: bool = False) -> list[Command]:
        """Called before every batch: waits while paused, keeps the chosen speed, returns commands to apply.

        `epoch_ended` says that the last batch closed an epoch, for "step one epoch".
        """
        return []

    def due(self) -> bool:
        """Whether the next picture is wanted now; the iterator yields a `Snapshot` when it is."""
        return False
