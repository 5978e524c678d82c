"""The Convolution page by hand: pointing, stepping, playing, an own photograph."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from PIL import Image
from playwright.sync_api import Page, expect

from models import convolution, filters
from tests.browser import harness


def test_pointing_and_stepping_show_the_written_out_sum(visit: Callable[..., Page]):
    page = visit("convolution")
    cells = page.get_by_role("application", name=re.compile("cell by cell"))
    said = page.get_by_role("status").filter(has_text="output[")
    result = convolution.run(convolution.Spec())
    first, second = (f"{float(result.y[0, 0, j]):g}".replace("-", "−") for j in (0, 1))
    expect(said).to_contain_text("output[0, 0, 0] = ")
    expect(said).to_contain_text(f"= {first}")
    cells.focus()
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("output[0, 0, 1]")
    expect(said).to_contain_text(f"= {second}")
    page.get_by_role("button", name="Step back").click()
    expect(said).to_contain_text("output[0, 0, 0]")
    before = page.url
    page.get_by_role("button", name="Play: walk through the output").click()
    expect(said).to_contain_text(re.compile(r"output\[0, 0, [2-9]"))
    page.get_by_role("button", name="Pause").click()
    held = said.inner_text()
    box = cells.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 60)  # the first input cell
    expect(page.get_by_role("status").filter(has_text="reaches 1 output")).to_be_visible()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 2)
    expect(said).to_have_text(held)  # the pinned cell is back, and it did not play on
    assert page.url == before


def test_a_contradiction_is_explained_and_the_picture_stays(visit: Callable[..., Page]):
    page = visit("convolution?convolution-kernel_size=9")
    expect(page.get_by_text("The kernel reaches over 9 cells")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="output[0, 0, 0]")).to_be_visible()


def test_an_own_photograph_and_a_tiny_picture_are_convolved(visit: Callable[..., Page]):
    page = visit("convolution?convolution-view=Picture")
    divider = page.get_by_role("slider", name=re.compile("before and after"))
    expect(divider).to_have_attribute("aria-valuenow", "50")
    divider.focus()
    page.keyboard.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "55")
    for size in ((900, 600), (32, 32)):
        out = io.BytesIO()
        Image.effect_noise(size, 80).convert("RGB").save(out, "PNG")
        page.locator("input[type=file]").first.set_input_files(
            {"name": f"own{size[0]}.png", "mimeType": "image/png", "buffer": out.getvalue()}
        )
        expect(page.get_by_role("combobox", name="Picture")).to_have_value(f"own{size[0]}.png")
        harness.idle(page)
        spec = filters.Spec()
        result = filters.run(spec, filters.picture(spec, out.getvalue()))
        low, high = (f"{float(v):.3g}" for v in (result.after[0].min(), result.after[0].max()))
        expect(page.get_by_text(f"Values run from {low} to {high}")).to_be_visible()
    grid = page.locator(".st-key-filters-kernel-grid-0 .dvn-scroller")
    grid.dblclick(position={"x": 30, "y": 53})  # the first number
    cell = page.locator("input.gdg-input")
    cell.fill("-7.5")
    cell.press("Enter")
    kernel = page.get_by_role("textbox", name="weights")
    expect(kernel).to_have_value("-7.5,0,1;-2,0,2;-1,0,1")
    expect(page.get_by_role("combobox", name="kernel")).to_have_value("typed")
    kernel.fill("1, 0; 0")
    kernel.press("Enter")
    expect(page.get_by_text("The typed kernel's rows have 2, 1 numbers")).to_be_visible()
    kernel.fill("0, 0, 0; 0, 2, 0; 0, 0, 0")
    kernel.press("Enter")
    expect(page.get_by_text("rows have")).to_have_count(0)
    expect(page.get_by_text(re.compile(r"Values run from 0(\.\d+)? to (2|1\.\d+)"))).to_be_visible()
    expect(page.get_by_text("not on this server")).to_have_count(0)


def test_a_drawing_becomes_the_picture(visit: Callable[..., Page]):
    page = visit("convolution?convolution-view=Picture")
    # the last to come: it moves what stands around it, an open popover too
    expect(page.locator(".st-key-filters-kernel-grid-0 .dvn-scroller")).to_be_visible()
    page.get_by_role("button", name="Draw").click()
    pad = page.get_by_role("application", name=re.compile("draw on"))
    harness.still(pad).hover(position={"x": 40, "y": 40})
    page.mouse.down()
    pad.hover(position={"x": 150, "y": 150})
    page.mouse.up()
    expect(page.get_by_role("combobox", name="Picture")).to_have_value("drawing.png")
    expect(page).to_have_url(re.compile("filters-image=upload"))
