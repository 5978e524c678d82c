"""How long forward, backward and a whole step take, and whether another setting is really faster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from models.core import export, wire
from models.core.control import Snapshot
from models.speed import flops, limits, machine, roofline, subject, timing, verdict
from models.speed.spec import Spec


def rival(spec: Spec) -> Spec:
    """The settings of B."""
    most = min(64, machine.cores())
    changes: dict[str, dict[str, Any]] = {
        "same": {},
        "threads": {"threads": most if spec.threads != most else 1},
        "batch_size": {"batch_size": min(4096, 2 * spec.batch_size)},
        "bfloat16": {"precision": "bfloat16" if spec.precision != "bfloat16" else "float32"},
        "channels_last": {"channels_last": not spec.channels_last},
    }
    return spec.replace(**changes[spec.rival])


def rival_name(spec: Spec) -> str:
    """What is different in B, in words."""
    b = rival(spec)
    return {
        "same": "the same again",
        "threads": f"{b.threads} thread{'s' * (b.threads > 1)}",
        "batch_size": f"batch of {b.batch_size}, per {spec.batch_size} samples",
        "bfloat16": "bfloat16 autocast" if b.precision == "bfloat16" else "float32",
        "channels_last": "channels last" if b.channels_last else "channels first",
    }[spec.rival]


def train(spec: Spec) -> Iterator[Snapshot]:
    """Rows {"name", "first", …} as they are measured; the blob "result" holds everything, see `result`."""
    with machine.Busy() as busy:
        made = subject.make(spec)
        mine = timing.calls(spec, made)
        torch.set_num_threads(spec.threads)
        firsts, loss = {}, float("nan")
        for name, call in mine.items():
            value, firsts[name] = timing.timed(call, spec.device)
            if name == "forward":
                loss = value.item()
        parameters = sum(p.numel() for p in made.model.parameters())
        yield timing.told(1, "Counting the work")
        work = {name: flops.count(call) for name, call in mine.items()}
        yield timing.told(2, "Timing")
        other = rival(spec)
        theirs = timing.calls(other, subject.make(other))["full step"]
        theirs()
        timed = {name: (call, spec.threads) for name, call in mine.items()}
        timed["B"] = (theirs, other.threads)
        times = timing.measure(timed, spec.seconds, spec.device)
        samples = {n: verdict.sample(t, firsts.get(n, float("nan"))) for n, t in times.items()}
        swept = []
        for value, changed in sweep(spec):
            yield timing.told(3 + len(swept), f"Timing {spec.sweep} = {value}")
            swept.append({"value": value, "batch_size": changed.batch_size} | _sweep_point(changed))
        # last: its large arrays teach malloc to keep memory, and steps after it are 3 % faster than in the script
        yield timing.told(99, "Measuring this machine's ceilings")
        kind = subject.autocast(spec) or subject.dtype(spec)
        top = roofline.measure(spec.device, kind, spec.threads)
    scale = spec.batch_size / other.batch_size
    b = _scaled(samples.pop("B"), scale)
    ruling = verdict.compare(samples["full step"], b, "A", f"B ({rival_name(spec)})")
    result = {
        "part": spec.part,
        "samples": {n: vars(s) for n, s in samples.items()},
        "times": times,
        "b": vars(b),
        "b_name": rival_name(spec),
        "verdict": vars(ruling),
        "noise": verdict.noise(samples | {"B": b}),
        "busy": busy.share,
        "loss": loss,
        "parameters": parameters,
        "flops": {n: w.flops for n, w in work.items()},
        "moved": {n: w.moved for n, w in work.items()},
        "uncounted": work["full step"].uncounted,
        "ceilings": vars(top),
        "sweep": swept,
        "machine": vars(machine.describe(spec.device)),
    }
    yield Snapshot(100, 1.0, blobs={"result": wire.dumps(result)}, final=True)


def sweep(spec: Spec) -> list[tuple[Any, Spec]]:
    """The settings over which the measurement is repeated."""
    cores = min(64, machine.cores())
    values: dict[str, tuple[Any, ...]] = {
        "none": (),
        "batch_size": (1, 4, 16, 64, 256, 1024),
        "width": (16, 32, 64, 128, 256, 512),
        "threads": tuple(sorted({1, 2, max(1, cores // 2), cores})),
        "channels_last": (False, True),
    }
    return [(value, spec.replace(**{spec.sweep: value})) for value in values[spec.sweep]]


def together(spec: Spec) -> tuple[Spec, ...]:
    """The models that are in memory at the same time."""
    return spec, rival(spec)


def _sweep_point(spec: Spec) -> dict[str, Any]:
    if reason := limits.refusal(spec):
        return {"why_not": reason}
    step = timing.calls(spec, subject.make(spec))["full step"]
    _, first = timing.timed(step, spec.device)
    if first > 5:  # the five turns would take half a minute
        return {"median": first, "low": first, "high": first, "count": 1, "first": first}
    times = timing.measure({"step": (step, spec.threads)}, min(spec.seconds, 0.5), spec.device)[
        "step"
    ]
    return vars(verdict.sample(times, first))


def numbers(told: Mapping[str, Any]) -> dict[str, float]:
    """What does not depend on the clock."""
    return {
        "parameters": told["parameters"],
        "flops": told["flops"]["full step"],
        "loss": told["loss"],
    }


def to_code(spec: Spec) -> str:
    """The measurement as a script; times are printed as sentences, since they never come out twice the same."""
    other = rival(spec)
    device = f', device="{spec.device}"' if spec.device != "cpu" else ""
    scale = (
        f" * {spec.batch_size} / {other.batch_size}" if other.batch_size != spec.batch_size else ""
    )
    cells = [
        "import contextlib\nimport statistics\nimport time\n\nfrom torch.utils import benchmark",
        *subject.cells(spec),
        export.source(timing.phases, timing.measure, flops.flop_counter),
        f"""{timing.phases_code(spec)}
for name, call in calls.items():
    start = time.perf_counter()
    value = call()
    print(f"first call of {{name}}: {{(time.perf_counter() - start) * 1e3:.4g}} ms")
    loss = value.item() if name == "forward" else loss
with flop_counter() as counter:
    calls["full step"]()""",
        f"# B: {rival_name(spec)}\n{subject.setup(other, '_b')}\n{timing.phases_code(other, '_b')}",
        f"""timed = {{name: (call, {spec.threads}) for name, call in calls.items()}}
timed["B"] = (calls_b["full step"], {other.threads})
for name, times in measure(timed, {spec.seconds}{device}).items():
    if name == "B":
        times = [t{scale} for t in times]  # for as many samples as A
    low, median, high = statistics.quantiles(times, n=4)
    print(f"{{name}}: median {{median * 1e3:.4g}} ms, middle half {{low * 1e3:.4g}} to {{high * 1e3:.4g}} ms")""",
    ]
    for value, changed in sweep(spec):
        cells.append(
            f"# {spec.sweep} = {value}\n{subject.setup(changed)}\n{timing.phases_code(changed)}\n"
            'calls["full step"]()\n'
            f'times = measure({{"step": (calls["full step"], {changed.threads})}}, '
            f'{min(spec.seconds, 0.5)}{device})["step"]\n'
            f'print(f"{spec.sweep} {value}: median {{statistics.median(times) * 1e3:.4g}} ms")'
        )
    cells.append(
        'print(f"parameters = {sum(p.numel() for p in model.parameters())}")\n'
        'print(f"flops = {counter.get_total_flops()}")\n'
        'print(f"loss = {loss}")'
    )
    return export.script("How long a training step takes", cells)


def _scaled(sample: verdict.Sample, factor: float) -> verdict.Sample:
    return verdict.Sample(
        sample.median * factor,
        sample.low * factor,
        sample.high * factor,
        sample.count,
        sample.first,
    )
