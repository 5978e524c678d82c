"""The playground's page table with `floor_page.py` added to it, at /floor."""

import runpy
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).resolve().parent
navigation = getattr(st.navigation, "without_floor", st.navigation)


def with_floor(pages: list[Any], **options: Any) -> Any:
    """`st.navigation` with one more page."""
    more = st.Page(HERE / "floor_page.py", title="Floor", url_path="floor")
    return navigation([*pages, more], **options)


with_floor.without_floor = navigation  # type: ignore[attr-defined]  # each run of this script wraps the original
st.navigation = with_floor
runpy.run_path(str(HERE.parents[1] / "app" / "ui.py"))
