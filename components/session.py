"""Whose page this is, and the runs that it may start, steer and watch."""

from __future__ import annotations

import secrets

import streamlit as st

from models.core import runs

_COOKIE = "playground_owner"  # set by app/middleware.py


def owner() -> str:
    """The name under which this browser's runs are kept: its cookie, else one that lasts for the session."""
    cookie = st.context.cookies.get(_COOKIE)
    if isinstance(cookie, str) and cookie:  # AppTest has cookies of no type
        return cookie
    return st.session_state.setdefault("_owner", secrets.token_urlsafe(24))


def client() -> runs.Client:
    """The runs of this server."""
    return runs.client()
