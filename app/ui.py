"""The script behind every page: page settings and the table of pages."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # as in app/main.py; a test starts here
    sys.path.insert(0, str(ROOT))
os.environ.setdefault("PYTHONPATH", str(ROOT))

import streamlit as st  # noqa: E402 - the path comes first

from models.data import workspace  # noqa: E402 - the path comes first

# (file in pages/ and path in the address, title, icon), in the order of the chapters. The first one is the start page.
PAGES = [
    ("home", "Home", "home"),
    ("tensors", "Tensors", "deployed_code"),
    ("autograd", "Autograd", "account_tree"),
    ("training", "Training", "model_training"),
    ("convolution", "Convolution", "grid_on"),
    ("cnn", "CNN", "image_search"),
    ("datasets", "Datasets", "database"),
    ("speed", "Speed", "speed"),
]

# first: a menu without it takes the page's own icon for the tab, too, and fetches that from another host
st.set_page_config(
    page_title="PyTorch Playground", page_icon=ROOT / "app" / "icon.png", layout="wide"
)
page = st.navigation(
    [
        st.Page(
            ROOT / "pages" / f"{name}.py",
            title=title,
            icon=f":material/{icon}:",
            url_path=name,
            default=name == "home",
        )
        for name, title, icon in PAGES
    ],
    position="top",  # the sidebar is for the controls of a page
)
if problem := workspace.problem():
    st.warning(problem, icon=":material/folder_off:")
page.run()
