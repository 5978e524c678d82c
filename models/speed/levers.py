"""More levers, each pulled and let go in turns, so that its effect on this machine is measured and not believed."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from models.core import export, wire
from models.core.control import Snapshot
from models.speed import (
    footprint,
    limits,
    machine,
    schedules,
    subject,
    switches,
    timing,
    verdict,
)
from models.speed.schedules import SCHEDULES
from models.speed.spec import Spec

Call = Callable[[], Any]


@dataclass(frozen=True)
class Lever:
    """One switch.

    Attributes:
        title: what it is; about: what it does, for a learner.
        pair: makes the calls without and with it, or says in words why it cannot be tried here.
        scale: how much more work B does than A.
        many: whether it is the number of threads that differs.
        comparable: whether both calls compute the same, so that their results can be compared.
        lossy: whether it changes the result by its nature, so that the price is a number worth printing.
    """

    title: str
    about: str
    pair: Callable[[switches.Start], tuple[Call, Call] | str]
    scale: int = 1
    many: bool = False
    comparable: bool = True
    lossy: bool = False


def start(spec: Spec) -> switches.Start:
    """What the levers need, for a subject."""

    def fresh(
        seed: int = spec.seed, times: int = 1, channels_last: bool = spec.channels_last
    ) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
        changed = spec.replace(
            seed=seed, batch_size=times * spec.batch_size, channels_last=channels_last
        )
        made = subject.make(changed)
        return made.model, made.x, made.y

    return switches.Start(fresh, _optimizer(spec), subject.autocast(spec))


def train(spec: Spec) -> Iterator[Snapshot]:
    """Progress as rows; the blob "result" holds everything."""
    torch.set_num_threads(spec.threads)
    begin = start(spec)
    rows: dict[str, dict[str, Any]] = {}
    loss = timing.calls(spec, subject.make(spec))["forward"]().item()
    with machine.Busy() as busy:
        for number, (name, lever) in enumerate(LEVERS.items()):
            yield timing.told(1 + number, f"Pulling: {lever.title}")
            rows[name] = {"title": lever.title, "about": lever.about} | _pulled(spec, lever, begin)
        yield timing.told(50, "Training for equal times")
        seconds, seeds = spec.seconds / 2, beginnings(spec)
        candidates = {name: (one.rate, one.clip) for name, one in SCHEDULES.items()}
        trained = schedules.equal_time(
            candidates, seeds, seconds, begin.fresh, begin.optimizer, begin.dtype
        )
    result = {
        "part": spec.part,
        "loss": loss,
        "levers": rows,
        "schedules": trained,
        "schedule_seconds": seconds,
        "schedule_verdicts": rulings(trained),
        "busy": busy.share,
        "machine": vars(machine.describe(spec.device)),
    }
    yield Snapshot(100, 1.0, blobs={"result": wire.dumps(result)}, final=True)


def together(spec: Spec) -> tuple[Spec, ...]:
    """The models that are in memory at the same time."""
    return spec, spec


def _pulled(spec: Spec, lever: Lever, begin: switches.Start) -> dict[str, Any]:
    """One lever's numbers, or why there are none."""
    if lever.scale > 1 and lever.scale * spec.batch_size <= 4096:
        larger = spec.replace(batch_size=lever.scale * spec.batch_size)
        if reason := limits.refusal((spec, larger)):
            return {"why_not": reason}
    try:
        pair = lever.pair(begin)
        if isinstance(pair, str):
            return {"why_not": pair}
        with _no_warnings():
            for call in pair:  # first calls are slow
                call()
            apart = switches.difference(*pair) if lever.comparable else None
            counts = many(spec) if lever.many else (spec.threads, spec.threads)
            times = timing.measure(
                {"without": (pair[0], counts[0]), "with": (pair[1], counts[1])},
                spec.seconds,
                spec.device,
            )
    except (NotImplementedError, RuntimeError) as error:  # one operation that this device lacks
        if limits.is_memory(error):
            raise
        return {"why_not": f"It failed here: {str(error).strip().splitlines()[0]}"}
    a = verdict.sample(times["without"])
    b = verdict.sample([t / lever.scale for t in times["with"]])
    return {
        "without": vars(a),
        "with": vars(b),
        "verdict": vars(verdict.compare(a, b, "without it", "with it")),
        "difference": apart,
    }


def rulings(trained: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each schedule against the constant one, seed by seed: {"kind", "text"}."""
    base = trained["constant"]
    return {
        name: vars(
            verdict.paired([r[1] for r in base], [r[1] for r in runs], "a constant rate", name)
        )
        for name, runs in trained.items()
        if name != "constant"
    }


def beginnings(spec: Spec) -> list[int]:
    """The seeds from which every schedule starts."""
    return [(spec.seed + n) % 10_000 for n in range(schedules.REPEATS)]


def many(spec: Spec) -> tuple[int, int]:
    """Threads without and with the lever: all cores, or one where all are used already."""
    most = min(64, machine.cores())
    return spec.threads, most if spec.threads != most else 1


def numbers(told: Mapping[str, Any]) -> dict[str, float]:
    """What does not depend on the clock."""
    found = {"loss": told["loss"]}
    for name, row in told["levers"].items():
        if LEVERS[name].lossy and row.get("difference") is not None:
            found[f"{name} changes the result by"] = row["difference"]
    return found


def to_code(spec: Spec) -> str:
    """All levers and the schedules at equal time, as a script."""
    device = f', device="{spec.device}"' if spec.device != "cpu" else ""
    dtype = f", torch.{spec.precision}" if subject.autocast(spec) else ""
    lr = 0.01 if spec.optimizer == "SGD" else 0.001
    listed = ",\n".join(f'    "{name}": {_function(lever)}' for name, lever in LEVERS.items())
    counts = {n: many(spec) for n, lever in LEVERS.items() if lever.many}
    scales = {n: lever.scale for n, lever in LEVERS.items() if lever.scale > 1}
    lossy = [n for n, lever in LEVERS.items() if lever.lossy]
    named = ",\n".join(
        f'    "{name}": ({one.rate.__name__}, {one.clip})' for name, one in SCHEDULES.items()
    )
    cells = [
        "import contextlib\nimport copy\nimport math\nimport multiprocessing\nimport statistics\nimport time\nimport warnings\n\n"
        "from torch.utils import benchmark\n"
        "from torch.utils.checkpoint import checkpoint, checkpoint_sequential\n"
        "from torch.utils.data import DataLoader, TensorDataset",
        *subject.cells(spec)[:2],
        f"""{subject.factory(spec)}


def optimizer(model, **how):
    return torch.optim.{spec.optimizer}(model.parameters(), lr={lr}, **how)""",
        export.source(timing.phases, timing.measure, footprint.trade_offs),
        export.source(*switches.SOURCE, *dict.fromkeys(lever.pair for lever in LEVERS.values())),
        f"""levers = {{
{listed},
}}
start = Start(fresh, optimizer{dtype})
warnings.simplefilter("ignore")


def pull(name):
    pair = levers[name](start)
    if isinstance(pair, str):
        print(f"{{name}} was not tried: {{pair}}")
        return
    if name in {lossy}:  # the result is another one
        print(f"{{name}} changes the result by = {{difference(*pair)}}")
    pair[0](), pair[1]()
    counts = {counts}.get(name, ({spec.threads}, {spec.threads}))
    times = measure({{"without": (pair[0], counts[0]), "with": (pair[1], counts[1])}}, {spec.seconds}{device})
    without, with_it = (statistics.median(t) * 1e3 for t in times.values())
    with_it /= {scales}.get(name, 1)  # for as much work as without
    print(f"{{name}}: without {{without:.4g}} ms, with {{with_it:.4g}} ms")


if __name__ == "__main__":  # where there is no fork, a DataLoader's worker imports this file
    model, x, y = fresh()
    print(f"loss = {{phases(model, x, y, optimizer(model){dtype})['forward']().item()}}")
    for name in levers:
        pull(name)""",
    ]
    cells.append(
        f"""{export.source(*schedules.SOURCE)}


schedules = {{
{named},
}}
if __name__ == "__main__":
    found = equal_time(schedules, {beginnings(spec)}, {spec.seconds / 2}, fresh, optimizer{dtype})
    for name, rows in found.items():
        ends = sorted(last for first, last, steps in rows)
        print(f"{{name}}: loss {{ends[0]:.4g}} to {{ends[-1]:.4g}}, median {{statistics.median(ends):.4g}}")"""
    )
    return export.script("Levers of a training step, one by one", cells)


def _function(lever: Lever) -> str:
    return lever.pair.__name__


def _optimizer(spec: Spec) -> Callable[..., torch.optim.Optimizer]:
    lr = 0.01 if spec.optimizer == "SGD" else 0.001
    kind = getattr(torch.optim, spec.optimizer)
    return lambda model, **how: kind(model.parameters(), lr=lr, **how)


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


LEVERS: dict[str, Lever] = {
    "fused": Lever("fused optimizer", "One kernel updates all weights; without it, one loop per tensor.", switches.fused),
    "foreach": Lever("foreach optimizer", "Updates go over lists of tensors at once.", switches.foreach),
    "set_to_none": Lever("zero_grad(set_to_none=True)", "Forgets gradients in place of writing zeros into them.", switches.set_to_none),
    "inference_mode": Lever("inference_mode", "A forward pass that records nothing for backward.", switches.inference_mode),
    "threads": Lever("threads", "All cores share each operation; where they do already, one computes alone.", switches.threads, many=True, comparable=False),
    "channels_last": Lever("channels_last", "Images with the channels innermost in memory.", switches.channels_last),
    "batch": Lever("four times the batch", "More to do per call; the time is told per sample of the small one.", switches.four_times_the_batch, scale=4, comparable=False),
    "pinned": Lever("pinned memory, non-blocking copies", "A GPU fetches the next batch while it computes this one.", switches.pinned),
    "workers": Lever("DataLoader workers", "Two processes prepare batches, with some work per sample.", switches.workers, comparable=False),
    "int8": Lever("dynamic int8", "Linear layers with 8-bit weights, for inference.", switches.int8, lossy=True),
    "pruning": Lever("pruning 90 % of the weights", "Zeros instead of weights: dense kernels multiply them all the same.", switches.pruning, lossy=True),
    "checkpointing": Lever("gradient checkpointing", "Computes activations again in backward: less memory, more work.", switches.checkpointing, comparable=False),
    "graphs": Lever("CUDA graphs", "All kernels of a forward pass in one launch.", switches.graphs),
}  # fmt: skip
