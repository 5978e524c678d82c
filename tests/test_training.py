"""The Training topic as a whole: it learns, shows, obeys, goes back, and its export prints the same numbers."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import training
from models.core import export, wire
from models.core.control import Command, Control, Snapshot
from models.core.spec import SpecError
from models.training import Spec, loop
from models.training.run import Run
from tests.topics.steering import Steering

TINY = Spec(
    data="iris", epochs=4, layers="4 tanh", batch_size=20
)  # iris: 90 training rows, 5 batches per epoch


def play(
    spec: Spec, script: Mapping[int, Sequence[Command]] | None = None, pictures: bool = False
) -> list[Snapshot]:
    return list(training.train(spec, control=Steering(script, pictures)))


def rows(snapshots: Iterable[Snapshot]) -> list[dict[str, Any]]:
    """The curves as the harness keeps them: a row that is not beyond the last one rewinds.

    Without the points inside an epoch, which come on a slow machine only.
    """
    kept: list[dict[str, Any]] = []
    for snapshot in snapshots:
        for row in snapshot.rows:
            if row["epoch"] % 1:
                continue
            while kept and kept[-1]["step"] >= row["step"]:
                kept.pop()
            kept.append({k: v for k, v in row.items() if k != "seconds"})
    return kept


def reply(snapshots: Iterable[Snapshot], number: int) -> Any:
    return next(s.replies[number] for s in snapshots if number in s.replies)


def events(snapshots: Iterable[Snapshot], kind: str) -> list[Mapping[str, Any]]:
    return [e for s in snapshots for e in s.events if e["kind"] == kind]


# -- it learns ---------------------------------------------------------------------------------


def test_the_default_learns_real_data():
    last = play(Spec(data="iris"))[-1]
    found = training.numbers(last)
    assert last.final
    assert last.step == 540
    assert found["epoch"] == 60
    assert found["val_metric"] > 0.9
    assert found["train_loss"] < 0.1


@pytest.mark.parametrize(
    ("data", "better_than"), [("spiral", 0.7), ("breast_cancer", 0.93), ("digits", 0.8)]
)
def test_every_kind_of_classification_learns(data, better_than):
    spec = Spec(data=data, layers="16 tanh", epochs=15, lr=0.05, optimizer="Adam", inputs=SEVEN)
    assert training.numbers(play(spec)[-1])["train_metric"] > better_than


def test_a_regression_explains_its_variance():
    spec = Spec(data="diabetes", layers="8 tanh", lr=0.02, epochs=20)
    assert training.numbers(play(spec)[-1])["train_metric"] > 0.4


SEVEN = "x1,x2,x1^2,x2^2,x1x2,sin(x1),sin(x2)"


def test_the_first_step_equals_plain_pytorch():
    spec = TINY.replace(batch_size=90, epochs=1, lr=0.5)
    run = Run(spec)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
    model.load_state_dict(run.model.state_dict())
    torch.nn.functional.cross_entropy(model(run.x), run.y).backward()
    run.batch()
    for own, theirs in zip(run.model.parameters(), model.parameters(), strict=True):
        assert theirs.grad is not None
        torch.testing.assert_close(own, theirs - 0.5 * theirs.grad)


def test_a_row_holds_what_torch_computes():
    snapshots = play(TINY)
    run = Run(TINY)
    for _ in range(20):
        run.batch()
    last = rows(snapshots)[-1]
    with torch.no_grad():
        output = run.model.eval()(run.data.x_val)
    assert last["val_loss"] == torch.nn.functional.cross_entropy(output, run.data.y_val).item()
    assert last["val_metric"] == pytest.approx(
        (output.argmax(1) == run.data.y_val).double().mean().item()
    )
    assert last["epoch"] == 4
    assert last["step"] == 20
    assert last["lr"] == TINY.lr
    assert {"grad_norm", "ratio/0", "ratio/1", "penalty"} <= rows(snapshots)[1].keys() | last.keys()


def test_norms_are_those_of_the_last_batch():
    spec = TINY.replace(batch_size=90, epochs=1, clip=0.001)  # the norm before clipping is shown
    run = Run(spec)
    before = run.linears[0].weight.detach().clone()
    run.batch()
    moved = (run.linears[0].weight - before).norm() / before.norm()
    assert run.row["ratio/0"] == pytest.approx(moved.item(), rel=1e-4)
    assert run.row["grad_norm"] > 0.01  # longer than the clip


def test_measuring_norms_changes_nothing():
    spec = TINY.replace(epochs=6)
    measured, plain = Run(spec), Run(spec)
    measured.every, plain.every = 1, 1000
    for _ in range(30):
        measured.batch()
        plain.batch()
    assert torch.equal(measured.linears[0].weight, plain.linears[0].weight)


def test_penalties_are_apart_from_the_loss():
    run = Run(TINY.replace(l1=0.01, weight_decay=0.1))
    weights = sum(layer.weight.abs().sum().item() for layer in run.linears)
    squares = sum(p.square().sum().item() for p in run.model.parameters())
    assert run.row["penalty"] == pytest.approx(0.01 * weights + 0.05 * squares, rel=1e-5)
    assert run.row["train_loss"] == Run(TINY).row["train_loss"]


def test_the_default_generator_is_left_alone():
    torch.manual_seed(123)
    play(TINY)
    drawn = torch.rand(3)
    torch.manual_seed(123)
    assert torch.equal(drawn, torch.rand(3))


@pytest.mark.parametrize("field", ["val_fraction", "test_fraction"])
def test_a_split_may_be_empty(field):
    last = play(TINY.replace(**{field: 0.0}))[-1]
    found = training.numbers(last)
    assert ("val_loss" in found) == (field != "val_fraction")


def test_one_batch_and_one_row_per_batch_both_train():
    assert play(TINY.replace(batch_size=1000, epochs=1))[-1].step == 1
    assert play(TINY.replace(batch_size=1, epochs=1))[-1].step == 90


# -- it stops ----------------------------------------------------------------------------------


def test_early_stopping_waits_for_its_patience():
    snapshots = play(Spec(data="diabetes", layers="32 relu", epochs=200, lr=0.1, patience=5))
    losses = [row["val_loss"] for row in rows(snapshots)[1:]]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 5
    assert events(snapshots, "stop")[0]["why"] == "patience"


def test_a_target_stops_the_run():
    snapshots = play(Spec(data="iris", stop_at=0.9))
    metrics = [row["val_metric"] for row in rows(snapshots)[1:]]
    assert metrics[-1] >= 0.9
    assert all(value < 0.9 for value in metrics[:-1])
    assert events(snapshots, "stop")[0]["why"] == "target"


def test_numbers_that_overflow_stop_the_run_with_a_finding():
    spec = Spec(data="diabetes", layers="8 relu, 8 relu", lr=100.0, epochs=50)
    snapshots = play(spec)
    assert snapshots[-1].final
    assert snapshots[-1].epoch < 50
    assert events(snapshots, "stop")[0]["why"] == "nan"
    findings = events(snapshots, "doctor")[-1]["findings"]
    assert findings[0]["name"] == "nan"
    assert spec.replace(**findings[0]["fix"]).lr < 100
    wire.dumps(snapshots[-1].frame)


# -- it shows ----------------------------------------------------------------------------------


def test_pictures_come_when_they_are_due_and_change_nothing():
    watched, alone = play(TINY, pictures=True), play(TINY)
    assert len([s for s in watched if s.frame]) == 21
    assert len([s for s in alone if s.frame]) == 2  # the first and the final one
    assert rows(watched) == rows(alone)


def test_the_curves_have_one_row_per_epoch_and_none_twice():
    shown = [row for s in play(TINY, pictures=True) for row in s.rows]
    found = [row["step"] for row in shown if row["epoch"] % 1 == 0]
    assert found == [0, 5, 10, 15, 20]


@pytest.mark.parametrize("at_once", [2, 5, 64])
def test_several_batches_at_once_end_with_the_epoch_and_change_nothing(monkeypatch, at_once):
    alone = play(TINY, pictures=True)
    monkeypatch.setattr(Control, "at_once", at_once)
    together = play(TINY, pictures=True)
    assert rows(together) == rows(alone)
    assert {s.step for s in together} >= {5, 10, 15, 20}
    assert len(together) < len(alone)


def test_the_seconds_of_the_curves_are_those_of_the_control(monkeypatch):
    monkeypatch.setattr(Control, "clock", lambda self: 7.0)
    seconds = {row["seconds"] for s in play(TINY, pictures=True) for row in s.rows}
    assert len(seconds) == 1  # a clock that stands still counts nothing


def test_a_long_epoch_has_points_inside(monkeypatch):
    monkeypatch.setattr(loop, "MIDWAY_SECONDS", 0.0)
    found = play(TINY.replace(epochs=1), pictures=True)
    shown = [row["epoch"] for snapshot in found for row in snapshot.rows]
    assert shown == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert rows(found)[-1] == rows(play(TINY.replace(epochs=1)))[-1]


def test_samples_are_counted():
    assert [s.samples for s in play(TINY.replace(epochs=1), pictures=True)][-2:] == [80, 90]


# -- it obeys ----------------------------------------------------------------------------------


def test_a_live_setting_changes_without_a_reset_and_is_noted():
    snapshots = play(TINY, {7: [Command("set", {"lr": 0.01}, 1)]})
    assert reply(snapshots, 1) == {"changes": "7:lr=0.01"}
    assert [row["lr"] for row in rows(snapshots)] == [0.1, 0.1, 0.01, 0.01, 0.01]
    assert events(snapshots, "change")[0]["step"] == 7


def test_what_was_changed_live_repeats_from_the_spec():
    script = {
        7: [Command("set", {"lr": 0.01, "momentum": 0.5}, 1)],
        12: [Command("weight", {"layer": 0, "out": 1, "in": 2, "value": 3.0}, 2)],
        13: [Command("bias", {"layer": 1, "out": 0, "value": -1.0}, 3)],
        15: [Command("set", {"l1": 0.01, "clip": 0.5, "weight_decay": 0.1}, 4)],
    }
    live = play(TINY, script)
    noted = TINY.replace(changes=reply(live, 4)["changes"])
    assert rows(play(noted)) == rows(live)
    assert rows(play(noted)) != rows(play(TINY))


def test_an_edited_weight_has_its_value_at_once():
    frame = play(
        TINY,
        {3: [Command("weight", {"layer": 0, "out": 1, "in": 2, "value": 7.5}, 1)]},
        pictures=True,
    )[4].frame
    assert frame is not None
    assert frame["step"] == 3
    assert frame["weights"][0][1, 2] == 7.5


@pytest.mark.parametrize(
    "command",
    [
        Command("set", {"lr": -1.0}, 1),
        Command("set", {"lr": math.nan}, 1),
        Command("set", {"lr": "fast"}, 1),
        Command("set", {"batch_size": 5}, 1),
        Command("set", {"momentum": 0.5, "layers": 3}, 1),
        Command("weight", {"layer": 0, "out": 4, "in": 0, "value": 1.0}, 1),
        Command("weight", {"layer": 2, "out": 0, "in": 0, "value": 1.0}, 1),
        Command("weight", {"layer": 0}, 1),
        Command("extend", {"epochs": -10}, 1),
        Command("extend", {"epochs": 10**9}, 1),
        Command("evaluate", {"split": "all"}, 1),
        Command("predict", {"rows": []}, 1),
        Command("predict", {"rows": [{"nothing": 1}]}, 1),
        Command("view", {"x": "nothing", "y": "nothing"}, 1),
        Command("restore", {"data": b"nonsense"}, 1),
        Command("export", {"format": "xlsx"}, 1),
        Command("seek", {"epoch": "soon"}, 1),
    ],
)
def test_a_wrong_command_gets_a_sentence_and_the_run_goes_on(command):
    snapshots = play(TINY, {8: [command]})
    assert set(reply(snapshots, 1)) == {"error", "field"}
    assert rows(snapshots) == rows(play(TINY))
    assert snapshots[-1].step == 20


def test_an_unknown_command_is_answered_with_nothing():
    assert reply(play(TINY, {3: [Command("show", {}, 1)]}), 1) is None


def test_more_epochs_open_a_finished_run_again():
    snapshots = play(TINY, {20: [Command("extend", {"epochs": 2}, 1)]})
    assert [s.final for s in snapshots].count(True) == 2
    assert rows(snapshots) == rows(play(TINY.replace(epochs=6)))
    noted = reply(snapshots, 1)["changes"]
    assert noted == "20:epochs=6"
    assert rows(play(TINY.replace(changes=noted))) == rows(snapshots)


def test_more_epochs_open_a_run_that_stopped_early():
    spec = Spec(data="iris", stop_at=0.9, layers="4 tanh", batch_size=20)
    stopped = play(spec)[-1].step
    snapshots = play(spec, {stopped: [Command("extend", {"epochs": 3}, 1)]})
    assert snapshots[-1].step > stopped


# -- it goes back ------------------------------------------------------------------------------

DROPOUT = TINY.replace(
    layers="6 tanh dropout=0.3 batch_norm",
    optimizer="Adam",
    lr=0.01,
    scheduler="StepLR",
    step_size=2,
)


@pytest.mark.parametrize(
    "spec",
    [
        TINY,
        DROPOUT,
        TINY.replace(optimizer="RMSprop", lr=0.01, scheduler="OneCycleLR"),
        TINY.replace(momentum=0.9, scheduler="ReduceLROnPlateau", lr_patience=0, patience=3),
        TINY.replace(changes="7:lr=0.01;10:clip=0.1;15:weight.0.0.0=2.0"),
    ],
)
@pytest.mark.parametrize(("at", "to"), [(20, 0), (20, 2), (13, 2), (12, 1)])
def test_going_back_and_on_repeats_the_curve_bit_for_bit(spec, at, to):
    snapshots = play(spec, {at: [Command("seek", {"epoch": to}, 1)]})
    straight = play(spec)
    assert reply(snapshots, 1) == {"epoch": to}
    assert rows(snapshots) == rows(straight)
    assert final_weights(snapshots) == final_weights(straight)


def final_weights(snapshots: list[Snapshot]) -> list[Any]:
    assert snapshots[-1].frame is not None
    return [w.tolist() for w in snapshots[-1].frame["weights"]]


def test_going_back_leads_to_the_state_of_that_epoch():
    run, early = Run(DROPOUT), Run(DROPOUT)
    for _ in range(10):
        early.batch()
    expected = early.capture()
    for _ in range(20):
        run.batch()
    assert run.seek(2) == 2
    found = run.capture()
    assert (found.step, found.epoch, found.settings, found.stop) == (
        10,
        2,
        expected.settings,
        expected.stop,
    )
    assert same(found.model, expected.model)
    assert same(found.optimizer, expected.optimizer)
    assert found.order_rng.equal(expected.order_rng)
    assert found.row["train_loss"] == expected.row["train_loss"]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_going_back_further_than_was_reached_stops_at_what_was():
    snapshots = play(TINY, {12: [Command("seek", {"epoch": 99}, 1)]})
    assert reply(snapshots, 1) == {"epoch": 2}


def test_a_peek_shows_a_past_epoch_and_disturbs_nothing():
    snapshots = play(DROPOUT, {13: [Command("peek", {"epoch": 1}, 1)]})
    past = play(DROPOUT.replace(epochs=1, step_size=2, scheduler="none"))[-1].frame
    assert past is not None
    seen = reply(snapshots, 1)
    assert seen["epoch"] == 1
    np.testing.assert_array_equal(seen["plane"]["values"], past["plane"]["values"])
    assert rows(snapshots) == rows(play(DROPOUT))


def test_a_change_after_going_back_starts_a_new_course():
    snapshots = play(
        TINY,
        {
            20: [Command("seek", {"epoch": 2}, 1)],
            21: [Command("set", {"lr": 0.5}, 2)],
        },
    )
    # the 21st grant was the first batch after going back
    assert reply(snapshots, 2) == {"changes": "11:lr=0.5"}
    assert events(snapshots, "branch")
    assert rows(snapshots) == rows(play(TINY.replace(changes="11:lr=0.5")))


def test_a_new_course_forgets_later_changes():
    spec = TINY.replace(changes="7:lr=0.2;16:lr=0.3")
    snapshots = play(spec, {12: [Command("set", {"clip": 1.0}, 1)]})
    assert reply(snapshots, 1) == {"changes": "7:lr=0.2;12:clip=1.0"}


# -- answers -----------------------------------------------------------------------------------


def test_own_rows_are_predicted_in_original_units():
    flowers = [
        {
            "sepal length (cm)": 5.1,
            "sepal width (cm)": 3.5,
            "petal length (cm)": 1.4,
            "petal width (cm)": 0.2,
        },
        {
            "sepal length (cm)": 6.7,
            "sepal width (cm)": 3.0,
            "petal length (cm)": 5.2,
            "petal width (cm)": 2.3,
        },
    ]
    found = reply(play(Spec(data="iris"), {540: [Command("predict", {"rows": flowers}, 1)]}), 1)
    assert found["predictions"] == ["setosa", "virginica"]
    assert sum(found["probabilities"][0]) == pytest.approx(1)


def test_points_of_a_made_set_are_predicted():
    spec = Spec(data="gauss", epochs=5)
    steps = play(spec)[-1].step
    rows_ = {steps: [Command("predict", {"rows": [[2.0, 2.0], [-2.0, -2.0]]}, 1)]}
    assert reply(play(spec, rows_), 1)["predictions"] == ["1", "0"]


def test_a_regression_predicts_in_the_targets_units():
    spec = Spec(data="diabetes", layers="", lr=0.01, epochs=10)
    run = Run(spec)
    row = dict.fromkeys(run.data.features, 0.0)
    found = reply(play(spec, {5: [Command("predict", {"rows": [row]}, 1)]}), 1)
    assert 0 < found["predictions"][0] < 350
    assert found["probabilities"] is None


def test_everything_a_run_says_crosses_the_wire():
    script = {
        3: [
            Command("evaluate", {"split": "test"}, 1),
            Command("checkpoint", {}, 2),
            Command("export", {"format": "csv"}, 3),
        ]
    }
    snapshots = play(TINY, script, pictures=True)
    for snapshot in snapshots:
        json.loads(wire.dumps([snapshot.rows, snapshot.scene, snapshot.frame, snapshot.events]))
        json.loads(wire.dumps(dict(snapshot.replies)))
    blobs = {name for s in snapshots for name in s.blobs}
    assert blobs == {"checkpoint.pt", "model.safetensors", "curves.csv"}


# -- the export --------------------------------------------------------------------------------

EXPORTED = [
    TINY,
    Spec(data="spiral", inputs="x1,x2,sin(x1)", points=60, epochs=5),
    Spec(data="breast_cancer", class_weights=True, epochs=2),
    Spec(data="breast_cancer", loss="cross_entropy", label_smoothing=0.1, batch_size=64, epochs=2),
    Spec(data="diabetes", loss="huber", layers="8 gelu, 4 silu", normalise_target=True, epochs=2),
    Spec(data="diabetes", loss="l1", layers="", val_fraction=0.0, epochs=2),
    TINY.replace(loss="nll", class_weights=True, l1=0.001, clip=0.5, weight_decay=0.01),
    TINY.replace(
        layers="6 relu dropout=0.3 batch_norm, 5", activation="Sigmoid", init="kaiming_normal"
    ),
    TINY.replace(momentum=0.9, nesterov=True, scheduler="StepLR", step_size=2, gamma=0.3),
    TINY.replace(optimizer="Adam", lr=0.01, scheduler="CosineAnnealingLR", eta_min=0.001),
    TINY.replace(
        optimizer="AdamW", lr=0.01, scheduler="OneCycleLR", pct_start=0.5, init="orthogonal"
    ),
    TINY.replace(optimizer="RMSprop", lr=0.01, scheduler="ReduceLROnPlateau", lr_patience=0),
    TINY.replace(optimizer="Adagrad", init="zeros", stop_at=0.5),
    TINY.replace(lr=3.0, patience=2, epochs=50),
    TINY.replace(
        changes="0:lr=0.05;7:momentum=0.5;10:weight.0.3.1=0.7;12:bias.1.0=-1.0;13:l1=0.01"
    ),
    TINY.replace(optimizer="RMSprop", lr=0.01, changes="6:momentum=0.5;9:clip=0.1;20:epochs=6"),
    TINY.replace(scheduler="OneCycleLR", changes="7:lr=0.5;20:epochs=6"),
    Spec(
        data="iris",
        stop_at=0.5,
        layers="4 tanh",
        batch_size=20,
        patience=4,
        changes="5:epochs=2;10:epochs=8",
    ),
    Spec(data="diabetes", layers="8 relu, 8 relu", lr=100.0, epochs=20),
]


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> list[dict[str, float]]:
    """What every exported script prints, all in one fresh interpreter, each in a namespace of its own."""
    folder = tmp_path_factory.mktemp("exported")
    for i, spec in enumerate(EXPORTED):
        (folder / f"case{i:02}.py").write_text(training.to_code(spec), encoding="utf-8")
    runner = (
        "import pathlib\nfor path in sorted(pathlib.Path('.').glob('case*.py')):\n"
        "    print('----', flush=True)\n    exec(compile(path.read_text('utf-8'), path, 'exec'), {'__name__': 'x'})"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", runner],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [export.numbers(text) for text in done.stdout.split("----\n")[1:]]


@pytest.mark.parametrize("case", range(len(EXPORTED)))
def test_the_export_prints_the_numbers_on_screen(case, printed):
    own = training.numbers(play(EXPORTED[case])[-1])
    theirs = printed[case]
    assert own.keys() == theirs.keys()
    for name, value in own.items():
        torch.testing.assert_close(theirs[name], value, equal_nan=True, msg=name)


def test_the_default_exports_alone_in_a_fresh_interpreter(tmp_path: Path):
    assert export.numbers(
        export.run(training.to_code(Spec(data="iris")), tmp_path)
    ) == training.numbers(play(Spec(data="iris"))[-1])


@pytest.mark.parametrize("name", training.VARIATIONS)
def test_every_variation_runs_and_changes_the_export(name):
    spec = training.VARIATIONS[name]
    field = next(f for f in dataclasses.fields(Spec) if f.name == name)
    assert getattr(spec, name) != field.default
    assert training.to_code(spec) != training.to_code(spec.replace(**{name: field.default}))


def test_a_wrong_pairing_is_explained_before_anything_runs():
    with pytest.raises(SpecError, match="mse compares numbers"):
        next(iter(training.train(Spec(data="iris", loss="mse"))))
    with pytest.raises(SpecError, match="cross_entropy compares classes"):
        Spec(data="iris", task="regression", loss="cross_entropy")
    with pytest.raises(SpecError, match="has 3"):
        training.to_code(Spec(data="iris", loss="bce_with_logits"))
    training.to_code(Spec(data="breast_cancer", loss="bce_with_logits"))
