"""How good a network is on rows of one split: the numbers, and the rows behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from sklearn import metrics
from torch import Tensor

from models.core.device import to_numpy
from models.core.spec import SpecError
from models.training.run import Run

SPLITS = ("train", "val", "test")
_CURVE_POINTS = 500


@dataclass(frozen=True)
class Curve:
    """A curve of a binary decision over all thresholds, with the area below it.

    Shape:
        x, y, thresholds: (T,); ROC: false and true positive rate; PR: recall and precision.
    """

    x: np.ndarray
    y: np.ndarray
    thresholds: np.ndarray
    area: float


@dataclass(frozen=True)
class Classes:
    """A classifier's report.

    Shape:
        precision, recall, f1, support: (C,) per class; confusion: (C, C), row = truth, column = prediction;
        truth, predicted: (N,); confidence: (N,) probability of the prediction; rank: (N,) how many classes were
        thought likelier than the true one; rows: (N,) row numbers in the original data.

    Attributes:
        cells: original row numbers behind each confusion cell, by "truth,prediction".
        roc, pr: only for two classes that both occur.
    """

    split: str
    loss: float
    accuracy: float
    macro_f1: float
    names: tuple[str, ...]
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    confusion: np.ndarray
    cells: Mapping[str, np.ndarray]
    rows: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    rank: np.ndarray
    roc: Curve | None = None
    pr: Curve | None = None


@dataclass(frozen=True)
class Numbers:
    """A regression's report, in the target's own units (the loss in the network's).

    Shape:
        truth, predicted, residuals, rows: (N,); residual = truth - prediction.
    """

    split: str
    loss: float
    mae: float
    rmse: float
    r2: float
    rows: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    residuals: np.ndarray


def report(run: Run, split: str) -> Classes | Numbers:
    """The report of the network as it is now on all rows of "train", "val" or "test".

    Raises:
        SpecError: there is no such split, it has no rows, or the network's outputs are not numbers.
    """
    if split not in SPLITS:
        raise SpecError(f"There is no split {split!r}; choose one of: {', '.join(SPLITS)}.")
    data = run.data
    x: Tensor = getattr(data, f"x_{split}")
    y: Tensor = getattr(data, f"y_{split}")
    rows = to_numpy(getattr(data, f"rows_{split}"))
    if not len(x):
        raise SpecError(
            f"The {split} split has no rows. Give it a share of the data (val_fraction, test_fraction).",
            f"{split}_fraction",
        )
    output = outputs(run, x)
    if not output.isfinite().all():
        raise SpecError(
            "The network's outputs are no numbers any more, so there is nothing to evaluate. "
            "Go back to an earlier epoch, or take a smaller lr."
        )
    loss = run.loss_fn(output, run.chosen.targets(y).to(run.device)).item()
    if data.task == "regression":
        truth = to_numpy(y * data.target_scale + data.target_shift)
        predicted = to_numpy(output[:, 0].cpu() * data.target_scale + data.target_shift)
        return numbers_report(split, loss, rows, truth, predicted)
    probabilities = to_numpy(run.chosen.probabilities(output))
    return classes_report(split, loss, rows, to_numpy(y), probabilities, data.classes)


def outputs(run: Run, x: Tensor) -> Tensor:
    """The network's outputs in evaluation mode, in chunks that fit into memory: (N, outputs)."""
    rows = max(1, 2**22 // max(1, x[:1].numel()))
    run.model.eval()
    with torch.no_grad():
        parts = [run.model(part.to(run.device)) for part in x.split(rows)]
    run.model.train()
    return torch.cat(parts)


def classes_report(
    split: str,
    loss: float,
    rows: np.ndarray,
    truth: np.ndarray,
    probabilities: np.ndarray,
    names: tuple[str, ...],
) -> Classes:
    """From the truth (N,) and the probabilities (N, C)."""
    predicted = probabilities.argmax(axis=1)
    labels = np.arange(len(names))
    never: Any = 0.0  # a class that is never predicted has precision 0, without a warning
    scores: Any = metrics.precision_recall_fscore_support(
        truth, predicted, labels=labels, zero_division=never
    )
    confusion = metrics.confusion_matrix(truth, predicted, labels=labels)
    cells = {
        f"{t},{p}": rows[(truth == t) & (predicted == p)]
        for t, p in zip(*np.nonzero(confusion), strict=True)
    }
    roc = pr = None
    if len(names) == 2 and len(np.unique(truth)) == 2:
        score = probabilities[:, 1]
        fpr, tpr, at = metrics.roc_curve(truth, score)
        roc = _curve(fpr, tpr, at, metrics.roc_auc_score(truth, score))
        precision, recall, at = metrics.precision_recall_curve(truth, score)
        at = np.append(at, 1.0)  # the last point has no threshold: nothing is predicted positive
        pr = _curve(recall, precision, at, metrics.average_precision_score(truth, score))
    return Classes(
        split=split,
        loss=loss,
        accuracy=float(metrics.accuracy_score(truth, predicted)),
        macro_f1=float(np.mean(scores[2])),
        names=tuple(names),
        precision=scores[0],
        recall=scores[1],
        f1=scores[2],
        support=scores[3],
        confusion=confusion,
        cells=cells,
        rows=rows,
        truth=truth,
        predicted=predicted,
        confidence=probabilities.max(axis=1),
        rank=(probabilities > probabilities[np.arange(len(truth)), truth][:, None]).sum(axis=1),
        roc=roc,
        pr=pr,
    )


def numbers_report(
    split: str, loss: float, rows: np.ndarray, truth: np.ndarray, predicted: np.ndarray
) -> Numbers:
    """From the truth and the predictions, (N,) each."""
    return Numbers(
        split=split,
        loss=loss,
        mae=float(metrics.mean_absolute_error(truth, predicted)),
        rmse=math.sqrt(metrics.mean_squared_error(truth, predicted)),
        # scikit-learn would call it 0 or 1 where there is no variance to explain
        r2=float(metrics.r2_score(truth, predicted)) if np.ptp(truth) else math.nan,
        rows=rows,
        truth=truth,
        predicted=predicted,
        residuals=truth - predicted,
    )


def plain(found: Classes | Numbers) -> dict[str, Any]:
    """The report as dicts, numbers and arrays, to cross a process; "task" says which kind it is."""
    task = "classification" if isinstance(found, Classes) else "regression"
    return {"task": task, **asdict(found)}


def _curve(x: Any, y: Any, at: Any, area: Any) -> Curve:
    # at most a screen's worth of points, ends included
    keep = np.unique(np.linspace(0, len(x) - 1, _CURVE_POINTS).round().astype(int))
    finite = np.where(np.isfinite(at), at, 1.0)  # roc_curve's first threshold is infinite
    return Curve(x[keep], y[keep], finite[keep], float(area))
