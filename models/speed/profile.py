"""Where the time of a training step goes: every operation, by phase, by module, on a timeline."""

from __future__ import annotations

import gzip
import linecache
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch._C._autograd import DeviceType  # what an event's device_type is
from torch.profiler import record_function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from models.core import export, wire
from models.core.control import Snapshot
from models.speed import doctor, machine, subject, timing, verdict
from models.speed.spec import Spec

PHASES = ("data", "forward", "loss", "backward", "optimizer")
MOST = 200_000  # events on the timeline
_PHASE, _MODULE = "phase: ", "module: "
# kinds of events, in the order of the timeline's colours
KINDS = ("operation", "phase", "module", "backward", "optimizer", "kernel on the device")


def batches(x, y, seed):
    """An endless stream of batches, each collected sample by sample as a DataLoader does."""
    generator = torch.Generator().manual_seed(seed)
    data = TensorDataset(x.cpu(), y.cpu())
    sampler = RandomSampler(data, replacement=True, num_samples=len(x), generator=generator)
    while True:
        yield from DataLoader(data, batch_size=len(x), sampler=sampler)


def name_modules(model):
    """Make every layer show under its name: a range from before its forward to after it."""
    for name, module in model.named_modules():
        if name:
            title = f"module: {name} ({type(module).__name__})"
            open_ranges = []

            def enter(module, args, title=title, open_ranges=open_ranges):
                open_ranges.append(record_function(title).__enter__())

            def leave(module, args, out, open_ranges=open_ranges):
                open_ranges.pop().__exit__(None, None, None)

            module.register_forward_pre_hook(enter)
            module.register_forward_hook(leave)


def training_step(model, x, loader, optimizer, dtype=None):
    """One step with a named range for each of its phases; returns the loss."""
    loss_fn = torch.nn.CrossEntropyLoss()
    with record_function("phase: data"):
        some_x, some_y = next(loader)
        some_x = some_x.to(x.device)
        some_y = some_y.to(x.device)
        if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
            some_x = some_x.contiguous(memory_format=torch.channels_last)
    with torch.autocast(x.device.type, dtype or torch.bfloat16, enabled=dtype is not None):
        with record_function("phase: forward"):
            logits = model(some_x)
        with record_function("phase: loss"):
            loss = loss_fn(logits, some_y)
    with record_function("phase: backward"):
        optimizer.zero_grad()
        loss.backward()
    with record_function("phase: optimizer"):
        optimizer.step()
    return loss


def recorded(step, steps, device="cpu"):
    """Run `step` so often under the profiler."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device in ("cuda", "xpu"):  # their kernels are recorded, too
        activities.append(getattr(torch.profiler.ProfilerActivity, device.upper()))
    with torch.profiler.profile(
        activities=activities, record_shapes=True, profile_memory=True
    ) as found:
        for _ in range(steps):
            loss = step()
        if device != "cpu":
            getattr(torch, device).synchronize()
    return found, loss


def train(spec: Spec) -> Iterator[Snapshot]:
    """Progress as rows; the timeline is the frame, the blob "trace" Chrome's JSON (gzip), "result" everything else."""
    torch.set_num_threads(spec.threads)
    made = subject.make(spec)
    name_modules(made.model)
    rule = timing.optimizer(spec, made.model)
    loader = batches(made.x, made.y, spec.seed)
    dtype = subject.autocast(spec)

    def step() -> torch.Tensor:
        return training_step(made.model, made.x, loader, rule, dtype)

    yield timing.told(1, "Warming up")
    step()
    # the second of the script's two unrecorded steps: what happens only once is over
    with Places(made.model) as places:
        step()
    yield timing.told(2, f"Recording {spec.steps} steps")
    found, loss = recorded(step, spec.steps, spec.device)
    events = list(found.events() or [])
    yield timing.told(3, f"Reading {len(events):,} events")
    whole = _table(found)
    line = timeline(events)
    phases, modules = by_phase(events), by_module(events)
    operators, waits = by_operator(events, places), idle(events)
    trace = _chrome(found)
    del found
    yield timing.told(4, "Timing the same steps without the profiler")
    with machine.Busy() as busy:
        times = timing.measure({"step": (step, spec.threads)}, 0.3, spec.device)["step"]
    plain = verdict.sample(times)
    span = sum(p["microseconds"] for p in phases.values()) / 1e6 / spec.steps
    result = {
        "part": spec.part,
        "loss": loss.item(),
        "operations": sum(e.name.startswith("aten::") for e in events),
        "events": len(events),
        "shown": min(len(events), MOST),
        "steps": spec.steps,
        "plain": vars(plain),
        "under": span,
        "phases": phases,
        "modules": modules,
        "table": whole,
        "operators": operators,
        "lines": places.lines(),
        "idle": waits,
        "noise": verdict.noise({"the step": plain}),
        "busy": busy.share,
        "machine": vars(machine.describe(spec.device)),
    }
    result["findings"] = doctor.findings(spec, result)
    yield Snapshot(
        100, 1.0, frame=line, blobs={"result": wire.dumps(result), "trace": trace}, final=True
    )


def by_phase(events: list[Any]) -> dict[str, dict[str, float]]:
    """Microseconds of all steps in each phase, and how many operations began in it.

    On a GPU a phase is issued by the CPU and computed later: the longer of the two counts.
    """
    ranges: dict[str, list[tuple[float, float]]] = {phase: [] for phase in PHASES}
    computed: dict[str, float] = dict.fromkeys(PHASES, 0.0)
    starts = sorted(e.time_range.start for e in events if e.name.startswith("aten::"))
    for e in events:
        if e.name.startswith(_PHASE):
            phase, span = e.name.removeprefix(_PHASE), (e.time_range.start, e.time_range.end)
            if e.device_type == DeviceType.CPU:
                ranges[phase].append(span)
            else:  # the same range as the device went through it
                computed[phase] += span[1] - span[0]
    return {
        phase: {
            "microseconds": max(sum(end - start for start, end in spans), computed[phase]),
            "operations": sum(
                int(np.searchsorted(starts, end) - np.searchsorted(starts, start))
                for start, end in spans
            ),
        }
        for phase, spans in ranges.items()
    }


def by_module(events: list[Any]) -> dict[str, dict[str, float]]:
    """Microseconds that each layer's own operations took, forward and backward, innermost layer only.

    A backward node carries the number of the forward operation that made it, and so finds its layer.
    On a GPU the longer of issuing and computing counts.
    """
    inside: dict[int, str] = {}
    made_by: dict[int, str] = {}
    found: dict[str, dict[str, float]] = defaultdict(lambda: {"forward": 0.0, "backward": 0.0})
    cpu = [e for e in events if e.device_type == DeviceType.CPU]
    for e in sorted(cpu, key=lambda e: (e.time_range.start, -e.time_range.end)):
        above = inside.get(e.cpu_parent.id, "") if e.cpu_parent is not None else ""
        inside[e.id] = e.name.removeprefix(_MODULE) if e.name.startswith(_MODULE) else above
        if inside[e.id] and e.sequence_nr >= 0 and not e.name.startswith(_NODE):
            made_by[e.sequence_nr] = inside[e.id]
    for e in cpu:
        name = inside[e.id]
        if name and not e.name.startswith(_MODULE):
            found[name]["forward"] += _longer(e, "self_cpu_time_total", "self_device_time_total")
        elif e.name.startswith(_NODE) and made_by.get(e.sequence_nr):
            found[made_by[e.sequence_nr]]["backward"] += _longer(
                e, "cpu_time_total", "device_time_total"
            )
        elif name:
            found[name]["forward"] += e.self_cpu_time_total  # the range's own: hooks and Python
    return dict(found)


class Places(TorchDispatchMode):
    """Which line of the model's Python calls each operation of one step, and how long Python works before it.

    A line is {"operation", "line", "text", "function", "layer", "calls", "before", "harness"}: `before` are the seconds
    between the operation before and this one; `harness` says that it is a line of `training_step` itself,
    behind which all of backward and of the optimizer stand.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.found: dict[tuple[str, str, int], dict[str, Any]] = {}
        self._layers = {m: f"{n} ({type(m).__name__})" for n, m in model.named_modules() if n}
        self._end = time.perf_counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = time.perf_counter() - self._end
        frame, layer = sys._getframe(1), ""
        while frame.f_back is not None:
            owner = frame.f_locals.get("self")
            layer = layer or (
                self._layers.get(owner, "") if isinstance(owner, torch.nn.Module) else ""
            )
            if not frame.f_code.co_filename.startswith(_TORCH):
                break
            frame = frame.f_back
        file, line = frame.f_code.co_filename, frame.f_lineno
        name = str(func._overloadpacket).replace(".", "::")
        one = self.found.setdefault(
            (name, file, line),
            {
                "operation": name,
                "line": line,
                "text": linecache.getline(file, line).strip(),
                "function": frame.f_code.co_name,
                "layer": layer,
                "calls": 0,
                "before": 0.0,
                "harness": file == __file__,
            },
        )
        one["calls"] += 1
        one["before"] += before
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self._end = time.perf_counter()

    def lines(self) -> list[dict[str, Any]]:
        """Every line and operation, the most often called first."""
        return sorted(self.found.values(), key=lambda one: -one["calls"])[:200]


_TORCH = str(Path(torch.__file__).parent)


def by_operator(events: list[Any], places: Places) -> list[dict[str, Any]]:
    """Microseconds of each operator with all that it calls, the costliest first.

    What counts as one operator is what the model's Python called: `convolution`, not the kernel inside it.
    """
    called = {operation for operation, _, _ in places.found}
    spent: dict[str, list[float]] = {}
    for e in events:
        if e.device_type != DeviceType.CPU or not e.name.startswith("aten::"):
            continue
        name, above = e.name, e.cpu_parent
        while above is not None and above.name.startswith("aten::"):
            if above.name in called or name not in called:
                name = above.name
            above = above.cpu_parent
        one = spent.setdefault(name, [0.0, 0.0])
        one[0] += _longer(e, "self_cpu_time_total", "self_device_time_total")
        one[1] += name == e.name
    rows = [{"name": n, "microseconds": t, "calls": int(c)} for n, (t, c) in spent.items()]
    return sorted(rows, key=lambda row: -row["microseconds"])[:50]


def idle(events: list[Any]) -> dict[str, float]:
    """Microseconds of each phase in which no operation ran: Python's own."""
    spans = sorted(
        (e.time_range.start, e.time_range.end)
        for e in events
        if e.device_type == DeviceType.CPU and e.name.startswith("aten::")
    )
    starts = [start for start, _ in spans]
    found: dict[str, float] = dict.fromkeys(PHASES, 0.0)
    for e in events:
        if e.device_type == DeviceType.CPU and e.name.startswith(_PHASE):
            at, end = e.time_range.start, e.time_range.end
            left, waited = int(np.searchsorted(starts, at)), 0.0
            for start, stop in spans[left : int(np.searchsorted(starts, end))]:
                waited += max(0.0, start - at)
                at = max(at, stop)
            found[e.name.removeprefix(_PHASE)] += waited + max(0.0, end - at)
    return found


def timeline(events: list[Any]) -> dict[str, Any]:
    """The events as columns for the timeline view.

    Shape:
        start, duration: (E,) microseconds since the first; lane, depth, kind: (E,); name: (E,) into `names`;
        arrows: (A, 2) from a forward operation to the backward node that it made, both into the columns.
    """
    order = sorted(events, key=lambda e: (e.time_range.start, -e.time_range.end))[:MOST]
    origin = order[0].time_range.start if order else 0.0
    names: dict[str, int] = {}
    lanes: dict[str, int] = {}
    ends: dict[int, list[float]] = defaultdict(list)
    columns: dict[str, list[float]] = {k: [] for k in ("start", "duration", "lane", "depth", "kind", "name")}  # fmt: skip
    forward: dict[int, int] = {}
    arrows: list[tuple[int, int]] = []
    for index, e in enumerate(order):
        start, end = e.time_range.start - origin, e.time_range.end - origin
        on_device = e.device_type != DeviceType.CPU
        place = f"stream {e.device_resource_id}" if on_device else f"thread {e.thread}"
        lane = lanes.setdefault(place, len(lanes))
        open_ends = ends[lane]
        while open_ends and open_ends[-1] <= start:
            open_ends.pop()
        values = (start, end - start, lane, len(open_ends), _kind(e, on_device))
        for column, value in zip(columns.values(), values, strict=False):
            column.append(value)
        columns["name"].append(names.setdefault(e.name, len(names)))
        open_ends.append(end)
        if e.name.startswith(_NODE):
            if e.sequence_nr in forward:
                arrows.append((forward[e.sequence_nr], index))
        elif e.sequence_nr >= 0 and e.scope == 0:
            forward[e.sequence_nr] = index  # the innermost operation of a number comes last
    return {
        "start": np.array(columns["start"], "float64"),
        "duration": np.array(columns["duration"], "float32"),
        "lane": np.array(columns["lane"], "int16"),
        "depth": np.array(columns["depth"], "int16"),
        "kind": np.array(columns["kind"], "uint8"),
        "name": np.array(columns["name"], "int32"),
        "arrows": np.array(arrows, "int32").reshape(-1, 2),
        "names": list(names),
        "lanes": list(lanes),
        "kinds": list(KINDS),
    }


def numbers(told: Mapping[str, Any]) -> dict[str, float]:
    """What does not depend on the clock."""
    return {"operations": told["operations"], "loss": told["loss"]}


def to_code(spec: Spec) -> str:
    """The measurement as a script."""
    lr = 0.01 if spec.optimizer == "SGD" else 0.001
    dtype = f", torch.{spec.precision}" if subject.autocast(spec) else ""
    device = f', device="{spec.device}"' if spec.device != "cpu" else ""
    cells = [
        "from torch.profiler import record_function\n"
        "from torch.utils.data import DataLoader, RandomSampler, TensorDataset",
        *subject.cells(spec),
        export.source(batches, name_modules, training_step, recorded),
        f"""name_modules(model)
optimizer = torch.optim.{spec.optimizer}(model.parameters(), lr={lr})
loader = batches(x, y, {spec.seed})


def step():
    return training_step(model, x, loader, optimizer{dtype})


for _ in range(2):  # what happens only once is not recorded
    step()
profile, loss = recorded(step, {spec.steps}{device})""",
        """print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=15))
profile.export_chrome_trace("trace.json")  # open it in Perfetto
print(f"operations = {sum(e.name.startswith('aten::') for e in profile.events())}")
print(f"loss = {loss.item()}")""",
    ]
    return export.script("Where the time of a training step goes", cells)


def _longer(event: Any, on_cpu: str, on_device: str) -> float:
    return max(getattr(event, on_cpu), float(getattr(event, on_device, 0.0)))


_NODE = "autograd::engine::evaluate_function: "


def _kind(event: Any, on_device: bool) -> int:
    if on_device:
        return 5
    name = event.name
    if name.startswith(_PHASE):
        return 1
    if name.startswith(_MODULE):
        return 2
    if name.startswith("Optimizer."):
        return 4
    return 3 if event.scope == 1 or "autograd::" in name else 0


def _table(found: Any) -> list[dict[str, Any]]:
    """Every operation with the shapes it was called with, the costliest first."""
    rows = []
    for one in found.key_averages(group_by_input_shape=True):
        if one.key.startswith((_PHASE, _MODULE, "Optimizer.")):
            continue
        shapes = [s for s in one.input_shapes or [] if s]
        rows.append(
            {
                "name": one.key,
                "calls": one.count,
                "self": one.self_cpu_time_total,
                "total": one.cpu_time_total,
                "device": float(getattr(one, "self_device_time_total", 0.0)),
                "memory": one.self_cpu_memory_usage + getattr(one, "self_device_memory_usage", 0),
                "shapes": ", ".join("×".join(map(str, s)) for s in shapes),
            }
        )
    return sorted(rows, key=lambda row: -row["self"])[:400]


def _chrome(found: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        found.export_chrome_trace(str(path))
        return gzip.compress(path.read_bytes(), 4)
