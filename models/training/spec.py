"""Every setting of a training run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from models.core import spec as core
from models.core.spec import SpecError, knob
from models.data.tabular import TableSpec
from models.training import changes, losses, network, optimizers


@dataclass(frozen=True)
class RunSpec(core.Spec):
    """How any network is trained: initial weights, loss, optimizer, schedule and stop conditions."""

    init: str = knob(
        "default",
        "How weights start. Biases start at 0, but with default, where nn.Linear draws both.",
        label="Initial weights",
        choices=tuple(network.INITS),
    )
    loss: str = knob(
        "auto",
        "What is made small. auto: cross-entropy, BCE for two classes, MSE for numbers.",
        choices=("auto", *losses.LOSSES),
    )
    class_weights: bool = knob(
        False, "Every class counts the same, however few rows it has (classification)."
    )
    label_smoothing: float = knob(
        0.0,
        "Cross-entropy aims at 1 - this instead of 1.",
        minimum=0.0,
        maximum=0.5,
        step=0.01,
    )
    optimizer: str = knob(
        "SGD", "Rule that turns gradients into updates.", choices=tuple(optimizers.OPTIMIZERS)
    )
    lr: float = knob(
        0.1,
        "The size of each step.",
        label="Learning rate",
        minimum=1e-6,
        maximum=1e4,
        log=True,
        live=True,
    )
    momentum: float = knob(
        0.0,
        "Share of the last update that is kept (SGD, RMSprop).",
        minimum=0.0,
        maximum=0.999,
        step=0.01,
        live=True,
    )
    nesterov: bool = knob(
        False, "Look ahead along the momentum (SGD).", label="Look ahead (Nesterov)"
    )
    weight_decay: float = knob(
        0.0,
        "Pulls every parameter towards 0 (L2).",
        minimum=0.0,
        maximum=10.0,
        log=True,
        live=True,
    )
    l1: float = knob(
        0.0,
        "Adds this times the sum of all absolute weights to the loss (L1).",
        label="L1 penalty",
        minimum=0.0,
        maximum=10.0,
        log=True,
        live=True,
    )
    clip: float = knob(
        0.0,
        "Longest gradient: a longer one is shortened to it; 0 is off.",
        label="Longest gradient",
        minimum=0.0,
        maximum=1000.0,
        log=True,
        live=True,
    )
    scheduler: str = knob(
        "none",
        "How the learning rate moves by itself.",
        label="Schedule of the rate",
        choices=("none", *optimizers.SCHEDULERS),
    )
    step_size: int = knob(
        20,
        "StepLR: epochs between two changes.",
        label="Epochs per step",
        minimum=1,
        maximum=changes.MAX_EPOCHS,
    )
    gamma: float = knob(
        0.5,
        "StepLR, ReduceLROnPlateau: the rate is multiplied by this.",
        label="Factor of each step",
        minimum=0.001,
        maximum=0.999,
        step=0.01,
    )
    t_max: int = knob(
        0,
        "CosineAnnealingLR: epochs from top to bottom; 0 is all of them.",
        label="Epochs to the lowest rate",
        minimum=0,
        maximum=changes.MAX_EPOCHS,
    )
    eta_min: float = knob(
        0.0,
        "CosineAnnealingLR: the lowest rate.",
        label="Lowest rate",
        minimum=0.0,
        maximum=1e4,
        log=True,
    )
    pct_start: float = knob(
        0.3,
        "OneCycleLR: share of the run in which the rate rises.",
        label="Share of rising",
        minimum=0.01,
        maximum=0.99,
        step=0.01,
    )
    lr_patience: int = knob(
        5,
        "ReduceLROnPlateau: epochs without a better validation loss before the rate falls.",
        label="Patience of the schedule",
        minimum=0,
        maximum=1000,
    )
    batch_size: int = knob(10, "Rows per step.", label="Batch size", minimum=1, maximum=65_536)
    epochs: int = knob(60, "Passes over the training rows.", minimum=1, maximum=changes.MAX_EPOCHS)
    patience: int = knob(
        0,
        "Early stopping: epochs without a better validation loss; 0 is off.",
        label="Epochs of patience",
        minimum=0,
        maximum=changes.MAX_EPOCHS,
    )
    stop_at: float = knob(
        0.0,
        "Stop once the validation metric (accuracy or R²) reaches this; 0 is off.",
        label="Stop at this metric",
        minimum=0.0,
        maximum=1.0,
        step=0.01,
    )
    seed: int = knob(0, "Initial weights, batch order and dropout.", minimum=0, maximum=2**31 - 1)
    changes: str = knob(
        "",
        'What was changed while it ran: "step:name=value" joined by ";".',
        max_chars=20_000,
    )

    def check(self) -> None:
        super().check()
        changes.parse(self.changes)
        optimizers.check(self)
        if self.label_smoothing and self.loss not in ("auto", "cross_entropy"):
            raise SpecError(
                f"label_smoothing = {self.label_smoothing:g} softens cross-entropy's targets; "
                f"{self.loss} has no such setting. Set it to 0 or choose cross_entropy.",
                "label_smoothing",
            )

    def as_it_stands(self) -> Self:
        """The settings with what was changed while the run lived in place of what it began with."""
        now = {c.name: c.value for c in changes.parse(self.changes) if c.name in changes.LIVE}
        try:
            return self.replace(**now)
        except SpecError:  # a rate below the schedule's lowest: only a run under way can have it
            return self

    def leaky(self) -> dict[str, core.Value]:
        """The settings that put LeakyReLU in place of ReLU, for units that have died."""
        raise NotImplementedError

    def wider(self) -> dict[str, core.Value]:
        """The settings of a larger network; none where it is not made of a layer list, or is as wide as can be."""
        return {}


@dataclass(frozen=True)
class Spec(RunSpec, TableSpec):
    """Data, network, loss, optimizer, schedule and stop conditions of one run; see each field's help."""

    data: str = knob(
        "circle", "Which data to learn from: a made set, a real one, or your own table."
    )
    layers: str = knob(
        "8 tanh, 8 tanh",
        "Hidden layers, separated by commas: units, activation, dropout=0.2, batch_norm. Empty: a linear model.",
        label="Hidden layers",
        max_chars=400,
    )
    activation: str = knob(
        "ReLU",
        "Activation of the layers that name none.",
        choices=tuple(network.ACTIVATIONS),
    )

    def check(self) -> None:
        network.parse(self.layers, self.activation)
        super().check()
        if self.loss != "auto" and self.task in ("classification", "regression"):
            loss = losses.LOSSES[self.loss]
            if loss.task != self.task:
                losses.choose(self.loss, self.task, (), False, 0.0)

    def leaky(self) -> dict[str, core.Value]:
        layers = network.parse(self.layers, self.activation)
        text = ", ".join(layer.text().replace(" relu", " leakyrelu") for layer in layers)
        return {"layers": text}

    def wider(self) -> dict[str, core.Value]:
        layers = network.parse(self.layers, self.activation)
        twice = [replace(one, units=min(2 * one.units, network.MAX_UNITS)) for one in layers]
        return {"layers": ", ".join(layer.text() for layer in twice)}
