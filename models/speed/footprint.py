"""What a step costs in operations and in memory: by module, by category, predicted and measured, and what buys memory."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from models.core import export, wire
from models.core.control import Snapshot
from models.speed import flops, machine, memory, subject, timing, verdict
from models.speed.spec import Spec

POINTS = 1500  # of the memory's course; a longer one keeps the fullest moment of each stretch


def trade_offs(model, x, y, optimizer, dtype=None):
    """The same step three ways: plain, activations computed again in backward, a batch in up to four parts."""
    few = max(1, min(4, len(x) // 2))  # batch norm wants two samples in each
    loss_fn = nn.CrossEntropyLoss()

    def loss_of(forward, x, y):
        mixed = torch.autocast(x.device.type, dtype) if dtype else contextlib.nullcontext()
        with mixed:
            return loss_fn(forward(x), y)

    def again(x):
        if isinstance(model, nn.Sequential) and len(model) > 1:
            parts = max(2, round(math.sqrt(len(model))))
            return checkpoint_sequential(model, parts, x, use_reentrant=False)
        return checkpoint(model, x, use_reentrant=False)

    def step(forward, parts=1):
        optimizer.zero_grad()
        for some_x, some_y in zip(x.tensor_split(parts), y.tensor_split(parts), strict=True):
            loss = loss_of(forward, some_x, some_y)
            (loss * (len(some_x) / len(x))).backward()
            del loss  # it holds what backward needed
        optimizer.step()

    return {
        "plain": lambda: step(model),
        "checkpointed": lambda: step(again),
        "accumulated": lambda: step(model, few),
    }


def steady(spec: Spec, device: str | None = None, how: str = "plain") -> memory.Trace:
    """The memory of the second step: the first one makes the optimizer's state."""
    made = subject.make(spec, device)
    rule = timing.optimizer(spec, made.model)
    dtype = subject.autocast(spec) if device != "meta" else None  # autocast knows no meta device
    call = trade_offs(made.model, made.x, made.y, rule, dtype)[how]
    call()
    return memory.trace(call, made.model, (made.x, made.y), rule)


def train(spec: Spec) -> Iterator[Snapshot]:
    """Progress as rows; the blob "result" holds everything."""
    torch.set_num_threads(spec.threads)
    yield timing.told(1, "Predicting without numbers")
    predicted = steady(spec, "meta")
    yield timing.told(2, "Following every storage through a step")
    traces = {}
    for name in ("plain", "checkpointed", "accumulated"):
        traces[name] = steady(spec, how=name)
        yield timing.told(3 + len(traces), f"Followed the {name} step")
    made = subject.make(spec)
    calls = trade_offs(made.model, made.x, made.y, timing.optimizer(spec, made.model), subject.autocast(spec))  # fmt: skip
    work = flops.count(calls["plain"])
    yield timing.told(8, "Timing the three steps")
    timed = {name: (call, spec.threads) for name, call in calls.items()}
    with machine.Busy() as busy:
        times = timing.measure(timed, spec.seconds, spec.device)
    samples = {name: verdict.sample(t) for name, t in times.items()}
    result = {
        "part": spec.part,
        "predicted": {"peak": predicted.peak, "by_category": predicted.by_category},
        "traces": {name: _shown(one) for name, one in traces.items()},
        "samples": {name: vars(s) for name, s in samples.items()},
        "verdicts": {
            name: vars(verdict.compare(samples["plain"], s, "the plain step", f"the {name} step"))
            for name, s in samples.items()
            if name != "plain"
        },
        "noise": verdict.noise(samples),
        "busy": busy.share,
        "flops": work.flops,
        "by_module": work.by_module,
        "by_op": work.by_op,
        "calls": work.calls,
        "uncounted": work.uncounted,
        "allocator": _allocator(spec, calls["plain"]),
        "machine": vars(machine.describe(spec.device)),
    }
    blobs = {"result": wire.dumps(result)}
    if spec.device == "cuda":
        blobs["snapshot"] = _snapshot(calls["plain"])
    yield Snapshot(100, 1.0, blobs=blobs, final=True)


def numbers(told: Mapping[str, Any]) -> dict[str, float]:
    """What does not depend on the clock."""
    plain = told["traces"]["plain"]
    found = {"flops": told["flops"]}
    found |= {f"{name} peak": one["peak"] for name, one in told["traces"].items()}
    found |= {f"{name} bytes": size for name, size in plain["by_category"].items()}
    return found


def to_code(spec: Spec) -> str:
    """The measurement as a script."""
    lr = 0.01 if spec.optimizer == "SGD" else 0.001
    dtype = f", torch.{spec.precision}" if subject.autocast(spec) else ""
    device = f', device="{spec.device}"' if spec.device != "cpu" else ""
    cells = [
        "from __future__ import annotations\n\nimport contextlib\nimport math\nimport statistics\nimport time\nimport weakref\n"
        "from collections.abc import Callable, Iterable\nfrom dataclasses import dataclass, field\nfrom typing import Any\n\n"
        "from torch.utils import benchmark\n"
        "from torch.utils._python_dispatch import TorchDispatchMode\n"
        "from torch.utils.checkpoint import checkpoint, checkpoint_sequential",
        *subject.cells(spec),
        f"CATEGORIES = {memory.CATEGORIES}\n\n\n" + export.source(*memory.SOURCE),
        export.source(trade_offs, timing.measure, flops.flop_counter),
        f"""traces, steps = {{}}, {{}}
for name in ("plain", "checkpointed", "accumulated"):
{_indented(subject.setup(spec))}
    optimizer = torch.optim.{spec.optimizer}(model.parameters(), lr={lr})
    call = steps[name] = trade_offs(model, x, y, optimizer{dtype})[name]
    call()  # makes the optimizer's state
    traces[name] = trace(call, model, (x, y), optimizer)
with flop_counter() as counter:
    steps["plain"]()""",
        f"""timed = {{name: (call, {spec.threads}) for name, call in steps.items()}}
for name, times in measure(timed, {spec.seconds}{device}).items():
    print(f"{{name}}: median {{statistics.median(times) * 1e3:.4g}} ms")""",
        """print(f"flops = {counter.get_total_flops()}")
for name, found in traces.items():
    print(f"{name} peak = {found.peak}")
for name, size in traces["plain"].by_category.items():
    print(f"{name} bytes = {size}")""",
    ]
    return export.script("What a training step costs in operations and memory", cells)


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" for line in code.splitlines())


def _shown(trace: memory.Trace) -> dict[str, Any]:
    """A trace with at most `POINTS` moments, the fullest of each stretch."""
    count = len(trace.operations) + 1
    totals = [sum(column) for column in zip(*trace.lines.values(), strict=True)]
    stride = math.ceil(count / POINTS)
    keep = [
        max(range(start, min(start + stride, count)), key=totals.__getitem__)
        for start in range(0, count, stride)
    ]
    return {
        "peak": trace.peak,
        "at": trace.at,
        "operation": trace.operations[trace.at - 1] if trace.at else "",
        "by_category": trace.by_category,
        "steps": keep,
        "operations": ["", *trace.operations][:count]
        if stride == 1
        else [(["", *trace.operations])[i] for i in keep],
        "lines": {name: [line[i] for i in keep] for name, line in trace.lines.items()},
    }


def _allocator(spec: Spec, call: Any) -> dict[str, float] | None:
    """What the accelerator's own allocator says about one step; None where there is none."""
    if spec.device != "cuda":
        return None
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    stats = torch.cuda.memory_stats()
    names = {
        "peak allocated": "allocated_bytes.all.peak",
        "peak reserved": "reserved_bytes.all.peak",
        "still allocated": "allocated_bytes.all.current",
        "split and unused": "inactive_split_bytes.all.current",
        "allocations": "allocation.all.allocated",
        "retries": "num_alloc_retries",
    }
    return {shown: stats.get(name, 0) for shown, name in names.items()}


def _snapshot(call: Any) -> bytes:
    """Every allocation of one step as PyTorch's memory viewer reads it; private functions, so perhaps none."""
    record = getattr(torch.cuda.memory, "_record_memory_history", None)
    dump = getattr(torch.cuda.memory, "_dump_snapshot", None)
    if record is None or dump is None:
        return b""
    record()
    try:
        call()
        torch.cuda.synchronize()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "snapshot.pickle"
            dump(str(path))
            return path.read_bytes()
    finally:
        record(enabled=None)
