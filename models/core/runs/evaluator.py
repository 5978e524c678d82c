"""The process that answers questions: it computes one function of `models` at a time, within the memory it is given."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from models.core.runs import worker

KEEP, RETIRE = b"k", b"r"  # what an answer begins with: this process may be asked again, or not
_GROWN = 128 * 2**20  # bytes an evaluator may have grown by and still be asked again
_MOST = 500  # questions answered by one process


def main(pipe: Connection, warm: tuple[str, ...] = ()) -> None:
    """Answer until nobody asks any more; the target of an evaluator's process.

    Args:
        pipe: questions come in as pickles of this server's own `Client.ask`, answers go out packed.
        warm: functions called once before the first question, so that it does not wait for imports.
    """
    import torch

    worker.forget_edited()
    torch.set_num_threads(1)  # others are asking, too
    _no_dump()
    try:
        for name in warm:
            try:
                _function(name)()
            except Exception:  # slower at first, but it answers
                traceback.print_exc()
        gc.collect()
        gc.freeze()
        start = _data()
        pipe.send_bytes(KEEP)
        for number in range(_MOST):
            function, args, memory = pickle.loads(pipe.recv_bytes())
            answer = _answer(function, args, memory)
            grown = _data() - start > _GROWN
            last = grown or number == _MOST - 1
            pipe.send_bytes((RETIRE if last else KEEP) + answer)
            if last:
                return
    except (EOFError, OSError):  # the supervisor is gone, or wants no more answers
        os._exit(0)


def _answer(function: str, args: tuple[Any, ...], memory: int) -> bytes:
    from models.core.runs import answers
    from models.core.spec import SpecError

    try:
        with _limited(memory):
            value = _function(function)(*args)
        return answers.pack((True, value))
    except SpecError as error:
        return answers.pack((False, answers.refusal(error)))
    except BaseException as error:
        words = explain(error, memory)
        if not words:
            traceback.print_exc()  # goes to the server's log; a learner reads a sentence
            words = "The evaluation met an error of the program; the server's log has the details."
        line = traceback.format_exception_only(error)[-1].strip()[:300]
        return answers.pack((False, answers.refusal(SpecError(words, detail=line))))


def explain(error: BaseException, memory: int) -> str:
    """A sentence for the ends that a learner's own words can bring about, "" for an error of the program."""
    text = str(error)
    if isinstance(error, MemoryError) or any(
        sign in text for sign in ("can't allocate memory", "not enough memory", "bad_alloc")
    ):
        return (
            f"This needs more than the {memory // 2**20} MB of memory that one evaluation may take here, "
            "so it was ended. Use smaller sizes, or fewer pieces."
        )
    if isinstance(error, RecursionError):
        return "This is nested too deeply to be looked through. Nest lists and tensors less."
    return ""


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


@contextlib.contextmanager
def _limited(memory: int) -> Iterator[None]:
    """The operating system refuses this process more than so many bytes beyond what it holds now."""
    held = _data()
    if not held:
        yield  # no such limit here: the supervisor looks at what is held instead
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (held + memory, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _data() -> int:
    """Bytes of writable memory of this process's own, as Linux counts them against RLIMIT_DATA; 0 elsewhere."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return (
        int(status.partition("VmData:")[2].split(None, 1)[0]) * 1024 if "VmData:" in status else 0
    )


def _no_dump() -> None:
    """A process that dies of what a learner wrote leaves no file behind."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
