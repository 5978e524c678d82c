"""Training: epochs per second of a run that is watched, beside the exported script of the same run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.table import show
from models import training
from models.core import wire
from models.core.runs import Client, Limits
from models.training import Spec

_ROUNDS = 15
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
    epochs=800,
)
CASES = {
    "spiral, 250 points, 7 inputs, [8, 8] tanh, batch 10": _SPIRAL,
    "digits, [64] ReLU, batch 64": Spec(
        data="digits", layers="64 relu", lr=0.05, batch_size=64, epochs=1000
    ),
}


def main() -> None:
    """Medians of some rounds, script and run in turns, so that a busy machine slows both alike.

    Each run has a server of its own, as each script has an interpreter: where memory happens to lie makes some
    of either several per cent faster than others, and all workers of one server share that luck.

    One pair differs from the next by several per cent where a machine is shared: the quartiles of the pairs'
    ratios say how much. Where others use the same cores, read the ratio per CPU second; pictures come by the
    clock, so there they take a larger part of it than on an idle machine.
    """
    rows = [_case(name, spec) for name, spec in CASES.items()]
    show(
        (
            "run",
            "script epochs/s",
            "watched epochs/s",
            "ratio (at least 0.95)",
            "quartiles of the pairs",
            "ratio per CPU second",
            "pictures/s",
        ),
        rows,
    )


def _case(name: str, spec: Spec) -> tuple[object, ...]:
    plain, seen = [], []
    for _ in range(_ROUNDS):
        plain.append(_script(spec))
        seen.append(_watched(spec))
    low, _, high = statistics.quantiles(
        [run[0] / script[0] for script, run in zip(plain, seen, strict=True)]
    )
    script, script_cpu = map(statistics.median, zip(*plain, strict=True))
    watched, watched_cpu, pictures = map(statistics.median, zip(*seen, strict=True))
    pairs = f"{low:.3f} to {high:.3f}"
    return name, script, watched, watched / script, pairs, watched_cpu / script_cpu, pictures


def _script(spec: Spec) -> tuple[float, float]:
    """Epochs per second and per CPU second of the exported script's loop, with a worker's threads and priority."""
    head, loop = training.to_code(spec).split("\nstep = epoch = 0\n")
    code = (
        "import os, torch, torch._dynamo\ntorch.set_num_threads(1)\n"
        "if hasattr(os, 'nice'):\n    os.nice(5)\n"
        + head
        + "\nimport time\nbegin, cpu = time.perf_counter(), time.process_time()\nstep = epoch = 0\n"
        + loop.replace(
            "\n# %%\n",
            "\nprint('rate', epoch / (time.perf_counter() - begin), epoch / (time.process_time() - cpu))\n",
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.py"
        path.write_text(code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(path)], capture_output=True, text=True, check=True
        )
    line = next(line for line in done.stdout.splitlines() if line.startswith("rate "))
    wall, cpu = map(float, line.split()[1:])
    return wall, cpu


def _watched(spec: Spec) -> tuple[float, float, float]:
    """Epochs per second, per CPU second, and pictures per second of the same run in a worker, asked for
    news ten times a second."""
    client = Client(Limits())
    try:
        client.warm()
        run = client.start("models.training", spec, owner=_OWNER, paused=True)
        while b'"frame":{' not in client.poll(run, "", _OWNER):
            time.sleep(0.01)
        worker = psutil.Process(client.health()["workers"][-1])
        cursor, pictures, cpu = "", set[int](), _cpu(worker)
        client.resume(run, _OWNER)
        while True:
            time.sleep(1 / _POLLS)
            news = wire.loads(client.poll(run, cursor, _OWNER))
            cursor = news["cursor"]
            if frame := news.get("frame"):
                pictures.add(frame["step"])
            if news["state"] not in ("queued", "running", "paused"):
                break
        cpu = _cpu(worker) - cpu
        rows = client.history(run)["rows"]
    finally:
        client.close()
    seconds = rows[-1]["seconds"] - rows[0]["seconds"]
    return spec.epochs / seconds, spec.epochs / cpu, len(pictures) / seconds


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
