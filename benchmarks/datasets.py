"""Datasets: 10 000 JPEGs taken in, a page of thumbnails, a large Parquet file, and the app's loader beside a script's."""

from __future__ import annotations

import io
import os
import statistics
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from torch.utils.data import DataLoader, Subset

from benchmarks import table

PICTURES, SIDE = 10_000, 300
PARQUET_ROWS = 16_000_000


def main() -> None:
    """Seconds and memory of each; the loader as a part of a plain script's speed."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PLAYGROUND_HOME"] = str(Path(folder) / "home")
        rows = [*ingested(Path(folder)), *parquet(Path(folder))]
        table.show(["step", "seconds", "memory +MB", "file MB"], rows)
        print()
        table.show(["loader", "pictures/s", "ratio to plain"], loaders())


def ingested(folder: Path) -> list[list[object]]:
    """A zip of noisy JPEGs of about 50 kB each, taken in; then the first page of its gallery."""
    from models import datasets
    from models.data import ingest, workspace
    from models.datasets import describe

    path = folder / "many.zip"
    g = np.random.default_rng(0)
    shots = []
    for _ in range(50):  # few different pictures made anew by one byte behind the end of each
        out = io.BytesIO()
        Image.fromarray(g.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(
            out, "JPEG", quality=72
        )
        shots.append(out.getvalue())
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(PICTURES):
            archive.writestr(f"c{i % 10}/{i:05}.jpg", shots[i % 50] + i.to_bytes(4, "big"))
    size = path.stat().st_size / 1e6
    id = workspace.put(path, "many.zip")
    me, before, peak = psutil.Process(), psutil.Process().memory_info().rss, 0
    began = time.perf_counter()
    made_of = ""
    for told in ingest.train(ingest.Spec(f"upload:{id}")):
        peak = max(peak, me.memory_info().rss)
        made_of = (told.frame or {}).get("dataset", "")
    seconds = time.perf_counter() - began
    rows: list[list[object]] = [["10 000 JPEGs taken in", seconds, (peak - before) / 1e6, size]]
    data = f"upload:{made_of}"
    began = time.perf_counter()
    made = datasets.parts(datasets.Spec(data=data))
    rows.append(["split and card of them", time.perf_counter() - began, 0.0, size])
    began = time.perf_counter()
    describe.thumbnails(data, tuple(made.data.names[:20]))
    rows.append(["a page of 20 thumbnails", time.perf_counter() - began, 0.0, size])
    return rows


def parquet(folder: Path) -> list[list[object]]:
    """A Parquet file of about a gigabyte: its first 100 000 rows as a table to train on."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from models.data import convert_tables, workspace

    path, g = folder / "big.parquet", np.random.default_rng(0)
    names = [f"x{i}" for i in range(15)]
    schema = pa.schema([(n, pa.float32()) for n in names])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as out:
        for _ in range(PARQUET_ROWS // 200_000):
            values = g.normal(size=(200_000, 15)).astype(np.float32)
            out.write_table(pa.table(list(values.T), schema=schema), row_group_size=100_000)
    size = path.stat().st_size / 1e6
    began = time.perf_counter()
    id = workspace.put(path, "big.parquet") if path.stat().st_size <= workspace.MAX_FILE else ""
    kept = time.perf_counter() - began
    path.unlink()
    me, before, peak = psutil.Process(), psutil.Process().memory_info().rss, 0
    began = time.perf_counter()
    for _ in convert_tables.train(convert_tables.Spec(f"upload:{id}", rows=100_000)):
        peak = max(peak, me.memory_info().rss)
    seconds = time.perf_counter() - began
    return [
        ["Parquet kept", kept, 0.0, size],
        ["its first 100 000 rows as a table", seconds, (peak - before) / 1e6, size],
    ]


def loaders() -> list[list[object]]:
    """The recorded loader of the page beside the DataLoader that its script prints, in turns."""
    from models import datasets
    from models.data import image_steps
    from models.datasets import loading

    spec = loading.Spec(batch_size=16)
    made = datasets.parts(loading.datasets_part(spec))
    rows = made.train.repeat(10)
    many = datasets.Parts(made.data, rows, made.val, made.test, made.leaked, made.mean, made.std)
    ours = loading.recorded_loader(spec, many)
    made.data.transform = image_steps.pipeline(spec.steps, made.mean, made.std)
    plain = DataLoader(Subset(made.data, rows.tolist()), batch_size=16, shuffle=True)
    speeds: dict[str, list[float]] = {"plain script": [], "the page's, recorded": []}
    for _ in range(5):
        for name, loader in (("plain script", plain), ("the page's, recorded", ours)):
            torch.manual_seed(0)
            began = time.perf_counter()
            for _batch in loader:
                pass
            speeds[name].append(len(rows) / (time.perf_counter() - began))
    base = statistics.median(speeds["plain script"])
    return [[name, statistics.median(s), statistics.median(s) / base] for name, s in speeds.items()]


if __name__ == "__main__":
    main()
