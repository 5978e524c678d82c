"""The DataLoader at work: a recorded epoch as a timeline, and how fast it is with other settings."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import streamlit as st

from components import address, controls, demo, lesson, news, session
from components.figures import datasets as figures
from components.views.figure import figure
from models import datasets
from models.core import runs
from models.datasets import loading, throughput

KNOBS = ("num_workers", "format", "batch_size", "side")


def settings(panel: controls.Panel[datasets.Spec]) -> controls.Panel[loading.Spec]:
    """The settings of the loader; returns those of the recording."""
    panel.draw("batch_size", "shuffle", "weighted", "drop_last", "num_workers")
    if panel.spec.num_workers:
        panel.draw("prefetch_factor", "persistent_workers")
    panel.draw("pin_memory", "seed")
    own = {f.name for f in dataclasses.fields(datasets.Spec)}
    recording = controls.panel(loading.Spec, "loading", **{n: getattr(panel.spec, n) for n in own})
    recording.draw("format", "model")
    if recording.spec.model == loading.OWN:
        recording.draw("layers")
    if found := _last_network():
        st.button(
            "Take my last CNN's network",
            icon=":material/network_node:",
            key="loading:last",
            on_click=controls.put,
            args=(recording.prefix,),
            kwargs={"model": loading.OWN, "layers": found},
            help=f"It trains on these batches: {found[:300]}",
        )
    recording.draw("shown")
    return recording


def _last_network() -> str:
    """The layers, or the name, of the network of this browser's last run of the CNN page; "" without one."""
    client = session.client()
    mine = [run for run in client.runs(session.owner()) if run.module == "models.cnn"]
    if not mine:
        return ""
    spec = client.spec(mine[-1].id)
    return str(spec.list or spec.network).replace("\n", ", ")


def timeline(spec: loading.Spec) -> None:
    """A recorded epoch; another setting records another one."""
    try:
        run = demo.run("models.datasets.loading", spec)
    except runs.RunError as error:
        lesson.problem("The recording could not start", str(error))
        return
    _timeline(run, spec)


@address.every(1.0)
def _timeline(run: str, spec: loading.Spec) -> None:
    known = news.of(run)
    status = session.client().status(run)
    if status.state == "failed":
        lesson.problem("No epoch could be recorded", status.message, status.detail)
        return
    rows = sorted(known.rows, key=lambda r: r["number"])
    if rows:
        workers = len({r["worker"] for r in rows})
        figure(
            figures.timeline(rows),
            key="datasets-timeline",
            height=150 + 62 * workers,
            alt=f"{len(rows)} batches: when each was read by which worker, waited for, and trained on.",
            modebar=False,
        )
    else:
        st.info("An epoch is being recorded.", icon=":material/hourglass_top:")
    found = (known.frame or {}).get("summary")
    if found:
        _verdict(spec, found)
        _batches(rows)


def _verdict(spec: loading.Spec, found: dict[str, Any]) -> None:
    with st.container(horizontal=True):
        st.metric("Pictures per second", f"{found['per_second']:,.0f}")
        st.metric(
            "Training waits", f"{found['share']:.0%}", help="Of the time after the first batch."
        )
        st.metric(
            "First batch after",
            f"{found['first_wait'] * 1e3:,.0f} ms",
            help="Starting the workers is part of it.",
        )
        if found["epoch_waits"]:
            st.metric(
                "Later epochs begin after",
                f"{sum(found['epoch_waits']) / len(found['epoch_waits']) * 1e3:,.0f} ms",
                help="With persistent_workers nothing has to be started again.",
            )
    if spec.pin_memory:
        pinned = "The batches lay in page-locked memory."
        st.caption(
            pinned
            if found["pinned"]
            else "PyTorch pinned nothing: there is no GPU on this machine to copy to."
        )
    who = {loading.OWN: "your own network", "none": "no model"}.get(spec.model, f"the {spec.model}")
    st.caption(f"Measured on this set with {who}, {spec.batch_size} pictures a batch.")
    if found["bottleneck"] == "loader":
        fixes = "\n".join(f"{n}. {text}" for n, text in enumerate(found["fixes"], 1))
        st.markdown(f"**The loader is the bottleneck.** The cheapest fixes first:\n\n{fixes}")
    else:
        st.markdown("**The model is the bottleneck**: a quicker loader would change little.")


def _batches(rows: list[Any]) -> None:
    table = pd.DataFrame(
        {
            "epoch": [r["epoch"] for r in rows],
            "batch": [r["number"] for r in rows],
            "worker": ["training process" if r["worker"] < 0 else str(r["worker"]) for r in rows],
            "pictures": [r["size"] for r in rows],
            "sampler's indices": [", ".join(map(str, r["indices"])) for r in rows],
            "read ms": [round((r["fetched"] - r["fetch"]) * 1e3, 1) for r in rows],
            "waited ms": [round((r["arrived"] - r["asked"]) * 1e3, 1) for r in rows],
        }
    )
    with st.expander(
        "Sampler → indices → worker → batch, as a table", icon=":material/table_rows:"
    ):
        st.dataframe(table, hide_index=True, height=260, alt="Every recorded batch")


def compare(spec: loading.Spec) -> None:
    """Throughput with other workers, formats and batch sizes, measured when asked for."""
    wanted = throughput.Spec(**{f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)})
    key = "datasets:throughput"
    if key not in st.session_state:
        st.session_state[key] = next(
            reversed(session.started("models.datasets.throughput").items()), None
        )
    kept: tuple[throughput.Spec, str] | None = st.session_state[key]

    def start() -> None:
        try:
            run = session.client().start(
                "models.datasets.throughput", wanted, owner=session.owner()
            )
        except runs.RunError as error:
            st.session_state["datasets:throughput-error"] = str(error)
            return
        st.session_state[key] = (wanted, run)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Measure workers, formats and batch sizes",
            icon=":material/speed:",
            on_click=start,
            key="datasets:measure",
        )
        st.caption(
            f"{wanted.repeats} repeats of {wanted.pictures} pictures each, in a worker of its own; whiskers hold the middle half."
        )
    if text := session.told("datasets:throughput-error"):
        lesson.problem("The measurement could not start", text)
    if kept:
        if kept[0] != wanted:
            st.caption("Measured with earlier settings.")
        _throughput(kept[1])


@address.every(1.0)
def _throughput(run: str) -> None:
    known = news.of(run)
    status = session.client().status(run, session.owner())
    if status.state == "failed":
        lesson.problem("The measurement ended", status.message, status.detail)
    total = int((known.frame or {}).get("total", 1))
    if status.state in ("queued", "running"):
        st.progress(min(1.0, len(known.rows) / total), f"{len(known.rows)} settings measured")
    columns = [*st.columns(2, gap="medium"), *st.columns(2, gap="medium")]
    for column, name in zip(columns, KNOBS, strict=True):
        with column:
            if any(r["knob"] == name for r in known.rows):
                figure(
                    figures.throughput(known.rows, name),
                    key=f"datasets-throughput-{name}",
                    height=260,
                    alt=f"Pictures per second against {name}.",
                    modebar=False,
                )
                if sum(r["knob"] == name for r in known.rows) > 1:
                    st.caption(throughput.verdict(known.rows, name))
