"""The Speed topic: whole measurements, their scripts, their figures, and runs that do not disturb each other."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from components.figures import speed as figures
from models import speed
from models.core.spec import SpecError
from models.speed import (
    Spec,
    benchmark,
    flops,
    footprint,
    machine,
    memory,
    roofline,
    subject,
    timing,
)
from tests.speed_cases import MEMORY, MIXED, QUICK, reproduced, told


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    """A measurement sets the thread count of its process, which here is that of all tests."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_benchmark_tells_every_time_with_its_noise() -> None:
    found = told(QUICK)
    for sample in [*found["samples"].values(), found["b"]]:
        assert 0 < sample["low"] <= sample["median"] <= sample["high"]
        assert sample["count"] >= 5
    assert all(s["first"] > 0 for s in found["samples"].values())
    assert found["verdict"]["kind"] in ("faster", "slower", "same")
    assert found["flops"]["forward"] == 2 * 4 * (16 * 16 + 16 * 10)
    # backward: the gradient of every weight, and of every input but the data
    assert found["flops"]["full step"] == 3 * found["flops"]["forward"] - 2 * 4 * 16 * 16
    assert found["machine"]["cores"] == machine.cores()


def test_the_same_again_is_the_same_work() -> None:
    spec = QUICK.replace(rival="same")
    assert benchmark.rival(spec) == spec
    assert told(spec)["b_name"] == "the same again"


def test_a_bigger_batch_is_judged_per_sample() -> None:
    found = told(QUICK.replace(rival="batch_size"))
    raw = sorted(found["times"]["B"])
    assert raw[0] / 2 <= found["b"]["median"] <= raw[-1] / 2


def test_a_sweep_measures_every_value() -> None:
    spec = QUICK.replace(sweep="width", rival="same")
    found = told(spec)["sweep"]
    assert [p["value"] for p in found] == [value for value, _ in benchmark.sweep(spec)]
    drawn: Any = figures.sweep(found, "width").data[0]
    assert list(drawn.y) == [4 / p["median"] for p in found]


@pytest.mark.parametrize("sweep", ["batch_size", "width", "threads", "channels_last"])
def test_every_value_of_a_sweep_is_a_valid_setting(sweep: str) -> None:
    changed = [spec for _, spec in benchmark.sweep(QUICK.replace(sweep=sweep))]
    assert len({getattr(spec, sweep) for spec in changed}) == len(changed) >= 2


def test_the_clock_does_not_change_what_is_printed() -> None:
    assert [p["value"] for p in told(MIXED)["sweep"]] == [False, True]
    reproduced(MIXED)


def test_what_a_step_costs_is_counted_predicted_and_measured() -> None:
    found = told(MEMORY)
    assert found["predicted"]["peak"] == found["traces"]["plain"]["peak"]
    step = timing.calls(MEMORY, subject.make(MEMORY))["full step"]
    assert found["flops"] == flops.count(step).flops
    peaks = {name: one["peak"] for name, one in found["traces"].items()}
    assert peaks["checkpointed"] < peaks["plain"]
    assert peaks["accumulated"] < peaks["plain"]
    assert {"aten.nll_loss_forward", "aten.relu"} <= found["uncounted"].keys()
    drawn: Any = figures.memory(found["traces"]["plain"]).data
    assert max(sum(column) for column in zip(*(t.y for t in drawn), strict=True)) == (
        pytest.approx(peaks["plain"] / 1e6)
    )
    reproduced(MEMORY)


def test_a_long_course_keeps_its_fullest_moment() -> None:
    lines = {"activations": [0] * 5000 + [9] + [0] * 5000}
    shown = footprint._shown(memory.Trace(9, 5000, {"activations": 9}, lines, ["op"] * 10_000))
    assert len(shown["steps"]) <= footprint.POINTS
    assert max(shown["lines"]["activations"]) == 9


def test_a_device_that_is_not_here_is_refused_and_the_cpu_is_not() -> None:
    missing = next(d for d in ("cuda", "xpu", "mps") if not machine.has(d))
    with pytest.raises(SpecError, match=f"no {missing} device"):
        next(speed.train(QUICK.replace(device=missing)))
    assert next(speed.train(QUICK)).rows


def test_ceilings_are_above_what_a_small_model_reaches() -> None:
    top = roofline.measure("cpu", torch.float32, 1, seconds=0.02)
    assert top.at(top.ridge) == pytest.approx(top.flops)
    assert top.at(top.ridge / 10) == pytest.approx(top.flops / 10)
    assert top.at(top.ridge * 10) == top.flops
    x = torch.randn(8, 8)
    reached = 2 * 8**3 / min(timing.measure({"mm": (lambda: x @ x, 1)}, 0.05)["mm"])
    assert reached < top.flops


def test_measuring_takes_turns_and_counts_every_call() -> None:
    order: list[str] = []
    fast = {name: (lambda name=name: order.append(name), 1) for name in ("a", "b")}
    times = timing.measure(fast, 0.05)
    assert {name: len(t) for name, t in times.items()} == {"a": 25, "b": 25}
    changes = sum(one != two for one, two in itertools.pairwise(order))
    assert changes >= 2 * 25 - 1


def test_a_slow_call_is_measured_five_times_at_least_and_not_much_longer() -> None:
    seen: list[float] = []

    def slow() -> None:
        end = time.perf_counter() + 0.01
        while time.perf_counter() < end:
            pass
        seen.append(0.01)

    times = timing.measure({"slow": (slow, 1)}, 0.05)["slow"]
    assert 5 <= len(times) <= 6
    assert min(times) >= 0.01
    assert len(seen) < 20


def test_figures_show_every_run_and_the_ceilings() -> None:
    found = told(QUICK)
    fig = figures.times(found["times"], {**found["samples"], "B": found["b"]})
    traces: Any = fig.data
    drawn = [len(t.x) for t in traces if t.type == "scatter" and "line" in str(t.marker.symbol)]
    assert drawn == [len(t) for t in found["times"].values()]
    roof: Any = figures.roofline(found["ceilings"], {"forward": (1.0, 1e9)})
    assert max(roof.data[0].y) == pytest.approx(found["ceilings"]["flops"] / 1e9)


def test_the_share_of_others_is_a_share() -> None:
    with machine.Busy() as busy:
        sum(range(300_000))
    assert 0 <= busy.share <= 1


@pytest.mark.accelerator
def test_an_accelerator_is_measured_with_its_own_ceiling() -> None:
    device = next(d for d in ("cuda", "mps", "xpu") if machine.has(d))
    found = told(Spec(device=device, width=1024, batch_size=1024))
    assert found["ceilings"]["flops"] > roofline.measure("cpu", torch.float32, 1).flops
    made = subject.make(Spec(device=device))
    assert made.x.device.type == device


@pytest.mark.accelerator
def test_a_gpus_allocator_tells_its_peak() -> None:
    if machine.has("cuda"):
        found = told(Spec(part="memory", device="cuda"))
        assert found["allocator"]["peak allocated"] >= found["traces"]["plain"]["peak"]
