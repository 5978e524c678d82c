"""Whose page this is, and the runs that it may start, steer and watch."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from typing import Any, ParamSpec

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException

from models.core import runs

_COOKIE = "playground_owner"  # set by app/middleware.py
P = ParamSpec("P")
_TOLD = "session:told"  # keys of the messages that this drawing of the page has shown


def owner() -> str:
    """The name under which this browser's runs are kept: its cookie, else one that lasts for the session."""
    cookie = st.context.cookies.get(_COOKIE)
    if isinstance(cookie, str) and cookie:  # AppTest has cookies of no type
        return cookie
    return st.session_state.setdefault("_owner", secrets.token_urlsafe(24))


def client() -> runs.Client:
    """The runs of this server."""
    return runs.client()


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
    """A page begins to be drawn; messages that an earlier run did not get to the end with are still to be told."""
    st.session_state.pop(_TOLD, None)


def drawn() -> None:
    """The page stands: what it told is not told again."""
    for key in st.session_state.get(_TOLD, ()):
        st.session_state.pop(key, None)
    drawing()


def whole(callback: Callable[P, None]) -> Callable[P, None]:
    """A callback that is carried out although the next click arrives meanwhile; one that may be begun twice.

    Streamlit leaves a callback at its next access to the session then, and never comes back to it: an upload would
    be taken in and forgotten.
    """

    @functools.wraps(callback)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except RerunException:
            callback(*args, **kwargs)  # the request that cut it has been taken off the queue
            raise

    return run
