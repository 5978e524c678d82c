"""Tensors: every operation, cell by cell."""

from components import controls, lesson
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
part = controls.one_of(
    "What to look at", tuple(PARTS), key="tensors-part", label_visibility="collapsed"
)
PARTS[part](projector)
lesson.footer()
