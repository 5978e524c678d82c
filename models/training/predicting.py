"""Predictions of a trained network for rows it has never seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch

from models.core.spec import SpecError
from models.data.wording import shown
from models.training import evaluation
from models.training.run import Run

MAX_ROWS = 100_000


def predict(run: Run, rows: Any) -> Mapping[str, Any]:
    """What the network as it is now says about rows in the data's original units.

    Args:
        rows: a data frame or a list of dicts with the original columns, or (N, 2) pairs for a made set.

    Returns:
        {"predictions": class names or numbers, "probabilities": (N, C) lists, or None for a regression}.

    Raises:
        SpecError: a column is missing, a value is no number, or there are too many rows.
    """
    if not len(rows):
        raise SpecError("There is no row to predict. Give at least one.")
    if len(rows) > MAX_ROWS:
        raise SpecError(f"{len(rows)} rows are too many at once; the most is {MAX_ROWS}.")
    x = run.data.transform(_table(run, rows)).float()
    bad = (~x.isfinite()).nonzero().tolist()
    if bad:
        row, column = bad[0]
        raise SpecError(
            f"Row {row + 1} has a value that is missing or no number in column {shown(run.data.sources[column])}. "
            "Fill it in."
        )
    output = evaluation.outputs(run, x)
    if run.data.task == "regression":
        values = output[:, 0] * run.data.target_scale + run.data.target_shift
        return {"predictions": values.tolist(), "probabilities": None}
    p = run.chosen.probabilities(output)
    names = [run.data.classes[i] for i in p.argmax(dim=1).tolist()]
    return {"predictions": names, "probabilities": p.tolist()}


def _table(run: Run, rows: Any) -> Any:
    if run.data.points_train is not None:
        try:
            points = torch.as_tensor(rows, dtype=torch.float32)
        except (ValueError, TypeError, RuntimeError):
            points = torch.empty(0)
        if points.ndim != 2 or points.shape[1] != 2:
            raise SpecError("Each row of a made set is a point: two numbers, x1 and x2.")
        return points
    table = rows if isinstance(rows, pd.DataFrame) else _frame(rows)
    missing = [name for name in dict.fromkeys(run.data.sources) if name not in table]
    if missing:
        raise SpecError(
            f"The rows lack the column {missing[0][:60]!r}, which the network was trained on.",
            "features",
        )
    return table


def _frame(rows: Sequence[Any]) -> pd.DataFrame:
    if not all(isinstance(row, Mapping) for row in rows):
        raise SpecError("Each row must name its columns: a dict of column and value.")
    return pd.DataFrame(list(rows))
