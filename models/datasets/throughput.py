"""Batches per second against workers, batch size and format, each measured several times."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from models import datasets
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob
from models.datasets import loading


@dataclass(frozen=True)
class Spec(loading.Spec):
    """The settings around which is measured."""

    repeats: int = knob(3, "How often each setting is measured.", minimum=3, maximum=9)
    pictures: int = knob(
        128,
        "Pictures read in one measurement.",
        label="Images per measurement",
        minimum=64,
        maximum=4096,
        log=True,
    )


@dataclass(frozen=True)
class Trial:
    """One setting that is measured: which knob differs, and its value."""

    knob: str
    value: int | str

    def of(self, spec: Spec) -> Spec:
        return spec.replace(**{self.knob: self.value})


def trials(spec: Spec) -> list[Trial]:
    """What is compared: workers, formats, batch sizes and decoded sizes, one at a time around the chosen settings."""
    found = [Trial("num_workers", n) for n in (0, 1, 2, 4)]
    found += [Trial("format", name) for name in loading.FORMATS]
    found += [Trial("batch_size", size) for size in (1, 8, 32, 128)]
    return found + [Trial("side", side) for side in datasets.SIDES if fits(spec, side)]


def fits(spec: Spec, side: int) -> bool:
    """Whether the list of transforms works at another size."""
    try:
        spec.replace(side=side)
    except SpecError:
        return False
    return True


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """A row for each setting: pictures per second of every repeat, and the seconds before the first batch.

    Raises:
        SpecError: no batch comes out of these settings.
    """
    control = control or Control()
    datasets.run(loading.datasets_part(spec).replace(num_workers=0))
    todo = trials(spec)
    for number, trial in enumerate(todo, 1):
        control.gate()
        row = measured(trial.of(spec), spec.repeats, spec.pictures)
        final = number == len(todo)
        yield Snapshot(
            number,
            number / len(todo),
            rows=(
                {"step": number, "epoch": number, "knob": trial.knob, "value": trial.value, **row},
            ),
            frame={"done": number, "total": len(todo)},
            final=final,
        )


def measured(spec: Spec, repeats: int, pictures: int) -> dict[str, Any]:
    """Pictures per second without any model, in each of several epochs; start-up apart."""
    made = datasets.parts(loading.datasets_part(spec))
    # small sets are read again and again, so that every measurement lasts long enough
    rows = made.train.repeat(-(-pictures // len(made.train)))[:pictures]
    changed = datasets.Parts(made.data, rows, made.val, made.test, made.leaked, made.mean, made.std)
    whole = spec.replace(drop_last=False, weighted=False)
    batches = loading.recorded_loader(whole, changed)
    torch.manual_seed(spec.seed)
    speeds, starts = [], []
    for _ in range(repeats):
        began = time.perf_counter()
        source = iter(batches)
        next(source)
        first = time.perf_counter()
        count = 0
        for (x, _), _record in source:
            count += len(x)
        seconds = time.perf_counter() - first
        starts.append(first - began)
        speeds.append(count / seconds if count else spec.batch_size / starts[-1])
    low, middle, high = (
        statistics.quantiles(speeds, n=4, method="inclusive")
        if len(speeds) > 1
        else [speeds[0]] * 3
    )
    return {"low": low, "median": middle, "high": high, "start": statistics.median(starts)}


def verdict(rows: Sequence[Mapping[str, Any]], knob: str) -> str:
    """Which value of a setting is the fastest, in a sentence that claims no more than the noise allows."""
    mine = [r for r in rows if r["knob"] == knob]
    best = max(mine, key=lambda r: r["median"])
    alike = [str(r["value"]) for r in mine if r is not best and not faster(best, r)]
    slowest = min(mine, key=lambda r: r["median"])
    if alike:
        return (
            f"{best['value']} came first, but the noise does not part it from {', '.join(alike)}."
        )
    return f"{best['value']} is the fastest, {best['median'] / slowest['median']:.1f} times {slowest['value']}."


def faster(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool | None:
    """Whether a is faster than b; None when their middle halves overlap, so that nothing can be said."""
    if a["low"] > b["high"]:
        return True
    return False if b["low"] > a["high"] else None
