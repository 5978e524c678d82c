"""A few warm processes that answer what a learner wrote, each of which can be ended at any time.

Runs go on for minutes and are watched; a question is answered in milliseconds and waited for. Both share the
supervisor, its forkserver and its rules of fairness: owners take turns, and one owner never holds every place.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any

import psutil

from models.core.runs import evaluator
from models.core.runs.fairness import FairQueue
from models.core.runs.status import Overrun, RunError

_LOOK = 0.05  # seconds between two looks at a question under way
_LONG = 0.3  # seconds after which a question lets others go first
_SLACK = 3  # times its limit that a question may take by the clock where the machine is busy
_PATIENCE = 60.0  # seconds that a question waits for its turn
_AGAIN = 2.0  # seconds between two tries to start one
_WAITING = 8  # questions of one owner that may wait
_MB = 2**20


@dataclass(eq=False)
class _Evaluator:
    process: Any
    pipe: Connection
    held: int = 0  # bytes when it was warm


class Evaluators:
    """`count` questions at once, and one process more that is ready when one of them is ended.

    Args:
        launch: starts a process of `evaluator.main` on this end of a pipe, and returns it.
        memory: bytes that a process holds of its own, by its id; kill: ends it now.
    """

    def __init__(
        self,
        launch: Callable[[], tuple[Any, Connection]],
        count: int,
        memory: Callable[[int], int],
        kill: Callable[[Any], None],
    ) -> None:
        self._launch, self._count, self._memory, self._kill = launch, count, memory, kill
        self._changed = threading.Condition()
        self._idle: deque[_Evaluator] = deque()
        self._working: set[_Evaluator] = set()
        self._starting = 0
        self._queue = FairQueue()
        self._given: dict[str, _Evaluator] = {}
        self._busy: Counter[str] = Counter()
        self._tickets = map(str, itertools.count())
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The processes that are ready or at work."""
        with self._changed:
            return [one.process.pid for one in (*self._idle, *self._working)]

    def fill(self) -> None:
        """Start what is missing, each in a thread of its own: the first one waits for imports."""
        with self._changed:
            missing = self._count + 1 - len(self._idle) - len(self._working) - self._starting
            missing = 0 if self._closed else max(0, missing)
            self._starting += missing
        for _ in range(missing):
            threading.Thread(target=self._start, daemon=True).start()

    def ask(
        self,
        question: bytes,
        owner: str,
        seconds: float,
        memory_mb: int,
        caller: Connection | None = None,
    ) -> bytes:
        """The answer to a question, packed.

        Args:
            caller: who waits for it; when that end hangs up, the question is ended.

        Raises:
            Overrun: it took too long, too much memory, or crashed its process.
            RunError: too many wait.
            EOFError: the caller hung up.
        """
        one = self._take(owner, caller)
        keep = False
        try:
            answer, keep = self._answered(one, question, seconds, memory_mb, caller)
        finally:
            if not keep:
                self._kill(one.process)
                one.pipe.close()
            self._give_back(one, owner, keep)
        return answer

    def close(self) -> None:
        """End every evaluator now."""
        with self._changed:
            self._closed = True
            for one in (*self._idle, *self._working):
                self._kill(one.process)
            self._idle.clear()

    def _start(self) -> None:
        try:
            process, pipe = self._launch()
            connection.wait([pipe, process.sentinel])
            if pipe.poll() and pipe.recv_bytes() == evaluator.KEEP:
                with self._changed:
                    if self._closed:
                        self._kill(process)
                        return
                    one = _Evaluator(process, pipe, self._memory(process.pid))
                    self._idle.appendleft(one)  # those that have answered before are warmer
        except (OSError, EOFError):
            return  # the next question tries again
        finally:
            with self._changed:
                self._starting -= 1
                self._grant()

    def _take(self, owner: str, caller: Connection | None) -> _Evaluator:
        """An evaluator of one's own, when it is this owner's turn."""
        again = time.monotonic() + _AGAIN
        until = time.monotonic() + _PATIENCE
        with self._changed:
            if self._queue.waiting(owner) >= _WAITING:
                raise RunError(
                    f"{_WAITING} of your questions are waiting already. Wait until one of them is answered."
                )
            if not (self._idle or self._working):
                self.fill()
            ticket = next(self._tickets)
            self._queue.put(owner, ticket)
            self._grant()
            try:
                while ticket not in self._given:
                    if caller is not None and caller.poll():
                        raise EOFError
                    if time.monotonic() > until:
                        raise RunError(
                            "Many are computing at this moment, so this was not evaluated. Try again in a moment."
                        )
                    if time.monotonic() > again:
                        self.fill()  # one that could not be started
                        again += _AGAIN
                    self._changed.wait(_LOOK)
            except BaseException:
                self._queue.remove(ticket)
                if ticket in self._given:
                    self._give_back(self._given.pop(ticket), owner, True)
                raise
            return self._given.pop(ticket)

    def _give_back(self, one: _Evaluator, owner: str, keep: bool) -> None:
        with self._changed:
            self._working.discard(one)
            self._busy[owner] -= 1
            if not self._busy[owner]:
                del self._busy[owner]
            if keep:
                self._idle.append(one)
            self._grant()
            self.fill()

    def _grant(self) -> None:
        """Give idle evaluators to who is next; called with the lock held."""
        most = max(1, self._count - 1)  # of one owner
        while self._idle and len(self._working) < self._count:
            owners: list[str] = []

            def allowed(owner: str, owners: list[str] = owners) -> bool:
                owners[:] = [owner]
                return self._busy[owner] < most

            ticket = self._queue.take(allowed)
            if ticket is None:
                break
            self._busy[owners[0]] += 1
            self._given[ticket] = one = self._idle.pop()
            self._working.add(one)
        self._changed.notify_all()

    def _answered(
        self,
        one: _Evaluator,
        question: bytes,
        seconds: float,
        memory_mb: int,
        caller: Connection | None,
    ) -> tuple[bytes, bool]:
        ends = [one.pipe] if caller is None else [one.pipe, caller]
        started, before, gentle = time.monotonic(), _computed(one.process.pid), False
        try:
            one.pipe.send_bytes(question)
            while True:
                ready = connection.wait(ends, _LOOK)
                if one.pipe in ready:
                    message = one.pipe.recv_bytes()
                    return message[1:], message[:1] == evaluator.KEEP and not gentle
                if ready:
                    raise _Gone
                took = time.monotonic() - started
                if took > _LONG and not gentle:
                    gentle = True
                    with contextlib.suppress(psutil.Error, OSError):
                        psutil.Process(one.process.pid).nice(10)
                worked = _computed(one.process.pid) - before
                # on a machine so busy that less than half of the time was this process's own, it may take longer
                if took > seconds and (worked > seconds / 2 or took > _SLACK * seconds):
                    raise Overrun(
                        f"This took longer than {seconds:g} seconds, the most that may be computed at once here, "
                        "so it was ended. Use smaller sizes, or fewer turns."
                    )
                if self._memory(one.process.pid) - one.held > memory_mb * _MB:
                    raise Overrun(
                        f"This needs more than the {memory_mb} MB of memory that one evaluation may take here, "
                        "so it was ended. Use smaller sizes, or fewer pieces."
                    )
        except _Gone:
            raise EOFError from None
        except (EOFError, OSError):
            raise Overrun(
                "The process that computed this crashed, and was replaced. Nothing else was touched: change what "
                "you wrote last, or use smaller sizes."
            ) from None


class _Gone(Exception):
    """Who asked has hung up."""


def _computed(pid: int) -> float:
    """Seconds that a process has computed since it began."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system
