"""The steps from a table to tensors. These very functions run in the app and are printed in exported scripts.

Each is complete in itself (math, numpy, pandas and torch only).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor


def append_points(
    points: Tensor, y: Tensor, added: list[tuple[float, float, float]]
) -> tuple[Tensor, Tensor]:
    """The set with (x1, x2, class or target) points put behind it."""
    extra = torch.tensor(added)  # (K, 3)
    return torch.cat([points, extra[:, :2]]), torch.cat([y, extra[:, 2].to(y.dtype)])


def class_numbers(column: pd.Series) -> tuple[list[str], Tensor]:
    """The names of the classes in a column, and every row's class as a number from 0."""
    if pd.api.types.is_numeric_dtype(column):
        values, codes = np.unique(column, return_inverse=True)
        names = [np.format_float_positional(value, trim="-") for value in values]
    else:
        words = column.astype("category").cat.remove_unused_categories()
        names, codes = list(words.cat.categories), words.cat.codes
    return names, torch.tensor(np.asarray(codes), dtype=torch.int64)


def split(groups: Tensor, val: float, test: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Positions of the rows for training, validation and test, each in ascending order.

    Every group gives the same share to each part; a plain split has a single group.
    """
    # not the seed itself: made points come from that stream, and the split would follow their places
    chance = torch.rand(len(groups), generator=torch.Generator().manual_seed(seed + 1_000_003))
    parts: list[list[Tensor]] = [[], [], []]
    for group in groups.unique():
        rows = (groups == group).nonzero().flatten()
        rows = rows[chance[rows].argsort(stable=True)]
        n_val, n_test = round(val * len(rows)), round(test * len(rows))
        parts[0].append(rows[n_val + n_test :])
        parts[1].append(rows[n_test : n_val + n_test])
        parts[2].append(rows[:n_test])
    train, val_rows, test_rows = (torch.cat(part).sort().values for part in parts)
    return train, val_rows, test_rows


def without(removed: list[int], *parts: Tensor) -> tuple[Tensor, ...]:
    """The splits without some rows; all other rows stay where they were."""
    return tuple(part[~torch.isin(part, torch.tensor(removed))] for part in parts)


def complete_rows(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The rows in which none of these columns lacks its value."""
    return table.dropna(subset=names)


def numbers(column: pd.Series) -> Tensor:
    """A column as (N,) float32."""
    return torch.tensor(column.to_numpy("float32"))


def one_group(y: Tensor) -> Tensor:
    """All rows in the same group, for a split that does not look at the classes."""
    return torch.zeros(len(y))


def common_values(table: pd.DataFrame, rows: Tensor, most: int) -> dict[str, list[str]]:
    """Of each category column its most frequent values in some rows, at most `most`, in alphabetical order."""
    values = {}
    for name, column in table.iloc[rows.numpy()].items():
        counts = column.value_counts()
        counts = counts.loc[counts > 0].sort_index().sort_values(ascending=False, kind="stable")
        values[name] = sorted(map(str, counts.index[:most]))
    return values


def encode(table: pd.DataFrame, values: dict[str, list[str]]) -> Tensor:
    """A number stays one column; a category becomes one column of 0 and 1 per value (one-hot).

    Shape:
        returns (N, F) float32, NaN where a number is missing; a value not listed is 0 in all its columns.
    """
    columns = []
    for name in table:
        if name in values:
            columns += [(table[name] == value).to_numpy("float32") for value in values[name]]
        else:
            columns.append(table[name].to_numpy("float32"))
    return torch.from_numpy(np.stack(columns, axis=1))


def gaps_in(x: Tensor) -> list[int]:
    """Numbers of the columns in which a value is missing. (N, F)."""
    return x.isnan().any(dim=0).nonzero().flatten().tolist()


def mark_gaps(x: Tensor, gaps: list[int]) -> Tensor:
    """For each of these columns another one at the end: 1 where its value is missing, else 0. (N, F) to (N, F + gaps)."""
    return torch.cat([x, x[:, gaps].isnan().float()], dim=1)


def column_names(names: list[str], values: dict[str, list[str]], gaps: list[int]) -> list[str]:
    """The names of the input columns that `encode` and `mark_gaps` make of these columns."""
    made = [f"{n}={value}" if value else n for n in names for value in values.get(n, [""])]
    return made + [f"{made[i]} was missing" for i in gaps]


def mean_fill(x: Tensor) -> Tensor:
    """Each column's mean without its missing values; 0 where all are missing. (N, F) to (F,)."""
    return x.double().nanmean(dim=0).nan_to_num(0).float()


def median_fill(x: Tensor) -> Tensor:
    """Each column's lower median without its missing values; 0 where all are missing. (N, F) to (F,)."""
    return x.nanmedian(dim=0).values.nan_to_num(0)


def filled(x: Tensor, fill: Tensor) -> Tensor:
    """Each missing value replaced by its column's. (N, F) and (F,) to (N, F)."""
    return torch.where(x.isnan(), fill, x)


def standard(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each column, which bring it to mean 0 and deviation 1.

    A column that never changes has deviation 1, so that it becomes 0 and not NaN.
    """
    changes = x.amax(dim=0) > x.amin(dim=0)
    deviation, mean = torch.std_mean(x.double(), dim=0, correction=0)
    return mean.float(), torch.where(changes, deviation.float(), 1.0)


def min_max(x: Tensor) -> tuple[Tensor, Tensor]:
    """Minimum and width of each column, which bring it to 0 to 1; width 1 where it never changes."""
    low, width = x.amin(dim=0), x.amax(dim=0) - x.amin(dim=0)
    return low, torch.where(width > 0, width, 1.0)


def scaled(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Each column shifted and divided by its scale."""
    return (x - shift) / scale


def rows_of(x: Tensor, y: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs and targets of one part of a split."""
    return x[rows], y[rows]
