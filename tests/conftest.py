"""What every test stands on: a workspace of its own, repeatable examples, no leftovers between apps."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]

# Before any module reads it: nothing that a test saves may land in the learner's own workspace.
_WORKSPACE = tempfile.TemporaryDirectory(prefix="playground-tests-", ignore_cleanup_errors=True)
os.environ["PLAYGROUND_HOME"] = _WORKSPACE.name

# One thread, as a worker has: on a busy machine threads that wait for each other cost tiny networks a factor of ten.
os.environ.setdefault("OMP_NUM_THREADS", "1")

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _no_cached_results() -> Iterator[None]:
    """Streamlit's caches are shared by all AppTests of a process; each test starts with empty ones."""
    yield
    if "streamlit" in sys.modules:
        import streamlit as st

        logging.getLogger("streamlit.runtime.caching.cache_data_api").setLevel(logging.ERROR)
        st.cache_data.clear()


def named(widgets: Any, name: str) -> Any:
    """The one widget of an AppTest that shows the setting `name`; its key has a number when the page set it."""
    (found,) = (w for w in widgets if w.key and w.key.split("~")[0] == name)
    return found


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, and say so, the tests that need an accelerator where the machine has none."""
    marked = [item for item in items if item.get_closest_marker("accelerator")]
    if not marked:
        return
    from models.core import device

    if len(device.available()) == 1:
        items[:] = [item for item in items if item not in marked]
        config.hook.pytest_deselected(items=marked)


def pytest_report_header() -> str:
    """Names the versions that the numbers below come from."""
    from importlib.metadata import version

    names = ("torch", "torchvision", "streamlit", "plotly")
    return ", ".join(f"{name} {version(name)}" for name in names)
