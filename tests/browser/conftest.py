"""One server and one Chromium for all browser tests; a fresh, watched page for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import harness

expect.set_options(timeout=harness.PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def server() -> Iterator[harness.Server]:
    """The playground, served on a free port with an empty workspace."""
    # learners who left keep their places for a while, and nobody here wants to wait for one
    with harness.serve(variables={"PLAYGROUND_PER_SERVER": "24"}) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with harness.chromium() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor: own cookies, own storage; `context.new_page()` is another tab."""
    made = browser.new_context(
        viewport={"width": 1280, "height": 720}, accept_downloads=True, reduced_motion="reduce"
    )
    made.set_default_timeout(harness.PATIENCE)
    yield made
    made.close()


@pytest.fixture
def watch(context: BrowserContext, server: harness.Server) -> Iterator[harness.Watch]:
    """What this visitor's pages asked for and complained about; both must stay empty, as must the server's log.

    A test that provokes an error on purpose reads it here and clears it.
    """
    seen, before = harness.watched(context, server.url), len(server.output())
    yield seen
    said = server.output()[before:]
    assert "Traceback" not in said, said[-8000:]
    assert not seen.foreign, "requests left the server's origin"
    assert not seen.errors, "the browser's console shows errors"


@pytest.fixture
def page(context: BrowserContext, watch: harness.Watch) -> Page:
    """A tab of a new visitor, watched: no request may leave the server, no error reach the console."""
    return context.new_page()


@pytest.fixture
def visit(page: Page, server: harness.Server) -> Callable[..., Page]:
    """`visit("training?training-lr=0.1")` opens that address and waits until the page is idle."""

    def go(path: str = "") -> Page:
        page.goto(f"{server.url}/{path.lstrip('/')}")
        return harness.idle(page)

    return go


@pytest.fixture
def screenshot(request: pytest.FixtureRequest, page: Page) -> Callable[[str], Path]:
    """`screenshot("name")` writes screenshots/<test>-<name>.png for a person to look at; git ignores it."""

    def shoot(name: str) -> Path:
        path = harness.ROOT / "screenshots" / f"{request.node.name}-{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return shoot
