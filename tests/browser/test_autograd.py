"""The Autograd page in Chromium: edit a leaf, step forward and back, repair a wrong backward, take the notebook home."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import nbformat
import pytest
from playwright.sync_api import Page, expect

from models import autograd
from models.core import export
from tests.browser import harness
from tests.browser.test_pages import SMALL_TEXTS

Visit = Callable[..., Page]


def node(page: Page, name: str):
    """A box of the graph by its title."""
    return page.locator(f'g.node[data-name="{name}"]')


def press(page: Page, label: str) -> None:
    page.get_by_role("button", name=label, exact=True).click()


def test_a_leaf_is_edited_and_the_pass_stepped_forward_and_back(visit: Visit) -> None:
    page = visit("autograd")
    said = page.locator(".view .said")
    result = autograd.run(autograd.Spec())
    expect(said).to_have_text("step 8 of 8: AccumulateGrad")
    press(page, "Back to the start")
    expect(said).to_have_text("before backward (8 steps)")
    expect(node(page, "x")).to_have_attribute("aria-label", re.compile("gradient not yet"))
    expect(node(page, "loss = pow")).to_have_attribute("aria-label", re.compile("gradient not yet"))
    for number, step in enumerate(result.backward.steps, 1):
        press(page, "Step forward")
        name = step.name.removeprefix("torch::autograd::")
        expect(said).to_have_text(f"step {number} of 8: {name}")
        expect(page.locator("g.node.lit")).to_have_count(1)
    expect(node(page, "x")).not_to_have_attribute("aria-label", re.compile("not yet"))
    for number in (7, 6):
        press(page, "Step back")
        expect(said).to_have_text(re.compile(f"step {number} of 8"))
    # what was sent to x and w has arrived, but is in no .grad yet
    expect(page.locator('g.node.leaf[aria-label*="1 of 1 here"]')).to_have_count(2)
    box = page.get_by_role("textbox", name="x", exact=True)
    box.fill("0.15")
    box.press("Enter")
    harness.idle(page)
    expect(node(page, "loss = pow")).to_have_attribute("aria-label", re.compile("value 1"))
    expect(said).to_have_text(re.compile("step 6 of 8"))  # the place in the pass is kept
    expect(page).to_have_url(re.compile("autograd-leaves=.*0.15"))


def test_the_keyboard_steps_walks_and_finds(visit: Visit) -> None:
    page = visit("autograd?autograd-preset=fan-out")
    said = page.locator(".view .said")
    expect(said).to_have_text(re.compile("step 5 of 5"))
    page.get_by_role("application").focus()
    page.keyboard.press("Home")
    expect(said).to_have_text(re.compile("before backward"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(said).to_have_text(re.compile("step 2 of 5"))
    page.keyboard.press("ArrowLeft")
    expect(said).to_have_text(re.compile("step 1 of 5"))
    page.keyboard.press("End")
    expect(said).to_have_text(re.compile("step 5 of 5"))
    # fan-in is written out: four terms of x
    expect(page.locator(".equation .sign", has_text="+")).to_have_count(3)
    page.get_by_role("searchbox", name="Find a node").fill("sin")
    expect(page.locator("g.node.picked")).to_have_attribute("data-name", "b = sin")


@pytest.mark.parametrize(
    "query",
    [
        "autograd-preset=rnn",
        "autograd-preset=resnet18",
        *(f"autograd-view={v}" for v in ("Accumulation", "Own Function", "By hand", "Beyond reverse mode")),
    ],
)  # fmt: skip
def test_every_view_is_readable_on_a_projector(visit: Visit, query: str) -> None:
    page = visit(f"autograd?autograd-projector=true&{query}")
    page.wait_for_function(
        "() => parseFloat(getComputedStyle(document.documentElement).fontSize) > 20"
    )
    views = page.locator(".view")
    expect(views.first).to_be_visible()
    for view in views.all():  # charts below the screen are drawn when they come near it
        view.scroll_into_view_if_needed()
        expect(view.locator("g.node text, .main-svg text").first).to_be_attached()
    page.wait_for_function("() => new Promise(done => requestAnimationFrame(() => done(true)))")
    assert page.evaluate(SMALL_TEXTS, 18) == []


def test_play_stops_at_the_end_and_starts_over_and_a_double_click_leaves_it_paused(
    visit: Visit,
) -> None:
    page = visit("autograd?autograd-preset=cross-entropy")
    said = page.locator(".view .said")
    expect(said).to_have_text(re.compile("step 3 of 3"))
    play = page.get_by_role("button", name="Play: walk through the backward pass")
    page.get_by_role("slider", name="Speed in steps per second").press("End")
    play.dblclick()
    expect(play).to_be_visible()  # played and paused
    expect(said).to_have_text(re.compile("step 1 of 3"))
    play.click()
    expect(said).to_have_text(re.compile("step 3 of 3"))
    expect(play).to_be_visible()
    play.click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(said).to_have_text(re.compile("step 3 of 3"))


def test_stepping_and_hovering_never_ask_the_server(visit: Visit) -> None:
    page = visit("autograd?autograd-preset=rnn")
    expect(page.locator("g.node").first).to_be_visible()
    page.evaluate(
        "() => { window.asked = 0; const send = WebSocket.prototype.send;"
        " WebSocket.prototype.send = function (...a) { window.asked++; return send.apply(this, a); }; }"
    )
    press(page, "Back to the start")
    for _ in range(5):
        press(page, "Step forward")
    expect(page.locator(".view .said")).to_have_text(re.compile("step 5 of 20"))
    page.locator("g.node.lit").hover()
    page.get_by_role("combobox", name="Colour by").select_option("grad")
    expect(page.locator(".view .said")).to_have_text(re.compile("step 5 of 20"))
    assert page.evaluate("window.asked") == 0


def test_a_line_folds_into_one_box_and_opens_again(visit: Visit) -> None:
    page = visit("autograd?autograd-preset=cross-entropy")
    expect(page.locator("g.node")).to_have_count(4)
    press(page, "Fold line 1 into one box")
    expect(page.locator("g.node")).to_have_count(3)
    expect(node(page, "loss = F.cross_entropy(logits, target)")).to_have_count(1)
    press(page, "Show the 2 nodes of line 1")
    expect(page.locator("g.node")).to_have_count(4)


def test_more_than_300_operations_stay_folded_by_line(visit: Visit) -> None:
    program = "h = x\nfor i in range(120):\n    h = torch.tanh(h * 1.1 + 0.1)\nloss = h.sum()"
    leaves = "x = torch.tensor([0.5, 0.2], requires_grad=True)"
    query = urlencode({"autograd-program": program, "autograd-leaves": leaves})
    page = visit(f"autograd?{query}")
    expect(page.locator("g.node")).to_have_count(122)
    page.get_by_role("combobox", name="Detail").select_option("all")
    expect(page.get_by_text("are more than 300 boxes", exact=False)).to_be_visible()
    expect(page.locator("g.node")).to_have_count(122)
    expect(page.locator(".view .said")).to_have_text("step 362 of 362: AccumulateGrad")


def test_a_prediction_is_hidden_until_revealed(visit: Visit) -> None:
    page = visit("autograd")
    press(page, "Back to the start")
    page.get_by_role("checkbox", name="predict first").check()
    press(page, "Step forward")
    press(page, "Step forward")
    expect(page.locator(".equation")).to_contain_text("What is")
    page.get_by_role("textbox", name="Your prediction").fill("12345")
    press(page, "Reveal the gradient")
    expect(page.locator(".equation")).to_contain_text("Not quite: you said 12345")


def test_a_wrong_backward_is_repaired_until_gradcheck_passes(visit: Visit) -> None:
    page = visit("autograd?autograd-view=Own+Function")
    expect(page.get_by_text("gradcheck fails", exact=False)).to_be_visible()
    box = page.get_by_role("textbox", name="Backward", exact=True)
    box.fill("grad_x = grad_y * 3 * x")
    box.press("Control+Enter")
    harness.idle(page)
    expect(page.get_by_text("gradcheck fails", exact=False)).to_be_visible()
    box.fill("grad_x = grad_y * 3 * x ** 2")
    box.press("Control+Enter")
    expect(page.get_by_text("gradcheck passes", exact=False)).to_be_visible()
    expect(page.get_by_text("gradcheck fails", exact=False)).to_have_count(0)


def test_the_notebook_prints_the_shown_gradients(visit: Visit, tmp_path: Path) -> None:
    page = visit("autograd?autograd-preset=linear")
    shown = page.get_by_text("weight.grad = ", exact=False).first
    expect(shown).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Notebook .ipynb").click()
    path = tmp_path / "autograd.ipynb"
    waiting.value.save_as(path)
    book = nbformat.read(path, as_version=4)
    script = "\n\n".join(c.source for c in book.cells if c.cell_type == "code")
    printed = export.numbers(export.run(script, tmp_path))
    first = re.search(r"weight\.grad = \[([^,]+),", shown.inner_text())
    assert first is not None
    assert f"{printed['weight.grad[0]']:.4g}" == first.group(1)


def test_the_views_pure_functions_hold_their_laws_in_the_browser(visit: Visit) -> None:
    page = visit("autograd")
    laws = (harness.ROOT / "tests" / "js" / "graph_laws.js").read_text(encoding="utf-8")
    found = page.evaluate(
        """async (text) => {
          const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
          const { broken } = await import(url);
          return broken((path) => import(`/assets/views/${path}`));
        }""",
        laws,
    )
    assert found == []
