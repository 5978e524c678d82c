"""A pad to draw on with a finger, a pen, the mouse or the keys; every stroke comes back as a picture."""

from __future__ import annotations

import base64
from collections.abc import Callable

from components.views import mount


def drawpad(
    *,
    key: str,
    on_draw: Callable[[bytes], None] | None = None,
    live: bool = True,
    side: int = 224,
    height: int = 300,
    alt: str = "A pad to draw on.",
) -> bytes | None:
    """White strokes on black, `side` × `side` pixels.

    Args:
        live: send while the pen moves, a few times a second; else only when it lifts.
    Returns:
        The drawing as a PNG file in the rerun after it changed, else None; `on_draw` gets it before the rerun.
    """
    told = mount.view(
        "drawpad",
        {"side": side, "live": live},
        key=key,
        height=height,
        alt=alt,
        events={"draw": (lambda text: on_draw(base64.b64decode(text))) if on_draw else None},
    )
    return base64.b64decode(told["draw"]) if told["draw"] else None
