"""The script behind every page: page settings and the table of pages."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # as in app/main.py; a test starts here
    sys.path.insert(0, str(ROOT))
os.environ.setdefault("PYTHONPATH", str(ROOT))

import streamlit as st  # noqa: E402 - the path comes first

# section → pages: (file in pages/ and path in the address, title, icon). The first one is the start page.
PAGES = {
    "": [
        ("home", "Home", "🔥"),
    ],
    "Learn": [
        ("tensors", "Tensors", "🧊"),
        ("training", "Training", "🏋️"),
        ("autograd", "Autograd", "🪄"),
        ("convolution", "Convolution", "🔲"),
        ("cnn", "CNN", "🖼️"),
        ("datasets", "Datasets", "🗂️"),
        ("speed", "Speed", "⚡"),
    ],
}

st.set_page_config(page_title="PyTorch Playground", page_icon="🔥", layout="wide")
st.navigation(
    {
        section: [
            st.Page(
                ROOT / "pages" / f"{name}.py",
                title=title,
                icon=icon,
                url_path=name,
                default=name == "home",
            )
            for name, title, icon in pages
        ]
        for section, pages in PAGES.items()
    },
    position="top",  # the sidebar is for the controls of a page
).run()
