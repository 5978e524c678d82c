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
def test_every_widget_is_called_by_plain_words_in_one_capitalisation(page: str) -> None:
    """Leaves are called as the learner's program calls them."""
    app = opened(page)
    widgets = [w for kind in (*BOUND, "button", "file_uploader") for w in app.get(kind)]
    labels = [w.proto.label for w in widgets if not str(w.proto.id).count("autograd-leaf")]
    own = [label for label in labels if label.endswith(".grad")]
    assert [label for label in labels if label not in own and not label[:1].isupper()] == []


@pytest.mark.parametrize("page", PAGES)
def test_projector_mode_opens_without_exception_or_error(page: str) -> None:
    app = opened(page, **{f"{page}-projector": "true"})
    assert [e.message for e in app.exception] == []
    assert [e.value for e in app.error] == []


def test_home_has_a_card_for_every_page_in_the_order_of_the_menu() -> None:
    menu = re.findall(r'\("(\w+)", "(.+)", "(.+)"\)', (ROOT / "app" / "ui.py").read_text("utf-8"))
    assert sorted(name for name, _, _ in menu) == PAGES
    cards = [link.proto.page for link in opened("home").main.get("page_link")]
    assert cards[1:] == [
        name for name, _, _ in menu if name != "home"
    ]  # the first goes on with this very network


# Emoji and geometric signs are boxes where no font has them. Arrows and the signs of formulas are in every font.
SIGNS = re.compile(
    "[\u2300-\u2307\u230c-\u23ff\u25a0-\u27bf\u27f0-\u27ff\u2980-\u29ff\u2b00-\u2bff\ufe0f\U0001f000-\U0001faff]"
)


def test_no_label_and_no_view_needs_an_emoji_font() -> None:
    files = [
        p
        for folder in ("app", "pages", "components", "models")
        for p in (ROOT / folder).rglob("*.*")
    ]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in files
        if path.suffix in (".py", ".js", ".css")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if SIGNS.search(line)
    ]
    assert found == []
