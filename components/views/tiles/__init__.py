"""Small pictures side by side, each with its words; one can be picked."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from components.views import mount


@dataclass(frozen=True)
class Tile:
    """A picture as the bytes of a PNG or JPEG file, a title, and smaller lines under it."""

    picture: bytes
    title: str
    lines: tuple[str, ...] = ()


def tiles(
    shown: Sequence[Tile],
    *,
    key: str,
    alt: str,
    size: int = 96,
    arrows: bool = False,
    picked: int | None = None,
    pickable: bool = False,
) -> int | None:
    """Draw the tiles in rows; returns the number of the one clicked in this rerun, or None.

    Args:
        size: of a picture, in CSS pixels at the normal text size. arrows: they follow from one another.
        picked: the one that is marked. pickable: a click or Enter reruns the script.
    """
    told = mount.view(
        "tiles",
        {
            "tiles": [
                {
                    "src": _address(tile.picture),
                    "title": tile.title,
                    "lines": list(tile.lines),
                }
                for tile in shown
            ],
            "size": size,
            "arrows": arrows,
            "picked": picked,
            "pickable": pickable,
        },
        key=key,
        height=None,
        alt=alt,
        events={"pick": None},
    )
    return int(told["pick"]["index"]) if told["pick"] else None


def _address(picture: bytes) -> str:
    kind = "jpeg" if picture.startswith(b"\xff\xd8") else "png"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
