"""Tables larger than memory: the same means computed in four ways, each with its time and its memory."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from models import datasets
from models.core import export
from models.core import spec as core
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob
from models.data import csv_files, decoded, workspace

MADE = "made"  # a table of random numbers


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which table, and in what pieces."""

    data: str = knob(MADE, "A made table, or upload: and the id of a CSV.", max_chars=80)
    chunk: int = knob(
        20_000,
        "Rows that are read at once.",
        label="Rows at once",
        minimum=1000,
        maximum=200_000,
        log=True,
    )
    ranks: int = knob(
        2,
        "Processes that train together, each on its own rows.",
        label="Processes that train",
        minimum=1,
        maximum=4,
    )
    num_workers: int = knob(
        2, "Loader processes of each rank.", label="Worker processes", minimum=0, maximum=3
    )


class Shards(IterableDataset):
    """Row groups of one Parquet file, each read by exactly one worker of one rank."""

    def __init__(self, path: str, rank: int, ranks: int) -> None:
        self.path, self.rank, self.ranks = path, rank, ranks

    def __iter__(self) -> Iterator[tuple[int, int, int, int]]:
        import pyarrow.parquet as pq

        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        file = pq.ParquetFile(self.path)
        first, step = self.rank * workers + number, self.ranks * workers
        for group in range(first, file.metadata.num_row_groups, step):
            yield self.rank, number, group, file.read_row_group(group).num_rows


def whole(folder: Path, chunk: int) -> pd.Series:
    """Everything at once: as much memory as the table takes."""
    return pd.read_csv(folder / "table.csv", **written(folder))[columns(folder)].mean()


def in_chunks(folder: Path, chunk: int) -> pd.Series:
    """The CSV piece by piece: memory of one piece, but every letter is parsed again each epoch."""
    parts = pd.read_csv(folder / "table.csv", chunksize=chunk, **written(folder))
    sums = [(p[columns(folder)].sum(), p[columns(folder)].count()) for p in parts]
    return sum(s for s, _ in sums) / sum(n for _, n in sums)  # type: ignore[return-value,operator]  # Series


def in_parquet(folder: Path, chunk: int) -> pd.Series:
    """Parquet by batches of rows: decoded numbers instead of letters, and only the columns that are needed."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(folder / "table.parquet")
    parts = (batch.to_pandas() for batch in file.iter_batches(chunk))
    sums = [(p.sum(), p.count()) for p in parts]
    return sum(s for s, _ in sums) / sum(n for _, n in sums)  # type: ignore[return-value,operator]  # Series


def mapped(folder: Path, chunk: int) -> pd.Series:
    """A .npy file mapped into memory: the system reads the pages that are touched, and may drop them again."""
    stored = np.load(folder / "table.npy", mmap_mode="r", allow_pickle=False)  # (N, F) float32
    total, there = np.zeros(stored.shape[1]), np.zeros(stored.shape[1])
    for start in range(0, len(stored), chunk):
        part = np.array(stored[start : start + chunk], dtype=np.float64)
        total += np.nansum(part, axis=0)
        there += (~np.isnan(part)).sum(axis=0)
    return pd.Series(total / there, index=columns(folder))


def written(folder: Path) -> dict[str, Any]:
    """How the CSV is written, found out when it came in: separator, encoding, decimal sign, header."""
    return json.loads((folder / "written.json").read_text("utf-8"))


def columns(folder: Path) -> list[str]:
    """The columns of numbers."""
    return json.loads((folder / "columns.json").read_text("utf-8"))


WAYS: dict[str, Callable[[Path, int], pd.Series]] = {
    "CSV, whole": whole,
    "CSV, in chunks": in_chunks,
    "Parquet, in batches": in_parquet,
    ".npy, memory-mapped": mapped,
}


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """A row for each way: seconds, megabytes, and the mean of the first column, which is the same in all.

    Raises:
        SpecError: the table is not on this server, or it has no column of numbers.
    """
    control = control or Control()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Watch() as making:
            prepare(spec, folder)
        for number, way in enumerate(WAYS, 1):
            control.gate()
            found = measured(way, folder, spec.chunk)
            if isinstance(found, str):
                raise SpecError(f"{way} failed on this table.", "data", found)
            row = {"step": number, "epoch": number, "way": way, **found}
            yield Snapshot(number, number / (len(WAYS) + 1), rows=(row,))
        with Watch() as sharing:
            shards = sharded(folder / "table.parquet", spec.ranks, spec.num_workers)
    frame = {
        "shards": shards,
        "prepared": making.seconds,
        "prepared_megabytes": making.megabytes,
        "shared": sharing.seconds,
        "shared_megabytes": sharing.megabytes,
    }
    yield Snapshot(len(WAYS) + 1, 1.0, frame=frame, final=True)


def prepare(spec: Spec, folder: Path) -> None:
    """The table's numbers as CSV, Parquet and .npy, written piece by piece.

    Raises:
        SpecError: it is not on this server, no table, or has no column of numbers.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "table.csv"
    if spec.data == MADE:
        values = np.random.default_rng(0).normal(size=(200_000, 6)).astype(np.float32).round(4)
        names, how = list("abcdef"), {}
        pd.DataFrame(values, columns=names).to_csv(path, index=False)
    else:
        kept = workspace.get(spec.data.removeprefix("upload:"))
        try:
            os.symlink(kept, path)
        except OSError:  # not every system lets everybody make one
            shutil.copyfile(kept, path)
        found = decoded.profile(spec.data.removeprefix("upload:"))
        how = csv_files.pandas_arguments(found)
        # a column in which some cells are no numbers would have to be mended piece by piece
        names = [
            c.name
            for c in found.columns
            if c.is_number and c.name not in (*found.numbers, *found.dates)
        ]
    if not names:
        raise SpecError("This table has no column of numbers to take the mean of.", "data")
    (folder / "columns.json").write_text(json.dumps(names), "utf-8")
    (folder / "written.json").write_text(json.dumps(how), "utf-8")
    schema = pa.schema([(n, pa.float32()) for n in names])
    rows, pieces = 0, folder / "pieces.bin"
    with pq.ParquetWriter(folder / "table.parquet", schema) as out, pieces.open("wb") as file:
        for part in pd.read_csv(path, chunksize=spec.chunk, **how):
            numbers = part[names].apply(pd.to_numeric, errors="coerce").astype(np.float32)
            out.write_table(pa.Table.from_pandas(numbers, schema, preserve_index=False))
            file.write(np.ascontiguousarray(numbers.to_numpy()).tobytes())
            rows += len(part)
    with (folder / "table.npy").open("wb") as out:
        head_of = {"descr": "<f4", "fortran_order": False, "shape": (rows, len(names))}
        np.lib.format.write_array_header_1_0(out, head_of)
        with pieces.open("rb") as file:
            while block := file.read(1 << 20):
                out.write(block)
    pieces.unlink()


def measured(way: str, folder: Path, chunk: int) -> dict[str, Any] | str:
    """Seconds, extra megabytes and the first mean of one way, in a process of its own; or why it failed."""
    context: Any = multiprocessing.get_context(multiprocessing.get_all_start_methods()[0])
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_measure, args=(theirs, way, folder, chunk))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        return "its process ended without a word, perhaps for lack of memory"
    finally:
        child.join()


class Watch:
    """The seconds of a `with` block, and the most memory that this process and its children took beyond its beginning.

    Of a child only what is its own counts; pages that it shares with its parent are there already.
    """

    def __enter__(self) -> Watch:
        import psutil

        self._me = psutil.Process()
        self._before = self._most = self._held()
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self._done.set()
        self._watcher.join()

    @property
    def megabytes(self) -> float:
        return max(0, self._most - self._before) / 1e6

    def _held(self) -> int:
        import psutil

        held = self._me.memory_info().rss
        for child in self._me.children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it has just ended
                if not _borrowed(child):
                    held += child.memory_full_info().uss
        return held

    def _watch(self) -> None:
        while not self._done.wait(0.002):
            self._most = max(self._most, self._held())


def _borrowed(child: Any) -> bool:
    """Whether this process still lives in its parent's memory, as between `vfork` and `exec`: nothing is its own."""
    parent = child.parent()
    if parent is None:
        return False
    before, size, after = (one.memory_info().vms for one in (parent, child, parent))
    return size in (before, after)


def _measure(pipe: Connection, way: str, folder: Path, chunk: int) -> None:
    try:
        with Watch() as watch:
            mean = WAYS[way](folder, chunk)
        found: Any = {
            "seconds": watch.seconds,
            "megabytes": watch.megabytes,
            "mean": float(mean.iloc[0]),
        }
    except Exception as error:  # whatever it is, the page says it
        found = f"{type(error).__name__}: {error}"
    pipe.send(found)


def sharded(path: Path, ranks: int, workers: int) -> list[dict[str, int]]:
    """Which rank and worker read which row group: every one exactly once."""
    found = []
    for rank in range(ranks):
        data = Shards(str(path), rank, ranks)
        how = datasets.reading(datasets.Spec(num_workers=workers))
        for read in DataLoader(data, batch_size=None, **how):
            found.append(
                dict(zip(("rank", "worker", "row group", "rows"), map(int, read), strict=True))
            )
    return sorted(found, key=lambda one: one["row group"])


def source(way: str) -> str:
    """The function of a way, as it ran, with what it asks how the file is written."""
    return export.source(*([WAYS[way], written, columns] if "CSV" in way else [WAYS[way]]))
