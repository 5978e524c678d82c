"""The Tensors page by hand: pick, point, step, edit, break, guess, pan, download."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from models import tensor_ops
from tests.browser import harness
from tests.browser.test_pages import SMALL_TEXTS


def picture(page: Page) -> Locator:
    return page.get_by_role("application", name=re.compile("cell by cell"))


def said(page: Page) -> Locator:
    return page.locator(".st-key-tensors-cells .said")


def pick(page: Page, name: str) -> None:
    page.get_by_role("combobox", name="Operation").fill(name)
    page.get_by_role("option", name=name, exact=True).click()
    harness.idle(page)


def test_pick_point_break_and_take_the_notebook_home(
    visit: Callable[..., Page], tmp_path: Path
) -> None:
    page = visit("tensors")
    expect(said(page)).to_contain_text("result[0, 0] = 11")
    pick(page, "gather")
    expect(page).to_have_url(re.compile("tensors-op=gather"))
    result = tensor_ops.run(tensor_ops.Spec(op="gather"))
    first = result.outputs[0][1][0, 0].item()
    expect(said(page)).to_contain_text(f"result[0, 0] = {first:g}")
    expect(said(page)).to_contain_text("b[0, 0] = 0 (decides)")
    expect(said(page)).to_contain_text("(weight 1)")
    picture(page).focus()
    page.keyboard.press("ArrowRight")
    expect(said(page)).to_contain_text("result[0, 1]")
    box = picture(page).bounding_box()
    assert box is not None
    before = page.url
    page.mouse.move(box["x"] + 20, box["y"] + 70)  # the first cell of a
    expect(said(page)).to_contain_text("a[0, 0] = 3")
    expect(said(page)).to_contain_text("reaches")
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4)
    expect(said(page)).to_contain_text("result[0, 1]")  # the pinned cell is back
    assert page.url == before

    pick(page, "add")
    page.get_by_role("button", name="A call that fails").click()
    expect(page.get_by_text("The shapes don't broadcast").first).to_be_visible()
    shapes = page.get_by_role("table", name="Shapes aligned from the right")
    expect(shapes).to_contain_text("dim -1 does not fit")
    expect(shapes.locator(".wrong")).to_have_count(2)
    expect(page.get_by_text("result[0, 0]")).to_have_count(0)

    pick(page, "softmax")
    expect(page.get_by_text("torch.softmax(a, dim=1)").first).to_be_visible()
    harness.idle(page)
    with page.expect_download() as got:
        page.get_by_role("button", name="Notebook .ipynb").click()
    path = tmp_path / got.value.suggested_filename
    got.value.save_as(path)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert any("torch.softmax(" in "".join(c["source"]) for c in cells)


def test_pointing_answers_in_the_browser_without_the_server(visit: Callable[..., Page]) -> None:
    page = visit("tensors?tensors-op=matmul")
    expect(said(page)).to_contain_text("= 7")
    asked: list[str] = []  # fonts and modules of the page may still be on their way
    page.on(
        "request", lambda r: asked.append(r.url) if r.resource_type in ("fetch", "xhr") else None
    )
    changed, messages = page.evaluate(
        """async () => {
          const send = WebSocket.prototype.send;
          let messages = 0;
          WebSocket.prototype.send = function (data) { messages += 1; return send.call(this, data); };
          const seen = (node) => { // through shadow roots
            for (const e of node.querySelectorAll("*")) {
              if (e.matches("canvas[role=application]")) return e;
              if (e.shadowRoot) { const found = seen(e.shadowRoot); if (found) return found; }
            }
          };
          const canvas = seen(document), root = canvas.getRootNode(), box = canvas.getBoundingClientRect();
          let changed = 0;
          for (let n = 0; n < 20; n++) {
            const before = root.querySelector(".said").textContent;
            canvas.dispatchEvent(new PointerEvent("pointermove",
              { clientX: box.left + (n % 2 ? 20 : 100), clientY: box.top + 70, bubbles: true }));
            await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
            if (root.querySelector(".said").textContent !== before) changed += 1;
          }
          WebSocket.prototype.send = send;
          return [changed, messages];
        }"""
    )
    assert changed == 20, "the next frame shows another sentence"
    assert messages == 0
    assert asked == []


def test_a_product_is_written_out_term_by_term(visit: Callable[..., Page]) -> None:
    page = visit("tensors?tensors-op=matmul")
    expect(said(page)).to_contain_text("1 · 1 + 2 · 0 + 3 · 2  =  7")
    page.get_by_role("button", name="Back to the start").click()
    expect(said(page)).to_contain_text("(term 1 of 3)")
    page.get_by_role("button", name="Step forward").click()
    expect(said(page)).to_contain_text("(term 2 of 3)")
    page.get_by_role("button", name="Play: walk through the output").click()
    expect(said(page)).to_contain_text("result[0, 1]")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play: walk through the output")).to_be_visible()


def test_broadcasting_is_stretched_step_by_step(visit: Callable[..., Page]) -> None:
    page = visit("tensors")
    page.get_by_role("button", name="align: broadcasting").click()
    shapes = page.get_by_role("table", name="Shapes aligned from the right")
    expect(shapes).to_contain_text("aligned from the right")
    page.get_by_role("button", name="stretch: broadcasting").click()
    expect(shapes).to_contain_text("→ 2")
    page.get_by_role("button", name="combine: broadcasting").click()
    expect(shapes).to_have_count(0)
    page.get_by_role("button", name="Back to the start").click()
    expect(said(page)).to_contain_text("compared from the right")
    expect(said(page)).not_to_contain_text("result[0, 0]")  # there is none before shapes fit
    page.get_by_role("button", name="Step forward").click()
    page.get_by_role("button", name="Step forward").click()
    expect(said(page)).to_contain_text("result[0, 0] = 11")
    page.get_by_role("button", name="Play: walk through the output").dblclick()
    expect(page.get_by_role("button", name="Play: walk through the output")).to_be_visible()


def test_a_cell_is_edited_in_place(visit: Callable[..., Page]) -> None:
    page = visit("tensors")
    box = picture(page).bounding_box()
    assert box is not None
    page.mouse.dblclick(box["x"] + 20, box["y"] + 70)
    field = page.get_by_label("New value of a[0, 0]")
    field.fill("-7.5")
    field.press("Enter")
    expect(page.get_by_role("textbox", name="Shelf")).to_have_value(
        re.compile(r"\[\[-7\.5, 2\.0, 3\.0\]")
    )
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4)
    expect(page).to_have_url(re.compile("tensors-shelf="))
    page.reload()
    harness.idle(page)
    expect(said(page)).to_contain_text("result[0, 0] = 2.5")


def test_a_guess_comes_before_the_result(visit: Callable[..., Page]) -> None:
    page = visit("tensors?tensors-op=sum&tensors-guess=true")
    expect(said(page)).to_contain_text("covered until you have guessed")
    expect(page.get_by_text("result[0]")).to_have_count(0)
    page.get_by_label("Shape of the result").fill("2")
    page.get_by_role("button", name="Reveal").click()
    expect(page.get_by_text("Right: shape (2,).")).to_be_visible()
    expect(said(page)).to_contain_text("result[0] = 6")


def test_a_large_tensor_is_summarised_and_panned(visit: Callable[..., Page]) -> None:
    page = visit("tensors?tensors-op=relu&tensors-shelf=a = torch.ones(4096, 4096)")
    expect(said(page)).to_contain_text("16,777,216 cells")
    box = picture(page).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 120, box["y"] + 120)
    root = page.locator(".st-key-tensors-cells .view")
    expect(root).to_have_attribute("data-window", re.compile(r"^[1-9]"))
    expect(said(page)).to_contain_text("16,777,216 cells")


def test_memory_is_walked_in_the_order_of_the_strides(visit: Callable[..., Page]) -> None:
    page = visit("tensors?tensors-part=Memory")
    page.get_by_role("button", name="transpose").click()
    line = page.locator(".st-key-tensors-memory-0 .said")
    page.get_by_role("button", name="Path of b").click()
    page.locator(".st-key-tensors-memory-0").get_by_role("button", name="Step forward").click()
    expect(line).to_contain_text("b[0, 1] is memory cell 0 + 0·1 + 1·3 = 3, shared by a, b")


SPY = """(() => {
  const write = CanvasRenderingContext2D.prototype.fillText;
  window.__written = [];
  CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
    window.__written.push([parseFloat(this.font.match(/([\\d.]+)px/)[1]), String(text)]);
    return write.call(this, text, ...more);
  };
})()"""


@pytest.mark.parametrize(
    "query",
    [
        "",
        "&tensors-op=permute",
        "&tensors-op=nan_to_num",
        "&tensors-op=relu&tensors-shelf=a = torch.randn(64, 64)",
        "&tensors-op=relu&tensors-shelf=a = torch.randn(30, 30)",
        "&tensors-shelf=a = torch.ones(2, 3)%0Ab = torch.ones(4)",
        "&tensors-part=Memory",
    ],
)
def test_what_the_pictures_write_is_readable_on_a_projector(
    visit: Callable[..., Page], page: Page, query: str
) -> None:
    page.add_init_script(SPY)
    visit(f"tensors?tensors-projector=true{query}")
    expect(page.locator(".view canvas").first).to_be_visible()
    for width, height in ((1280, 720), (1920, 1080)):
        for size in ((1100, 640), (width, height)):  # two real changes, each painted
            page.evaluate("window.__written = []")
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.wait_for_function("() => window.__written.length > 0")
        small = page.evaluate("window.__written.filter(([size, text]) => size < 18 && text.trim())")
        assert small == [], f"at {width}×{height}"


@pytest.mark.parametrize("part", ["Memory", "Devices", "PyTorch and TensorFlow"])
def test_every_part_is_readable_on_a_projector(visit: Callable[..., Page], part: str) -> None:
    page = visit(f"tensors?tensors-projector=true&tensors-part={part}")
    page.wait_for_function(
        "() => parseFloat(getComputedStyle(document.documentElement).fontSize) > 20"
    )
    expect(page.locator("[data-testid=stMain] table, .view").first).to_be_visible()
    assert page.evaluate(SMALL_TEXTS, 18) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_planes_are_called_by_the_names_of_their_dims(
    visit: Callable[..., Page], page: Page
) -> None:
    page.add_init_script(SPY)
    visit("tensors?tensors-op=permute")
    expect(page.locator(".view canvas").first).to_be_visible()
    page.wait_for_function(
        "() => ['sheet 0', 'sheet 1', 'column 2', 'sheets column  ↓ sheet  → row'].every("
        "  wanted => window.__written.some(([, text]) => text === wanted))"
    )
    assert not page.evaluate("window.__written.some(([, text]) => text === 'sheet 2')")


def test_the_layout_holds_its_laws_in_the_browser(visit: Callable[..., Page]) -> None:
    page = visit("tensors")
    laws = (harness.ROOT / "tests" / "js" / "cells_laws.js").read_text(encoding="utf-8")
    page.route(
        "**/laws/cells_laws.js",
        lambda route: route.fulfill(body=laws, content_type="text/javascript"),
    )
    found = page.evaluate(
        "import('/laws/cells_laws.js').then(m => m.broken(path => import('/assets/views/' + path)))"
    )
    assert found == []
