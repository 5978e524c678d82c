"""The watch over pages sees what it must, so that its silence elsewhere means something."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser import harness


def test_a_request_to_another_host_is_refused_and_recorded(
    page: Page, watch: harness.Watch
) -> None:
    page.goto("about:blank")  # the server's own pages have a policy that stops it even before
    outcome = page.evaluate("fetch('http://192.0.2.1/x').then(() => 'answered', () => 'refused')")
    assert outcome == "refused"
    assert watch.foreign == ["http://192.0.2.1/x"]
    watch.foreign.clear()
    watch.errors.clear()


def test_a_socket_to_another_host_is_refused_and_recorded(page: Page, watch: harness.Watch) -> None:
    page.goto("about:blank")
    page.evaluate(
        "new Promise(done => { new WebSocket('ws://192.0.2.1/x').onclose = () => done(true) })"
    )
    assert watch.foreign == ["ws://192.0.2.1/x"]
    watch.foreign.clear()
    watch.errors.clear()


def test_a_request_to_the_server_is_answered_and_not_recorded(
    page: Page, server: harness.Server, watch: harness.Watch
) -> None:
    page.goto(f"{server.url}/_stcore/health")
    assert page.evaluate("fetch('/_stcore/health').then(answer => answer.status)") == 200
    assert watch.foreign == []


def test_console_errors_and_uncaught_exceptions_are_recorded(
    page: Page, server: harness.Server, watch: harness.Watch
) -> None:
    page.goto(f"{server.url}/_stcore/health")
    with page.expect_event("pageerror"):
        page.evaluate(
            "console.log('fine'); console.error('first'); setTimeout(() => { throw Error('second') })"
        )
    assert [error.partition(" (")[0] for error in watch.errors] == ["first", "uncaught: second"]
    watch.errors.clear()


def test_every_message_on_the_way_to_a_browser_fits_one_line() -> None:
    assert "\n" not in harness.NO_BROWSER
    assert "--no-browser" in harness.NO_BROWSER
