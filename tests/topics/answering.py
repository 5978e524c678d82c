"""A topic without a loop: one result, with bytes beside it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from models.core.spec import Spec, knob


@dataclass(frozen=True)
class Answering(Spec):
    size: int = knob(3, "how many numbers", minimum=1)


@dataclass(frozen=True)
class Result:
    values: torch.Tensor  # (size,)
    archive: bytes


def run(spec: Answering, *, device: str = "cpu") -> Result:
    return Result(torch.arange(float(spec.size)), b"kept apart")
