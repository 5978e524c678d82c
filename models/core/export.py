"""Scripts and notebooks from the very functions that ran."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def source(*definitions: Callable[..., Any]) -> str:
    """The source of functions and classes as it stands in this repository, ready for a script."""
    return "\n\n\n".join(textwrap.dedent(inspect.getsource(d)).rstrip() for d in definitions)


def script(title: str, cells: Iterable[str]) -> str:
    """A Python script of `# %%` cells: the title as its docstring, then each cell."""
    body = "\n\n".join(f"# %%\n{textwrap.dedent(cell).strip()}" for cell in cells)
    return f'"""{title}"""\n\n{body}\n'


def notebook(code: str) -> str:
    """The same script as a Jupyter notebook (.ipynb text), one cell per `# %%`; equal scripts give equal bytes."""
    import nbformat  # only a download needs it

    head, *cells = code.split("# %%\n")
    title = head.strip().strip('"').strip()
    book = nbformat.v4.new_notebook()
    made = [nbformat.v4.new_markdown_cell(f"# {title}")]
    made += [nbformat.v4.new_code_cell(cell.strip()) for cell in cells]
    for i, cell in enumerate(made):
        cell["id"] = f"cell-{i}"
    book.cells = made
    book.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    return nbformat.writes(book)


def run(code: str, folder: Path, timeout: float = 120) -> str:
    """Run a script in a fresh interpreter without this repository on its path; returns what it printed.

    Raises:
        RuntimeError: the script failed; the message is the end of its traceback.
    """
    path = folder / "exported.py"
    path.write_text(code, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-I", path.name],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout


def numbers(printed: str) -> dict[str, float]:
    """The `name = number` lines of a script's output, which is how every export reports its results."""
    found: dict[str, float] = {}
    for line in printed.splitlines():
        name, _, value = line.partition(" = ")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            continue
    return found
