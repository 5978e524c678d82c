"""Laws of the data menu: made, bundled and own data stand side by side, and nothing half-read is trained on."""

from __future__ import annotations

import json
import time

from streamlit.testing.v1 import AppTest

from models.data import bundled, example, toy, workspace
from tests.conftest import named

CSV = b"height,kind\n" + b"".join(b"%d,%s\n" % (i, b"ab"[i % 2 :][:1]) for i in range(60))


def _page() -> None:
    import streamlit as st

    from components import controls, dataset_picker, lesson
    from models.data.tabular import TableSpec

    lesson.page("toy", "Toy")
    panel = controls.panel(TableSpec, "toy")
    spec = dataset_picker.ready(panel, panel.spec)
    dataset_picker.pick(panel)
    st.json({"asked": panel.spec.data, "ready": spec.data, "inputs": spec.inputs})
    lesson.footer()


def open_page(**params: str) -> AppTest:
    at = AppTest.from_function(_page, default_timeout=60)
    for name, value in params.items():
        at.query_params[f"toy-{name}"] = value
    at.run()
    assert not at.exception
    return at


def shown(at: AppTest) -> dict:
    return json.loads(at.json[-1].value)


def until_ready(at: AppTest, data: str) -> None:
    deadline = time.monotonic() + 60
    while shown(at)["ready"] != data:
        assert time.monotonic() < deadline
        assert not at.run().exception


def test_every_bundled_and_made_set_is_on_the_menu_by_its_title():
    at = open_page()
    menu = named(at.selectbox, "toy-data")
    titles = [b.title for b in bundled.BUNDLED.values()]
    titles += [f"{t.title} (made)" for t in toy.TOYS.values()]
    assert set(titles) <= set(menu.options)
    assert shown(at) == {"asked": "iris", "ready": "iris", "inputs": "x1,x2"}


def test_points_noise_and_inputs_are_asked_for_made_sets_only():
    assert not open_page().slider
    assert [s.key for s in open_page(data="xor").slider] == ["toy-points", "toy-noise"]


def test_inputs_are_chosen_side_by_side_and_none_at_all_is_explained():
    at = open_page(data="xor")
    pills = at.get_by_key("toy-inputs-pills")
    pills.set_value(["x1", "sin(x2)"]).run()  # type: ignore[union-attr]  # the pills, not a container
    assert shown(at)["inputs"] == "x1,sin(x2)"
    assert at.query_params["toy-inputs"] == "x1,sin(x2)"
    at.get_by_key("toy-inputs-pills").set_value([]).run()  # type: ignore[union-attr]  # the same
    assert "no input at all" in at.error[0].value
    assert shown(at)["inputs"] == "x1,sin(x2)"


def test_a_link_to_data_that_is_not_here_says_so_and_shows_what_there_is():
    at = open_page(data="upload:" + "0" * 64)
    assert "not on this server" in at.error[0].value
    assert shown(at)["ready"] == "iris"


def test_the_example_table_is_at_hand_on_every_server():
    at = open_page(data=example.DATA)
    until_ready(at, example.DATA)
    assert not at.error


def test_an_upload_is_offered_under_its_own_name_and_read_before_it_is_used():
    at = open_page(data="xor")
    at.file_uploader[0].upload("people.csv", CSV).run()
    assert not at.exception
    data = shown(at)["asked"]
    assert workspace.about(data.removeprefix("upload:")).name == "people.csv"
    until_ready(at, data)
    assert "people.csv" in named(at.selectbox, "toy-data").options


def test_a_table_without_rows_is_explained_and_the_data_of_before_stays():
    at = open_page(data="xor")
    at.file_uploader[0].upload("header.csv", b"a,b\n").run()
    deadline = time.monotonic() + 60
    while not at.error:
        assert time.monotonic() < deadline
        at.run()
    assert shown(at)["ready"] == "xor"
    named(at.selectbox, "toy-data").set_value("moons").run()
    assert not at.error
    assert shown(at)["ready"] == "moons"
