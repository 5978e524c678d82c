"""Laws of a job under a button: its progress takes the button's place, its end is told once, its failure stays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from components import news, session
from models.core.runs import RunError, Status


class Server:
    """The runs of a server that does what the test says."""

    def __init__(self) -> None:
        self.now = Status("run", "running", epoch=0.4)
        self.started: list[str] = []
        self.refuses = False

    def start(self, module: str, spec: Any, *, owner: str) -> str:
        if self.refuses:
            raise RunError("Too many runs.")
        self.started.append(module)
        return "run"

    def status(self, run: str, owner: str) -> Status:
        return self.now


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(session, "client", lambda: made)
    monkeypatch.setattr(news, "of", lambda run: SimpleNamespace(frame={"n": 7}))
    return made


def page() -> AppTest:
    def script():
        import streamlit as st

        from components import controls
        from components.cnn import jobs
        from models.cnn import downloads

        jobs.offer(
            "job",
            "Go",
            "models.cnn.downloads",
            downloads.Spec(),
            doing="Going",
            done=lambda frame: st.session_state.update(heard=frame["n"]),
        )
        if error := jobs.failed("job"):
            controls.explain(error)

    return AppTest.from_function(script, default_timeout=60).run()


def progress(at: AppTest) -> list[str]:
    return [bar.proto.text for bar in at.get("progress")]


def test_progress_takes_the_buttons_place_until_the_end_is_heard(server):
    at = page()
    assert not progress(at)
    at.button[0].click().run()
    assert server.started == ["models.cnn.downloads"]
    assert progress(at) == ["Going: 40%"]
    assert not at.button
    server.now = Status("run", "done", epoch=1.0)
    at.run()
    assert at.session_state["heard"] == 7
    assert at.button
    assert not at.error


def test_what_went_wrong_stays_until_the_next_try(server):
    at = page()
    server.now = Status("run", "failed", message="No network. Go on with digits.")
    at.button[0].click().run()
    at.run()
    assert "No network" in at.error[0].value
    assert at.button
    at.run()
    assert at.error
    server.now = Status("run", "running")
    at.button[0].click().run()
    assert not at.error
    assert progress(at) == ["Going"]


def test_a_server_that_starts_nothing_says_so(server):
    server.refuses = True
    at = page()
    at.button[0].click().run()
    assert "Too many runs" in at.error[0].value
