"""Tables in other formats become a CSV of the workspace, in a worker: Parquet, JSON lines, .npy and .npz.

A file is read piece by piece, and only as far as rows are wanted; nothing pickled is ever loaded.
"""

from __future__ import annotations

import csv
import json
import math
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from models.core import spec as core
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob
from models.data import archives, csv_files, workspace
from models.data.wording import count

ENDINGS = (".parquet", ".pq", ".jsonl", ".ndjson", ".json", ".npy", ".npz")
MAX_BYTES = 400_000_000  # of the CSV that comes out
_CHUNK = 20_000  # rows
_LINE = 1_000_000  # characters of one JSON line

Block = list[Sequence[Any]]  # rows of cells


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which upload, and how much of it."""

    data: str = knob("", "The upload: upload: and the sha256 of its content.")
    rows: int = knob(
        1_000_000, "Rows that are taken, from the beginning.", minimum=1, maximum=5_000_000
    )

    def check(self) -> None:
        if not self.data:
            raise SpecError("No file is chosen. Upload one.", "data")


@dataclass
class Source:
    """A file opened as a table.

    Attributes:
        columns: names of what is taken. blocks: rows, some at a time. total: how many there are, 0 when unknown.
        left_out: (column or record, reason), filled while it is read. notes: what was decided.
    """

    columns: list[str]
    blocks: Iterator[Block]
    total: int
    left_out: list[tuple[str, str]]
    notes: list[str]


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """Writes the CSV; a row tells how far it is, the last frame holds {"dataset", "name", "report"}.

    Raises:
        SpecError: the upload is no table of these formats, or nothing of it fits into one.
    """
    control = control or Control()
    id = spec.data.removeprefix("upload:")
    path, name = workspace.get(id), workspace.display_name(workspace.about(id).name)
    source = opened(path, name)
    wanted = min(spec.rows, source.total or spec.rows)
    done = 0
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "table.csv"
        with out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(source.columns)
            for block in source.blocks:
                writer.writerows([_cell(v) for v in row] for row in block[: wanted - done])
                done = min(wanted, done + len(block))
                if done >= wanted or file.tell() > MAX_BYTES:
                    break
                if control.due():
                    control.gate()
                    yield Snapshot(
                        done, done / wanted, rows=({"step": done, "epoch": done / wanted},)
                    )
        if not done:
            raise SpecError(f"{name} holds no rows.")
        if source.total > done:
            source.notes.append(
                f"The first {done:,} of {source.total:,} rows were read, and no more of the file."
            )
        title = re.sub(r"\.\w+$", "", name) + " (table).csv"
        made = workspace.put(out, title)
    report = {
        "name": name,
        "rows": done,
        "left_out": source.left_out[:500],
        "left_out_count": len(source.left_out),
        "notes": source.notes,
    }
    workspace.write_json(workspace.folder(made) / "converted.json", report)
    frame = {"dataset": made, "name": title, "report": report}
    yield Snapshot(done, 1.0, frame=frame, final=True)


def report(id: str) -> dict[str, Any] | None:
    """What was said when a table was converted; None of one that was uploaded as it is."""
    try:
        return json.loads((workspace.folder(id) / "converted.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def opened(path: Path, name: str) -> Source:
    """A file as a table, by what its first bytes say.

    Raises:
        SpecError: it is none of the formats, damaged, or holds nothing that fits into a table.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if head[:4] == b"PAR1":
        return _parquet(path, name)
    if head[:6] == b"\x93NUMPY":
        return _arrays({"": _array(path, name)}, name)
    if head[:4] == b"PK\x03\x04":
        return _npz(path, name)
    return _json_lines(path, name)


def _parquet(path: Path, name: str) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SpecError(
            f"{name} is a damaged or cut Parquet file: its table of contents cannot be read. Send it again.",
            detail=str(error),
        ) from None
    left_out, kept = [], []
    for field in file.schema_arrow:
        if (
            pa.types.is_nested(field.type)
            or pa.types.is_binary(field.type)
            or pa.types.is_large_binary(field.type)
        ):
            left_out.append(
                (
                    workspace.display_name(field.name),
                    f"holds {str(field.type)[:60]}, not one value a row",
                )
            )
        else:
            kept.append(field.name)
    _check_width(kept, left_out, name)

    def blocks() -> Iterator[Block]:
        try:
            for batch in file.iter_batches(_CHUNK, columns=kept):
                yield list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
        except (pa.ArrowException, OSError) as error:
            left_out.append(("the rest of the file", f"is damaged: {str(error)[:100]}"))

    groups = file.metadata.num_row_groups
    notes = [f"Parquet with {count(groups, 'row group')}; they are read one by one."]
    return Source(kept, blocks(), file.metadata.num_rows, left_out, notes)


def _array(path: Path | Any, name: str) -> np.ndarray:
    try:
        if isinstance(path, Path):
            return np.load(path, mmap_mode="r", allow_pickle=False)
        return np.lib.format.read_array(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError) as error:
        pickled = "pickle" in str(error) or "object" in str(error).lower()
        raise SpecError(
            f"{name} holds pickled Python objects, which could run any program; only arrays of numbers are read. "
            "Save it with a plain dtype."
            if pickled
            else f"{name} is a damaged or cut .npy file. Save it again.",
            detail=str(error),
        ) from None


def _npz(path: Path, name: str) -> Source:
    import zipfile

    known = archives.contents(path, name)
    left_out = [(r.name, r.reason) for r in known.refused]
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.filename.endswith(".npy") or any(
                r.name == info.filename for r in known.refused
            ):
                continue
            word = workspace.display_name(info.filename.removesuffix(".npy"))
            try:
                with archive.open(info) as file:
                    arrays[word] = _array(file, word)
            except (SpecError, zipfile.BadZipFile, RuntimeError) as error:
                left_out.append((word, str(error)))
    if not arrays:
        why = f" {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
        raise SpecError(f"{name} holds no array that can be read.{why}")
    return _arrays(arrays, name, left_out)


def _arrays(arrays: dict[str, np.ndarray], name: str, left_out: list | None = None) -> Source:
    left_out = [] if left_out is None else left_out
    longest = max((len(a) for a in arrays.values() if a.ndim in (1, 2)), default=0)
    columns: list[str] = []
    kept: list[np.ndarray] = []
    for word, array in arrays.items():
        shape = " × ".join(map(str, array.shape)) or "a single number"
        if array.ndim not in (1, 2) or len(array) != longest or array.dtype.kind not in "biufUSM":
            left_out.append(
                (
                    word or name,
                    f"{array.dtype} of {shape}: a table takes 1 or 2 dimensions of numbers, all of one length",
                )
            )
            continue
        wide = array[:, None] if array.ndim == 1 else array
        prefix = word or "x"
        columns += [prefix] if array.ndim == 1 else [f"{prefix}{k}" for k in range(wide.shape[1])]
        kept.append(wide)
    _check_width(columns, left_out, name)

    def blocks() -> Iterator[Block]:
        for start in range(0, longest, _CHUNK):
            parts = [part[start : start + _CHUNK].tolist() for part in kept]
            yield [[v for part in row for v in part] for row in zip(*parts, strict=True)]

    return Source(columns, blocks(), longest, left_out, [])


def _json_lines(path: Path, name: str) -> Source:
    left_out: list[tuple[str, str]] = []
    lines = _records(path, left_out)
    first = [record for record, _ in zip(lines, range(1000), strict=False)]
    if not first:
        raise SpecError(
            f"{name} is none of the tables that can be read: no Parquet, no .npy or .npz, and no line of it is a JSON "
            'object such as {"size": 3, "kind": "a"}.',
            detail="; ".join(f"{where} {why}" for where, why in left_out[:5]),
        )
    known = list(dict.fromkeys(key for record in first for key in record))
    nested = [k for k in known if any(isinstance(r.get(k), (dict, list)) for r in first)]
    left_out[:0] = [
        (workspace.display_name(k), "holds lists or objects, not one value a row") for k in nested
    ]
    kept = [k for k in known if k not in nested]
    _check_width(kept, left_out, name)

    def blocks() -> Iterator[Block]:
        block: Block = []
        for records in (first, lines):
            for record in records:
                block.append(
                    [
                        record.get(k) if not isinstance(record.get(k), (dict, list)) else None
                        for k in kept
                    ]
                )
                if len(block) == _CHUNK:
                    yield block
                    block = []
        yield block

    return Source(kept, blocks(), 0, left_out, [])


def _records(path: Path, left_out: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        number = 0
        while line := file.readline(_LINE):
            number += 1
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                yield cast(dict[str, Any], record)
            elif len(left_out) < 100_000:
                left_out.append((f"Line {number}", "is no JSON object"))


def _check_width(columns: list[str], left_out: list[tuple[str, str]], name: str) -> None:
    if not columns:
        why = f" {left_out[0][0]} {left_out[0][1]}." if left_out else ""
        raise SpecError(f"{name} holds no column that fits into a table.{why}")
    if len(columns) > csv_files.MAX_COLUMNS:
        raise SpecError(
            f"{name} has {len(columns)} columns; a table may have {csv_files.MAX_COLUMNS} here. Keep a part of them."
        )


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value.decode("latin-1") if isinstance(value, bytes) else value
