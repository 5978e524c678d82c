"""Reading in pieces gives the same means; every row group is read once, whatever the ranks and workers."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from models.core.spec import SpecError
from models.data import workspace
from models.datasets import large
from models.datasets.large import Spec


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))


def kept(text: str) -> str:
    return "upload:" + workspace.put(text.encode(), "t.csv")


def test_every_way_computes_the_means_of_the_whole_table_also_with_gaps(tmp_path: Path) -> None:
    text = "a,word,b\n" + "".join(f"{i},x{i},{'' if i % 3 else i / 8}\n" for i in range(5000))
    large.prepare(Spec(data=kept(text), chunk=1000), tmp_path)
    expected = pd.read_csv(tmp_path / "table.csv").mean(numeric_only=True)
    for way in large.WAYS.values():
        found = way(tmp_path, 1000)
        pd.testing.assert_series_equal(found, expected, check_dtype=False, rtol=1e-5)


def test_a_table_of_another_separator_encoding_and_decimal_is_read_as_it_is(tmp_path: Path) -> None:
    rows = "".join(f"Zürich;{i},25;{2 * i};2024-01-{1 + i % 28:02}\n" for i in range(3000))
    id = workspace.put(f"Ort;Größe;Zahl;Tag\n{rows}".encode("cp1252"), "t.csv")
    large.prepare(Spec(data=f"upload:{id}", chunk=1000), tmp_path)
    for way in large.WAYS.values():
        found = way(tmp_path, 1000)
        assert found.to_dict() == pytest.approx({"Größe": 1499.75, "Zahl": 2999.0})


def test_a_table_without_a_header_is_read_as_it_is(tmp_path: Path) -> None:
    large.prepare(Spec(data=kept("".join(f"{i},{i / 2}\n" for i in range(2000)))), tmp_path)
    for way in large.WAYS.values():
        assert list(way(tmp_path, 1000)) == pytest.approx([999.5, 499.75])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("ranks", [1, 3])
def test_every_row_is_read_by_exactly_one_worker_of_one_rank(
    ranks: int, workers: int, tmp_path: Path
) -> None:
    large.prepare(Spec(data=kept("a\n" + "1\n" * 7500), chunk=1000), tmp_path)
    found = large.sharded(tmp_path / "table.parquet", ranks, workers)
    assert [one["row group"] for one in found] == list(range(8))
    assert sum(one["rows"] for one in found) == 7500
    assert len({(one["rank"], one["worker"]) for one in found}) == ranks * max(1, workers)


def test_a_run_measures_every_way_and_ends_with_the_shards() -> None:
    *first, last = large.train(Spec(data=kept("a,b\n" + "1,2\n" * 3000), chunk=1000))
    rows = [row for snapshot in first for row in snapshot.rows]
    assert [row["way"] for row in rows] == list(large.WAYS)
    assert all(row["mean"] == pytest.approx(1.0) and row["seconds"] > 0 for row in rows)
    frame = last.frame or {}
    assert len(frame["shards"]) == 3
    assert frame["prepared"] > 0
    assert frame["shared"] > 0


def test_memory_of_children_counts_and_what_was_held_before_does_not() -> None:
    held = b"\1" * 80_000_000
    code = "x = b'\\1' * 60_000_000; print(flush=True); input()"
    before = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert before.stdout is not None
    before.stdout.readline()  # it holds its bytes
    with large.Watch() as alone:
        time.sleep(0.05)
    before.communicate(b"\n")
    with large.Watch() as child:
        code = "x = b'\\1' * 60_000_000; import time; time.sleep(0.3)"
        subprocess.run([sys.executable, "-c", code], check=True)
    assert alone.megabytes < 40 < 55 < child.megabytes < 140
    assert len(held) == 80_000_000
    assert child.seconds > 0.3


def test_a_process_that_still_lives_in_its_parents_memory_holds_nothing_of_its_own() -> None:
    class Process:
        def __init__(self, size: int, parent: Process | None = None) -> None:
            self.size, self.parent = size, lambda: parent

        def memory_info(self) -> SimpleNamespace:
            return SimpleNamespace(vms=self.size)

    parent = Process(3_000_000)
    assert large._borrowed(Process(3_000_000, parent))  # between vfork and exec
    assert not large._borrowed(Process(2_000_000, parent))
    assert not large._borrowed(parent)


def test_a_table_without_numbers_is_said() -> None:
    with pytest.raises(SpecError, match="no column of numbers"):
        list(large.train(Spec(data=kept("a,b\nx,y\n"))))


def test_the_code_of_each_way_is_its_function() -> None:
    assert all(f"def {way.__name__}" in large.source(name) for name, way in large.WAYS.items())
