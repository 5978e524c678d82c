"""Tables: what each column holds, where they train, and what reading one larger than memory costs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from components import address, controls, demo, lesson, news, reading, session
from components.datasets import columns, streaming
from components.datasets.pictures import plain
from components.datasets.taking import Intake
from components.figures import datasets as figures
from components.views.figure import figure
from components.views.upload import upload
from models.core import runs
from models.core.spec import SpecError
from models.data import (
    archives,
    convert_tables,
    csv_files,
    decoded,
    example,
    image_sets,
    ingest,
    ingest_texts,
    workspace,
)
from models.data.tables import Column
from models.datasets import large

PREFIX = "tables"
PLAIN = convert_tables.PLAIN
ARCHIVES = ("zip", "tar", "gz", "tgz", "bz2", "xz")
INTAKE = Intake(PREFIX, "models.data.convert_tables", "Taking in a table")
PAGES = Path(__file__).resolve().parents[2] / "pages"


def page() -> None:
    """The whole view: the table's card as the picture, larger-than-memory reading below."""
    chosen = address.setting(f"{PREFIX}-data", example.DATA)
    data = chosen.value
    id = data.removeprefix("upload:")
    with lesson.controls() as side:
        _source(chosen)
    try:
        known = reading.table(id, csv_files.AUTO)
    except SpecError as error:
        lesson.problem("This table cannot be shown", str(error), error.detail)
        return
    with side:
        panel = controls.panel(
            large.Spec, "large", data=large.MADE if data == example.DATA else data
        )
        ways = columns.settings(data, known)
        st.markdown("**Reading in pieces**")
        panel.draw("chunk", "ranks", "num_workers")
    if known is not None:
        with lesson.stage():
            _card(data, known)
    with lesson.details():
        if known is not None:
            columns.show(ways, known, data)
        if data != example.DATA:
            _said(id)
            whole = _parquet(id)
            INTAKE.manage(data, workspace.file_name(INTAKE.name(data)), "text/csv", with_it=whole)
            if whole:
                streaming.show(f"upload:{whole}")
        _large(panel.spec)


def _source(one: address.Setting[str]) -> None:
    data = one.value
    own = {
        f"upload:{u.id}": u.name
        for u in workspace.listing(session.owner())
        if u.name.lower().endswith(PLAIN)
        and not image_sets.is_set(u.id)
        and not ingest_texts.is_set(u.id)
    }
    if data != example.DATA:
        own.setdefault(data, INTAKE.name(data))
    options = [example.DATA, *own]
    st.selectbox(
        "Table",
        options,
        options.index(one.among(options)),
        format_func=lambda v: (
            "Planets (an example CSV)" if v == example.DATA else workspace.display_name(own[v])
        ),
        key=one.key,
    )
    INTAKE.news()
    with st.expander("Your own table", icon=":material/upload_file:"):
        st.file_uploader(
            "CSV, Excel, OpenDocument, Parquet, JSON, .npy, .npz, or a zip or tar of them",
            type=[*(e[1:] for e in (*PLAIN, *convert_tables.ENDINGS)), *ARCHIVES],
            accept_multiple_files=True,
            key="tables:file",
            on_change=_take,
            help="Other formats than CSV become one, row group by row group. Several tables are taken in each; tables with "
            "the same first line also together. It stays on this server.",
        )
        st.caption("Larger than 500 MB? Send it straight to the server's disk:")
        upload(
            key="tables-large",
            label="Send a large table",
            accept=",".join((*PLAIN, *convert_tables.ENDINGS, *(f".{e}" for e in ARCHIVES))),
            most=workspace.MAX_FILE,
            on_done=_taken,
        )


@session.whole
def _take() -> None:
    files = st.session_state.get("tables:file") or []
    try:
        if len(files) > 1 and all(f.size <= archives.MAX_MEMBER for f in files):
            name = f"{len(files)} tables.zip"
            with ingest.packed((f.name, f) for f in files) as path:
                _taken(workspace.put(path, name, session.owner()), name)
            return
        for file in files:
            _taken(workspace.put(file, file.name, session.owner()), file.name)
    except SpecError as error:
        INTAKE.fail(error)


@session.whole
def _taken(id: str, name: str) -> None:
    """A kept file: a CSV is a table already, anything else becomes one in a worker."""
    if name.lower().endswith(PLAIN):
        address.put(f"{PREFIX}-data", f"upload:{id}")
    else:
        INTAKE.begin(convert_tables.Spec(f"upload:{id}"))


def _card(data: str, known: csv_files.Profile) -> None:
    held = known.columns
    rows = max((c.rows for c in held), default=0)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.metric("Rows", f"{rows:,}")
        st.metric("Columns", len(held))
        st.metric("Missing cells", f"{sum(c.missing for c in held):,}")
        st.page_link(
            PAGES / "training.py",
            label="**Train on this table**",
            icon=":material/play_arrow:",
            query_params={"training-data": data},
        )
    table = pd.DataFrame(
        {
            "column": [c.name for c in held],
            "kind": [c.kind for c in held],
            "missing": [c.missing for c in held],
            "different": [c.distinct for c in held],
            "lowest": [_number(c, c.low) for c in held],
            "mean": [_number(c, c.mean) for c in held],
            "highest": [_number(c, c.high) for c in held],
            "such as": [", ".join(c.examples[:3]) for c in held],
        }
    )
    kinds = {c.name: c.kind for c in held}
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.dataframe(
            table, hide_index=True, height=330, alt="Every column: its kind, missing cells, values"
        )
    with right:
        shown = [
            c.name
            for c in held
            if c.kind != "empty" and (c.is_number or c.distinct <= decoded.MAX_WORDS)
        ]
        if shown:
            shown.sort(key=lambda name: kinds[name] == "id")  # names of rows say nothing together
            column = str(st.selectbox("Distribution of", shown, key="tables:column"))
            values = decoded.load(data.removeprefix("upload:"), csv_files.AUTO, [column])[column]
            figure(
                figures.distribution(values.iloc[:: max(1, len(values) // 20_000)]),
                key="tables-distribution",
                height=240,
                alt=f"How often column {column} has which values.",
                modebar=False,
            )


def _number(about: Column, value: float) -> str:
    if math.isnan(value):
        return ""
    if about.kind == "date":  # days since 1970
        return str(pd.Timestamp("1970-01-01") + pd.Timedelta(days=round(value)))[:10]
    return f"{value:.4g}"


def _parquet(id: str) -> str:
    """The Parquet file that this table is the beginning of, "" where there is none (any more)."""
    whole = str((convert_tables.report(id) or {}).get("parquet") or "")
    try:
        return whole if whole and workspace.about(whole) else ""
    except SpecError:
        return ""


def _said(id: str) -> None:
    report = convert_tables.report(id)
    if report is None:
        return
    for note in report["notes"]:
        st.markdown(f"- {plain(note)}")
    if report["left_out"]:
        with st.expander(
            f"{report['left_out_count']} parts left out, with the reason", icon=":material/block:"
        ):
            st.dataframe(
                pd.DataFrame(report["left_out"], columns=["what", "why"]),
                hide_index=True,
                alt="What was left out",
            )


def _large(spec: large.Spec) -> None:
    st.markdown("##### Larger than memory: the same means, read in four ways")
    st.caption(
        "On 200 000 made rows; your own table takes their place."
        if spec.data == large.MADE
        else "On the columns of numbers of this table."
    )
    try:
        _ways(demo.run("models.datasets.large", spec))
    except runs.RunError as error:
        lesson.problem("The measurement could not start", str(error))


@address.every(1.0)
def _ways(run: str) -> None:
    known = news.of(run)
    status = session.client().status(run)
    if status.state == "failed":
        lesson.problem("The table could not be read in these ways", status.message, status.detail)
        return
    table = pd.DataFrame(
        {
            "way": [r["way"] for r in known.rows],
            "ms": [round(r["seconds"] * 1e3, 1) for r in known.rows],
            "extra memory, MB": [round(r["megabytes"], 1) for r in known.rows],
            "mean of the first column": [f"{r['mean']:.6g}" for r in known.rows],
        }
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.dataframe(table, hide_index=True, alt="Time and memory of each way of reading")
        if known.frame:
            st.caption(
                f"Making the Parquet and .npy copies took {known.frame['prepared']:.2f} s and "
                f"{known.frame['prepared_megabytes']:.0f} MB, once: that is a cache after the expensive step."
            )
        way = str(st.selectbox("The code of", list(large.WAYS), key="tables:way"))
        st.code(large.source(way), language="python", wrap_lines=True)
    with right:
        if known.frame:
            shards: list[dict[str, Any]] = known.frame["shards"]
            st.markdown("**Row groups shared out over ranks and workers**")
            st.dataframe(
                pd.DataFrame(shards),
                hide_index=True,
                height=260,
                alt="Which rank and worker read which row group",
            )
            st.caption(
                f"Read in {known.frame['shared']:.2f} s, starting the workers included, with "
                f"{known.frame['shared_megabytes']:.0f} MB of their own. Each row group is read exactly once; a rank needs as many groups as the others, or it waits."
            )
