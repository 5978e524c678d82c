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
from torch import nn
from torch.nn import functional as F

from components.views import maps
from models import cnn, filters
from models.cnn import augment, data, look, looking, network, topic
from models.core import wire
from models.core.seeding import generator, seeded
from models.training.run import Run


def main() -> None:
    """Print the table."""
    rows = [
        ("all maps of the small network, another digit, ms", 1e3 * digit(), "≤ 10 × the floor"),
        ("…, packed for the browser, kB", packed() / 1e3, ""),
        ("all maps of a ResNet-18, one picture, s", resnet(), "≤ 1.5"),
        ("12-megapixel photograph opened, scaled, convolved, s", photograph(), "≤ 1"),
        ("training: share of a bare loop's speed", throughput(), "≥ 0.95"),
    ]
    print(f"{'what':56} {'measured':>10}   target")
    for what, value, target in rows:
        print(f"{what:56} {value:10.3f}   {target}")


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
    return _median(lambda n: filters.run(spec, filters.picture(spec, out.getvalue())), 5)


def throughput() -> float:
    """Epochs per second of the app's run as a part of those of the script's loop; the same work, turn by turn."""
    torch.set_num_threads(1)
    spec = cnn.Spec(epochs=10)
    ratios = []
    for _ in range(5):
        began = time.perf_counter()
        bare(spec)
        middle = time.perf_counter()
        run = Run(spec, plan=topic.plan(spec))
        while not run.over:
            run.batch()
        ratios.append((middle - began) / (time.perf_counter() - middle))
    return statistics.median(ratios)


def bare(spec: cnn.Spec) -> nn.Module:
    """The loop that the exported script writes, its curves included."""
    found = data.prepare(spec)
    with seeded(spec.seed):
        model = network.build(spec)
    optimizer = torch.optim.Adam(model.parameters(), lr=spec.lr)
    draw, amount = generator(spec.seed), cnn.augmentation(spec)
    for _ in range(spec.epochs):
        for rows in torch.randperm(len(found.x_train), generator=draw).split(spec.batch_size):
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
    return model


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
