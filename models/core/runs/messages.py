"""What a worker tells the supervisor: a JSON head and encoded parts, so that nobody unpickles what a worker made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def pack(head: dict[str, Any], parts: Sequence[bytes] = ()) -> bytes:
    """One message: `head` must be JSON, `parts` are bytes that it may refer to by index."""
    text = json.dumps([head, [len(part) for part in parts]]).encode()
    return b"".join((len(text).to_bytes(4, "little"), text, *parts))


def unpack(message: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """The head and the parts of a packed message."""
    start = 4 + int.from_bytes(message[:4], "little")
    head, sizes = json.loads(message[4:start])
    parts = []
    for size in sizes:
        parts.append(message[start : start + size])
        start += size
    return head, parts
