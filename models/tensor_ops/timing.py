"""How long one operation takes, by size, on everything this machine can compute with.

With an accelerator the lanes are devices, with the transfer measured apart; without one they are CPU thread counts
and kinds of number. Every point is many runs: the median and the middle half are given, since a shared machine is
noisy; the first call, which sets things up, stands apart. Run it in a worker: it changes the thread count.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import benchmark

from models.core import export, seeding
from models.core.control import Control, Snapshot
from models.core.device import available, synchronize
from models.core.spec import Spec as BaseSpec
from models.core.spec import knob

SIZES = (16, 64, 128, 256, 512, 1024, 2048)  # rows and columns


@dataclass(frozen=True)
class Spec(BaseSpec):
    """One race between devices (or thread counts and kinds of number)."""

    op: str = knob(
        "matmul",
        "The operation that is timed.",
        label="Operation",
        choices=("matmul", "add", "softmax", "sort"),
    )
    largest: int = knob(
        1024,
        "The largest matrix: this many rows and columns.",
        label="Largest matrix",
        choices=(256, 512, 1024, 2048),
    )
    seconds: float = knob(
        0.2,
        "How long each point is measured.",
        label="Seconds per point",
        minimum=0.05,
        maximum=2.0,
    )
    seed: int = knob(0, "Where the random matrices start.", minimum=0, maximum=9999)


@dataclass(frozen=True)
class Lane:
    """One line of the race: where and with what it computes."""

    name: str
    device: str
    dtype: torch.dtype
    threads: int


def lanes() -> tuple[Lane, ...]:
    """What races on this machine: all devices, or with a CPU alone its threads and kinds of number."""
    found = available()
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    if len(found) > 1:
        return tuple(Lane(d.name, d.name, torch.float32, cores) for d in found)
    counts = sorted({1, max(1, cores // 2), cores})
    made = [Lane(f"{n} thread{'s' * (n > 1)}", "cpu", torch.float32, n) for n in counts]
    made.append(Lane("float64", "cpu", torch.float64, 1))
    made.append(Lane("bfloat16", "cpu", torch.bfloat16, 1))
    return tuple(made)


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """One row per lane and size: {"lane", "size", "median", "low", "high", "first", "transfer"}, times in seconds.

    `low` and `high` enclose the middle half of the runs; `transfer` is the way to the device and back, 0 on the CPU.
    """
    control = control or Control()
    racing = lanes()
    sizes = [n for n in SIZES if n <= spec.largest]
    scene = {"lanes": [lane.name for lane in racing], "sizes": sizes, "op": spec.op}
    step, total = 0, len(racing) * len(sizes)
    yield Snapshot(0, 0.0, scene=scene)
    given_up: set[int] = set()
    for size in sizes:
        for number, lane in enumerate(racing):
            control.gate()
            if number in given_up:
                continue
            a, b = _matrices(spec, size)
            row = measure(
                _CALLS[spec.op], a, b, lane.device, lane.dtype, lane.threads, spec.seconds
            )
            if row["median"] > 1.0:  # the next size would take minutes
                given_up.add(number)
            step += 1
            yield Snapshot(
                step,
                step / total,
                rows=({"lane": number, "size": size, **row},),
                final=False,
            )
    a, b = _matrices(spec, sizes[0])
    mean = _CALLS[spec.op](a, b).double().mean().item()
    yield Snapshot(step, 1.0, frame={"mean": mean}, final=True)


def numbers(shown: Snapshot) -> dict[str, float]:
    """What the exported script prints and every machine agrees on: the mean of the smallest result."""
    return {"mean": float((shown.frame or {})["mean"])}


def to_code(spec: Spec) -> str:
    """The race on this machine's lanes, measured by the function that measures here."""
    sizes = [n for n in SIZES if n <= spec.largest]
    own = (_CALLS[spec.op],) if spec.op in ("softmax", "sort") else ()
    racing = "".join(
        f'    ("{one.name}", "{one.device}", {one.dtype}, {one.threads}),\n' for one in lanes()
    )
    return export.script(
        f"How long {spec.op} takes, by size and by where it is computed",
        [
            "import time\nfrom collections.abc import Callable\n\nimport torch\nfrom torch import Tensor\nfrom torch.utils import benchmark",
            "from typing import Any\n\n\n" + export.source(synchronize, measure, *own),
            f"# name, device, dtype, CPU threads\nlanes = [\n{racing}]",
            f"""call = {spec.op if own else f"torch.{spec.op}"}
for size in {sizes}:
    generator = torch.Generator().manual_seed({spec.seed})
    a, b = torch.randn(2, size, size, generator=generator)
    if size == {sizes[0]}:
        mean = call(a, b).double().mean().item()
    for name, device, dtype, threads in lanes:
        t = measure(call, a, b, device, dtype, threads, {spec.seconds})
        print(f"{{size:5}} {{name:10}} {{t['median'] * 1e6:10.4g}} µs, middle half {{t['low'] * 1e6:.4g}} to {{t['high'] * 1e6:.4g}}")""",
            'print(f"mean = {mean}")',
        ],
    )


def _matrices(spec: Spec, size: int) -> torch.Tensor:
    """Shape: (2, size, size)."""
    return torch.randn(2, size, size, generator=seeding.generator(spec.seed))


def measure(
    call: Callable[[Tensor, Tensor], Any],
    a: Tensor,
    b: Tensor,
    device: str,
    dtype: torch.dtype,
    threads: int,
    seconds: float,
) -> dict[str, float]:
    """Times of `call(a, b)` there and so, in seconds; `transfer` is the way there and back."""
    a, b = a.to(dtype), b.to(dtype)
    start = time.perf_counter()
    there = a.to(device), b.to(device)
    for one in there:
        one.cpu()
    synchronize(device)
    transfer = time.perf_counter() - start if device != "cpu" else 0.0
    start = time.perf_counter()
    call(*there)
    synchronize(device)
    first = time.perf_counter() - start
    # Timer synchronises CUDA itself; other accelerators are synchronised in the statement
    timer = benchmark.Timer(
        "call(a, b); wait(device)",
        globals={"call": call, "a": there[0], "b": there[1], "wait": synchronize, "device": device},
        num_threads=threads,
    )
    done = timer.blocked_autorange(min_run_time=seconds)
    quarters = torch.tensor([0.25, 0.75], dtype=torch.float64)
    low, high = torch.quantile(torch.tensor(done.times, dtype=torch.float64), quarters).tolist()
    return {"median": done.median, "low": low, "high": high, "first": first, "transfer": transfer}


def crossover(rows: list[dict[str, Any]], one: int, two: int, transfer: bool) -> int | None:
    """The smallest size from which lane `two` is faster than `one`, as far as the noise lets one say; None if nowhere."""
    found: int | None = None
    for row in sorted((r for r in rows if r["lane"] == one), key=lambda r: -r["size"]):
        other = next((r for r in rows if r["lane"] == two and r["size"] == row["size"]), None)
        if other is None or other["high"] + transfer * other["transfer"] >= row["low"]:
            break  # the middle halves overlap: no ranking
        found = int(row["size"])
    return found


def verdict(rows: list[dict[str, Any]], scene: dict[str, Any], alone: bool) -> str:
    """What the race shows, in a sentence or two; no ranking where the noise forbids one."""
    names = scene.get("lanes", [])
    said = []
    for other in range(1, len(names)):
        size = crossover(rows, 0, other, transfer=False)
        if size is None:
            said.append(f"**{names[other]}** is nowhere clearly faster than {names[0]}")
            continue
        text = f"**{names[other]}** is clearly faster than {names[0]} from {size} × {size}"
        if not alone:
            there = crossover(rows, 0, other, transfer=True)
            text += f", with the transfer {f'from {there} × {there}' if there else 'nowhere up to here'}"
        said.append(text)
    first = max((r["first"] / max(r["median"], 1e-9) for r in rows), default=1.0)
    return (
        "; ".join(said)
        + f". Bars show the middle half of the runs: where they overlap there is no winner. The first call took up to {first:.0f} times the median."
    )


def softmax(a: Tensor, b: Tensor) -> Tensor:
    """Of every row of `a`."""
    return torch.softmax(a, dim=-1)


def sort(a: Tensor, b: Tensor) -> Tensor:
    """Every row of `a` in order."""
    return torch.sort(a, dim=-1).values


_CALLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "matmul": torch.matmul,
    "add": torch.add,
    "softmax": softmax,
    "sort": sort,
}
