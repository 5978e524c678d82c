"""The process that one run lives in: it trains, shows what it has, and takes commands between two batches."""

from __future__ import annotations

import dataclasses
import gc
import importlib
import inspect
import os
import pickle
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any

from models.core.control import Command, Control, Snapshot, Stopped
from models.core.runs import messages

_PICTURE_SECONDS = (0.1, 0.5)  # between two pictures: never sooner than the first
_PICTURE_SHARE = 80  # … and so that drawing takes at most this part of the time
_QUESTION_SECONDS = (0.001, 0.003)  # between two questions about batches that are shorter
_AT_ONCE = 64
_IMPORTED = time.time()  # in a worker: before any topic was preloaded


class WorkerControl(Control):
    """The gate of a live run. The topic's thread asks it; another thread tells it what the learner wants.

    Args:
        announce: called on the topic's thread: with True and the number of orders obeyed so far when the
            run stands still (paused or finished), with False when it goes on.
    """

    def __init__(
        self,
        announce: Callable[[bool, int], None] = lambda parked, orders: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._announce, self._clock = announce, clock
        self._changed = threading.Condition()
        self._busy = True  # False: nothing to do at the gate but to let the batch through
        self._inbox: deque[Command] = deque()
        self._stopping = self._paused = self._finished = self._parked = False
        self._orders = 0  # pause, resume, step and speed so far
        self._announced = -1  # the orders when standing still was announced last
        self._batches = self._epochs = 0  # that may be stepped while paused
        self._interval = 0.0  # seconds per epoch; 0 = as fast as it goes
        self._per_epoch = 0.0  # batches per epoch; 0 = not known yet
        self._next_batch = 0.0
        self._granted = False  # a batch has been granted since the last question
        self._fresh = False  # the last picture shows the last batch
        self._shown = False  # "show" was asked since the last batch
        self._wanted = True  # a picture is due whatever the clock says
        self._unanswered: set[int] = set()
        self._next_picture = 0.0
        self._asked_at = 0.0
        self._asked_last = 0.0
        self._idle = 0.0  # seconds spent waiting at the gate
        self._pace: deque[tuple[float, float, int]] = deque()  # (busy seconds, epoch, samples)
        self._started = clock()

    # ---- asked by the topic ----

    def gate(self, epoch_ended: bool = False) -> list[Command]:
        if not self._busy:
            self._granted, self._fresh = True, False
            return []
        with self._changed:
            if self._granted:
                self._granted = False
                self._count(epoch_ended)
            while True:
                if self._stopping:
                    raise Stopped
                if self._inbox:
                    return self._take()
                if self._finished:
                    self._park()
                    continue
                if self._paused and not (self._batches or self._epochs):
                    if not (self._fresh or self._shown):
                        self._shown = self._wanted = True
                        return [Command("show")]
                    self._park()
                    continue
                if (late := self._late()) < 0:
                    self._wait(-late)
                    continue
                self._grant()
                return []

    def due(self) -> bool:
        now = self._clock()
        since, self._asked_last = now - self._asked_last, now
        if not self._busy:
            low, high = _QUESTION_SECONDS
            if since < low and self.at_once < _AT_ONCE:
                self.at_once *= 2
            elif since > high and self.at_once > 1:
                self.at_once //= 2
        if self._wanted or now >= self._next_picture:
            self._asked_at = now
            return True
        return False

    def clock(self) -> float:
        return self._clock() - self._idle

    # ---- told by the harness, on the topic's thread ----

    def sent(self, snapshot: Snapshot) -> set[int]:
        """Note that a snapshot has left; returns the commands that it had to answer and did not."""
        now = self._clock()
        with self._changed:
            left, self._unanswered = self._unanswered - set(snapshot.replies), set()
            self._finished = snapshot.final
            self._paused = self._paused or snapshot.final
            if snapshot.epoch > 0:
                self._per_epoch = snapshot.step / snapshot.epoch
            if snapshot.frame is not None:
                self._wanted, self._fresh = False, True
            if snapshot.frame is not None or not snapshot.replies:
                low, high = _PICTURE_SECONDS
                cost = max(0.0, now - self._asked_at) * _PICTURE_SHARE
                self._next_picture = now + (low if self._interval else min(max(cost, low), high))
            self._pace.append((self.seconds, snapshot.epoch, snapshot.samples))
            while len(self._pace) > 2 and self._pace[-1][0] - self._pace[1][0] > 1:
                self._pace.popleft()
            self._look()
        return left

    def rate(self) -> tuple[float | None, float | None]:
        """Epochs and samples per second over about the last second in which the run was moving; at most the chosen speed."""
        if len(self._pace) < 2:
            return None, None
        (start, epoch, samples), (end, last_epoch, last_samples) = self._pace[0], self._pace[-1]
        seconds = end - start
        if seconds <= 0 or last_epoch <= epoch:
            return None, None
        seconds = max(
            seconds, self._interval * (last_epoch - epoch)
        )  # slow motion waits in between
        per_second = (last_samples - samples) / seconds if last_samples > samples else None
        return (last_epoch - epoch) / seconds, per_second

    @property
    def moving(self) -> bool:
        """Whether the next batch comes without another order."""
        return not self._paused

    @property
    def seconds(self) -> float:
        """Time spent computing: since the start, without the waiting at the gate."""
        return self.clock() - self._started

    # ---- told by the learner, on another thread ----

    def command(self, command: Command) -> None:
        with self._changed:
            self._inbox.append(command)
            self._tell()

    def pause(self) -> None:
        with self._changed:
            self._paused, self._batches, self._epochs = True, 0, 0
            self._ordered()

    def resume(self) -> None:
        with self._changed:
            self._paused, self._batches, self._epochs = False, 0, 0
            self._ordered()

    def step_batch(self) -> None:
        with self._changed:
            self._paused, self._batches = True, self._batches + 1
            self._ordered()

    def step_epoch(self) -> None:
        with self._changed:
            self._paused, self._epochs = True, self._epochs + 1
            self._ordered()

    def speed(self, epochs_per_second: float | None) -> None:
        with self._changed:
            self._interval = 1 / epochs_per_second if epochs_per_second else 0.0
            self._next_batch = self._next_picture = 0.0
            self._ordered()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._tell()

    # ---- inside ----

    def _ordered(self) -> None:
        self._orders += 1
        self._tell()

    def _tell(self) -> None:
        self._look()
        self._changed.notify_all()

    def _look(self) -> None:
        self._busy = bool(
            self._inbox
            or self._stopping
            or self._paused
            or self._finished
            or self._interval
            or self._parked
        )
        if self._busy:
            self.at_once = 1

    def _count(self, epoch_ended: bool) -> None:
        """A batch has been run: it uses up what was to be stepped."""
        if self._batches:
            self._batches -= 1
        elif self._epochs and epoch_ended:
            self._epochs -= 1

    def _take(self) -> list[Command]:
        commands = list(self._inbox)
        self._inbox.clear()
        self._unanswered.update(command.id for command in commands)
        if any(command.name != "peek" for command in commands):
            self._wanted = True
        self._look()
        return commands

    def _park(self) -> None:
        if self._announced != self._orders or not self._parked:
            self._parked, self._announced = True, self._orders
            self._announce(True, self._orders)  # which may be answered by an order at once
        else:
            self._wait(None)

    def _wait(self, seconds: float | None) -> None:
        start = self._clock()
        self._changed.wait(seconds)
        self._idle += self._clock() - start

    def _late(self) -> float:
        """Seconds since the next batch may run at the chosen speed; negative: it has to wait."""
        if not self._interval:
            return 0.0
        if not self._per_epoch:
            self._wanted = True  # the first snapshot tells how many batches an epoch has
            return 0.0
        return self._clock() - self._next_batch

    def _grant(self) -> None:
        if self._parked:
            self._parked = False
            self._announce(False, self._orders)
        if self._interval and self._per_epoch:
            # at most a tenth of a second is caught up, so that a slow batch is followed by no burst
            self._next_batch = max(self._next_batch, self._clock() - 0.1)
            self._next_batch += self._interval / self._per_epoch
        if self._batches == 1 and not self._epochs:
            self._wanted = True  # the step's own picture, without another round through the gate
        self._granted, self._fresh, self._shown = True, False, False
        self._look()


def main(
    pipe: Connection,
    module: str,
    spec: bytes,
    device: str,
    share: int,
    orders: list[tuple],
    gently: bool = True,
) -> None:
    """Run one topic to its end; the target of the worker process.

    Args:
        pipe: commands come in as (name of a `WorkerControl` method, arguments), packed messages go out.
        module: the topic; its `train(spec, device=, control=)`, else its `run(spec, device=)`.
        spec: pickled, opened only here.
        share: CPU threads this worker may use; a topic uses one unless it has a `threads(spec) -> int`.
        orders: what was asked before the process existed, in order.
        gently: pages come before this run once its first picture is out; a measurement is not gentle.
    """

    def say(head: dict[str, Any], parts: list[bytes] | None = None) -> None:
        try:
            pipe.send_bytes(messages.pack(head, parts or []))
        except OSError:  # the supervisor is gone
            os._exit(1)

    def announce(parked: bool, orders: int) -> None:
        say({"parked": orders if parked else None, "seconds": control.seconds})

    control = WorkerControl(announce)
    for order in orders:
        _obey(control, order)
    threading.Thread(target=_listen, args=(pipe, control), daemon=True).start()
    try:
        _run(module, spec, device, share, control, say, gently)
        end: dict[str, Any] = {"end": "done"}
    except Stopped:
        end = {"end": "stopped"}
    except BaseException as error:
        if not _said(error):
            traceback.print_exc()  # goes to the server's log; a learner sees the sentence only
        end = {"end": "failed", "message": explain(error), "detail": _last_line(error)}
    end["seconds"] = control.seconds
    say(end)
    sys.stdout.flush()


def explain(error: BaseException) -> str:
    """What a learner reads when a run ends with an exception."""
    from models.core.spec import SpecError

    if isinstance(error, SpecError):
        return str(error)
    text = str(error)
    if isinstance(error, MemoryError) or any(
        sign in text for sign in ("can't allocate memory", "out of memory")
    ):
        return "There was not enough memory for this run. Make the model, the batch or the data smaller."
    return "The run ended with an error of the program. The other runs go on; press Play to start again."


def _said(error: BaseException) -> bool:
    """Whether it is a sentence for the learner, about what was asked, and no error of the program."""
    from models.core.spec import SpecError

    return isinstance(error, SpecError)


def _last_line(error: BaseException) -> str:
    if (
        detail := getattr(error, "detail", None)
    ) is not None:  # SpecError carries PyTorch's own words
        return detail
    return traceback.format_exception_only(error)[-1].strip()[:500]


def _listen(pipe: Connection, control: WorkerControl) -> None:
    """Take orders until the supervisor is gone; then nobody watches and the process ends at once."""
    try:
        while True:
            _obey(control, pipe.recv())
    except (EOFError, OSError):
        os._exit(1)


def _obey(control: WorkerControl, order: tuple) -> None:
    name, *args = order
    if name == "command":
        number, word, pickled = args  # pickled by this server's own `Client.send`
        control.command(Command(word, pickle.loads(pickled), number))
    else:
        getattr(control, name)(*args)


def _run(
    name: str,
    pickled: bytes,
    device: str,
    share: int,
    control: WorkerControl,
    say: Callable[[dict[str, Any], list[bytes]], None],
    gently: bool,
) -> None:
    import torch

    forget_edited()
    module: Any = importlib.import_module(name)
    spec = pickle.loads(pickled)  # by this server's own `Client.start`; files and links hold none
    wanted = module.threads(spec) if hasattr(module, "threads") else 1
    torch.set_num_threads(max(1, min(share, wanted)))
    gc.freeze()  # else a full collection walks 400 000 objects of the libraries, and copies their pages
    first = True
    for snapshot in _snapshots(module, spec, device, control):
        head, parts = _encoded(snapshot)
        unanswered = control.sent(snapshot)
        head["replies"] += [[number, _part(parts, b"null")] for number in unanswered]
        head["rate"] = control.rate()
        head["moving"], head["seconds"] = control.moving, control.seconds
        say(head, parts)
        if first and gently and hasattr(os, "nice"):
            os.nice(5)  # the first picture is waited for; from then on pages come first
        first = False


def forget_edited() -> None:
    """Let topics be imported afresh when a file of theirs was edited since they were preloaded."""
    topics = {
        name: module
        for name, module in sys.modules.items()
        if name.startswith("models.") and not name.startswith(_HARNESS)
    }
    files = [getattr(module, "__file__", None) for module in topics.values()]
    if any(os.path.getmtime(file) > _IMPORTED for file in files if file):
        for name in topics:
            del sys.modules[name]


# What this process already works with: a second copy of its classes would be strangers to the first.
_HARNESS = ("models.core.runs", "models.core.control")


def _snapshots(module: Any, spec: Any, device: str, control: Control) -> Iterator[Snapshot]:
    if hasattr(module, "train"):
        yield from module.train(spec, device=device, control=control)
        return
    takes_control = "control" in inspect.signature(module.run).parameters
    result = module.run(spec, device=device, **({"control": control} if takes_control else {}))
    frame, blobs = _result(result)
    yield Snapshot(1, 1.0, frame={"result": frame}, blobs=blobs, final=True)


def _result(result: Any) -> tuple[Any, Mapping[str, bytes]]:
    """A result's showable part, and its bytes apart: bytes themselves are the blob "result"."""
    if isinstance(result, bytes):
        return None, {"result": result}
    if not dataclasses.is_dataclass(result):
        return result, {}
    values = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    blobs = {name: value for name, value in values.items() if isinstance(value, bytes)}
    return {name: value for name, value in values.items() if name not in blobs}, blobs


def _encoded(snapshot: Snapshot) -> tuple[dict[str, Any], list[bytes]]:
    """A snapshot as a message: what a browser will read is encoded here, once."""
    from models.core import wire

    parts: list[bytes] = []
    head = {
        "step": snapshot.step,
        "epoch": float(snapshot.epoch),
        "final": snapshot.final,
        "rows": [
            [int(row.get("step", snapshot.step)), _part(parts, wire.dumps(dict(row)))]
            for row in snapshot.rows
        ],
        "events": [_part(parts, wire.dumps(dict(event))) for event in snapshot.events],
        "replies": [
            [number, _part(parts, wire.dumps(value))] for number, value in snapshot.replies.items()
        ],
        "blobs": [[name, _part(parts, bytes(value))] for name, value in snapshot.blobs.items()],
    }
    if snapshot.scene is not None:
        head["scene"] = _part(parts, wire.dumps(dict(snapshot.scene)))
    if snapshot.frame is not None:
        head["frame"] = _part(parts, wire.dumps(dict(snapshot.frame)))
    return head, parts


def _part(parts: list[bytes], value: bytes) -> int:
    parts.append(value)
    return len(parts) - 1
