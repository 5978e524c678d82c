"""From an action of the hand to a changed page, timed inside the browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from benchmarks import table
from tests.browser import harness

# The clock starts at the browser's own time stamp of the event and stops when `read()` gives something new. A view
# may paint without touching the page's own elements, so a timer looks as well as the observer.
_ARM = """(() => {
  const read = %s, before = read();
  window.__latency = new Promise((resolve, reject) => {
    let began = null, timer = null;
    const begin = (event) => { began ??= event.timeStamp; };
    const kinds = ["keydown", "pointerdown"];
    const look = () => {
      if (began === null || read() === before) return;
      end(() => resolve(performance.now() - began));
    };
    const observer = new MutationObserver(look);
    const end = (finish) => {
      observer.disconnect();
      clearInterval(timer);
      clearTimeout(limit);
      kinds.forEach((kind) => removeEventListener(kind, begin, true));
      finish();
    };
    const limit = setTimeout(() => end(() => reject(Error("nothing changed within 60 s"))), 60000);
    kinds.forEach((kind) => addEventListener(kind, begin, true));
    const all = { subtree: true, childList: true, characterData: true, attributes: true };
    observer.observe(document, all);
    timer = setInterval(look, 4);
  });
})()"""


def latency(page: Page, action: Callable[[], object], probe: str) -> float:
    """Milliseconds from the key or pointer going down in `action` until `probe` reads something new.

    Args:
        page: an idle page.
        action: presses a key or clicks, such as `lambda: page.keyboard.press("ArrowRight")`.
        probe: a JavaScript function without arguments that reads what will change, such as
            `() => document.querySelector("#x").textContent`; it returns a text or a number.
    """
    page.evaluate(_ARM % probe)
    action()
    return float(page.evaluate("window.__latency"))


def repeated(
    page: Page, action: Callable[[], object], probe: str, times: int = 40, warm: int = 5
) -> Times:
    """The same action several times, each from an idle page; the first ones only warm things up."""
    found: list[float] = []
    for _ in range(warm + times):
        found.append(latency(page, action, probe))
        page.wait_for_selector(harness.IDLE)
    return Times(tuple(found[warm:]))


@dataclass(frozen=True)
class Times:
    """Several latencies of one action, in milliseconds."""

    values: tuple[float, ...]

    @property
    def p50(self) -> float:
        return table.percentile(self.values, 0.5)

    @property
    def p95(self) -> float:
        return table.percentile(self.values, 0.95)
