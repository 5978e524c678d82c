"""Rows of a table: the original ones by number, to look at what a model got wrong, and new ones to predict."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.data import bundled, csv_files, decoded, tables, tabular, toy
from models.data.tabular import TableSpec


def original(spec: TableSpec, numbers: Sequence[int], every: bool = False) -> pd.DataFrame:
    """These rows as they were before normalisation, indexed by their number from 0; dates as dates.

    Args:
        numbers: those of `tabular.Prepared.rows_*`.
        every: all columns of the table, also those the model does not use.

    Raises:
        SpecError: the data is not on this server.
    """
    wanted = np.asarray(numbers, dtype=np.int64)
    if spec.data in toy.TOYS:
        points, y = tabular.points_of(spec)
        table = pd.DataFrame(points[wanted].numpy(), columns=["x1", "x2"], index=pd.Index(wanted))
        return table.assign(y=y[wanted].numpy())
    known = tabular.plan(spec)
    names = [c.name for c in known.columns] if every else [*known.features, known.target]
    if spec.data in bundled.BUNDLED:
        return bundled.table(spec.data).loc[wanted, names]
    found = tabular.profile_of(spec)
    kept = {c.name for c in found.columns if c.is_number or c.distinct <= decoded.MAX_WORDS}
    table = decoded.load(spec.upload, spec.csv, [n for n in names if n in kept], wanted)
    for name in found.dates.keys() & set(table):
        seconds = table[name].to_numpy("float64") * 86_400
        table[name] = pd.to_datetime(pd.Series(seconds, index=table.index), unit="s")
    return table


def like(spec: TableSpec, found: csv_files.Profile) -> csv_files.CsvOptions:
    """How to read the new rows of a file, for `Prepared.transform`: each column as its namesake in the data is.

    `found`: what the file holds when nothing is said about its columns.
    """
    how = dataclasses.replace(spec.csv, column_kinds="", skip_lines="auto")
    names = [c.name for c in found.columns]
    if spec.upload:
        kinds = csv_files.kinds_of(tabular.profile_of(spec), names)
    elif spec.data in bundled.BUNDLED:
        known = {c.name: c for c in tabular.plan(spec).columns}
        kinds = tables.comma_text([f"{n}={_kind(known[n])}" for n in names if n in known])
    else:
        return how
    return dataclasses.replace(how, column_kinds=kinds)


def _kind(about: tables.Column) -> str:
    return "number" if about.is_number else "category"
