"""The Speed topic: whole measurements, their scripts, their figures, and runs that do not disturb each other."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from components.figures import speed as figures
from models import speed
from models.core import export, runs, wire
from models.core.spec import SpecError
from models.speed import (
    Spec,
    benchmark,
    flops,
    footprint,
    limits,
    machine,
    memory,
    roofline,
    subject,
    timing,
)
from tests.speed_cases import MEMORY, MIXED, QUICK, last, reproduced, told


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
    pictures = QUICK.replace(model="cnn", size=16, sweep=sweep)
    changed = [spec for _, spec in benchmark.sweep(pictures)]
    assert len({getattr(spec, sweep) for spec in changed}) == len(changed) >= 2


def test_many_cores_are_swept_up_to_what_the_setting_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 128)
    assert [value for value, _ in benchmark.sweep(QUICK.replace(sweep="threads"))] == [1, 2, 32, 64]


@pytest.mark.parametrize("batch_size", [64, 3000, 4096])
def test_the_script_scales_b_as_the_page_does(batch_size: int) -> None:
    spec = QUICK.replace(batch_size=batch_size)
    other = min(4096, 2 * batch_size)
    told = f"[t * {batch_size} / {other} for t in times]" if other > batch_size else "[t for t in"
    assert told in speed.to_code(spec)


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


def test_the_share_of_others_is_seen_and_the_own_is_not() -> None:
    burning = [sys.executable, "-c", "import time; end = time.time() + 0.4\nwhile time.time() < end: pass"]  # fmt: skip
    with machine.Busy() as busy:
        subprocess.run(burning, check=True)
    assert 0.1 / machine.cores() < busy.share <= 1
    begun = time.process_time()
    with machine.Busy() as mine:
        while time.process_time() < begun + 0.2:
            sum(range(1000))
    wall, used, own = (b - a for a, b in zip(mine._start, mine._end, strict=True))
    assert own == pytest.approx(0.2, abs=0.05)
    assert mine.share <= max(0.0, used - own) / (wall * (os.cpu_count() or 1)) + 1e-9


# ---- memory that runs out ----


def test_memory_that_runs_out_has_its_own_sentence_with_the_estimate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def too_much(spec: Spec) -> Iterator[Any]:
        yield from ()
        torch.empty(2**60, dtype=torch.uint8)  # an exabyte, refused by the real allocator

    monkeypatch.setattr(benchmark, "train", too_much)
    with pytest.raises(
        SpecError, match=r"ran out .* estimated at .*B, .*Make batch_size"
    ) as caught:
        list(speed.train(QUICK))
    assert "allocate" in caught.value.detail


def test_another_error_is_not_taken_for_missing_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(spec: Spec) -> Iterator[Any]:
        yield from ()
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(benchmark, "train", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        list(speed.train(QUICK))


def test_a_worker_that_takes_too_much_ends_alone_and_the_next_one_runs() -> None:
    client = runs.Client(
        runs.Limits(memory_mb=600), preload=("torch", "torch._dynamo", "models.speed")
    )
    try:
        large = QUICK.replace(model="cnn", width=64, size=128, batch_size=64, depth=3)
        hungry = client.start("models.speed", large, owner="one")
        modest = client.start("models.speed", QUICK, owner="two")
        while client.status(modest).state in ("queued", "running"):
            time.sleep(0.02)
        assert client.status(hungry).state == "failed"
        assert "the most a run may hold here is 600 MB" in client.status(hungry).message
        assert client.status(modest).state == "done"
        assert wire.loads(client.blob(modest, "result") or b"{}")["loss"] > 0
    finally:
        client.close()


def test_a_sweep_leaves_out_what_does_not_fit_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = QUICK.replace(sweep="width", rival="same")
    most = limits.estimate(spec.replace(width=256))
    monkeypatch.setattr(limits, "available", lambda device: most)
    points = {value: benchmark._sweep_point(changed) for value, changed in benchmark.sweep(spec)}
    assert [value for value, p in points.items() if "why_not" in p] == [512]
    assert "needs about" in points[512]["why_not"]


def test_what_a_and_b_hold_together_is_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = QUICK.replace(width=256)
    monkeypatch.setattr(limits, "available", lambda device: limits.estimate(spec))
    with pytest.raises(SpecError, match="2 models in turns, with a batch of 4 and of 8"):
        next(speed.train(spec))
    assert next(speed.train(spec.replace(part="memory"))).rows


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
        spec = Spec(part="memory", device="cuda")
        found = told(spec)
        assert found["allocator"]["peak allocated"] >= found["traces"]["plain"]["peak"]
        assert found["predicted"]["by_category"] == found["traces"]["plain"]["by_category"]
        assert (
            last(spec).blobs["snapshot"].startswith(b"\x80")
        )  # a pickle, for PyTorch's memory viewer


@pytest.mark.accelerator
def test_what_does_not_fit_into_a_gpu_is_refused_with_its_estimate() -> None:
    if machine.has("cuda"):
        beyond = Spec(model="attention", width=2048, depth=12, size=224, batch_size=4096)
        with pytest.raises(SpecError, match="needs about"):
            next(speed.train(beyond.replace(device="cuda")))


@pytest.mark.accelerator
@pytest.mark.parametrize("part", speed.PARTS)
def test_every_part_of_the_page_and_its_script_run_on_an_accelerator(
    part: str, tmp_path: Path
) -> None:
    device = next(d for d in ("cuda", "mps", "xpu") if machine.has(d))
    spec = QUICK.replace(part=part, device=device)
    shown = speed.numbers(last(spec))
    assert shown.keys() == export.numbers(export.run(speed.to_code(spec), tmp_path)).keys()
