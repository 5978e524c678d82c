"""A CSV of 1 000 000 rows and 20 columns: kept, read and profiled, made ready to train on, each in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from benchmarks import table

ROWS, NUMBERS = 1_000_000, 18
ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Seconds, rows per second and memory of each step; the plain pandas call on the same file is the measure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.csv"
        write(path)
        megabytes = path.stat().st_size / 1e6
        environment = os.environ | {"PLAYGROUND_HOME": str(Path(folder) / "home")}
        found = {step: measured(step, path, environment) for step in STEPS}
    print(f"{ROWS} rows × {NUMBERS + 2} columns, {megabytes:.0f} MB; 1 CPU thread\n")
    plain = found["plain pandas.read_csv"]["seconds"]
    table.show(
        ["step", "seconds", "rows/s", "memory +MB", "ratio to plain"],
        [
            [step, f["seconds"], ROWS / f["seconds"], f["megabytes"], f["seconds"] / plain]
            for step, f in found.items()
        ],
    )


def write(path: Path) -> None:
    """18 columns of numbers, one of words, one of two classes."""
    g = np.random.default_rng(0)
    names = [f"x{i}" for i in range(NUMBERS)]
    for start in range(0, ROWS, 100_000):
        part = pd.DataFrame(g.normal(size=(100_000, NUMBERS)).round(4), columns=names)
        part["city"] = g.choice(["Basel", "Bern", "Chur", "Genf", "Zürich"], len(part))
        part["bought"] = g.choice(["no", "yes"], len(part))
        part.to_csv(path, mode="a", header=not start, index=False)


def measured(step: str, path: Path, environment: dict[str, str]) -> dict[str, float]:
    """Run one step in a process of its own, as a worker would."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.csv", step, str(path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def child(step: str, path: Path) -> None:
    """Do one step and print what it took."""
    import torch

    from models.data import (
        decoded,
        tabular,
        workspace,
    )  # their imports are no part of the measurement

    torch.set_num_threads(1)
    works = {
        "plain pandas.read_csv": lambda: pd.read_csv(path),
        "keep the upload": lambda: workspace.put(path, path.name),
        "read and profile": lambda: decoded.profile(workspace.put(path, path.name)),
        "prepare tensors": lambda: tabular.prepare(
            tabular.TableSpec(data="upload:" + workspace.put(path, path.name))
        ),
    }
    process = psutil.Process()
    before, start = process.memory_info().rss, time.perf_counter()
    kept = works[step]()
    seconds = time.perf_counter() - start
    peak = _peak(process)
    del kept
    print(json.dumps({"seconds": seconds, "megabytes": (peak - before) / 1e6}))


def _peak(process: psutil.Process) -> int:
    """The most memory the process ever held, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        return process.memory_info().peak_wset  # type: ignore[attr-defined]  # only there
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


STEPS = ("plain pandas.read_csv", "keep the upload", "read and profile", "prepare tensors")

if __name__ == "__main__":
    child(sys.argv[1], Path(sys.argv[2]))
