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
    end = f"The first call took **{verdict.duration(firsts[0])}**, "
    if paid is not None:
        end += f"paid back after **{paid:,.0f} calls**."
    elif told["verdict"]["kind"] == "slower":
        end += "and no number of calls pays that back here."
    else:
        end += "and whether that is ever paid back cannot be told here."
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
                    firsts, samples["eager"]["median"], samples["compiled"]["median"], paid
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
    count, broken = told["graphs"], len(told["breaks"])
    st.markdown(
        f"##### {count} graph{'s' * (count != 1)}, {broken} graph break{'s' * (broken != 1)}"
    )
    if not told["breaks"]:
        st.markdown("The whole forward pass is one graph: nothing makes the compiler stop.")
    for reason, line in told["breaks"]:
        where = _number(told["source"], line)
        st.markdown(
            f"- {f'**Line {where}**: ' if where else ''}`{line}` – {_explained(reason)} Dynamo says: {reason}"
        )
    if told["source"]:
        st.code(told["source"], language="python", line_numbers=True)


def _explained(reason: str) -> str:
    """Dynamo's reason in a learner's words; "" for one not known here."""
    return next((text for sign, text in _REASONS.items() if sign in reason), "")


# what Dynamo's first line holds → what it means
_REASONS = {
    "generic_jump": "Python's `if` needs a number now, so the graph so far has to run before the way is known.",
    "ata-dependent": "Python needs a number now, so the graph so far has to run before it goes on.",
    "item": "`.item()` hands a number to Python, which the compiler cannot follow.",
    "print": "`print` is no tensor operation: it has to happen between two graphs.",
}


def _number(source: str, line: str) -> int | None:
    lines = [text.strip() for text in source.splitlines()]
    return lines.index(line) + 1 if line and line in lines else None
