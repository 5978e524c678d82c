"""Every page there is, in a real browser: alive, quiet, at home on its own server, readable from the back row."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import harness

PAGES = sorted(p.stem for p in (harness.ROOT / "pages").glob("[a-z]*.py"))
every_page = pytest.mark.parametrize("name", PAGES)


def address(name: str) -> str:
    return "" if name == "home" else name


@every_page
def test_the_page_opens_alive_and_fits_the_screen(name: str, visit: Callable[..., Page]) -> None:
    page = visit(address(name))  # its watch proves: no console error, no request beyond the server
    expect(page.locator("[data-testid=stMain]").get_by_role("heading").first).to_be_visible()
    expect(page.locator("[data-testid=stException], [data-testid=stAlert]")).to_have_count(0)
    assert page.title()
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wider <= 0, f"the page is {wider} px wider than the screen"


@every_page
def test_a_reload_shows_the_same_page_without_a_complaint(
    name: str, visit: Callable[..., Page]
) -> None:
    page = visit(address(name))
    before = page.get_by_role("heading").first.inner_text()
    page.reload()
    harness.idle(page)
    assert page.get_by_role("heading").first.inner_text() == before
    expect(page.locator("[data-testid=stException]")).to_have_count(0)


def test_a_quick_back_on_a_slow_line_finds_the_whole_page(visit: Callable[..., Page]) -> None:
    page = visit("datasets")  # its pictures are messages of 100 kB and more
    pictures = page.locator("[data-testid=stMain] img")
    expect(pictures.first).to_be_visible()
    page.locator("a[href$='/']").first.click()
    tensors = page.get_by_test_id("stMain").get_by_role("link", name="Tensors")
    expect(tensors.first).to_be_visible()
    harness.idle(page)
    page.evaluate(SLOW_SECOND_MESSAGE)
    tensors.first.evaluate("link => { link.click(); history.back(); }")
    expect(page).to_have_url(re.compile("/datasets"))
    expect(pictures.first).to_be_visible()
    expect(page.get_by_role("heading", name="Datasets")).to_be_visible()
    harness.idle(page)


@every_page
def test_projector_text_is_readable_from_the_back_row(
    name: str, visit: Callable[..., Page]
) -> None:
    page = visit(f"{address(name)}?{name}-projector=true")
    # the script is done, but the browser may still be fetching the parts of Streamlit that draw its elements
    page.wait_for_function(
        "() => parseFloat(getComputedStyle(document.documentElement).fontSize) > 20"
    )
    for width, height in ((1280, 720), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => done()))")
        small = page.evaluate(SMALL_TEXTS, 18)
        assert small == [], f"at {width}×{height}"


def test_every_answer_carries_the_security_headers(server: harness.Server) -> None:
    for path in ("/", "/training", "/_stcore/health", "/assets/plotly.min.js", "/nothing/here"):
        headers = _headers(f"{server.url}{path}")
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy, path
        assert "http" not in policy, path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert headers["x-frame-options"] == "SAMEORIGIN", path


def test_the_policy_stops_a_script_from_another_host(
    visit: Callable[..., Page], watch: harness.Watch
) -> None:
    page = visit()
    blocked: Any = page.evaluate(
        """() => new Promise(done => {
             addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
             const script = document.createElement("script");
             script.src = "https://192.0.2.1/x.js";
             document.head.append(script);
           })"""
    )
    assert blocked.startswith("script-src")
    assert watch.foreign == []  # refused by the page's own policy, before any request
    watch.errors.clear()


def _headers(url: str) -> dict[str, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            found = answer.headers
    except urllib.error.HTTPError as error:
        found = error.headers
    return {name.lower(): value for name, value in found.items()}


# From now on the line to the server is slow for every message but the next one.
SLOW_SECOND_MESSAGE = """() => {
  const send = WebSocket.prototype.send;
  let sent = 0;
  WebSocket.prototype.send = function (message) {
    sent += 1;
    if (sent > 1) setTimeout(() => send.call(this, message), 2000);
    else send.call(this, message);
  };
}"""

# Every text a person can see in the page's main part, shadow roots included, that is smaller than the given pixels.
# Inside an SVG the drawing's own scale counts. Icons are pictures, and formulas have small indices by nature.
SMALL_TEXTS = """(least) => {
  const small = [];
  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.textContent.trim(), parent = node.parentElement;
      if (!text || !parent || !seen(parent) || parent.closest("style, script, .katex, .sr-only")) return;
      const style = getComputedStyle(parent);
      if (style.fontFamily.includes("Material Symbols")) return;
      const range = document.createRange();
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      if (box.width < 2 || box.height < 2) return;
      const matrix = parent.getScreenCTM ? parent.getScreenCTM() : null;
      const size = parseFloat(style.fontSize) * (matrix ? Math.hypot(matrix.c, matrix.d) : 1);
      if (size < least - 0.05) small.push(`${size.toFixed(1)} px: ${text.slice(0, 60)}`);
      return;
    }
    if (node.shadowRoot) walk(node.shadowRoot);
    node.childNodes.forEach(walk);
  };
  walk(document.querySelector("[data-testid=stMain]"));
  return small;
}"""
