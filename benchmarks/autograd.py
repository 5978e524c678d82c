"""The Autograd page: a changed leaf to a new graph, one step in the browser, and ResNet-18 recorded and folded."""

from __future__ import annotations

import itertools
import time
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page

from benchmarks import floor, table
from benchmarks.latency import Times, repeated
from models import autograd
from models.autograd.picture import picture
from models.core import wire
from tests.browser import harness

# 3 leaves and 18 turns of 3 operations, 60 backward nodes and a few; the last line moves with every w
LEAVES = "\n".join(
    f"{name} = torch.tensor({value}, requires_grad=True)"
    for name, value in (("x", "[0.5, -0.2]"), ("w", "1.1"), ("b", "0.01"))
)
PROGRAM = (
    "h = x\nfor i in range(18):\n    h = torch.tanh(h * w + b)\nh = h * 2 + w * 10\nloss = h.sum()"
)
_TEXT = """() => {
  for (const e of document.querySelectorAll("*")) {
    const root = e.shadowRoot?.querySelector(".view g.node[data-name^='loss']");
    if (root) return root.getAttribute("aria-label");
  }
  return "";
}"""
_STEPS = """async () => {
  const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean);
  const view = roots.map((r) => r.querySelector(".view .area")).find(Boolean).closest(".view");
  const button = (label) => view.querySelector(`button[aria-label="${label}"]`);
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  button("Back to the start").click();
  await frame();
  const found = [];
  for (const label of ["Step forward", "Step back"]) {
    for (let i = 0; i < 20; i++) {
      const paints = view.dataset.paints, start = performance.now();
      button(label).click();
      while (view.dataset.paints === paints) await frame();
      found.push(performance.now() - start);
    }
  }
  return found;
}"""


def main() -> None:
    """Latencies beside the floor of the same server, and seconds of the large graph."""
    spec = autograd.Spec(leaves=LEAVES, program=PROGRAM)
    nodes = len(autograd.run(spec).backward.steps)
    with harness.chromium() as browser, harness.serve(floor.ENTRY) as server:
        least = floor.floor(browser, server)
        edit, steps = edited(browser, server, spec)
    table.show(
        ["action", "p50 ms", "p95 ms", "p50 ratio", "p95 ratio"],
        [
            ["floor: slider on an empty page", least.p50, least.p95, 1.0, 1.0],
            _row(f"a leaf changed, {nodes} backward nodes", edit, least),
            _row("one step in the browser", steps, least),
        ],
    )
    autograd.run(autograd.Spec(preset="resnet18"))  # imports torchvision
    start = time.perf_counter()
    result = autograd.run(autograd.Spec(preset="resnet18"))
    recorded = time.perf_counter()
    size = len(wire.dumps(picture(result.graph, result.backward, [])))
    done = time.perf_counter()
    print(
        f"\nResNet-18, {len(result.graph.vertices)} boxes: recorded and stepped in {recorded - start:.2f} s, "
        f"made {size / 1e3:.0f} kB for the browser in {done - recorded:.2f} s"
    )


def edited(browser: Browser, server: harness.Server, spec: autograd.Spec) -> tuple[Times, Times]:
    """Latencies of a changed leaf (Enter to another number in the graph), and of single steps."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(harness.PATIENCE)
    page = context.new_page()
    query = urlencode({"autograd-leaves": spec.leaves, "autograd-program": spec.program})
    page.goto(f"{server.url}/autograd?{query}")
    harness.idle(page)
    page.locator("g.node").first.wait_for()
    found = repeated(page, _typing(page), _TEXT, 30)
    steps = Times(tuple(page.evaluate(_STEPS)))
    context.close()
    return found, steps


def _typing(page: Page):
    box = page.get_by_role("textbox", name="w", exact=True)
    values = (f"{1 + i / 100:.2f}" for i in itertools.count(1))

    def change() -> None:
        box.fill(next(values))
        box.press("Enter")

    return change


def _row(name: str, times: Times, least: Times) -> list[object]:
    return [name, times.p50, times.p95, times.p50 / least.p50, times.p95 / least.p95]


if __name__ == "__main__":
    main()
