"""A flame chart: what ran when, on which thread or stream, and which forward operation a backward one belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.views import mount


def timeline(
    run: str | None = None,
    *,
    key: str,
    frame: Mapping[str, Any] | None = None,
    height: int = 420,
    alt: str = "What ran when: one line per thread or stream, what an operation called lies below it.",
) -> None:
    """Draw the events of a `run`'s frame, or of one `frame`; wheel zooms, dragging pans, a click follows an arrow.

    `frame`: columns "start", "duration" (µs), "lane", "depth", "kind", "name" of equal length, sorted by start;
    "arrows" (A, 2) between events; "names", "lanes", "kinds" are the words.
    """
    mount.view("timeline", {"run": run, "frame": frame}, key=key, height=height, alt=alt)
