"""Waiting in tests for what a page has under way in a worker."""

from __future__ import annotations

import time

from streamlit.testing.v1 import AppTest


def settled(at: AppTest, seconds: float = 90) -> AppTest:
    """The page once no file of it is being opened any more; it is drawn again as its timers would."""
    deadline = time.monotonic() + seconds
    while any(str(b.key).startswith("job:stop:") for b in at.button):
        assert time.monotonic() < deadline, [p.text for p in at.get("progress")]
        time.sleep(0.05)
        at.run()
    return at
