"""Datasets: your own pictures, tables and texts through Dataset, transforms and DataLoader."""

import streamlit as st

from components import address, lesson
from components.datasets import images, tables, texts

projector = lesson.page(
    "datasets",
    "Datasets",
    "From your own files to batches: what Dataset, transforms and DataLoader do.",
)
VIEWS = (*images.VIEWS, "Table", "Text")
address.restore("datasets-view", among="datasets")
view = st.segmented_control(
    "What to look at",
    VIEWS,
    default=VIEWS[0],
    required=True,
    key="datasets-view",
    bind="query-params",
    label_visibility="collapsed",
)
address.keep("datasets-view", {"datasets-view": str(view)} if view != VIEWS[0] else {})
if view == "Text":
    texts.page()
elif view == "Table":
    tables.page()
else:
    images.page(str(view))
lesson.footer()
