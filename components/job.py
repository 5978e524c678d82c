"""What takes longer than a moment and is no training: started once in a worker, watched, and read when it is done.

A job is its topic and its settings: asked for again, after a reload or in another tab, it is the same run.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from components import address, news, session
from models.core.runs import RunError, Status
from models.core.spec import Spec, SpecError

Then = Callable[[Mapping[str, Any]], None]
_EVERYONE = (
    secrets.token_urlsafe()
)  # owns what every visitor watches: nobody's cookie, so nobody steers it
_MOST = 1000  # runs remembered
_SAID_FOR = 10.0  # seconds in which a failure is said again before the job is tried once more
_LOOK = 0.03  # seconds between two looks at a run that is waited for
_WAITS = ("queued", "running")


@dataclass(frozen=True)
class Job:
    """A topic with settings, in a worker.

    Attributes:
        module: the topic; its `train` or `run` is what happens.
        shared: every visitor watches the same run, so that a page shows something true at first sight.
    """

    module: str
    spec: Spec
    shared: bool = False

    def run(self) -> str:
        """The id of its run, which is started where there is none (any more).

        Raises:
            RunError: too many runs wait already.
        """
        found = self.begun()
        return found.id if found else self.begin()

    def begin(self) -> str:
        """Start it, also where it ran before.

        Raises:
            RunError: too many runs wait already.
        """
        known = _remembered()
        run = session.client().start(self.module, self.spec, owner=self._owner)
        while len(known) >= _MOST:
            known.pop(next(iter(known)))
        known[self._key] = run
        return run

    def begun(self) -> Status | None:
        """How its run stands; None where it has none."""
        run = _remembered().get(self._key)
        status = session.client().status(run, session.owner()) if run else None
        return status if status and status.known else None

    def frame(self, patience: float = 0.0) -> Mapping[str, Any] | None:
        """What it came to, the last frame of its run; None while that waits or runs. Starts it where need be.

        `patience`: seconds in which most such jobs are done, so that the page need not be drawn twice.

        Raises:
            SpecError: it could not start, failed, or was stopped; a moment later it is tried again.
        """
        if error := _failures().get(self._key):
            if time.monotonic() < error[0] + _SAID_FOR:
                raise error[1]
            self.forget()
        client, end = session.client(), time.monotonic() + patience
        try:
            run = self.run()
            while (status := client.status(run, session.owner())).state in _WAITS:
                if time.monotonic() > end:
                    return None
                time.sleep(_LOOK)
        except RunError as error:
            raise SpecError(str(error)) from None
        if status.state == "done":
            return news.of(run).frame
        failure = SpecError(status.message, "data", status.detail)
        _failures()[self._key] = (time.monotonic(), failure)
        raise failure

    def forget(self) -> None:
        """The next one who asks starts it anew."""
        _remembered().pop(self._key, None)
        _failures().pop(self._key, None)

    def watch(self, doing: str, then: Then | None = None) -> None:
        """How far it is; when it is over the whole page is drawn again, after `then` heard of its last frame.

        `doing`: the words beside the progress. A failure is left to whoever asks for the frame.
        """
        status = self.begun()
        if status is not None:
            watch(status.id, doing, lambda status: self._over(status, then))

    def _over(self, status: Status, then: Then | None) -> None:
        frame = news.of(status.id).frame if status.state == "done" else None
        if then is not None and frame:
            then(frame)

    @property
    def _owner(self) -> str:
        return _EVERYONE if self.shared else session.owner()

    @property
    def _key(self) -> tuple[str, str, Spec]:
        return self._owner, self.module, self.spec


def begin(module: str, spec: Spec) -> None:
    """Start what is taken in by whichever page of this browser is open when it is done; for callbacks.

    Raises:
        SpecError: too many runs wait already.
    """
    try:
        session.client().start(module, spec, owner=session.owner())
    except RunError as error:
        raise SpecError(str(error)) from None


def waiting(module: str) -> list[Status]:
    """This browser's runs of a topic that nobody has `taken` in yet, the oldest first; over or not."""
    mine = session.client().runs(session.owner())
    return [status for status in mine if status.module == module and status.id not in _taken()]


def taken(run: str) -> None:
    """What the run came to is where it belongs: no page looks at it again."""
    _taken()[run] = None


@address.every(0.5)
def watch(run: str, doing: str, over: Callable[[Status], None]) -> None:
    """How far a run is, with its place in the queue, the time it still takes and a way to stop it.

    When it is over, `over` is called and the whole page drawn again.
    """
    client, me = session.client(), session.owner()
    status = client.status(run, me)
    if status.state not in _WAITS:
        over(status)
        st.rerun()
    share = min(1.0, max(0.0, status.epoch))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(share, progress(status, doing))
        if status.mine:
            st.button(
                "Stop", key=f"job:stop:{run}", icon=":material/stop:", on_click=_stop, args=(run,)
            )


def progress(status: Status, doing: str) -> str:
    """How far a run is, in words."""
    if status.state == "queued":
        return f"{doing}: {status.message}"
    share = min(1.0, max(0.0, status.epoch))
    if not share:
        return f"{doing} ({status.seconds:.0f} s so far)"
    left = status.seconds * (1 - share) / share
    return f"{doing}: {share:.0%}, {status.step:,} done, about {left:.0f} s to go"


def _stop(run: str) -> None:
    try:
        session.client().stop(run, session.owner())
    except (RunError, PermissionError):  # over already
        return


@st.cache_resource
def _remembered() -> dict[tuple[str, str, Spec], str]:
    """Owner, topic and settings → run, of the whole server."""
    return {}


@st.cache_resource
def _failures() -> dict[tuple[str, str, Spec], tuple[float, SpecError]]:
    """… → when and why it failed last."""
    return {}


@st.cache_resource
def _taken() -> dict[str, None]:
    return {}
