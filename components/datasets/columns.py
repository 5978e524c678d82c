"""Columns of a table on their way to a network: each one before and after every step, and the first batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from torch import Tensor

from components import address, code_panel, controls, demo, lesson, news, session
from components.datasets.pictures import plain
from components.figures import datasets as figures
from components.views.figure import figure
from models.core import device, runs
from models.core.spec import SpecError
from models.data.csv_files import Profile
from models.datasets import columns
from models.datasets.columns import Spec, Stage

PREFIX = "columns"
SHOWN = 7  # rows, and numbers of a batch's row
_SMALL = 1_000_000  # cells that are prepared within the page's script
_SAMPLE = 20_000  # values in a picture


def settings(data: str, known: Profile | None) -> controls.Panel[Spec]:
    """The list of steps, a menu that adds one, the split and the batch."""
    panel = controls.panel(Spec, PREFIX, data=data)
    st.markdown("**Columns for a network**")
    names = [c.name for c in known.columns] if known else []
    proposed = columns.text_of(columns.proposed(known.columns)) if known else ""
    one = panel.setting("steps")
    st.text_area(
        controls.label(Spec, "steps"),
        one.born,
        key=one.key,
        height=190,
        placeholder=proposed,
        help="A line for each column: its name, a colon, its steps: "
        + "; ".join(f"{name}: {about.about}" for name, about in columns.STEPS.items()),
    )
    panel.problems("steps")

    def add() -> None:
        name, step = st.session_state.get("columns:name"), st.session_state.get("columns:step")
        if not name or not step:
            return
        chains = columns.parse(str(panel.values["steps"]) or proposed)
        text = f"{step} 0" if columns.STEPS[step].needed else step
        put = columns.parse(f"{name}: {text}")[name]
        chains[name] = (*chains.get(name, ()), *put)
        controls.put(panel.prefix, steps=columns.text_of(chains))
        st.session_state["columns:step"] = None

    if names and panel.error is None:
        left, right = st.columns(2)
        left.selectbox("Column", [n for n in names if "\n" not in n], key="columns:name")
        right.selectbox(
            "Add a step",
            list(columns.STEPS),
            index=None,
            key="columns:step",
            on_change=session.whole(add),
            placeholder="Choose",
        )
        if not panel.values["steps"] and proposed:
            st.button(
                "Edit what is proposed",
                key="columns:edit",
                on_click=controls.put,
                args=(panel.prefix,),
                kwargs={"steps": proposed},
            )
    panel.draw("val", "test", "split_seed", "batch_size", "seed")
    return panel


def show(panel: controls.Panel[Spec], known: Profile, data: str) -> None:
    """One column step by step, the first batch of all, and the script that makes it."""
    st.markdown("##### Columns on their way to a network")
    panel.complain()
    spec = panel.spec
    try:
        chains = columns.plan(spec)
        longest = max(range(len(chains)), key=lambda n: len(list(chains.values())[n]))
        column = str(
            st.selectbox(
                "Column, step by step", list(chains), longest, key="columns:shown", width=320
            )
        )
        _stages(column, _staged(spec, column))
        cells = known.rows * len(chains)
        if cells <= _SMALL:
            _batch(_result(spec))
        else:
            _wait(demo.run("models.datasets.columns", spec))
        code, files = columns.to_code(spec), columns.files(spec)
    except SpecError as error:
        lesson.problem("These steps do not fit this table", str(error), error.detail)
        return
    except runs.RunError as error:
        lesson.problem("The batch could not be made", str(error))
        return
    st.markdown("##### Code")
    code_panel.show(code, name=PREFIX, page="datasets", prefix=PREFIX, spec=spec, files=files)


@st.cache_data(max_entries=32, show_spinner=False)
def _staged(spec: Spec, column: str) -> list[Stage]:
    return columns.stages(spec, column)


@st.cache_data(max_entries=16, show_spinner=False)
def _result(spec: Spec) -> dict[str, Any]:
    found = columns.run(spec)
    return {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}


@address.every(0.7)
def _wait(run: str) -> None:
    frame = news.of(run).frame
    status = session.client().status(run)
    if status.state == "failed":
        lesson.problem("These steps do not fit this table", status.message, status.detail)
    elif frame is None:
        st.info("The columns are being prepared.", icon=":material/hourglass_top:")
    else:
        _batch(frame["result"])


def _stages(column: str, after: list[Stage]) -> None:
    table = pd.DataFrame(
        [
            {
                "after": stage.word,
                "missing": stage.train["missing"],
                "lowest": _short(stage.train, "lowest"),
                "mean": _short(stage.train, "mean"),
                "deviation": _short(stage.train, "deviation"),
                "highest": _short(stage.train, "highest"),
                "val: mean": _short(stage.val, "mean"),
                "val: deviation": _short(stage.val, "deviation"),
            }
            for stage in after
        ]
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(
            "Of the **training** rows, from which every step is measured, and of validation:"
        )
        st.dataframe(
            table, hide_index=True, alt=f"Column {column} after each step, in numbers of its rows"
        )
        st.dataframe(
            pd.DataFrame({f"{n} {s.word}": _words(s.values) for n, s in enumerate(after)}),
            alt=f"The first rows of column {column} before and after each step",
        )
    with right:
        for stage, when in ((after[0], "before"), (after[-1], "after")):
            figure(
                figures.distribution(_to_draw(stage.values)),
                key=f"columns-{when}",
                height=190,
                alt=f"How often column {column} has which values {when} its steps.",
                modebar=False,
            )
            st.caption(f"{when}: {plain(stage.word)}")


def _batch(result: Mapping[str, Any]) -> None:
    x, index, inputs = (_array(result[name]) for name in ("x", "index", "inputs"))
    train, val, test = result["counts"]
    embedded = [tuple(one) for one in result["embedded"]]
    st.markdown("**The first batch** of the training rows")
    with st.container(horizontal=True):
        st.metric("Train / val / test", f"{train:,} / {val:,} / {test:,}")
        st.metric("Numbers", " × ".join(map(str, x.shape)))
        st.metric("Indices", " × ".join(map(str, index.shape)))
        st.metric("A network sees", " × ".join(map(str, inputs.shape)))
    features = list(result["features"])
    shown = pd.DataFrame(np.round(x, 4), columns=features)
    for k, (name, words, dim) in enumerate(embedded):
        shown[f"{name}: index"] = index[:, k]
        start = x.shape[1] + sum(d for _, _, d in embedded[:k])
        vectors = np.round(inputs[:, start : start + dim], 2)
        shown[f"{name}: its vector, of {words}"] = [", ".join(map(str, row)) for row in vectors]
    st.dataframe(
        shown.head(50), hide_index=True, height=300, alt="Numbers, indices and vectors of the batch"
    )
    if embedded:
        st.caption(
            "Index 0 stands for words that training never saw. The vectors are nn.Embedding's first ones; training changes them."
        )


def _short(found: Mapping[str, float], name: str) -> str:
    return f"{found[name]:.4g}" if name in found else ""


def _words(values: pd.Series | pd.DataFrame) -> list[str]:
    """The first rows as texts; of several columns the row as a whole."""
    some = values.iloc[:SHOWN]
    if isinstance(some, pd.DataFrame):
        return [" ".join(f"{v:g}" for v in row[:12]) for row in some.to_numpy()]
    if pd.api.types.is_numeric_dtype(some):
        return ["missing" if pd.isna(v) else f"{v:.5g}" for v in some]
    return ["missing" if pd.isna(v) else str(v) for v in some]


def _to_draw(values: pd.Series | pd.DataFrame) -> pd.Series:
    some = values.iloc[:: max(1, len(values) // _SAMPLE)]
    if isinstance(some, pd.DataFrame):
        if not some.shape[1]:
            return pd.Series(dtype="float64")
        kept = some.loc[some.to_numpy().any(axis=1)]
        return pd.Series(kept.to_numpy().argmax(1)).map(dict(enumerate(kept))).astype("category")
    return some if pd.api.types.is_numeric_dtype(some) else some.astype("category")


def _array(value: Any) -> np.ndarray:
    return device.to_numpy(value) if isinstance(value, Tensor) else np.asarray(value)
