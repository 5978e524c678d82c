"""The Speed page: a step as the app tells it against the exported script's, and the timeline's frames while it pans."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks import table
from models.core import export, runs, wire
from models.speed import Spec, to_code
from tests.browser import harness

EVENTS = 100_000
TURNS = 3
SPECS = {
    "MLP, 128 wide": Spec(rival="same"),
    "MLP, 512 wide": Spec(rival="same", width=512, batch_size=128),
    "CNN": Spec(rival="same", model="cnn", width=16, depth=2, batch_size=16),
}
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
    """Both numbers that the page is held to."""
    client = runs.Client(preload=("torch", "torch._dynamo", "models.speed"))
    client.warm()
    rows = []
    for title, spec in SPECS.items():
        apps, scripts = [], []
        for _ in range(TURNS):
            apps.append(_app(client, spec))
            scripts.append(_script(spec))
        app, script = (table.percentile(v, 0.5) for v in (apps, scripts))
        rows.append([title, app * 1e3, script * 1e3, f"{app / script - 1:+.1%}"])
    client.close()
    table.show(["full step", "app, ms", "exported script, ms", "difference"], rows)
    with harness.chromium() as browser, harness.serve() as server:
        found = _frames(browser, server)
    print(flush=True)
    table.show(
        ["timeline of 100,000 events", "frames/s while panning", "rectangles drawn"],
        [[name, rate, drawn] for name, (rate, drawn) in found.items()],
    )


def _app(client: runs.Client, spec: Spec) -> float:
    run = client.start("models.speed", spec, owner="benchmark")
    while client.status(run).state in ("queued", "running"):
        time.sleep(0.05)
    return wire.loads(client.blob(run, "result") or b"")["samples"]["full step"]["median"]


def _script(spec: Spec) -> float:
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
