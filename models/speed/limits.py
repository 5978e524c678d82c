"""How much memory a measurement needs, told before anything is allocated, and the refusal of what does not fit."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch

from models.core.runs.limits import Limits
from models.core.spec import SpecError
from models.speed import footprint, verdict
from models.speed.spec import Spec

_STAYS = ("parameters", "gradients", "optimizer state", "inputs")  # between two steps


def estimate(*specs: Spec) -> int:
    """Bytes at the fullest moment when these models take turns, each alive while another one steps.

    From runs on the meta device, which has shapes but no numbers.

    Raises:
        SpecError: the model refuses this batch.
    """
    traces = [_steady(spec) for spec in specs]
    asleep = [sum(t.by_category[name] for name in _STAYS) for t in traces]
    return max(t.peak + sum(asleep) - own for t, own in zip(traces, asleep, strict=True))


def refusal(specs: Spec | Sequence[Spec], limit: int | None = None) -> str:
    """Why this cannot be measured here, with the estimate; "" when it can.

    Args:
        specs: the models that are in memory together.
        limit: bytes; unless given, what a worker may hold, or the accelerator has free.
    """
    together = [specs] if isinstance(specs, Spec) else list(specs)
    try:
        needed = estimate(*together)
    except SpecError as error:
        return str(error)
    most = available(together[0].device) if limit is None else limit
    if needed <= most:
        return ""
    sizes = " and of ".join(str(s.batch_size) for s in {s.batch_size: s for s in together}.values())
    what = (
        "A step of this model"
        if len(together) == 1
        else f"Steps of {len(together)} models in turns,"
    )
    return (
        f"{what} with a batch of {sizes} needs about {verdict.size(needed)}, "
        f"and a run may hold {verdict.size(most)} here. Make batch_size, width or size smaller."
    )


def check(specs: Spec | Sequence[Spec], limit: int | None = None) -> None:
    """Raise `SpecError` with `refusal`'s sentence when there is one."""
    if reason := refusal(specs, limit):
        raise SpecError(reason)


def available(device: str) -> int:
    """Bytes that a run may hold: the worker's limit, or what is free on a GPU that can tell."""
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    return Limits.from_environment().memory_mb * 2**20


def is_memory(error: BaseException) -> bool:
    """Whether this error says that memory ran out, on the CPU or on an accelerator."""
    text = str(error)
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
        sign in text for sign in ("can't allocate memory", "not enough memory", "out of memory")
    )


def ran_out(spec: Spec, error: BaseException) -> SpecError:
    """What a learner reads when the estimate was too low, or others had taken the memory."""
    try:
        told = f"A step alone was estimated at {verdict.size(estimate(spec))}"
    except SpecError:
        told = "Its size could not be estimated"
    return SpecError(
        f"The memory ran out during this measurement. {told}, and {verdict.size(available(spec.device))} may be held here. "
        "Make batch_size, width or size smaller; the page and all other runs go on.",
        detail=str(error)[:2000],
    )


@functools.lru_cache(maxsize=64)
def _steady(spec: Spec) -> footprint.memory.Trace:
    try:
        return footprint.steady(spec, "meta")
    except ValueError as error:  # batch norm's own refusal
        if "more than 1 value per channel" not in str(error):
            raise
        raise SpecError(
            f"Batch norm compares the samples of a batch, and here a channel has only one value to compare "
            f"(batch_size {spec.batch_size}). Make batch_size 2 or more, or size larger.",
            "batch_size",
            detail=str(error),
        ) from error
