"""The FLOPs and memory part: where the operations are, what fills the memory, and what frees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import lesson, session
from components.figures import speed as figures
from components.speed import measure
from components.speed.measure import Found
from components.views.figure import figure
from models.speed import flops, subject, verdict


def draw(found: Found) -> None:
    """The sentence and the two pictures."""
    told = found.told
    plain, predicted = told["traces"]["plain"], told["predicted"]
    most = max(plain["by_category"].items(), key=lambda item: item[1])
    same = "exactly as predicted"
    if predicted["peak"] != plain["peak"]:
        mixed = " without autocast" * (subject.autocast(found.spec) is not None)
        same = f"predicted{mixed}: {verdict.size(predicted['peak'])}"
    st.markdown(
        f"One step is **{verdict.quantity(told['flops'], 'FLOP')}** and holds **{verdict.size(plain['peak'])}** "
        f"at its fullest moment ({same}), after `{plain['operation']}`: the largest part is "
        f"**{most[0]}**, {verdict.size(most[1])}."
    )
    measure.busy(told)
    if missing := flops.left_out(told["uncounted"]):
        st.caption(missing)
    with lesson.stage():
        left, right = st.columns([3, 2], gap="medium")
        with left:
            figure(
                figures.memory(plain),
                key="speed-memory",
                height=380,
                alt="Memory after each operation of a step, in layers: parameters, gradients, optimizer state, inputs, activations, temporaries.",
            )
        with right:
            figure(
                figures.trade({n: t["peak"] for n, t in told["traces"].items()}, told["samples"]),
                key="speed-trade",
                height=380,
                alt="Peak memory against time of the plain, the checkpointed and the accumulated step.",
            )


def more(found: Found) -> None:
    """The trade-offs in words, and the tables."""
    told = found.told
    peaks = {name: one["peak"] for name, one in told["traces"].items()}
    for name, about in _ABOUT.items():
        saved = 1 - peaks[name] / peaks["plain"]
        change = f"holds {abs(saved):.0%} {'less' if saved > 0 else 'more'}"
        change = "holds as much" if abs(saved) < 0.005 else change
        st.markdown(f"- **{name}**: {about} It {change}; {told['verdicts'][name]['text']}")
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("##### Memory at the fullest moment")
        st.dataframe(_categories(told), hide_index=True)
    with right:
        st.markdown("##### Operations by module")
        st.dataframe(_modules(told), hide_index=True)
    counted = ", ".join(f"`{_short(n)}` ×{c}" for n, c in told["calls"].items())
    rest = ", ".join(f"`{_short(n)}` ×{c}" for n, c in told["uncounted"].items())
    st.markdown(f"**Counted** by formula, a multiply and an add as two: {counted or 'nothing'}.")
    st.markdown(f"**Not counted**, for want of a formula: {rest or 'nothing'}.")
    if told["allocator"]:
        st.markdown("##### What the GPU's allocator says")
        st.dataframe(
            pd.DataFrame(
                [(n, f"{v:,}") for n, v in told["allocator"].items()],
                columns=["of one step", "bytes, or how often"],
            ),
            hide_index=True,
        )
        snapshot = session.client().blob(found.run, "snapshot") if found.whole else None
        if snapshot:
            st.download_button(
                "Allocator snapshot",
                snapshot,
                "snapshot.pickle",
                key="speed-snapshot",
                icon=":material/download:",
                on_click="ignore",
                help="Every allocation of one step, for PyTorch's memory viewer (pytorch.org/memory_viz).",
            )


_ABOUT = {
    "checkpointed": "forgets activations and computes them again in backward.",
    "accumulated": "sends the batch through in four parts (fewer where a part would have less than two samples) and adds up the gradients.",
}


def _categories(told: Mapping[str, Any]) -> pd.DataFrame:
    measured, predicted = told["traces"]["plain"]["by_category"], told["predicted"]["by_category"]
    rows = [
        (name, verdict.size(predicted[name]), verdict.size(size)) for name, size in measured.items()
    ]
    return pd.DataFrame(rows, columns=["category", "predicted", "measured"])


def _modules(told: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for name, ops in told["by_module"].items():
        total = sum(ops.values())
        rows.append(
            (
                name,
                verdict.quantity(total, "FLOP"),
                f"{total / told['flops']:.1%}" if told["flops"] else "",
                ", ".join(_short(op) for op in ops),
            )
        )
    return pd.DataFrame(rows, columns=["module", "FLOPs", "share", "operations"])


def _short(name: str) -> str:
    return name.removeprefix("aten.")
