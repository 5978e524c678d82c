"""How a run is steered and watched: the two small contracts between a `train` iterator and its worker.

A topic that trains is one loop, the same for a plain script, a test and a worker::

    def train(spec, *, device="cpu", control=Control()):
        ...
        ended = False                                     # the last batch closed an epoch
        while True:
            while commands := control.gate(ended):        # [] means: go on with the next batch
                replies = {c.id: answer(c) for c in commands}       # apply "set", "peek", …; None for the rest
                picture = draw() if control.due() else None
                yield Snapshot(step, epoch, frame=picture, replies=replies, final=step >= last)
            if step >= last:                              # a command may have moved `last`
                return
            ...                                           # one batch; step, epoch, ended
            if control.due() or step >= last:
                yield Snapshot(step, epoch, rows=new_rows, frame=draw(), final=step >= last)
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Command:
    """Something a learner asks of a live run, taken between two batches.

    `name` is a word the topic knows ("set", "seek", "peek", "weight", …); `args` its plain values.
    Pause, resume, step, speed and stop are the harness's own and never reach the topic.

    Two names are asked by the harness itself. "show": nothing to apply, a picture of now is wanted
    (it paused and the last picture is older than the last batch). "peek" {"epoch": E}: answer
    with the frame of that past epoch; it changes nothing.
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0


@dataclass(frozen=True)
class Snapshot:
    """What a run has to show since the last one; small, because it crosses two processes and a network.

    Attributes:
        step: batches done so far; epoch: passes over the training data, with its fraction.
        rows: new points of the curves, one dict of numbers each ("epoch", "train_loss", …); never thinned
            by the topic. A row whose "step" is not beyond the last row's rewinds the history (training
            went back and goes on from there): rows and kept frames from that step on are replaced.
        scene: what stays the same for the whole run (points, names, layer sizes); sent once, replaces
            an older one. A scene at step 0 starts the history afresh.
        frame: arrays of the current picture (decision plane, weights, histograms); only the latest is
            live, a thinned history is kept for scrubbing.
        events: what happened, each {"kind", "text", …}: doctor's findings, applied changes, notes.
        replies: answers to commands by command id. Commands that `gate` returned and the next
            snapshot does not answer are answered with None.
        blobs: named bytes kept for later (a checkpoint); the newest of a name replaces the older.
        final: training is finished. The run is "done" while its last snapshot was final; one that
            is not final (a command added epochs) opens it again, paused.
        samples: rows of training data seen so far, counted over all epochs, for samples per second; 0 = not told.
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
    samples: int = 0


class Stopped(BaseException):
    """Raised by a worker's `gate` when the run is to end now; not an `Exception`, so that topics let it pass."""


class Control:
    """What a `train` iterator asks between two batches. This one is for plain loops: never paused, no commands.

    A worker passes its own, which blocks in `gate` while paused and counts steps.

    Attributes:
        at_once: batches that may run before the next question, where an epoch does not end between them. More than
            one where they are so short that asking about each would slow them down.
    """

    at_once = 1

    def gate(self, epoch_ended: bool = False) -> list[Command]:
        """Asked before every batch: waits while paused, keeps the chosen speed, returns commands to apply.

        An empty list grants one batch (up to `at_once` of them, to a topic that looks). Any other list holds
        commands: apply them, yield a `Snapshot` with the replies (and the picture if `due`), and ask again before
        training on.
        So a paused run answers at once and does not move.

        After a final snapshot a worker's gate waits for commands, and grants a batch only once a snapshot
        that is not final was yielded; the plain one always returns [], which ends the loop above.

        `epoch_ended` says that the last batch closed an epoch, for "step one epoch".

        Raises:
            Stopped: the run is to end (workers only).
        """
        return []

    def due(self) -> bool:
        """Whether a picture is wanted now; the iterator yields a `Snapshot` with a frame when it is.

        True for the first picture, after a step and after applied commands; else at about ten a
        second, fewer when a picture is costly. Plain loops want none.
        """
        return False

    def clock(self) -> float:
        """Seconds of computing, from any beginning: they stand still while the run waits at the gate."""
        return time.perf_counter()
