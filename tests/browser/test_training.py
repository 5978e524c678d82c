"""The Training page as a learner meets it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Position, expect

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


def test_play_starts_the_finished_picture_anew_at_a_speed_to_look_at(visit: Visit):
    page = visit("training")
    state(page, "done")
    begun = weights_at(page, 0)
    press_for_another_run(page, "Play")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Play", exact=True)).to_have_count(0)
    # a second on its way: a Pause that comes sooner is taken for the other half of a double click
    state(page, "running")
    expect(bar(page)).to_have_attribute("data-epoch", re.compile(r"^[1-5]\d"))
    assert weights_at(page, 0) == begun
    press(page, "Pause")
    state(page, "paused")
    assert 0 < epoch(page) < 60
    press(page, "Play")
    state(page, "running")


def weights_at(page: Page, epoch: int) -> str:
    """The first layer's weights of the run on screen at a past epoch."""
    return page.evaluate(
        """async ([id, epoch]) =>
            (await (await fetch(`/api/runs/${id}/frame?epoch=${epoch}`)).json()).weights[0].data""",
        [run_of(page), epoch],
    )


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


def test_what_is_measured_in_some_epochs_only_is_read_and_drawn_in_all(visit: Visit):
    page = visit("training")
    state(page, "done")
    chart = page.get_by_role("application", name=re.compile("^gradient norm"))
    chart.scroll_into_view_if_needed()
    chart.focus()
    said = page.get_by_role("status").filter(has_text="gradient norm")
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight", "End"):
        page.keyboard.press(key)
        expect(said).to_contain_text(re.compile(r"gradient norm +\d"))


@pytest.mark.parametrize("button", ["Play", "Batch", "Epoch"])
def test_a_button_right_after_a_slider_steers_the_run_whose_pictures_are_shown(
    visit: Visit, button: str
):
    page = visit("training?training-data=xor")
    state(page, "done")
    press_for_another_run(page, "Reset")
    state(page, "paused")
    before = run_of(harness.idle(page))
    page.get_by_role("slider", name="points").focus()
    page.keyboard.press("ArrowRight")
    expect(page).not_to_have_url(re.compile(before))
    press(page, button)
    assert page.evaluate(
        """async id => {
            for (let i = 0; i < 100; i++) {
                if ((await (await fetch(`/api/runs/${id}`)).json()).step > 0) return true;
                await new Promise(soon => setTimeout(soon, 100));
            }
            return false;
        }""",
        run_of(page),
    )


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
    lr = page.get_by_role("slider", name="Learning rate")
    lr.focus()
    lr.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"training-lr=0\.2"))
    harness.idle(page)
    assert run_of(page) == run
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    layers = page.get_by_role("textbox", name="Hidden layers")
    layers.fill("4 relu")
    layers.press("Enter")
    expect(page.get_by_text("layers cannot change in a trained network")).to_be_visible()
    # the address is written when the page has been drawn to its end
    expect(page).not_to_have_url(re.compile(run))
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
    said = page.get_by_text("Training stands at the end of epoch 3 again")
    expect(said).to_be_visible()
    harness.idle(page)
    views = [bar(page), page.locator(".st-key-training-plane .view")]
    marked = [view.evaluate_handle("view => (view.marked = true, view)") for view in views]
    press(page, "Batch")
    expect(said).to_have_count(0)
    harness.idle(page)
    for view, before in zip(views, marked, strict=True):  # the sentence goes, nothing begins anew
        assert view.evaluate("(view, before) => view === before && view.marked", before)


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


def choose_table(page: Page, file: Path) -> None:
    """Send an own table from the Training page."""
    page.get_by_text(re.compile("^Your own table")).click()
    page.locator("input[type=file]").first.set_input_files(file)
    expect(page.locator(".st-key-training-card")).to_be_visible()
    harness.idle(page)


def titanic() -> str:
    """A table like the one every course begins with."""
    chance = random.Random(0)
    lines = ["PassengerId,Survived,Pclass,Name,Sex,Age,Fare,Cabin,Embarked"]
    for i in range(1, 181):
        sex = chance.choice(["male", "female"])
        survived = int(chance.random() < (0.8 if sex == "female" else 0.2))
        age = "" if chance.random() < 0.2 else chance.randint(1, 80)
        cabin = f"C{i % 30}" if chance.random() < 0.2 else ""
        port = "" if i in (62, 130) else chance.choice("SCQ")
        name = f'"Person, Mr. No {i}"'
        lines.append(
            f"{i},{survived},{i % 3 + 1},{name},{sex},{age},{chance.uniform(5, 90):.2f},{cabin},{port}"
        )
    return "\n".join(lines) + "\n"


def test_a_titanic_like_table_shows_its_card_before_anything_is_trained(
    visit: Visit, tmp_path: Path
):
    page = visit("training")
    state(page, "done")
    file = tmp_path / "titanic.csv"
    file.write_text(titanic())
    choose_table(page, file)
    card = page.locator(".st-key-training-card")
    expect(card).to_contain_text("Survived is to be predicted: its name is one that answers")
    expect(card).to_contain_text("none of 180 rows is dropped")
    expect(card).to_contain_text(re.compile(r"'Age': \d+ missing values filled with the median"))
    expect(card).to_contain_text("PassengerId: it counts the rows from 1 to 180")
    expect(card).to_contain_text(re.compile("Cabin: .* of its 180 cells are missing"))
    expect(card).to_contain_text("Name: every row has another word")
    assert "run=" not in page.url  # nothing is trained on a guess
    train = card.get_by_role("button", name="Train", exact=True)
    box = train.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 720, "Train is below the first screen"
    card.get_by_role("radio", name="mean", exact=True).click()  # one correction
    expect(card).to_contain_text("filled with the mean of the training rows")
    train.click()
    state(page, "done")
    expect(page).to_have_url(re.compile(r"training-target=Survived"))
    expect(page.get_by_text(re.compile("columns left out · none of 180 rows"))).to_be_visible()
    run = run_of(page)
    page.reload()
    harness.idle(page)
    state(page, "done")
    assert run_of(page) == run
    assert "training-missing=mean" in page.url
    expect(card).to_have_count(0)


GERMAN = "Größe;Gewicht;Tag;Straße;Güte\n" + "".join(
    f"{150 + 3 * (i % 17)},5;{40 + (i % 23)},{i % 10};{i % 28 + 1:02d}.{i % 12 + 1:02d}.2024;"
    f"{'Süd' if i % 3 else 'Möwe'};{'gut' if (i % 17) > 8 else 'mäßig'}\n"
    for i in range(120)
)


def test_a_german_table_is_read_as_it_was_written_and_one_decision_is_corrected(
    visit: Visit, tmp_path: Path
):
    page = visit("training")
    state(page, "done")
    file = tmp_path / "Möbel.csv"
    file.write_bytes(GERMAN.encode("cp1252"))
    choose_table(page, file)
    card = page.locator(".st-key-training-card")
    line = card.get_by_text(re.compile("^Read as: cp1252 · semicolon · .*decimal comma"))
    expect(line).to_be_visible()
    expect(card).to_contain_text("Güte is to be predicted")
    line.click()
    kinds = card.get_by_role("textbox", name=re.compile("^Kinds of columns"))
    kinds.fill("Tag=category")
    kinds.press("Enter")
    expect(page).to_have_url(re.compile("training-column_kinds=Tag"))
    harness.idle(page)
    assert "run=" not in page.url
    card.get_by_role("button", name="Train", exact=True).click()
    bar(page).scroll_into_view_if_needed()  # what is out of sight is not painted
    state(page, "done")
    tab(page, "Data")
    expect(page.get_by_text(re.compile("column 'Tag': .*categories"))).to_be_visible()
    run = run_of(page)
    page.reload()  # the link is the experiment
    harness.idle(page)
    state(page, "done")
    assert run_of(page) == run
    assert "training-target=G%C3%BCte" in page.url
    expect(page.get_by_text(re.compile("column 'Tag': .*categories"))).to_be_visible()


def test_an_own_table_is_read_trained_stepped_scrubbed_saved_and_found_again(
    visit: Visit, tmp_path: Path, context: BrowserContext
):
    page = visit("training")
    state(page, "done")
    file = tmp_path / "people.csv"
    file.write_text(CSV)
    choose_table(page, file)
    expect(page).to_have_url(re.compile(r"training-data=upload%3A[0-9a-f]{64}"))
    expect(
        page.get_by_text(re.compile("Read as: utf-8 · semicolon · .*decimal comma"))
    ).to_be_visible()
    press(page, "Train")
    state(page, "done")
    page.get_by_role("tab", name="Data").click()
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


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    harness.idle(page)


def test_a_click_on_the_plane_adds_a_point_to_the_link(visit: Visit):
    page = visit("training?training-data=circle&training-epochs=3&training-points=100")
    state(page, "done")
    plane = page.locator(".st-key-training-plane .view")
    expect(plane).to_have_attribute("data-points", "100")
    left, top, width, height = json.loads(plane.get_attribute("data-box") or "")
    corner: Position = {"x": left + width * 0.03, "y": top + height * 0.03}
    plane.get_by_role("application").click(position=corner)
    expect(page).to_have_url(re.compile(r"training-edits=%2B-5\.\d+%2C5\.\d+%2C0"))
    expect(plane).to_have_attribute("data-points", "101")
    state(page, "done")


def test_the_axes_of_the_plane_are_chosen_among_the_columns(visit: Visit):
    page = visit("training?training-data=iris&training-epochs=3")
    state(page, "done")
    for name, column in (("Across", "petal length"), ("Up", "petal width")):
        page.get_by_role("combobox", name=name, exact=True).click()
        page.get_by_role("option", name=re.compile(column)).click()
        harness.idle(page)
    page.wait_for_function(
        """async id => (await (await fetch(`/api/runs/${id}`)).json()).scene?.axes[1] === "petal width (cm)" """,
        arg=run_of(page),
    )


def test_a_saved_checkpoint_resumes_exactly_and_a_foreign_file_is_refused(
    visit: Visit, tmp_path: Path
):
    page = visit("training?training-data=xor&training-epochs=5&training-tab=Save+and+load")
    state(page, "done")
    trained = weights(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Checkpoint (to resume)").click()
    saved = Path(download.value.path())
    press_for_another_run(page, "Reset")
    assert weights(page) != trained
    loader = page.locator(".st-key-training-load input[type=file]")
    foreign = tmp_path / "foreign.pt"
    foreign.write_bytes(b"PK\x03\x04 nothing of ours")
    loader.set_input_files(foreign)
    expect(page.get_by_text("This file was not loaded")).to_be_visible()
    run = run_of(page)
    kept = tmp_path / "kept.pt"
    kept.write_bytes(saved.read_bytes())
    loader.set_input_files(kept)
    expect(
        page.get_by_text("training stands at epoch 5, exactly where it was saved")
    ).to_be_visible()
    expect(page).not_to_have_url(re.compile(run))
    assert weights(page) == trained


def test_the_test_rows_are_looked_at_once_and_on_purpose(visit: Visit):
    page = visit("training?training-data=breast_cancer&training-epochs=3&training-tab=Evaluate")
    state(page, "done")
    page.get_by_role("radio", name="test", exact=True).click()
    harness.idle(page)
    expect(page.get_by_text("macro F1")).to_have_count(0)
    page.get_by_role("button", name="Look at the test rows, once").click()
    expect(page.get_by_text("This is the verdict")).to_be_visible()
    expect(page.get_by_text("macro F1")).to_be_visible()
    expect(page.get_by_role("button", name="Look at the test rows, once")).to_have_count(0)


def test_a_click_on_a_confusion_cell_shows_its_rows(visit: Visit):
    page = visit("training?training-data=iris&training-epochs=3&training-tab=Evaluate")
    state(page, "done")
    figure = page.locator(".st-key-training-confusion-val .view")
    figure.hover()  # what is out of sight is not drawn
    expect(figure).to_have_attribute("data-drawn", re.compile("."))
    plot = figure.locator(".nsewdrag").first
    plot.click(position={"x": 20, "y": 20})
    expect(page.get_by_text(re.compile("setosa.*recognised"))).to_be_visible()


def test_runs_are_kept_compared_and_exported(visit: Visit):
    page = visit("training?training-data=xor&training-epochs=3&training-tab=Runs")
    state(page, "done")
    press_for_another_run(page, "New seed")
    state(page, "done")
    page.get_by_role("button", name="Race", exact=True).click()
    harness.idle(page)
    for value in ("lr = 0.01", "lr = 0.1", "lr = 1"):
        expect(page.get_by_text(value, exact=True)).to_be_visible()
    bars = page.locator("[class*='st-key-race-bar-'] .view")
    expect(bars).to_have_count(3)
    bars.first.scroll_into_view_if_needed()
    for i in range(3):
        expect(bars.nth(i)).to_have_attribute("data-state", "done")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_two_runs_are_overlaid_their_difference_is_named_and_the_curves_are_taken_home(
    visit: Visit,
):
    page = visit("training?training-data=xor&training-epochs=3&training-points=60")
    state(page, "done")
    old = run_of(page)
    page.get_by_role("slider", name="points").press("ArrowRight")
    expect(page).not_to_have_url(re.compile(old))
    state(page, "done")
    tab(page, "Runs")
    rows = page.locator(".st-key-training-runs .dvn-scroller").first
    for row in (1, 2):
        rows.click(position={"x": 16, "y": 35 * row + 17})
        harness.idle(page)
    expect(page.get_by_text("What changed from")).to_be_visible()
    compared = page.locator(".st-key-training-compare .view")
    expect(compared).to_have_attribute("data-last", re.compile(r"."))
    with page.expect_download() as download:
        page.get_by_role("button", name="Curves (CSV)").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("run,epoch,step,train_loss")
    assert len(lines) == 1 + 2 * 4  # the start and three epochs, twice
    rows.click(position={"x": 16, "y": 35 + 17})  # not the newest any more: the older one alone
    harness.idle(page)
    page.get_by_role("button", name="Show this run").click()
    expect(page).to_have_url(re.compile(old))


def test_a_layer_is_edited_in_a_table_as_well_as_in_words(visit: Visit):
    page = visit("training?training-epochs=3&training-layers=8 tanh, 4 relu")
    state(page, "done")
    page.get_by_text("Layers one by one").click()
    harness.idle(page)
    units = page.locator("[class*='st-key-training-layer-table'] .dvn-scroller").first
    units.dblclick(position={"x": 60, "y": 35 + 17})
    cell = (
        page.locator("#portal")
        .get_by_role("spinbutton")
        .or_(page.locator("#portal").get_by_role("textbox"))
    )
    cell.fill("5")
    cell.press("Enter")
    expect(page.get_by_role("textbox", name="Hidden layers")).to_have_value("5 tanh, 4 relu")
    expect(page).to_have_url(re.compile(r"training-layers=5[+%]"))


def test_a_weight_is_changed_by_hand_and_the_export_repeats_it(visit: Visit):
    page = visit("training?training-data=xor&training-epochs=3")
    state(page, "done")
    network = page.locator(".st-key-training-network .view").get_by_role("application")
    network.focus()
    for key in ("ArrowRight", "ArrowRight", "PageDown", "Enter"):
        network.press(key)
    box = page.get_by_role("spinbutton", name=re.compile("weight"))
    box.fill("1.25")
    box.press("Enter")
    page.wait_for_function(
        """async id => {
        const {frame} = await (await fetch(`/api/runs/${id}`)).json();
        return /^\\d+:weight\\.0\\.\\d+\\.\\d+=1\\.25$/.test(frame?.changes ?? "");
        }""",
        arg=run_of(page),
    )
    tab(page, "Code")
    expect(page.get_by_text("1.25").first).to_be_visible()


def test_slow_motion_shows_the_batches_inside_an_epoch(visit: Visit):
    page = visit("training?training-data=xor&training-epochs=3&training-batch_size=10")
    state(page, "done")
    page.get_by_role("combobox", name=re.compile("[Ss]peed")).click()
    page.get_by_role("option", name="0.5/s").click()
    harness.idle(page)
    press_for_another_run(page, "Reset")
    state(page, "paused")
    press(page, "Play")
    expect(bar(page)).to_have_attribute("data-epoch", re.compile(r"^0\.\d"))
    state(page, "running")


def test_back_brings_the_settings_and_the_run_home(visit: Visit, server: harness.Server):
    page = visit("")
    page.get_by_role("link", name=re.compile("Training")).first.click()
    state(page, "done")
    default = run_of(page)
    layers = page.get_by_role("textbox", name="Hidden layers")
    layers.fill("3 relu")
    layers.press("Enter")
    expect(page).to_have_url(re.compile(r"training-layers=3(\+|%20)relu"))
    expect(page).not_to_have_url(re.compile(default))
    state(page, "done")
    run = run_of(page)
    page.get_by_role("link", name=re.compile("Home")).first.click()
    expect(page).to_have_url(f"{server.url}/")
    page.go_back()
    expect(page.get_by_role("textbox", name="Hidden layers")).to_have_value("3 relu")
    expect(page).to_have_url(re.compile(run))
    state(page, "done")
