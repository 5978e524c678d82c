"""Datasets: your own pictures, tables and texts through Dataset, transforms and DataLoader."""

import streamlit as st

from components import lesson
from components.datasets import images, tables, texts

projector = lesson.page(
    "datasets",
    "Datasets",
    "From your own files to batches: what Dataset, transforms and DataLoader do.",
)
VIEWS = (*images.VIEWS, "Table", "Text")
view = st.segmented_control(
    "What to look at",
    VIEWS,
    default=VIEWS[0],
    required=True,
    key="datasets-view",
    bind="query-params",
    label_visibility="collapsed",
)
if view == "Text":
    texts.page()
elif view == "Table":
    tables.page()
else:
    images.page(str(view))
lesson.footer()
