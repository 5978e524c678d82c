"""Laws of the code panel: what is shown is what is downloaded, and the link is the experiment."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from components import code_panel
from models.core import export
from tests.test_pages import opened


def _page() -> None:
    from components import code_panel
    from tests.test_controls import Toy

    spec = Toy(lr=0.5, loss="l1")
    code_panel.show(
        '"""Toy"""\n\n# %%\nprint("loss = 1.0")\n',
        name="toy",
        spec=spec,
        params={"toy-run": "abc", "gone": None},
    )


def link(at: AppTest) -> str:
    [found] = [e for e in at.get("bidi_component") if e.proto.component_name.endswith("copy_link")]
    return json.loads(found.proto.json)["path"]


def test_the_code_on_screen_is_the_script():
    at = AppTest.from_function(_page, default_timeout=30).run()
    assert not at.exception
    assert at.code[0].value == '"""Toy"""\n\n# %%\nprint("loss = 1.0")'
    assert [b.proto.label for b in at.get("download_button")] == ["Script .py", "Notebook .ipynb"]


def test_the_lesson_link_carries_settings_and_run_and_what_it_hides():
    at = AppTest.from_function(_page, default_timeout=30).run()
    assert link(at) == "/toy?toy-lr=0.5&toy-loss=l1&toy-run=abc"
    at.multiselect[0].set_value(["lr", "seed"]).run()
    assert link(at) == "/toy?toy-lr=0.5&toy-loss=l1&hide=lr%2Cseed&toy-run=abc"


@pytest.mark.parametrize(
    ("page", "view"),
    [
        ("autograd", {"autograd-view": "Rules"}),
        ("convolution", {"convolution-view": "Picture"}),
        ("cnn", {"cnn-view": "Evaluate", "cnn-split": "training", "cnn-k": "2"}),
        ("datasets", {"datasets-view": "Text"}),
        ("speed", {"speed-part": "memory"}),
    ],
)
def test_the_lesson_link_opens_the_view_that_it_was_copied_in(
    page: str, view: dict[str, str]
) -> None:
    at = opened(page, **view)
    assert not at.exception
    assert view.items() <= dict(parse_qsl(urlsplit(link(at)).query)).items()


def test_a_qr_code_is_a_png_that_holds_the_link_and_grows_with_it():
    short, long = code_panel.qr_png("http://a/"), code_panel.qr_png("http://a/" + "x" * 300)
    assert short.startswith(b"\x89PNG")
    assert len(long) > len(short)


def test_the_notebook_has_a_cell_per_mark_and_equal_bytes_each_time():
    code = '"""Toy"""\n\n# %%\nprint("loss = 1.0")\n'
    book = json.loads(export.notebook(code))
    assert [c["cell_type"] for c in book["cells"]] == ["markdown", "code"]
    assert export.notebook(code) == export.notebook(code)
