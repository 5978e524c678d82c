"""The views' pure functions, in Node where there is one; tests/browser/test_views.py runs the same laws in Chromium."""

from __future__ import annotations

from pathlib import Path

from tests.node import NODE, broken

ROOT = Path(__file__).resolve().parents[1]


if NODE:  # the browser test holds the same laws on machines without Node

    def test_scales_ticks_numbers_thinning_wire_and_rows_hold_their_laws(tmp_path: Path) -> None:
        assert broken("laws", "shared", tmp_path) == ""


def test_every_view_has_a_module_beside_its_function_and_fetches_nothing_foreign() -> None:
    views = ROOT / "components" / "views"
    folders = {p.parent.name for p in views.glob("*/__init__.py")}
    assert folders == {p.stem for p in views.glob("*/*.js") if p.parent.name == p.stem}
    for module in views.rglob("*.js"):
        text = module.read_text(encoding="utf-8")
        assert "http://" not in text.replace("http://www.w3.org", ""), module
        assert "https://" not in text, module
        assert "innerHTML" not in text, module
