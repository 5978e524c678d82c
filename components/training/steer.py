"""The Training page's widgets: data, network, loss and optimizer, and what moves while a run lives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from components import controls, dataset_picker
from components.controls import Panel
from models.core import device as devices
from models.core import spec as specs
from models.core.spec import SpecError, Value
from models.data import tabular
from models.training import losses, network
from models.training.spec import Spec

MOMENTUM = ("SGD", "RMSprop")
SCHEDULED = {
    "StepLR": ("step_size", "gamma"),
    "CosineAnnealingLR": ("t_max", "eta_min"),
    "OneCycleLR": ("pct_start",),
    "ReduceLROnPlateau": ("gamma", "lr_patience"),
}


def fitting(page: str) -> dict[str, Sequence[Value]]:
    """The losses that fit the task of the data as it stands in the widgets."""
    values = controls.read(Spec, page)
    task = task_of(values)
    if task is None:
        return {}
    fit = [name for name, loss in losses.LOSSES.items() if loss.task == task]
    return {"loss": ("auto", *fit)}


def task_of(values: Mapping[str, Any]) -> str | None:
    """The task that these settings pose; None while the data cannot be read."""
    names = specs.knobs(tabular.TableSpec)
    try:
        return tabular.task_of(tabular.TableSpec(**{n: values[n] for n in names}))
    except SpecError:
        return None


def sidebar(panel: Panel[Spec], beside_data: Callable[[], None]) -> None:
    """Every control of the page; `beside_data` draws what else concerns the data."""
    spec = panel.spec
    dataset_picker.pick(panel)
    beside_data()
    st.markdown("**Network**")
    panel.draw("layers")
    with st.expander("Layers one by one", key="training-open-layers", on_change="rerun") as box:
        if box.open:
            _layer_editor(panel)
    with st.expander("Activation and initial weights"):
        panel.draw("activation", "init", "seed")
    st.markdown("**While it runs**")
    panel.draw("lr")
    if spec.optimizer in MOMENTUM:
        panel.draw("momentum")
    panel.draw("weight_decay", "l1", "clip")
    st.markdown("**Learning**")
    panel.draw("optimizer")
    if spec.optimizer == "SGD":
        panel.draw("nesterov")
    panel.draw("scheduler", *SCHEDULED.get(spec.scheduler, ()))
    panel.draw("loss")
    if task_of(panel.values) == "classification":
        panel.draw("class_weights")
        if spec.loss in ("auto", "cross_entropy"):
            panel.draw("label_smoothing")
    panel.draw("batch_size", "epochs")
    with st.expander("Stop early"):
        panel.draw("patience", "stop_at")
        st.caption("A loss that is no number any more always stops the run.")
    _device_menu(panel.prefix)


def device(page: str) -> str:
    """Where the network is trained."""
    chosen = st.session_state.get(f"{page}-device")
    return chosen if chosen in [one.name for one in devices.available()] else "cpu"


def _device_menu(page: str) -> None:
    """Only where there is a choice."""
    found = devices.available()
    if len(found) == 1:
        return
    names = [one.name for one in found]
    titles = {one.name: f"{one.name}: {one.title}" for one in found}
    st.selectbox(
        "device",
        names,
        format_func=lambda name: titles[str(name)],
        key=f"{page}-device",
        persist_state="session",
        help="Small networks are fastest on the CPU. A change trains again.",
    )


def _layer_editor(panel: Panel[Spec]) -> None:
    """The layer list as a table: a row per hidden layer; edits are written back as text."""
    text = str(panel.values["layers"])
    try:
        layers = network.parse(text, panel.spec.activation)
    except SpecError:
        layers = network.parse(panel.spec.layers, panel.spec.activation)
    rows = [
        {
            "units": layer.units,
            "activation": layer.activation,
            "dropout": layer.dropout,
            "batch norm": layer.batch_norm,
        }
        for layer in layers
    ]
    key = f"training-layer-table-{text}"

    def write() -> None:
        made = st.session_state[key]
        kept = [
            row | made["edited_rows"].get(i, {})
            for i, row in enumerate(rows)
            if i not in made["deleted_rows"]
        ]
        controls.put(panel.prefix, layers=", ".join(map(_layer_text, kept + made["added_rows"])))

    columns = st.column_config
    st.data_editor(
        rows or [{"units": None, "activation": None, "dropout": None, "batch norm": None}][:0],
        key=key,
        num_rows="dynamic",
        on_change=write,
        hide_index=True,
        column_config={
            "units": columns.NumberColumn(
                min_value=1, max_value=network.MAX_UNITS, step=1, default=8, required=True
            ),
            "activation": columns.SelectboxColumn(
                options=list(network.ACTIVATIONS), default=panel.spec.activation, required=True
            ),
            "dropout": columns.NumberColumn(min_value=0.0, max_value=0.95, step=0.05, default=0.0),
            "batch norm": columns.CheckboxColumn(default=False),
        },
    )


def _layer_text(row: dict) -> str:
    dropout = row.get("dropout") or 0.0
    if isinstance(dropout, float) and math.isnan(dropout):
        dropout = 0.0
    return network.Layer(
        int(row.get("units") or 1),
        str(row.get("activation") or "ReLU"),
        float(dropout),
        bool(row.get("batch norm")),
    ).text()
