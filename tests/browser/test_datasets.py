"""The Datasets page by hand: a zip with broken files and a hostile one, through every view, and texts and tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

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
