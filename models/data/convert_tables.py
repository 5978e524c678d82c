"""Tables in other formats become CSVs of the workspace, in a worker: Parquet, JSON, sheets, .npy, .npz, archives of tables.

A file is read piece by piece, and only as far as rows are wanted; nothing pickled is ever loaded.
"""

from __future__ import annotations

import csv
import json
import math
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from models.core import spec as core
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob
from models.data import archives, array_pictures, csv_files, encodings, workspace
from models.data.wording import count

ENDINGS = (".parquet", ".pq", ".jsonl", ".ndjson", ".json", ".npy", ".npz", *csv_files.BOOKS)
PLAIN = csv_files.TEXTS
MAX_BYTES = 400_000_000  # of the CSV that comes out, and of the arrays of one .npz
MAX_TABLES = 50  # of one archive
_CHUNK = 20_000  # rows
_LINE = 1_000_000  # characters of one JSON line or record
_OBJECT = 100_000_000  # bytes of a JSON file that is a single object

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
        title: tells it from other tables of the same file; "" of a single one.
    """

    columns: list[str]
    blocks: Iterator[Block]
    total: int
    left_out: list[tuple[str, str]]
    notes: list[str]
    title: str = ""


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """Writes each table as a CSV; a row tells how far it is, the last frame holds {"dataset", "name", "also", "keep", "report"}.

    `also` are further tables of the same upload, (id, name) each; `dataset` is the first; `keep`: what was uploaded stays.

    Raises:
        SpecError: the upload is no table of these formats, or nothing of it fits into one.
    """
    control = control or Control()
    id = spec.data.removeprefix("upload:")
    path, name = workspace.get(id), workspace.display_name(workspace.about(id).name)
    made: list[tuple[str, str]] = []
    left_out: list[tuple[str, str]] = []
    notes: list[str] = []
    rows = 0
    with tempfile.TemporaryDirectory() as folder:
        parts = _parts(path, name, Path(folder), left_out, notes)
        for number, (title, source) in enumerate(parts):
            if isinstance(source, Path):  # a CSV as it is
                made.append((workspace.put(source, title), title))
                continue
            out, done = Path(folder) / "table.csv", 0
            wanted = min(spec.rows, source.total or spec.rows)
            for done in _written(source, out, wanted):
                if control.due():
                    control.gate()
                    share = (number + done / wanted) / len(parts)
                    yield Snapshot(done, share, rows=({"step": done, "epoch": share},))
            left_out += source.left_out
            if not done:
                left_out.append((title, "holds no rows"))
                continue
            rows += done
            notes += source.notes
            if source.total > done:
                notes.append(
                    f"The first {done:,} of {source.total:,} rows were read, and no more of the file."
                )
            made.append((workspace.put(out, title), title))
    if not made:
        why = f" {left_out[0][0]}: {left_out[0][1]}." if left_out else ""
        raise SpecError(f"{name} holds no table that can be read.{why}")
    if len(made) > 1:
        notes.append(f"{len(made)} tables, each of which is in the list.")
    report = {
        "name": name,
        "rows": rows,
        "left_out": left_out[:500],
        "left_out_count": len(left_out),
        "notes": notes,
    }
    with path.open("rb") as file:
        parquet = file.read(4) == b"PAR1"  # it stays: all of it can be trained on, piece by piece
    report["parquet"] = id if parquet else ""
    for table, _ in made:
        workspace.write_json(workspace.folder(table) / "converted.json", report)
    frame = {
        "dataset": made[0][0],
        "name": made[0][1],
        "also": made[1:],
        "keep": parquet,
        "report": report,
    }
    yield Snapshot(max(1, rows), 1.0, frame=frame, final=True)


def _written(source: Source, out: Path, wanted: int) -> Iterator[int]:
    """Writes a table piece by piece; yields how many rows are done."""
    done = 0
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(source.columns)
        for block in source.blocks:
            writer.writerows([_cell(v) for v in row] for row in block[: wanted - done])
            done = min(wanted, done + len(block))
            yield done
            if done >= wanted or file.tell() > MAX_BYTES:
                return


def _parts(
    path: Path, name: str, folder: Path, left_out: list[tuple[str, str]], notes: list[str]
) -> list[tuple[str, Source | Path]]:
    """The tables of an upload, by the name each will have; a CSV is a file in `folder`.

    Raises:
        SpecError: it is a single file, and no table.
    """
    if csv_files.is_book(path):
        return list(_sheets(path, name, folder))
    if not _is_archive(path):
        return [(_title(name, s.title), s) for s in opened(path, name)]
    known = archives.contents(path, name)
    left_out += [(r.name, r.reason) for r in known.refused]
    notes += known.notes
    wanted = []
    for member in known.members:
        if archives.left_behind(member.parts):
            continue
        if not member.parts[-1].lower().endswith((*PLAIN, *ENDINGS)):
            left_out.append((member.shown, "no table by its ending"))
        elif len(wanted) >= MAX_TABLES:
            left_out.append((member.shown, f"beyond the first {MAX_TABLES} tables"))
        else:
            wanted.append(member)
    parts: list[tuple[str, Source | Path]] = []
    heads: dict[bytes, list[Path]] = {}
    for member, data in archives.read(path, wanted):
        file = folder / f"member-{member.place}"
        if isinstance(data, archives.Refused):
            left_out.append((member.shown, data.reason))
            continue
        file.write_bytes(data)
        title = workspace.display_name("-".join(member.parts), 80)
        try:
            if csv_files.is_book(file):
                parts += list(_sheets(file, title, folder))
            elif title.lower().endswith(PLAIN):
                csv_files.read_csv(file, title)  # whether it is a table
                heads.setdefault(data.split(b"\n", 1)[0].strip(), []).append(file)
                parts.append((title, file))
            else:
                parts += [(_title(title, s.title), s) for s in opened(file, title)]
        except SpecError as error:
            left_out.append((member.shown, str(error)))
    for head, files in heads.items():
        if len(files) > 1 and head.count(b'"') % 2 == 0:
            together = folder / f"together-{files[0].name}"
            _join(files, together)
            title = f"{_title(name, '')[:-12]} ({len(files)} put together).csv"
            parts.insert(0, (title, together))
            notes.append(
                f"{len(files)} tables with the same first line are also put together, one behind the other."
            )
    return parts


def _sheets(path: Path, name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The filled sheets of a spreadsheet as CSVs of all their cells.

    Raises:
        SpecError: it cannot be read, or all are empty.
    """
    sheets = csv_files.sheets(path, name)
    for number, (title, cells) in enumerate(sheets.items()):
        file = folder / f"{path.name}-sheet-{number}.csv"
        cells.to_csv(file, header=False, index=False)
        yield _title(name, workspace.display_name(title, 60) if len(sheets) > 1 else ""), file


def _join(files: Sequence[Path], out: Path) -> None:
    """Tables with the same header one behind the other."""
    with out.open("wb") as target:
        for number, path in enumerate(files):
            with path.open("rb") as source:
                head = source.readline()
                target.write(b"" if number else head.rstrip(b"\r\n") + b"\n")
                last = b"\n"
                while block := source.read(1 << 20):
                    target.write(block)
                    last = block[-1:]
                target.write(b"" if last == b"\n" else b"\n")


def _is_archive(path: Path) -> bool:
    """A zip or tar of files, which an .npz is not."""
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PK\x03\x04":
        return not array_pictures.is_arrays(path)
    return head not in (b"PAR1", b"\x93NUM") and tarfile.is_tarfile(path)


def _title(name: str, part: str) -> str:
    stem = re.sub(r"\.\w+$", "", name)
    return f"{stem}{f' {part}' if part else ''} (table).csv"


def report(id: str) -> dict[str, Any] | None:
    """What was said when a table was converted; None of one that was uploaded as it is."""
    try:
        return json.loads((workspace.folder(id) / "converted.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def opened(path: Path, name: str) -> list[Source]:
    """A file as a table, by what its first bytes say; arrays of several lengths are a table each.

    Raises:
        SpecError: it is none of the formats, damaged, or holds nothing that fits into a table.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if head[:4] == b"PAR1":
        return [_parquet(path, name)]
    if head[:6] == b"\x93NUMPY":
        return _arrays({"": _array(path, name)}, name, [])
    if head[:4] == b"PK\x03\x04":
        return _npz(path, name)
    return [_json(path, name)]


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


def _npz(path: Path, name: str) -> list[Source]:
    known = archives.contents(path, name)
    left_out = [(r.name, r.reason) for r in known.refused]
    unread = {r.name for r in known.refused}
    arrays: dict[str, np.ndarray] = {}
    room = MAX_BYTES
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.filename.endswith(".npy") or info.filename in unread:
                continue
            word = workspace.display_name(info.filename.removesuffix(".npy"))
            room -= info.file_size
            if room < 0:
                left_out.append((word, f"beyond the first {MAX_BYTES // 1_000_000} MB of arrays"))
                continue
            try:
                with archive.open(info) as file:
                    arrays[word] = _array(file, word)
            except (SpecError, zipfile.BadZipFile, RuntimeError) as error:
                left_out.append((word, str(error)))
    if not arrays:
        why = f" {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
        raise SpecError(f"{name} holds no array that can be read.{why}")
    return _arrays(arrays, name, left_out)


def _arrays(
    arrays: dict[str, np.ndarray], name: str, left_out: list[tuple[str, str]]
) -> list[Source]:
    lengths: dict[int, dict[str, np.ndarray]] = {}
    for word, array in arrays.items():
        if array.ndim in (1, 2) and array.size and array.dtype.kind in "biufUSM":
            lengths.setdefault(len(array), {})[word] = array
            continue
        shape = " × ".join(map(str, array.shape)) or "a single number"
        why = f"{array.dtype} of {shape}: a table takes 1 or 2 dimensions of numbers or words"
        left_out.append((word or name, why))
    if not lengths:
        why = f" {left_out[0][0]} is {left_out[0][1]}." if left_out else ""
        raise SpecError(f"{name} holds no array that fits into a table.{why}")
    found = []
    for length in sorted(lengths, reverse=True):
        some = lengths[length]
        try:
            source = _table_of(some, length, name)
        except SpecError as error:
            left_out.append((", ".join(some), str(error)))
            continue
        source.title = ", ".join(some)[:60] if len(lengths) > 1 else ""
        found.append(source)
    if not found:
        raise SpecError(left_out[-1][1])
    found[0].left_out += left_out
    return found


def _table_of(arrays: dict[str, np.ndarray], length: int, name: str) -> Source:
    """Arrays of one length side by side."""
    columns: list[str] = []
    kept: list[np.ndarray] = []
    for word, array in arrays.items():
        wide = array[:, None] if array.ndim == 1 else array
        prefix = word or "x"
        columns += [prefix] if array.ndim == 1 else [f"{prefix}{k}" for k in range(wide.shape[1])]
        kept.append(wide)
    _check_width(columns, [], name)

    def blocks() -> Iterator[Block]:
        for start in range(0, length, _CHUNK):
            parts = [part[start : start + _CHUNK].tolist() for part in kept]
            yield [[v for part in row for v in part] for row in zip(*parts, strict=True)]

    return Source(columns, blocks(), length, [], [])


def _json(path: Path, name: str) -> Source:
    left_out: list[tuple[str, str]] = []
    lines = _records(path, left_out)
    first = [record for record, _ in zip(lines, range(1000), strict=False)]
    if not first:
        raise SpecError(
            f"{name} is none of the tables that can be read: no Parquet, no spreadsheet, no .npy or .npz, and no JSON of "
            'records such as {"size": 3, "kind": "a"}.',
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
    """The records of a JSON file: one a line, a list of them in any layout, or an object that holds them."""
    try:
        encoding = encodings.detect(path, "The file").encoding
    except SpecError:
        encoding = "utf-8"
    if encoding == "utf-8":
        encoding = "utf-8-sig"
    with path.open(encoding=encoding, errors="replace") as file:
        filled = (line for line in iter(lambda: file.readline(_LINE), "") if line.strip())
        line, more = next(filled, ""), next(filled, "")
        file.seek(0)
        if more and line.lstrip().startswith("{") and _loaded(line) is not None:
            yield from _of_lines(file, left_out)
        else:
            yield from _of_text(file, path.stat().st_size, left_out)


def _of_lines(file: TextIO, left_out: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    number = 0
    while line := file.readline(_LINE):
        number += 1
        if not line.strip():
            continue
        record = _loaded(line)
        if isinstance(record, dict):
            yield cast(dict[str, Any], record)
        elif len(left_out) < 100_000:
            left_out.append((f"Line {number}", "is no JSON object"))


def _of_text(file: TextIO, size: int, left_out: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """Records behind one another, with or without a list around them."""
    decoder, rest, number = json.JSONDecoder(), "", 0
    start = file.read(1)
    while start.isspace() or start == "\ufeff":
        start = file.read(1)
    if start == "{" and size <= _OBJECT:
        whole = _loaded(start + file.read())
        if isinstance(whole, dict):
            yield from _of_object(cast(dict[str, Any], whole), left_out)
            return
        file.seek(0)
        start = ""
    rest = "" if start == "[" else start
    while True:
        rest = rest.lstrip(" \t\r\n,")
        try:
            record, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            more = file.read(1 << 16) if len(rest) < _LINE else ""
            if not more:
                if rest.strip(" \t\r\n,]"):
                    left_out.append((f"Record {number + 1}", f"is no JSON: {rest[:40]!r}"))
                return
            rest += more
            continue
        number += 1
        if isinstance(record, dict):
            yield cast(dict[str, Any], record)
        elif len(left_out) < 100_000:
            left_out.append((f"Record {number}", "is no JSON object"))
        rest = rest[end:]


def _of_object(whole: dict[str, Any], left_out: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """The records in an object: a list of them under one name, or columns by name; else it is a record itself."""
    lists = {
        k: v
        for k, v in whole.items()
        if isinstance(v, list) and v and all(isinstance(r, dict) for r in v)
    }
    if lists:
        name = max(lists, key=lambda k: len(lists[k]))
        left_out += [
            (workspace.display_name(k), f"stands beside the list {name!r}")
            for k in whole
            if k != name
        ]
        yield from lists[name]
        return
    columns = {k: list(v.values()) if isinstance(v, dict) else v for k, v in whole.items()}
    if len({len(v) if isinstance(v, list) else -1 for v in columns.values()} - {0}) == 1 and all(
        isinstance(v, list) for v in columns.values()
    ):
        for row in zip(*columns.values(), strict=False):
            yield dict(zip(columns, row, strict=True))
        return
    yield whole


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


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
