"""Questions for evaluators: polite ones and all the ways in which one has to be ended."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import torch

from models.core.spec import SpecError


def echo(value: Any) -> Any:
    return value


def pid() -> int:
    return os.getpid()


def spin() -> None:
    while True:
        pass


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def eat(megabytes: int) -> int:
    return torch.ones(megabytes, 2**18).shape[0]


def pieces(count: int) -> int:
    return len([[i] for i in range(count)])


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def refuse() -> None:
    raise SpecError("Five is too many; use four.", "count", "the detail")


def fail() -> None:
    raise KeyError("a mistake of the program")


def nested(depth: int) -> list:
    made: list = []
    for _ in range(depth):
        made = [made]
    return made


class Stranger:
    """What no answer may hold."""


def stranger() -> Stranger:
    return Stranger()
