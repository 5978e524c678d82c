"""The Speed page by hand: profile, zoom, follow an arrow, search, take the trace away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser import harness


def view(page: Page):
    return page.locator("[data-events]")


def span(page: Page) -> float:
    shown = view(page)
    return float(shown.get_attribute("data-to") or 0) - float(shown.get_attribute("data-from") or 0)


def test_a_learner_profiles_zooms_follows_and_exports(
    visit: Callable[..., Page], server: harness.Server
) -> None:
    page = visit("speed?speed-part=profile&speed-width=16&speed-depth=1&speed-batch_size=4")
    page.get_by_role("button", name="Measure", exact=True).click()
    expect(page.get_by_role("radio", name="Profile", exact=True)).to_be_checked()
    chart = page.get_by_role("application", name=re.compile("What ran when"))
    expect(chart).to_be_visible()
    expect(view(page)).to_have_attribute("data-events", re.compile(r"^\d{3,}$"))
    said = page.get_by_role("status").filter(has_text="events")
    expect(said).to_contain_text("thread")

    whole = span(page)
    page.get_by_role("button", name="Zoom in").click()
    expect(view(page)).not_to_have_attribute("data-to", str(whole))
    assert span(page) < whole * 0.6
    chart.focus()
    before = view(page).get_attribute("data-from")
    page.keyboard.press("ArrowRight")
    expect(view(page)).not_to_have_attribute("data-from", before or "")
    zoomed, edge = span(page), view(page).get_attribute("data-to")
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, 150)  # towards the learner: farther away
    expect(view(page)).not_to_have_attribute("data-to", edge or "")
    assert zoomed < span(page) < whole
    page.keyboard.press("Home")
    expect(view(page)).to_have_attribute("data-from", "0")
    assert span(page) == whole

    page.get_by_role("searchbox", name="Find an operation").first.fill("AddmmBackward")
    expect(page.get_by_role("status").filter(has_text="match")).to_contain_text("AddmmBackward")
    page.get_by_role("button", name="Next match").click()
    chosen = page.get_by_role("status").filter(has_text="AddmmBackward0:")
    expect(chosen).to_contain_text("belongs to aten::addmm")

    with page.expect_download() as taken:
        page.get_by_role("button", name="Trace for Perfetto .json").click()
    trace = json.loads(taken.value.path().read_text())
    assert any(event.get("name") == "aten::addmm" for event in trace["traceEvents"])
    assert "speed-part=profile" in page.url


def test_the_timeline_keeps_its_laws_in_the_browser(page: Page, server: harness.Server) -> None:
    laws = (harness.ROOT / "tests" / "js" / "timeline_laws.js").read_text()
    page.route("**/laws/timeline_laws.js", lambda route: route.fulfill(body=laws, content_type="text/javascript"))  # fmt: skip
    page.goto(f"{server.url}/speed")
    found = page.evaluate(
        "import('/laws/timeline_laws.js').then(m => m.broken(path => import('/assets/views/' + path)))"
    )
    assert found == []


def test_the_page_is_used_on_while_it_measures_and_the_measurement_is_stopped(
    visit: Callable[..., Page],
) -> None:
    page = visit("speed?speed-part=levers&speed-seconds=2.0&speed-depth=6&speed-width=256")
    page.get_by_role("button", name="Measure", exact=True).click()
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_visible()
    depth = page.get_by_role("slider", name="depth")
    code = page.get_by_test_id("stCode").first
    depth.focus()
    page.keyboard.press("ArrowRight")
    expect(code).to_contain_text("mlp(256, 7)")
    expect(
        page.get_by_role("button", name="Measure", exact=True)
    ).to_be_visible()  # of these settings
    page.keyboard.press("ArrowLeft")
    expect(code).to_contain_text("mlp(256, 6)")
    page.reload()  # a session of its own, which finds it
    stop.click()  # the first measurement still runs: it takes more than a minute
    expect(page.get_by_text("This measurement has no result")).to_be_visible()
    expect(page.get_by_role("button", name="Measure again")).to_be_enabled()


def test_what_was_measured_is_compared_and_taken_away(visit: Callable[..., Page]) -> None:
    small = "speed-width=16&speed-batch_size=4&speed-seconds=0.02&speed-rival=same"
    page = visit(f"speed?speed-depth=1&{small}")
    depth = page.get_by_role("slider", name="depth")
    again = page.get_by_role("button", name="Measure again")
    for number in (1, 2):
        page.get_by_role("button", name="Measure", exact=True).click()
        expect(again).to_be_enabled()
        expect(page.get_by_text("A full step takes")).to_be_visible()
        if number == 1:
            depth.focus()
            page.keyboard.press("ArrowRight")
    page.get_by_text("History: compare two, export all").click()
    expect(page.get_by_text("depth: 1 → 2")).to_be_visible()
    with page.expect_download() as taken:
        page.get_by_role("button", name="All as JSON").click()
    found = json.loads(taken.value.path().read_text())
    assert [one["settings"]["depth"] for one in found] == [1, 2]
    with page.expect_download() as taken:
        page.get_by_role("button", name="All as CSV").click()
    assert len(taken.value.path().read_text().splitlines()) == 3
    page.reload()  # another session of the same browser
    expect(page.get_by_text("A full step takes")).to_be_visible()
    page.get_by_text("History: compare two, export all").click()
    page.get_by_role("button", name="Forget all").click()
    expect(page.get_by_text("Nothing has been measured yet.")).to_be_visible()
