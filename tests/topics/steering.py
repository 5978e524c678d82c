"""A control that follows a script: commands at given steps, pictures always or never."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.core.control import Command, Control


class Steering(Control):
    """Hands out commands once the run has done that many batches."""

    def __init__(
        self, script: Mapping[int, Sequence[Command]] | None = None, pictures: bool = False
    ) -> None:
        self.script = {step: list(commands) for step, commands in (script or {}).items()}
        self.pictures = pictures
        self.granted = 0  # batches let through so far

    def gate(self, epoch_ended: bool = False) -> list[Command]:
        commands = self.script.pop(self.granted, [])
        if not commands:
            self.granted += 1
        return commands

    def due(self) -> bool:
        return self.pictures
