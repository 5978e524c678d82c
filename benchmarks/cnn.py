"""What the CNN page costs: another picture to all its maps, a ResNet-18, a photograph, training against a bare loop.

    python3 -m benchmarks.cnn

Every line is measured on this machine, now; the target stands beside it. Nothing here is part of a test's verdict.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable

import torch
from PIL import Image
from torch.nn import functional as F

from benchmarks import convolution, floor
from benchmarks.latency import Times, repeated
from components.views import maps
from models import cnn, filters
from models.cnn import augment, data, look, looking, network, topic
from models.core import device, wire
from models.core.seeding import generator, seeded
from models.training.run import Run
from tests.browser import harness


def main() -> None:
    """Print the table."""
    least, switched = browser()
    rows = [
        ("floor: slider on an empty page, p50 ms", least.p50, ""),
        ("another digit → all feature maps on screen, p50 ms", switched.p50, ""),
        ("… as a multiple of the floor", switched.p50 / least.p50, "≤ 10"),
        ("all maps of the small network, another digit, ms", 1e3 * digit(), ""),
        ("…, packed for the browser, kB", packed() / 1e3, ""),
        ("all maps of a ResNet-18, one picture, s", resnet(), "≤ 1.5"),
        ("12-megapixel photograph opened, scaled, convolved, s", photograph(), "≤ 1"),
        ("training: share of a bare loop's speed", throughput(), "≥ 0.95"),
    ]
    print(f"{'what':56} {'measured':>10}   target")
    for what, value, target in rows:
        print(f"{what:56} {value:10.3f}   {target}")


def browser() -> tuple[Times, Times]:
    """The floor, and a key press in the digit's field until the maps view has painted, both in a browser."""
    probe = convolution.painted("application", "paints")
    with harness.chromium() as chromium, harness.serve(floor.ENTRY) as server:
        least = floor.floor(chromium, server)
        page = convolution.opened(chromium, server, "cnn", probe)
        page.get_by_role("spinbutton", name="row").focus()
        switched = repeated(page, lambda: page.keyboard.press("ArrowUp"), probe, 30)
        page.context.close()
    return least, switched


def digit() -> float:
    """Seconds from another digit to all maps, drawn as bytes and packed, on one thread as a page's script has."""
    return _median(lambda n: _sent(looking.Spec(row=n)), 30)


def packed() -> int:
    """Bytes that travel for one picture."""
    return len(_sent(looking.Spec()))


def resnet() -> float:
    """Seconds for the 60 layers of an untrained ResNet-18 on a photograph of 224 × 224, packed for the browser."""
    return _median(lambda n: _sent(looking.Spec(network="resnet18", image="china")), 5)


def photograph() -> float:
    """Seconds to decode a 12-megapixel JPEG, reduce it and convolve it."""
    out = io.BytesIO()
    noise = Image.effect_noise((500, 375), 60).convert("RGB").resize((4000, 3000))
    noise.save(out, "JPEG", quality=90)
    spec = filters.Spec()
    with device.one_thread():  # as the page does
        return _median(lambda n: filters.run(spec, filters.picture(spec, out.getvalue())), 5)


def throughput() -> float:
    """Epochs per second of the app's run as a part of those of the script's loop; the same work, turn by turn."""
    torch.set_num_threads(1)
    spec = cnn.Spec(epochs=10)
    ratios = []
    for _ in range(7):
        loop = bare(spec)
        run = Run(spec, plan=topic.plan(spec))
        began = time.perf_counter()
        loop()
        middle = time.perf_counter()
        while not run.over:
            run.batch()
        ratios.append((middle - began) / (time.perf_counter() - middle))
    return statistics.median(ratios)


def bare(spec: cnn.Spec) -> Callable[[], None]:
    """The loop that the exported script writes, its curves included, ready to begin."""
    found = data.prepare(spec)
    with seeded(spec.seed):
        model = network.build(spec)
    optimizer = torch.optim.Adam(model.parameters(), lr=spec.lr)
    draw, amount = generator(spec.seed), cnn.augmentation(spec)

    def loop() -> None:
        for _ in range(spec.epochs):
            order = torch.randperm(len(found.x_train), generator=draw)
            for rows in order.split(spec.batch_size):
                x = augment.augment(found.x_train[rows], draw, **amount)
                optimizer.zero_grad()
                F.cross_entropy(model(x), found.y_train[rows]).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                for x, y in ((found.x_train, found.y_train), (found.x_val, found.y_val)):
                    output = model(x)
                    F.cross_entropy(output, y).item()
                    (output.argmax(1) == y).float().mean().item()
            model.train()

    return loop


@device.one_thread()
def _sent(spec: looking.Spec) -> bytes:
    """What the browser gets for this picture, without a browser."""
    used, result = looking.bench(spec), looking.run(spec)
    told: list[bytes] = []
    view, maps.mount.view = maps.mount.view, lambda name, d, **how: told.append(wire.dumps(d)) or {}
    try:
        maps.maps(
            key="benchmark",
            alt="",
            picture=looking.shown(used, result.x),
            found=result.maps,
            classes=result.classes,
            probabilities=result.probabilities,
            weights=look.multiplied(used.model, result.maps),
        )
    finally:
        maps.mount.view = view
    return told[0]


def _median(work: Callable[[int], object], times: int) -> float:
    work(0)  # what is loaded once is loaded
    seconds = []
    for n in range(times):
        began = time.perf_counter()
        work(n)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
