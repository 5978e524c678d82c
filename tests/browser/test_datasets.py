"""The Datasets page by hand: a zip with broken files and a hostile one, through every view, and texts and tables."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FilePayload, Page, WebSocket, expect

from tests.image_cases import noise, packed, plain

FOUR_BAD = {
    "set/cat/text.jpg": b"this is no picture",
    "set/cat/cut.png": noise(90)[:400],
    "set/dog/empty.jpg": b"",
    "../outside.png": noise(91),
}


def upload(page: Page, expander: str, name: str, content: bytes) -> None:
    page.get_by_text(expander, exact=True).first.click()
    page.locator("input[type=file]").first.set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )


def look_at(page: Page, view: str) -> None:
    page.get_by_role("radio", name=view, exact=True).or_(
        page.get_by_role("button", name=view, exact=True)
    ).first.click()


def test_a_zip_with_broken_files_and_one_that_leads_out_is_taken_in_seen_and_trained_on(
    visit: Callable[..., Page],
):
    page = visit("datasets")
    good = {f"set/{'cat' if i % 2 else 'dog'}/{i:02}.png": noise(i) for i in range(24)}
    good["set/<b>bird/1.png"] = plain((250, 250, 0))
    upload(page, "Your own pictures", "pets.zip", packed(good | FOUR_BAD))
    expect(page.get_by_text("4 files left out, with the reason")).to_be_visible()
    expect(page.get_by_test_id("stMetricValue").first).to_have_text("25")
    expect(page).to_have_url(re.compile(r"datasets-data=upload"))
    for name in FOUR_BAD:
        shown = page.locator("[role=gridcell]").filter(has_text=name.rpartition("/")[2])
        expect(shown.first).to_be_attached()
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(20)
    expect(tiles.locator("b b")).to_have_count(0)  # a class called <b>bird is words, never HTML
    page.reload()
    expect(page.get_by_text("4 files left out, with the reason")).to_be_visible()

    look_at(page, "Transforms")
    expect(page.get_by_text("8 draws of the same picture")).to_be_visible()
    expect(page.locator(".tile").filter(has_text="ColorJitter")).to_be_visible()

    look_at(page, "DataLoader")  # a small CNN learns from the recorded batches
    expect(page.get_by_text(re.compile("is the bottleneck"))).to_be_visible()
    page.get_by_role("button", name="Measure workers, formats and batch sizes").click()
    expect(page.get_by_text(re.compile("is the fastest|came first")).first).to_be_visible()


def test_texts_are_taken_in_and_learned_from_and_broken_lines_listed(visit: Callable[..., Page]):
    page = visit("datasets?datasets-view=Text")
    expect(page.get_by_text("A bag of embeddings learns the classes")).to_be_visible()
    lines = [
        json.dumps(
            {"text": f"{'good' if i % 2 else 'bad'} thing {i}", "label": "<i>yes"[: 5 + i % 2]}
        )
        for i in range(30)
    ]
    upload(page, "Your own texts", "mine.jsonl", "\n".join([*lines, "{broken"]).encode())
    expect(page.get_by_text("1 records left out, with the reason")).to_be_visible()
    expect(
        page.get_by_text("good thing 1", exact=False).or_(page.get_by_text("bad thing 0")).first
    ).to_be_visible()
    expect(page.get_by_text("because of these tokens")).to_be_visible()


def test_an_archive_that_is_none_is_explained_and_costs_nothing(visit: Callable[..., Page]):
    page = visit("datasets")
    upload(page, "Your own pictures", "broken.zip", b"PK\x03\x04 cut")
    expect(page.get_by_text("cut short")).to_be_visible()
    expect(page.get_by_test_id("stMetricValue").first).to_have_text("80")


def test_lines_of_the_class_light_up_as_an_index_flows_and_the_server_is_not_asked(
    visit: Callable[..., Page], page: Page
):
    sent: list[bytes | str] = []

    def note(frame: bytes | str) -> None:
        sent.append(frame)

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", note)

    page.on("websocket", listen)
    visit("datasets?datasets-view=Dataset")
    view = page.get_by_role("group", name=re.compile("The code of the class"))
    lit = view.locator("[aria-current=step]")
    expect(lit).to_contain_text("def __getitem__")
    forward = view.get_by_role("button", name="Step forward")
    forward.click()
    expect(lit).to_contain_text("process = os.getpid()")
    expect(view.locator("dt.new")).to_have_text("process")
    for _ in range(3):
        forward.click()
    expect(lit).to_contain_text("def decode")
    view.get_by_role("button", name="Step back").click()
    expect(lit).to_contain_text("self.opened = {process: zipfile.ZipFile(self.path)}")
    expect(view.locator("dt.new")).to_have_text("self.opened")
    view.get_by_role("slider", name="Speed in lines per second").fill("4")
    view.get_by_role("button", name=re.compile("Play")).click()
    expect(view.get_by_text("returns (float32 (3, 64, 64)", exact=False)).to_be_visible()
    expect(
        view.get_by_role("button", name=re.compile("Play"))
    ).to_be_visible()  # it stopped by itself
    view.get_by_role("combobox", name="Call to follow").select_option("len(data)")
    forward.click()
    expect(view.get_by_text("returns 80")).to_be_visible()
    view.get_by_label("The code; arrow keys step").press("ArrowUp")
    expect(lit).to_contain_text("def __len__")
    assert sent
    assert not [
        frame
        for frame in sent
        if b"datasets-lines" in (frame if isinstance(frame, bytes) else frame.encode())
    ]  # all in the browser


def test_a_set_is_streamed_up_trained_on_downloaded_and_deleted(
    visit: Callable[..., Page], tmp_path: Path
):
    page = visit("datasets")
    files = {f"{'cat' if i % 2 else 'dog'}/{i:02}.png": noise(200 + i) for i in range(40)}
    (tmp_path / "pets.zip").write_bytes(packed(files | {"dog/no.png": b"no picture"}))
    page.get_by_text("Your own pictures", exact=True).first.click()
    expect(page.get_by_role("button", name="Send a large archive")).to_be_enabled()
    page.locator("input[aria-label='Send a large archive']").set_input_files(tmp_path / "pets.zip")
    pictures = page.get_by_test_id("stMetricValue").first
    expect(pictures).to_have_text("40")
    expect(page).to_have_url(re.compile("datasets-data=upload"))
    page.reload()
    expect(pictures).to_have_text("40")
    here = page.url

    page.get_by_role("link", name="Train on these").click()
    expect(page).to_have_url(re.compile("/cnn"))
    expect(page.get_by_role("combobox", name="Pictures")).to_have_value("pets (images).zip")
    expect(page.get_by_text(re.compile(r"epoch [1-9]\d* / 30"))).to_be_visible()
    page.go_back()
    expect(pictures).to_have_text("40")
    expect(page).to_have_url(re.compile(re.escape(here.partition("datasets-data=")[2][:40])))

    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        assert sorted(archive.namelist()) == sorted(files)
        assert archive.read("cat/01.png") == files["cat/01.png"]
    page.get_by_role("button", name="Delete").click()
    expect(pictures).to_have_text("80")  # the set to begin with
    expect(page).not_to_have_url(re.compile("datasets-data"))
    page.get_by_role("combobox", name="Data set").click()
    expect(page.get_by_role("option", name="Two photographs, cut up")).to_be_visible()
    expect(page.get_by_role("option", name=re.compile("pets"))).to_have_count(0)


def test_several_tables_at_once_are_in_the_list_and_one_trains(visit: Callable[..., Page]):
    page = visit("datasets?datasets-view=Table")
    page.get_by_text("Your own table", exact=True).first.click()
    rows = [f"{i},{i % 7},{'ab'[i % 7 > 3]}" for i in range(80)]
    page.locator("input[type=file]").first.set_input_files(
        [
            FilePayload(name=name, mimeType="text/csv", buffer=content)
            for name, content in (
                ("one.csv", "\n".join(["x,y,kind", *rows[:50]]).encode()),
                ("two.csv", "\n".join(["x,y,kind", *rows[50:]]).encode()),
                ("bad.csv", b"\0\1\2" * 300),
            )
        ]
    )
    expect(page.get_by_test_id("stMetricValue").first).to_have_text("80")  # both, put together
    expect(page.get_by_text("1 parts left out, with the reason")).to_be_visible()
    page.get_by_role("combobox", name="Table", exact=True).click()
    page.get_by_role("option", name="two.csv").click()
    expect(page.get_by_test_id("stMetricValue").first).to_have_text("30")
    page.get_by_role("textbox", name="Steps of each column").fill(
        "x: standardise\nkind: embedding 3"
    )
    page.get_by_role("textbox", name="Steps of each column").press("Control+Enter")
    expect(page.get_by_test_id("stMetricValue").filter(has_text="8 × 4").first).to_be_visible()
    page.get_by_role("link", name="Train on this table").click()
    expect(page.get_by_role("heading", name="two.csv: 30 rows, 3 columns")).to_be_visible()
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator(".st-key-training-transport-bar .view")).to_have_attribute(
        "data-state", "done"
    )
    expect(page.get_by_role("combobox", name="Data", exact=True)).to_have_value("two.csv")
    while "/datasets" not in page.url:
        page.go_back()
    expect(page.get_by_test_id("stMetricValue").first).to_have_text("30")
    expect(page.get_by_role("textbox", name="Steps of each column")).to_have_value(
        "x: standardise\nkind: embedding 3"
    )
