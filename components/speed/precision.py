"""The Mixed precision part: what each kind of number costs and loses on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import lesson
from components.figures import speed as figures
from components.speed import measure
from components.speed.measure import Found
from components.views.figure import figure
from models.speed import verdict


def draw(found: Found) -> None:
    """What is slower first; then times and the scaler."""
    rows = found.told["rows"]
    st.markdown(headline([row["verdict"] for row in rows.values() if "verdict" in row]))
    measure.busy(found.told)
    with lesson.stage():
        left, right = st.columns(2, gap="medium")
        samples = {n: {**r["sample"], "first": r["first"]} for n, r in rows.items()}
        runs = {n: list(found.told["times"].get(n, [r["first"]])) for n, r in rows.items()}
        with left:
            figure(
                figures.times(runs, samples),
                key="speed-precisions",
                height=340,
                alt="Time of a full step in each precision: every run, the middle half, the median and the first call.",
            )
        with right:
            figure(
                figures.scaler(found.told["scaler"]),
                key="speed-scaler",
                height=340,
                alt="Loss scale of a GradScaler step by step: it halves when a gradient is infinite and the step is skipped, and doubles after three good steps.",
            )


def headline(rulings: list[Mapping[str, Any]]) -> str:
    """All verdicts against float32, what is slower first."""
    kinds = {ruling["kind"] for ruling in rulings}
    start = ""
    if "slower" in kinds and "faster" in kinds:
        start = "Not every smaller number is faster here. "
    elif "slower" in kinds:
        start = "Smaller numbers are **not** faster here. "
    ranked = sorted(rulings, key=lambda ruling: ruling["ratio"])
    return start + " ".join(ruling["text"] for ruling in ranked)


def more(found: Found) -> None:
    """Losses, memory, the dtype of every operation, and what gets lost."""
    told = found.told
    rows = told["rows"]
    st.dataframe(_table(rows), hide_index=True)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("##### The same training, from the same weights")
        lines = {n: r["losses"] for n, r in rows.items() if r.get("losses")}
        figure(
            figures.losses(lines),
            key="speed-losses",
            height=300,
            alt="Training loss by step, one line per precision.",
        )
        st.markdown("##### What smaller numbers cannot hold")
        st.dataframe(
            pd.DataFrame(
                [(n, "inf" if v is None else f"{v:.8g}") for n, v in told["cases"].items()],
                columns=["asked", "what it is"],
            ),
            hide_index=True,
        )
    with right:
        st.markdown("##### The dtype each operation really computed in")
        which = st.segmented_control(
            "Autocast to",
            list(told["dtypes"]),
            default=next(iter(told["dtypes"])),
            required=True,
            key="speed:dtypes",
            label_visibility="collapsed",
        )
        st.dataframe(pd.DataFrame(told["dtypes"][which]), hide_index=True, height=420)
        st.caption(
            "Read from every operation's own inputs while one small step ran under autocast; `_to_copy` is the conversion itself."
        )
    st.markdown(
        "**The scaler:** it multiplies the loss so that small gradients survive float16. A gradient beyond 65,504 becomes "
        "infinite: that step is skipped and the scale halves. After three good steps in a row it doubles."
    )


def _ended(losses: list[float | None] | None) -> str:
    if not losses:
        return "too slow here to train"
    return "not a number" if losses[-1] is None else f"{losses[-1]:.6g}"


def _table(rows: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    shown = []
    for name, row in rows.items():
        one = row["sample"]
        shown.append(
            {
                "precision": name,
                "median step": verdict.duration(one["median"]),
                "middle half": f"{verdict.duration(one['low'])} to {verdict.duration(one['high'])}",
                "peak memory": verdict.size(row["memory"]),
                "final loss": _ended(row.get("losses")),
                "error of the gradient": f"{row['gradient error']:.2g}"
                if row["gradient error"] is not None
                else "not a number",
            }
        )
    return pd.DataFrame(shown)
