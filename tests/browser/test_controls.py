"""The address bar in a real browser: links, Back, the menu, and nonsense."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import harness

_UI = """
import sys
sys.path.insert(0, {root!r})
import streamlit as st
st.navigation([st.Page("one.py", title="One", default=True), st.Page("two.py", title="Two")], position="top").run()
"""
_ONE = """
import streamlit as st
from components import lesson
lesson.page("one", "One")
st.page_link("two.py", label="Open two")
lesson.footer()
"""
_TWO = """
import streamlit as st
from components import code_panel, controls, lesson
from tests.test_controls import Toy
lesson.page("two", "Two")
with lesson.controls():
    spec = controls.edit(Toy, "two")
st.text(f"units {spec.units} lr {spec.lr} loss {spec.loss} bias {spec.bias}")
st.button("Fix", on_click=lambda: controls.put("two", lr=0.0123))
code_panel.lesson_link(spec, page="two", params={})
lesson.footer()
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with two small pages, one of them with controls."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "ui.py").write_text(_UI.format(root=str(harness.ROOT)))
    (folder / "one.py").write_text(_ONE)
    (folder / "two.py").write_text(_TWO)
    with harness.serve(str(folder / "ui.py")) as server:
        yield server.url


@pytest.fixture
def tab(context: BrowserContext, toy: str) -> Iterator[Page]:
    """A new visitor's tab on that server, watched."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    seen = harness.watched(context, toy)
    yield context.new_page()
    assert not seen.foreign
    assert not seen.errors


def go(tab: Page, address: str) -> None:
    tab.goto(address)
    harness.idle(tab)


def says(tab: Page, text: str) -> None:
    expect(tab.get_by_test_id("stText")).to_have_text(text)


def test_moving_a_slider_by_keyboard_writes_the_address_and_a_reload_keeps_it(tab: Page, toy: str):
    go(tab, f"{toy}/two")
    slider = tab.get_by_role("slider", name="units")
    slider.focus()
    slider.press("ArrowRight")
    says(tab, "units 9 lr 0.03 loss mse bias True")
    expect(tab).to_have_url(f"{toy}/two?two-units=9")
    tab.reload()
    says(tab, "units 9 lr 0.03 loss mse bias True")


def test_back_and_the_menu_bring_the_settings_home(tab: Page, toy: str):
    go(tab, f"{toy}/")
    tab.get_by_role("link", name="Open two").click()
    slider = tab.get_by_role("slider", name="units")
    slider.focus()
    slider.press("ArrowRight")
    tab.get_by_role("button", name="Fix").click()
    says(tab, "units 9 lr 0.0123 loss mse bias True")
    one, two = tab.get_by_role("link", name="One"), tab.get_by_role("link", name="Two", exact=True)
    one.click()
    expect(tab).to_have_url(f"{toy}/")
    tab.go_back()
    says(tab, "units 9 lr 0.0123 loss mse bias True")
    expect(tab).to_have_url(re.compile(r"two-units=9"))
    expect(tab).to_have_url(re.compile(r"two-lr=0\.0123"))
    tab.go_back()
    expect(tab).to_have_url(f"{toy}/")  # one press leaves the page, whatever was set on it
    tab.go_forward()
    says(tab, "units 9 lr 0.0123 loss mse bias True")
    one.click()
    expect(tab).to_have_url(f"{toy}/")
    two.click()
    says(tab, "units 9 lr 0.0123 loss mse bias True")
    expect(tab).to_have_url(re.compile(r"two-units=9"))


def test_a_link_opened_by_hand_wins_over_what_was_there(tab: Page, toy: str):
    go(tab, f"{toy}/two?two-units=5")
    says(tab, "units 5 lr 0.03 loss mse bias True")
    go(tab, f"{toy}/two?two-lr=1e-3&two-bias=false")
    says(tab, "units 8 lr 0.001 loss mse bias False")


def test_nonsense_in_the_address_is_explained_and_taken_out(tab: Page, toy: str):
    go(tab, f"{toy}/two?two-units=2.5&two-loss=hinge")
    says(tab, "units 8 lr 0.03 loss mse bias True")
    expect(tab.get_by_test_id("stAlert")).to_have_count(2)
    expect(tab).to_have_url(f"{toy}/two")
    expect(tab.get_by_test_id("stException")).to_have_count(0)


def test_the_copied_lesson_link_opens_the_same_experiment_without_the_hidden_controls(
    tab: Page, toy: str
):
    go(tab, f"{toy}/two?two-units=5&two-lr=0.0123")
    tab.get_by_role("combobox", name="Controls the lesson link hides").click()
    tab.get_by_role("option", name="lr").click()
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("textbox", name="Lesson link")).to_have_value(re.compile("hide=lr"))
    tab.get_by_role("button", name="Copy lesson link").click()
    expect(tab.get_by_role("button", name="Copied")).to_be_visible()
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(toy)
    go(tab, copied)
    says(tab, "units 5 lr 0.0123 loss mse bias True")
    expect(tab.get_by_role("slider", name="units")).to_be_visible()
    expect(tab.get_by_role("slider", name="lr")).to_have_count(0)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_projector_mode_shows_no_small_text_and_no_controls(tab: Page, toy: str, size):
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    go(tab, f"{toy}/two?two-projector=true&two-units=5")
    says(tab, "units 5 lr 0.03 loss mse bias True")
    expect(tab.get_by_role("slider", name="units")).to_have_count(0)
    # the script is done, but the browser may still be fetching the part of Streamlit that sets the sizes
    tab.wait_for_function(
        "() => parseFloat(getComputedStyle(document.documentElement).fontSize) > 20"
    )
    small = tab.evaluate(
        """() => [...document.querySelectorAll('.stMain *')]
        .filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
        .filter(e => parseFloat(getComputedStyle(e).fontSize) < 18).map(e => e.innerText)"""
    )
    assert small == []


@pytest.mark.parametrize(
    "link",
    [
        "convolution?convolution-height=9&convolution-projector=true",
        "convolution?convolution-view=Picture&filters-channel=red",
        "tensors?tensors-part=Memory&tensors-projector=true",
    ],
)
def test_back_brings_the_whole_page_home(link: str, visit: Callable[..., Page]):
    page = visit(link)
    wanted = [re.compile(re.escape(part)) for part in link.split("?")[1].split("&")]
    for part in wanted:
        expect(page).to_have_url(part)
    page.get_by_role("link", name="Home").click()
    expect(page).not_to_have_url(re.compile(link.partition("?")[0]))
    harness.idle(page)
    page.go_back()
    for part in wanted:
        expect(page).to_have_url(part)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
