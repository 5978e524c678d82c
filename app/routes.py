"""Same-origin routes beside the pages: what a run shows, the browser's own modules, health, large uploads."""

from __future__ import annotations

import gzip
import hashlib
import math
from functools import cache
from pathlib import Path

import plotly
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.middleware import owner_of
from app.uploads import upload
from models.core import runs

VIEWS = Path(__file__).resolve().parents[1] / "components" / "views"
_TYPES = {".js": "text/javascript", ".css": "text/css"}
_FOREVER = "public, max-age=31536000, immutable"  # for addresses that carry a version
# Streamlit would compress each answer on its event loop; a live picture is not worth that.
_LIVE = {"Cache-Control": "no-store", "Content-Encoding": "identity"}

# Endpoints are plain functions, so that Starlette runs them on threads beside the event loop.


def run(request: Request) -> Response:
    """What is new in a run since a cursor."""
    since = request.query_params.get("since", "")
    body = runs.client().poll(request.path_params["id"], since, owner_of(request.scope))
    return Response(body, media_type="application/json", headers=_LIVE)


def frame(request: Request) -> Response:
    """A run's picture at a past epoch."""
    try:
        epoch = float(request.query_params["epoch"])
    except (KeyError, ValueError):
        epoch = math.nan
    if not math.isfinite(epoch):
        return PlainTextResponse("epoch must be a number, as in ?epoch=12", status_code=400)
    try:
        picture = runs.client().frame(request.path_params["id"], epoch)
    except runs.RunError as error:
        return PlainTextResponse(str(error), status_code=404)
    if picture is None:
        return PlainTextResponse("This run has not shown a picture yet.", status_code=404)
    return Response(picture, media_type="application/json", headers=_LIVE)


def health(request: Request) -> Response:
    """Whether the server lives, and how many runs do."""
    about = runs.client().health()
    shown = {name: about[name] for name in ("warm", "live", "queued")}
    return JSONResponse({"ok": True, "runs": shown}, headers={"Cache-Control": "no-store"})


def plotly_js(request: Request) -> Response:
    """The plotly.js of the installed package."""
    packed, tag = _plotly()
    headers = _cached(request, tag) | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        headers |= {"Content-Encoding": "identity"}
        packed = gzip.decompress(packed)
    return _answer(request, packed, _TYPES[".js"], headers)


def view(request: Request) -> Response:
    """A module or style sheet of components/views; "@version/" in front lets browsers keep it for good."""
    name = request.path_params["path"]
    version, _, rest = name.partition("/")
    versioned = version.startswith("@")
    path = VIEWS
    try:
        path = (VIEWS / (rest if versioned else name)).resolve()
        found = path.is_relative_to(VIEWS) and path.suffix in _TYPES and path.is_file()
    except (ValueError, OSError):  # a zero byte, a name too long
        found = False
    if not found:
        return PlainTextResponse("There is no such view.", status_code=404)
    content = path.read_bytes()
    tag = hashlib.sha256(content).hexdigest()[:16]
    headers = _cached(request, tag) | ({"Cache-Control": _FOREVER} if versioned else {})
    return _answer(request, content, _TYPES[path.suffix], headers)


def _cached(request: Request, tag: str) -> dict[str, str]:
    control = _FOREVER if request.query_params.get("v") else "no-cache"
    return {"Cache-Control": control, "ETag": f'"{tag}"'}


def _answer(request: Request, content: bytes, kind: str, headers: dict[str, str]) -> Response:
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)


@cache
def _plotly() -> tuple[bytes, str]:
    """plotly.min.js, compressed once, and its version."""
    path = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    return gzip.compress(path.read_bytes(), 6), plotly.__version__


# Every route of the server beside Streamlit's own; further ones are one line here.
ROUTES = [
    Route("/api/health", health),
    Route("/api/runs/{id}", run),
    Route("/api/runs/{id}/frame", frame),
    Route("/api/upload", upload, methods=["PUT"]),
    Route("/assets/plotly.min.js", plotly_js),
    Route("/assets/views/{path:path}", view),
]
