"""The Training page's pictures: plane, network and curves, all fed by the run itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from components import address, controls, news, session, transport
from components.transport import Followed, Topic
from components.views.curves import GRAD_NORM, LOSS, LR, METRIC, PENALTY, RATIO, Panel, curves
from components.views.histograms import histograms
from components.views.network import Weight, network
from components.views.plane import Edit, plane
from models.core.runs import RunError
from models.core.spec import SpecError
from models.data import tables, tabular, toy
from models.training import Spec
from models.training import network as layer_list
from models.training.spec import RunSpec

_DRAWN = 16  # units of a layer that the network view still draws
_PCA = "pca"


def pictures(topic: Topic[Spec], run: Followed[Spec], spec: Spec, projector: bool) -> None:
    """Plane and network side by side, loss and metric below: all in sight on a small screen."""
    known = news.of(run.run) if run.run else None
    scene = known.scene if known else None
    drawn = _drawable(spec)
    tall, low = (290, 290) if projector else (292, 190)
    widths = {
        (True, True): (4, 5, 3),
        (True, False): (4, 5),
        (False, True): (1, 1),
        (False, False): (2, 3),
    }
    places = list(st.columns(widths[drawn, projector], gap="small"))
    with places.pop(0):
        plane(
            run.run,
            key="training-plane",
            editable=spec.data in toy.TOYS,
            on_edit=lambda edit: _edit(topic, run, spec, edit),
            square=spec.data in toy.TOYS,
            height=tall,
        )
    if drawn:
        with places.pop(0):
            network(
                run.run,
                key="training-network",
                editable=run.mine,
                on_weight=lambda weight: _weight(topic, run, weight),
                height=tall,
            )
    with places.pop(0) if places else st.container():
        narrow = projector or not drawn
        curves(
            run.run,
            key="training-curves",
            panels=(LOSS, metric(scene)),
            height=tall if narrow else low,
            min_width=600 if narrow else 260,
        )


def _drawable(spec: Spec) -> bool:
    """Whether the network is small enough to be drawn unit by unit, as far as the settings tell."""
    try:
        layers = layer_list.parse(spec.layers, spec.activation)
        inputs = (
            tables.comma_list(spec.inputs) if spec.data in toy.TOYS else tabular.plan(spec).features
        )
    except SpecError:
        return True
    return max([len(inputs), *(layer.units for layer in layers)]) <= _DRAWN


def metric(scene: Mapping[str, Any] | None) -> Panel:
    """The chart of accuracy, or of R² for a regression."""
    if scene is not None and scene["task"] == "regression":
        return replace(METRIC, title="R²", range=(0.0, 1.0))
    return METRIC


def curves_tab(topic: Topic[Any], run: Followed[Any], spec: RunSpec) -> None:
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


def axes(topic: Topic[Spec], run: Followed[Spec], spec: Spec) -> None:
    """Which two columns of a table the plane shows; the principal components of all until two are chosen."""
    scene = news.of(run.run).scene if run.run and spec.data not in toy.TOYS else None
    if scene is None or len(scene["features"]) <= 2:
        return
    features = scene["features"]
    names = [_PCA, *features]
    title = {_PCA: "PCA"}
    chosen = []
    for column, axis, label in zip(
        st.columns(2, gap="small"), ("x", "y"), ("Across", "Up"), strict=True
    ):
        key = f"{topic.page}-{axis}"
        one = address.setting(key, _PCA, read=address.among(key, names))
        if one.value not in names:  # a column of the data before
            address.put(key, None)
            one = address.setting(key, _PCA)
        chosen.append(one.value)
        column.selectbox(
            label,
            names,
            names.index(one.among(names)),
            format_func=lambda name: title.get(str(name), str(name)),
            key=one.key,
            help="The two columns that the plane shows; the others stay at their mean.",
        )
        with column:
            controls.say(key)
    x, y = chosen
    sent: dict[str, tuple[str, str]] = st.session_state.setdefault("training:axes", {})
    if (x == _PCA) != (y == _PCA) or not run.run or not run.mine:
        return
    if sent.get(run.run, (_PCA, _PCA)) != (x, y):
        try:
            session.client().send(run.run, session.owner(), "view", x=x, y=y)
            sent[run.run] = (x, y)
        except RunError as error:
            st.warning(str(error))
