"""What the script knows of a run: its curves, events, scene and latest frame, fetched piece by piece."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from components import session
from models.core import runs, wire


@dataclass
class News:
    """Everything a run has told so far; `of` brings it up to date.

    Attributes:
        rows: points of the curves; events: what happened, oldest first.
        scene, frame: as the topic describes them; None before the first.
        status: the rest of the route's answer: "state", "step", "epoch", …
    """

    run: str
    cursor: str = ""
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    events: list[Mapping[str, Any]] = field(default_factory=list)
    scene: Mapping[str, Any] | None = None
    frame: Mapping[str, Any] | None = None
    status: Mapping[str, Any] = field(default_factory=dict)

    def latest(self, kind: str) -> Mapping[str, Any] | None:
        """The newest event of this kind."""
        return next((e for e in reversed(self.events) if e.get("kind") == kind), None)

    def take(self, answer: Mapping[str, Any]) -> None:
        """Add one answer of the run's route."""
        if answer.get("reset"):
            self.rows, self.events, self.scene, self.frame = [], [], None, None
        self.cursor = answer.get("cursor", self.cursor)
        for row in answer.get("rows", ()):
            while self.rows and self.rows[-1]["step"] >= row["step"]:
                self.rows.pop()  # training went back and goes on from there
            self.rows.append(row)
        self.events.extend(answer.get("events", ()))
        self.scene = answer.get("scene") or self.scene
        self.frame = answer.get("frame") or self.frame
        self.status = {
            k: v for k, v in answer.items() if k not in ("rows", "events", "scene", "frame")
        }


def of(run: str) -> News:
    """The news of a run as of now; only what is new since the last call is fetched."""
    kept: dict[str, News] = st.session_state.setdefault("news", {})
    if run not in kept:
        while len(kept) >= 12:
            kept.pop(next(iter(kept)))
        kept[run] = News(run)
    news = kept[run]
    with contextlib.suppress(runs.RunError):  # the transport bar says so
        news.take(wire.loads(session.client().poll(run, news.cursor, session.owner())))
    return news
