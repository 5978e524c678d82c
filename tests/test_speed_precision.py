"""Mixed precision: the dtype table against running each operation, what gets lost, and a scaler that really scales."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from components.figures import speed as figures
from components.speed.precision import headline
from models.core import wire
from models.speed import machine, precision, verdict
from tests.speed_cases import PRECISION, QUICK, reproduced, told

X, W, IMAGE = torch.randn(4, 8), torch.randn(8, 8), torch.randn(2, 3, 8, 8)
KERNEL = torch.randn(4, 3, 3, 3)

# what a learner calls → (the operation that computes, the call)
CALLS: dict[str, tuple[str, Callable[[], torch.Tensor]]] = {
    "linear": ("addmm", lambda: F.linear(X, W, W[0])),
    "matmul": ("mm", lambda: X @ W),
    "bmm": ("bmm", lambda: torch.bmm(X[None], W[None])),
    "conv2d": ("convolution", lambda: F.conv2d(IMAGE, KERNEL)),
    "relu": ("relu", lambda: F.relu(X)),
    "softmax": ("_softmax", lambda: F.softmax(X, dim=-1)),
    "layer_norm": ("native_layer_norm", lambda: F.layer_norm(X, (8,))),
    "mse_loss": ("mse_loss", lambda: F.mse_loss(X, X)),
    "exp": ("exp", lambda: X.exp()),
    "add": ("add", lambda: X + X),
    "max_pool2d": ("max_pool2d_with_indices", lambda: F.max_pool2d(IMAGE, 2)),
}


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", CALLS)
def test_the_table_names_the_dtype_that_the_operation_gives(name: str, dtype: torch.dtype) -> None:
    operation, call = CALLS[name]
    with torch.autocast("cpu", dtype):
        alone = call().dtype
        with precision.DtypeTable() as table:
            call()
    told = {kind for (seen, kind) in table.seen if seen == operation}
    assert told == {str(alone).removeprefix("torch.")}, table.seen


def test_operations_that_take_their_tensors_in_a_list_are_in_the_table() -> None:
    half, whole = torch.ones(2, 2, dtype=torch.bfloat16), torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16), precision.DtypeTable() as table:
        torch.cat([whole, whole])
        torch.stack([half, half])
        torch.cat(tensors=(half, half))
        torch.ops.aten._foreach_add([whole, whole], 1.0)
        torch.ops.aten._foreach_mul([half], [half])
        torch.index_put(whole, [torch.tensor([0])], half[:1].float())
    told = {
        (name, kind): calls
        for (name, kind), calls in table.seen.items()
        if not name.startswith("_to")
    }
    assert told == {
        ("cat", "float32"): 1, ("stack", "bfloat16"): 1, ("cat", "bfloat16"): 1, ("_foreach_add", "float32"): 1,
        ("_foreach_mul", "bfloat16"): 1, ("index_put", "float32"): 1,
    }  # fmt: skip


def test_without_autocast_everything_is_float32_and_views_are_left_out() -> None:
    with precision.DtypeTable() as table:
        _ = (X @ W).T.reshape(-1)
    assert {kind for _, kind in table.seen} == {"float32"}
    assert not any(name in ("t", "transpose", "view") for name, _ in table.seen)


def test_half_precision_loses_what_its_bits_say() -> None:
    cases = precision.losses_of_precision()
    assert cases["4096 ones added one by one in bfloat16"] == 256  # 8 bits: 256 + 1 rounds to 256
    assert cases["4096 ones summed by torch.sum in bfloat16"] == 4096
    assert cases["1e-8 in float16"] == 0
    assert cases["1e-8 in bfloat16"] == pytest.approx(1e-8, rel=2**-8)
    assert cases["70000 in float16"] == float("inf")
    assert cases["70000 in bfloat16"] == pytest.approx(70000, rel=2**-8)
    assert cases["1.001 in bfloat16"] == 1
    assert cases["2049 in float16"] == 2048


def test_the_scaler_halves_at_infinity_and_doubles_after_three_good_steps() -> None:
    rows = precision.scaler_theatre(steps=20)
    good = 0
    for number, (before, largest, skipped, after, _) in enumerate(rows):
        assert skipped == (largest == float("inf"))
        good = 0 if skipped else good + 1
        factor = 0.5 if skipped else 2.0 if good and good % 3 == 0 else 1.0
        assert after == before * factor, f"step {number}"
    assert any(row[2] for row in rows[6:])  # it grows until it is too large again
    assert {row[2] for row in rows} == {True, False}


def test_every_precision_is_trained_from_the_same_weights_and_judged() -> None:
    found = told(PRECISION)
    rows = found["rows"]
    assert rows["float32"]["gradient error"] == 0
    assert 0 < rows["bfloat16 autocast"]["gradient error"] < 0.2
    assert rows["bfloat16 autocast"]["verdict"]["kind"] in ("faster", "slower", "same")
    for row in rows.values():
        assert row["memory"] > 0
        assert len(row.get("losses", [0] * 5)) == 5
    mixed = {r["operation"]: r["dtype"] for r in found["dtypes"]["bfloat16 autocast"]}
    assert mixed["addmm"] == "bfloat16"
    assert mixed["_log_softmax"] == "float32"
    drawn: Any = figures.scaler(found["scaler"]).data
    assert len(drawn[1].x) + len(drawn[2].x) == len(found["scaler"])
    assert len(figures.losses({"a": [1.0], "b": [2.0]}).to_dict()["data"]) == 2
    reproduced(PRECISION)


def test_a_slow_first_call_is_no_reason_not_to_train(monkeypatch: pytest.MonkeyPatch) -> None:
    real = precision.gradients

    def loading(step: Any, model: Any) -> torch.Tensor:  # as kernels are on a GPU
        end = time.perf_counter() + 0.1
        while time.perf_counter() < end:
            pass
        return real(step, model)

    monkeypatch.setattr(precision, "SLOWEST", 0.1)
    monkeypatch.setattr(precision, "gradients", loading)
    *_, found = precision.train(PRECISION)
    rows = wire.loads(found.blobs["result"])["rows"]
    assert all(row["first"] > 0.1 and len(row["losses"]) == 5 for row in rows.values())


@pytest.mark.parametrize(("seconds", "runs"), [(0.1, None), (1.0, verdict.FEWEST), (60.0, 1)])
def test_a_slow_precision_is_repeated_as_often_as_a_verdict_takes(
    seconds: float, runs: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing() -> None:
        pass

    times = precision.repeated({"slow": (nothing, 1)}, {"slow": seconds}, QUICK)["slow"]
    assert len(times) == runs if runs else len(times) > verdict.FEWEST
    fast, once = verdict.sample([0.01] * 9), verdict.sample([seconds] * len(times))
    found = precision.ruling(fast, once, "float16 autocast")
    if runs == 1:
        assert "60 s in float16 autocast and 10 ms in float32" in found.text
        assert "Measure longer" not in found.text
    else:
        assert found.kind == "slower"


def test_what_is_slower_is_said_first_and_nothing_else_is_denied() -> None:
    base = verdict.sample([1.0] * 9)
    slow = vars(verdict.compare(base, verdict.sample([9.0] * 9), "float32", "float16"))
    fast = vars(verdict.compare(base, verdict.sample([0.5] * 9), "float32", "bfloat16"))
    both = headline([fast, slow])
    assert both.startswith("Not every smaller number is faster here. float16 is 9× slower")
    assert both.endswith("bfloat16 is 2× faster than float32 (2 to 2).")
    assert headline([slow]).startswith("Smaller numbers are **not** faster here.")
    assert headline([fast]) == fast["text"]


@pytest.mark.parametrize("allowed", [True, False])
def test_tf32_is_switched_for_its_own_call_whatever_another_one_left(allowed: bool) -> None:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    def seen() -> tuple[object, object]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    try:
        mine, other = (precision.with_tf32(seen, one) for one in (allowed, not allowed))
        assert [mine(), other(), mine()] == [(allowed,) * 2, (not allowed,) * 2, (allowed,) * 2]
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def test_tf32_is_a_candidate_on_cuda_only_and_in_its_script() -> None:
    cuda = PRECISION.replace(device="cuda")
    assert list(precision.variants(cuda)) == ["float32", "TF32", "bfloat16 autocast", "float16 autocast"]  # fmt: skip
    assert "TF32" not in precision.variants(PRECISION)
    assert 'with_tf32(step, name == "TF32")' in precision.to_code(cuda)
    assert "tf32" not in precision.to_code(PRECISION).lower()
    assert len(precision.together(cuda)) == 4


@pytest.mark.accelerator
def test_tf32_rounds_more_than_float32_and_less_than_bfloat16() -> None:
    if machine.has("cuda") and torch.cuda.get_device_capability() >= (8, 0):
        found = told(PRECISION.replace(device="cuda", width=512, batch_size=512))
        errors = {name: row["gradient error"] for name, row in found["rows"].items()}
        assert errors["float32"] == 0
        assert 0 < errors["TF32"] < errors["bfloat16 autocast"]
        assert {r["operation"]: r["dtype"] for r in found["dtypes"]["float16 autocast"]}["addmm"] == "float16"  # fmt: skip


@pytest.mark.accelerator
def test_the_scaler_does_the_same_on_a_gpu() -> None:
    if machine.has("cuda"):
        there, here = precision.scaler_theatre("cuda"), precision.scaler_theatre("cpu")
        assert [row[2:4] for row in there] == [row[2:4] for row in here]
