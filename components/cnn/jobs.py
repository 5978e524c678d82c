"""Something that takes a while and is not training: a button starts it in a worker, its progress takes the button's place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from components import address, news, session
from models.core.runs import RunError
from models.core.spec import Spec, SpecError

Done = Callable[[Mapping[str, Any]], None]


def offer(
    key: str, label: str, module: str, spec: Spec, *, doing: str, done: Done, help: str = ""
) -> None:
    """A button that starts `module` with these settings, or how far that is.

    Args:
        key: of the button; what went wrong is kept under it and `failed` gives it.
        doing: the words beside the progress. done: called with the last frame, before the page is drawn again.
    """
    if running(key):
        watch(key, doing, done)
        return
    st.button(
        label,
        key=key,
        icon=":material/cloud_download:",
        on_click=start,
        args=(key, module, spec),
        help=help or None,
    )


@session.whole
def start(key: str, module: str, spec: Spec) -> None:
    """Start a job under this key; for callbacks."""
    try:
        run = session.client().start(module, spec, owner=session.owner())
    except RunError as error:
        st.session_state[f"{key}:failed"] = SpecError(str(error))
        return
    st.session_state[f"{key}:failed"] = None
    st.session_state[f"{key}:job"] = run


def running(key: str) -> bool:
    """Whether a job runs under this key."""
    return st.session_state.get(f"{key}:job") is not None


def failed(key: str) -> SpecError | None:
    """Why the last job under this key failed; None once another one was started."""
    return st.session_state.get(f"{key}:failed")


@address.every(0.5)
def watch(key: str, doing: str, done: Done) -> None:
    """How far the job is; when it ends, `done` hears of it and the whole page is drawn again."""
    run = st.session_state.get(f"{key}:job")
    if run is None:
        return
    status = session.client().status(run, session.owner())
    if status.state in ("queued", "running"):
        share = min(1.0, max(0.0, status.epoch))
        st.progress(share, f"{doing}: {share:.0%}" if share else doing)
        return
    known = news.of(run)
    if status.state == "done" and known.frame:
        done(known.frame)
    else:
        st.session_state[f"{key}:failed"] = SpecError(status.message, detail=status.detail)
    st.session_state[f"{key}:job"] = None  # last: whoever interrupts this before does it again
    st.rerun()
