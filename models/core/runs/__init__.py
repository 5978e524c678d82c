"""Runs: anything that takes longer than a moment, in a worker process of its own, watched and steered.

`client()` is the one way in. Behind it stand one supervisor process per server and one worker per run.
"""

from __future__ import annotations

import sys
import threading
import types

from models.core.runs.client import Client
from models.core.runs.limits import Limits
from models.core.runs.status import Overrun, RunError, Status

__all__ = ["Client", "Limits", "Overrun", "RunError", "Status", "client"]

# Streamlit forgets imported modules when a source file is edited; the server's runs must survive that,
# so their client is kept where no source file is.
_KEEP = sys.modules.setdefault("_playground_runs", types.ModuleType("_playground_runs"))
_LOCK = threading.Lock()


def client() -> Client:
    """The runs of this server process; the supervisor starts with the first call that needs it."""
    with _LOCK:
        if not hasattr(_KEEP, "client"):
            _KEEP.client = Client()  # type: ignore[attr-defined]  # a module made to hold it
        return _KEEP.client
