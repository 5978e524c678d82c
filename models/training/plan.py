"""What a run trains, and on what: all that differs between a table and pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.core.calls import Call
from models.core.spec import SpecError
from models.data import tabular
from models.training import losses, network
from models.training.spec import RunSpec, Spec

EVALUATED = 20_000  # rows per split that each point of the curves looks at


@dataclass(frozen=True)
class Plan:
    """The data and the network of one run.

    Attributes:
        data: splits x_*, y_*, rows_* and names as `tabular.Prepared` has them; pictures are (N, C, H, W).
        chosen: the loss.
        build: the network on the CPU, its weights drawn from the default generator.
        random: it draws numbers while it trains (dropout); batch_norm: it needs two rows per batch.
        layers, calls: the hidden layers and all constructor calls of a network for a table.
        augment: another version of a batch's inputs, drawn from a generator; None leaves them as they are.
        evaluated: rows per split that each point of the curves looks at.
    """

    data: Any
    chosen: losses.Chosen
    build: Callable[[], nn.Module]
    random: bool
    batch_norm: bool
    layers: tuple[network.Layer, ...] = ()
    calls: tuple[Call, ...] = ()
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None
    evaluated: int = EVALUATED


def table(spec: Spec) -> Plan:
    """The plan of a network on a table.

    Raises:
        SpecError: the data and the settings contradict each other.
    """
    data = tabular.prepare(spec)
    chosen = choose(spec, data)
    layers = network.parse(spec.layers, spec.activation)
    features = data.x_train.shape[1]
    calls = network.modules(layers, features, chosen.outputs, chosen.loss.log_softmax)
    return Plan(
        data,
        chosen,
        lambda: network.build(calls, spec.init),
        random=any(layer.dropout for layer in layers),
        batch_norm=any(layer.batch_norm for layer in layers),
        layers=layers,
        calls=calls,
    )


def thinning(rows: int, evaluated: int = EVALUATED) -> int:
    """Every how many rows the curves look at, so that a point stays cheap."""
    return max(1, math.ceil(rows / evaluated))


def choose(spec: RunSpec, data: Any) -> losses.Chosen:
    """The loss of these settings on this data.

    Raises:
        SpecError: they do not fit.
    """
    if data.task == "regression":
        if spec.class_weights:
            raise SpecError(
                "class_weights weighs classes, but this is a regression task. Switch it off.",
                "class_weights",
            )
        return losses.choose(spec.loss, data.task, (), False, spec.label_smoothing)
    counts = torch.bincount(data.y_train, minlength=len(data.classes)).tolist()
    return losses.choose(
        spec.loss, data.task, tuple(counts), spec.class_weights, spec.label_smoothing
    )


def check_batches(spec: RunSpec, batch_norm: bool, n: int) -> None:
    """Whether every batch of `n` training rows is one that the network and the schedule can take."""
    if batch_norm and (n % spec.batch_size or spec.batch_size) == 1:
        raise SpecError(
            f"Batch norm needs at least 2 rows, but with batch_size = {spec.batch_size} a batch of the "
            f"{n} training rows holds 1. Choose another batch_size.",
            "batch_size",
        )
    if spec.scheduler == "OneCycleLR" and spec.epochs * math.ceil(n / spec.batch_size) < 2:
        raise SpecError(
            "OneCycleLR rises and falls, which takes at least 2 steps, but the run has 1. "
            "Choose more epochs or a smaller batch_size.",
            "epochs",
        )
