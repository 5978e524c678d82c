"""The Convolution page: a slider to a new picture against the floor, pointing at cells, a kernel over a photograph."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Browser, Locator, Page

from benchmarks import floor, table
from benchmarks.latency import Times, repeated
from tests.browser import harness

VIEW = """const seen = (node) => {
  for (const e of node.querySelectorAll("*")) {
    if (e.matches("canvas[role=%s]")) return e.getRootNode().querySelector(".view");
    if (e.shadowRoot) { const found = seen(e.shadowRoot); if (found) return found; }
  }
}; const view = seen(document.querySelector("[data-testid=stMain]") ?? document);"""
_POINT = (
    "async () => { "
    + VIEW % "application"
    + """
  const canvas = view.querySelector("canvas"), box = canvas.getBoundingClientRect(), times = [];
  const said = view.querySelector("[role=status]");
  for (let n = 0; n < 60; n++) {
    const before = said.textContent, start = performance.now();
    const place = { clientX: box.left + 12 + 40 * (n % 3), clientY: box.top + 60, bubbles: true };
    canvas.dispatchEvent(new PointerEvent("pointermove", place));
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    if (said.textContent !== before) times.push(performance.now() - start);
  }
  return times;
}"""
)


def painted(role: str, counter: str) -> str:
    """A probe that reads a counter of the first view whose canvas has this role."""
    return f"() => {{ {VIEW % role} return view?.dataset.{counter} ?? '' }}"


def opened(browser: Browser, server: harness.Server, path: str, probe: str) -> Page:
    """A page whose view has drawn something."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.set_default_timeout(harness.PATIENCE)
    page.goto(f"{server.url}/{path}")
    harness.idle(page)
    page.wait_for_function(f"() => ({probe})() !== ''")
    return page


def row(name: str, found: Times, least: Times) -> list[object]:
    """One line of the table."""
    return [name, found.p50, found.p95, found.p50 / least.p50, found.p95 / least.p95]


def main() -> None:
    """Every number that the page is held to."""
    with harness.chromium() as browser, harness.serve(floor.ENTRY) as server:
        least = floor.floor(browser, server)
        cells = _sliding(browser, server)
        pointed = _pointing(browser, server)
        photograph = _photograph(browser, server)
    table.show(
        ["action", "p50 ms", "p95 ms", "p50 ratio", "p95 ratio"],
        [
            row("floor: slider on an empty page", least, least),
            row("stride → new cells", cells, least),
            row("point at a cell (in the browser)", pointed, least),
            row("dilation → photograph convolved anew", photograph, least),
        ],
    )


def _sliding(browser: Browser, server: harness.Server) -> Times:
    probe = painted("application", "paints")
    page = opened(browser, server, "convolution?convolution-width=20", probe)
    _slider(page, "convolution-stride").focus()
    found = repeated(page, _to_and_fro(page), probe, 30)
    page.context.close()
    return found


def _pointing(browser: Browser, server: harness.Server) -> Times:
    page = opened(browser, server, "convolution", painted("application", "paints"))
    times = page.evaluate(_POINT)
    page.context.close()
    return Times(tuple(times[5:]))


def _photograph(browser: Browser, server: harness.Server) -> Times:
    probe = painted("slider", "loaded")
    page = opened(browser, server, "convolution?convolution-view=Picture", probe)
    _slider(page, "filters-dilation").focus()
    found = repeated(page, _to_and_fro(page), probe, 30)
    page.context.close()
    return found


def _slider(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key}").get_by_role("slider")


def _to_and_fro(page: Page) -> Callable[[], None]:
    """One step right, then one back, and so on: every press changes the picture."""
    keys = iter(["ArrowRight", "ArrowLeft"] * 100)
    return lambda: page.keyboard.press(next(keys))
