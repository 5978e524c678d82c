"""The stop-watch of the benchmarks, on pages whose slowness is known."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from benchmarks.latency import latency

SLOW = """
<button autofocus id="key">press</button><p id="out">0</p><div id="host"></div>
<script>
  const out = document.getElementById("out"), shadow = host.attachShadow({ mode: "open" });
  shadow.append("0");
  let count = 0;
  key.addEventListener("keydown", () => {
    count += 1;
    setTimeout(() => { out.textContent = count; shadow.firstChild.data = count; }, 150);
  });
</script>
"""


@pytest.mark.parametrize(
    "probe",
    ["() => document.querySelector('#out').textContent", "() => host.shadowRoot.textContent"],
    ids=["the page itself", "inside a view"],
)
def test_the_time_from_key_to_change_is_measured_each_time(page: Page, probe: str) -> None:
    page.set_content(SLOW)
    page.locator("#key").focus()
    for _ in range(2):
        found = latency(page, lambda: page.keyboard.press("ArrowRight"), probe)
        assert 149 <= found < 2000  # a timer may be late, never early
