"""Every page there is opens with a finished result: no exception, no error, no warning, in words or in the log."""

from __future__ import annotations

import logging
import re
import warnings
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT

BOUND = (
    *("checkbox", "color_picker", "multiselect", "number_input", "pills", "radio"),
    *(
        "segmented_control",
        "select_slider",
        "selectbox",
        "slider",
        "text_area",
        "text_input",
        "toggle",
    ),
)
PAGES = sorted(p.stem for p in (ROOT / "pages").glob("[a-z]*.py"))


def opened(page: str, **parameters: str) -> AppTest:
    """The page as a visitor sees it who follows a link with these parameters."""
    app = AppTest.from_file(str(ROOT / "app" / "ui.py"), default_timeout=120).run()
    app.switch_page(f"../pages/{page}.py")
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


@pytest.mark.parametrize("page", PAGES)
def test_the_page_opens_without_exception_error_or_warning(
    page: str, caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.WARNING):
        warnings.simplefilter("always")
        app = opened(page)
    assert [e.message for e in app.exception] == []
    assert [e.value for e in [*app.error, *app.warning]] == []
    ours = [str(w.message) for w in warned if Path(w.filename).is_relative_to(ROOT / "pages")]
    assert ours == []
    assert [m for r in caplog.records if "deprecat" in (m := r.getMessage()).lower()] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_page_has_something_to_read_at_first_sight(page: str) -> None:
    app = opened(page)
    assert [*app.title, *app.header, *app.subheader, *app.markdown]


@pytest.mark.parametrize("page", PAGES)
def test_a_link_full_of_nonsense_opens_the_page_all_the_same(page: str) -> None:
    keys = [str(w.key) for kind in BOUND for w in opened(page).get(kind) if getattr(w, "key", None)]
    for nonsense in ("nonsense", ""):
        app = opened(page, **dict.fromkeys([*keys, "hide", "step", "run", "unknown"], nonsense))
        assert [e.message for e in app.exception] == []


@pytest.mark.parametrize("page", PAGES)
def test_projector_mode_opens_without_exception_or_error(page: str) -> None:
    app = opened(page, **{f"{page}-projector": "true"})
    assert [e.message for e in app.exception] == []
    assert [e.value for e in app.error] == []


def test_home_has_a_card_for_every_page_of_the_menu() -> None:
    menu = re.findall(r'\("(\w+)", "(.+)", "(.+)"\)', (ROOT / "app" / "ui.py").read_text("utf-8"))
    cards = re.findall(r'"(\w+)": \("(.+?)", "', (ROOT / "pages" / "home.py").read_text("utf-8"))
    assert {name for name, _, _ in menu} == set(PAGES)
    assert sorted(cards) == sorted((n, f"{icon} {title}") for n, title, icon in menu if n != "home")
