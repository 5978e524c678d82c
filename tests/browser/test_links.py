"""A link opened where nobody has been before, on a busy machine: after three quiet seconds it is still the experiment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import harness, links


@pytest.fixture
def busy() -> Iterator[None]:
    """Another program that takes a core."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield
    other.kill()
    other.wait()


@pytest.mark.parametrize("place", links.PLACES, ids=lambda place: f"{place.page}-{place.prefix}")
@pytest.mark.usefixtures("busy")
def test_a_cold_link_keeps_every_setting(
    place: links.Place, browser: Browser, server: harness.Server
) -> None:
    asked = links.together(place)
    assert asked.changed()
    assert not links.lost(browser, server.url, place, asked)
