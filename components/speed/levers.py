"""The More levers part: every switch with its measured effect."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from components import lesson
from components.figures import speed as figures
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
        f"Of {len(tried)} levers tried here, {len(good)} make it faster{f': {helped}' if helped else ''}. "
        + (f"Slower: {hurt}. " if hurt else "")
        + "The rest is not distinguishable from the noise."
    )
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
                    "what it does": r["about"],
                    "without": verdict.duration(r["without"]["median"]),
                    "with": verdict.duration(r["with"]["median"]),
                    "verdict": r["verdict"]["text"],
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
    st.markdown("##### Schedules and clipping, after the same time")
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "learning rate": name,
                    "steps": r["steps"],
                    "first loss": r["first"],
                    "last loss": r["loss"],
                }
                for name, r in sorted(
                    told["schedules"].items(),
                    key=lambda item: (
                        item[1]["loss"] if item[1]["loss"] is not None else float("inf")
                    ),
                )
            ]
        ),
        hide_index=True,
    )
    st.caption(
        "Loss on the batch that is trained on, from the same weights. One run each: compare large differences only."
    )
