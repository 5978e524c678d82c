"""The Speed page: its figure of a step against the exported script's, what profiling costs, the timeline's frames, and other pages meanwhile."""

from __future__ import annotations

import itertools
import re
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from benchmarks import floor, table
from benchmarks.latency import Times, repeated
from models.core import export, runs, wire
from models.speed import Spec, to_code
from tests.browser import harness

EVENTS = 100_000
PAIRS = 8
SPECS = {
    "MLP, 128 wide": Spec(rival="same", seconds=0.5),
    "MLP, 512 wide": Spec(rival="same", width=512, batch_size=128, seconds=0.5),
    "CNN": Spec(rival="same", model="cnn", width=16, depth=2, batch_size=16, seconds=0.5),
}
# measures for a minute and more
LONG = "speed?speed-part=levers&speed-seconds=2.0&speed-depth=6&speed-width=256"
CODE = "() => document.querySelector('[data-testid=stCode]')?.textContent.match(/mlp\\(128, \\d+\\)/)?.[0] ?? ''"
# a synthetic profile is put into the mounted view, then dragged as fast as the screen refreshes
PAN = """async ([address, events]) => {
  const module = await import(address);
  const place = document.createElement("div");
  place.style.cssText = "position:fixed;inset:60px 10px 10px 10px;background:white;z-index:99999";
  const inner = document.createElement("div");
  inner.className = "view";
  place.append(inner);
  document.body.append(place);
  const depth = [], start = [], duration = [], name = [], kind = [];
  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const rows = 12, each = events / rows;
  const all = [];
  for (let d = 0; d < rows; d++) {
    let t = 0;
    for (let i = 0; i < each; i++) {
      t += random() * 4;
      const long = random() * (random() < 0.02 ? 120 : 6);
      all.push([t, long, d]);
      t += long;
    }
  }
  all.sort((a, b) => a[0] - b[0]);
  for (const [t, l, d] of all) { start.push(t); duration.push(l); depth.push(d); name.push(d); kind.push(d % 5); }
  const lane = start.map(() => 0);
  const arrows = [];
  for (let i = 0; i + 50 < start.length; i += 100) arrows.push(i, i + 50);
  const frame = { start, duration, lane, depth, kind, name, arrows, names: Array.from({ length: rows }, (_, n) => `aten::operation_${n}`), lanes: ["thread 1"], kinds: ["operation", "phase", "module", "backward", "optimizer"] };
  const component = { parentElement: place, data: { json: JSON.stringify({ run: null, frame }), height: 500, alt: "a synthetic profile" } };
  module.default(component);
  const canvas = place.querySelector("canvas"), view = place.querySelector(".view");
  const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  await frames();
  const told = {};
  for (const zoom of [0, 3, 7]) {
    for (let i = 0; i < zoom; i++) canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "+" }));
    await frames();
    const box = canvas.getBoundingClientRect();
    const at = (type, x) => canvas.dispatchEvent(new PointerEvent(type, { clientX: box.left + x, clientY: box.top + 200, pointerId: 1, bubbles: true }));
    canvas.setPointerCapture = () => {};
    at("pointerdown", 600);
    const paints = Number(view.dataset.paints), begin = performance.now();
    let x = 600, n = 0;
    while (performance.now() - begin < 2000) {
      x = 600 + 300 * Math.sin(n++ / 12);
      at("pointermove", x);
      await new Promise((done) => requestAnimationFrame(done));
    }
    const seconds = (performance.now() - begin) / 1000;
    at("pointerup", x);
    told[`zoomed in ${2 ** zoom}×`] = [(Number(view.dataset.paints) - paints) / seconds, Number(view.dataset.drawn)];
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Home" }));
  }
  return told;
}"""


def main() -> None:
    """Everything that the page is held to."""
    figures()
    profiling()
    with harness.chromium() as browser:
        with harness.serve() as server:
            found = _frames(browser, server)
        print(flush=True)
        table.show(
            ["timeline of 100,000 events", "frames/s while panning (≥ 20)", "rectangles drawn"],
            [[name, rate, drawn] for name, (rate, drawn) in found.items()],
        )
        usable(browser)


def figures(specs: Mapping[str, Spec] | None = None) -> None:
    """The app's own figure of a step against the exported script's, in pairs made one right after the other.

    Each measurement has a process of its own on both sides, and where memory happens to lie makes some processes
    several per cent faster than others for as long as they live. So one pair says little: the median of the pairs
    is the figure, and their range is shown beside it.
    """
    client = runs.Client(preload=("torch", "torch._dynamo", "models.speed"))
    client.warm()
    rows = []
    for title, spec in (specs or SPECS).items():
        pairs = []
        for turn in range(PAIRS):
            first, second = (_app, _script) if turn % 2 else (_script, _app)
            one, other = first(client, spec), second(client, spec)
            pairs.append((other, one) if turn % 2 == 0 else (one, other))
        apart = sorted(app / script - 1 for app, script in pairs)
        app, script = (statistics.median(side) for side in zip(*pairs, strict=True))
        middle = statistics.median(apart)
        span = f"{apart[0]:+.1%} to {apart[-1]:+.1%}"
        alone = [max(side) / min(side) - 1 for side in zip(*pairs, strict=True)]
        rows.append(
            [
                title,
                app * 1e3,
                script * 1e3,
                f"{middle:+.1%}",
                span,
                len(pairs),
                *(f"{a:.1%}" for a in alone),
            ]
        )
    client.close()
    table.show(
        ["full step", "app, ms", "exported script, ms", "difference (within ±5 %)", "of the pairs", "pairs",
         "slowest over fastest app", "… script"],
        rows,
    )  # fmt: skip


def profiling() -> None:
    """How much longer a step takes while it is recorded."""
    client = runs.Client(preload=("torch", "torch._dynamo", "models.speed"))
    client.warm()
    rows = []
    for title, spec in SPECS.items():
        told = _told(client, spec.replace(part="profile", steps=10))
        plain, under = told["plain"]["median"], told["under"]
        rows.append([title, plain * 1e3, under * 1e3, under / plain])
    client.close()
    print(flush=True)
    table.show(["a step with its data", "alone, ms", "under the profiler, ms", "ratio"], rows)


def usable(browser: Browser) -> None:
    """Sliders on two pages, with nothing else going on, and while a measurement runs on the same server."""
    rows = []
    with harness.serve(floor.ENTRY) as server:
        least = _floor(browser, server)
        code = _code(browser, server)
        rows += [
            ["slider on an empty page (the floor)", "nothing", least.p50, least.p95, 1.0, 1.0],
            ["slider of the Speed page → its code", "nothing", code.p50, code.p95, code.p50 / least.p50, code.p95 / least.p95],
        ]  # fmt: skip
        page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
        page.set_default_timeout(2 * harness.PATIENCE)  # the first worker of a server imports torch
        for name, measured in (("slider on an empty page", _floor), ("slider of the Speed page → its code", _code)):  # fmt: skip
            page.goto(f"{server.url}/{LONG}")
            harness.idle(page)
            page.get_by_role("button", name=re.compile("^Measure( again)?$")).click()
            page.get_by_text("Pulling").wait_for()
            found = measured(browser, server)
            still = page.get_by_role("button", name="Stop").is_visible()
            page.get_by_role("button", name="Stop").click()
            harness.idle(page)
            if not still:
                raise RuntimeError("the measurement was over before the sliders were")
            rows.append([name, "a measurement", found.p50, found.p95, found.p50 / least.p50, found.p95 / least.p95])  # fmt: skip
    print(flush=True)
    table.show(["action", "meanwhile", "p50 ms", "p95 ms", "p50 / floor", "p95 / floor"], rows)


def _floor(browser: Browser, server: harness.Server) -> Times:
    return floor.floor(browser, server, 25)


def _code(browser: Browser, server: harness.Server) -> Times:
    """Key on a slider of the Speed page until the code shows the new setting."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(harness.PATIENCE)
    page = context.new_page()
    page.goto(f"{server.url}/speed?speed-seed=1&speed-batch_size=2")
    harness.idle(page)
    page.get_by_test_id("stCode").first.wait_for()
    page.get_by_role("slider", name="depth").focus()
    keys = itertools.cycle(["ArrowRight"] * 6 + ["ArrowLeft"] * 6)
    found = repeated(page, lambda: page.keyboard.press(next(keys)), CODE, times=20)
    context.close()
    return found


def _app(client: runs.Client, spec: Spec) -> float:
    return _told(client, spec)["samples"]["full step"]["median"]


def _told(client: runs.Client, spec: Spec) -> dict[str, Any]:
    run = client.start("models.speed", spec, owner="benchmark")
    while client.status(run).state in ("queued", "running"):
        time.sleep(0.2)
    return wire.loads(client.blob(run, "result") or b"{}")


def _script(client: runs.Client, spec: Spec) -> float:
    with tempfile.TemporaryDirectory() as folder:
        printed = export.run(to_code(spec), Path(folder))
    found = re.search(r"^full step: median ([\d.e-]+) ms", printed, re.MULTILINE)
    if found is None:
        raise RuntimeError("the script did not print its full step")
    return float(found[1]) / 1e3


def _frames(browser: Browser, server: harness.Server) -> dict[str, tuple[float, int]]:
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.goto(server.url)
    harness.idle(page)
    return page.evaluate(PAN, [f"{server.url}/assets/views/timeline/timeline.js", EVENTS])
