"""Files too large for the server's memory: streamed to disk, for the browser that sends them and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app.middleware import owner_of
from models.core.runs.fairness import FairQueue
from models.core.spec import SpecError
from models.data import workspace

HEADER = "x-playground"  # a page of another site cannot send it without the server's leave
AT_ONCE, PER_OWNER = 8, 2  # uploads that are taken at the same time, of all and of one browser
WAIT = 120.0  # seconds an upload may stand in line
LEAST, WITHIN = (
    20_000,
    20.0,
)  # bytes that must come in so many seconds, else the place is given to another
_CHUNK = 1 << 20


class Places:
    """Who may send now: owners take turns, each with a share of the places."""

    def __init__(self) -> None:
        self._live: Counter[str] = Counter()
        self._line = FairQueue()
        self._waiting: dict[str, tuple[str, asyncio.Future[None]]] = {}

    async def enter(self, owner: str) -> None:
        """Wait for a place, which has to be left again.

        Raises:
            TimeoutError: there was none within `WAIT` seconds.
        """
        ticket, called = secrets.token_hex(8), asyncio.get_running_loop().create_future()
        self._waiting[ticket] = owner, called
        self._line.put(owner, ticket)
        self._call()
        try:
            await asyncio.wait_for(asyncio.shield(called), WAIT)
        except BaseException:
            self._line.remove(ticket)
            if called.done():  # called in the very moment it gave up
                self.leave(owner)
            raise
        finally:
            self._waiting.pop(ticket, None)

    def leave(self, owner: str) -> None:
        self._live[owner] -= 1
        if not self._live[owner]:
            del self._live[owner]
        self._call()

    def _call(self) -> None:
        while ticket := self._line.take(self._free):
            owner, called = self._waiting[ticket]
            self._live[owner] += 1
            called.set_result(None)

    def _free(self, owner: str) -> bool:
        return self._live.total() < AT_ONCE and self._live[owner] < PER_OWNER


_PLACES = Places()


async def upload(request: Request) -> Response:
    """Keep the body as a file of this browser's owner; answers {"id", "size"}."""
    if refusal := _refusal(request):
        return refusal
    owner = owner_of(request.scope) or ""
    name = request.query_params.get("name", "")[:1000] or "upload"
    try:
        await _PLACES.enter(owner)
    except TimeoutError:
        return PlainTextResponse(
            f"{AT_ONCE} files are being sent already, {PER_OWNER} of one browser at most. Try again in a minute.",
            status_code=503,
        )
    try:
        with tempfile.TemporaryDirectory(dir=_temporary()) as folder:
            path = Path(folder) / "content"
            size = await _receive(request, path)
            if size > workspace.MAX_FILE:
                return _too_large()
            id = await asyncio.to_thread(workspace.put, path, name, owner)
    except ClientDisconnect:
        return PlainTextResponse("The upload was stopped.", status_code=400)
    except TimeoutError:
        return PlainTextResponse(
            f"Less than {LEAST // 1000} kB came in {WITHIN:g} seconds, so the upload was ended. Check the connection and "
            "send the file again.",
            status_code=408,
            headers={"Connection": "close"},
        )
    except SpecError as error:
        return PlainTextResponse(str(error), status_code=507)
    except OSError:  # a TimeoutError is one: it was answered above
        return PlainTextResponse(
            "The file could not be written: the server's disk may be full.", status_code=507
        )
    finally:
        _PLACES.leave(owner)
    return JSONResponse({"id": id, "size": size}, headers={"Cache-Control": "no-store"})


def _refusal(request: Request) -> Response | None:
    """Only the server's own pages may send, in a browser that it knows."""
    origin = urlsplit(request.headers.get("origin", "")).netloc
    host = request.headers.get("host", "")
    site = request.headers.get("sec-fetch-site")  # behind a proxy the host may be another one
    ours = site == "same-origin" if site else origin == host
    if request.headers.get(HEADER) != "upload" or not ours:
        return PlainTextResponse("Files are taken from this server's own pages.", status_code=403)
    if not owner_of(request.scope):
        return PlainTextResponse("Reload the page and send the file again.", status_code=403)
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > workspace.MAX_FILE:
        return _too_large()
    return None


async def _receive(request: Request, path: Path) -> int:
    """Write the body piece by piece; returns its bytes, more than may be kept as soon as that is known.

    Raises:
        TimeoutError: it comes too slowly.
    """
    size, waiting = 0, bytearray()
    with path.open("wb") as file:
        async for chunk in _steady(request.stream()):
            size += len(chunk)
            if size > workspace.MAX_FILE:
                return size
            waiting += chunk
            if len(waiting) >= _CHUNK:
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(file.write, bytes(waiting))
    return size


async def _steady(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces, as long as enough of them comes in time; writing them does not count."""
    left, came = WITHIN, 0
    while True:
        began = time.monotonic()
        try:
            chunk = await asyncio.wait_for(anext(chunks), left)
        except StopAsyncIteration:
            return
        left, came = left - (time.monotonic() - began), came + len(chunk)
        if came >= LEAST:
            left, came = WITHIN, 0
        elif left <= 0:
            raise TimeoutError
        yield chunk


def _temporary() -> Path:
    folder = workspace.home() / "tmp"
    with contextlib.suppress(OSError):  # said when the file is written
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _too_large() -> Response:
    return PlainTextResponse(
        f"The file is larger than {workspace.MAX_FILE / 1e6:.0f} MB, the most that is kept here. Send a part of it.",
        status_code=413,
    )
