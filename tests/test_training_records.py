"""Curves leave as files that other tools read back with the same numbers."""

from __future__ import annotations

import io
import zipfile

import pandas as pd
import pytest

from models.training import Spec, records
from tests.test_training import TINY, play

ROWS = [row for snapshot in play(TINY) for row in snapshot.rows if row["epoch"] % 1 == 0]


def test_csv_reads_back_with_every_number():
    table = pd.read_csv(io.BytesIO(records.to_csv(ROWS)))
    assert len(table) == 5
    assert table["train_loss"].tolist() == [row["train_loss"] for row in ROWS]
    assert table["grad_norm"].isna().tolist()[0]


def test_a_missing_validation_is_an_empty_cell():
    rows = [row for s in play(TINY.replace(val_fraction=0.0)) for row in s.rows]
    table = pd.read_csv(io.BytesIO(records.to_csv(rows)))
    assert table["val_loss"].isna().tolist() == [True] * 5
    assert records.to_csv([]) == b"\n"


def test_tensorboard_reads_its_event_files(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    data = records.tensorboard_runs({"first": ROWS, "../second": ROWS[:2]})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path)
    assert {name.split("/")[0] for name in names} == {"first", "_second"}
    read = EventAccumulator(str(tmp_path / "first"))
    read.Reload()
    events = read.Scalars("loss/train")
    assert [e.step for e in events] == [row["step"] for row in ROWS]
    assert [e.value for e in events] == pytest.approx([row["train_loss"] for row in ROWS])


def test_formats_are_named_blobs():
    assert {name for name, _ in records.FORMATS.values()} == {"curves.csv", "tensorboard.zip"}
    assert Spec(data="iris").epochs == 60
