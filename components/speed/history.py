"""Earlier measurements: which machine, which settings, two compared, all of them to take home."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from components import controls, session
from components.speed import measure
from models.core import spec as specs
from models.core import wire
from models.speed import PARTS, Spec, kept, verdict
from models.speed.kept import Kept


def show() -> None:
    """The table, the comparison of two, the downloads."""
    owner, found = session.owner(), measure.history()
    if not found:
        st.caption("Nothing has been measured yet.")
        return
    rows = [_row(one) for one in found]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    days = kept.MAX_AGE / 24 / 3600
    st.caption(
        f"Kept in this server's workspace for this browser: the last {kept.MOST} measurements, for {days:.0f} days."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.download_button(
            "All as CSV",
            lambda: to_csv(rows),
            "speed.csv",
            "text/csv",
            key="speed-csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "All as JSON",
            lambda: to_json(owner, found),
            "speed.json",
            "application/json",
            key="speed-json",
            icon=":material/download:",
            on_click="ignore",
        )
    names = [f"{n + 1}: {row['part']}, {row['settings']}" for n, row in enumerate(rows)]
    if len(rows) > 1:
        _compare(names, found)
    which = st.selectbox(
        "Go back to",
        range(len(rows)),
        len(rows) - 1,
        format_func=names.__getitem__,
        key="speed:back",
    )
    with st.container(horizontal=True):
        st.button(
            "Load these settings",
            key="speed-load",
            icon=":material/history:",
            on_click=controls.put_spec,
            args=("speed", found[which].spec),
            help="The page shows that measurement again.",
        )
        st.button(
            "Forget this one",
            key="speed-forget",
            icon=":material/delete:",
            on_click=_forget,
            args=(owner, [found[which].run]),
        )
        st.button(
            "Forget all",
            key="speed-forget-all",
            icon=":material/delete_sweep:",
            on_click=_forget,
            args=(owner, [one.run for one in found]),
        )


def _forget(owner: str, runs: Sequence[str]) -> None:
    for run in runs:
        kept.forget(owner, run)


def _compare(names: list[str], found: Sequence[Kept]) -> None:
    timed = [n for n, one in enumerate(found) if one.sample is not None]
    if len(timed) < 2:
        return
    left, right = st.columns(2)
    a = left.selectbox("A", timed, 0, format_func=names.__getitem__, key="speed:a")
    b = right.selectbox("B", timed, len(timed) - 1, format_func=names.__getitem__, key="speed:b")
    one, other = found[a], found[b]
    if one.sample is None or other.sample is None:
        return
    st.markdown(f"**Per step:** {verdict.compare(one.sample, other.sample, 'A', 'B').text}")
    differing = [
        f"{name}: {getattr(one.spec, name)} → {getattr(other.spec, name)}"
        for name in specs.knobs(Spec)
        if getattr(one.spec, name) != getattr(other.spec, name)
    ]
    st.caption(
        "Different: "
        + ("; ".join(differing) or "nothing, these are two measurements of the same settings")
        + "."
    )
    if apart := [n for n in one.machine if one.machine[n] != other.machine.get(n)]:
        st.caption(
            ":material/warning: They were not measured on the same machine and software: "
            + "; ".join(f"{n}: {one.machine[n]} → {other.machine.get(n)}" for n in apart)
            + "."
        )


def _row(found: Kept) -> dict[str, Any]:
    one, spec, machine = found.sample, found.spec, found.machine
    settings = [
        f"{name}={specs.to_text(value)}" for name, value in spec.changed().items() if name != "part"
    ]
    return {
        "when": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.created)),
        "part": PARTS[spec.part],
        "settings": f"{spec.model}{', ' if settings else ''}{', '.join(settings)}",
        "step ms": one.median * 1e3 if one else None,
        "low ms": one.low * 1e3 if one else None,
        "high ms": one.high * 1e3 if one else None,
        "runs": one.count if one else None,
        "machine": f"{machine['processor']}, {machine['cores']} cores, {machine['capability']}, PyTorch {machine['torch']}",
    }


def to_csv(rows: list[dict[str, Any]]) -> str:
    """The table as a spreadsheet reads it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def to_json(owner: str, found: Sequence[Kept]) -> bytes:
    """Everything that the measurements found, with their settings and their machine."""
    packed = [
        {
            "created": one.created,
            "settings": {name: getattr(one.spec, name) for name in specs.knobs(Spec)},
            "result": kept.result(owner, one.run),
        }
        for one in found
    ]
    return json.dumps(json.loads(wire.dumps(packed)), indent=1).encode()
