"""Tensors: every operation, cell by cell."""

import streamlit as st

from components import lesson
from components.tensors import devices, memory, operate, versus

projector = lesson.page(
    "tensors",
    "Tensors",
    "Point at a cell: who made it, with which weight, and whom does it reach?",
)
PARTS = {
    "Operate": operate.show,
    "Memory": memory.show,
    "Devices": devices.show,
    "PyTorch and TensorFlow": versus.show,
}
part = st.segmented_control(
    "What to look at",
    tuple(PARTS),
    default="Operate",
    required=True,
    key="tensors-part",
    bind="query-params",
    label_visibility="collapsed",
)
PARTS[part](projector)
lesson.footer()
