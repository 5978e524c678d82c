"""`torch.compile` against eager: what the first calls cost, what each call gains, and when that is paid back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from models.core import device as devices
from models.core import export, wire
from models.core.control import Snapshot
from models.speed import limits, machine, subject, timing, verdict
from models.speed.spec import Spec


class Printing(nn.Module):
    """Says something in the middle, as one does to debug."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        x = x * 1.0
        print("forward saw", tuple(x.shape))
        return self.model(x)


class TakingOut(nn.Module):
    """Takes a number out of a tensor and computes with it in Python."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        scale = x.abs().max().item()
        return self.model(x / max(scale, 1.0))


class Branching(nn.Module):
    """Asks a tensor which way to go."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        if x.mean() > 0:
            x = x - x.mean()
        return self.model(x)


def breaks(model, x):
    """How many graphs there are, and where Dynamo has to leave one: [reason, the line that causes it] each."""
    import torch._dynamo

    torch._dynamo.reset()
    told = torch._dynamo.explain(model)(x)
    found = []
    for one in told.break_reasons:
        frame = one.user_stack[-1] if one.user_stack else None
        line = (frame.line or "").strip() if frame else ""
        found.append([one.reason.strip().splitlines()[0], line])
    torch._dynamo.reset()
    return told.graph_count, found


def first_calls(call, device="cpu", most=4):
    """Seconds of each of the first calls; compiling happens in them."""
    times = []
    for _ in range(most):
        start = time.perf_counter()
        value = call()
        if device != "cpu":
            getattr(torch, device).synchronize()
        times.append(time.perf_counter() - start)
    return times, value


def break_even(extra: float, eager: float, compiled: float) -> float | None:
    """After how many calls compiling has paid; None when it never does.

    Args:
        extra: seconds that the first calls took longer than the later ones; eager, compiled: seconds per call.
    """
    return extra / (eager - compiled) if eager > compiled else None


def wrapped(spec: Spec, model: nn.Module) -> nn.Module:
    """The model inside the program that the spec asks for."""
    kind = PROGRAMS[spec.program]
    return kind(model) if kind else model


def train(spec: Spec) -> Iterator[Snapshot]:
    """Progress as rows; the blob "result" holds everything, with "problem" where nothing can be compiled here."""
    torch.set_num_threads(spec.threads)
    made = subject.make(spec)
    model = wrapped(spec, made.model)
    rule = timing.optimizer(spec, made.model)
    dtype = subject.autocast(spec)
    result: dict[str, Any] = {"part": spec.part, "problem": "", "detail": ""}
    result["machine"] = vars(machine.describe(spec.device))
    result["source"] = export.source(PROGRAMS[spec.program]) if PROGRAMS[spec.program] else ""
    with _quietly():
        eager = timing.phases(model, made.x, made.y, rule, dtype)["forward + backward"]
        result["loss"] = eager().item()
        yield timing.told(1, "Looking for graph breaks")
        try:
            result["graphs"], result["breaks"] = breaks(model, made.x)
            yield timing.told(2, "Compiling: the first call takes seconds")
            compiled_model = torch.compile(model)
            compiled = timing.phases(compiled_model, made.x, made.y, rule, dtype)[
                "forward + backward"
            ]
            with _fresh_cache():
                firsts, value = first_calls(compiled, spec.device)
            result["difference"] = abs(value.item() - result["loss"])
            eager_firsts, _ = first_calls(eager, spec.device)
            yield timing.told(3, "Timing both in turns")
            calls = {"eager": (eager, spec.threads), "compiled": (compiled, spec.threads)}
            with machine.Busy() as busy:
                times = timing.measure(calls, spec.seconds, spec.device)
        except Exception as error:  # whatever the compiler, its tools or this platform lack
            if limits.is_memory(error):
                raise
            result |= {"problem": _problem(error), "detail": str(error)[-3000:]}
            result.setdefault("breaks", [])
            result.setdefault("graphs", 0)
            yield Snapshot(100, 1.0, blobs={"result": wire.dumps(result)}, final=True)
            return
    devices.synchronize(spec.device)
    samples = {name: verdict.sample(t) for name, t in times.items()}
    one, other = samples["eager"], samples["compiled"]
    extra = sum(firsts) - len(firsts) * other.median
    result |= {
        "samples": {n: vars(s) for n, s in samples.items()},
        "noise": verdict.noise(samples),
        "busy": busy.share,
        "times": times,
        "firsts": firsts,
        "eager_firsts": eager_firsts,
        "verdict": vars(verdict.compare(one, other, "eager", "compiled")),
        "extra": extra,
        # only where the gain is more than the noise
        "break_even": break_even(extra, one.median, other.median) if one.low > other.high else None,
    }
    yield Snapshot(100, 1.0, blobs={"result": wire.dumps(result)}, final=True)


def numbers(told: Mapping[str, Any]) -> dict[str, float]:
    """What does not depend on the clock."""
    return {"loss": told["loss"], "graphs": told["graphs"], "breaks": len(told["breaks"])}


def to_code(spec: Spec) -> str:
    """The measurement as a script."""
    kind = PROGRAMS[spec.program]
    device = f', device="{spec.device}"' if spec.device != "cpu" else ""
    place = f', "{spec.device}"' if spec.device != "cpu" else ""
    parts = [breaks, first_calls, timing.phases, timing.measure]
    inside = f"model = {kind.__name__}(model)\n" if kind else ""
    lr = 0.01 if spec.optimizer == "SGD" else 0.001
    dtype = f", torch.{spec.precision}" if subject.autocast(spec) else ""
    cells = [
        "import contextlib\nimport statistics\nimport time\n\n"
        "from torch._inductor.utils import fresh_cache\nfrom torch.utils import benchmark",
        *subject.cells(spec),
        export.source(*([kind] if kind else []), *parts),
        f"""{inside}optimizer = torch.optim.{spec.optimizer}(model.parameters(), lr={lr})
eager = phases(model, x, y, optimizer{dtype})["forward + backward"]
print(f"loss = {{eager().item()}}")
graphs, found = breaks(model, x)
print(f"graphs = {{graphs}}")
print(f"breaks = {{len(found)}}")
for reason, line in found:
    print(reason, "at:", line)""",
        f"""compiled = phases(torch.compile(model), x, y, optimizer{dtype})["forward + backward"]
try:
    with fresh_cache():  # nothing that was compiled before helps
        firsts, value = first_calls(compiled{place})
except Exception as error:  # no compiler on this machine
    print("torch.compile does not work here:", error)
else:
    print("first calls:", ", ".join(f"{{t:.3g}} s" for t in firsts))
    calls = {{"eager": (eager, {spec.threads}), "compiled": (compiled, {spec.threads})}}
    for name, times in measure(calls, {spec.seconds}{device}).items():
        print(f"{{name}}: median {{statistics.median(times) * 1e3:.4g}} ms")""",
    ]
    return export.script("torch.compile against eager", cells)


@contextlib.contextmanager
def _fresh_cache() -> Iterator[None]:
    """Nothing that was compiled before helps: the first call costs what it costs."""
    from torch._inductor import config, utils

    fresh = getattr(utils, "fresh_cache", None) or utils.fresh_inductor_cache
    failed = None
    with fresh(), config.patch(compile_threads=1):
        try:
            yield
        except Exception as error:  # if it saw this, the cache's folder would stay on the disk
            failed = error
    if failed is not None:
        raise failed


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """What the learner's forward prints would fill the server's log."""
    with contextlib.redirect_stdout(None):
        yield


def _problem(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    if any(
        word in text
        for word in ("C++ compiler", "InvalidCxxCompiler", "No working C++", "compiler found")
    ):
        return (
            "torch.compile writes C++ and needs a compiler for it, which this machine has not. Install g++ (or clang) and measure again; "
            "everything else on this page works without it."
        )
    if "Python.h" in text:
        return "torch.compile needs Python's header files (Python.h), which are not installed here. Install python3-dev and measure again."
    return "torch.compile gave up on this model here. Its own words are behind the click; eager mode goes on working."


PROGRAMS: dict[str, Any] = {
    "whole": None,
    "print": Printing,
    "item": TakingOut,
    "branch": Branching,
}
