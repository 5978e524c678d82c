"""Files too large for the server's memory: streamed to disk, for the browser that sends them and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app.middleware import owner_of
from models.core.spec import SpecError
from models.data import workspace

HEADER = "x-playground"  # a page of another site cannot send it without the server's leave
AT_ONCE = 4  # uploads that are taken at the same time
_CHUNK = 1 << 20
_taking = 0


async def upload(request: Request) -> Response:
    """Keep the body as a file of this browser's owner; answers {"id", "size"}."""
    global _taking
    if refusal := _refusal(request):
        return refusal
    owner = owner_of(request.scope) or ""
    name = request.query_params.get("name", "")[:1000] or "upload"
    _taking += 1
    try:
        with tempfile.TemporaryDirectory(dir=_temporary()) as folder:
            path = Path(folder) / "content"
            size = await _receive(request, path)
            if size > workspace.MAX_FILE:
                return _too_large()
            id = await asyncio.to_thread(workspace.put, path, name, owner)
    except ClientDisconnect:
        return PlainTextResponse("The upload was stopped.", status_code=400)
    except SpecError as error:
        return PlainTextResponse(str(error), status_code=507)
    except OSError:
        return PlainTextResponse(
            "The file could not be written: the server's disk may be full.", status_code=507
        )
    finally:
        _taking -= 1
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
    if _taking >= AT_ONCE:
        return PlainTextResponse(
            f"{AT_ONCE} files are being sent already. Try again in a minute.", status_code=503
        )
    return None


async def _receive(request: Request, path: Path) -> int:
    """Write the body piece by piece; returns its bytes, more than may be kept as soon as that is known."""
    size, waiting = 0, bytearray()
    with path.open("wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > workspace.MAX_FILE:
                return size
            waiting += chunk
            if len(waiting) >= _CHUNK:
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(file.write, bytes(waiting))
    return size


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
