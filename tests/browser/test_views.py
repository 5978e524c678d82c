"""Views in Chromium: changed in place, read and steered by pointer and keys, alive through a server's hiccup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, Position, expect

from tests.browser import harness

NUMBER = ".st-key-number input"


@pytest.fixture(scope="module")
def server() -> Iterator[harness.Server]:
    """The page of views instead of the playground."""
    with harness.serve("tests/browser/apps/views_app.py") as running:
        yield running


Show = Callable[..., Locator]


@pytest.fixture
def show(page: Page, server: harness.Server) -> Show:
    """`show("plane", "edit&kind=classes")` opens that view and waits until it has painted."""

    def go(name: str, query: str = "", ready: str = "[data-paints]") -> Locator:
        page.goto(f"{server.url}/?show={name}&{query}")
        harness.idle(page)
        view = page.locator(f".view{ready}").first
        expect(view).to_be_visible()
        return view

    return go


def _set_number(page: Page, value: int) -> None:
    page.locator(NUMBER).fill(str(value))
    page.locator(NUMBER).press("Enter")


def _rows(page: Page, count: int) -> Locator:
    """The page's curves, in sight (what is out of sight is not painted), with so many epochs."""
    curves = page.locator(".st-key-curves .view")
    curves.scroll_into_view_if_needed()
    expect(curves).to_have_attribute("data-rows", str(count))
    return curves


def _told(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_text("told:")).to_contain_text(text)


def test_pure_functions_hold_their_laws_in_the_browser(page: Page, server: harness.Server) -> None:
    page.goto(f"{server.url}/?show=curves")
    harness.idle(page)
    broken = page.evaluate(
        "import('/laws/laws.js').then(m => m.broken(path => import('/assets/views/' + path)))"
    )
    assert broken == []


@pytest.mark.parametrize(
    "name", ["curves", "plane", "network", "histograms", "confusion", "figure", "matrix"]
)
def test_new_data_changes_the_picture_and_keeps_the_elements(
    name: str, show: Show, page: Page
) -> None:
    drawn = "[data-drawn]" if name in ("confusion", "figure", "matrix") else "[data-paints]"
    view = show(name, ready=drawn)
    before = view.screenshot()
    inside = view.locator("canvas:not([aria-hidden]), .plotly").first
    inside.evaluate("e => { window.kept = e }")
    _set_number(page, 30)
    if drawn == "[data-drawn]":
        expect(view).to_have_attribute("data-drawn", "2")
    elif name == "curves":
        expect(view).to_have_attribute("data-rows", "30")
    else:
        expect(view).to_have_attribute("data-epoch", "30")
    assert inside.evaluate("e => e === window.kept && e.isConnected")
    assert view.screenshot() != before


def test_a_rerun_with_the_same_data_leaves_a_chart_untouched(show: Show, page: Page) -> None:
    view = show("figure", ready="[data-drawn]")
    page.locator(NUMBER).press("ArrowUp")
    page.locator(NUMBER).press("Enter")
    expect(view).to_have_attribute("data-drawn", "2")
    page.get_by_text("told:").click()
    page.get_by_role("button", name="again").click()
    _told(page, "again")
    expect(view).to_have_attribute("data-drawn", "2")


def test_gaps_in_the_numbers_are_gaps_in_the_curve_not_an_error(show: Show, page: Page) -> None:
    view = show("curves", "nan")
    expect(view).to_have_attribute("data-rows", "12")
    chart = view.get_by_role("application").first
    chart.press("Home")
    for _ in range(3):
        chart.press("ArrowRight")
    expect(view.locator(".tip").first).to_contain_text("train  –")


def test_curves_tell_their_values_to_pointer_and_keys(show: Show, page: Page) -> None:
    view = show("curves")
    chart = view.get_by_role("application").first
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    expect(view.locator(".tip").first).to_contain_text("epoch 8")
    chart.press("End")
    expect(view.locator(".tip").first).to_contain_text("epoch 12")
    expect(view.get_by_role("status")).to_contain_text("train  0.3")
    chart.press("Escape")
    expect(view.locator(".tip").first).to_be_hidden()


def test_a_penalty_that_is_always_zero_takes_no_room(show: Show) -> None:
    view = show("curves", "unpunished")
    expect(view.get_by_role("application")).to_have_count(5)
    expect(show("curves").get_by_role("application")).to_have_count(6)


def test_a_curve_for_each_layer_carries_the_layer_s_name(show: Show, page: Page) -> None:
    show("page", "run=still")
    legend = _rows(page, 12).get_by_text(re.compile(r"^hidden \d$"))
    expect(legend).to_have_text(["hidden 1", "hidden 2"])


def test_the_log_switch_is_a_button_that_says_whether_it_is_on(show: Show) -> None:
    view = show("curves")
    switch = view.get_by_role("button", name="Log axis of loss")
    expect(switch).to_have_attribute("aria-pressed", "false")
    before = view.screenshot()
    switch.press("Enter")
    expect(switch).to_have_attribute("aria-pressed", "true")
    assert view.screenshot() != before


def test_ten_thousand_epochs_are_drawn_with_no_more_lines_than_a_screen_can_show(
    show: Show, page: Page
) -> None:
    view = show("curves")
    _set_number(page, 10_000)
    expect(view).to_have_attribute("data-rows", "10000")
    lines, width = view.evaluate(
        """async (v) => {
            const pen = CanvasRenderingContext2D.prototype, draw = pen.lineTo
            let lines = 0
            pen.lineTo = function (...place) { lines += 1; return draw.apply(this, place) }
            const chart = v.querySelector("[role=application]")
            chart.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }))
            await new Promise(requestAnimationFrame)
            await new Promise(requestAnimationFrame)
            pen.lineTo = draw
            return [lines, chart.clientWidth]
        }"""
    )
    assert width < lines < 10_000


def _inside(view: Locator, x: float, y: float) -> Position:
    """Position on the plane's canvas of a place, as shares of the plane's width and height from its upper left."""
    left, top, width, height = json.loads(view.get_attribute("data-box") or "[]")
    return {"x": left + x * width, "y": top + y * height}


def test_a_click_on_the_plane_adds_a_point_in_the_units_of_the_axes(show: Show, page: Page) -> None:
    view = show("plane", "edit", "[data-box]")
    view.get_by_role("button", name="add setosa").click()
    view.get_by_role("application").click(position=_inside(view, 0.75, 0.25))
    _told(
        page,
        re.compile(r"Edit\(action='add', x=(3|2\.9)\S*, y=(3|2\.9)\S*, label=1\.0, index=None"),
    )


def test_shift_click_takes_the_nearest_point_away(show: Show, page: Page) -> None:
    view = show("plane", "edit", "[data-box]")
    view.get_by_role("application").click(position=_inside(view, 0.5, 0.5), modifiers=["Shift"])
    _told(page, re.compile(r"Edit\(action='remove', .*index=\d+"))


def test_the_plane_is_read_and_edited_with_keys_alone(show: Show, page: Page) -> None:
    view = show("plane", "edit", "[data-box]")
    plane = view.get_by_role("application")
    plane.press("ArrowRight")
    expect(view.get_by_role("status")).to_contain_text("model: setosa")
    plane.press("Enter")
    _told(page, "action='add', x=0.24, y=0.0")


def test_a_plane_that_is_not_editable_ignores_clicks(show: Show, page: Page) -> None:
    view = show("plane", "", "[data-box]")
    view.get_by_role("application").click(position=_inside(view, 0.5, 0.5))
    page.get_by_role("button", name="again").click()
    _told(page, "again")
    expect(view.get_by_role("toolbar")).to_be_hidden()


def test_a_clicked_weight_can_be_written_over(show: Show, page: Page) -> None:
    view = show("network", "", "[data-edges]")
    canvas = view.get_by_role("application")
    canvas.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "PageDown", "PageDown"):
        canvas.press(key)
    tip = view.locator(".tip")
    expect(tip).to_contain_text("petal width (cm) → hidden 1 · 2")
    canvas.press("Enter")
    field = view.get_by_role("spinbutton")
    expect(field).to_be_focused()
    field.fill("0.125")
    field.press("Enter")
    _told(page, "Weight(layer=0, out=1, input=1, value=0.125)")
    expect(view.locator("form")).to_have_count(0)


def test_a_click_on_a_line_opens_its_editor_and_escape_closes_it_untold(
    show: Show, page: Page
) -> None:
    view = show("network", "", "[data-edges]")
    canvas = view.get_by_role("application")
    box = canvas.bounding_box()
    assert box
    found = False
    for step in range(40):
        page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 60 + step * 8)
        if canvas.evaluate("c => c.style.cursor") == "pointer":
            page.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + 60 + step * 8)
            found = True
            break
    assert found
    field = view.get_by_role("spinbutton")
    expect(field).to_be_focused()
    field.press("Escape")
    expect(view.locator("form")).to_have_count(0)
    _told(page, "nothing")


def test_a_network_too_large_to_draw_says_so(show: Show) -> None:
    view = show("network", "large")
    expect(view.get_by_text("too large to draw")).to_be_visible()


def test_a_clicked_cell_of_a_heat_map_reaches_python(show: Show, page: Page) -> None:
    view = show("confusion", ready="[data-drawn]")
    plot = view.locator(".nsewdrag").first
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.16)
    expect(view.locator(".hovertext")).to_contain_text("predicted versicolor")
    page.mouse.down()
    page.mouse.up()
    _told(page, "index=(0, 1)")
    _told(page, "customdata=2")


def test_a_chart_is_read_and_chosen_from_with_keys_alone(show: Show, page: Page) -> None:
    view = show("confusion", ready="[data-drawn]")
    area = view.get_by_role("application")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        area.press(key)
    area.press("Enter")
    _told(page, "index=(1, 1)")


def test_zoom_survives_new_data(show: Show, page: Page) -> None:
    view = show("figure", ready="[data-drawn]")
    box = view.locator(".nsewdrag").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.7, steps=4)
    page.mouse.up()
    span = "p => { const r = p._fullLayout.xaxis.range; return r[1] - r[0] }"
    plot = view.locator(".js-plotly-plot")
    page.wait_for_function(
        "([v]) => { const r = v._fullLayout.xaxis.range; return r[1] - r[0] < 4 }",
        arg=[plot.element_handle()],
    )
    zoomed = plot.evaluate(span)
    _set_number(page, 30)
    expect(view).to_have_attribute("data-drawn", "2")
    assert plot.evaluate(span) == pytest.approx(zoomed)


def test_the_tool_bar_of_a_chart_lies_beside_its_legend(show: Show, page: Page) -> None:
    view = show("legend", ready="[data-drawn]")
    for number in (None, 30):  # new data keeps the legend where it is
        if number:
            _set_number(page, number)
            expect(view).to_have_attribute("data-drawn", "2")
        view.hover()
        bar = view.locator(".modebar").bounding_box()
        names = [name.bounding_box() for name in view.locator(".legend .traces").all()]
        assert bar
        assert len(names) == 4
        ends = [at["x"] + at["width"] for at in names if at]
        assert max(ends) > bar["x"]  # the bar would lie on this one
        for at, end in zip(names, ends, strict=True):
            assert at
            assert end <= bar["x"] or at["y"] >= bar["y"] + bar["height"], (at, bar)


def test_a_live_run_moves_all_views_without_a_rerun(show: Show, page: Page) -> None:
    show("page", "run=alive")
    plane = page.locator(".st-key-plane .view")
    expect(plane).to_have_attribute("data-epoch", "60")
    expect(page.locator(".st-key-network .view")).to_have_attribute("data-epoch", "60")
    expect(page.locator(".st-key-bar").get_by_role("status")).to_have_text("finished")
    assert int(plane.get_attribute("data-paints") or 0) > 5
    _rows(page, 60)
    expect(page.get_by_text("script runs: 1", exact=True)).to_be_visible()


def test_all_views_of_a_page_share_one_poller(show: Show, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if "/api/runs/" in r.url else None)
    show("page", "run=shared")
    _rows(page, 60)
    first = [url for url in asked if url.endswith("since=")]
    assert len(first) == 1


def test_scrubbing_shows_the_past_in_every_view_and_returns_to_live(show: Show, page: Page) -> None:
    show("page", "run=still-mine")
    bar = page.locator(".st-key-bar .view")
    expect(bar).to_have_attribute("data-epoch", "12")
    slider = bar.get_by_role("slider", name="Epoch shown")
    slider.press("ArrowLeft")
    slider.press("ArrowLeft")
    for key in ("plane", "network", "histograms"):
        view = page.locator(f".st-key-{key} .view")
        view.scroll_into_view_if_needed()
        expect(view).to_have_attribute("data-epoch", "10")
    expect(bar.get_by_text("looking back at epoch 10")).to_be_visible()
    bar.get_by_role("button", name="back to live").click()
    page.locator(".st-key-plane .view").scroll_into_view_if_needed()
    expect(page.locator(".st-key-plane .view")).to_have_attribute("data-epoch", "12")
    expect(bar).to_have_attribute("data-shown", "live")


def test_the_owner_can_go_on_from_a_past_epoch_and_a_guest_cannot(show: Show, page: Page) -> None:
    bar = show("transportbar", "run=still-mine", '[data-epoch="12"]')
    bar.get_by_role("slider").press("Home")
    bar.get_by_role("button", name="continue from here").click()
    _told(page, "0.0")
    bar = show("transportbar", "run=still-theirs", '[data-epoch="12"]')
    bar.get_by_role("slider").press("Home")
    expect(bar.get_by_role("button", name="back to live")).to_be_visible()
    expect(bar.get_by_role("button", name="continue from here")).to_be_hidden()


def test_a_server_that_stumbles_is_said_and_the_run_goes_on(
    show: Show, page: Page, watch: harness.Watch
) -> None:
    bar = show("transportbar", "run=shaky")
    expect(bar).to_have_attribute("data-state", "reconnecting")
    expect(bar.get_by_role("status")).to_contain_text("does not answer")
    expect(bar).to_have_attribute("data-state", "done")
    assert watch.errors
    assert all("503" in e for e in watch.errors)
    watch.errors.clear()


def test_a_run_that_the_server_lost_says_so(show: Show, watch: harness.Watch) -> None:
    bar = show("transportbar", "run=gone")
    expect(bar.get_by_text("not on this server")).to_be_visible()
    watch.errors.clear()


def test_leaving_the_view_stops_its_poller(show: Show, page: Page) -> None:
    show("page", "run=left")
    _rows(page, 60)
    page.get_by_role("button", name="nothing").click()
    expect(page.locator(".view")).to_have_count(0)
    page.wait_for_function(
        """() => {
            const files = performance.getEntriesByType("resource").map(r => r.name)
            const feed = files.find(name => name.endsWith("/shared/feed.js"))
            return import(feed).then(m => !m.feedOf("left").polling)
        }"""
    )


@pytest.mark.parametrize(
    ("size", "theme", "rem", "least"),
    [
        ((1280, 720), "light_theme", 16, 12),
        ((1280, 720), "dark_theme", 24, 18),
        ((1920, 1080), "light_theme", 24, 18),
    ],
)
def test_texts_are_large_enough_and_nothing_is_cut(
    size: tuple[int, int], theme: str, rem: int, least: int, show: Show, page: Page
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    show("page", f"run=still&embed_options={theme}&rem={rem}", "[data-epoch]")
    _rows(page, 12)
    small = page.evaluate(
        """(least) => [...document.querySelectorAll("*")].filter(e => e.shadowRoot)
            .flatMap(e => [...e.shadowRoot.querySelectorAll(".view *:not(style):not(option)")])
            .filter(e => e.clientWidth && e.textContent.trim() && parseFloat(getComputedStyle(e).fontSize) < least)
            .map(e => e.textContent.slice(0, 40))""",
        least,
    )
    assert small == []
    wide = page.evaluate(
        """() => [...document.querySelectorAll("*")].filter(e => e.shadowRoot)
            .map(e => e.shadowRoot.querySelector(".view"))
            .filter(v => v && v.scrollWidth > v.clientWidth + 1).length"""
    )
    assert wide == 0


def test_every_view_has_a_name_for_people_who_cannot_see_it(show: Show, page: Page) -> None:
    show("page", "run=still", "[data-epoch]")
    names = page.locator(".view").evaluate_all("all => all.map(v => v.getAttribute('aria-label'))")
    assert len(names) == 5
    assert all(len(name.split()) >= 2 for name in names)
