"""PyTorch and TensorFlow, side by side and with sources; what can be shown here is run here."""

from __future__ import annotations

import streamlit as st

from components import code_panel, controls, lesson
from models.core import export
from models.tensor_ops import compare, versus


def show(projector: bool) -> None:
    """The comparison part of the page."""
    panel = controls.panel(versus.Spec, "versus")
    spec = panel.spec
    result = versus.run(spec)
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
        panel.draw("start")
        st.code(export.source(compare.collatz), language="python")
        first = " → ".join(map(str, result.seen[:14])) + " → …" * (len(result.seen) > 14)
        st.markdown(f"{len(result.seen) - 1} steps: {first}")
    with middle:
        st.markdown("**Gradients** follow the path that was taken.")
        panel.draw("x")
        st.code(export.source(compare.branching_gradient), language="python")
        st.markdown(f"y = **{result.y:.4g}**, slope **{result.slope:.4g}**")
    with right:
        st.markdown("**Debugging**: the error comes at its line.")
        st.code(export.source(compare.failing_line), language="python")
        st.error(controls.plain(compare.failing_line()))
    with lesson.details():
        st.markdown("##### Code")
        code_panel.show(
            versus.to_code(spec), name="versus", spec=spec, page="tensors", prefix="versus"
        )
