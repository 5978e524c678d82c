"""One server and one Chromium, for browser tests and benchmarks; the standard library until a browser starts."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        Locator,
        Page,
        Request,
        WebSocket,
    )

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "app/main.py"
IDLE = (
    "[data-testid=stApp][data-test-connection-state=CONNECTED][data-test-script-state=notRunning]"
)
PATIENCE = 60_000  # ms; the first page of a cold server imports torch

NO_BROWSER = (
    "No Chromium or Chrome was found. Get one (Debian, Ubuntu: sudo apt-get install chromium; macOS: brew install "
    "--cask chromium; any system: python -m playwright install chromium), or name it with CHROME=/path/to/chrome, "
    "or leave the browser tests out with --no-browser."
)

_FLAGS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # no other host exists
]

_NAMES = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
]

_PLACES = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "{PROGRAMFILES}/Google/Chrome/Application/chrome.exe",
    "{PROGRAMFILES(X86)}/Google/Chrome/Application/chrome.exe",
    "{LOCALAPPDATA}/Google/Chrome/Application/chrome.exe",
    "{PROGRAMFILES(X86)}/Microsoft/Edge/Application/msedge.exe",
]

# where `playwright install chromium` puts its own
_DOWNLOADS = [
    "{PLAYWRIGHT_BROWSERS_PATH}",
    "{HOME}/.cache/ms-playwright",
    "{HOME}/Library/Caches/ms-playwright",
    "{LOCALAPPDATA}/ms-playwright",
]
_DOWNLOADED = [
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
    "chromium-*/chrome-win*/chrome.exe",
]


# On an address such as /training Streamlit first asks whether the app itself lives below /training.
_BASE_PATH_PROBE = re.compile(r"://[^/]+/[^/]+/_stcore/(health|host-config)$")


def find_browser() -> str | None:
    """The path of a Chromium-like browser: `CHROME` or `PLAYGROUND_CHROME` first, then the usual names and places."""
    for variable in ("CHROME", "PLAYGROUND_CHROME"):
        if named := os.environ.get(variable):
            return shutil.which(named)  # the wrong name finds nothing, rather than another browser
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    for place in _PLACES:
        path = _filled(place)
        if path and path.is_file():
            return str(path)
    for place in _DOWNLOADS:
        folder = _filled(place)
        for pattern in _DOWNLOADED if folder else []:
            for path in sorted(folder.glob(pattern), reverse=True) if folder else []:
                return str(path)
    return None


def _filled(place: str) -> Path | None:
    """A place with its `{VARIABLE}` filled in; None where this system has no such variable."""
    try:
        return Path(place.format_map(os.environ))
    except KeyError:
        return None


@dataclass(frozen=True)
class Server:
    """A running playground: its address (`http://127.0.0.1:PORT`), its process, and where its output goes."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        """What the server has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def serve(
    entry: str = ENTRY, variables: dict[str, str] | None = None, port: int | None = None
) -> Iterator[Server]:
    """`streamlit run entry` on `port`, else on a free one, with a workspace of its own; ended at the end.

    Raises:
        RuntimeError: the server did not answer; the message holds its output.
    """
    with tempfile.TemporaryDirectory(
        prefix="playground-server-", ignore_cleanup_errors=True
    ) as home:
        port = port or free_port()
        log = Path(home) / "server.log"
        command = [sys.executable, "-m", "streamlit", "run", entry, "--server.headless", "true"]
        command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
        command += ["--server.fileWatcherType", "none"]
        environment = {
            **os.environ,
            "PLAYGROUND_HOME": str(Path(home) / "home"),
            **(variables or {}),
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        server = Server(f"http://127.0.0.1:{port}", process, log)
        try:
            _wait_until_healthy(server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_healthy(server: Server, patience: float = 120) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended by itself:\n{server.output()}")
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)  # between two polls of another process, which cannot wake this one
    raise RuntimeError(f"no answer from the server within {patience:g} s:\n{server.output()}")


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium.

    Raises:
        RuntimeError: this machine has none; the message says how to get one.
    """
    from playwright.sync_api import sync_playwright

    path = find_browser()
    if path is None:
        raise RuntimeError(NO_BROWSER)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[*_FLAGS, *(["--no-sandbox"] if root else [])]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watch:
    """What a page did beside its work.

    Attributes:
        foreign: addresses outside the server's own origin that it asked for; none was found.
        errors: what it wrote to the console as an error, and exceptions nobody caught.
    """

    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def watched(context: BrowserContext, origin: str) -> Watch:
    """Record every request of this context that leaves `origin` (`chromium` finds no other host), and console errors.

    Only listening: a handler that each request has to pass would switch the browser's cache off.
    """
    watch = Watch()
    sockets = origin.replace("http", "ws", 1)

    def requested(request: Request) -> None:
        if not request.url.startswith((f"{origin}/", "data:", "blob:", "about:")):
            watch.foreign.append(request.url)

    def failed(request: Request) -> None:
        if request.failure == "csp":  # the page's own policy stopped it before it was one
            watch.foreign.remove(request.url)

    def socket_opened(socket: WebSocket) -> None:
        if not socket.url.startswith(f"{sockets}/"):
            watch.foreign.append(socket.url)

    def page_opened(page: Page) -> None:
        page.on("pageerror", lambda error: watch.errors.append(f"uncaught: {error}"))
        page.on("console", written)
        page.on("websocket", socket_opened)

    def written(message: ConsoleMessage) -> None:
        place = message.location["url"]
        if message.type == "error" and not _BASE_PATH_PROBE.search(place):
            watch.errors.append(f"{message.text} ({place})")

    context.on("request", requested)
    context.on("requestfailed", failed)
    context.on("page", page_opened)
    return watch


def idle(page: Page) -> Page:
    """Wait until the script has run and the page shows what it made."""
    page.wait_for_selector(IDLE, timeout=PATIENCE)
    page.wait_for_selector(
        "[data-testid=stMain] [data-testid=stElementContainer]", timeout=PATIENCE
    )
    return page


def still(locator: Locator) -> Locator:
    """Wait until an element has kept its place for half a second, as one in a popover does that still fills up."""
    locator.evaluate(
        """element => new Promise(done => {
             let last = "", since = 0;
             const look = now => {
               const { x, y, width, height } = element.getBoundingClientRect();
               const place = [x, y, width, height].join();
               if (place !== last) [last, since] = [place, now];
               now - since > 500 ? done() : requestAnimationFrame(look);
             };
             requestAnimationFrame(look);
           })"""
    )
    return locator
