"""The process that owns all workers of one server: it starts, limits and ends them, and keeps what they show.

It never imports torch: specs and commands pass through as bytes, pictures come back encoded.
It ends, and every worker with it, when its standard input closes, which happens however the server dies.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import os
import queue
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from models.core.runs import evaluator, messages, worker
from models.core.runs import limits as limits_module
from models.core.runs.evaluators import Evaluators
from models.core.runs.fairness import FairQueue
from models.core.runs.history import History
from models.core.runs.limits import Limits
from models.core.runs.status import RunError, Status, gone

# Imported once, shared by every worker: what a first step would otherwise wait for. A topic that runs in workers
# adds a line here; one that is edited while the server lives is imported afresh by its next worker.
PRELOAD = (
    "models.core.runs.worker",  # first: it notes the time that edits are compared with
    "torch",
    "torch._dynamo",  # the first optimizer of a process imports it
    "torch.optim",
    "torch.utils.flop_counter",
    "models.core.wire",
    "models.training",
    "models.speed",
    "models.core.runs.answers",
    "models.tensor_ops",
    "models.autograd",
)
# Called once by every evaluator before its first question: what PyTorch imports only when it is used.
WARM = ("models.autograd.language:warm",)
_TICK = 0.02  # seconds between two looks at what is overdue
_MEMORY_EVERY = 5  # ticks between two looks at memory
_MB = 2**20


@dataclass(eq=False)
class Run:
    """One run: what was asked, the process while it lives, and what it has shown."""

    id: str
    module: str
    spec: bytes
    owner: str
    device: str
    exclusive: bool  # it measures: no other such run beside it
    reads: bool  # it opens a file: it has a line of its own, and ends once it is done
    history: History
    changed: threading.Condition
    orders: list[tuple] = field(default_factory=list)
    state: str = "queued"
    message: str = ""
    detail: str = ""
    step: int = 0
    epoch: float = 0.0
    rate: tuple[float | None, float | None] = (None, None)
    created: float = field(default_factory=time.time)
    seconds: float = 0.0  # computing time the worker told last
    heard: float = field(default_factory=time.monotonic)  # when it told so
    asked: float = field(default_factory=time.monotonic)  # last order
    ended: float = 0.0
    ordered: int = 0  # pause, resume, step and speed so far
    parked_at: int | None = (
        None  # orders that the worker had obeyed when it stood still; None: it moves
    )
    process: Any = None
    inherited: int | None = None  # bytes that the process held when it was first looked at
    outbox: queue.SimpleQueue | None = None  # orders for the worker; None: nobody takes any
    kill_at: float = 0.0
    commands: int = 0
    replies: OrderedDict[int, bytes] = field(default_factory=OrderedDict)
    peeks: deque[float] = field(default_factory=deque)

    @property
    def live(self) -> bool:
        """Whether a process works or waits for orders."""
        return self.outbox is not None

    @property
    def parked(self) -> bool:
        """Whether the worker stands still and has obeyed every order."""
        return self.parked_at == self.ordered

    @property
    def computing(self) -> float:
        """Seconds of computing so far."""
        moving = self.live and self.state == "running" and not self.parked
        return self.seconds + (time.monotonic() - self.heard if moving else 0.0)


class Supervisor:
    """All runs of a server. Its public methods are what a `Client` may call, from many threads."""

    def __init__(self, limits: Limits, preload: Sequence[str] = PRELOAD) -> None:
        self._limits = limits
        self._warming = WARM if preload is PRELOAD else ()
        self._lock = threading.RLock()
        self._runs: dict[str, Run] = {}
        self._queue = FairQueue()
        self._measuring = FairQueue()  # runs of which only one may live at a time
        self._reading = FairQueue()  # runs that wait for none of the others
        self._seen: dict[str, float] = {}
        methods = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context(
            "forkserver" if "forkserver" in methods else "spawn"
        )
        if "forkserver" in methods:
            self._context.set_forkserver_preload(["models.core.runs.orphan", *preload])
        self._processes = (
            threading.Lock()
        )  # one thread at a time may start or reap: each start reaps others
        self._warm = threading.Event()
        self._evaluators = Evaluators(self._evaluator, limits.evaluators, _memory, _kill)
        threading.Thread(target=self._warm_up, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    # ---- what a client calls ----

    def ready(self, timeout: float) -> bool:
        """Whether workers start at once by now; waits for it."""
        return self._warm.wait(timeout)

    def start(self, module: str, spec: bytes, owner: str, device: str, orders: list[tuple]) -> str:
        """A new run, started now or queued; its id."""
        if not module.startswith(self._limits.modules):
            raise RunError(f"{module} is no topic of this playground.")
        kept = self._limits
        with self._lock:
            self._see(owner)
            exclusive, reads = module.startswith(kept.exclusive), module in kept.reading
            line = self._line_of(exclusive, reads)
            if line.waiting(owner) >= kept.queued_per_owner:
                raise RunError(
                    f"You have {line.waiting(owner)} runs waiting already, which is the most. "
                    "Stop one of them, or wait until one has started."
                )
            run = Run(
                secrets.token_urlsafe(16),
                module,
                spec,
                owner,
                device,
                exclusive,
                reads,
                History(kept.rows, kept.events, kept.frames, kept.frames_mb, kept.blobs_mb),
                threading.Condition(self._lock),
                orders,
            )
            self._runs[run.id] = run
            line.put(owner, run.id)
            self._schedule()
            return run.id

    def status(self, id: str, owner: str | None) -> Status:
        with self._lock:
            self._see(owner)
            run = self._runs.get(id)
            return self._status(run, owner) if run else gone(id)

    def runs(self, owner: str) -> list[Status]:
        """This owner's runs, the oldest first."""
        with self._lock:
            self._see(owner)
            return [self._status(run, owner) for run in self._runs.values() if run.owner == owner]

    def spec(self, id: str) -> bytes:
        with self._lock:
            return self._known(id).spec

    def order(self, id: str, owner: str, order: tuple, wait: float) -> Status:
        """Pause, resume, step or speed; waits a moment for a pause to be true."""
        with self._lock:
            run = self._owned(id, owner)
            if not run.live:
                if run.state != "queued":
                    raise RunError(_over(run))
                _queue(run, order)
                return self._status(run, owner)
            self._tell(run, order)
            run.ordered += 1
            if order[0] in _STILL and run.state == "running":
                run.state = "paused"
            if order[0] == "resume" and run.state == "paused":
                run.state = "running"
            if order[0] == "pause":
                run.changed.wait_for(lambda: run.parked or not run.live, wait)
            return self._status(run, owner)

    def stop(self, id: str, owner: str, message: str) -> Status:
        """End a run, by itself if it can within the grace time; what it has shown is kept."""
        with self._lock:
            run = self._owned(id, owner)
            self._end(run, "stopped", message)
            self._schedule()
            return self._status(run, owner)

    def send(self, id: str, owner: str, name: str, args: bytes) -> int:
        """A command for the topic; the number under which its reply will be found."""
        with self._lock:
            run = self._owned(id, owner)
            return self._command(run, name, args)

    def reply(self, id: str, number: int, timeout: float) -> bytes | None:
        """The reply to a command as JSON, or None when none came in time."""
        with self._lock:
            run = self._known(id)
            run.changed.wait_for(lambda: number in run.replies or not run.live, timeout)
            if run.state == "queued":
                raise RunError("This run is still waiting for its turn; it answers once it runs.")
            if number not in run.replies and not run.live:
                raise RunError(_over(run))
            return run.replies.get(number)

    def blob(self, id: str, name: str) -> bytes | None:
        with self._lock:
            return self._known(id).history.blobs.get(name)

    def poll(self, id: str, since: str, owner: str | None) -> bytes:
        """What is new, as the JSON of the route."""
        with self._lock:
            self._see(owner)
            run = self._runs.get(id)
            status = self._status(run, owner) if run else gone(id)
            news = (run.history if run else History()).news(since)
            epochs = run.history.epochs if run else []
        head = status.public() | {"cursor": news.cursor, "reset": news.reset, "frames": epochs}
        pieces = [json.dumps(head, allow_nan=False).encode()[:-1]]
        pieces.append(b',"rows":[' + b",".join(news.rows) + b"]")
        pieces.append(b',"events":[' + b",".join(news.events) + b"]")
        if news.scene is not None:
            pieces.append(b',"scene":' + news.scene)
        if news.frame is not None:
            pieces.append(b',"frame":' + news.frame)
        return b"".join((*pieces, b"}"))

    def frame(self, id: str, epoch: float, args: bytes, timeout: float) -> bytes | None:
        """The picture of a past epoch: a kept one, the live run's own answer, or the nearest kept one."""
        with self._lock:
            run = self._known(id)
            kept = run.history.frame_at(epoch)
            if kept is not None and kept.epoch == epoch:
                return kept.frame
            number = None
            if run.live and self._may_peek(run):
                with contextlib.suppress(RunError):
                    number = self._command(run, "peek", args)
            if number is not None:
                run.changed.wait_for(lambda: number in run.replies or not run.live, timeout)
                answer = run.replies.get(number, b"null")
                if answer.startswith(b"{"):
                    return answer
            return kept.frame if kept else None

    def ask(
        self, question: bytes, owner: str, seconds: float, memory_mb: int, caller: Connection
    ) -> bytes:
        """The packed answer to a question; `Evaluators.ask` says how it may fail."""
        self._see(owner)
        return self._evaluators.ask(question, owner, seconds, memory_mb, caller)

    def health(self) -> dict[str, Any]:
        """How many runs live and wait."""
        with self._lock:
            live = [run for run in self._runs.values() if run.live]
            return {
                "warm": self._warm.is_set(),
                "live": len(live),
                "queued": (queued := sum(map(len, self._lines))),
                "evaluators": self._evaluators.pids,
                "kept": len(self._runs) - len(live) - queued,
                "workers": [
                    r.process.pid for r in self._runs.values() if r.process and r.process.pid
                ],
            }

    def close(self) -> None:
        """End every worker now."""
        self._evaluators.close()
        with self._lock:
            for run in self._runs.values():
                if run.process is not None:
                    _kill(run.process)

    # ---- starting and ending ----

    def _warm_up(self) -> None:
        process = self._context.Process(target=_nothing)
        with self._processes:
            process.start()
        connection.wait([process.sentinel])
        self._warm.set()
        self._evaluators.fill()

    def _evaluator(self) -> tuple[Any, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=evaluator.main, args=(theirs, self._warming), daemon=True
        )
        with self._processes:
            process.start()
        theirs.close()
        return process, ours

    def _schedule(self) -> None:
        """Start what may start; called with the lock held whenever a place may have become free."""
        while len(self._queue):
            id = self._queue.take(self._has_place)
            if id is None:
                break
            self._launch(self._runs[id])
        while len(self._reading):
            id = self._reading.take(self._may_read)
            if id is None:
                break
            self._launch(self._runs[id])
        # `process` outlives `live`: a stopped measurement disturbs the next one until it is gone
        if len(self._measuring) and not any(
            run.exclusive and (run.live or run.process is not None) for run in self._runs.values()
        ):
            id = self._measuring.take(self._has_place)
            if id is not None:
                self._launch(self._runs[id])

    def _may_read(self, owner: str) -> bool:
        """Whether this owner may have another file opened now."""
        live = [run for run in self._runs.values() if run.reads and run.live]
        own = sum(run.owner == owner for run in live)
        return own < self._limits.reading_per_owner and len(live) < self._limits.per_server

    def _has_place(self, owner: str) -> bool:
        """Whether this owner may start a run now; puts an idle worker away if that is what it takes."""
        live = [run for run in self._runs.values() if run.live and not run.reads]
        own = [run for run in live if run.owner == owner]
        full, own_full = len(live) >= self._limits.per_server, len(own) >= self._limits.per_owner
        if not full and not own_full:
            return True
        asleep = time.monotonic() - self._limits.paused_seconds
        candidates = [run for run in (own if own_full else live) if run.state == "done"]
        if not candidates and not own_full:
            candidates = [run for run in live if run.parked and run.asked < asleep]
        if not candidates:
            return False
        victim = min(candidates, key=lambda run: run.asked)
        if victim.state == "done":
            self._put_away(victim)
        else:
            minutes = self._limits.paused_seconds / 60
            self._end(
                victim,
                "stopped",
                f"This run was paused for more than {minutes:g} minutes while others waited, so it gave "
                "its place away. What it has shown is kept; press Play to run it again.",
            )
        return True

    def _launch(self, run: Run) -> None:
        ours, theirs = self._context.Pipe()
        live = sum(other.live for other in self._runs.values())
        share = limits_module.threads(1 << 16, 1 if run.exclusive else live + 1)
        run.process = self._context.Process(
            target=worker.main,
            args=(
                theirs,
                run.module,
                run.spec,
                run.device,
                share,
                list(run.orders),
                not run.exclusive,
            ),
            daemon=False,  # a topic may have children of its own
        )
        run.outbox = queue.SimpleQueue()
        run.state, run.ordered = "running", sum(order[0] != "command" for order in run.orders)
        for order in run.orders:
            if order[0] in _STILL:
                run.state = "paused"
            elif order[0] == "resume":
                run.state = "running"
        run.heard = run.asked = time.monotonic()
        # Starting takes 10 ms once warm, but the first time it waits until everything is imported.
        threading.Thread(target=self._serve, args=(run, ours, theirs), daemon=True).start()

    def _serve(self, run: Run, ours: Connection, theirs: Connection) -> None:
        """One run's thread: start the process, take what it says until it ends."""
        with self._lock:
            process, delivery = run.process, run.outbox
            if delivery is None:  # stopped before it began
                run.process = None
                return
        with self._processes:
            process.start()
        theirs.close()
        threading.Thread(target=_deliver, args=(delivery, ours), daemon=True).start()
        while True:
            ready = connection.wait([ours, process.sentinel])
            if ours not in ready:
                break
            try:
                head, parts = messages.unpack(ours.recv_bytes())
            except (EOFError, OSError):
                break
            with self._lock:
                self._take(run, head, parts)
        if not connection.wait([process.sentinel], 2):
            _kill(process)
        connection.wait([process.sentinel])
        with self._processes:
            code = process.exitcode
        with self._lock:
            self._end(run, *_death(code))
            delivery.put(None)
            run.process = None
            self._schedule()
        ours.close()

    def _take(self, run: Run, head: dict[str, Any], parts: list[bytes]) -> None:
        """A message of a worker."""
        if run.ended:
            return
        run.seconds, run.heard = head["seconds"], time.monotonic()
        if "parked" in head:
            run.parked_at = head["parked"]
        elif "end" in head:
            message = head.get("message", "" if head["end"] == "done" else "Stopped.")
            self._end(run, head["end"], message, head.get("detail", ""))
        else:
            self._show(run, head, parts)
        run.changed.notify_all()

    def _show(self, run: Run, head: dict[str, Any], parts: list[bytes]) -> None:
        run.step, run.epoch, run.rate = head["step"], head["epoch"], tuple(head["rate"])
        if head["final"]:
            run.state = "done"
        elif run.state == "done":
            run.state = "running" if head["moving"] else "paused"
        if "scene" in head:
            run.history.set_scene(run.step, parts[head["scene"]])
        run.history.add_rows((step, parts[index]) for step, index in head["rows"])
        if "frame" in head:
            run.history.set_frame(run.step, run.epoch, parts[head["frame"]])
        for index in head["events"]:
            run.history.add_event(parts[index])
        refused = run.history.set_blobs({name: parts[index] for name, index in head["blobs"]})
        for name in refused:
            text = f"{name} is larger than the {self._limits.blobs_mb} MB kept of one run; it was left out."
            run.history.add_event(json.dumps({"kind": "note", "text": text}).encode())
        for number, index in head["replies"]:
            run.replies[number] = parts[index]
        while len(run.replies) > 64:
            run.replies.popitem(last=False)
        if head["final"] and run.reads:
            self._put_away(run)

    def _end(self, run: Run, state: str, message: str, detail: str = "") -> None:
        """The run is over, whatever its process still does; the first reason stands."""
        if run.ended:
            return
        if run.state != "done":
            run.state = state
        if run.state != "done" or state == "failed":
            run.message, run.detail = message, detail
        run.ended = time.monotonic()
        run.orders = []
        self._line(run).remove(run.id)
        self._release(run)

    def _put_away(self, run: Run) -> None:
        """End the process of a finished run; the run stays done."""
        self._end(run, "done", "")

    def _release(self, run: Run) -> None:
        if run.outbox is not None:
            run.outbox.put(("stop",))
            run.outbox = None
            run.kill_at = time.monotonic() + self._limits.grace_seconds
        run.changed.notify_all()

    # ---- limits ----

    def _watch(self) -> None:
        """Hold the limits, for as long as the supervisor lives."""
        for tick in itertools.count():
            time.sleep(_TICK)
            try:
                self._check(tick % _MEMORY_EVERY == 0)
            except Exception:  # one run's trouble must not end the watch over the others
                traceback.print_exc()

    def _check(self, slowly: bool) -> None:
        now = time.monotonic()
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            process = run.process
            if run.ended and process is not None and now > run.kill_at and process.pid:
                _kill(process)
            elif slowly and run.live and process is not None and process.pid:
                self._check_live(run, process.pid)
            if slowly:
                self._check_idle(run, now)
        if slowly:
            with self._lock:
                self._forget(now)
                self._schedule()

    def _check_live(self, run: Run, pid: int) -> None:
        limits = self._limits
        now = _memory(pid)
        if run.inherited is None:
            run.inherited = (
                now  # a forked worker starts with the pages of all that was imported before
            )
        held = (now - run.inherited) / _MB
        if held > limits.memory_mb:
            with self._lock:
                if not run.ended:
                    self._end(
                        run,
                        "failed",
                        f"This run held {held:.0f} MB of memory; the most a run may hold here is "
                        f"{limits.memory_mb} MB. Make the model, the batch or the data smaller.",
                    )
                    run.kill_at = 0.0
        if run.reads and run.computing > limits.reading_seconds:
            with self._lock:
                self._end(
                    run,
                    "failed",
                    f"The file was read for {_duration(limits.reading_seconds)}, the most that opening one may take "
                    "here. Keep a part of it.",
                )
        elif run.computing > limits.wall_seconds:
            with self._lock:
                self._end(
                    run,
                    "stopped",
                    f"This run has computed for {_duration(limits.wall_seconds)}, the most a run may "
                    "take here, so it was stopped. What it has shown is kept.",
                )

    def _check_idle(self, run: Run, now: float) -> None:
        if run.ended or now - self._seen.get(run.owner, now) <= self._limits.idle_seconds:
            return
        with self._lock:
            if now - self._seen[run.owner] > self._limits.idle_seconds:
                self._end(
                    run,
                    "stopped",
                    f"Its owner was away for {_duration(self._limits.idle_seconds)}, so the run was "
                    "stopped. What it has shown is kept; press Play to run it again.",
                )

    def _forget(self, now: float) -> None:
        """Drop the oldest ended runs beyond what is kept."""
        over = [run for run in self._runs.values() if run.ended and run.process is None]
        over.sort(key=lambda run: run.ended)
        size = sum(run.history.size for run in over)
        while over and (
            len(over) > self._limits.keep_runs
            or size > self._limits.keep_mb * _MB
            or now - over[0].ended > self._limits.keep_seconds
        ):
            run = over.pop(0)
            size -= run.history.size
            del self._runs[run.id]
        owners = {run.owner for run in self._runs.values()}
        for owner in set(self._seen) - owners:
            if now - self._seen[owner] > self._limits.idle_seconds:
                del self._seen[owner]

    # ---- helpers ----

    def _line(self, run: Run) -> FairQueue:
        """Where this run waits or would wait."""
        return self._line_of(run.exclusive, run.reads)

    def _line_of(self, exclusive: bool, reads: bool) -> FairQueue:
        return self._measuring if exclusive else self._reading if reads else self._queue

    @property
    def _lines(self) -> tuple[FairQueue, ...]:
        return self._queue, self._measuring, self._reading

    def _see(self, owner: str | None) -> None:
        if owner:
            self._seen[owner] = time.monotonic()

    def _known(self, id: str) -> Run:
        run = self._runs.get(id)
        if run is None:
            raise RunError(gone(id).message)
        return run

    def _owned(self, id: str, owner: str) -> Run:
        run = self._known(id)
        self._see(owner)
        if not secrets.compare_digest(run.owner.encode(), owner.encode()):
            raise PermissionError(
                "Only the one who started this run can steer it. You can watch it, "
                "or press Play to start one of your own with the same settings."
            )
        run.asked = time.monotonic()
        return run

    def _tell(self, run: Run, order: tuple) -> None:
        if run.outbox is None:
            raise RunError(_over(run))
        if run.outbox.qsize() > _MOST_ORDERS:
            raise RunError(_TOO_MANY)
        run.outbox.put(order)

    def _command(self, run: Run, name: str, args: bytes) -> int:
        run.commands += 1
        order = ("command", run.commands, name, args)
        if run.state == "queued":
            _queue(run, order)
        else:
            self._tell(run, order)
        return run.commands

    def _may_peek(self, run: Run) -> bool:
        now = time.monotonic()
        while run.peeks and now - run.peeks[0] > 1:
            run.peeks.popleft()
        if len(run.peeks) >= self._limits.peeks_per_second:
            return False
        run.peeks.append(now)
        return True

    def _status(self, run: Run, owner: str | None) -> Status:
        line = self._line(run)
        position = line.position(run.id) if run.state == "queued" else 0
        message = run.message
        if position and run.exclusive:
            message = (
                f"Measurements run one at a time, so that they do not disturb each other: this one is "
                f"{position} of {len(line)} waiting."
            )
        elif position:
            live = sum(other.live for other in self._runs.values())
            message = (
                f"Waiting for a free place: {position} of {len(line)}. "
                f"Live on this server: {live} {'run' if live == 1 else 'runs'}."
            )
        elif run.state == "paused" and not run.parked and run.live:
            message = "Pauses after this batch."
        return Status(
            id=run.id,
            state=run.state,
            position=position,
            message=message,
            detail=run.detail,
            mine=bool(owner) and secrets.compare_digest(run.owner.encode(), str(owner).encode()),
            step=run.step,
            epoch=run.epoch,
            epochs_per_second=run.rate[0],
            samples_per_second=run.rate[1],
            answering=run.live,
            module=run.module,
            device=run.device,
            created=run.created,
            seconds=run.computing,
        )


_MOST_ORDERS = 100  # that a run has not taken yet
_TOO_MANY = f"The run has not taken the last {_MOST_ORDERS} orders yet. Wait a moment, or stop it."
_STILL = ("pause", "step_batch", "step_epoch")  # orders after which a run does not go on by itself


def main() -> None:
    """Serve one server: settings come as a line on standard input, the address goes out on standard output."""
    settings = json.loads(sys.stdin.buffer.readline())
    for prefixes in ("modules", "exclusive", "reading"):
        settings["limits"][prefixes] = tuple(settings["limits"][prefixes])
    folder = Path(tempfile.mkdtemp(prefix="playground-"))
    tempfile.tempdir = str(
        folder
    )  # multiprocessing's sockets go here too, so that nothing is left behind
    try:
        address = None if sys.platform == "win32" else str(folder / "runs")
        listener = connection.Listener(address, authkey=bytes.fromhex(settings["authkey"]))
        answer = json.dumps({"address": listener.address}) + "\n"
        os.write(1, answer.encode())
        os.dup2(
            2, 1
        )  # what topics print goes to the server's log; the pipe to the server would fill up
        supervisor = Supervisor(Limits(**settings["limits"]), settings["preload"] or PRELOAD)
        threading.Thread(target=_accept, args=(listener, supervisor), daemon=True).start()
        while sys.stdin.buffer.read(1):
            pass  # the pipe closes when the server ends, even by SIGKILL
        supervisor.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        sys.stderr.flush()
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(
                0, signal.SIGKILL
            )  # the group is ours alone: nothing that a worker started stays
        os._exit(0)  # without waiting for threads that still serve a run


_METHODS = (
    "ready",
    "start",
    "ask",
    "status",
    "runs",
    "spec",
    "order",
    "stop",
    "send",
    "reply",
    "blob",
    "poll",
    "frame",
    "health",
)


def _accept(listener: connection.Listener, supervisor: Supervisor) -> None:
    while True:
        try:
            client = listener.accept()
        except (multiprocessing.AuthenticationError, EOFError, OSError):
            continue
        threading.Thread(target=_answer, args=(client, supervisor), daemon=True).start()


def _answer(client: Connection, supervisor: Supervisor) -> None:
    """Answer one client thread's questions until it hangs up."""
    try:
        while True:
            name, args = client.recv()
            try:
                if name not in _METHODS:
                    raise RunError(f"a supervisor has no {name}")
                more = (client,) if name == "ask" else ()
                answer = (True, getattr(supervisor, name)(*args, *more))
            except EOFError:  # whoever asked has gone
                break
            except (RunError, PermissionError) as error:
                answer = (False, error)
            except Exception:
                traceback.print_exc()
                answer = (False, RunError("The run supervisor met an error; see the server's log."))
            client.send(answer)
    except (EOFError, OSError):
        pass
    client.close()


def _deliver(outbox: queue.SimpleQueue, pipe: Connection) -> None:
    """Send a worker its orders; a thread of its own, since a frozen worker would block it."""
    while (order := outbox.get()) is not None:
        try:
            pipe.send(order)
        except (OSError, ValueError):
            return


def _nothing() -> None:
    pass


def _queue(run: Run, order: tuple) -> None:
    """Keep what a waiting run is told until it starts."""
    if len(run.orders) > _MOST_ORDERS:
        raise RunError(_TOO_MANY)
    run.orders.append(order)


def _over(run: Run) -> str:
    return f"This run is over ({run.state}). Press Play to start it again."


def _death(code: int | None) -> tuple[str, str, str]:
    """State, message and detail of a run whose process ended without a word."""
    name = ""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
    if name == "SIGKILL":
        text = (
            "The run's process was killed from outside, which mostly means that the machine ran out of "
            "memory. The other runs go on; press Play to start this one again."
        )
    elif name:
        text = f"The run's process crashed ({name}). The other runs go on; press Play to start it again."
    else:
        text = "The run's process ended unexpectedly. The other runs go on; press Play to start it again."
    return "failed", text, name or f"exit code {code}"


def _kill(process: Any) -> None:
    """End a process and the ones it started, now."""
    if process.pid is None:  # which psutil would read as this very process
        return
    try:
        parent = psutil.Process(process.pid)
        family = [*parent.children(recursive=True), parent]
    except psutil.Error:
        return
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()


def _memory(pid: int) -> int:
    """Bytes of memory a process holds, files mapped by many not counted."""
    try:
        about = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0
    return about.rss - getattr(about, "shared", 0)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
