"""The law of the warm server: no page's first draw imports modules of the project."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

_DRAW = """
import sys
from app import warm
warm.import_pages()
own = lambda: {name for name in sys.modules if name.partition(".")[0] in ("components", "models")}
before = own()
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app/ui.py", default_timeout=120).run()
for path in sorted(warm.PAGES.glob("[a-z]*.py")):
    app.switch_page(f"../pages/{path.name}").run()
    assert not app.exception, path.name
print("further:", sorted(own() - before))
"""


def test_no_page_imports_further_modules_when_it_is_drawn_first() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DRAW],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert "further: []" in done.stdout, done.stdout
