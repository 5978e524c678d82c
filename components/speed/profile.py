"""The Profile part: the timeline, the doctor's three findings, phases, modules and operations."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import controls, lesson, session
from components.figures import speed as figures
from components.speed import measure
from components.speed.measure import Found
from components.views.figure import figure
from components.views.timeline import timeline
from models.core import spec as specs
from models.speed import PARTS, Spec, doctor, verdict


def draw(found: Found) -> None:
    """The sentence and the timeline."""
    told = found.told
    shares = doctor.shares(told)
    first = max(shares, key=shares.__getitem__)
    plain = told["plain"]
    st.markdown(
        f"{told['steps']} steps, **{told['operations'] // told['steps']:,} operations** each. The largest phase is "
        f"**{first}** ({shares[first]:.0%}). A step takes {verdict.duration(plain['median'])}; under the profiler "
        f"{verdict.duration(told['under'])}, **{told['under'] / plain['median']:.2g}×** as long: trust shares, not times."
    )
    measure.busy(told)
    with lesson.stage():
        if found.whole:
            timeline(found.run, key="speed-timeline", height=340)
        else:
            st.info(
                "The tables of this profile were kept, its timeline was not: it is too large. Measure again to see one.",
                icon=":material/timeline:",
            )


def more(found: Found) -> None:
    """What to change first, then the tables."""
    told = found.told
    st.markdown("##### What to change first")
    for number, one in enumerate(told["findings"]):
        _finding(number, one)
    if not told["findings"]:
        st.success(
            "Nothing stands out: no phase, copy or crowd of small operations takes more than its share."
        )
    left, right = st.columns(2, gap="medium")
    with left:
        figure(
            figures.shares(doctor.shares(told)),
            key="speed-phases",
            height=260,
            alt="Share of the recorded time per phase: data, forward, loss, backward, optimizer.",
            modebar=False,
        )
    with right:
        figure(
            figures.modules(told["modules"], told["steps"]),
            key="speed-modules",
            height=260,
            alt="Time of each layer's own operations, forward and backward.",
        )
    st.markdown("##### Operations")
    _operations(told)
    if not found.whole:
        return
    st.download_button(
        "Trace for Perfetto .json",
        lambda: gzip.decompress(session.client().blob(found.run, "trace") or gzip.compress(b"{}")),
        "trace.json",
        "application/json",
        key="speed-trace",
        icon=":material/download:",
        on_click="ignore",
        help="Chrome's trace format, as torch.profiler writes it: open it in Perfetto or chrome://tracing.",
    )


def _finding(number: int, one: Mapping[str, Any]) -> None:
    with st.container(border=True):
        st.markdown(f"**{number + 1}. {one['title']}**")
        st.caption(one["evidence"])
        label = PARTS.get(one["try_part"], "")
        if label:
            st.button(
                f"Try it: {label}",
                key=f"speed-try-{number}",
                on_click=_try,
                args=(one["try_part"], one["try_field"], one["try_value"]),
            )


def _try(part: str, field: str, value: str) -> None:
    changes = {"part": part}
    if field:
        changes[field] = specs.from_text(Spec, field, value)  # type: ignore[assignment]  # a value of that field
    controls.put("speed", **changes)


def _operations(told: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Find an operation", key="speed:find", placeholder="mm, conv, copy …")
        by = st.segmented_control(
            "Sorted by", ("self", "total", "memory", "calls"), default="self", key="speed:sort", required=True
        )  # fmt: skip
    rows = [r for r in told["table"] if text.lower() in r["name"].lower()]
    rows.sort(key=lambda r: -r[by])
    whole = sum(r["self"] for r in told["table"]) or 1.0
    shown = pd.DataFrame(
        [
            {
                "operation": r["name"],
                "shapes": r["shapes"],
                "calls": r["calls"],
                "self ms": r["self"] / 1e3,
                "share": r["self"] / whole,
                "total ms": r["total"] / 1e3,
                "device ms": r["device"] / 1e3,
                "memory kB": r["memory"] / 1e3,
            }
            for r in rows
        ]
    )
    if shown.empty:
        st.caption(f"No operation is called {text!r}.")
        return
    if not any(r["device"] for r in rows):
        shown = shown.drop(columns="device ms")
    st.dataframe(
        shown,
        hide_index=True,
        height=330,
        column_config={
            "share": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
            "self ms": st.column_config.NumberColumn(format="%.3f"),
            "total ms": st.column_config.NumberColumn(format="%.3f"),
            "memory kB": st.column_config.NumberColumn(format="%.1f"),
        },
    )
