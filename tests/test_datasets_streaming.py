"""A Parquet file flows through training: every row once, nothing of it read as a whole, and the script does the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from models.core import export
from models.core.spec import SpecError
from models.data import workspace
from models.datasets import streaming
from models.datasets.streaming import RowGroups, Spec


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))


Keep = Callable[..., str]


@pytest.fixture
def kept(tmp_path: Path) -> Keep:
    def keep(rows: int = 1000, **columns: Any) -> str:
        table = pa.table(columns)
        pq.write_table(table, tmp_path / "t.parquet", row_group_size=rows)
        return "upload:" + workspace.put(tmp_path / "t.parquet", "<b>t.parquet")

    return keep


@pytest.mark.parametrize("workers", [0, 2])
def test_every_row_of_the_wanted_groups_comes_once_in_random_order(workers: int, tmp_path: Path):
    pq.write_table(
        pa.table({"x": np.arange(1000.0), "y": np.arange(1000.0)}),
        tmp_path / "t",
        row_group_size=100,
    )
    data = RowGroups(tmp_path / "t", ["x"], "y", [0, 3, 9], [], 32, seed=1)
    batches = list(torch.utils.data.DataLoader(data, batch_size=None, num_workers=workers))
    seen = torch.cat([y for _, y in batches]).tolist()
    assert sorted(seen) == [*range(100), *range(300, 400), *range(900, 1000)]
    assert seen != sorted(seen)
    assert max(len(x) for x, _ in batches) <= 32


def test_only_pieces_are_ever_read(kept: Keep, monkeypatch: pytest.MonkeyPatch):
    for whole in ("read", "read_row_group", "read_row_groups"):
        monkeypatch.delattr(pq.ParquetFile, whole)
    x = np.random.default_rng(0).normal(size=6000)
    *_, last = streaming.train(Spec(data=kept(x=x, y=2 * x), lr=0.05, batch_size=64))
    assert last.frame is not None
    assert last.frame["numbers"]["val_loss"] < 0.1 * last.frame["start"]
    assert last.frame["numbers"]["rows"] == 5000  # a sixth of the row groups is held back


def test_a_column_of_few_words_is_told_apart_and_gaps_are_no_harm(kept: Keep):
    g = np.random.default_rng(0)
    x = g.normal(size=4000)
    side = np.where(x > 0, "right", "left").astype(object)
    side[::50] = None
    holes = np.where(g.random(4000) < 0.1, np.nan, x)
    data = kept(x=holes, side=side, other=["word"] * 4000, nested=[[1]] * 4000)
    *_, last = streaming.train(Spec(data=data, target="side", lr=0.05, batch_size=64))
    assert last.frame is not None
    assert (last.frame["classes"], last.frame["columns"]) == (["left", "right"], ["x"])
    assert last.frame["numbers"]["val_loss"] < 0.3 < last.frame["start"]


def test_a_script_of_an_own_file_prints_the_same_losses(kept: Keep, tmp_path: Path):
    g = np.random.default_rng(0)
    data = kept(100, a=g.normal(size=400), b=g.integers(0, 3, 400), c=g.normal(size=400))
    spec = Spec(data=data, target="b", batch_size=64, epochs=2, seed=4)
    (tmp_path / streaming.file_name(spec)).write_bytes(workspace.get(data[7:]).read_bytes())
    *_, last = streaming.train(spec)
    printed = export.numbers(export.run(streaming.to_code(spec), tmp_path))
    assert printed == pytest.approx(streaming.numbers(last), rel=1e-5)


def test_a_preview_reads_the_table_of_contents_and_the_first_rows(kept: Keep):
    data = kept(a=list(range(5000)), w=[f"<b>{i}" for i in range(5000)])
    found = streaming.preview(workspace.get(data[7:]))
    assert (found.rows, found.groups) == (5000, 5)
    assert found.columns == (("a", "int64"), ("w", "string"))
    assert found.head[1] == ("1", "<b>1")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"target": "z"}, "no column called 'z'"),
        ({"target": "w"}, "holds words"),
        ({"target": "same"}, "is the same"),
    ],
)
def test_what_cannot_be_learned_is_explained(spec: dict[str, str], said: str, kept: Keep):
    data = kept(a=[1.5, 2.5] * 50, w=[f"w{i}" for i in range(100)], same=[1] * 100)
    with pytest.raises(SpecError, match=said):
        list(streaming.train(Spec(data=data, **spec)))  # type: ignore[arg-type]  # texts


def test_a_file_that_is_damaged_or_alone_is_explained(kept: Keep):
    bad = "upload:" + workspace.put(b"PAR1 nothing", "bad.parquet")
    with pytest.raises(SpecError, match="no Parquet file that can be read"):
        list(streaming.train(Spec(data=bad)))
    with pytest.raises(SpecError, match="no column of numbers to predict it from"):
        list(streaming.train(Spec(data=kept(a=[1.0, 2.5]))))
