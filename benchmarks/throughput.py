"""Training: epochs per second of a run that is watched, beside the exported script of the same run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import show
from models import training
from models.core.runs import Client, Limits
from models.training import Spec

_ROUNDS = 5
_POLLS = 10  # per second, as the page asks
_OWNER = "benchmark"
_SPIRAL = Spec(
    data="spiral",
    inputs="x1,x2,x1^2,x2^2,x1x2,sin(x1),sin(x2)",
    points=500,
    val_fraction=0.25,
    test_fraction=0.25,
    layers="8 tanh, 8 tanh",
    lr=0.03,
    batch_size=10,
    epochs=250,
)
CASES = {
    "spiral, 250 points, 7 inputs, [8, 8] tanh, batch 10": _SPIRAL,
    "digits, [64] ReLU, batch 64": Spec(
        data="digits", layers="64 relu", lr=0.05, batch_size=64, epochs=150
    ),
}


def main() -> None:
    """The best of five rounds each, taken in turns, so that a busy machine slows both alike."""
    client = Client(Limits(per_owner=40))
    try:
        client.warm()
        rows = [_case(client, name, spec) for name, spec in CASES.items()]
    finally:
        client.close()
    show(
        ("run", "script epochs/s", "watched epochs/s", "ratio (at least 0.95)", "pictures/s"),
        rows,
    )


def _case(client: Client, name: str, spec: Spec) -> tuple[object, ...]:
    plain, seen, pictures = [], [], []
    for _ in range(_ROUNDS):
        plain.append(_script(spec))
        rate, shown = _watched(client, spec)
        seen.append(rate)
        pictures.append(shown)
    return name, max(plain), max(seen), max(seen) / max(plain), max(pictures)


def _script(spec: Spec) -> float:
    """Epochs per second of the exported script's loop, with one thread and the priority of a worker."""
    head, loop = training.to_code(spec).split("\nstep = epoch = 0\n")
    code = (
        "import os, torch, torch._dynamo\ntorch.set_num_threads(1)\n"
        "if hasattr(os, 'nice'):\n    os.nice(5)\n"
        + head
        + "\nimport time\nbegin = time.perf_counter()\nstep = epoch = 0\n"
        + loop.replace("\n# %%\n", "\nprint('rate', epoch / (time.perf_counter() - begin))\n")
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.py"
        path.write_text(code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(path)], capture_output=True, text=True, check=True
        )
    return next(float(line[5:]) for line in done.stdout.splitlines() if line.startswith("rate "))


def _watched(client: Client, spec: Spec) -> tuple[float, float]:
    """Epochs and pictures per second of the same run in a worker, asked for news ten times a second."""
    run = client.start("models.training", spec, owner=_OWNER)
    cursor, pictures = "", set[int]()
    while True:
        news = _decoded(client.poll(run, cursor, _OWNER))
        cursor = news["cursor"]
        if frame := news.get("frame"):
            pictures.add(frame["step"])
        if news["state"] not in ("queued", "running"):
            break
        time.sleep(1 / _POLLS)
    rows = client.history(run)["rows"]
    client.stop(run, _OWNER)
    seconds = rows[-1]["seconds"] - rows[0]["seconds"]
    return (rows[-1]["epoch"] - rows[0]["epoch"]) / seconds, len(pictures) / seconds


def _decoded(answer: bytes) -> dict:
    from models.core import wire

    return wire.loads(answer)
