"""The Training page as the hand and the eye meet it: slider to picture, Play to curve, epochs and repaints per second."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from benchmarks import table
from benchmarks.floor import ENTRY, floor
from benchmarks.latency import Times, latency, repeated
from tests.browser import harness

PLAY_MS = 500.0
SLIDER_P50, SLIDER_P95 = 4.0, 8.0
EPOCHS, REPAINTS = 60.0, 5.0
SECONDS = 8.0

# 250 training points, batches of 10, 7 inputs, two hidden layers of 8 tanh
SPIRAL = (
    "training?training-data=spiral&training-points=500&training-val_fraction=0.5&training-test_fraction=0"
    "&training-inputs=x1,x2,x1%5E2,x2%5E2,x1x2,sin(x1),sin(x2)&training-lr=0.03&training-epochs=10000"
)

_PLANE = ".st-key-training-plane .view"
# found once and read again and again, so that the clock's own looks cost nothing
_VIEW = """const view = (place) => {
  const known = (window.__views ??= {});
  if (known[place]?.isConnected) return known[place];
  const all = [...document.querySelectorAll(place + ", " + place + " *")];
  return (known[place] = all.map((e) => (e.shadowRoot ?? e).querySelector(".view")).find(Boolean));
};"""
# the number of points on the plane; while a new run has none yet, the number of before
_POINTS = f"""() => {{ {_VIEW}
  const points = view(".st-key-training-plane")?.dataset.points;
  if (Number(points)) window.__points = points;
  return window.__points ?? "";
}}"""
_CURVE = f"""() => {{ {_VIEW} return view(".st-key-training-curves")?.dataset.last ?? ""; }}"""


def main() -> None:
    """Every number beside its target; latencies as multiples of the floor of the same server."""
    with harness.chromium() as browser, harness.serve(ENTRY) as server:
        least = floor(browser, server)
        slider = _slider(browser, server)
        play = _play(browser, server)
        epochs, repaints = _spiral(browser, server)
    table.show(
        ["what", "measured", "target"],
        [
            ["floor (slider on an empty page), p50 ms", least.p50, ""],
            ["floor, p95 ms", least.p95, ""],
            ["slider to its new picture, p50 / floor", slider.p50 / least.p50, f"≤ {SLIDER_P50:g}"],
            ["slider to its new picture, p95 / floor", slider.p95 / least.p95, f"≤ {SLIDER_P95:g}"],
            ["slider to its new picture, p50 ms", slider.p50, ""],
            ["Play to first moved curve, p50 ms", play.p50, f"≤ {PLAY_MS:g}"],
            ["Play to first moved curve, slowest ms", max(play.values), ""],
            ["spiral: epochs per second shown", epochs, f"≥ {EPOCHS:g}"],
            ["spiral: repaints per second", repaints, f"≥ {REPAINTS:g}"],
        ],
    )


def _opened(browser: Browser, server: harness.Server, path: str) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(harness.PATIENCE)
    page = context.new_page()
    page.goto(f"{server.url}/{path}")
    return harness.idle(page)


def _state(page: Page, name: str) -> None:
    bar = page.locator(".st-key-training-transport-bar .view")
    expect(bar).to_have_attribute("data-state", name, timeout=harness.PATIENCE)


def _slider(browser: Browser, server: harness.Server) -> Times:
    """Key on the slider of points until the plane shows the new ones, before the first step of a new run."""
    page = _opened(
        browser, server, "training?training-data=circle&training-epochs=3&training-points=100"
    )
    _state(page, "done")
    page.get_by_role("button", name="Reset", exact=True).click()
    _state(page, "paused")
    page.get_by_role("slider", name="points").focus()
    found = repeated(page, lambda: page.keyboard.press("ArrowRight"), _POINTS, times=25)
    page.context.close()
    return found


def _play(browser: Browser, server: harness.Server) -> Times:
    """Click on Play until the loss curve has a new point; a new run each time."""
    page = _opened(browser, server, "training?training-data=circle&training-epochs=200")
    values = []
    for _ in range(8):
        run = re.search(r"run=([\w-]+)", page.url)
        page.get_by_role("button", name="Reset", exact=True).click()
        if run:
            expect(page).not_to_have_url(re.compile(run[1]))
        _state(page, "paused")
        harness.idle(page)
        play = page.get_by_role("button", name="Play", exact=True)
        values.append(latency(page, play.click, _CURVE))
    page.context.close()
    return Times(tuple(values[1:]))


def _spiral(browser: Browser, server: harness.Server) -> tuple[float, float]:
    """Epochs and repaints of the plane per second, as the browser shows them."""
    page = _opened(browser, server, SPIRAL)
    _state(page, "running")
    bar, plane = page.locator(".st-key-training-transport-bar .view"), page.locator(_PLANE)
    page.wait_for_timeout(2000)  # the worker's first second is its warming up

    def now() -> tuple[float, float, float]:
        return (
            float(bar.get_attribute("data-epoch") or 0),
            float(plane.get_attribute("data-paints") or 0),
            float(page.evaluate("performance.now()")) / 1000,
        )

    epoch, paints, start = now()
    page.wait_for_timeout(SECONDS * 1000)
    last_epoch, last_paints, end = now()
    page.context.close()
    return (last_epoch - epoch) / (end - start), (last_paints - paints) / (end - start)
