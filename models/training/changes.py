"""What was changed while the run lived, as a short text, so that link and export repeat it exactly."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from models.core.spec import SpecError

LIVE = ("lr", "momentum", "weight_decay", "l1", "clip")
MAX_EPOCHS = 10_000


@dataclass(frozen=True)
class Change:
    """At `step` batches done, before the next one, `name` became `value`.

    `name` is a live field of the spec, "epochs", or one number of the network:
    "weight.LAYER.OUT.IN" or "bias.LAYER.OUT", layers counted from 0 to the output.
    """

    step: int
    name: str
    value: float

    def text(self) -> str:
        """As the link writes it."""
        value = int(self.value) if self.name == "epochs" else self.value
        return f"{self.step}:{self.name}={value!r}"


def parse(text: str) -> tuple[Change, ...]:
    """The changes of a text such as "120:lr=0.01;400:weight.0.3.4=0.7", in the order they happen.

    Raises:
        SpecError: a part is no change, or steps go backwards.
    """
    found = tuple(_change(part.strip()) for part in text.split(";") if part.strip())
    for before, after in itertools.pairwise(found):
        if after.step < before.step:
            raise SpecError(
                f"changes go back from step {before.step} to step {after.step}. Order them by step.",
                "changes",
            )
    return found


def text(changes: Iterable[Change]) -> str:
    """The inverse of `parse`."""
    return ";".join(change.text() for change in changes)


def _change(part: str) -> Change:
    match = re.fullmatch(r"(\d{1,9}):([a-z_0-9.]+)=(\S+)", part)
    if not match:
        raise SpecError(
            f'changes holds {part[:40]!r}; each change is written "step:name=value", '
            'such as "120:lr=0.01".',
            "changes",
        )
    name = match[2]
    if name not in (*LIVE, "epochs") and not _WEIGHT.fullmatch(name):
        raise SpecError(
            f"changes sets {name[:40]!r}, which cannot change while a run lives. "
            f"These can: {', '.join(LIVE)}, epochs, weight.LAYER.OUT.IN, bias.LAYER.OUT.",
            "changes",
        )
    return Change(int(match[1]), name, checked(name, match[3]))


def checked(name: str, value: float | str) -> float:
    """A value that this name can take.

    Raises:
        SpecError: it is no finite number, or outside the range.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    low, high = _RANGES.get(name, (-1e6, 1e6))
    if not low <= number <= high:
        raise SpecError(
            f"{name} cannot become {str(value)[:20]}: it takes {low:g} to {high:g}.", name
        )
    if name == "epochs" and number != int(number):
        raise SpecError(f"epochs cannot become {number:g}: it takes a whole number.", name)
    return number


def apply_change(model, optimizer, settings, name, value):
    """Set one live setting, or one weight, of a run between two batches."""
    if name in settings:  # l1, clip, epochs
        settings[name] = value
    elif name.startswith(("weight.", "bias.")):
        kind, layer, *index = name.split(".")
        weighted = [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
        with torch.no_grad():
            getattr(weighted[int(layer)], kind)[tuple(int(i) for i in index)] = value
    else:  # lr, momentum, weight_decay
        for group in optimizer.param_groups:
            if name == "lr" and "max_lr" in group:  # OneCycleLR computes lr from these
                for key in ("initial_lr", "min_lr", "max_lr"):
                    group[key] *= value / group["max_lr"] if key != "max_lr" else 1.0
                group["max_lr"] = value
            elif name == "lr":
                group["lr"] = value
            elif name in group:
                group[name] = value
        for parameter, state in optimizer.state.items():
            if name == "momentum" and "square_avg" in state:  # RMSprop expects its buffer ready
                state.setdefault("momentum_buffer", torch.zeros_like(parameter))


_WEIGHT = re.compile(r"weight\.\d{1,2}\.\d{1,4}\.\d{1,5}|bias\.\d{1,2}\.\d{1,4}")
_RANGES = {
    "lr": (1e-6, 1e4),
    "momentum": (0.0, 0.999),
    "weight_decay": (0.0, 10.0),
    "l1": (0.0, 10.0),
    "clip": (0.0, 1000.0),
    "epochs": (1, MAX_EPOCHS),
}
