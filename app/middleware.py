"""What every answer of the server carries: security headers, and the cookie that says whose runs are whose."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.data import owners

COOKIE = "playground_owner"


def _inline_scripts() -> list[str]:
    """Sources for the few lines of script inside the page of the installed Streamlit, by their hash."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_bytes()
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    return [
        f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
        for script in scripts
    ]


# Everything comes from this server, and nothing may be sent anywhere else. Views start as modules from blob:
# addresses, styles are made at run time, and graph drawing is WebAssembly; no text is ever run as a program.
POLICY = "; ".join(
    (
        "default-src 'self'",
        " ".join(["script-src 'self' 'wasm-unsafe-eval' blob:", *_inline_scripts()]),
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' blob: data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=()",
}


class SecurityHeaders:
    """Adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sending)


class DeepLinks:
    """Lets a link to a page open without errors in the browser's console.

    Opened at /training, Streamlit's page first asks whether the server lives below /training, and goes on with the
    next address unless it hears 2xx. A 404 would do, but browsers write each one to the console; 300 they do not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _PROBE.fullmatch(scope["path"]):
            headers = {"Cache-Control": "no-store"}
            await Response(status_code=300, headers=headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


_PROBE = re.compile(r"/[^/]+/_stcore/(health|host-config)")


class Look:
    """Names the style sheet of all pages in the head of Streamlit's page.

    What a script sends as a style comes after the first elements, which then move.
    """

    _LINK = b'<link rel="stylesheet" href="/assets/views/page.css">'

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or b"text/html" not in dict(scope["headers"]).get(
            b"accept", b""
        ):
            await self._app(scope, receive, send)
            return
        # 8 kB are not worth packing, and packed they could not be written into
        plain = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
        scope = {**scope, "headers": plain}
        start: Message = {}
        parts: list[bytes] = []

        async def sending(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                kind = MutableHeaders(scope=message).get("content-type", "")
                if kind.startswith("text/html"):
                    start = message
                    return
            if not start or message["type"] != "http.response.body":
                await send(message)
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            page = b"".join(parts)
            page = page.replace(b"</head>", self._LINK + b"</head>", 1)
            headers = MutableHeaders(scope=start)
            headers["content-length"] = str(len(page))
            for name in ("etag", "last-modified"):  # of the page without it
                del headers[name]
            await send(start)
            await send({"type": "http.response.body", "body": page})

        await self._app(scope, receive, sending)


class Owner:
    """Gives a browser an unguessable name of its own, by which its runs are known.

    The cookie is set where Streamlit's page asks for its settings, which is before it opens the websocket and always
    from the page itself: a link from another site leads to a first request *without* an existing strict cookie,
    and an answer to that one would replace the name and so take the learner's runs away.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/_stcore/host-config" or owner_of(scope):
            await self._app(scope, receive, send)
            return
        secure = "; Secure" if scope["scheme"] == "https" else ""
        cookie = (
            f"{COOKIE}={owners.made()}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict{secure}"
        )

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", cookie)
            await send(message)

        await self._app(scope, receive, sending)


def owner_of(scope: Scope) -> str | None:
    """The owner's name in a request's cookie; None where this server has not made it."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            owner = cookie_parser(value.decode("latin-1")).get(COOKIE)
            if owner and owners.genuine(owner):
                return owner
    return None
