"""What a fork server does when its supervisor was killed: it ends at once, and every worker with it.

By itself it would wait for all workers to close a pipe, and one that is frozen, or deep in a long operation, never does.
Imported first of what is preloaded; anywhere else the import does nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

_EVERY = 1.0  # seconds between two looks at who the parent is


def _guard() -> None:
    """Look every second. A timer of the system, since a thread beside a fork is asking for trouble; forks inherit none."""
    parent = os.getppid()

    def look(*_: Any) -> None:
        if os.getppid() != parent:
            if os.getpgrp() == parent:  # the group is the supervisor's alone
                os.killpg(0, signal.SIGKILL)
            os._exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _EVERY, _EVERY)


if any("multiprocessing.forkserver" in word for word in sys.orig_argv):
    _guard()
