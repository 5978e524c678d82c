"""Rows of the original data by number are the rows that the model saw, before normalisation."""

from __future__ import annotations

import pytest
import torch

from models.data import rows, tabular
from models.data.tabular import TableSpec


@pytest.mark.parametrize("data", ["iris", "diabetes", "circle", "reg_gauss"])
def test_rows_by_number_are_those_of_the_split(data):
    spec = TableSpec(data=data, edits="+1,2,1;-3" if data == "circle" else "")
    made = tabular.prepare(spec)
    table = rows.original(spec, made.rows_val.tolist())
    assert list(table.index) == made.rows_val.tolist()
    names = list(made.features) if made.points_val is None else ["x1", "x2"]
    shown = torch.tensor(table[names].to_numpy("float32"))
    seen = made.x_val * made.scale + made.shift if made.points_val is None else made.points_val
    torch.testing.assert_close(shown, seen, rtol=1e-4, atol=1e-4)


def test_no_numbers_give_no_rows():
    assert len(rows.original(TableSpec(), [])) == 0
