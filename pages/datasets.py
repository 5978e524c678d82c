"""Datasets: your own pictures, tables and texts through Dataset, transforms and DataLoader."""

from components import lesson
from components.datasets import images, tables, texts

projector = lesson.page(
    "datasets",
    "Datasets",
    "From your own files to batches: what Dataset, transforms and DataLoader do.",
)
VIEWS = (*images.VIEWS, "Table", "Text")
view = lesson.views("datasets", VIEWS)
if view == "Text":
    texts.page()
elif view == "Table":
    tables.page()
else:
    images.page(view)
lesson.footer()
