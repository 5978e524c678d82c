"""A recorded epoch: every batch is told of once, its times are in order, and the verdict follows from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models import datasets
from models.core.spec import SpecError
from models.datasets import loading, throughput
from models.datasets.loading import FORMATS, Batch, Spec, summary


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))


def rows(spec: Spec) -> list[Any]:
    return [row for snapshot in loading.train(spec) for row in snapshot.rows]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("form", FORMATS)
def test_the_recording_is_the_samplers_order_whatever_the_format(form: str, workers: int) -> None:
    spec = Spec(
        format=form, num_workers=workers, shown=9, batch_size=20, side=32, model="none", transforms="ToFloat"
    )  # fmt: skip
    found = rows(spec)
    made = datasets.parts(loading.datasets_part(spec))
    places: Any = list(range(len(made.train)))
    plain = loading.datasets_part(spec).replace(num_workers=0)
    expected = [tuple(b[:12]) for b in datasets.loader(plain, made, places, list)]
    assert [r["number"] for r in found] == list(range(9))
    assert [r["epoch"] for r in found] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [r["size"] for r in found[:3]] == [20, 20, 16]
    assert {r["worker"] for r in found} == ({-1} if workers == 0 else {0, 1})
    assert [r["indices"] for r in found[:3]] == expected
    for r in found:
        assert r["fetch"] <= r["fetched"] <= r["collated"] <= r["arrived"] <= r["done"]
        assert r["asked"] <= r["arrived"]


def batch(number: int, epoch: int, asked: float, arrived: float, done: float) -> Batch:
    return Batch(number, epoch, 0, 8, 0.0, 0.0, 0.0, asked, arrived, done, (), False)


def test_the_verdict_leaves_out_what_starting_workers_costs() -> None:
    model_bound = [
        batch(0, 0, 0.0, 5.0, 6.0),
        batch(1, 0, 6.0, 6.1, 7.1),
        batch(2, 1, 7.1, 9.1, 10.1),
        batch(3, 1, 10.1, 10.2, 11.2),
    ]
    found = summary(Spec(num_workers=2), model_bound)
    assert (found["bottleneck"], found["fixes"]) == ("model", [])
    assert found["first_wait"] == 5.0
    assert found["epoch_waits"] == pytest.approx([2.0])
    assert found["share"] == pytest.approx(0.2 / 2.2)
    waiting = [batch(i, 0, 2 * i, 2 * i + 1, 2 * i + 2) for i in range(4)]
    found = summary(Spec(), waiting)
    assert found["bottleneck"] == "loader"
    assert found["fixes"][0].startswith("num_workers")
    assert found["per_second"] == pytest.approx(4.0)


def test_a_fix_that_is_in_place_is_not_proposed() -> None:
    waiting = [batch(i, 0, 2 * i, 2 * i + 1, 2 * i + 2) for i in range(4)]
    spec = Spec(
        num_workers=4, persistent_workers=True, format="memory", side=32, transforms="ToFloat"
    )
    assert summary(spec, waiting)["fixes"] == []


def measure(median: float, spread: float, value: int, knob: str = "num_workers") -> dict[str, Any]:
    return {"knob": knob, "value": value, "median": median, "low": median - spread, "high": median + spread}  # fmt: skip


def test_settings_are_ranked_only_when_the_noise_allows_it() -> None:
    clear = [measure(100, 5, 0), measure(300, 5, 2)]
    assert throughput.verdict(clear, "num_workers") == "2 is the fastest, 3.0 times 0."
    close = [measure(100, 5, 0), measure(104, 5, 2), measure(50, 1, 4)]
    assert "does not part it from 0." in throughput.verdict(close, "num_workers")
    assert throughput.faster(clear[1], clear[0]) is True
    assert throughput.faster(clear[0], clear[1]) is False
    assert throughput.faster(close[0], close[1]) is None


def test_a_measurement_counts_all_pictures_and_is_in_order() -> None:
    found = throughput.measured(throughput.Spec(side=32, transforms="ToFloat"), 3, 64)
    assert 0 < found["low"] <= found["median"] <= found["high"]
    assert found["start"] > 0


def test_only_sizes_that_the_transforms_fit_are_tried() -> None:
    spec = throughput.Spec(transforms="RandomCrop 60\nToFloat")
    sides = [t.value for t in throughput.trials(spec) if t.knob == "side"]
    assert sides == [64, 96, 128]


def test_the_learners_own_layers_train_on_the_batches() -> None:
    spec = Spec(
        model=loading.OWN, layers="conv 4 3 stride=2, relu, flatten, linear", shown=4, side=32,
        transforms="RandomCrop 20\nToFloat",
    )  # fmt: skip
    *_, last = loading.train(spec)
    assert (last.frame or {})["summary"]["learned"] > 0
    made = datasets.parts(loading.datasets_part(spec))
    assert loading.picture_shape(spec, made) == (3, 20, 20)
    model = loading.own_network(spec.layers, (3, 20, 20), 2)
    assert model(torch.zeros(5, 3, 20, 20)).shape == (5, 2)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("conv 4 3, relu", "end with"),
        ("conv 4 30, flatten, linear", "does not fit"),
        ("wonder 3", "names no layer"),
        ("flatten, linear 7", "end with 7"),
    ],
)
def test_own_layers_that_do_not_fit_are_explained(layers: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        loading.own_network(layers, (3, 20, 20), 2)
