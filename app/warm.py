"""What the pages need is imported while the server warms up, so that no first visitor waits for it."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

PAGES = Path(__file__).resolve().parents[1] / "pages"


def import_pages() -> None:
    """Import every module that a page names, and so whatever those import."""
    # brings PyTorch, so the client itself leaves it until the first answer
    importlib.import_module("models.core.runs.answers")
    for path in sorted(PAGES.glob("[a-z]*.py")):
        for name in _named(ast.parse(path.read_text(encoding="utf-8"))):
            importlib.import_module(name)


def _named(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            package = hasattr(importlib.import_module(node.module), "__path__")
            parts = [f"{node.module}.{alias.name}" for alias in node.names] if package else []
            yield from (part for part in parts if importlib.util.find_spec(part))
