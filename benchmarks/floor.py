"""The least a slider can take: an otherwise empty page of the same server with torch loaded, key press to changed text."""

from __future__ import annotations

from playwright.sync_api import Browser

from benchmarks import table
from benchmarks.latency import Times, repeated
from tests.browser import harness

ENTRY = "benchmarks/server/main.py"  # the playground's own server with one more page, at /floor


def main() -> None:
    """The floor as this server is set up, beside the same server with Streamlit's default garbage collection."""
    with harness.chromium() as browser:
        with harness.serve(ENTRY) as server:
            ours = floor(browser, server)
        with harness.serve(ENTRY, {"STREAMLIT_RUNNER_POST_SCRIPT_GC": "true"}) as server:
            default = floor(browser, server)
    table.show(
        ["slider on an empty page", "p50 ms", "p95 ms", "p50 ratio", "p95 ratio"],
        [
            ["postScriptGC = false", ours.p50, ours.p95, 1.0, 1.0],
            [
                "Streamlit's default",
                default.p50,
                default.p95,
                default.p50 / ours.p50,
                default.p95 / ours.p95,
            ],
        ],
    )


def floor(browser: Browser, server: harness.Server, times: int = 40) -> Times:
    """Latencies of the empty page's slider on a server that was started with `ENTRY`."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(harness.PATIENCE)
    page = context.new_page()
    page.goto(f"{server.url}/floor")
    harness.idle(page)
    slider = page.get_by_role("slider")
    slider.focus()
    found = repeated(
        page,
        lambda: page.keyboard.press("ArrowRight"),
        '() => document.querySelector("[data-testid=stText]").textContent',
        times,
    )
    context.close()
    return found
