"""What is known about a run at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class RunError(RuntimeError):
    """A run that cannot do what was asked (over, unknown, queue full); the message is for the learner."""


class Overrun(RunError):
    """A question that was ended: it took too long or too much memory, or crashed the process that computed it."""


@dataclass(frozen=True)
class Status:
    """A run at one moment.

    Attributes:
        state: queued, running, paused, done, stopped or failed. "paused" holds from the moment it is asked.
        position: 1 for the next in the queue; 0 when it does not wait.
        message, detail: for the learner: why it waits, stopped or failed; the program's own words.
        mine: the asker owns the run and may steer it.
        step, epoch: of the last snapshot.
        epochs_per_second, samples_per_second: over the last second of training; None = not known.
        answering: a process lives and takes commands; a finished run may still, until its place is needed.
        module, device: what runs, and where.
        created: when it was asked for, seconds since 1970; seconds: computing time so far.
        known: False for a run that this server does not have (any more).
    """

    id: str
    state: str
    position: int = 0
    message: str = ""
    detail: str = ""
    mine: bool = False
    step: int = 0
    epoch: float = 0.0
    epochs_per_second: float | None = None
    samples_per_second: float | None = None
    answering: bool = False
    module: str = ""
    device: str = ""
    created: float = 0.0
    seconds: float = 0.0
    known: bool = True

    @property
    def over(self) -> bool:
        """Whether the run ended for good: nothing will move any more."""
        return self.state in ("stopped", "failed") or (self.state == "done" and not self.answering)

    def public(self) -> dict[str, Any]:
        """The part that the route's JSON carries."""
        return {
            "state": self.state,
            "position": self.position,
            "message": self.message,
            "detail": self.detail,
            "mine": self.mine,
            "known": self.known,
            "answering": self.answering,
            "step": self.step,
            "epoch": self.epoch,
            "seconds": round(self.seconds, 3),
            "rate": {
                "epochs_per_second": self.epochs_per_second,
                "samples_per_second": self.samples_per_second,
            },
        }


def gone(id: str) -> Status:
    """The status of a run that this server does not have."""
    return Status(
        id=id,
        state="failed",
        message="This run is not on the server any more: it was too old, or the server was restarted. "
        "Press Play to run it again with the same settings.",
        known=False,
    )
