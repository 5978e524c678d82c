"""One view at a time, chosen by `?show=`; what it tells Python is written below it."""

from __future__ import annotations

import math
import sys

import numpy as np
import streamlit as st

from components.views import curves, plane

sys.path.append(__file__.rpartition("/")[0])
import views_app as made_up  # noqa: E402 - beside this file

st.set_page_config(page_icon="🔥", layout="wide")
show = st.query_params.get("show", "curves")
run = st.query_params.get("run")
number = st.number_input("number", value=12, key="number")
rem = st.query_params.get("rem")
if rem:
    st.html(f"<style>html {{ font-size: {int(rem)}px }}</style>")

told: object = None
if show == "curves":
    rows = [made_up.row(e) for e in range(1, int(number) + 1)]
    columns = {k: [r[k] for r in rows] for k in rows[0]} if rows else {}
    if "nan" in st.query_params:
        columns["train_loss"][3] = math.nan
        columns["val_loss"][5] = math.inf
    overlays = []
    if "overlay" in st.query_params:
        overlays = [
            curves.Overlay(
                f"run {i}",
                {
                    k: [v * (1 + i / 4) if k != "epoch" else v for v in c]
                    for k, c in columns.items()
                },
            )
            for i in (1, 2)
        ]
    curves.curves(
        run,
        key="view",
        columns=columns,
        overlays=overlays,
        mark=5 if "mark" in st.query_params else None,
        height=int(st.query_params.get("height", 440)),
    )
elif show == "plane":
    kind = st.query_params.get("kind", "binary")
    args = {
        "binary": ("classification", 2),
        "classes": ("classification", 4),
        "regression": ("regression", 0),
    }[kind]
    told = plane.plane(
        run,
        key="view",
        scene=made_up.scene(*args),
        frame=made_up.frame(number, *args),
        editable="edit" in st.query_params,
    )
if told is not None:
    st.session_state["told"] = repr(told)
st.write("told:", st.session_state.get("told", "nothing"))
