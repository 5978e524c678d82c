"""How an own table was read, in one line that opens: what was decided, and the settings that decide otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import streamlit as st

from components import controls, session
from components.controls import Panel
from models.data import decisions, workspace
from models.data.csv_files import CsvOptions, Profile
from models.data.decisions import Decision
from models.data.wording import count

OPTIONS = tuple(field.name for field in dataclasses.fields(CsvOptions))
_LISTED = 12


def line(
    panel: Panel,
    found: Profile | None,
    left_out: Mapping[str, str] | None = None,
    rows: Sequence[str] = (),
) -> None:
    """The line; what the file itself does not settle stands below it, with the other reading on a button.

    Args:
        panel: settings with the fields of `CsvOptions`, which the widgets here change.
        found: None where the file could not be read so: the widgets alone.
        left_out: columns that are no features, and why; rows: which are lost to what, a sentence each.
    """
    if found is None:
        with st.expander("How the file is read", key=f"{panel.prefix}-open-how", expanded=True):
            panel.draw(*OPTIONS)
        return
    left_out = left_out or {}
    short = [one.short for one in found.decisions if one.short]
    short += [count(len(left_out), "column") + " left out"] if left_out else []
    short += rows[:1]
    noted = len(found.notes)
    short += [count(noted, "note")] if noted else []
    # drawn also while it is closed: a bound widget that is not drawn would lose its value from the address
    with st.expander(
        f"Read as: {controls.plain(' · '.join(short))}",
        icon=":material/table_view:",
        key=f"{panel.prefix}-open-reading-{'rows' if rows else 'card'}",  # closed again once it trains
    ):
        left, right = st.columns([3, 2], gap="large")
        with left:
            _sentences(found, left_out, rows)
        with right:
            panel.draw(*OPTIONS)
    for place, one in enumerate(found.decisions):
        if one.doubtful:
            _ask(panel, one, place)


def _sentences(found: Profile, left_out: Mapping[str, str], rows: Sequence[str]) -> None:
    parts = {
        "The file": [d.sentence for d in found.decisions if d.short and not d.doubtful],
        "Noted on the way": list(found.notes),
        "Columns left out": [
            f"{workspace.display_name(name, 40)}: {why}" for name, why in left_out.items()
        ],
        "Rows": list(rows),
    }
    for title, sentences in parts.items():
        if sentences:
            listed = "\n".join(f"- {controls.plain(one)}" for one in sentences[:_LISTED])
            more = len(sentences) - _LISTED
            st.markdown(f"**{title}**\n{listed}" + (f"\n- and {more} more" if more > 0 else ""))


def _ask(panel: Panel, one: Decision, place: int) -> None:
    """A decision that a person should look at, with the other readings on buttons."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(controls.plain(one.sentence), icon=":material/help:", width="stretch")
        for number, choice in enumerate(one.others):

            @session.whole
            def choose(choice: decisions.Choice = choice) -> None:
                now = str(panel.values[one.option])
                value = decisions.put(now, choice, one.option)
                controls.put(panel.prefix, **{one.option: value})

            st.button(
                choice.label,
                key=f"{panel.prefix}-otherwise-{place}-{number}",
                on_click=choose,
                help="Read the file in this way instead.",
            )
