"""How pages and routes talk to the run supervisor of their server."""

from __future__ import annotations

import atexit
import dataclasses
import json
import math
import os
import pickle
import secrets
import shutil
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from models.core.runs.limits import Limits
from models.core.runs.status import RunError, Status

_ROOT = Path(__file__).resolve().parents[3]


class Client:
    """Starts, steers and watches runs. Any number of threads may use one client.

    The supervisor starts with the first call, and again if it should die; the runs of a dead one are gone.
    Looking needs only a run's id; steering needs the owner, else `PermissionError`.
    Methods that steer raise `RunError`, with a sentence for the learner, when the run is over or unknown.
    """

    def __init__(self, limits: Limits | None = None, preload: Sequence[str] = ()) -> None:
        """`preload` replaces the modules that workers start with; fewer make the supervisor ready sooner."""
        self.limits = limits or Limits.from_environment()
        self._preload = tuple(preload)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._address: Any = None
        self._key = b""
        self._idle: list[Connection] = []
        self._closed = False
        atexit.register(self.close)

    # ---- runs ----

    def start(
        self,
        module: str,
        spec: Any,
        *,
        owner: str,
        device: str = "cpu",
        paused: bool = False,
        speed: float | None = None,
    ) -> str:
        """Start a topic (`"models.training"`) in a process of its own, or queue it; returns the run's id.

        The id cannot be guessed: whoever has it may watch. `paused` shows the first picture and waits;
        `speed` is a limit in epochs per second.

        Raises:
            RunError: too many of this owner's runs wait already, or the module is no topic.
        """
        orders: list[tuple] = [("speed", _speed(speed))] if speed else []
        orders += [("pause",)] if paused else []
        return self._call("start", module, pickle.dumps(spec), owner, device, orders)

    def status(self, run_id: str, owner: str | None = None) -> Status:
        """How the run stands; never raises for an unknown one, see `Status.known`."""
        return self._call("status", run_id, owner)

    def runs(self, owner: str) -> list[Status]:
        """All runs of an owner that are still kept, the oldest first."""
        return self._call("runs", owner)

    def spec(self, run_id: str) -> Any:
        """The spec that a run was started with, so that a link to the run shows its settings."""
        # what `start` of this very server pickled and the supervisor kept unopened: never bytes from a file or a link
        return pickle.loads(self._call("spec", run_id))

    def ask(
        self,
        function: str,
        *args: Any,
        owner: str,
        seconds: float = 2.0,
        memory_mb: int = 512,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Any:
        """What `"models.topic:function"` answers to these arguments, computed in a warm process that can be ended.

        Args:
            seconds: the longest it may compute; memory_mb: the most it may take beyond what it starts with.
            wanted: asked every moment while it is waited for; once False, the question is ended.

        Raises:
            SpecError: the function's own refusal, of its own class.
            Overrun: it took too long or too much memory, or crashed.
            Unwanted: `wanted` said no.
            RunError: too many questions wait.
        """
        from models.core.runs import answers

        question = pickle.dumps((function, args, memory_mb * 2**20))
        packed = self._call("ask", question, owner, seconds, memory_mb, wanted=wanted)
        try:
            good, value = answers.unpack(packed)
            error = None if good else answers.error_of(value)
        except pickle.UnpicklingError:
            traceback.print_exc()
            error = RunError("The answer could not be read; the server's log has the details.")
        if error is not None:
            raise error
        return value

    # ---- steering ----

    def pause(self, run_id: str, owner: str) -> Status:
        """Stop moving after this batch; returns when it is so, or after 0.2 s when the batch takes longer."""
        return self._call("order", run_id, owner, ("pause",), 0.2)

    def resume(self, run_id: str, owner: str) -> Status:
        return self._call("order", run_id, owner, ("resume",), 0.0)

    def step_batch(self, run_id: str, owner: str) -> Status:
        """One batch, then paused."""
        return self._call("order", run_id, owner, ("step_batch",), 0.0)

    def step_epoch(self, run_id: str, owner: str) -> Status:
        """To the end of the epoch, then paused."""
        return self._call("order", run_id, owner, ("step_epoch",), 0.0)

    def speed(self, run_id: str, owner: str, epochs_per_second: float | None) -> Status:
        """Limit the speed; None is as fast as it goes."""
        return self._call("order", run_id, owner, ("speed", _speed(epochs_per_second)), 0.0)

    def stop(self, run_id: str, owner: str) -> Status:
        """End the run and its process; what it has shown is kept."""
        return self._call("stop", run_id, owner, "Stopped.")

    def send(self, run_id: str, owner: str, name: str, **args: Any) -> int:
        """A command for the topic ("set", "seek", …), taken between two batches; returns its number."""
        return self._call("send", run_id, owner, name, pickle.dumps(args))

    def reply(self, run_id: str, command_id: int, timeout: float = 2.0) -> Any:
        """The topic's reply to a command, arrays as NumPy arrays; None when it has nothing to say.

        Raises:
            TimeoutError: no reply yet; ask again.
            RunError: the run ended before it replied.
        """
        from models.core import wire

        answer = self._call("reply", run_id, command_id, timeout)
        if answer is None:
            raise TimeoutError(
                f"The run has not answered within {timeout:g} s; its batch takes longer."
            )
        return wire.loads(answer)

    # ---- looking ----

    def poll(self, run_id: str, since: str = "", owner: str | None = None) -> bytes:
        """What is new since the cursor of an earlier answer, as the JSON that the route sends."""
        return self._call("poll", run_id, since, owner)

    def history(self, run_id: str) -> dict[str, Any]:
        """Everything that `poll` has to tell, decoded: "rows", "events", "scene", "frame", …"""
        from models.core import wire

        return wire.loads(self.poll(run_id))

    def frame(self, run_id: str, epoch: float, timeout: float = 1.0) -> bytes | None:
        """The picture of a past epoch as JSON: exact if it is kept or the run still answers, else the nearest."""
        args = pickle.dumps({"epoch": epoch})
        return self._call("frame", run_id, epoch, args, timeout)

    def blob(self, run_id: str, name: str) -> bytes | None:
        """Named bytes that the run has left (a checkpoint), or None."""
        return self._call("blob", run_id, name)

    def health(self) -> dict[str, Any]:
        """How many runs live and wait on this server, without starting anything."""
        if self._process is None or self._process.poll() is not None:
            return {"warm": False, "live": 0, "queued": 0, "kept": 0, "workers": []}
        return self._call("health")

    # ---- the supervisor ----

    def warm(self, timeout: float = 60) -> bool:
        """Start the supervisor ahead of the first run, and wait until workers start at once."""
        return self._call("ready", timeout)

    @property
    def supervisor_pid(self) -> int | None:
        """The process id of the supervisor, None before the first call."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the supervisor and every worker."""
        with self._lock:
            self._closed = True
            self._drop()
        atexit.unregister(self.close)

    def _call(self, method: str, *args: Any, wanted: Callable[[], bool] = lambda: True) -> Any:
        for _ in range(2):  # the second time for a supervisor that died just now
            process = self._supervisor()
            pipe = None
            try:
                pipe = self._pipe()
                pipe.send((method, args))
                while not pipe.poll(_MOMENT):
                    if not wanted():
                        pipe.close()  # which the supervisor sees
                        raise Unwanted
                good, answer = pipe.recv()
            except (EOFError, OSError):
                if pipe is not None:
                    pipe.close()
                self._lost(process)
                continue
            with self._lock:
                if process is self._process and len(self._idle) < 32:
                    self._idle.append(pipe)
                else:
                    pipe.close()
            if good:
                return answer
            raise answer
        raise RunError("The process that hosts the runs does not answer. Try again in a moment.")

    def _supervisor(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise RunError("The server is shutting down.")
            process = self._process
            if process is None or process.poll() is not None:
                self._drop()
                process = self._launch()
            return process

    def _pipe(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            address, key = self._address, self._key
        return connection.Client(address, authkey=key)

    def _launch(self) -> subprocess.Popen[bytes]:
        self._key = secrets.token_bytes(32)
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(paths),
            "OPENBLAS_NUM_THREADS": "1",  # a pool of threads does not survive the fork of a worker
        }
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", "models.core.runs"],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl+C in the terminal is for the server alone; its end closes the pipe
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._process = process
        settings = {
            "authkey": self._key.hex(),
            "limits": dataclasses.asdict(self.limits),
            "preload": self._preload,
        }
        try:
            if process.stdin is not None and process.stdout is not None:  # both are pipes, as asked
                process.stdin.write(json.dumps(settings).encode() + b"\n")
                process.stdin.flush()
                self._address = json.loads(process.stdout.readline())["address"]
        except (OSError, ValueError):
            self._drop()
            raise RunError(
                "The process that hosts the runs could not be started; see the server's log."
            ) from None
        return process

    def _lost(self, process: subprocess.Popen[bytes]) -> None:
        """A connection broke: give a dying supervisor a moment to be dead, so that a new one is started."""
        with self._lock:
            if process is self._process:
                try:
                    process.wait(1)
                except subprocess.TimeoutExpired:
                    return
                self._drop()

    def _drop(self) -> None:
        for pipe in self._idle:
            pipe.close()
        self._idle.clear()
        process, self._process = self._process, None
        if process is None:
            return
        address, self._address = self._address, None
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # unsent bytes for a dead process
                    continue
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if isinstance(address, str) and sys.platform != "win32":  # a killed one leaves its folder
            shutil.rmtree(Path(address).parent, ignore_errors=True)


_MOMENT = 0.1  # seconds between two looks at whether an answer is still wanted


class Unwanted(RunError):
    """Nobody waits for this answer any more."""


def _speed(epochs_per_second: float | None) -> float | None:
    if epochs_per_second is None:
        return None
    if not (math.isfinite(epochs_per_second) and epochs_per_second > 0):
        raise RunError(
            f"The speed is {epochs_per_second}; it must be more than 0 epochs per second."
        )
    return float(epochs_per_second)
