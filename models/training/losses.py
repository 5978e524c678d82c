"""Losses, the output layer and the targets each one needs, and the metric beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models.core.calls import Call
from models.core.spec import SpecError


@dataclass(frozen=True)
class Loss:
    """What a loss asks of the network: `outputs` per row, the form of its targets, the task it fits.

    Attributes:
        name: PyTorch's class below `torch.nn`.
        task: "classification" or "regression".
        binary: it has one output for two classes (its sign decides) instead of one per class.
        log_softmax: it wants log-probabilities, so the network ends in LogSoftmax.
    """

    name: str
    task: str
    binary: bool = False
    log_softmax: bool = False


@dataclass(frozen=True)
class Chosen:
    """The loss of one run, ready to build and to print."""

    key: str
    loss: Loss
    call: Call
    outputs: int

    @property
    def metric(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Accuracy for classes, R² for numbers."""
        if self.loss.task == "regression":
            return r2
        return binary_accuracy if self.loss.binary else accuracy

    def targets(self, y: Tensor) -> Tensor:
        """Targets as this loss takes them: (N,) class indices, or (N, 1) floats."""
        column = self.loss.binary or self.loss.task == "regression"
        return y.float().unsqueeze(1) if column else y

    def probabilities(self, output: Tensor) -> Tensor:
        """Of each class, from the network's output.

        Shape:
            output: (N, outputs); returns (N, classes), each row summing to 1.
        """
        if self.loss.binary:
            p = output.sigmoid()
            return torch.cat([1 - p, p], dim=1)
        # over the first dimension: several times faster on the CPU where there are many rows
        classes_first = output.T.contiguous()
        p = classes_first.exp() if self.loss.log_softmax else classes_first.softmax(dim=0)
        return p.T


def choose(
    key: str, task: str, counts: tuple[int, ...], balanced: bool, label_smoothing: float
) -> Chosen:
    """The loss that runs: "auto" becomes cross-entropy, BCE for two classes, MSE for numbers.

    Two classes get one logit and BCE unless a loss with one logit per class is asked for, because
    one output is what the decision plane and the network drawing can show as one sign.

    Args:
        counts: training rows per class; () for regression.

    Raises:
        SpecError: the loss does not fit the task; the message says which do.
    """
    if key == "auto":
        key = _automatic(task, len(counts), label_smoothing)
    loss = LOSSES[key]
    if loss.task != task:
        fitting = ", ".join(name for name, other in LOSSES.items() if other.task == task)
        wants = "classes" if loss.task == "classification" else "numbers"
        raise SpecError(
            f"{key} compares {wants}, but this is a {task} task. Choose one of: {fitting}.", "loss"
        )
    if loss.binary and len(counts) != 2:
        raise SpecError(
            f"{key} decides between two classes with one output, but the target has {len(counts)}. "
            "Choose cross_entropy or nll.",
            "loss",
        )
    if label_smoothing and key != "cross_entropy":
        raise SpecError(
            f"label_smoothing = {label_smoothing:g} softens cross-entropy's targets; {key} has no such "
            "setting. Set it to 0 or choose cross_entropy.",
            "label_smoothing",
        )
    options: dict[str, object] = {}
    if task == "classification" and balanced:
        options.update(_weights(loss, counts))
    if label_smoothing:
        options["label_smoothing"] = label_smoothing
    outputs = 1 if loss.binary or task == "regression" else len(counts)
    return Chosen(key, loss, Call(f"nn.{loss.name}", **options), outputs)


def _automatic(task: str, classes: int, label_smoothing: float) -> str:
    if task == "regression":
        return "mse"
    return "bce_with_logits" if classes == 2 and not label_smoothing else "cross_entropy"


def _weights(loss: Loss, counts: tuple[int, ...]) -> dict[str, object]:
    # every class weighs the same in the sum: weight = rows / (classes × rows of the class)
    if loss.binary:
        return {"pos_weight": Call("tensor", [counts[0] / max(counts[1], 1)])}
    total = sum(counts)
    return {"weight": Call("tensor", [total / (len(counts) * max(n, 1)) for n in counts])}


def accuracy(output, y):
    """Share of rows whose largest output is the right class."""
    return (output.argmax(dim=1) == y).float().mean()


def binary_accuracy(output, y):
    """Share of rows whose output has the right sign."""
    return ((output > 0) == (y > 0.5)).float().mean()


def r2(output, y):
    """Share of the targets' variance that the predictions explain: 1 is perfect, 0 the mean's."""
    return 1 - ((y - output) ** 2).sum() / ((y - y.mean()) ** 2).sum()


LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss("CrossEntropyLoss", "classification"),
    "bce_with_logits": Loss("BCEWithLogitsLoss", "classification", binary=True),
    "nll": Loss("NLLLoss", "classification", log_softmax=True),
    "multi_margin": Loss("MultiMarginLoss", "classification"),
    "mse": Loss("MSELoss", "regression"),
    "l1": Loss("L1Loss", "regression"),
    "huber": Loss("HuberLoss", "regression"),
}
