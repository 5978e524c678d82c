"""Rows lead back to the original data, and new rows are read as the data was."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
import torch

from models.core.spec import SpecError
from models.data import decoded, example, rows, workspace
from models.data.tabular import TableSpec, prepare

TEXT = "Name;Preis;Tag;zip;ok\n" + "".join(
    f"P{i};{i},{i % 7};{'' if i == 3 else f'{i % 28 + 1:02d}.03.2024'};0{i % 4};{'ja' if i % 5 < 2 else 'nein'}\n"
    for i in range(40)
)
MESSY = TableSpec(
    data="upload:" + workspace.put(TEXT.encode("cp1252"), "mine.csv"),
    missing="mean",
    column_kinds="zip=category",
)


def test_rows_lead_back_to_the_original() -> None:
    for spec in (
        MESSY,
        TableSpec(data="iris"),
        TableSpec(data="moons", edits="+1,2,0;-7"),
    ):
        data = prepare(spec)
        every = torch.cat([data.rows_train, data.rows_val, data.rows_test])
        assert len(every.unique()) == len(every)
        there = rows.original(spec, data.rows_test.tolist())
        assert there.index.tolist() == data.rows_test.tolist()
        target = there[data.target].tolist()
        assert [data.classes[i] for i in data.y_test.tolist()] == [str(value) for value in target]
    dates = rows.original(MESSY, [3, 0], every=True)["Tag"].tolist()
    assert dates == [pd.NaT, pd.Timestamp("2024-03-01")]


def test_only_the_columns_in_use_unless_every_is_asked_for() -> None:
    assert list(rows.original(MESSY, [5])) == ["Preis", "Tag", "zip", "ok"]
    assert rows.original(MESSY, [5], every=True)["Name"].tolist() == ["P5"]
    assert list(rows.original(TableSpec(features="petal width (cm)"), [0])) == [
        "petal width (cm)",
        "species",
    ]


def _read(spec: TableSpec, content: bytes) -> pd.DataFrame:
    """New rows as the page reads them: once to see their columns, once as the data's own are read."""
    id = workspace.put(content, "new.csv")
    how = rows.like(spec, decoded.profile(id, dataclasses.replace(spec.csv, column_kinds="")))
    return decoded.load(id, how, [c.name for c in decoded.profile(id, how).columns])


def test_new_rows_are_read_as_the_data_was() -> None:
    data = prepare(MESSY)
    content = "Tag,Preis,zip,extra\n2024-03-06,1.5,01,x\n2024-03-07,?,03,x\n"
    x = data.transform(_read(MESSY, content.encode("utf-16"))) * data.scale + data.shift
    wanted = [1.5, 19788, 0, 1, 0, 0, 0]  # the last: no day was missing
    torch.testing.assert_close(
        x[0], torch.tensor(wanted, dtype=torch.float32), atol=1e-2, rtol=1e-5
    )
    trained = rows.original(MESSY, data.rows_train.tolist())["Preis"].to_numpy()
    torch.testing.assert_close(x[1, 0].item(), float(trained.mean()), atol=1e-3, rtol=1e-5)
    again = prepare(TableSpec(data=example.DATA))
    assert torch.equal(
        again.transform(_read(TableSpec(data=example.DATA), example.CONTENT))[again.rows_train],
        again.x_train,
    )
    made = _read(TableSpec(data="circle"), b"x1,x2\n1,2\n")
    assert prepare(TableSpec(data="circle")).transform(made).shape == (1, 2)


def test_new_rows_that_are_no_table_are_explained() -> None:
    with pytest.raises(SpecError, match="is empty"):
        _read(MESSY, b"")
    with pytest.raises(SpecError, match="lacks 2 columns"):
        prepare(MESSY).transform(_read(MESSY, b"zip\n01\n"))


@pytest.mark.parametrize("data", ["iris", "diabetes", "circle", "reg_gauss"])
def test_rows_by_number_are_those_of_the_split(data):
    spec = TableSpec(data=data, edits="+1,2,1;-3" if data == "circle" else "")
    made = prepare(spec)
    table = rows.original(spec, made.rows_val.tolist())
    assert list(table.index) == made.rows_val.tolist()
    names = list(made.features) if made.points_val is None else ["x1", "x2"]
    shown = torch.tensor(table[names].to_numpy("float32"))
    seen = made.x_val * made.scale + made.shift if made.points_val is None else made.points_val
    torch.testing.assert_close(shown, seen, rtol=1e-4, atol=1e-4)


def test_no_numbers_give_no_rows():
    assert len(rows.original(TableSpec(), [])) == 0
