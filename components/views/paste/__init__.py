"""A place to paste a picture from the clipboard."""

from __future__ import annotations

import base64
from collections.abc import Callable

from components.views import mount


def paste(*, key: str, on_paste: Callable[[bytes], None], label: str = "Paste a picture") -> None:
    """A field that takes Ctrl+V (or a picture dropped on it) and hands the file's bytes to `on_paste`."""
    mount.view(
        "paste",
        {"label": label, "most": 20_000_000},
        key=key,
        height=44,
        alt=f"{label}: focus it and press Ctrl+V.",
        events={"paste": lambda text: on_paste(base64.b64decode(text))},
    )
