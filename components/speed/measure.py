"""One measurement at a time: started by a button, waited for in line, shown when it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from components import address, demo, lesson, session
from models.core import runs, wire
from models.core.runs import Status
from models.speed import Spec

MODULE = "models.speed"
LONG = ("compile",)  # takes half a minute, for which others wait: only when asked for
_MINE = "speed:runs"  # in the session: settings → the id of their measurement


def run(spec: Spec) -> str | None:
    """The measurement to show: of these settings, else the last one of this part, else none."""
    mine: dict[Spec, str] = st.session_state.setdefault(_MINE, {})
    linked = st.query_params.get("run")
    client = session.client()
    if linked and spec not in mine and client.status(linked).known and _spec(linked) == spec:
        mine[spec] = linked
    found = mine.get(spec)
    if found and client.status(found).known:
        return found
    if spec == Spec(part=spec.part) and spec.part not in LONG:
        return demo.run(MODULE, spec)
    return None


def button(spec: Spec, shown: str | None) -> None:
    """Measure, or measure again."""
    status = session.client().status(shown, session.owner()) if shown else None
    moving = status is not None and status.state in ("queued", "running")
    if moving and status is not None and status.mine:
        st.button("Stop", key="speed-stop", icon=":material/stop:", on_click=_stop, args=(shown,))
    else:
        st.button(
            "Measure again" if shown else "Measure",
            key="speed-measure",
            type="secondary" if shown else "primary",
            icon=":material/timer:",
            on_click=_start,
            args=(spec,),
            disabled=moving,
            help="Runs in a process of its own; one measurement at a time on this machine.",
        )
    if shown is None:
        st.caption(
            "Not measured yet with these settings."
            + (" Below is this part's last measurement." if _last(spec.part) else "")
            + (" Compiling takes 10 to 40 seconds." if spec.part in LONG else ""),
            width="content",
        )


@dataclass(frozen=True)
class Found:
    """A finished measurement: its id, the settings it ran with, and what it found."""

    run: str
    spec: Spec
    told: Mapping[str, Any]


def found(spec: Spec, shown: str | None) -> Found | None:
    """The finished measurement to draw; else says how far it is, or what went wrong."""
    if shown is None:
        shown = _last(spec.part)
    if shown is None:
        return None
    status = session.client().status(shown)
    if status.state in ("queued", "running"):
        address.every(0.4)(_wait)(shown)
        return None
    told = result(shown)
    if told is None:
        why = status.message or "It ended before it was complete."
        lesson.problem("This measurement has no result", why, status.detail)
        return None
    st.session_state[f"speed:last:{spec.part}"] = shown
    return Found(shown, _spec(shown), told)


def result(run: str) -> dict[str, Any] | None:
    """What a finished measurement found."""
    try:
        packed = session.client().blob(run, "result")
    except runs.RunError:
        return None
    return None if packed is None else wire.loads(packed)


def progress(run: str) -> str:
    """The last thing a measurement said about what it does."""
    rows = session.client().history(run).get("rows", [])
    return rows[-1]["text"] if rows else "Starting"


def mine() -> list[tuple[Status, Spec]]:
    """This learner's finished measurements, the oldest first, and the shared ones this page has shown."""
    client = session.client()
    own = [s for s in client.runs(session.owner()) if s.module == MODULE]
    shown = {run for key, run in st.session_state.items() if str(key).startswith("speed:last:")}
    known = {s.id for s in own}
    own += [s for run in sorted(shown - known) if (s := client.status(run)).known]
    return [(s, _spec(s.id)) for s in sorted(own, key=lambda s: s.created) if s.state == "done"]


def _wait(run: str) -> None:
    status = session.client().status(run)
    if status.state not in ("queued", "running"):
        st.rerun()
    text = status.message if status.state == "queued" else f"{progress(run)} …"
    st.info(text, icon=":material/timer:")


def _start(spec: Spec) -> None:
    try:
        found = session.client().start(MODULE, spec, owner=session.owner())
    except runs.RunError as error:
        st.session_state["speed:refused"] = str(error)
        return
    st.session_state.setdefault(_MINE, {})[spec] = found


def _stop(run: str) -> None:
    try:
        session.client().stop(run, session.owner())
    except (runs.RunError, PermissionError) as error:
        st.session_state["speed:refused"] = str(error)


def _last(part: str) -> str | None:
    return st.session_state.get(f"speed:last:{part}")


def _spec(run: str) -> Spec:
    return session.client().spec(run)
