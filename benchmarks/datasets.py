"""Datasets: 10 000 JPEGs through the browser and taken in, a large Parquet file, and the app's loader beside a script's."""

from __future__ import annotations

import io
import os
import statistics
import sys
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

PICTURES, SHOTS, SIDE = 10_000, 500, 300
PARQUET_ROWS = 16_000_000


def main() -> None:
    """Seconds and memory of each; the loader as a part of a plain script's speed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["PLAYGROUND_HOME"] = str(folder / "home")
        pack(folder / "many.zip")
        for part in sys.argv[1:] or ("ingested", "uploaded", "parquet"):
            rows = {"ingested": ingested, "uploaded": uploaded, "parquet": parquet}[part](folder)
            table.show(["step", "measured", "wanted"], rows)
            print()
    table.show(["loader", "pictures/s", "ratio to plain"], loaders())


def pack(path: Path) -> None:
    """10 000 JPEGs of about 50 kB: crops of two photographs, `SHOTS` different ones, each copy with other last bytes."""
    from sklearn.datasets import load_sample_images

    g = np.random.default_rng(0)
    photos = load_sample_images().images
    shots = []
    for i in range(SHOTS):
        top, left = g.integers(0, 427 - 240), g.integers(0, 640 - 240)
        crop = Image.fromarray(photos[i % 2][top : top + 240, left : left + 240])
        out = io.BytesIO()
        crop.rotate(int(g.integers(0, 4)) * 90).resize((SIDE, SIDE)).save(out, "JPEG", quality=97)
        shots.append(out.getvalue())
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(PICTURES):
            archive.writestr(f"c{i % 10}/{i:05}.jpg", shots[i % SHOTS] + i.to_bytes(4, "big"))


def ingested(folder: Path) -> list[list[object]]:
    """The zip taken in, in one process; then the first page of its gallery."""
    from models import datasets
    from models.data import ingest, workspace
    from models.datasets import describe

    path = folder / "many.zip"
    id = workspace.put(path, "many.zip")
    me, before, peak = psutil.Process(), psutil.Process().memory_info().rss, 0
    began = time.perf_counter()
    made_of = ""
    for told in ingest.train(ingest.Spec(f"upload:{id}")):
        peak = max(peak, me.memory_info().rss)
        made_of = (told.frame or {}).get("dataset", "")
    seconds = time.perf_counter() - began
    rows: list[list[object]] = [
        [f"{PICTURES} JPEGs, {SHOTS} different, MB", path.stat().st_size / 1e6, "≈ 500"],
        ["… taken in, s", seconds, "≤ 60"],
        ["… memory of that process, +MB", (peak - before) / 1e6, "≤ 500"],
    ]
    data = f"upload:{made_of}"
    began = time.perf_counter()
    made = datasets.parts(datasets.Spec(data=data))
    rows.append(["split and statistics, s", time.perf_counter() - began, ""])
    began = time.perf_counter()
    describe.thumbnails(data, tuple(made.data.names[:20]))
    rows.append(["a page of 20 thumbnails, ms", (time.perf_counter() - began) * 1e3, "≤ 300"])
    return rows


def uploaded(folder: Path) -> list[list[object]]:
    """The same zip through the browser's streaming button, the page used meanwhile."""
    from playwright.sync_api import expect

    from benchmarks.latency import latency
    from benchmarks.upload import _Memory
    from tests.browser import harness

    probe = """() => {
      const all = [...document.querySelectorAll(".st-key-datasets-gallery *")];
      return all.map((e) => (e.shadowRoot ?? e).querySelector(".tile")).find(Boolean)?.textContent ?? "";
    }"""
    during: list[float] = []
    with harness.chromium() as browser, harness.serve() as server:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(harness.PATIENCE)
        page.goto(f"{server.url}/datasets")
        harness.idle(page)
        number = page.get_by_label("Page of 4", exact=True)
        number.click()

        def turn() -> None:
            key = "ArrowDown" if number.input_value() == "4" else "ArrowUp"
            page.keyboard.press(key if key == "ArrowUp" else "ArrowDown")

        before = []
        for _ in range(6):
            before.append(latency(page, turn, probe))
            page.wait_for_selector(harness.IDLE)
        page.get_by_text("Your own pictures", exact=True).first.click()
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Send a large archive").click()
        with _Memory(server.process.pid) as memory:
            start = time.perf_counter()
            chooser.value.set_files(folder / "many.zip")
            pictures = page.get_by_test_id("stMetricValue").first
            number.click()
            while pictures.text_content() != f"{PICTURES:,}":
                if page.get_by_label("Page of 4", exact=True).count():
                    try:
                        during.append(latency(page, turn, probe))
                    except Exception:  # the set changed under the hand: that one does not count
                        break
            expect(pictures).to_have_text(f"{PICTURES:,}", timeout=120_000)
            seconds = time.perf_counter() - start
    return [
        ["chosen in the browser until its card stands, s", seconds, "≤ 60"],
        ["… the server process grew by, MB", memory.grown, "≤ 500"],
        ["another page of pictures before, ms (median)", statistics.median(before[1:]), ""],
        ["… while it is sent and taken in, ms (median)", statistics.median(during), ""],
        [f"… the slowest of {len(during)}, ms", max(during), ""],
    ]


def parquet(folder: Path) -> list[list[object]]:
    """A Parquet file of about a gigabyte: previewed, its beginning as a table, and all of it trained on piece by piece."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from models.data import convert_tables, workspace
    from models.datasets import streaming

    path, g = folder / "big.parquet", np.random.default_rng(0)
    names = [f"x{i}" for i in range(15)]
    schema = pa.schema([(n, pa.float32()) for n in names])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as out:
        for _ in range(PARQUET_ROWS // 200_000):
            values = g.normal(size=(200_000, 15)).astype(np.float32)
            values[:, 14] = values[:, 0] * values[:, 1]
            out.write_table(pa.table(list(values.T), schema=schema), row_group_size=100_000)
    size = path.stat().st_size / 1e6
    began = time.perf_counter()
    id = workspace.put(path, "big.parquet")
    rows: list[list[object]] = [
        ["Parquet, MB", size, "≈ 1000"],
        ["kept, s", time.perf_counter() - began, ""],
    ]
    path.unlink()
    me = psutil.Process()
    before, began = me.memory_info().rss, time.perf_counter()
    streaming.preview(workspace.get(id))
    rows.append(["previewed, ms", (time.perf_counter() - began) * 1e3, ""])
    rows.append(["… memory, +MB", (me.memory_info().rss - before) / 1e6, "not the file's"])
    peak, began = before, time.perf_counter()
    for _ in convert_tables.train(convert_tables.Spec(f"upload:{id}", rows=100_000)):
        peak = max(peak, me.memory_info().rss)
    rows.append(["its first 100 000 rows as a table, s", time.perf_counter() - began, ""])
    rows.append(["… memory, +MB", (peak - before) / 1e6, "not the file's"])
    torch.set_num_threads(1)
    began = time.perf_counter()
    *_, last = streaming.train(streaming.Spec(data=f"upload:{id}", batch_size=4096))
    frame = last.frame or {}
    rows.append(["trained on all of it once, s", time.perf_counter() - began, ""])
    rows.append(["… rows learned from", frame["numbers"]["rows"], ""])
    rows.append(["… validation loss before", frame["start"], ""])
    rows.append(["… and after", frame["numbers"]["val_loss"], ""])
    rows.append(["… memory, +MB", frame["megabytes"], "not the file's"])
    return rows


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
