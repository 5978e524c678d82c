"""One view at a time, chosen by `?show=`; what it tells Python is written below it."""

from __future__ import annotations

import math
import sys

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from components.figures import matrix
from components.views import curves, figure, histograms, network, plane, transportbar

sys.path.append(__file__.rpartition("/")[0])
import views_app as made_up

st.set_page_config(page_icon="🔥", layout="wide")
show = st.query_params.get("show", "curves")
run = st.query_params.get("run")
number = st.number_input("number", value=12, key="number")
rem = st.query_params.get("rem")
if rem:
    st.html(f"<style>html {{ font-size: {int(rem)}px }}</style>")

told: object = None
again = st.button("again")
if st.button("nothing"):
    show = ""
if show == "curves":
    rows = [made_up.row(e) for e in range(1, int(number) + 1)]
    columns = {k: [r[k] for r in rows] for k in rows[0]} if rows else {}
    if "nan" in st.query_params:
        columns["train_loss"][3] = math.nan
        columns["val_loss"][5] = math.inf
    if "unpunished" in st.query_params:
        columns["penalty"] = [0.0] * len(columns["epoch"])
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
elif show == "network":
    told = network.network(
        run,
        key="view",
        scene=made_up.scene(),
        frame=made_up.frame(number)
        | ({"weights": [np.zeros((17, 2), np.float32)]} if "large" in st.query_params else {}),
        editable=True,
    )
elif show == "histograms":
    histograms.histograms(run, key="view", frame=made_up.frame(number))
elif show == "transportbar":
    told = transportbar.transportbar(run, key="view")
elif show == "confusion":
    counts = np.array([[50, 2, 0], [1, 40 + number, 5], [0, 7, 43]])
    fig = matrix.confusion(counts, ["setosa", "versicolor", "virginica"])
    told = figure.figure(fig, key="view", alt="A confusion matrix.", clickable=True)
elif show == "matrix":
    numbers = np.random.default_rng(0).normal(0, number, (8, 12))
    told = figure.figure(matrix.values(numbers, title="weights"), key="view", alt="Numbers.")
elif show == "figure":
    x = np.linspace(0, 6, 60)
    fig = go.Figure()
    fig.add_scatter(x=x, y=np.sin(x * number / 6), name="sine", mode="lines+markers")
    fig.add_scatter(
        x=x, y=[None if i % 9 == 0 else math.cos(v) for i, v in enumerate(x)], name="cosine"
    )
    fig.update_layout(title="two waves", xaxis_title="time (s)", yaxis_title="value")
    told = figure.figure(fig, key="view", alt="Two waves.", clickable=True)
elif show == "legend":
    fig = go.Figure()
    for part in ("measured ceilings", "forward", "forward + backward", "full step"):
        fig.add_scatter(x=[1, 2], y=[number, 1], name=part)
    with st.columns(2)[0]:
        told = figure.figure(fig, key="view", alt="Many names.")
elif show == "page":
    transportbar.transportbar(run, key="bar")
    left, right = st.columns(2)
    with left:
        plane.plane(run, key="plane", height=380)
    with right:
        network.network(run, key="network", height=380)
    curves.curves(run, key="curves", height=400)
    histograms.histograms(run, key="histograms")
if told is not None or again:
    st.session_state["told"] = repr(told) if told is not None else "again"
st.write("told:", st.session_state.get("told", "nothing"))
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.write(f"script runs: {st.session_state['runs']}")
