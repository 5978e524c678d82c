"""The CNN page by hand: zoom in, draw, own pictures, train, click a confusion cell, explain, transfer."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import harness
from tests.image_cases import packed, plain


def test_zooming_to_a_single_sum_stays_in_the_browser(visit: Callable[..., Page]):
    page = visit("cnn")
    view = page.get_by_role("application", name=re.compile("every layer makes"))
    level = page.locator("[data-level]")
    expect(level).to_have_attribute("data-level", "network")
    before = page.url
    view.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(level).to_have_attribute("data-level", "layer")
    expect(level).to_have_attribute("data-layer", "3")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    said = page.get_by_role("status").filter(has_text="72 multiplications")
    expect(said).to_be_visible()
    written, computed = re.findall(r"= (\S+); PyTorch computed (\S+)\.", said.inner_text())[0]
    number = lambda text: float(text.replace("−", "-"))  # noqa: E731 - two uses, one line
    assert abs(number(written) - number(computed)) < 1e-3
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(level).to_have_attribute("data-level", "network")
    assert page.url == before


def test_a_digit_is_classified_while_it_is_drawn(visit: Callable[..., Page]):
    page = visit("cnn")
    page.get_by_role("radio", name="Draw").click()
    harness.idle(page)
    pad = page.get_by_role("application", name=re.compile("Draw a digit"))
    expect(page.get_by_text("The network says 3")).to_be_visible()
    pad.hover()  # which waits until it stands still
    box = pad.bounding_box()
    assert box is not None

    def at(u: float, v: float) -> tuple[float, float]:
        return box["x"] + u * box["width"], box["y"] + v * box["height"]

    page.mouse.move(*at(0.3, 0.2))
    page.mouse.down()
    for u, v in ((0.7, 0.2), (0.58, 0.5), (0.48, 0.85)):
        page.mouse.move(*at(u, v), steps=8)
    expect(page.get_by_text("The network says 7")).to_be_visible(
        timeout=15000
    )  # the pen is still down
    page.mouse.up()
    expect(page.get_by_text("The network says 7")).to_be_visible()
    expect(page).to_have_url(re.compile("look-image=upload"))


def test_own_pictures_of_any_size_show_their_maps(visit: Callable[..., Page]):
    page = visit("cnn?look-network=Tiny-VGG&look-image=china")
    for size in ((900, 600), (32, 32)):
        out = io.BytesIO()
        Image.effect_noise(size, 80).convert("RGB").save(out, "PNG")
        page.locator("input[type=file]").first.set_input_files(
            {"name": f"own{size[0]}.png", "mimeType": "image/png", "buffer": out.getvalue()}
        )
        expect(page.get_by_role("combobox", name="Picture")).to_have_value(f"own{size[0]}.png")
        harness.idle(page)
        expect(page.get_by_text("Random weights: this network")).to_be_visible()
    expect(page.get_by_text("not on this server")).to_have_count(0)


def test_a_layer_that_does_not_fit_is_drawn_where_it_happens(visit: Callable[..., Page]):
    page = visit(
        "cnn?cnn-view=Build+and+train&cnn-network=own+list&cnn-layers=conv+8+3%2C+relu%2C+max_pool+2%2C+linear"
    )
    view = page.get_by_role("application", name=re.compile("up to layer 4, which does not fit"))
    expect(view).to_be_visible()
    page.get_by_role("button", name="The layer before").click()
    expect(page.locator("[data-level]")).to_have_attribute("data-layer", "2")  # the last that fits
    expect(page.get_by_text("Layer 4 (Linear")).to_be_visible()


def test_a_number_of_a_large_network_is_worked_out_on_request(visit: Callable[..., Page]):
    page = visit("cnn?look-network=mobilenet_v3_small&look-image=china")
    view = page.get_by_role("application", name=re.compile("every layer makes"))
    level = page.locator("[data-level]")
    expect(level).to_have_attribute("data-level", "network")
    for _ in range(4):
        page.get_by_role("button", name="The layer after").click()
    expect(level).to_have_attribute("data-layer", "features.1.block.0.0")
    expect(page.locator(".where")).to_contain_text("16 × 56 × 56")
    view.click(position={"x": 20, "y": 40})  # its first map
    said = page.get_by_role("status").filter(has_text="9 multiplications")
    expect(said).to_contain_text("output[0, 0, 0]")
    for _ in range(3):
        view.press("ArrowDown")
    expect(said).to_contain_text("output[0, 3, 0]")
    written, computed = re.findall(r"= (\S+); PyTorch computed (\S+)\.", said.inner_text())[0]
    assert written == computed


def test_train_judge_and_look_at_a_cells_pictures(visit: Callable[..., Page]):
    page = visit("cnn?cnn-view=Build+and+train&cnn-epochs=3&cnn-limit=600")
    expect(page.get_by_text(re.compile("epoch 3 / 3"))).to_be_visible()
    maps = page.get_by_role("application", name=re.compile("while it learns"))
    expect(maps).to_be_visible()
    page.get_by_role("tab", name="Evolution").click()
    expect(page.get_by_role("application", name=re.compile("1 Conv2d at 4 epochs"))).to_be_visible()
    expect(page.get_by_text("What the network said of it after each epoch: 0:")).to_be_visible()
    page.get_by_role("radio", name="Look inside", exact=True).click()
    page.get_by_role("button", name="Take the network of my run").click()
    expect(page.get_by_text("The network says")).to_be_visible()
    expect(page).to_have_url(re.compile("look-weights=upload"))
    page.get_by_role("radio", name="Evaluate").click()
    cells = page.get_by_role("group", name=re.compile("Confusion matrix"))
    expect(cells.locator(".plot-container")).to_be_visible()
    heat = cells.locator(".nsewdrag").first
    box = heat.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.05, box["y"] + box["height"] * 0.05)
    page.mouse.click(box["x"] + box["width"] * 0.05, box["y"] + box["height"] * 0.05)
    expect(page.get_by_text("0 recognised", exact=False)).to_be_visible()
    tiles = page.locator(".st-key-cnn-tiles-cell").get_by_role("button")
    tiles.nth(1).click()
    expect(tiles.nth(1)).to_have_attribute("aria-pressed", "true")
    closer = page.get_by_role("application", name=re.compile("makes of this picture of 0"))
    expect(closer).to_be_visible()
    expect(page.get_by_role("img", name="why 0, Grad-CAM").first).to_be_visible()
    page.get_by_role("button", name="Open in Explain").first.click()
    expect(page.get_by_text("Delete the pixels it ranks highest")).to_be_visible()
    expect(page.get_by_text("Nobody knows")).to_have_count(0)


def test_transfer_compares_four_ways_and_hands_its_network_over(visit: Callable[..., Page]):
    page = visit("cnn?cnn-view=Transfer&transfer-sizes=1%2C+2&transfer-epochs=2")
    expect(page.get_by_text(re.compile("pictures? per class: from scratch"))).to_be_visible()
    expect(page.get_by_text("Course with 2 per class")).to_be_visible()
    harness.idle(page)
    page.get_by_role("button", name="Put the fine-tuned network on the bench").click()
    page.get_by_role("radio", name="Evaluate").click()
    expect(page.get_by_text("macro F1")).to_be_visible()
    expect(page.get_by_text("Nobody knows")).to_have_count(0)


SHAPES = {
    f"set/{name}/{i:02}.png": plain((200 if k else 30, 30 + 8 * i, 30 if k else 200))
    for k, name in enumerate(("moss", "rust"))
    for i in range(20)
}


def test_after_training_on_own_pictures_every_view_shows_the_run_and_its_pictures(
    visit: Callable[..., Page],
):
    page = visit("cnn?cnn-view=Build+and+train&cnn-epochs=4")
    page.get_by_text("Your own pictures (zip)").click()
    page.locator("input[type=file]").first.set_input_files(
        {"name": "shapes.zip", "mimeType": "application/zip", "buffer": packed(SHAPES)}
    )
    expect(page).to_have_url(re.compile("cnn-data=upload"))
    expect(page.get_by_text(re.compile("epoch 4 / 4"))).to_be_visible()
    harness.idle(page)

    page.get_by_role("radio", name="Evaluate").click()
    matrix = page.get_by_role("group", name=re.compile("Confusion matrix"))
    expect(matrix.get_by_text("moss").first).to_be_visible()
    expect(page.get_by_role("combobox", name="Network")).to_have_value("from a weights file")

    page.get_by_role("radio", name="Look inside", exact=True).click()
    answer = page.get_by_text(re.compile("The network says (moss|rust)"))
    expect(answer).to_contain_text("It is a moss")
    picker = page.get_by_role("group", name=re.compile("Validation pictures of moss"))
    expect(picker.get_by_role("button")).to_have_count(4)
    page.get_by_role("combobox", name="Class").click()
    page.get_by_role("option", name="rust").click()
    page.get_by_role("group", name=re.compile("Validation pictures of rust")).get_by_role("button").nth(1).click()  # fmt: skip
    expect(answer).to_contain_text("It is a rust")
    expect(page).to_have_url(re.compile("look-image=set"))

    page.get_by_role("radio", name="Explain", exact=True).click()
    expect(page.get_by_text(re.compile("Bright places speak for (moss|rust)"))).to_be_visible()
    expect(page.get_by_text("It is a 3")).to_have_count(0)

    # what comes with the app is chosen on purpose, and stays until the next training
    page.get_by_role("radio", name="Look inside", exact=True).click()
    page.get_by_role("combobox", name="Network").click()
    page.get_by_role("option", name=re.compile("trained on digits")).click()
    page.get_by_role("radio", name="A digit", exact=True).click()
    expect(page.get_by_text("The network says 3")).to_be_visible()
    page.get_by_role("radio", name="Evaluate").click()
    expect(page.get_by_role("combobox", name="Network")).to_have_value(re.compile("trained on digits"))  # fmt: skip


def test_curves_take_the_whole_width_where_the_maps_are_too_many_and_the_doctor_is_there(
    visit: Callable[..., Page],
):
    page = visit("cnn?cnn-view=Build+and+train&cnn-epochs=2&cnn-limit=100&cnn-image_size=64&cnn-lr=3")  # fmt: skip
    expect(page.get_by_text(re.compile("epoch 2 / 2"))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Fix: lr"))).to_be_visible()
    stage, charts = (
        page.locator(place).first.bounding_box()
        for place in (".st-key-cnn-tab, [data-testid=stTabs]", ".st-key-cnn-curves")
    )
    assert stage is not None
    assert charts is not None
    assert charts["width"] >= 0.95 * stage["width"]
    assert charts["height"] >= 300
    expect(page.get_by_role("application", name=re.compile("while it learns"))).to_have_count(0)
