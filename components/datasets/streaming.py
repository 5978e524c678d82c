"""A Parquet file larger than memory: previewed from its table of contents, and trained on piece by piece."""

from __future__ import annotations

import dataclasses

import pandas as pd
import streamlit as st

from components import address, code_panel, controls, lesson, news, session
from components.job import Job
from components.views.curves import LOSS, curves
from models.core import runs
from models.core.spec import SpecError
from models.datasets import previewing
from models.datasets.streaming import Preview, Spec

PREFIX = "streaming"


def show(data: str) -> None:
    """What the file says of itself, the settings, and what training on all of it came to."""
    st.markdown("##### The whole Parquet file, piece by piece")
    panel = controls.panel(Spec, PREFIX, data=data)
    opening = Job("models.datasets.previewing", previewing.Spec(**dataclasses.asdict(panel.spec)))
    try:
        frame = opening.frame(patience=1.0)
    except SpecError as error:
        lesson.problem("This file cannot be read", str(error), error.detail)
        return
    if frame is None:
        opening.watch("The file is being opened")
        return
    found = frame["result"]
    known = Preview(**found["preview"])
    with st.container(horizontal=True):
        st.metric("Rows of the file", f"{known.rows:,}")
        st.metric("Row groups", known.groups)
        st.metric("Size", f"{known.size / 1e6:,.0f} MB")
    with st.expander("Its columns and first rows", icon=":material/table_view:"):
        st.dataframe(
            pd.DataFrame(
                {
                    f"{name} ({kind})": [row[k] for row in known.head]
                    for k, (name, kind) in enumerate(known.columns)
                }
            ),
            hide_index=True,
            alt="The first rows of the Parquet file",
        )
    left, middle, right = st.columns(3)
    with left:
        panel.draw("target", "epochs")
    with middle:
        panel.draw("batch_size", "num_workers")
    with right:
        panel.draw("hidden", "lr", "seed")
    panel.complain()
    _training(panel.spec, known)
    if found["refused"]:
        controls.explain(SpecError(found["refused"], found["field"], found["detail"]))
        return
    with st.expander("The script", icon=":material/code:"):
        code_panel.show(
            found["code"], name=PREFIX, page="datasets", prefix=PREFIX, spec=panel.spec,
        )  # fmt: skip


def _training(spec: Spec, known: Preview) -> None:
    key = f"{PREFIX}:run"
    if key not in st.session_state:
        st.session_state[key] = next(
            reversed(session.started("models.datasets.streaming").items()), None
        )
    kept: tuple[Spec, str] | None = st.session_state[key]

    @session.whole
    def start() -> None:
        try:
            run = session.client().start("models.datasets.streaming", spec, owner=session.owner())
        except runs.RunError as error:
            st.session_state[f"{PREFIX}:error"] = str(error)
            return
        st.session_state[key] = (spec, run)

    st.button(
        f"Train on all {known.rows:,} rows",
        icon=":material/play_arrow:",
        on_click=start,
        key=f"{PREFIX}:start",
    )
    if text := session.told(f"{PREFIX}:error"):
        lesson.problem("Training could not start", text)
    if kept and kept[0].data == spec.data:
        if kept[0] != spec:
            st.caption("Trained with earlier settings.")
        curves(kept[1], key="streaming-curves", panels=(LOSS,), height=230)
        _told(kept[1], known)


@address.every(1.0)
def _told(run: str, known: Preview) -> None:
    found = news.of(run)
    status = session.client().status(run, session.owner())
    if status.state == "failed":
        lesson.problem("Training ended", status.message, status.detail)
        return
    if not found.rows:
        st.caption("The first pieces are being read.")
        return
    last = found.rows[-1]
    with st.container(horizontal=True):
        st.metric("Rows learned from", f"{last['rows']:,}")
        st.metric("Training loss", f"{last['train_loss']:.4g}")
        if "val_loss" in last:
            st.metric("Validation loss", f"{last['val_loss']:.4g}")
        st.metric(
            "Extra memory",
            f"{last['megabytes']:,.0f} MB",
            help=f"Of the training process, while a file of {known.size / 1e6:,.0f} MB flows through it.",
        )
    if status.state == "done" and found.frame:
        st.caption(
            f"Before training the validation loss was {found.frame['start']:.4g}. Seen: {len(found.frame['columns'])} "
            "columns of numbers; a tenth of the row groups was held back."
        )
