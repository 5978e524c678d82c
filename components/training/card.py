"""The card of an own table: what would be trained on it, and why. Nothing is trained before the learner says so."""

from __future__ import annotations

import dataclasses
from typing import Any

import streamlit as st

from components import controls, session
from components.controls import Panel
from components.datasets import decided
from models.core import spec as specs
from models.core.spec import SpecError
from models.data import decoded, example, tables, tabular, workspace
from models.training import Spec


def due(spec: Spec) -> bool:
    """Whether these settings are of an own table, and nobody has said yet what to predict from it."""
    return bool(spec.upload) and spec.data != example.DATA and not spec.target


def show(panel: Panel[Spec]) -> None:
    """The proposal, open to correction, and the button that starts the training on it."""
    spec = panel.spec
    try:
        found = decoded.remembered(spec.upload, spec.csv)
        if found is None:  # a worker reads it, or cannot: which is said above
            decided.line(panel, None)
            return
        proposed = tabular.plan(spec)
    except SpecError:  # said above
        decided.line(panel, None)
        return
    with st.container(key="training-card", border=True):
        title = controls.plain(workspace.display_name(found.name))
        st.markdown(
            f"##### {title}: {found.rows:,} rows, {len(found.columns)} columns", width="content"
        )
        decided.line(panel, found)
        left, right = st.columns([2, 3], gap="large")
        with left:
            made = _choose(panel, spec, proposed)
        with right:
            if made is not None:
                _said(*made)


def _choose(
    panel: Panel[Spec], spec: Spec, proposed: tabular.Plan
) -> tuple[Spec, tabular.Plan] | None:
    """The widgets; they take effect with the button. Returns what they come to, None where that cannot be."""
    key = f"{panel.prefix}-card-{hash((spec.data, spec.csv)) & 0xFFFF_FFFF:x}"
    names = [column.name for column in proposed.columns]
    target = st.selectbox(
        controls.label(Spec, "target"),
        names,
        names.index(proposed.target),
        key=f"{key}-target",
        help="The column to predict.",
    )
    plan, error = proposed, _NO_FEATURE
    if target != proposed.target:
        plan, error = _plan(spec.replace(target=str(target)))
    if plan is None:
        controls.explain(error)
        return None
    features = st.multiselect(
        controls.label(Spec, "features"),
        [name for name in names if name != target],
        list(plan.features),
        key=f"{key}-features-{names.index(str(target))}",
        help="The columns to predict it from.",
    )
    task = st.segmented_control(
        controls.label(Spec, "task"),
        ("classification", "regression"),
        default=plan.task,
        required=True,
        key=f"{key}-task-{names.index(str(target))}",
        help="Predict a class or a number.",
    )
    offered = specs.knobs(Spec)["missing"].choices
    missing = st.segmented_control(
        controls.label(Spec, "missing"),
        offered,
        default=spec.missing,
        required=True,
        key=f"{key}-missing",
        help=specs.knobs(Spec)["missing"].help,
    )
    chosen: dict[str, Any] = {
        "missing": missing,
        "target": target,
        "features": "" if features == list(plan.features) else tables.comma_text(features),
        "task": "auto" if task == plan.task else task,
    }
    made, error = _plan(spec.replace(**chosen)) if features else (None, _NO_FEATURE)

    @session.whole
    def train() -> None:
        controls.put(panel.prefix, **{n: panel.values[n] for n in decided.OPTIONS}, **chosen)

    st.button(
        "Train",
        key=f"{panel.prefix}-card-train",
        icon=":material/play_arrow:",
        type="primary",
        on_click=train,
        disabled=made is None,
    )
    if made is None:
        controls.explain(error)
        return None
    if target == proposed.target:
        made = dataclasses.replace(made, why=proposed.why)
    return spec.replace(**chosen), made


def _plan(spec: Spec) -> tuple[tabular.Plan | None, SpecError]:
    try:
        return tabular.plan(spec), _NO_FEATURE
    except SpecError as error:
        return None, error


def _said(spec: Spec, plan: tabular.Plan) -> None:
    """Why this target and task, what is left out and why, and which rows are lost to what."""
    plain = controls.plain
    st.markdown(
        f"**{plain(plan.target)}** is to be predicted: {plain(plan.why)}. "
        f"{plan.task.capitalize()}: {plain(plan.why_task)}."
    )
    rows = tabular.rows_lost(spec, plan)
    st.markdown("**Rows**\n" + "\n".join(f"- {plain(sentence)}" for sentence in rows))
    if plan.left_out:
        st.markdown(
            f"**Left out** ({len(plan.left_out)})\n"
            + "\n".join(
                f"- {plain(workspace.display_name(name, 40))}: {plain(why)}"
                for name, why in list(plan.left_out.items())[:_LISTED]
            )
        )
        if len(plan.left_out) > _LISTED:
            st.caption(f"and {len(plan.left_out) - _LISTED} more")


_LISTED = 12
_NO_FEATURE = SpecError("No column is chosen to predict it from. Choose at least one.", "features")
