"""A file of any size, sent straight to the server's disk with its progress; nothing of it is held in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from components.views import mount


def upload(
    *, key: str, label: str, accept: str, most: int, on_done: Callable[[str, str], None]
) -> None:
    """A button that chooses a file and sends it; `on_done` gets its id in the workspace and its name.

    Args:
        accept: endings the file dialog offers. most: bytes the server takes.
    """

    def told(value: dict[str, Any]) -> None:
        on_done(str(value["id"]), str(value["name"]))

    mount.view(
        "upload",
        {"label": label, "accept": accept, "most": most},
        key=key,
        height=None,
        alt=label,
        events={"done": told},
    )
