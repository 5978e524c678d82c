"""The Tensors page: a new picture against the floor, pointing at a cell, panning a large tensor, and bytes sent."""

from __future__ import annotations

from playwright.sync_api import Browser, Page

from benchmarks import floor, table
from benchmarks.latency import Times, latency, repeated
from tests.browser import harness

_VIEW = """const seen = (node) => {
  for (const e of node.querySelectorAll("*")) {
    if (e.matches("canvas[role=application]")) return e.getRootNode().querySelector(".view");
    if (e.shadowRoot) { const found = seen(e.shadowRoot); if (found) return found; }
  }
}; const view = seen(document);"""
SHOWN = f"() => {{ {_VIEW} return view?.dataset.shown ?? '' }}"
WINDOW = f"() => {{ {_VIEW} return view?.dataset.window ?? '' }}"
POINT = (
    "async () => { "
    + _VIEW
    + """
  const canvas = view.querySelector("canvas"), said = view.querySelector(".said"), box = canvas.getBoundingClientRect(), times = [];
  for (let n = 0; n < 60; n++) {
    const before = said.textContent, start = performance.now();
    canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + (n % 2 ? 20 : 100), clientY: box.top + 70, bubbles: true }));
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    if (said.textContent !== before) times.push(performance.now() - start);
  }
  return times;
}"""
)


def main() -> None:
    """Every number that the page is held to."""
    with harness.chromium() as browser, harness.serve(floor.ENTRY) as server:
        least = floor.floor(browser, server)
        picture, edited, sent = _pictures(browser, server)
        pointed = _pointing(browser, server)
        panned, most = _panning(browser, server)
    table.show(
        ["action", "p50 ms", "p95 ms", "p50 ratio", "p95 ratio"],
        [
            ["floor: slider on an empty page", least.p50, least.p95, 1.0, 1.0],
            ["another parameter → new picture", picture.p50, picture.p95, picture.p50 / least.p50, picture.p95 / least.p95],
            ["edit a cell → new picture", edited.p50, edited.p95, edited.p50 / least.p50, edited.p95 / least.p95],
            ["point at a cell (in the browser)", pointed.p50, pointed.p95, pointed.p50 / least.p50, pointed.p95 / least.p95],
            ["pan a 4096 × 4096 tensor", panned.p50, panned.p95, panned.p50 / least.p50, panned.p95 / least.p95],
        ],
    )  # fmt: skip
    print(f"\nmost bytes sent for one interaction: {max(sent, most):,}", flush=True)


def _open(browser: Browser, server: harness.Server, path: str) -> tuple[Page, list[int]]:
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.set_default_timeout(harness.PATIENCE)
    got: list[int] = [0]

    def count(data: str | bytes) -> None:
        got[0] += len(data)

    page.on("websocket", lambda socket: socket.on("framereceived", count))
    page.goto(f"{server.url}/{path}")
    harness.idle(page)
    page.wait_for_function(f"() => ({SHOWN})() !== ''")
    return page, got


def _pictures(browser: Browser, server: harness.Server) -> tuple[Times, Times, int]:
    page, got = _open(browser, server, "tensors?tensors-op=sum")
    box = page.get_by_role("switch", name="keepdim").or_(page.get_by_label("keepdim")).first
    box.focus()
    most = 0

    def toggle() -> None:
        nonlocal most
        most, got[0] = max(most, got[0]), 0
        page.keyboard.press("Space")

    got[0] = 0
    picture = repeated(page, toggle, SHOWN)
    page.context.close()

    page, _ = _open(browser, server, "tensors?tensors-op=sum")
    canvas = page.locator("canvas[role=application]").first
    times = []
    for n in range(25):
        canvas.dblclick(position={"x": 20, "y": 70})
        field = page.get_by_label("New value of a[0, 0]")
        field.fill(str(n + 10))
        times.append(latency(page, lambda field=field: field.press("Enter"), SHOWN))
        page.wait_for_selector(harness.IDLE)
    page.context.close()
    return picture, Times(tuple(times[5:])), most


def _pointing(browser: Browser, server: harness.Server) -> Times:
    page, _ = _open(browser, server, "tensors?tensors-op=matmul")
    times = page.evaluate(POINT)
    page.context.close()
    return Times(tuple(times[5:]))


def _panning(browser: Browser, server: harness.Server) -> tuple[Times, int]:
    page, got = _open(
        browser, server, "tensors?tensors-op=relu&tensors-shelf=a = torch.randn(4096, 4096)"
    )
    canvas = page.locator("canvas[role=application]").first
    places = iter(range(30, 130))
    most = 0

    def pan() -> None:
        nonlocal most
        most, got[0] = max(most, got[0]), 0
        canvas.click(position={"x": next(places), "y": 100})

    got[0] = 0
    found = repeated(page, pan, WINDOW, times=20)
    page.context.close()
    return found, most
