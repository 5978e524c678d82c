"""PyTorch and TensorFlow, side by side and with sources; what can be shown here is run here."""

from __future__ import annotations

import streamlit as st

from components import controls, lesson
from models.core import export
from models.tensor_ops import compare


def show(projector: bool) -> None:
    """The comparison part of the page."""
    with lesson.stage():
        rows = [
            f"| **{topic}** | {torch} | {tensorflow} | [read]({source}) |"
            for topic, torch, tensorflow, source in compare.TABLE
        ]
        st.markdown(
            "\n".join(["| | PyTorch | TensorFlow | source |", "| --- | --- | --- | --- |", *rows])
        )
    st.markdown(
        "Both compute the same mathematics, on NVIDIA's GPUs and Intel's processors with the same libraries (cuDNN, oneDNN); "
        "what differs is how a program is written, debugged and shipped. Three of the rows can be shown by running them, just now:"
    )
    left, middle, right = st.columns(3)
    with left:
        st.markdown("**Dynamic graphs**: a tensor decides how long a Python loop runs.")
        start = st.slider("First number", 2, 40, 7, key="tensors:collatz")
        st.code(export.source(compare.collatz), language="python")
        seen = compare.collatz(start)
        st.markdown(
            f"{len(seen) - 1} steps: {' → '.join(map(str, seen[:14]))}{' → …' if len(seen) > 14 else ''}"
        )
    with middle:
        st.markdown("**Gradients** follow the path that was taken.")
        x = st.slider("Point x", 0.5, 3.0, 1.2, 0.1, key="tensors:branch")
        st.code(export.source(compare.branching_gradient), language="python")
        value, slope = compare.branching_gradient(x)
        st.markdown(f"y = **{value:.4g}**, slope **{slope:.4g}**")
    with right:
        st.markdown("**Debugging**: the error comes at its line.")
        st.code(export.source(compare.failing_line), language="python")
        st.error(controls.plain(compare.failing_line()))
