"""Optimizers and learning-rate schedulers, as calls that are built and printed alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.core.calls import Call
from models.core.spec import SpecError

if TYPE_CHECKING:
    from models.training.spec import RunSpec


@dataclass(frozen=True)
class Optimizer:
    """What PyTorch's optimizer of this name takes besides lr and weight_decay, and where it is fused."""

    momentum: bool = False
    nesterov: bool = False
    fused_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scheduler:
    """How a scheduler is made and when it steps: "batch", "epoch", or "loss" (an epoch, told the loss)."""

    call: Callable[[RunSpec, int], Call]
    steps: str = "epoch"


def optimizer(spec: RunSpec, device: str = "cpu") -> Call:
    """The optimizer's call, to be built on `model.parameters()`.

    One fused kernel updates all parameters where PyTorch has it: the same algorithm, fewer calls.
    """
    about = OPTIMIZERS[spec.optimizer]
    options: dict[str, object] = {"lr": spec.lr}
    if about.momentum and spec.momentum:
        options["momentum"] = spec.momentum
    if about.nesterov and spec.nesterov:
        options["nesterov"] = True
    if spec.weight_decay or spec.optimizer == "AdamW":  # AdamW's own default is 0.01
        options["weight_decay"] = spec.weight_decay
    if device.split(":")[0] in about.fused_on:
        options["fused"] = True
    return Call(f"optim.{spec.optimizer}", **options)


def scheduler(spec: RunSpec, batches_per_epoch: int) -> Call | None:
    """The scheduler's call, to be built on the optimizer; None for a constant learning rate."""
    if spec.scheduler == "none":
        return None
    return SCHEDULERS[spec.scheduler].call(spec, batches_per_epoch)


def check(spec: RunSpec) -> None:
    """Contradictions between optimizer, scheduler and epochs.

    Raises:
        SpecError: a setting would do nothing, or PyTorch would refuse it.
    """
    about = OPTIMIZERS[spec.optimizer]
    if spec.momentum and not about.momentum:
        takes = " or ".join(name for name, other in OPTIMIZERS.items() if other.momentum)
        raise SpecError(
            f"{spec.optimizer} keeps its own running averages, so momentum = {spec.momentum:g} would do "
            f"nothing. Set momentum to 0, or choose {takes}.",
            "momentum",
        )
    if spec.nesterov and not (about.nesterov and spec.momentum):
        why = "momentum is 0" if about.nesterov else f"the optimizer is {spec.optimizer}"
        raise SpecError(
            f"Nesterov looks ahead along SGD's momentum, but {why}. "
            "Choose SGD with momentum such as 0.9, or switch nesterov off.",
            "nesterov",
        )
    if spec.scheduler == "StepLR" and spec.step_size >= spec.epochs:
        raise SpecError(
            f"StepLR would change the rate after {spec.step_size} epochs, but there are only "
            f"{spec.epochs}. Make step_size smaller or epochs larger.",
            "step_size",
        )
    if spec.scheduler == "CosineAnnealingLR" and spec.eta_min >= spec.lr:
        raise SpecError(
            f"Cosine annealing goes down from lr = {spec.lr:g} to eta_min = {spec.eta_min:g}, which is "
            "not lower. Make eta_min smaller or lr larger.",
            "eta_min",
        )


def _step(spec: RunSpec, batches_per_epoch: int) -> Call:
    return Call("optim.lr_scheduler.StepLR", step_size=spec.step_size, gamma=spec.gamma)


def _cosine(spec: RunSpec, batches_per_epoch: int) -> Call:
    return Call(
        "optim.lr_scheduler.CosineAnnealingLR",
        T_max=spec.t_max or spec.epochs,
        eta_min=spec.eta_min,
    )


def _one_cycle(spec: RunSpec, batches_per_epoch: int) -> Call:
    return Call(
        "optim.lr_scheduler.OneCycleLR",
        max_lr=spec.lr,
        total_steps=spec.epochs * batches_per_epoch,
        pct_start=spec.pct_start,
        cycle_momentum=False,  # momentum stays the learner's
    )


def _plateau(spec: RunSpec, batches_per_epoch: int) -> Call:
    return Call(
        "optim.lr_scheduler.ReduceLROnPlateau", factor=spec.gamma, patience=spec.lr_patience
    )


OPTIMIZERS: Mapping[str, Optimizer] = {
    "SGD": Optimizer(momentum=True, nesterov=True, fused_on=("cpu", "cuda")),
    "Adam": Optimizer(fused_on=("cpu", "cuda")),
    "AdamW": Optimizer(fused_on=("cpu", "cuda")),
    "RMSprop": Optimizer(momentum=True),
    "Adagrad": Optimizer(fused_on=("cpu",)),
}

SCHEDULERS: Mapping[str, Scheduler] = {
    "StepLR": Scheduler(_step),
    "CosineAnnealingLR": Scheduler(_cosine),
    "OneCycleLR": Scheduler(_one_cycle, steps="batch"),
    "ReduceLROnPlateau": Scheduler(_plateau, steps="loss"),
}
