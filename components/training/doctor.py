"""What goes wrong in the run: a sentence with its numbers, and a button that sets it right."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import streamlit as st

from components import address, controls, news, session
from components.transport import Followed, Topic
from models.core.runs import RunError

_STOPS = {"stop", "branch"}


def findings(topic: Topic[Any], run: Followed[Any]) -> None:
    """The doctor's findings, looked up again every two seconds while the run moves."""
    if run.run is None:
        return
    moving = run.status.state in ("running", "queued")
    address.every(2 if moving else None)(_show)(topic, run.run)


def _show(topic: Topic[Any], run: str) -> None:
    flag = f"{topic.page}:fixed"
    if st.session_state.pop(flag, False):
        st.rerun()
    known = news.of(run)
    if stopped := known.latest("stop"):
        st.info(str(stopped["text"]), icon=":material/flag:")
    found = known.latest("doctor")
    listed: list[Mapping[str, Any]] = found["findings"] if found else []
    for i, finding in enumerate(listed):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/stethoscope: {_plain(finding['text'])}", width="stretch")
            fix = finding["fix"]
            if fix:
                st.button(
                    "Fix: " + ", ".join(f"{k} = {_number(v)}" for k, v in fix.items()),
                    key=f"{topic.page}-fix-{i}-{finding['name']}",
                    on_click=_apply,
                    args=(topic.page, run, finding["name"], fix, flag),
                )


def _apply(page: str, run: str, name: str, fix: Mapping[str, Any], flag: str) -> None:
    if name == "divergence":  # its weights are far off already: the settings are for a new run
        with contextlib.suppress(RunError, PermissionError):  # it has ended, or is another's
            session.client().stop(run, session.owner())
    controls.put(page, **fix)
    st.session_state[flag] = True


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(text: str) -> str:
    """Text that markdown must not read anything into."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#$|~:" else c for c in text)
