"""Earlier measurements: which machine, which settings, two compared, all of them to take home."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from components import controls, session
from components.speed import measure
from models.core import spec as specs
from models.core import wire
from models.speed import PARTS, Spec, verdict

# part → the sample that stands for it
_MAIN = {
    "benchmark": ("samples", "full step"),
    "profile": ("plain",),
    "precision": ("rows", "float32", "sample"),
    "memory": ("samples", "plain"),
    "compile": ("samples", "compiled"),
}


def show() -> None:
    """The table, the comparison of two, the downloads."""
    found = [
        (status, spec, told)
        for status, spec in measure.mine()
        if (told := measure.result(status.id))
    ]
    if not found:
        st.caption("Nothing has been measured yet.")
        return
    rows = [_row(status.created, spec, told) for status, spec, told in found]
    table = pd.DataFrame(rows)
    st.dataframe(table, hide_index=True)
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
        runs = [(status.id, status.created) for status, _, _ in found]
        st.download_button(
            "All as JSON",
            lambda: to_json(runs),
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
    st.button(
        "Load these settings",
        key="speed-load",
        on_click=controls.put_spec,
        args=("speed", found[which][1]),
    )


def _compare(names: list[str], found: Sequence[tuple[Any, Spec, Mapping[str, Any]]]) -> None:
    timed = [n for n, (_, _, told) in enumerate(found) if main(told) is not None]
    if len(timed) < 2:
        return
    left, right = st.columns(2)
    a = left.selectbox("A", timed, 0, format_func=names.__getitem__, key="speed:a")
    b = right.selectbox("B", timed, len(timed) - 1, format_func=names.__getitem__, key="speed:b")
    one, other = main(found[a][2]), main(found[b][2])
    if one is None or other is None:
        return
    st.markdown(f"**Per step:** {verdict.compare(one, other, 'A', 'B').text}")
    differing = [
        f"{name}: {getattr(found[a][1], name)} → {getattr(found[b][1], name)}"
        for name in specs.knobs(Spec)
        if getattr(found[a][1], name) != getattr(found[b][1], name)
    ]
    st.caption(
        "Different: "
        + ("; ".join(differing) or "nothing, these are two measurements of the same settings")
        + "."
    )
    if found[a][2]["machine"] != found[b][2]["machine"]:
        st.caption(":material/warning: They were measured on different machines.")


def main(told: Mapping[str, Any]) -> verdict.Sample | None:
    """The sample that stands for a measurement; None for the levers, which have many."""
    value: Any = told
    for name in _MAIN.get(told["part"], ("",)):
        value = value.get(name) if isinstance(value, dict) else None
    if not value:
        return None
    first = value["first"]
    return verdict.Sample(
        value["median"],
        value["low"],
        value["high"],
        value["count"],
        float("nan") if first is None else first,
    )


def _row(created: float, spec: Spec, told: Mapping[str, Any]) -> dict[str, Any]:
    one, machine = main(told), told["machine"]
    settings = [
        f"{name}={specs.to_text(value)}" for name, value in spec.changed().items() if name != "part"
    ]
    return {
        "when": time.strftime("%H:%M:%S", time.localtime(created)),
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


def to_json(runs: list[tuple[str, float]]) -> bytes:
    """Everything that the measurements found, with their settings and their machine."""
    packed = []
    for run, created in runs:
        spec, told = session.client().spec(run), measure.result(run)
        settings = {name: getattr(spec, name) for name in specs.knobs(Spec)}
        packed.append({"created": created, "settings": settings, "result": told})
    return json.dumps(json.loads(wire.dumps(packed)), indent=1).encode()
