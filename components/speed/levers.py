"""The More levers part: every switch with its measured effect."""

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
    """What helps here, in one sentence and one picture."""
    rows = found.told["levers"]
    tried = {n: r for n, r in rows.items() if "verdict" in r}
    good = sorted(
        (r for r in tried.values() if r["verdict"]["kind"] == "faster"),
        key=lambda r: -r["verdict"]["ratio"],
    )
    bad = [r for r in tried.values() if r["verdict"]["kind"] == "slower"]
    helped = ", ".join(f"**{r['title']}** ({r['verdict']['ratio']:.2g}×)" for r in good)
    hurt = ", ".join(r["title"] for r in bad)
    st.markdown(
        f"Of {len(tried)} levers tried here, {len(good)} {'makes' if len(good) == 1 else 'make'} it faster{f': {helped}' if helped else ''}. "
        + (f"Slower: {hurt}. " if hurt else "")
        + "The rest is not distinguishable from the noise."
    )
    measure.busy(found.told)
    with lesson.stage():
        figure(
            figures.levers(rows),
            key="speed-levers",
            height=400,
            alt="How many times faster each lever makes it, with the range that the noise allows.",
        )


def more(found: Found) -> None:
    """Each lever's numbers, those that cannot be tried here, and schedules at equal time."""
    told = found.told
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "lever": r["title"],
                    "without": verdict.duration(r["without"]["median"]),
                    "with": verdict.duration(r["with"]["median"]),
                    "verdict": _short(r["verdict"]),
                    "changes the result by": _change(r["difference"]),
                    "what it does": r["about"],
                }
                for r in told["levers"].values()
                if "verdict" in r
            ]
        ),
        hide_index=True,
    )
    for row in told["levers"].values():
        if "why_not" in row:
            st.markdown(f"- **{row['title']}** was not tried: {row['why_not']}")
    _schedules(told)


def _short(ruling: Mapping[str, Any]) -> str:
    """A verdict for a narrow column."""
    if ruling["kind"] == "same":
        return f"not distinguishable ({ruling['low']:.2g} to {ruling['high']:.2g}×)"
    low, high, ratio = ruling["low"], ruling["high"], ruling["ratio"]
    if ruling["kind"] == "slower":
        low, high, ratio = 1 / high, 1 / low, 1 / ratio
    return f"{ratio:.3g}× {ruling['kind']} ({low:.3g} to {high:.3g})"


def _change(share: float | None) -> str:
    """How far the result is from the one without the lever, in words."""
    if share is None:
        return "not compared"
    return "nothing" if share == 0 else "rounding" if share < 1e-5 else f"{share:.2%}"


def _schedules(told: Mapping[str, Any]) -> None:
    rows, rulings = told["schedules"], told["schedule_verdicts"]
    count = len(next(iter(rows.values())))
    lasting = verdict.duration(told["schedule_seconds"])
    st.markdown(f"##### Schedules and clipping, {lasting} each, from {count} beginnings")
    figure(
        figures.equal_time({name: [r[1] for r in runs] for name, runs in rows.items()}),
        key="speed-schedules",
        height=300,
        alt="Loss after the same time, every repeat a mark, the median a diamond, one row per schedule.",
    )
    for ruling in rulings.values():
        st.markdown(f"- {ruling['text']}")
    steps = {name: sorted(r[2] for r in runs) for name, runs in rows.items()}
    fewest = min(counts[0] for counts in steps.values())
    if fewest < 20:
        st.caption(
            f":material/warning: Only {fewest} steps fitted into {lasting} once: measure longer, or make the model smaller."
        )
    said = "; ".join(f"{name}: {counts[0]:,} to {counts[-1]:,}" for name, counts in steps.items())
    st.caption(
        f"Loss on the batch that is trained on. Every schedule starts from the same {count} sets of weights, in turns; it is ranked "
        f"only where all {count} repeats agree. Steps that fitted in: {said}."
    )
