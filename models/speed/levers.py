"""More levers, each pulled and let go in turns, so that its effect on this machine is measured and not believed."""

from __future__ import annotations

import contextlib
import copy
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from models.core import export, wire
from models.core.control import Snapshot
from models.speed import benchmark, machine, subject, verdict
from models.speed.spec import Spec

Call = Callable[[], Any]


@dataclass(frozen=True)
class Lever:
    """One switch.

    Attributes:
        title: what it is; about: what it does, for a learner.
        pair: makes the calls without and with it, or says in words why it cannot be tried here.
        scale: how much more work B does than A.
    """

    title: str
    about: str
    pair: Callable[[Spec], tuple[Call, Call] | str]
    scale: float = 1.0
    threads: Callable[[Spec], tuple[int, int]] | None = None


def _steps(spec: Spec, change: Callable[[subject.Made], torch.optim.Optimizer]) -> Call:
    made = subject.make(spec)
    rule = change(made)
    return benchmark.phases(made.model, made.x, made.y, rule, subject.autocast(spec))["full step"]


def _rule(spec: Spec, **how: Any) -> Callable[[subject.Made], torch.optim.Optimizer]:
    lr = 0.01 if spec.optimizer == "SGD" else 0.001
    kind = getattr(torch.optim, spec.optimizer)
    return lambda made: kind(made.model.parameters(), lr=lr, **how)


def _foreach(spec: Spec) -> tuple[Call, Call]:
    return _steps(spec, _rule(spec, foreach=False)), _steps(spec, _rule(spec, foreach=True))


def _fused(spec: Spec) -> tuple[Call, Call] | str:
    try:
        return _steps(spec, _rule(spec, foreach=False)), _steps(spec, _rule(spec, fused=True))
    except RuntimeError as error:
        return f"There is no fused {spec.optimizer} for {spec.device} in this PyTorch: {error}"


def _set_to_none(spec: Spec) -> tuple[Call, Call]:
    def step(set_to_none: bool) -> Call:
        made = subject.make(spec)
        rule = benchmark.optimizer(spec, made.model)
        forward = benchmark.phases(made.model, made.x, made.y, rule, subject.autocast(spec))[
            "forward"
        ]

        def call() -> None:
            rule.zero_grad(set_to_none=set_to_none)
            forward().backward()
            rule.step()

        return call

    return step(False), step(True)


def _inference(spec: Spec) -> tuple[Call, Call]:
    made = subject.make(spec)
    made.model.eval()

    def plain() -> None:
        made.model(made.x)

    def inference() -> None:
        with torch.inference_mode():
            made.model(made.x)

    return plain, inference


def _threads(spec: Spec) -> tuple[Call, Call]:
    one = benchmark.calls(spec, subject.make(spec))["full step"]
    return one, one


def _channels_last(spec: Spec) -> tuple[Call, Call] | str:
    if len(subject.SUBJECTS[spec.model].batch(spec)) != 4:
        return "The memory format is about images (N, C, H, W); choose a CNN or one of torchvision's networks."
    return tuple(  # type: ignore[return-value]  # two of them
        benchmark.calls(s, subject.make(s))["full step"]
        for s in (spec.replace(channels_last=False), spec.replace(channels_last=True))
    )


def _batch(spec: Spec) -> tuple[Call, Call] | str:
    if spec.batch_size * 4 > 4096:
        return "The batch is as large as it gets here; make it smaller to compare with four times as many."
    return tuple(  # type: ignore[return-value]  # two of them
        benchmark.calls(s, subject.make(s))["full step"]
        for s in (spec, spec.replace(batch_size=4 * spec.batch_size))
    )


def _pinned(spec: Spec) -> tuple[Call, Call] | str:
    if spec.device != "cuda":
        return (
            "Pinned memory lets a GPU fetch a batch by itself while the CPU goes on (non_blocking=True). "
            "On the CPU there is nothing to fetch."
        )
    shape = subject.SUBJECTS[spec.model].batch(spec)
    pageable, pinned = torch.randn(shape), torch.randn(shape).pin_memory()
    return lambda: pageable.to("cuda"), lambda: pinned.to("cuda", non_blocking=True)


def _workers(spec: Spec) -> tuple[Call, Call]:
    shape = subject.SUBJECTS[spec.model].batch(spec)
    data = TensorDataset(torch.randn(min(256, 4 * shape[0]), *shape[1:]))
    size = min(64, shape[0])

    def epoch(workers: int) -> Call:
        loader = DataLoader(
            data,
            batch_size=size,
            num_workers=workers,
            collate_fn=_slow,
            persistent_workers=workers > 0,
        )
        return lambda: sum(1 for _ in loader)

    return epoch(0), epoch(2)


def _slow(rows: list[tuple[torch.Tensor]]) -> torch.Tensor:
    """Collect a batch with some work per sample, as decoding and augmenting pictures is."""
    return torch.stack([torch.fft.ifft(torch.fft.fft(row[0].flatten())).real for row in rows])


def _int8(spec: Spec) -> tuple[Call, Call] | str:
    made = subject.make(spec)
    model = made.model.eval()
    layers = sum(isinstance(m, nn.Linear) for m in model.modules())
    if spec.device != "cpu":
        return "Dynamic int8 runs on the CPU only; choose cpu."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it moves to another package in some later version
        try:
            small = torch.ao.quantization.quantize_dynamic(copy.deepcopy(model), {nn.Linear})
        except (AttributeError, RuntimeError) as error:
            return f"This PyTorch has no dynamic quantisation any more: {error}"
    if not layers:
        return "There is no linear layer to quantise."

    def run(net: nn.Module) -> Call:
        def call() -> None:
            with torch.inference_mode():
                net(made.x)

        return call

    return run(model), run(small)


def _pruning(spec: Spec) -> tuple[Call, Call]:
    from torch.nn.utils import prune

    made = subject.make(spec)
    model, thin = made.model.eval(), copy.deepcopy(made.model).eval()
    for module in thin.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            prune.l1_unstructured(module, "weight", amount=0.9)
            prune.remove(module, "weight")

    def run(net: nn.Module) -> Call:
        def call() -> None:
            with torch.inference_mode():
                net(made.x)

        return call

    return run(model), run(thin)


def _graphs(spec: Spec) -> tuple[Call, Call] | str:
    if spec.device != "cuda":
        return "A CUDA graph launches all kernels of a step at once and saves the time between them. It needs an NVIDIA GPU."
    made = subject.make(spec)
    model = made.model.eval()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.inference_mode(), torch.cuda.stream(stream):
        for _ in range(3):
            model(made.x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph):
        model(made.x)

    def plain() -> None:
        with torch.inference_mode():
            model(made.x)

    return plain, graph.replay


def equal_time(spec: Spec, seconds: float) -> dict[str, dict[str, float]]:
    """The loss that each schedule and clipping reaches in the same time from the same weights."""
    found = {}
    for name, change in SCHEDULES.items():
        made = subject.make(spec)
        rule = benchmark.optimizer(spec, made.model)
        forward = benchmark.phases(made.model, made.x, made.y, rule, subject.autocast(spec))[
            "forward"
        ]
        base = rule.param_groups[0]["lr"]
        first = forward().item()
        steps, loss = 0, first
        start = time.perf_counter()
        while (passed := (time.perf_counter() - start) / seconds) < 1:
            rule.param_groups[0]["lr"] = base * change.rate(passed)
            rule.zero_grad()
            value = forward()
            value.backward()
            if change.clip:
                torch.nn.utils.clip_grad_norm_(made.model.parameters(), change.clip)
            rule.step()
            loss, steps = value.item(), steps + 1
        found[name] = {"first": first, "loss": loss, "steps": steps}
    return found


@dataclass(frozen=True)
class Schedule:
    """The learning rate's factor by the share of the time that has passed, and the longest gradient."""

    rate: Callable[[float], float]
    clip: float = 0.0


SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule(lambda t: 1.0),
    "cosine": Schedule(lambda t: 0.5 * (1 + math.cos(math.pi * t))),
    "warm-up, then linear": Schedule(lambda t: min(1.0, t / 0.1) * (1 - t)),
    "constant, ten times the rate": Schedule(lambda t: 10.0),
    "ten times the rate, clipped to 1": Schedule(lambda t: 10.0, clip=1.0),
}


def train(spec: Spec) -> Iterator[Snapshot]:
    """Progress as rows; the blob "result" holds everything."""
    torch.set_num_threads(spec.threads)
    rows: dict[str, dict[str, Any]] = {}
    loss = benchmark.calls(spec, subject.make(spec))["forward"]().item()
    for number, (name, lever) in enumerate(LEVERS.items()):
        yield _told(1 + number, f"Pulling: {lever.title}")
        pair = lever.pair(spec)
        row: dict[str, Any] = {"title": lever.title, "about": lever.about}
        rows[name] = row
        if isinstance(pair, str):
            row["why_not"] = pair
            continue
        counts = lever.threads(spec) if lever.threads else (spec.threads, spec.threads)
        row["first"] = _first(pair[1])
        _first(pair[0])
        with _no_warnings():
            times = benchmark.measure(
                {"without": (pair[0], counts[0]), "with": (pair[1], counts[1])},
                spec.seconds,
                spec.device,
            )
        a = verdict.sample(times["without"])
        b = verdict.sample([t / lever.scale for t in times["with"]])
        row |= {"without": vars(a), "with": vars(b)}
        row["verdict"] = vars(verdict.compare(a, b, "without it", "with it"))
        del pair
    yield _told(50, "Training for equal times")
    result = {
        "part": spec.part,
        "loss": loss,
        "levers": rows,
        "schedules": equal_time(spec, max(0.2, spec.seconds)),
        "machine": vars(machine.describe(spec.device)),
    }
    yield Snapshot(100, 1.0, blobs={"result": wire.dumps(result)}, final=True)


def numbers(told: Mapping[str, Any]) -> dict[str, float]:
    """What does not depend on the clock."""
    return {"loss": told["loss"]}


def to_code(spec: Spec) -> str:
    """The levers that act on a plain training step, as a script."""
    lr = 0.01 if spec.optimizer == "SGD" else 0.001
    dtype = f", torch.{spec.precision}" if subject.autocast(spec) else ""
    device = f', device="{spec.device}"' if spec.device != "cpu" else ""
    most = min(64, machine.cores())
    setup = "\n".join(f"    {line}" for line in subject.setup(spec).splitlines())
    cells = [
        "import contextlib\nimport statistics\nimport time\n\nfrom torch.utils import benchmark",
        *subject.cells(spec),
        export.source(benchmark.phases, benchmark.measure),
        f"""def candidate(**how):
{setup}
    optimizer = torch.optim.{spec.optimizer}(model.parameters(), lr={lr}, **how)
    return model, x, phases(model, x, y, optimizer{dtype})


def inference(model, x):
    with torch.inference_mode():
        return model(x)


def show(title, a, b, threads=({spec.threads}, {spec.threads})):
    found = measure({{"without": (a, threads[0]), "with": (b, threads[1])}}, {spec.seconds}{device})
    text = ", ".join(f"{{name}} {{statistics.median(t) * 1e3:.4g}} ms" for name, t in found.items())
    print(f"{{title}}: {{text}}")""",
        f"""_, _, plain = candidate(foreach=False)
print(f"loss = {{plain['forward']().item()}}")
show("foreach", plain["full step"], candidate(foreach=True)[2]["full step"])
try:
    show("fused", plain["full step"], candidate(fused=True)[2]["full step"])
except RuntimeError as error:
    print("fused:", error)
show("threads", plain["full step"], plain["full step"], ({spec.threads}, {most if spec.threads != most else 1}))
model, x, _ = candidate()
model.eval()
show("inference_mode", lambda: model(x), lambda: inference(model, x))""",
    ]
    return export.script("Levers of a training step, one by one", cells)


def _first(call: Call) -> float:
    start = time.perf_counter()
    with _no_warnings():
        call()
    return time.perf_counter() - start


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _told(step: int, text: str) -> Snapshot:
    return Snapshot(step, step / 100, rows=({"step": step, "text": text},))


def _most(spec: Spec) -> tuple[int, int]:
    most = min(64, machine.cores())
    return spec.threads, most if spec.threads != most else 1


LEVERS: dict[str, Lever] = {
    "fused": Lever("fused optimizer", "One kernel updates all weights; without it, one loop per tensor.", _fused),
    "foreach": Lever("foreach optimizer", "Updates go over lists of tensors at once.", _foreach),
    "set_to_none": Lever("zero_grad(set_to_none=True)", "Forgets gradients in place of writing zeros into them.", _set_to_none),
    "inference_mode": Lever("inference_mode", "A forward pass that records nothing for backward.", _inference),
    "threads": Lever("threads", "All cores share each operation (with one core more than now, or one alone).", _threads, threads=_most),
    "channels_last": Lever("channels_last", "Images with the channels innermost in memory.", _channels_last),
    "batch": Lever("four times the batch", "More to do per call; the time is told per sample of the small one.", _batch, scale=4.0),
    "pinned": Lever("pinned memory, non-blocking copies", "A GPU fetches batches while the CPU goes on.", _pinned),
    "workers": Lever("DataLoader workers", "Two processes prepare batches, with some work per sample.", _workers),
    "int8": Lever("dynamic int8", "Linear layers with 8-bit weights, for inference.", _int8),
    "pruning": Lever("pruning 90 % of the weights", "Zeros instead of weights: dense kernels multiply them all the same.", _pruning),
    "graphs": Lever("CUDA graphs", "All kernels of a forward pass in one launch.", _graphs),
}  # fmt: skip
