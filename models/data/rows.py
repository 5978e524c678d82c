"""Rows of the original data by number, to look at what a model got wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch

from models.data import steps, tabular, toy
from models.data.tabular import TableSpec


def original(spec: TableSpec, numbers: Sequence[int]) -> pd.DataFrame:
    """These rows as they were before normalisation, indexed by their number from 0.

    Raises:
        SpecError: the data is not on this server.
    """
    chosen = [int(n) for n in numbers]
    if spec.data in toy.TOYS:
        points, y = toy.TOYS[spec.data].make(spec.points, spec.noise, spec.data_seed)
        added, _ = tabular.parse_edits(spec.edits)
        if added:
            points, y = steps.append_points(points, y, added)
        rows = torch.tensor(chosen, dtype=torch.int64)
        table = pd.DataFrame(points[rows].numpy(), columns=["x1", "x2"], index=chosen)
        table["y"] = y[rows].numpy()
        return table
    known = tabular.plan(spec)
    return tabular._table(spec, [*known.features, known.target]).loc[chosen].copy()
