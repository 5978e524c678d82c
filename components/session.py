"""Whose page this is, and the runs that it may start, steer and watch."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from models.core import runs
from models.data import owners

_COOKIE = "playground_owner"  # set by app/middleware.py
P = ParamSpec("P")
_TOLD = "session:told"  # keys of the messages that this drawing of the page has shown
_BEGUN: dict[str, list[functools.partial[None]]] = {}  # by session; empty lists but for an instant


def owner() -> str:
    """The name under which this browser's runs are kept: its cookie, else one that lasts for the session."""
    cookie = st.context.cookies.get(_COOKIE)
    if isinstance(cookie, str) and owners.genuine(cookie):  # AppTest has cookies of no type
        return cookie
    return st.session_state.setdefault("_owner", secrets.token_urlsafe(24))


def client() -> runs.Client:
    """The runs of this server."""
    return runs.client()


def started(module: str) -> dict[Any, str]:
    """Settings → id of this browser's runs of a topic that are under way or done, the newest last.

    What a page goes on with that was loaded again, or opened in a second tab.
    """
    found: dict[Any, str] = {}
    for status in client().runs(owner()):
        if status.module == module and status.state in ("queued", "running", "done"):
            with suppress(runs.RunError):  # it was dropped just now
                spec = client().spec(status.id)
                found.pop(spec, None)
                found[spec] = status.id
    return found


def told(key: str) -> Any:
    """What a callback left in the session under `key`, once: it goes when the page has been drawn to its end.

    Streamlit cuts a run short, at any access to the session or any element, when the next click arrives; a message
    that is taken out before it is shown is lost with such a run.
    """
    message = st.session_state.get(key)
    if message is not None:
        st.session_state.setdefault(_TOLD, set()).add(key)
    return message


def drawing() -> None:
    """A page begins to be drawn; call it before any widget.

    Callbacks that were cut short are carried out, and messages that an earlier run did not get to the end with are
    still to be told.
    """
    for call in _BEGUN.get(_id(), [])[:]:
        _carry_out(call)
    st.session_state.pop(_TOLD, None)


def drawn() -> None:
    """The page stands: what it told is not told again."""
    for key in st.session_state.get(_TOLD, ()):
        st.session_state.pop(key, None)
    st.session_state.pop(_TOLD, None)


def whole(callback: Callable[P, None]) -> Callable[P, None]:
    """An `on_change` that is carried out even when it is cut short; one that may be begun twice.

    A timer's message that leaves the browser just before the one of the change itself brings the new value along and
    so calls the callback; then the other message arrives and ends that run, at the callback's next access to the
    session, and Streamlit never calls it again. The next drawing of the page does.
    """

    @functools.wraps(callback)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        _carry_out(functools.partial(callback, *args, **kwargs))

    return run


def _carry_out(call: functools.partial[None]) -> None:
    begun = _BEGUN.setdefault(_id(), [])
    if call not in begun:
        begun.append(call)
    try:
        call()
    except Exception:  # its own; what cuts it short is none
        _settle(call)
        raise
    _settle(call)


def _settle(call: functools.partial[None]) -> None:
    begun = _BEGUN.get(_id(), [])
    with suppress(ValueError):  # another run of the page has made it good
        begun.remove(call)
    if not begun:
        _BEGUN.pop(_id(), None)


def _id() -> str:
    """The session's, without an access to its state, any of which may end a run."""
    context = get_script_run_ctx()
    return context.session_id if context else ""
