"""What `streamlit run` serves for a measurement: everything `app/main.py` does, the pages by `ui.py` beside this file."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # `streamlit run` puts only this folder there

import streamlit as st  # noqa: E402 - the path comes first
from starlette.middleware import Middleware  # noqa: E402 - the path comes first

from app import main as playground  # noqa: E402 - the path comes first

app = st.App(
    HERE / "ui.py",
    routes=playground.ROUTES,
    middleware=[Middleware(playground.SecurityHeaders), Middleware(playground.Owner)],
    lifespan=playground.lifespan,
    on_script_error=playground.explain,
)
