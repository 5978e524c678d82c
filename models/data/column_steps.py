"""Transforms of a table's columns. The app runs these classes, and exported scripts print them.

Each measures what it needs in `fit`, on the training rows alone, and then changes any rows in the same way.
They are complete in themselves (numpy, pandas and torch only).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor


class Step:
    """A transform of one column: `fit` on the training rows, then call it on any."""

    def fit(self, column: pd.Series) -> Self:
        return self

    def __call__(self, column: pd.Series) -> pd.Series | pd.DataFrame:
        raise NotImplementedError


class Mean(Step):
    """What is missing becomes the mean of the training rows."""

    def fit(self, column: pd.Series) -> Self:
        self.value = float(np.nan_to_num(column.mean()))
        return self

    def __call__(self, column: pd.Series) -> pd.Series:
        return column.fillna(self.value)


class Median(Mean):
    """What is missing becomes the median of the training rows."""

    def fit(self, column: pd.Series) -> Self:
        self.value = float(np.nan_to_num(column.median()))
        return self


class Fill(Step):
    """What is missing becomes one chosen value."""

    def __init__(self, value: float | str) -> None:
        self.value = value

    def __call__(self, column: pd.Series) -> pd.Series:
        return column.fillna(self.value)


class Common(Step):
    """What is missing becomes the most frequent value of the training rows."""

    def fit(self, column: pd.Series) -> Self:
        found = column.mode()  # in order: the first of several equally frequent ones
        none = 0.0 if pd.api.types.is_numeric_dtype(column) else ""
        self.value = found.iloc[0] if len(found) else none
        return self

    def __call__(self, column: pd.Series) -> pd.Series:
        return column.fillna(self.value)


class Log(Step):
    """The natural logarithm: what spans powers of ten becomes even. It takes positive numbers."""

    def __call__(self, column: pd.Series) -> pd.Series:
        return column.map(np.log)


class SignedLog(Step):
    """sign(x) · log(1 + |x|), which also takes 0 and negative numbers."""

    def __call__(self, column: pd.Series) -> pd.Series:
        return column.map(np.sign) * column.abs().map(np.log1p)


class Standardise(Step):
    """Mean 0 and standard deviation 1 over the training rows; a column that never changes becomes 0."""

    def fit(self, column: pd.Series) -> Self:
        self.shift = float(np.nan_to_num(column.mean()))
        self.scale = float(np.nanstd(column)) if column.max() > column.min() else 1.0
        return self

    def __call__(self, column: pd.Series) -> pd.Series:
        return (column - self.shift) / self.scale


class MinMax(Standardise):
    """0 at the lowest training row and 1 at the highest; other rows may lie outside."""

    def fit(self, column: pd.Series) -> Self:
        self.shift = float(np.nan_to_num(column.min()))
        self.scale = float(column.max() - column.min()) if column.max() > column.min() else 1.0
        return self


class OneHot(Step):
    """A column of 0 and 1 for each of the most frequent training words; any other word is 0 in all of them."""

    def __init__(self, most: int = 20) -> None:
        self.most = most

    def fit(self, column: pd.Series) -> Self:
        self.words = frequent(column, self.most)
        return self

    def __call__(self, column: pd.Series) -> pd.DataFrame:
        said = as_words(column)
        return pd.DataFrame({word: (said == word).astype("float64") for word in self.words})


class Embedding(Step):
    """The number of each training word, the index into a table of vectors; 0 is for words that training never saw."""

    def __init__(self, dim: int = 4) -> None:
        self.dim = dim

    def fit(self, column: pd.Series) -> Self:
        self.words = sorted(as_words(column).dropna().unique())
        return self

    def __call__(self, column: pd.Series) -> pd.Series:
        number = {word: k for k, word in enumerate(self.words, 1)}
        return as_words(column).map(number).fillna(0).astype("int64")


def as_words(column: pd.Series) -> pd.Series:
    """A column's values as texts, the missing ones still missing; numbers without a needless .0."""
    if pd.api.types.is_numeric_dtype(column):
        return column.map(lambda v: f"{v:g}", na_action="ignore").astype("object")
    return column.astype("object").map(str, na_action="ignore")


def frequent(column: pd.Series, most: int) -> list[str]:
    """The most frequent words of a column in alphabetical order, at most `most` of them."""
    counts = as_words(column).value_counts().sort_index()
    return sorted(counts.sort_values(ascending=False, kind="stable").index[:most])


def through(
    column: pd.Series, chain: Sequence[Step], train: np.ndarray
) -> Iterator[pd.Series | pd.DataFrame]:
    """The column before and after each step, each measured on the training rows as the steps before left them."""
    now = column.astype("float64") if pd.api.types.is_numeric_dtype(column) else as_words(column)
    yield now
    for step in chain:
        now = step.fit(now.iloc[train])(now)  # type: ignore[arg-type]  # one-hot and embedding come last
        yield now


def prepared(
    table: pd.DataFrame, chains: dict[str, list[Step]], train: np.ndarray
) -> tuple[Tensor, Tensor, list[str]]:
    """All columns through their steps.

    Shape:
        returns numbers (N, F) float32, indices into embeddings (N, K) int64, and the F names of the numbers.
    """
    columns = dict(table.items())
    numbers: list[pd.Series] = []
    indices: list[pd.Series] = []
    names: list[str] = []
    for name, chain in chains.items():
        *_, last = through(columns[name], chain, train)
        if isinstance(last, pd.DataFrame):
            numbers += [column for _, column in last.items()]
            names += [f"{name}={word}" for word in last]
        elif last.dtype == "int64":
            indices.append(last)
        else:
            numbers.append(last)
            names.append(name)
    rows = len(table)
    x = np.stack(numbers, 1) if numbers else np.zeros((rows, 0))
    index = np.stack(indices, 1) if indices else np.zeros((rows, 0))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(index, dtype=torch.int64), names


def with_vectors(x: Tensor, index: Tensor, tables: Sequence[torch.nn.Embedding]) -> Tensor:
    """What a network sees: the numbers (B, F), and behind them the vector of each index (B, K): (B, F + dims)."""
    return torch.cat([x, *(table(index[:, k]) for k, table in enumerate(tables))], dim=1)
