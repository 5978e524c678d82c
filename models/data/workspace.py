"""The folder that keeps what learners upload: by content, with a quota and an age limit.

    PLAYGROUND_HOME/files/<sha256>/content            the bytes
                                   about.json         {"name", "size", "added"}
                                   owners/<hash>.json {"name", "added"} for everyone who uploaded it
                                   report.json, card.npz of pictures: what ingest.py found out about them
                                   cache/…            what can be made again from the content

A file's name is only data here; no path is ever made of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from models.core.spec import SpecError

MAX_FILE = 2_000_000_000  # bytes of one upload
QUOTA = 10_000_000_000  # bytes of all of them, caches included
MAX_AGE = 30 * 24 * 3600.0  # seconds since the last use
RECENT = 3600.0  # seconds after its last use during which nothing is removed
SPARE = 500_000_000  # bytes left free on the disk

_ID = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Upload:
    """One kept file: its id (the sha256 of its content), the uploader's name for it, bytes, seconds since 1970."""

    id: str
    name: str
    size: int
    added: float


def home() -> Path:
    """The folder of everything kept: PLAYGROUND_HOME, else a folder in the user's cache directory."""
    chosen = os.environ.get("PLAYGROUND_HOME")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "pytorch-playground"


def problem() -> str:
    """Why nothing can be kept here, for a learner; "" where it can."""
    wanted = os.environ.get(_WANTED)
    if wanted:
        return (
            f"The workspace folder {wanted} cannot be written, so what you upload is kept only until this server stops. "
            "Whoever runs the server can free space there, allow writing, or name another folder with PLAYGROUND_HOME."
        )
    if _writable():
        return ""
    return (
        f"The workspace folder {home()} cannot be written: nothing can be uploaded, and what was uploaded may be missing. "
        "What comes with the app works. Whoever runs the server can free space there, or allow writing."
    )


def settle() -> None:
    """Before a server starts: where the workspace cannot be written, a folder that lasts as long as the server takes its place."""
    if not os.environ.get(_WANTED) and not _writable():
        os.environ[_WANTED] = str(home())
        os.environ["PLAYGROUND_HOME"] = tempfile.mkdtemp(prefix="playground-home-")


def _writable() -> bool:
    try:
        for part in ("files", "tmp"):
            _folder(part).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=_folder("tmp")) as probe:
            probe.write(b"x" * 4096)
            probe.flush()
        return True
    except OSError:
        return False


_WANTED = "PLAYGROUND_HOME_WANTED"  # the folder in whose place another one stands


def put(content: bytes | BinaryIO | Path, name: str, owner: str = "") -> str:
    """Keep a file and return its id; the same content is kept once, whoever brings it.

    Raises:
        SpecError: it is too large, the quota is used up by files in use, or the disk is full.
    """
    parcel = None
    try:
        _folder("files").mkdir(parents=True, exist_ok=True)
        _folder("tmp").mkdir(parents=True, exist_ok=True)
        parcel = Path(tempfile.mkdtemp(dir=_folder("tmp")))
        digest, size = _copy(content, parcel / "content", name)
        kept = _folder("files") / digest
        if not (kept / "content").exists():
            _make_room(size, name)
            about = {"name": name, "size": size, "added": time.time()}
            (parcel / "about.json").write_text(json.dumps(about), encoding="utf-8")
            try:
                parcel.rename(kept)
            except OSError:  # another process kept the same content in the meantime
                if not (kept / "content").exists():
                    raise
        if owner:
            claim(digest, name, owner)
        _touch(kept)
    except OSError as error:
        raise _unwritable(name, error) from error
    finally:
        if parcel is not None:
            shutil.rmtree(parcel, ignore_errors=True)
    return digest


def claim(id: str, name: str, owner: str) -> None:
    """Put a kept file into this owner's listing under this name.

    Raises:
        SpecError: nothing of that id is on this server, or the workspace cannot be written.
    """
    entry = folder(id) / "owners" / f"{hashed(owner)}.json"
    try:
        write_json(entry, {"name": name, "added": time.time()})
    except OSError as error:
        raise _unwritable(name, error) from error


def get(id: str) -> Path:
    """The content's path; asking counts as a use.

    Raises:
        SpecError: nothing of that id is on this server.
    """
    kept = folder(id)
    _touch(kept)
    return kept / "content"


def folder(id: str) -> Path:
    """The folder of one kept file, where caches of it may be written below `cache`.

    Raises:
        SpecError: nothing of that id is on this server.
    """
    kept = _folder("files") / id
    if not _ID.fullmatch(id) or not (kept / "content").exists():
        raise SpecError(
            f"The data of this link (it begins with {id[:8]!r}) is not on this server: it was uploaded elsewhere, "
            "or removed after its time. Upload the same file here and the link works again.",
            "data",
        )
    return kept


def about(id: str) -> Upload:
    """What is known of a kept file.

    Raises:
        SpecError: nothing of that id is on this server.
    """
    return _upload(id, folder(id) / "about.json")


def listing(owner: str) -> tuple[Upload, ...]:
    """What this owner uploaded, the newest first, each by the name this owner gave it."""
    found = []
    for kept in _kept():
        entry = kept / "owners" / f"{hashed(owner)}.json"
        if entry.exists():
            found.append(_upload(kept.name, entry))
    return tuple(sorted(found, key=lambda upload: -upload.added))


def forget(id: str, owner: str) -> None:
    """Take a file out of this owner's listing; when nobody lists it any more, it goes at once."""
    kept = folder(id)
    try:
        (kept / "owners" / f"{hashed(owner)}.json").unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(about(id).name, error) from error
    if not any((kept / "owners").glob("*.json")):
        _remove(kept)


def prune(needed: int = 0) -> int:
    """Remove what was unused for `MAX_AGE`, then the longest unused until `needed` bytes fit into the quota.

    What was used within the last hour stays. Returns the bytes in use afterwards.
    """
    now = time.time()
    kept = sorted((_used(path), _size(path), path) for path in _kept())
    total = sum(size for _, size, _ in kept)
    for used, size, path in kept:
        idle = now - used
        if idle > RECENT and (idle > MAX_AGE or total + needed > QUOTA):
            _remove(path)
            total -= size
    return total


def display_name(name: str, most: int = 48) -> str:
    """A learner's name for something, safe to show: one line, no invisible or direction-changing characters, short.

    The middle of a long name is left out, so that its ending stays readable.
    """
    shown = "".join(" " if c.isspace() else c for c in name if c.isspace() or not _hidden(c))
    shown = " ".join(shown.split()) or "unnamed"
    if len(shown) <= most:
        return shown
    tail = most // 3
    return f"{shown[: most - tail - 1]}…{shown[-tail:]}"


def file_name(name: str, suffix: str = ".csv") -> str:
    """The name under which an exported script looks for the file in its own folder: no path, no surprises."""
    base = re.split(r"[/\\]", name)[-1]
    safe = "".join(c for c in base if c.isalnum() or c in " ._-()[]+,@").strip(" .")
    stem, dot, ending = safe.rpartition(".")
    if not dot or f".{ending.lower()}" not in (suffix, *_PLAIN_SUFFIXES):
        stem, ending = safe, suffix[1:]
    return f"{stem[:80].strip(' .') or 'data'}.{ending}"


def write_json(path: Path, value: object) -> None:
    """Write JSON so that a reader sees the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(value, out)
    os.replace(part, path)


def _copy(content: bytes | BinaryIO | Path, target: Path, name: str) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        for chunk in _chunks(content):
            size += len(chunk)
            if size > MAX_FILE:
                raise SpecError(
                    f"{display_name(name)} is larger than {MAX_FILE // 1_000_000} MB, the most one file may have here. "
                    "Keep a part of its rows or columns."
                )
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest(), size


def _chunks(content: bytes | BinaryIO | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        for start in range(0, len(content), _CHUNK):
            yield content[start : start + _CHUNK]
    elif isinstance(content, Path):
        with content.open("rb") as stream:
            yield from _chunks(stream)
    else:
        while chunk := content.read(_CHUNK):
            yield chunk


def _make_room(size: int, name: str) -> None:
    total = prune(size)
    if total + size > QUOTA:
        raise SpecError(
            f"There is no room for {display_name(name)} ({size / 1e6:.0f} MB): {total / 1e6:.0f} of "
            f"{QUOTA / 1e6:.0f} MB are in use within the last hour. Remove a data set or try again later."
        )
    if shutil.disk_usage(_folder("files")).free < SPARE:
        raise SpecError(
            f"There is no room for {display_name(name)}: the server's disk has less than {SPARE // 1_000_000} MB left."
        )


def _folder(part: str) -> Path:
    return home() / part


def _kept() -> list[Path]:
    try:
        return [path for path in _folder("files").iterdir() if _ID.fullmatch(path.name)]
    except OSError:  # not there yet, or no folder that can be read
        return []


def _upload(id: str, entry: Path) -> Upload:
    try:
        known = json.loads(entry.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # removed or damaged from outside: the content still counts
        known = {}
    size = (entry.parents[1 if entry.parent.name == "owners" else 0] / "content").stat().st_size
    return Upload(id, str(known.get("name", "")), size, float(known.get("added", 0)))


def _unwritable(name: str, error: OSError) -> SpecError:
    """In words, that the workspace takes nothing more."""
    return SpecError(
        f"{display_name(name)} could not be kept: the server's workspace folder cannot be written "
        f"({error.strerror or type(error).__name__}). Whoever runs the server has to free space there or allow writing; "
        "what comes with the app can be used meanwhile.",
        "data",
        detail=str(error),
    )


def _touch(kept: Path) -> None:
    with contextlib.suppress(OSError):  # read-only: then nothing is removed either
        os.utime(kept)


def _used(kept: Path) -> float:
    try:
        return kept.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(kept: Path) -> int:
    total = 0
    for path in kept.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _remove(kept: Path) -> None:
    """Away in one step, then deleted: nobody ever finds half a folder."""
    try:
        grave = Path(tempfile.mkdtemp(dir=_folder("tmp")))
    except OSError:  # read-only: it stays
        return
    with contextlib.suppress(OSError):  # already gone, or held open on a system that forbids it
        kept.rename(grave / kept.name)
    shutil.rmtree(grave, ignore_errors=True)


def hashed(owner: str) -> str:
    """Owners are secrets of a browser; the disk holds only their hash."""
    return hashlib.sha256(owner.encode("utf-8", "replace")).hexdigest()[:32]


def _hidden(character: str) -> bool:
    """Control, format (bidi marks among them), surrogate, private and unassigned characters."""
    return unicodedata.category(character).startswith("C")


_PLAIN_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".tab")
