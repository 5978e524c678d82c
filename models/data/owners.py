"""Names of browsers, signed by this server: whoever makes one up is nobody, so limits per browser hold."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from functools import cache
from pathlib import Path

from models.data import workspace

KEY = "owners.key"  # in the workspace's home, readable by the server alone
_BYTES = 32


def made() -> str:
    """A new name that nobody can guess, with its signature."""
    name = secrets.token_urlsafe(24)
    return f"{name}.{_signature(name)}"


def genuine(owner: str) -> bool:
    """Whether this server has made the name."""
    name, dot, signature = owner.partition(".")
    signed = _signature(name).encode()
    return bool(dot) and hmac.compare_digest(signature.encode("utf-8", "replace"), signed)


def _signature(name: str) -> str:
    key = _key(workspace.home())
    return hmac.new(key, name.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


@cache
def _key(home: Path) -> bytes:
    """The server's own secret; where it cannot be kept it lasts as long as the server."""
    path = home / KEY
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            handle, part = tempfile.mkstemp(dir=home)  # for its owner alone from the beginning
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_BYTES))
            with contextlib.suppress(FileExistsError):  # another process was first
                os.link(part, path)
            os.unlink(part)
        kept = path.read_bytes()
    except OSError:
        kept = b""
    return kept if len(kept) == _BYTES else secrets.token_bytes(_BYTES)
