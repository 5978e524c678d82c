"""Jobs: started once however often asked for, read when done, said when failed, found again after a reload."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from components import job, news, session
from components.job import Job
from models.core.runs import RunError, Status
from models.core.spec import SpecError
from models.data import profiling

SPEC = profiling.Spec(data="upload:" + "0" * 64)


class Server:
    """The runs of a server that does what the test says."""

    def __init__(self) -> None:
        self.states: dict[str, Status] = {}
        self.stopped: list[str] = []
        self.refuses = False
        self.first = "running"

    def start(self, module: str, spec: Any, *, owner: str) -> str:
        if self.refuses:
            raise RunError("Too many runs.")
        run = f"run {len(self.states)}"
        self.states[run] = Status(run, self.first, module=module, mine=True, detail=owner)
        return run

    def turn(self, state: str, **more: Any) -> None:
        run, status = list(self.states.items())[-1]
        self.states[run] = Status(run, state, module=status.module, mine=True, **more)

    def status(self, run: str, owner: str) -> Status:
        return self.states.get(run) or Status(run, "failed", known=False)

    def runs(self, owner: str) -> list[Status]:
        return list(self.states.values())

    def stop(self, run: str, owner: str) -> None:
        self.stopped.append(run)
        self.turn("stopped", message="Stopped.")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(session, "client", lambda: made)
    monkeypatch.setattr(session, "owner", lambda: "me")
    monkeypatch.setattr(news, "of", lambda run: SimpleNamespace(frame={"n": 7}))
    for kept in (job._remembered, job._failures, job._taken):
        kept().clear()
    return made


def test_the_same_job_is_started_once_and_again_when_its_run_is_gone(server: Server) -> None:
    first = Job("models.x", SPEC).run()
    assert Job("models.x", SPEC).run() == first
    assert Job("models.x", SPEC, shared=True).run() != first
    server.states.clear()
    assert Job("models.x", SPEC).begun() is None
    Job("models.x", SPEC).run()
    assert len(server.states) == 1


def test_everybody_watches_a_shared_job_that_nobody_owns(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Job("models.x", SPEC, shared=True).run()
    assert server.states[first].detail != "me"
    monkeypatch.setattr(session, "owner", lambda: "another")
    assert Job("models.x", SPEC, shared=True).run() == first


def test_a_frame_is_read_when_the_job_is_done(server: Server) -> None:
    reading = Job("models.x", SPEC)
    assert reading.frame() is None
    server.turn("done")
    assert reading.frame() == {"n": 7}
    assert len(server.states) == 1


def test_a_failure_is_said_for_a_while_and_then_tried_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(job.time, "monotonic", lambda: now)
    server.first = "failed"
    reading = Job("models.x", SPEC)
    for _ in range(3):
        with pytest.raises(SpecError):
            reading.frame()
    assert len(server.states) == 1
    now, server.first = 11.0, "done"
    assert reading.frame() == {"n": 7}
    assert len(server.states) == 2


def test_what_cannot_start_is_said_in_words(server: Server) -> None:
    server.refuses = True
    with pytest.raises(SpecError, match="Too many"):
        Job("models.x", SPEC).frame()
    with pytest.raises(SpecError, match="Too many"):
        job.begin("models.x", SPEC)


def test_what_is_taken_in_is_found_by_every_page_until_one_has_taken_it(server: Server) -> None:
    job.begin("models.x", SPEC)
    job.begin("models.y", SPEC)
    waiting = job.waiting("models.x")
    assert [status.module for status in waiting] == ["models.x"]
    job.taken(waiting[0].id)
    assert job.waiting("models.x") == []
    assert len(job.waiting("models.y")) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status("r", "queued", message="Waiting for a free place: 2 of 3."), "Doing: Waiting for"),
        (Status("r", "running", seconds=3.2), "Doing (3 s so far)"),
        (
            Status("r", "running", seconds=3, epoch=0.25, step=1200),
            "Doing: 25%, 1,200 done, about 9 s to go",
        ),
    ],
)
def test_progress_says_the_place_in_line_or_what_is_left(status: Status, words: str) -> None:
    assert job.progress(status, "Doing").startswith(words)


def _page() -> None:
    import streamlit as st

    from components.job import Job
    from models.data import profiling

    reading = Job("models.x", profiling.Spec(data="upload:" + "0" * 64))
    frame = reading.frame()
    if frame is None:
        reading.watch("Reading", lambda frame: st.session_state.update(heard=frame["n"]))
    else:
        st.write(f"read {frame['n']}")


def test_a_page_shows_the_progress_then_hears_of_the_end_and_is_drawn_again(server: Server) -> None:
    at = AppTest.from_function(_page, default_timeout=30).run()
    assert [b.label for b in at.button] == ["Stop"]
    server.turn("done")
    at.run()
    assert at.markdown[0].value == "read 7"


def test_a_job_can_be_stopped(server: Server) -> None:
    at = AppTest.from_function(_page, default_timeout=30).run()
    at.button[0].click().run()
    assert server.stopped == ["run 0"]
    assert "Stopped." in at.exception[0].message  # the page's to explain
