"""Free Python: a script of the learner's own, in a process of its own, only where the server's owner allows it.

No evaluator makes free Python safe. The process has limits on time, memory and output, an empty folder and none of
the server's environment, but it is a process of this machine: the switch is off unless its owner throws it.
A fresh interpreter, and not one of the workers that train: those are forked from the server's own and hold its sockets.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.core.spec import SpecError

SWITCH = "PLAYGROUND_FREE_PYTHON"  # "1": on
SECONDS = 20.0
AT_ONCE = 2  # scripts on this server, so that a class cannot fill its memory
MEMORY = 2 * 2**30  # bytes that are this process's own
CHARACTERS = 20_000  # of its output
_KEPT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # what Python needs to start


@dataclass(frozen=True)
class Output:
    """What a script did.

    Attributes:
        printed: its output, cut at CHARACTERS; error: the end of its traceback, or which limit it broke, "" when
            all went well; seconds: how long it ran.
    """

    printed: str
    error: str
    seconds: float


def allowed() -> bool:
    """Whether the server's owner switched free Python on."""
    return os.environ.get(SWITCH) == "1"


def run(code: str, *, seconds: float = SECONDS, memory: int = MEMORY) -> Output:
    """Run a script in a fresh interpreter, in an empty folder that is removed afterwards.

    Raises:
        SpecError: free Python is switched off on this server, or others' scripts did not end in time.
    """
    if not allowed():
        raise SpecError(
            f"Free Python is switched off on this server. Its owner can set {SWITCH}=1.", "code"
        )
    if not _turns.acquire(timeout=seconds):
        raise SpecError(
            f"{AT_ONCE} scripts are running on this server, the most at once. Try again in {seconds:g} seconds.",
            "code",
        )
    try:
        return _run(code, seconds, memory)
    finally:
        _turns.release()


_turns = threading.BoundedSemaphore(AT_ONCE)


def _run(code: str, seconds: float, memory: int) -> Output:
    with tempfile.TemporaryDirectory(prefix="playground-free-") as folder:
        path = Path(folder) / "script.py"
        path.write_text(code, encoding="utf-8")
        environment = {k: v for k, v in os.environ.items() if k in _KEPT}
        environment |= {"HOME": folder, "TMPDIR": folder, "OMP_NUM_THREADS": "1"}
        output = Path(folder) / "output.txt"
        start = time.perf_counter()
        with output.open("wb") as sink, (Path(folder) / "error.txt").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-I", "-B", path.name],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=errors,
                start_new_session=True,
            )
            broken = _watch(process, start + seconds, memory, output)
        took = time.perf_counter() - start
        printed = _head(output)
        trace = _tail(Path(folder) / "error.txt") if process.returncode else ""
    return Output(printed, broken or trace, took)


def _watch(process: subprocess.Popen[bytes], until: float, memory: int, output: Path) -> str:
    """Wait for the end; ends the process and all it started when a limit is broken, and says which."""
    import psutil

    watched = psutil.Process(process.pid)
    tick = threading.Event()
    while process.poll() is None:
        broken = ""
        try:
            family = [watched, *watched.children(recursive=True)]
            used = sum(p.memory_info().rss for p in family if p.is_running())
        except psutil.Error:
            continue
        if time.perf_counter() > until:
            broken = "The script ran longer than it may. Bound its loops."
        elif used > memory:
            broken = (
                f"The script used more than {memory // 2**20} MB of memory. Use smaller tensors."
            )
        elif output.stat().st_size > 50 * CHARACTERS:
            broken = "The script printed more than anyone reads. Print less."
        if broken:
            _end(watched)
            process.wait()
            return broken
        tick.wait(0.03)
    _end_group(process.pid)  # what it left behind
    return ""


def _end(process: Any) -> None:
    """End a psutil.Process and everything below it; it is held still first, so that it starts nothing meanwhile."""
    import psutil

    family = [process]
    with contextlib.suppress(psutil.Error):
        process.suspend()
        family += process.children(recursive=True)
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()
    _end_group(process.pid)


def _end_group(leader: int) -> None:
    """End what is left of the session that the script was started in."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def _head(path: Path) -> str:
    return path.read_bytes()[: 4 * CHARACTERS].decode("utf-8", "replace")[:CHARACTERS]


def _tail(path: Path) -> str:
    return path.read_bytes()[-4000:].decode("utf-8", "replace")
