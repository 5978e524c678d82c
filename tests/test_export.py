"""Scripts and notebooks: text that runs alone and gives back its numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import nbformat
import pytest

from models.core import export


def double(x: float) -> float:
    """Twice as much."""
    return 2 * x


class Holder:
    def inner(self) -> int:
        return 1


SCRIPT = export.script(
    "A title",
    [
        """
        import math
        """,
        export.source(double),
        'print(f"answer = {double(21)}")\nprint("pi =", math.pi)',
    ],
)


def test_a_script_is_its_title_and_its_cells() -> None:
    assert export.script("T", ["a = 1", "  b = 2\n"]) == '"""T"""\n\n# %%\na = 1\n\n# %%\nb = 2\n'


def test_source_is_the_very_text_of_the_function_even_of_a_method() -> None:
    assert (
        export.source(double)
        == 'def double(x: float) -> float:\n    """Twice as much."""\n    return 2 * x'
    )
    assert export.source(Holder.inner).startswith("def inner(self)")
    assert export.source(double, Holder).count("\n\n\n") == 1


def test_a_script_runs_alone_and_its_numbers_come_back(tmp_path: Path) -> None:
    printed = export.run(SCRIPT, tmp_path)
    assert export.numbers(printed) == {"answer": 42.0, "pi": math.pi}


def test_a_script_cannot_lean_on_this_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    with pytest.raises(RuntimeError, match="No module named 'models'"):
        export.run("import models", tmp_path)


def test_a_script_that_fails_tells_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        export.run("1 / 0", tmp_path)


def test_a_script_speaks_every_language(tmp_path: Path) -> None:
    assert export.run('print("größe × 2 🔥")', tmp_path).strip() == "größe × 2 🔥"


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ("", {}),
        ("no number here\n= 3\n", {}),
        ("a = 1\na = 2\n", {"a": 2.0}),
        ("loss = nan", {"loss": math.nan}),
        ("loss = -inf\n  f1 = 1e-3  \n", {"loss": -math.inf, "f1": 0.001}),
        ("shape = (2, 3)\nname = iris\nx == 1\n", {}),
    ],
)
def test_only_lines_of_the_form_name_is_number_count(printed: str, found: dict[str, float]) -> None:
    assert export.numbers(printed) == pytest.approx(found, nan_ok=True)


def test_the_notebook_holds_the_cells_under_the_title_and_is_valid() -> None:
    text = export.notebook(SCRIPT)
    nbformat.validate(nbformat.reads(text, as_version=4))
    title, *cells = json.loads(text)["cells"]
    assert "".join(title["source"]) == "# A title"
    assert [cell["cell_type"] for cell in cells] == ["code"] * 3
    assert "".join(cells[1]["source"]) == export.source(double)


def test_equal_scripts_give_equal_notebooks() -> None:
    assert export.notebook(SCRIPT) == export.notebook(SCRIPT)


def test_the_notebook_runs_in_a_kernel_and_prints_what_the_script_prints(tmp_path: Path) -> None:
    from nbclient import NotebookClient

    book = nbformat.reads(export.notebook(SCRIPT), as_version=4)
    NotebookClient(book, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(o["text"] for c in book.cells for o in c.get("outputs", []) if "text" in o)
    assert export.numbers(printed) == {"answer": 42.0, "pi": math.pi}
