"""The Training page's widgets: data, network, loss and optimizer, and what moves while a run lives."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from components import address, controls, dataset_picker, news, session, transport
from components.controls import Panel
from components.training import card, charts
from components.transport import Followed, Topic
from models.core import device as devices
from models.core import spec as specs
from models.core.spec import SpecError, Value
from models.data import decoded, tabular, toy
from models.training import losses, network
from models.training.spec import Spec

_QUIET = 0.8  # seconds without a move after which the whole page follows
_CARD = "training:card"  # the own table whose card is shown
MOMENTUM = ("SGD", "RMSprop")
SCHEDULED = {
    "StepLR": ("step_size", "gamma"),
    "CosineAnnealingLR": ("t_max", "eta_min"),
    "OneCycleLR": ("pct_start",),
    "ReduceLROnPlateau": ("gamma", "lr_patience"),
}


def fitting(page: str) -> dict[str, Sequence[Value]]:
    """The losses that fit the task of the data as it stands in the widgets."""
    task, classes = _asked(controls.read(Spec, page))
    if task is None:
        return {}
    fit = [
        name
        for name, loss in losses.LOSSES.items()
        if loss.task == task and (classes == 2 or not loss.binary)
    ]
    return {"loss": ("auto", *fit)}


def _asked(values: Mapping[str, Any]) -> tuple[str | None, int]:
    """The task that these settings pose, and its number of classes; (None, 0) while the data is not read."""
    names = specs.knobs(tabular.TableSpec)
    try:
        spec = tabular.TableSpec(**{n: values[n] for n in names})
        if spec.data in toy.TOYS:
            return toy.TOYS[spec.data].task, 2
        if spec.upload and decoded.remembered(spec.upload, spec.csv) is None:
            return None, 0  # a worker reads it, never the page
        plan = tabular.plan(spec)
    except SpecError:
        return None, 0
    return plan.task, next(c.distinct for c in plan.columns if c.name == plan.target)


def now(topic: Topic[Spec]) -> tuple[Panel[Spec], Spec, Followed[Spec]]:
    """The settings as the widgets have them, those in effect, and the run that goes with them."""
    panel = controls.panel(Spec, topic.page, choices=fitting(topic.page))
    with st.container():  # in one place: what stands below does not move when a complaint goes
        panel.complain()
        spec = dataset_picker.ready(panel, panel.spec, keep=not card.due(panel.spec))
    if card.due(panel.spec) and panel.spec.data in (spec.data, st.session_state.get(_CARD)):
        # its card stays while a correction is read, and where it cannot be read so
        st.session_state[_CARD] = panel.spec.data
        return panel, panel.spec, transport.nothing(panel.spec)
    st.session_state.pop(_CARD, None)
    return panel, spec, transport.follow(topic, spec, device=device(topic.page))


@address.fragment
def data(
    topic: Topic[Spec],
    turn: int,
    panel: Panel[Spec],
    spec: Spec,
    run: Followed[Spec],
    stage: DeltaGenerator,
    projector: bool,
) -> None:
    """The pictures on the `stage`, and here the widgets of the data.

    Moving one of them changes the pictures at once; the rest of the page, some seventy elements, follows when
    there was a moment without another move. `turn` counts the page's runs.
    """
    moved, waiting = _moved(topic, "data", turn), card.due(spec)
    if moved:
        panel, spec, run = now(topic)
        if waiting != card.due(spec):
            st.rerun()
    with stage:
        if waiting:
            card.show(panel)
        else:
            charts.pictures(topic, run, spec, projector)
    dataset_picker.pick(panel)
    charts.axes(topic, run, spec)
    unknown = run.run is not None and not run.status.over and news.of(run.run).scene is None
    if (moved and not waiting) or unknown:  # names and sizes are known with the first picture
        _follow_up(topic)


@address.fragment
def live(topic: Topic[Spec], turn: int, panel: Panel[Spec], run: Followed[Spec]) -> None:
    """What changes while a run lives; a move reaches the run without drawing the page again."""
    moved = _moved(topic, "live", turn)
    if moved:
        panel, _, found = now(topic)
        if found.run != run.run:  # it was over, so this is another one
            st.rerun()
    live_widgets(panel)
    if moved:
        _follow_up(topic)


def live_widgets(panel: Panel[Any]) -> None:
    """What may change between two batches."""
    st.markdown("**While it runs**")
    panel.draw("lr")
    if panel.spec.optimizer in MOMENTUM:
        panel.draw("momentum")
    panel.draw("weight_decay", "l1", "clip")


def _moved(topic: Topic[Spec], part: str, turn: int) -> bool:
    """Whether a widget of this part was moved: the part runs again within the same run of the page."""
    last = f"{topic.page}:turn:{part}"
    moved = st.session_state.get(last) == turn
    st.session_state[last] = turn
    return moved


def _follow_up(topic: Topic[Spec]) -> None:
    """Draw the whole page once nothing has moved for a moment."""
    key = f"{topic.page}:late"
    st.session_state[key] = time.monotonic()
    # a browser starts its clock anew only for another interval: so it strikes once, after the last move
    odd = st.session_state[f"{key}:odd"] = not st.session_state.get(f"{key}:odd", False)
    address.every(_QUIET + (0.06 if odd else 0.05))(_late)(key)


def _late(key: str) -> None:
    asked = st.session_state.get(key)
    if asked is not None and time.monotonic() - asked > _QUIET:
        del st.session_state[key]
        st.rerun()


def layers(panel: Panel[Spec]) -> None:
    """Layers, activation and initial weights."""
    st.markdown("**Network**")
    panel.draw("layers")
    with st.expander("Layers one by one", key="training-open-layers", on_change="rerun") as box:
        if box.open:
            _layer_editor(panel)
    with st.expander("Activation and initial weights"):
        panel.draw("activation", "init", "seed")


def learning(panel: Panel[Any], task: str | None = None) -> None:
    """Optimizer, schedule, loss, batches, epochs and when to stop; `task` where it is no question of the data."""
    spec = panel.spec
    st.markdown("**Learning**")
    panel.draw("optimizer")
    if spec.optimizer == "SGD":
        panel.draw("nesterov")
    panel.draw("scheduler", *SCHEDULED.get(spec.scheduler, ()))
    panel.draw("loss")
    if (task or _asked(panel.values)[0]) == "classification":
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
        "Device",
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
        parsed = network.parse(text, panel.spec.activation)
    except SpecError:
        parsed = network.parse(panel.spec.layers, panel.spec.activation)
    rows = [
        {
            "units": layer.units,
            "activation": layer.activation,
            "dropout": layer.dropout,
            "batch norm": layer.batch_norm,
        }
        for layer in parsed
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
        on_change=session.whole(write),
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
