"""The Training page's pictures: plane, network and curves, all fed by the run itself."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from components import controls, news, session, transport
from components.transport import Followed, Topic
from components.views.curves import GRAD_NORM, LOSS, LR, METRIC, PENALTY, RATIO, Panel, curves
from components.views.histograms import histograms
from components.views.network import Weight, network
from components.views.plane import Edit, plane
from models.core.runs import RunError
from models.data import tabular, toy
from models.training import Spec

_DRAWN = 16  # units of a layer that the network view still draws
_PCA = "pca"


def pictures(topic: Topic[Spec], run: Followed[Spec], spec: Spec, projector: bool) -> None:
    """Plane and network side by side, loss and metric below: all in sight on a small screen."""
    known = news.of(run.run) if run.run else None
    scene = known.scene if known else None
    tall, low = (400, 250) if projector else (330, 215)
    drawn = scene is None or all(layer["units"] <= _DRAWN for layer in scene["layers"])
    left, right = st.columns([4, 5] if drawn else [2, 3], gap="small")
    with left:
        plane(
            run.run,
            key="training-plane",
            editable=spec.data in toy.TOYS,
            on_edit=lambda edit: _edit(topic, run, spec, edit),
            square=spec.data in toy.TOYS,
            height=tall,
        )
        if spec.data not in toy.TOYS and scene is not None and len(scene["features"]) > 2:
            _axes(topic, run, scene["features"])
    curve = {"run": run.run, "key": "training-curves", "panels": (LOSS, metric(scene))}
    if drawn:
        with right:
            network(
                run.run,
                key="training-network",
                editable=run.mine,
                on_weight=lambda weight: _weight(topic, run, weight),
                height=tall,
            )
        curves(**curve, height=low)
    else:
        with right:
            curves(**curve, height=tall, min_width=500)


def metric(scene: dict | None) -> Panel:
    """The chart of accuracy, or of R² for a regression."""
    if scene is not None and scene["task"] == "regression":
        return replace(METRIC, title="R²", range=(0.0, 1.0))
    return METRIC


def curves_tab(topic: Topic[Spec], run: Followed[Spec], spec: Spec) -> None:
    """Everything else that moves: penalty, learning rate, gradients, update sizes, histograms."""
    curves(
        run.run,
        key="training-more-curves",
        panels=(LR, GRAD_NORM, RATIO, PENALTY),
        height=420,
        min_width=380,
        alt="Learning rate, gradient norm, update sizes and penalty over the epochs",
    )
    st.caption(
        "update / weight is how far one step moves a layer's weights, as a part of their size; about 0.001 is usual."
    )
    histograms(run.run, key="training-histograms", height=340)


def _edit(topic: Topic[Spec], run: Followed[Spec], spec: Spec, edit: Edit) -> None:
    """A click on the plane becomes part of the settings, so that the link has it too."""
    added, removed = tabular.parse_edits(spec.edits)
    if edit.action == "add":
        added.append((round(edit.x, 2), round(edit.y, 2), round(edit.label, 3)))
    elif edit.index is not None:
        scene = news.of(run.run).scene if run.run else None
        if scene is None:
            return
        row = int(scene["points"]["row"][edit.index])
        if row >= spec.points:
            del added[row - spec.points]
        else:
            removed.append(row)
    controls.put(topic.page, edits=tabular.edits_text(added, removed))


def _weight(topic: Topic[Spec], run: Followed[Spec], weight: Weight) -> None:
    where: dict = {"layer": weight.layer, "out": weight.out, "value": weight.value}
    try:
        if weight.input is None:
            transport.command(run, "bias", **where)
        else:
            transport.command(run, "weight", **where, **{"in": weight.input})
    except RunError as error:
        transport.say(topic, str(error))


def _axes(topic: Topic[Spec], run: Followed[Spec], features: list[str]) -> None:
    """Which two columns the plane shows; the principal components of all until two are chosen."""
    names = [_PCA, *features]
    title = {_PCA: "all columns (PCA)"}
    x_key, y_key = f"{topic.page}-x", f"{topic.page}-y"
    for key in (x_key, y_key):
        asked = st.session_state.get(key, st.query_params.get(key, _PCA))
        st.session_state[key] = asked if asked in names else _PCA
    with st.container(horizontal=True, key="controls-axes", vertical_alignment="center"):
        for key, label in ((x_key, "across"), (y_key, "up")):
            st.selectbox(
                f"Plane: {label}",
                names,
                format_func=lambda name: title.get(name, name),
                key=key,
                on_change=controls.address.follow(key, _PCA),
                label_visibility="collapsed",
            )
    x, y = st.session_state[x_key], st.session_state[y_key]
    sent: dict[str, tuple[str, str]] = st.session_state.setdefault("training:axes", {})
    if run.run and run.mine and sent.get(run.run, (_PCA, _PCA)) != (x, y):
        if _PCA not in (x, y) or (x, y) == (_PCA, _PCA):
            try:
                session.client().send(run.run, session.owner(), "view", x=x, y=y)
                sent[run.run] = (x, y)
            except RunError as error:
                st.warning(str(error))
