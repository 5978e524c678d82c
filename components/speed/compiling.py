"""The Compile part: what compiling costs, gains, and when it has paid."""

from __future__ import annotations

import streamlit as st

from components import lesson
from components.figures import speed as figures
from components.speed import measure
from components.speed.measure import Found
from components.views.figure import figure
from models.speed import verdict


def draw(found: Found) -> None:
    """The verdict and the two pictures, or why there is nothing to compile with."""
    told = found.told
    if told["problem"]:
        lesson.problem("Nothing was compiled", told["problem"], told["detail"])
        return
    firsts, samples = told["firsts"], told["samples"]
    paid = told["break_even"]
    end = (
        f"The first call took {verdict.duration(firsts[0])}; that is paid back after **{paid:,.0f} calls**."
        if paid is not None
        else f"The first call took **{verdict.duration(firsts[0])}**, and no number of calls pays that back here."
    )
    st.markdown(f"**{told['verdict']['text']}** {end}")
    measure.busy(told)
    with lesson.stage():
        left, right = st.columns(2, gap="medium")
        with left:
            shown = {
                n: {**s, "first": told["firsts" if n == "compiled" else "eager_firsts"][0]}
                for n, s in samples.items()
            }
            figure(
                figures.times({n: list(t) for n, t in told["times"].items()}, shown),
                key="speed-compile-times",
                height=340,
                alt="Time of forward and backward, eager and compiled: every run, the middle half, the median and the first call.",
            )
        with right:
            figure(
                figures.break_even(
                    firsts, samples["eager"]["median"], samples["compiled"]["median"]
                ),
                key="speed-break-even",
                height=340,
                alt="Seconds spent after so many calls, eager and compiled; where the lines cross, compiling has paid.",
            )


def more(found: Found) -> None:
    """The first calls and the graph breaks."""
    told = found.told
    if not told["problem"]:
        listed = ", ".join(verdict.duration(t) for t in told["firsts"])
        st.markdown(
            f"**First calls of the compiled model:** {listed}. Its loss differs from eager's by {told['difference']:.2g}."
        )
    count = told["graphs"]
    st.markdown(f"##### {count} graph{'s' * (count != 1)}, {len(told['breaks'])} graph breaks")
    if not told["breaks"]:
        st.markdown("The whole forward pass is one graph: nothing makes the compiler stop.")
    for reason, line in told["breaks"]:
        where = _number(told["source"], line)
        st.markdown(f"- {f'**Line {where}**: ' if where else ''}`{line}`: {reason}")
    if told["source"]:
        st.code(told["source"], language="python", line_numbers=True)


def _number(source: str, line: str) -> int | None:
    lines = [text.strip() for text in source.splitlines()]
    return lines.index(line) + 1 if line and line in lines else None
