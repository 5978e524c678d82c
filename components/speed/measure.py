"""One measurement at a time: started by a button, waited for in line, shown when it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from components import address, demo, lesson, session
from models.core import runs, wire
from models.speed import Spec, kept
from models.speed.kept import Kept

MODULE = "models.speed"
LONG = ("compile",)  # takes half a minute, for which others wait: only when asked for
_MINE = "speed:runs"  # in the session: settings → the id of their measurement


def run(spec: Spec) -> str | None:
    """The measurement of these settings to show: this session's, the link's, else a kept one."""
    mine = _mine()
    linked = address.value("run")
    if linked and spec not in mine and _spec(linked) == spec:
        mine[spec] = linked
    found = mine.get(spec)
    if found and _spec(found):
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
    if status is not None and not status.known:
        st.caption("Kept from an earlier time of this server.", width="content")
    if shown is None:
        st.caption(
            "Not measured yet with these settings."
            + (" Below is this part's last measurement." if _last(spec.part) else "")
            + (" Compiling takes 10 to 40 seconds." if spec.part in LONG else ""),
            width="content",
        )


@dataclass(frozen=True)
class Found:
    """A finished measurement: its id, the settings it ran with, what it found, whether the server has its files."""

    run: str
    spec: Spec
    told: Mapping[str, Any]
    whole: bool = True


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
    told, about = result(shown), _spec(shown)
    if told is None or about is None:
        why = status.message or "It ended before it was complete."
        lesson.problem("This measurement has no result", why, status.detail)
        return None
    st.session_state[f"speed:last:{spec.part}"] = shown
    if status.known:
        kept.keep(session.owner(), shown, status.created, about, told)
    return Found(shown, about, told, status.known)


def busy(told: Mapping[str, Any]) -> None:
    """Says how noisy the measurement was, and how much of the machine others used meanwhile."""
    said = [told["noise"]] if told.get("noise") else []
    if told.get("busy", 0.0) > 0.2:
        said.append(f"Other programs used {told['busy']:.0%} of this machine meanwhile.")
    if said:
        st.caption(f":material/warning: {' '.join(said)}")


def result(run: str) -> dict[str, Any] | None:
    """What a finished measurement found: as the server has it, else as it was kept."""
    try:
        packed = session.client().blob(run, "result")
    except runs.RunError:
        return kept.result(session.owner(), run)
    return None if packed is None else wire.loads(packed)


def progress(run: str) -> str:
    """The last thing a measurement said about what it does."""
    rows = session.client().history(run).get("rows", [])
    return rows[-1]["text"] if rows else "Starting"


def history() -> list[Kept]:
    """This learner's finished measurements, the oldest first: those of earlier days and servers, too."""
    client, me = session.client(), session.owner()
    for status in client.runs(me):
        if status.module == MODULE and status.state == "done" and not kept.has(me, status.id):
            told, about = result(status.id), _spec(status.id)
            if told is not None and about is not None:
                kept.keep(me, status.id, status.created, about, told)
    return kept.listing(me)


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
    _mine()[spec] = found


def _stop(run: str) -> None:
    try:
        session.client().stop(run, session.owner())
    except (runs.RunError, PermissionError) as error:
        st.session_state["speed:refused"] = str(error)


def _last(part: str) -> str | None:
    return st.session_state.get(f"speed:last:{part}")


def _mine() -> dict[Spec, str]:
    """Settings → the id of their measurement in this session; it begins with the newest kept ones and those under way."""
    if _MINE not in st.session_state:
        me = session.owner()
        found = {one.spec: one.run for one in kept.listing(me)}
        new = session.started(MODULE).items()  # without what was forgotten on purpose
        st.session_state[_MINE] = found | {spec: run for spec, run in new if not kept.has(me, run)}
    return st.session_state[_MINE]


def _spec(run: str) -> Spec | None:
    """The settings of a measurement that the server or this learner's history has."""
    try:
        found = session.client().spec(run)
    except runs.RunError:
        return kept.spec_of(session.owner(), run)
    return found if isinstance(found, Spec) else None
