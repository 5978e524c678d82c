"""Mixed precision: the same training in every kind of number, which one each operation really used, and what gets lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from models.core import export, wire
from models.core.control import Snapshot
from models.speed import machine, memory, subject, timing, verdict
from models.speed.spec import Spec

SLOWEST = 0.5  # seconds of one step beyond which a precision is not trained
LONGEST = 4.0  # seconds of one step beyond which it is not even repeated


def train_steps(step, steps):
    """Train so many steps; every loss."""
    return [step().item() for _ in range(steps)]


def with_tf32(call, allowed):
    """The call with TF32 allowed or not in products and convolutions; the switch is global, so each call sets it."""

    def switched():
        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed
        return call()

    return switched


def gradients(step, model):
    """All gradients of the next step as one float64 vector on the CPU."""
    step()
    return torch.cat([p.grad.flatten().cpu().double() for p in model.parameters()])  # mps has none


class DtypeTable(TorchDispatchMode):
    """Notes in which dtype each operation really computed: that of its floating-point inputs."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        floats = [
            str(v.dtype).removeprefix("torch.")
            # cat, stack and _foreach_* take their tensors in a list
            for a in (*args, *(kwargs or {}).values())
            for v in (a if isinstance(a, (list, tuple)) else [a])
            if isinstance(v, torch.Tensor) and v.is_floating_point()
        ]
        if floats and not func.is_view:
            name = func._overloadpacket.__name__
            key = (name, " and ".join(sorted(set(floats))))
            self.seen[key] = self.seen.get(key, 0) + 1
        return out


def losses_of_precision():
    """What half precision cannot hold, one live case each: name → value."""
    total = torch.tensor(0.0, dtype=torch.bfloat16)
    for _ in range(4096):
        total = total + torch.tensor(1.0, dtype=torch.bfloat16)
    tiny = torch.tensor(1e-8)
    return {
        "4096 ones added one by one in bfloat16": total.item(),
        "4096 ones summed by torch.sum in bfloat16": torch.ones(4096, dtype=torch.bfloat16)
        .sum()
        .item(),
        "1e-8 in float16": tiny.half().item(),
        "1e-8 in bfloat16": tiny.bfloat16().item(),
        "1e-8 times 1024 in float16": (tiny * 1024).half().item(),
        "70000 in float16": torch.tensor(70000.0).half().item(),
        "70000 in bfloat16": torch.tensor(70000.0).bfloat16().item(),
        "1.001 in float16": torch.tensor(1.001).half().item(),
        "1.001 in bfloat16": torch.tensor(1.001).bfloat16().item(),
        "2049 in float16": torch.tensor(2049.0).half().item(),
    }


def scaler_theatre(device="cpu", steps=16):
    """A GradScaler at work: [scale before, largest scaled gradient, whether the step was skipped, scale after, weight]."""
    scaler = torch.amp.GradScaler(device, init_scale=2.0**18, growth_interval=3)
    weight = torch.ones(1, device=device, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.01)
    x = torch.tensor([2.0], device=device)
    rows = []
    for _ in range(steps):
        weight.grad = torch.zeros_like(weight)
        # float16 on the way, as a layer under autocast: its gradient overflows beyond 65504
        loss = ((weight.half() * x.half()).float() ** 2).sum()
        before, at = scaler.get_scale(), weight.item()
        scaler.scale(loss).backward()
        largest = weight.grad.abs().max().item()
        scaler.step(optimizer)
        scaler.update()
        rows.append([before, largest, weight.item() == at, scaler.get_scale(), weight.item()])
    return rows


def variants(spec: Spec) -> dict[str, tuple[torch.dtype | None, bool]]:
    """What runs side by side: name → (autocast's dtype, whether TF32 is allowed)."""
    found: dict[str, tuple[torch.dtype | None, bool]] = {"float32": (None, False)}
    if spec.device == "cuda":
        found["TF32"] = (None, True)
    found["bfloat16 autocast"] = (torch.bfloat16, False)
    found["float16 autocast"] = (torch.float16, False)
    return found


def train(spec: Spec) -> Iterator[Snapshot]:
    """Progress as rows; the blob "result" holds everything."""
    torch.set_num_threads(spec.threads)
    plain = spec.replace(precision="float32")
    timed, rows, exact = {}, {}, torch.empty(0)
    for number, (name, (dtype, tf32)) in enumerate(variants(spec).items()):
        yield timing.told(1 + number, f"Training {spec.train_steps} steps in {name}")
        made = subject.make(plain)
        rule = timing.optimizer(plain, made.model)
        step = timing.phases(made.model, made.x, made.y, rule, dtype)["full step"]
        if spec.device == "cuda":
            step = with_tf32(step, tf32)
        gradient, first = timing.timed(lambda s=step, m=made.model: gradients(s, m), spec.device)
        if name == "float32":
            exact = gradient
        distance = (gradient - exact).norm() / exact.norm()
        # the first call tells nothing: kernels are chosen and loaded in it
        losses, once = timing.timed(lambda s=step: train_steps(s, 1), spec.device)
        row: dict[str, Any] = {
            "gradient error": distance.item(),
            "first": first,
            "once": once,
            "trained": once < SLOWEST,
        }
        if row["trained"]:
            row["losses"] = losses + train_steps(step, spec.train_steps - 1)
        row["memory"] = memory.trace(step, made.model, (made.x, made.y), rule).peak
        rows[name] = row
        timed[name] = (step, spec.threads)
    yield timing.told(10, "Timing them in turns")
    with machine.Busy() as busy:
        times = repeated(timed, {n: row["once"] for n, row in rows.items()}, spec)
    for name, row in rows.items():
        row["sample"] = vars(verdict.sample(times[name]))
    base = verdict.Sample(**rows["float32"]["sample"])
    for name, row in rows.items():
        if name != "float32":
            row["verdict"] = vars(ruling(base, verdict.Sample(**row["sample"]), name))
    yield timing.told(11, "Watching every operation's dtype")
    result = {
        "part": spec.part,
        "rows": rows,
        "noise": verdict.noise({n: verdict.Sample(**row["sample"]) for n, row in rows.items()}),
        "busy": busy.share,
        "times": times,
        "dtypes": {n: dtype_table(plain, d) for n, (d, _) in variants(spec).items() if d},
        "cases": losses_of_precision(),
        "scaler": scaler_theatre(spec.device if spec.device == "cuda" else "cpu"),
        "machine": vars(machine.describe(spec.device)),
    }
    yield Snapshot(100, 1.0, blobs={"result": wire.dumps(result)}, final=True)


def repeated(
    steps: Mapping[str, tuple[Any, int]], once: Mapping[str, float], spec: Spec
) -> dict[str, list[float]]:
    """Times of each step: many where it is quick, as few as a verdict takes where it is slow, else the one there is."""
    quick = {name: step for name, step in steps.items() if once[name] < SLOWEST}
    times = timing.measure(quick, spec.seconds, spec.device)
    slow = [name for name in steps if name not in quick]
    times |= {name: [once[name]] for name in slow}
    for _ in range(verdict.FEWEST - 1):
        for name in slow:
            if once[name] < LONGEST:
                times[name].append(timing.timed(steps[name][0], spec.device)[1])
    return times


def ruling(base: verdict.Sample, other: verdict.Sample, name: str) -> verdict.Verdict:
    """Another precision against float32; where one was too slow to repeat, what a step took."""
    found = verdict.compare(base, other, "float32", name)
    if min(base.count, other.count) >= verdict.FEWEST:
        return found
    text = (
        f"One step took {verdict.duration(other.median)} in {name} and {verdict.duration(base.median)} in float32: "
        f"what takes longer than {verdict.duration(LONGEST)} is not repeated, so there is no verdict."
    )
    return verdict.Verdict(found.kind, found.ratio, found.low, found.high, text)


def together(spec: Spec) -> tuple[Spec, ...]:
    """The models that are in memory at the same time."""
    return tuple(spec.replace(precision="float32") for _ in variants(spec))


def dtype_table(spec: Spec, dtype: torch.dtype) -> list[dict[str, Any]]:
    """Which dtype each operation of a small step ran in under autocast."""
    small = spec.replace(batch_size=min(2, spec.batch_size), width=min(64, spec.width))
    made = subject.make(small)
    step = timing.phases(made.model, made.x, made.y, timing.optimizer(small, made.model), dtype)
    with DtypeTable() as table:
        step["full step"]()
    return [
        {"operation": name, "dtype": kind, "calls": calls}
        for (name, kind), calls in table.seen.items()
    ]


def numbers(told: Mapping[str, Any]) -> dict[str, float]:
    """What does not depend on the clock."""
    found = {
        f"final loss in {name}": float("nan") if row["losses"][-1] is None else row["losses"][-1]
        for name, row in told["rows"].items()
        if row.get("losses")
    }
    found |= {name: value for name, value in told["cases"].items() if value is not None}
    return found | {
        "70000 in float16": float("inf"),
        "final scale": told["scaler"][-1][3],
        "skipped steps": sum(row[2] for row in told["scaler"]),
    }


def to_code(spec: Spec) -> str:
    """The measurement as a script."""
    plain = spec.replace(precision="float32")
    lr = 0.01 if spec.optimizer == "SGD" else 0.001
    device = f', device="{spec.device}"' if spec.device != "cpu" else ""
    names = {n: d for n, (d, _) in variants(spec).items()}
    on_cuda = spec.device == "cuda"
    listed = ", ".join(f'"{name}": {dtype}' for name, dtype in names.items())
    setup = "\n".join(f"    {line}" for line in subject.setup(plain).splitlines())
    switch = '\n    step = with_tf32(step, name == "TF32")' if on_cuda else ""
    place = '"cuda"' if spec.device == "cuda" else '"cpu"'
    cells = [
        "import contextlib\nimport statistics\nimport time\n\n"
        "from torch.utils import benchmark\n"
        "from torch.utils._python_dispatch import TorchDispatchMode",
        *subject.cells(plain)[:2],
        export.source(
            timing.phases,
            timing.measure,
            train_steps,
            gradients,
            DtypeTable,
            *([with_tf32] if on_cuda else []),
        ),
        f"""precisions = {{{listed}}}
steps = {{}}
for name, dtype in precisions.items():
{setup}
    optimizer = torch.optim.{spec.optimizer}(model.parameters(), lr={lr})
    step = phases(model, x, y, optimizer, dtype)["full step"]{switch}
    gradient = gradients(step, model)
    exact = gradient if name == "float32" else exact
    print(f"{{name}}: gradient error {{((gradient - exact).norm() / exact.norm()).item():.3g}}")
    start = time.perf_counter()
    train_steps(step, 1)
    once = time.perf_counter() - start
    if once >= {SLOWEST}:
        print(f"{{name}}: one step takes {{once:.3g}} s here, so it is not trained further")
        continue
    print(f"final loss in {{name}} = {{train_steps(step, {spec.train_steps - 1})[-1]}}")
    steps[name] = (step, {spec.threads})
for name, times in measure(steps, {spec.seconds}{device}).items():
    print(f"{{name}}: median {{statistics.median(times) * 1e3:.4g}} ms")""",
        """with DtypeTable() as table:  # which dtype each operation really computed in: float16, the last one
    step()
for (operation, dtype), calls in table.seen.items():
    print(f"{operation}: {dtype}, {calls} calls")""",
        export.source(losses_of_precision, scaler_theatre)
        + f"""


for name, value in losses_of_precision().items():
    print(f"{{name}} = {{value}}")
rows = scaler_theatre({place})
print(f"final scale = {{rows[-1][3]}}")
print(f"skipped steps = {{sum(row[2] for row in rows)}}")""",
    ]
    return export.script("The same training in several kinds of number", cells)
