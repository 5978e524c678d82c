"""A CSV of 1 000 000 rows through the browser: from the chosen file to training, with the page used meanwhile."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
from playwright.sync_api import Page, expect

from benchmarks import csv, table
from benchmarks.latency import latency
from tests.browser import harness

SECONDS, MEGABYTES = 30.0, 1500.0
_BAR = ".st-key-training-transport-bar .view"
_EPOCH = f"""() => {{
  const all = [...document.querySelectorAll("{_BAR.split(" .view", maxsplit=1)[0]} *")];
  return all.map((e) => (e.shadowRoot ?? e).querySelector(".view")).find(Boolean)?.dataset.epoch ?? "";
}}"""


def main() -> None:
    """Seconds, the server's memory, and a button's answer before and while the table is read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.csv"
        csv.write(path)
        with harness.chromium() as browser, harness.serve() as server:
            page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
            page.set_default_timeout(harness.PATIENCE)
            page.goto(f"{server.url}/training")
            harness.idle(page)
            _state(page, "done")
            page.get_by_role("button", name="Reset", exact=True).click()
            _state(page, "paused")
            harness.idle(page)
            old = _run(page)
            before = [_step(page) for _ in range(5)]
            with _Memory(server.process.pid) as memory:
                page.get_by_text("Your own table (CSV)").click()
                start = time.perf_counter()
                page.locator("input[type=file]").first.set_input_files(path)
                expect(page).to_have_url(re.compile("data=upload"), timeout=harness.PATIENCE)
                arrived = time.perf_counter() - start
                during = []
                while _run(page) == old:
                    during.append(_step(page))
                read = time.perf_counter() - start
                _state(page, "paused")
                page.get_by_role("button", name="Play", exact=True).click()
                moved = re.compile(r"[1-9]")
                expect(page.locator(_BAR)).to_have_attribute(
                    "data-epoch", moved, timeout=harness.PATIENCE
                )
                trained = time.perf_counter() - start
        size = path.stat().st_size / 1e6
    table.show(
        ["what", "measured", "target"],
        [
            ["size of the file, MB", size, ""],
            ["chosen until the server has it, s", arrived, ""],
            ["… until it is read, profiled and split, and a run of it stands ready, s", read, ""],
            ["… until the page shows it training, s", trained, f"≤ {SECONDS:g}"],
            ["the server process grew by, MB", memory.grown, f"≤ {MEGABYTES:g}"],
            ["one batch stepped on the page before, ms (median)", _median(before), ""],
            ["one batch stepped while the table is read, ms (median)", _median(during), ""],
            ["… the slowest of so many", max(during), str(len(during))],
        ],
    )


def _step(page: Page) -> float:
    """Click on Batch until the bar shows that the epoch has moved on."""
    return latency(page, page.get_by_role("button", name="Batch", exact=True).click, _EPOCH)


def _run(page: Page) -> str:
    return parse_qs(urlsplit(page.url).query).get("run", [""])[0]


def _state(page: Page, name: str) -> None:
    expect(page.locator(_BAR)).to_have_attribute("data-state", name, timeout=harness.PATIENCE)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


class _Memory:
    """The most memory that a process held inside a `with`, beyond what it held at its beginning; `grown` in MB."""

    def __init__(self, pid: int) -> None:
        self._process, self._done = psutil.Process(pid), threading.Event()
        self._most = self._first = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self._most = max(self._most, self._process.memory_info().rss)

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def grown(self) -> float:
        return (self._most - self._first) / 1e6
