"""The profile: nested events, every backward with its forward, times that add up; the doctor and the timeline's laws."""

from __future__ import annotations

import dataclasses
import gzip
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch._C._autograd import DeviceType

from components.figures import speed as figures
from models.core import runs, wire
from models.speed import Spec, doctor, machine, profile, subject
from tests import speed_cases

ROOT = Path(__file__).resolve().parents[1]
NODE = shutil.which("node")
SPEC = Spec(part="profile", width=16, depth=2, batch_size=4, steps=2)


def told() -> dict[str, Any]:
    return speed_cases.told(SPEC)


def frame() -> dict[str, Any]:
    found = speed_cases.last(SPEC).frame
    assert found is not None
    return dict(found)


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_events_lie_in_order_and_inside_the_one_above_them() -> None:
    line = frame()
    start, end = line["start"], line["start"] + line["duration"]
    assert (np.diff(start) >= 0).all()
    assert line["start"][0] == 0
    above: dict[tuple[int, int], int] = {}
    for i, (lane, depth) in enumerate(zip(line["lane"], line["depth"], strict=True)):
        if depth:
            parent = above[lane, depth - 1]
            assert start[parent] <= start[i]
            assert end[i] <= end[parent] + 1  # the clock's last microsecond
        above[lane, depth] = i


def test_every_arrow_leads_from_a_forward_operation_to_its_own_backward() -> None:
    line = frame()
    names = [line["names"][n] for n in line["name"]]
    pairs = [(names[a], names[b]) for a, b in line["arrows"]]
    assert all(line["start"][a] < line["start"][b] for a, b in line["arrows"])
    products = [a for a, b in pairs if "AddmmBackward" in b]
    assert products == ["aten::addmm"] * (3 * SPEC.steps)
    activations = [a for a, b in pairs if "ReluBackward" in b]
    assert len(activations) == 2 * SPEC.steps
    assert set(activations) <= {"aten::relu", "aten::clamp_min"}


def test_every_phase_ran_once_per_step_and_holds_its_operations() -> None:
    line, found = frame(), told()
    names = [line["names"][n] for n in line["name"]]
    for phase in profile.PHASES:
        assert names.count(f"phase: {phase}") == SPEC.steps
        assert found["phases"][phase]["microseconds"] > 0
    assert sum(p["operations"] for p in found["phases"].values()) == found["operations"]
    assert sum(doctor.shares(found).values()) == pytest.approx(1)


def test_layers_share_forward_and_backward() -> None:
    modules = told()["modules"]
    assert set(modules) == {"0 (Linear)", "1 (ReLU)", "2 (Linear)", "3 (ReLU)", "4 (Linear)"}
    assert all(m["forward"] > 0 and m["backward"] > 0 for m in modules.values())
    whole = sum(m["forward"] for m in modules.values())
    assert whole <= told()["phases"]["forward"]["microseconds"] * 1.01
    drawn: Any = figures.modules(modules, SPEC.steps).data
    assert sum(drawn[0].x) == pytest.approx(whole / 1e3 / SPEC.steps)


def test_operations_are_listed_with_their_shapes_the_costliest_first() -> None:
    table = told()["table"]
    assert [r["self"] for r in table] == sorted((r["self"] for r in table), reverse=True)
    product = next(r for r in table if r["name"] == "aten::addmm" and "16×16" in r["shapes"])
    assert product["calls"] == 2 * SPEC.steps
    assert "4×16" in product["shapes"]


def test_the_trace_is_chromes_json() -> None:
    trace = json.loads(gzip.decompress(speed_cases.last(SPEC).blobs["trace"]))
    names = [e.get("name") for e in trace["traceEvents"]]
    assert names.count("aten::addmm") == 3 * SPEC.steps


def test_the_cost_of_profiling_is_told() -> None:
    assert told()["under"] > 0
    assert told()["plain"]["count"] >= 5


def test_the_script_records_the_same_operations() -> None:
    speed_cases.reproduced(speed_cases.PROFILE)


def test_eight_learners_profile_at_once_and_all_get_their_own() -> None:
    client = runs.client()
    asked = [
        client.start("models.speed", SPEC.replace(seed=n, steps=1), owner=f"learner {n}")
        for n in range(8)
    ]
    while any(client.status(run).state in ("queued", "running") for run in asked):
        assert sum(client.status(run).state == "running" for run in asked) <= 1
        time.sleep(0.02)  # what is measured needs the processor more than this question
    states = [client.status(run) for run in asked]
    assert [s.state for s in states] == ["done"] * 8, [s.detail for s in states]
    found = [wire.loads(client.blob(run, "result") or b"{}") for run in asked]
    assert len({f["loss"] for f in found}) == 8
    assert len({f["operations"] for f in found}) == 1
    assert len(client.history(asked[0])["frame"]["start"]) == found[0]["shown"]


# ---- the doctor ----


def healthy() -> dict[str, Any]:
    """A profile in which nothing stands out."""
    phases = {"data": 2, "forward": 30, "loss": 3, "backward": 60, "optimizer": 5}
    rows = [{"name": "aten::relu", "calls": 10, "self": 1000.0, "shapes": ""}] * 4
    names = ("relu", "tanh", "mm", "add")
    return {
        "phases": {n: {"microseconds": t * 100.0, "operations": 10} for n, t in phases.items()},
        "steps": 1,
        "table": rows,
        "operators": [{"name": f"aten::{n}", "microseconds": 2000.0, "calls": 10} for n in names],
        "lines": [place(f"aten::{n}", 10, i) for i, n in enumerate(names)],
        "idle": {"forward": 100.0},
        "under": 1.1,
        "plain": {"median": 1.0},
    }


def place(
    operation: str, calls: int, line: int = 7, before: float = 0.0, harness: bool = False
) -> dict[str, Any]:
    return {"operation": operation, "line": line, "text": f"line number {line}", "function": "forward",
            "layer": "0 (Mine)", "calls": calls, "before": before, "harness": harness}  # fmt: skip


def ailing(**changes: Any) -> list[str]:
    return [
        f["title"]
        for f in doctor.findings(Spec(threads=min(64, machine.cores())), healthy() | changes)
    ]


def row(name: str, calls: int, self: float) -> dict[str, Any]:
    return {"name": name, "calls": calls, "self": self, "shapes": "4×4"}


def test_a_healthy_profile_has_no_findings() -> None:
    assert ailing() == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"phases": healthy()["phases"] | {"data": {"microseconds": 9000.0, "operations": 9}}}, "DataLoader workers"),
        ({"phases": healthy()["phases"] | {"optimizer": {"microseconds": 9000.0, "operations": 9}}}, "fused=True"),
        ({"phases": healthy()["phases"] | {"backward": {"microseconds": 15000.0, "operations": 9}}}, "backward"),
        ({"table": [row("aten::add", 1000, 2000.0), row("aten::relu", 2, 1000.0)]}, "larger batch"),
        ({"table": [row("aten::mm", 1, 5000.0), row("aten::relu", 100, 2000.0)]}, "bfloat16"),
        ({"table": [row("aten::copy_", 50, 2000.0), row("aten::relu", 100, 2000.0)]}, "Copy less"),
        ({"under": 2.0}, "shares"),
    ],
)  # fmt: skip
def test_each_ailment_is_named(changes: dict[str, Any], word: str) -> None:
    assert any(word in title for title in ailing(**changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"operators": [{"name": "aten::erfinv", "microseconds": 6000.0, "calls": 1}], "lines": [place("aten::erfinv", 1, 12)]},
         ("`erfinv`", "60%", "line 12 of forward in layer 0 (Mine)")),
        ({"operators": [{"name": "aten::index_put_", "microseconds": 6000.0, "calls": 1}]}, ("`index_put_`", "backward")),
        ({"lines": [place("aten::_local_scalar_dense", 20, 9), place("aten::mm", 20, 3)]}, ("Keep numbers in tensors", "line 9", "20 times")),
        ({"lines": [place("aten::add", 300, 5), place("aten::mm", 20, 3)]}, ("Python loop", "line 5")),
        ({"idle": {"forward": 9000.0}, "lines": [place("aten::mm", 1, 4, 0.5), place("aten::add", 1, 5)]}, ("Python's own work", "line 4")),
        ({"phases": healthy()["phases"] | {"data": {"microseconds": 9000.0, "operations": 9}}}, ("DataLoader",)),
    ],
)  # fmt: skip
def test_the_very_line_or_operator_comes_before_general_advice(
    changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    # a crowd of small operations, idle cores and copies would each give general advice
    general = [row("aten::copy_", 1000, 2000.0), row("aten::gelu", 10, 9000.0)]
    first = doctor.findings(Spec(threads=1), healthy() | {"table": general} | changes)[0]
    assert all(word in first["title"] for word in words), first


def test_what_backward_and_the_optimizer_call_is_no_loop_of_the_model() -> None:
    lines = [
        place("aten::add_", 500, 5, harness=True),
        place("aten::_local_scalar_dense", 500, 6, harness=True),
    ]
    assert ailing(lines=lines) == []


class Sort(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        noise = torch.rand(2**20)
        return x + noise.sort()[0][0]


class Items(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = 0.0
        for i in range(40):
            total += x[0, i % 16].item()
        return x * total


class Loop(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(300):
            x = x + 0.001
        return x


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Sort, ("Look at `sort` first", "`return x + noise.sort()[0][0]`", "0 (Sort)")),
        (Items, ("Keep numbers in tensors", "`total += x[0, i % 16].item()`", "40 times")),
        (Loop, ("Replace the Python loop", "`x = x + 0.001`", "0 (Loop)")),
    ],
)
def test_a_planted_cause_is_named_with_its_line(
    layer: type[torch.nn.Module], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mlp(width: int, depth: int) -> torch.nn.Module:
        return torch.nn.Sequential(layer(), torch.nn.Linear(width, 10))

    planted = dataclasses.replace(subject.SUBJECTS["mlp"], functions=lambda: (mlp,))
    monkeypatch.setitem(subject.SUBJECTS, "mlp", planted)
    *_, last = profile.train(SPEC.replace(steps=1))
    first = wire.loads(last.blobs["result"])["findings"][0]
    assert all(word in first["title"] for word in words), first


def test_operators_share_the_time_of_all_events() -> None:
    found = told()
    names = {one["name"] for one in found["operators"]}
    assert {"aten::addmm", "aten::relu"} <= names
    whole = sum(r["self"] for r in found["table"] if r["name"].startswith("aten::"))
    assert sum(one["microseconds"] for one in found["operators"]) == pytest.approx(whole, rel=0.05)
    # two hidden layers and the last one
    forward = [p for p in found["lines"] if p["operation"] == "aten::addmm"]
    assert sum(p["calls"] for p in forward) == 3


def test_no_finding_leads_to_where_the_learner_is_already() -> None:
    slow = healthy()["phases"] | {"backward": {"microseconds": 15000.0, "operations": 9}}
    found = doctor.findings(Spec(), healthy() | {"phases": slow, "under": 2.0})
    assert {f["try_part"] for f in found} == {"", "benchmark"}


def test_idle_cores_are_named_only_where_operations_are_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 8)
    large = healthy() | {"table": [row("aten::gelu", 10, 9000.0)]}
    titles = [f["title"] for f in doctor.findings(Spec(threads=1), large)]
    assert any("8 instead of 1" in t for t in titles)
    assert not any("threads" in f["title"] for f in doctor.findings(Spec(threads=8), large))
    assert not any("threads" in f["title"] for f in doctor.findings(Spec(threads=1), healthy()))


def test_at_most_three_are_named_the_largest_first() -> None:
    sick = healthy() | {
        "table": [row("aten::copy_", 5000, 9000.0), row("aten::mm", 1, 20_000.0)],
        "phases": {n: {"microseconds": 1000.0, "operations": 9} for n in profile.PHASES},
        "under": 9.0,
    }
    found = doctor.findings(Spec(threads=min(64, machine.cores())), sick)
    assert len(found) == 3
    assert [f["gain"] for f in found] == sorted((f["gain"] for f in found), reverse=True)


if NODE:  # tests/browser/test_speed.py holds the same laws on machines without Node

    def test_the_timeline_draws_what_can_be_seen(tmp_path: Path) -> None:
        shutil.copytree(ROOT / "components" / "views" / "timeline", tmp_path / "timeline")
        shutil.copy(ROOT / "tests" / "js" / "timeline_laws.js", tmp_path)
        (tmp_path / "package.json").write_text('{"type": "module"}')
        (tmp_path / "main.js").write_text(
            'import { broken } from "./timeline_laws.js";\n'
            "const found = await broken((path) => import(`./${path}`));\n"
            'console.log([...new Set(found)].slice(0, 20).join("\\n"));\n'
            "process.exit(found.length ? 1 : 0);\n"
        )
        done = subprocess.run(
            [NODE or "node", "main.js"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


class _Event:
    """As much of a profiler's event as the sums read."""

    def __init__(
        self, name: str, start: float, end: float, kind: Any = DeviceType.CPU, **more: Any
    ) -> None:
        self.name, self.device_type = name, kind
        self.time_range = SimpleNamespace(start=start, end=end)
        self.id, self.cpu_parent, self.sequence_nr = id(self), more.get("parent"), -1
        self.self_cpu_time_total = self.cpu_time_total = end - start
        self.self_device_time_total = self.device_time_total = more.get("device", 0.0)


def test_on_a_gpu_the_longer_of_issuing_and_computing_counts() -> None:
    layer = _Event("module: 0 (Linear)", 0, 10)
    events = [
        _Event("phase: forward", 0, 20),
        _Event(
            "phase: forward", 5, 95, DeviceType.CUDA
        ),  # the same range, as the GPU went through it
        _Event("phase: loss", 20, 50),
        _Event("phase: loss", 95, 100, DeviceType.CUDA),
        layer,
        _Event("aten::addmm", 1, 9, parent=layer, device=80.0),
        _Event("sgemm", 10, 90, DeviceType.CUDA),
    ]
    phases = profile.by_phase(events)
    assert phases["forward"] == {"microseconds": 90, "operations": 1}
    assert phases["loss"]["microseconds"] == 30
    assert profile.by_module(events)["0 (Linear)"]["forward"] == pytest.approx(80 + 10)


@pytest.mark.accelerator
def test_kernels_of_an_accelerator_have_their_own_line_and_time() -> None:
    device = next((d for d in ("cuda", "xpu") if machine.has(d)), None)
    if device:  # mps tells its kernels to nobody
        snapshot = speed_cases.last(SPEC.replace(device=device))
        assert snapshot.frame is not None
        lanes = snapshot.frame["lanes"]
        assert any("stream" in lane for lane in lanes)
        kernels = snapshot.frame["kind"] == profile.KINDS.index("kernel on the device")
        assert {lanes[n].split()[0] for n in snapshot.frame["lane"][kernels]} == {"stream"}
        found = speed_cases.told(SPEC.replace(device=device))
        assert sum(row["device"] for row in found["table"]) > 0
        assert all(m["forward"] > 0 for m in found["modules"].values())
