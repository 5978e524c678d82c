"""Parquet, JSON lines and arrays as tables: values arrive, what does not fit is listed, nothing pickled is loaded."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.core.spec import SpecError
from models.data import convert_tables, workspace
from models.data.convert_tables import Spec
from tests import table_cases
from tests.image_cases import packed


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYGROUND_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def taken(content: bytes, name: str, **how: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    id = workspace.put(content, name)
    *_, last = convert_tables.train(Spec(f"upload:{id}", **how))
    made = str((last.frame or {})["dataset"])
    report = convert_tables.report(made)
    assert report is not None
    return pd.read_csv(workspace.get(made)), report


def parquet(table: pa.Table, rows: int = 1000) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=rows)
    return out.getvalue()


def saved(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def test_parquet_arrives_and_nested_columns_are_listed() -> None:
    table = pa.table(
        {
            "a": [1, 2, None],
            "word": ["x", "ü", None],
            "list": [[1], [2], []],
            "raw": [b"1", b"2", b"3"],
        }
    )
    frame, report = taken(parquet(table), "t.parquet")
    assert frame["a"].tolist()[:2] == [1, 2]
    assert frame["a"].isna().tolist() == [False, False, True]
    assert frame["word"].tolist()[:2] == ["x", "ü"]
    assert [name for name, _ in report["left_out"]] == ["list", "raw"]


def test_only_as_many_row_groups_are_read_as_rows_are_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = pa.table({"a": list(range(100_000))})
    seen: list[int] = []
    real = pq.ParquetFile.iter_batches

    def watched(self: pq.ParquetFile, *a: Any, **k: Any) -> Any:
        for batch in real(self, *a, **k):
            seen.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", watched)
    frame, report = taken(parquet(table, 10_000), "t.parquet", rows=25_000)
    assert frame["a"].tolist() == list(range(25_000))
    assert sum(seen) < 60_000
    assert "first 25,000 of 100,000" in report["notes"][-1]


@pytest.mark.parametrize("shift", range(3))
def test_a_long_json_file_is_utf8_wherever_its_letters_lie(shift: int) -> None:
    records = [{"word": "电影" * 20, "n": k} for k in range(1000)]
    frame, _ = taken((" " * shift + json.dumps(records, ensure_ascii=False)).encode(), "t.json")
    assert set(frame["word"]) == {"电影" * 20}


def test_json_lines_arrive_with_gaps_and_broken_lines_are_listed() -> None:
    lines = [
        '{"a": 1, "b": "x"}',
        "{broken",
        '{"a": 2, "c": [1]}',
        "[1]",
        '{"a": 3.5, "b": "y, z"}',
    ]
    frame, report = taken("\n".join(lines).encode(), "t.jsonl")
    assert frame["a"].tolist() == [1, 2, 3.5]
    assert frame["b"].tolist()[2] == "y, z"
    assert [where for where, _ in report["left_out"]] == ["c", "Line 2", "Line 4"]


def test_arrays_become_columns() -> None:
    out = io.BytesIO()
    np.save(out, np.arange(6, dtype=np.float32).reshape(3, 2))
    frame, _ = taken(out.getvalue(), "t.npy")
    assert frame.to_dict("list") == {"x0": [0, 2, 4], "x1": [1, 3, 5]}
    content = saved(
        x=np.eye(3), y=np.array([1, 0, 1]), other=np.zeros((2, 2)), cube=np.zeros((3, 2, 2))
    )
    frame, report = taken(content, "t.npz")
    assert list(frame) == ["x0", "x1", "x2", "y"]
    assert frame["y"].tolist() == [1, 0, 1]
    assert [name for name, _ in report["left_out"]] == ["cube"]


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    out = io.BytesIO()
    np.save(out, np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(SpecError, match="pickled Python objects"):
        taken(out.getvalue(), "t.npy")
    frame, report = taken(saved(bad=np.array([Bomb()], dtype=object), good=np.arange(3)), "t.npz")
    assert list(frame) == ["good"]
    assert "pickled" in report["left_out"][0][1]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PAR1 and then nothing", "damaged or cut Parquet"),
        (b"\x93NUMPY\x01\x00v\x00", "damaged or cut .npy"),
        (b"PK\x03\x04", "cut short"),
        (b"\x00\x01\x02", "none of the tables"),
        (b"", "none of the tables"),
        (b'{"a": [[1]]}', "no column that fits"),
        (parquet(pa.table({"a": pa.array([], pa.int64())})), "holds no rows"),
    ],
)
def test_what_is_no_table_is_said(content: bytes, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        taken(content, "t.x")


@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"PAR1", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b'{"a": 1}\n']),
)
@settings(max_examples=80)
def test_any_bytes_end_in_a_table_or_a_sentence(content: bytes, head: bytes) -> None:
    try:
        _, report = taken(head + content, "t.x")
    except SpecError as error:
        report = {"rows": len(str(error))}
    except (
        pd.errors.EmptyDataError
    ):  # a column whose name is only white space, read back by the test itself
        report = {"rows": 1}
    assert report["rows"] > 0


@given(st.lists(st.one_of(st.integers(-9999, 9999), st.floats(-1e6, 1e6)), min_size=1, max_size=20))
@settings(max_examples=20)
def test_numbers_come_back_as_they_were(values: list[float]) -> None:
    lines = "\n".join(json.dumps({"a": v}) for v in values)
    frame, _ = taken(lines.encode(), "t.jsonl")
    assert frame["a"].tolist() == pytest.approx(values)


def several(content: bytes, name: str) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """The tables of one upload by name, the first one first."""
    id = workspace.put(content, name)
    *_, last = convert_tables.train(Spec(f"upload:{id}"))
    frame = last.frame or {}
    made = [(frame["dataset"], frame["name"]), *frame["also"]]
    return {title: pd.read_csv(workspace.get(table)) for table, title in made}, frame["report"]


def test_arrays_of_several_lengths_are_a_table_each() -> None:
    found, _ = several(saved(x=np.eye(3), y=np.array([1, 0, 1]), rest=np.zeros((2, 2))), "t.npz")
    assert {name: list(table) for name, table in found.items()} == {
        "t x, y (table).csv": ["x0", "x1", "x2", "y"],
        "t rest (table).csv": ["rest0", "rest1"],
    }


def test_the_tables_of_an_archive_are_taken_each_and_those_alike_also_together() -> None:
    files = {
        "2024/jan.csv": b"a,b\n1,2\n3,4",
        "2024/feb.csv": b"a,b\r\n5,6\r\n",
        "other.tsv": b"x\ty\n1\t2\n",
        "deep/t.parquet": parquet(pa.table({"p": [1, 2]})),
        "deep/r.jsonl": b'{"k": 1}\n{"k": 2}',
        "deep/a.npy": b"\x93NUMPY cut",
        "read.me": b"words",
        "../out.csv": b"a,b\n1,2",
        "binary.csv": b"\0\1\2" * 400,
    }
    found, report = several(packed(files), "all.zip")
    assert next(iter(found)) == "all (2 put together).csv"
    first = next(iter(found.values()))
    assert first.to_dict("list") == {"a": [1, 3, 5], "b": [2, 4, 6]}
    assert set(list(found)[1:]) == {
        "2024-jan.csv", "2024-feb.csv", "other.tsv", "deep-t (table).csv", "deep-r (table).csv"
    }  # fmt: skip
    assert {name for name, _ in report["left_out"]} == {
        "deep/a.npy", "read.me", "../out.csv", "binary.csv"
    }  # fmt: skip


def test_an_archive_without_a_table_is_explained() -> None:
    with pytest.raises(SpecError, match="holds no table that can be read"):
        several(packed({"a.txt": b"", "b.exe": b"MZ"}), "none.zip")


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=12).map(lambda n: f"{n}.csv"),
        st.binary(max_size=60) | st.just(b"a,b\n1,2\n"),
        max_size=4,
    )
)
def test_any_archive_of_tables_ends_in_tables_or_a_sentence(files: dict[str, bytes]) -> None:
    try:
        found, report = several(
            packed({k.encode("utf-8", "replace").decode(): v for k, v in files.items()}), "x.zip"
        )
    except SpecError as error:
        assert len(str(error)) > 20  # noqa: PT017  # either of the two is right
    else:
        assert 1 <= len(found) <= len(files) + 2
        assert report["left_out_count"] + len(found) >= len(files)


RECORDS = [{"width": 0.25 * k, "height": k, "kind": "ab"[k % 2]} for k in range(30)]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=2),
        "[\n" + ",\n".join(json.dumps(r) for r in RECORDS) + "\n]\n",
        "\n".join(json.dumps(r) for r in RECORDS),
        "\n".join(json.dumps(r, indent=2) for r in RECORDS),
        json.dumps({"data": RECORDS, "made": "today"}),
        json.dumps({k: [r[k] for r in RECORDS] for k in RECORDS[0]}),
        json.dumps({k: {str(n): r[k] for n, r in enumerate(RECORDS)} for k in RECORDS[0]}),
        "\ufeff" + json.dumps(RECORDS),
    ],
)
def test_json_records_are_read_in_every_layout(text: str) -> None:
    frame, _ = taken(text.encode(), "records.json")
    assert frame.to_dict("records") == RECORDS


def test_json_cut_in_the_middle_says_where() -> None:
    frame, report = taken(json.dumps(RECORDS)[:-40].encode(), "records.json")
    assert len(frame) == 29
    assert report["left_out"][-1][0] == "Record 30"


BOOK = {"a": [["x", "y"], [1, 2], [3, 4]], "b": [["z"], [5], [6]]}


@pytest.mark.parametrize("made", [table_cases.xlsx, table_cases.ods])
def test_every_sheet_of_a_spreadsheet_becomes_a_table(made: Any) -> None:
    for content, name in (
        (made(BOOK), "marks.xlsx"),
        (packed({"in/marks.xlsx": made(BOOK)}), "z.zip"),
    ):
        id = workspace.put(content, name)
        *_, last = convert_tables.train(Spec(f"upload:{id}"))
        frame = last.frame or {}
        tables = [
            pd.read_csv(workspace.get(i)) for i, _ in [(frame["dataset"], ""), *frame["also"]]
        ]
        assert [t.to_dict("list") for t in tables] == [{"x": [1, 3], "y": [2, 4]}, {"z": [5, 6]}]
