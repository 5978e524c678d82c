"""The table behind the training: what its columns hold, how it is read and split, and every decision taken."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import controls, news, reading, session
from components.datasets import decided
from components.transport import Followed, Topic
from models.core.spec import SpecError
from models.data import bundled, decoded, rows, tables, tabular, toy, workspace
from models.data.naming import FreeNames
from models.training import Spec

_PREDICTED_BYTES = 20 * 2**20


def tab(topic: Topic[Spec], run: Followed[Spec], spec: Spec) -> None:
    """Corrections on the left, what came of them on the right."""
    panel = controls.panel(Spec, topic.page)
    left, right = st.columns([2, 3], gap="large")
    table = spec.data not in toy.TOYS
    with left:
        if table:
            _columns(panel, spec)
            panel.draw("missing")
            if panel.spec.missing != "drop":
                panel.draw("was_missing")
            panel.draw("categories", "max_categories")
        panel.draw("val_fraction", "test_fraction", "stratify", "normalise")
        if _task(spec) == "regression":
            panel.draw("normalise_target")
        panel.draw("data_seed")
    with right:
        if spec.data in bundled.BUNDLED:
            st.markdown(bundled.BUNDLED[spec.data].about)
        known = news.of(run.run) if run.run else None
        if known is not None and known.scene is not None:
            st.markdown("**What was decided**")
            for sentence in known.scene["decisions"]:
                st.markdown(f"- {_plain(sentence)}")
        if table:
            _profile(spec)
        if spec.upload:
            _head(spec)


def line(panel: controls.Panel[Spec]) -> None:
    """How an own table was read, what is left out of it and which rows are lost: one line that opens."""
    if not panel.spec.upload:
        return
    try:
        found = decoded.remembered(panel.spec.upload, panel.spec.csv)
        if found is None:  # a worker reads it, or cannot: which is said above
            decided.line(panel, None)
            return
        try:
            plan = tabular.plan(panel.spec)
            decided.line(panel, found, plan.left_out, tabular.rows_lost(panel.spec, plan))
        except SpecError:  # said above, and the line is where it is put right
            decided.line(panel, found)
    except SpecError as error:
        controls.explain(error)


def _task(spec: Spec) -> str | None:
    try:
        return tabular.task_of(spec)
    except SpecError:
        return None


def _columns(panel: controls.Panel[Spec], spec: Spec) -> None:
    """Target, features and task, chosen from the table's own columns."""
    try:
        plan = tabular.plan(spec)
    except SpecError as error:
        controls.explain(error)
        try:
            plan = tabular.plan(spec.replace(target="", features="", task="auto"))
        except SpecError:
            return
    names = [column.name for column in plan.columns]
    key = f"{panel.prefix}-target"
    shown = f"{key}-menu"
    st.session_state[shown] = plan.target

    def target() -> None:
        chosen = st.session_state[shown]
        kept = [n for n in tables.comma_list(spec.features) if n != chosen]
        controls.put(panel.prefix, target=chosen, features=tables.comma_text(kept), task="auto")

    st.selectbox(
        controls.label(Spec, "target"),
        names,
        key=shown,
        on_change=session.whole(target),
        help="The column to predict.",
    )
    menu = f"{panel.prefix}-features-menu"
    st.session_state[menu] = list(plan.features)

    def features() -> None:
        controls.put(panel.prefix, features=tables.comma_text(st.session_state[menu]))

    st.multiselect(
        controls.label(Spec, "features"),
        [name for name in names if name != plan.target],
        key=menu,
        on_change=session.whole(features),
        help="The columns to predict it from; all useful ones when none is chosen.",
    )
    panel.draw("task")


def _profile(spec: Spec) -> None:
    try:
        columns = tabular.plan(spec.replace(target="", features="", task="auto")).columns
    except SpecError as error:
        controls.explain(error)
        return
    st.markdown("**Columns**")
    table = pd.DataFrame(
        {
            "column": [c.name for c in columns],
            "kind": [c.kind for c in columns],
            "missing": [c.missing for c in columns],
            "infinite": [c.infinite for c in columns],
            "different": [c.distinct for c in columns],
            "low": [_finite(c.low) for c in columns],
            "mean": [_finite(c.mean) for c in columns],
            "high": [_finite(c.high) for c in columns],
            "examples": [", ".join(c.examples) for c in columns],
        }
    )
    st.dataframe(table, hide_index=True, height=300, alt="What each column holds")


def _head(spec: Spec) -> None:
    """How the file was read, and its first rows as it writes them."""
    try:
        found = decoded.remembered(spec.upload, spec.csv)
    except SpecError as error:
        controls.explain(error)
        return
    if found is None:
        return
    st.markdown(
        f"**{_plain(workspace.display_name(found.name))}**, its first rows as the file writes them"
    )
    head = pd.DataFrame(list(found.head), columns=[c.name for c in found.columns])
    st.dataframe(head, hide_index=True, height=220, alt="The first rows of the file")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def example_rows(spec: Spec, scene: Mapping[str, Any]) -> pd.DataFrame:
    """Two rows of the data without the target, to start typing from."""
    first = scene["points"]["row"][:2]
    table = rows.original(spec, [int(row) for row in first])
    if spec.data in toy.TOYS:
        return table.loc[:, ["x1", "x2"]].reset_index(drop=True)
    return table.drop(columns=[scene["target"]]).reset_index(drop=True)


def beside(answers: Mapping[str, Any], own: pd.DataFrame) -> pd.DataFrame:
    """A network's answers, column by column, before the rows they are for; a row's column of the same name gives way."""
    free = FreeNames({*answers, *own.columns})
    names = {
        name: free.take(f"{name} (own)", lambda n, name=name: f"{name} (own {n})")
        for name in own.columns
        if name in answers
    }
    return pd.concat(
        [pd.DataFrame(dict(answers), index=own.index), own.rename(columns=names)], axis=1
    )


def own_rows(spec: Spec, file: Any) -> pd.DataFrame | None:
    """A learner's rows from a CSV, each column read as its namesake in the data was; None while a worker reads them.

    Raises:
        SpecError: the file is no table.
    """
    if file.size > _PREDICTED_BYTES:
        raise SpecError(
            f"The file has {file.size / 2**20:.0f} MB; rows to predict may have {_PREDICTED_BYTES // 2**20} MB at most. "
            "Split it into parts."
        )
    id = workspace.put(file, file.name)
    found = reading.table(id, dataclasses.replace(spec.csv, column_kinds=""))
    how = rows.like(spec, found) if found else None
    again = reading.table(id, how) if how else None
    if how is None or again is None:
        return None
    return decoded.load(id, how, [column.name for column in again.columns])


def _plain(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#$|~:" else c for c in text)
