"""A server that is started again under an open page."""

from __future__ import annotations

import re
from contextlib import ExitStack

from playwright.sync_api import Browser, expect

from tests.browser import harness


def test_an_open_page_goes_on_when_its_server_was_started_again(browser: Browser) -> None:
    with ExitStack() as stack:
        context = stack.enter_context(browser.new_context(viewport={"width": 1280, "height": 720}))
        training, tensors = context.new_page(), context.new_page()
        with harness.serve() as server:
            training.goto(f"{server.url}/training?training-data=moons&training-epochs=5")
            expect(training).to_have_url(re.compile("run="), timeout=harness.PATIENCE)
            tensors.goto(f"{server.url}/tensors?tensors-part=Memory")
            expect(tensors.get_by_role("heading", level=1)).to_be_visible(timeout=harness.PATIENCE)
            harness.idle(tensors)
        before = training.url
        with harness.serve(port=int(server.url.rpartition(":")[2])):
            again = training.get_by_text("the server was restarted")
            expect(again.first).to_be_visible(timeout=harness.PATIENCE)
            expect(training).not_to_have_url(before, timeout=harness.PATIENCE)
            expect(training).to_have_url(re.compile("training-data=moons&training-epochs=5&run="))
            bar = training.locator(".st-key-training-transport-bar")
            expect(bar).to_contain_text("epoch 5 / 5", timeout=harness.PATIENCE)
            expect(training.get_by_text("Press Play")).to_have_count(0)
            expect(training.get_by_role("combobox").first).to_have_value("Moons (made)")
            # a part of a page that no run belongs to answers, too
            tensors.get_by_role("radio", name="Devices").click()
            expect(tensors).to_have_url(
                re.compile("tensors-part=Devices"), timeout=harness.PATIENCE
            )
