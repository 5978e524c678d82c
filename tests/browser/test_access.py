"""Every page for every reader: what axe-core finds, the way by keyboard, one title."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser import harness
from tests.browser.test_pages import address, every_page

# axe-core 4.14.1 as npm has it, with its licence beside it: a page is judged without a network
AXE = harness.ROOT / "tests" / "browser" / "axe" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.mark.parametrize("mode", ["light", "dark", "projector"])
@every_page
def test_axe_finds_nothing(name: str, mode: str, browser: Browser, server: harness.Server) -> None:
    context = browser.new_context(
        viewport={"width": 1280, "height": 720},
        reduced_motion="reduce",
        color_scheme="dark" if mode == "dark" else "light",
    )
    try:
        page = context.new_page()
        query = f"?{name}-projector=true" if mode == "projector" else ""
        page.goto(f"{server.url}/{address(name)}{query}")
        harness.idle(page)
        harness.still(page.locator("[data-testid=stMainBlockContainer]"))
        page.evaluate(AXE.read_text("utf-8"))
        found = page.evaluate(
            "async (rules) => (await axe.run(document, { runOnly: rules })).violations.flatMap("
            "one => one.nodes.map(node => `${one.id}: ${node.html.slice(0, 120)} ${node.failureSummary}`))",
            RULES,
        )
        assert found == []
    finally:
        context.close()


@every_page
def test_a_page_has_one_title(name: str, visit: Callable[..., Page]) -> None:
    page = visit(address(name))
    assert page.locator("h1").count() == 1


def test_play_is_among_the_first_stops_of_the_tab_key(visit: Callable[..., Page]) -> None:
    page = visit("training")
    harness.still(page.locator(".st-key-training-transport-bar"))
    names = []
    for _ in range(10):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.innerText"))
    assert any("Play" in name or "Pause" in name for name in names), names  # one button


@every_page
def test_nothing_moves_while_a_page_comes(
    name: str, context: BrowserContext, server: harness.Server
) -> None:
    context.add_init_script(SHIFTS)
    for _ in range(2):  # the first visit of a cold server may take longer than a page stays hidden
        page = context.new_page()
        page.goto(f"{server.url}/{address(name)}")
        harness.idle(page)
        harness.still(page.locator("[data-testid=stMainBlockContainer]"))
        moved = page.evaluate("window.moved")
    assert sum(shift for shift, _ in moved) < 0.1, moved


# How far elements moved that nobody had touched, as browsers measure it (cumulative layout shift).
SHIFTS = """{
  window.moved = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (!entry.hadRecentInput) window.moved.push([entry.value, entry.sources.map((s) => s.node?.className ?? "")]);
  }).observe({ type: "layout-shift", buffered: true });
}"""
