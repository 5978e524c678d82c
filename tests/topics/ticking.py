"""A topic that only counts: as quick or slow, well or badly behaved as a test of runs needs it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from models.core.control import Command, Control, Snapshot
from models.core.spec import Spec, SpecError, knob


@dataclass(frozen=True)
class Ticking(Spec):
    epochs: int = knob(10**6, "epochs to count", minimum=1)
    batches: int = knob(10, "batches per epoch", minimum=1)
    seconds: float = knob(0.001, "how long a batch takes", minimum=0.0)
    trouble: str = knob("", "what goes wrong", choices=("", "spec", "error", "memory", "print"))
    trouble_at: int = knob(20, "the batch at which it goes wrong", minimum=0)


def train(
    spec: Ticking, *, device: str = "cpu", control: Control | None = None
) -> Iterator[Snapshot]:
    """Counts batches; a picture is a tensor full of the count, so that a test can read from it when it was made."""
    control = control or Control()
    step, last, value, ended = 0, spec.epochs * spec.batches, 1.0, False
    rows: list[dict[str, float]] = []
    scene: dict[str, Any] | None = {"pid": os.getpid(), "threads": torch.get_num_threads()}
    hoard = []

    def frame(at: int) -> dict[str, Any]:
        return {"epoch": at / spec.batches, "step": at, "values": torch.full((3,), float(at))}

    def answer(command: Command) -> Any:
        nonlocal value, last, step
        if command.name == "peek":
            return frame(round(command.args["epoch"] * spec.batches))
        if command.name == "set":
            value = command.args.get("value", value)
            last = command.args.get("epochs", last // spec.batches) * spec.batches
            return value
        if command.name == "seek":
            step = round(command.args["epoch"] * spec.batches)
        return None

    def snapshot(picture: bool, replies: dict[int, Any]) -> Snapshot:
        nonlocal rows, scene
        shown, rows = rows, []
        opening, scene = scene, None
        return Snapshot(
            step,
            step / spec.batches,
            rows=tuple(shown),
            scene=opening,
            frame=frame(step) if picture else None,
            replies=replies,
            blobs={"checkpoint": str(step).encode()} if step >= last else {},
            final=step >= last,
            samples=10 * step,
        )

    while True:
        while commands := control.gate(ended):
            replies = {c.id: answer(c) for c in commands if c.name in ("peek", "set", "seek")}
            yield snapshot(control.due(), replies)
        if step >= last:
            return
        time.sleep(spec.seconds)
        step += 1
        ended = step % spec.batches == 0
        if step == spec.trouble_at:
            if spec.trouble == "spec":
                raise SpecError("The tick is 20, but the tock is 19. Make the tock larger.")
            if spec.trouble == "error":
                raise ZeroDivisionError("division by a tock of zero")
            if spec.trouble == "print":
                print("x" * 1_000_000, flush=True)
        if spec.trouble == "memory" and step > spec.trouble_at:
            hoard.append(b"x" * 20_000_000 + bytes(step))
        if ended:
            rows.append({"epoch": step // spec.batches, "step": step, "train_loss": value / step})
        if control.due() or step >= last:
            yield snapshot(True, {})
