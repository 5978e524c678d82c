"""How much memory a step needs, told before anything is allocated, and the refusal of what does not fit."""

from __future__ import annotations

import torch

from models.core.runs.limits import Limits
from models.core.spec import SpecError
from models.speed import footprint, verdict
from models.speed.spec import Spec


def estimate(spec: Spec) -> int:
    """Bytes at the peak of a full step, from a run on the meta device, which has shapes but no numbers."""
    return footprint.steady(spec, "meta").peak


def check(spec: Spec, limit: int | None = None) -> None:
    """Raise `SpecError` with the estimate when a full step does not fit.

    Args:
        limit: bytes; unless given, what a worker may hold, or the accelerator has free.
    """
    if limit is None:
        limit = _limit(spec.device)
    needed = estimate(spec)
    if needed > limit:
        raise SpecError(
            f"A step of this model with a batch of {spec.batch_size} needs about {verdict.size(needed)}, "
            f"and a run may hold {verdict.size(limit)} here. Make batch_size, width or size smaller."
        )


def _limit(device: str) -> int:
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    return Limits.from_environment().memory_mb * 2**20
