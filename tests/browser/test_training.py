"""The Training page as a learner meets it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser import harness

CSV = "height;weight;kind\n" + "".join(
    f"{150 + 3 * (i % 17)},5;{40 + (i % 23)},{i % 10};{'ab'[(i % 17) > 8]}\n" for i in range(120)
)


def bar(page: Page) -> Locator:
    """The view that says where the run stands."""
    return page.locator(".st-key-training-transport-bar .view")


def state(page: Page, name: str) -> None:
    expect(bar(page)).to_have_attribute("data-state", name)


def epoch(page: Page) -> float:
    return float(bar(page).get_attribute("data-epoch") or "nan")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def run_of(page: Page) -> str:
    found = re.search(r"run=([\w-]+)", page.url)
    assert found, page.url
    return found[1]


Visit = Callable[..., Page]


def test_the_default_is_already_trained_at_first_sight(visit: Visit):
    page = visit("training")
    state(page, "done")
    expect(bar(page)).to_contain_text("epoch 60 / 60")
    for key in ("plane", "network", "curves"):
        box = page.locator(f".st-key-training-{key}").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 720, f"{key} ends below the first screen"


def test_reset_steps_and_play_move_the_run(visit: Visit):
    page = visit("training?training-data=xor")
    state(page, "done")
    press(page, "Reset")
    state(page, "paused")
    expect(bar(page)).to_have_attribute("data-epoch", "0")
    press(page, "Batch")
    expect(bar(page)).not_to_have_attribute("data-epoch", "0")
    assert 0 < epoch(page) < 1
    press(page, "Epoch")
    expect(bar(page)).to_have_attribute("data-epoch", "1")
    page.get_by_role("button", name="Play", exact=True).dblclick()
    state(page, "done")  # a double click is no pause
    expect(bar(page)).to_have_attribute("data-epoch", "60")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def weights(page: Page) -> str:
    """The first layer's weights of the run on screen, as its route sends them."""
    return page.evaluate(
        """async id => {
            for (;;) {
                const answer = await (await fetch(`/api/runs/${id}`)).json();
                if (answer.frame) return answer.frame.weights[0].data;
            }
        }""",
        run_of(page),
    )


def press_for_another_run(page: Page, name: str) -> None:
    """A button that starts a new run; returns when the address names it."""
    run = run_of(page)
    press(page, name)
    expect(page).not_to_have_url(re.compile(run))


def test_reset_means_the_same_weights_and_a_new_seed_others(visit: Visit):
    page = visit("training?training-data=xor")
    state(page, "done")
    trained = weights(page)
    press_for_another_run(page, "Reset")
    state(page, "paused")
    first = weights(page)
    assert first != trained
    press(page, "Epoch")
    expect(bar(page)).to_have_attribute("data-epoch", "1")
    press_for_another_run(page, "Reset")
    assert weights(page) == first
    press_for_another_run(page, "New seed")
    expect(page).to_have_url(re.compile(r"training-seed=[1-9]"))
    state(page, "paused")  # as it was
    assert weights(page) != first


def test_a_live_setting_changes_without_a_reset_and_an_architecture_says_that_it_resets(
    visit: Visit,
):
    page = visit("training?training-data=circle&training-speed=2/s&training-epochs=2000")
    state(page, "running")
    run = run_of(page)
    lr = page.get_by_role("slider", name="lr")
    lr.focus()
    lr.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"training-lr=0\.2"))
    harness.idle(page)
    assert run_of(page) == run
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    layers = page.get_by_label("layers", exact=True)
    layers.fill("4 relu")
    layers.press("Enter")
    expect(page.get_by_text("layers cannot change in a trained network")).to_be_visible()
    assert run_of(page) != run
    state(page, "running")  # it was playing, it plays


def test_scrubbing_shows_the_past_and_continues_from_there(visit: Visit):
    page = visit("training?training-data=circle")
    state(page, "done")
    slider = page.get_by_role("slider", name="Epoch shown")
    slider.focus()
    slider.press("Home")
    expect(bar(page)).to_have_attribute("data-shown", "0")
    for _ in range(3):
        slider.press("ArrowRight")
    expect(bar(page)).to_have_attribute("data-shown", "3")
    page.get_by_role("button", name="continue from here").click()
    state(page, "paused")
    expect(bar(page)).to_have_attribute("data-epoch", "3")
    expect(page.get_by_text("Training stands at the end of epoch 3 again")).to_be_visible()


def test_a_link_shows_the_same_run_in_another_browser_which_cannot_steer_it(
    visit: Visit, browser, server
):
    page = visit("training?training-data=moons&training-speed=1/s&training-epochs=500")
    state(page, "running")
    run = run_of(page)
    page.reload()
    harness.idle(page)
    assert run_of(page) == run
    state(page, "running")
    other = browser.new_context()
    try:
        guest = other.new_page()
        guest.goto(page.url)
        harness.idle(guest)
        state(guest, "running")
        assert run_of(guest) == run
        expect(guest.get_by_role("button", name="Pause", exact=True)).to_be_disabled()
        expect(guest.get_by_text("You are watching someone else's run")).to_be_visible()
        press(page, "Pause")
        state(guest, "paused")
    finally:
        other.close()


def test_an_own_table_is_read_trained_stepped_scrubbed_saved_and_found_again(
    visit: Visit, tmp_path: Path, context: BrowserContext
):
    page = visit("training")
    state(page, "done")
    file = tmp_path / "people.csv"
    file.write_text(CSV)
    page.get_by_text("Your own table (CSV)").click()
    page.locator("input[type=file]").first.set_input_files(file)
    expect(page).to_have_url(re.compile(r"training-data=upload%3A[0-9a-f]{64}"))
    state(page, "done")
    page.get_by_role("tab", name="Data").click()
    expect(page.get_by_text("columns parted by semicolon, decimal comma")).to_be_visible()
    expect(page.get_by_text("target 'kind' has 2 different values")).to_be_visible()
    press(page, "Reset")
    state(page, "paused")
    press(page, "Epoch")
    expect(bar(page)).to_have_attribute("data-epoch", "1")
    press(page, "Play")
    state(page, "done")
    slider = page.get_by_role("slider", name="Epoch shown")
    slider.focus()
    slider.press("Home")
    expect(bar(page)).to_have_attribute("data-shown", "0")
    page.get_by_role("tab", name="Save and load").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Checkpoint (to resume)").click()
    saved = Path(download.value.path())
    assert saved.read_bytes()[:2] == b"PK"
    run, address = run_of(page), page.url
    tab = context.new_page()
    tab.goto(address)
    harness.idle(tab)
    assert run_of(tab) == run
    state(tab, "done")
    expect(bar(tab)).to_contain_text("epoch 60 / 60")
    expect(tab.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_projector_mode_shows_only_pictures_and_transport_in_large_text(
    visit: Visit, page: Page, size
):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    visit("training?training-data=spiral&training-projector=true&training-epochs=5")
    state(page, "done")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    for key in ("plane", "network", "curves"):
        box = page.locator(f".st-key-training-{key}").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= size[1]
    small = page.evaluate(
        """() => {
        const all = root => [...root.querySelectorAll('*')].flatMap(e => [e, ...(e.shadowRoot ? all(e.shadowRoot) : [])]);
        return all(document.querySelector('.stMain')).filter(e => e.checkVisibility() && !e.closest('style, .spoken'))
        .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
        .filter(e => parseFloat(getComputedStyle(e).fontSize) < 18).map(e => e.textContent) }"""
    )
    assert small == []
