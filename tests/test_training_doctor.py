"""Each finding is provoked by real training, its fix helps, and a healthy run is left alone."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from models.core.spec import SpecError
from models.training import Spec, doctor, loop
from models.training.doctor import Facts
from tests.test_training import events, play, rows

SEVEN = "x1,x2,x1^2,x2^2,x1x2,sin(x1),sin(x2)"

ILL = {
    "nan": Spec(data="diabetes", layers="8 relu, 8 relu", lr=100.0, epochs=3),
    "divergence": Spec(data="breast_cancer", layers="", lr=0.8, epochs=8, normalise="none"),
    "dead_relu": Spec(data="breast_cancer", layers="16 relu, 16 relu", lr=3.0, epochs=2),
    "saturation": Spec(data="breast_cancer", normalise="none", epochs=3),
    "overfitting": Spec(
        data="diabetes", layers="64 relu, 64 relu", epochs=40, lr=0.1, batch_size=32
    ),
    "plateau": Spec(data="xor", layers="", points=300, epochs=30, lr=0.03),
    "imbalance": Spec(data="gauss", points=200, noise=0.5, epochs=3),
    "lr_small": Spec(data="iris", lr=1e-5, epochs=10),
    "lr_large": Spec(data="diabetes", layers="16 tanh", optimizer="Adam", lr=0.3, epochs=12),
}
ILL["imbalance"] = ILL["imbalance"].replace(edits=";".join(f"-{i}" for i in range(88)))

HEALTHY = {
    "iris": Spec(data="iris"),
    "spiral": Spec(data="spiral", points=300, inputs=SEVEN, epochs=50, lr=0.03),
    "digits": Spec(data="digits", layers="32 relu", epochs=8, batch_size=32),
    "diabetes": Spec(data="diabetes", layers="8 tanh", lr=0.01, epochs=20),
    "breast_cancer": Spec(data="breast_cancer", epochs=15),
    "wine, Adam": Spec(data="wine", optimizer="Adam", lr=0.01, epochs=30),
    "one epoch": Spec(data="iris", epochs=1),
}


def findings(spec: Spec) -> list[dict]:
    found = events(play(spec), "doctor")
    return list(found[-1]["findings"]) if found else []


@pytest.mark.parametrize("name", ILL)
def test_an_ill_run_is_recognised_with_evidence_and_a_valid_fix(name):
    found = {finding["name"]: finding for finding in findings(ILL[name])}
    assert name in found
    assert found[name]["text"].count(". ") <= 2
    assert all(math.isfinite(value) for value in found[name]["evidence"].values())
    assert found[name]["fix"]
    ILL[name].replace(**found[name]["fix"])  # a spec that exists is valid


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_is_left_alone(name):
    assert findings(HEALTHY[name]) == []


@pytest.mark.parametrize("name", ILL)
def test_the_fix_heals(name):
    fix = next(f["fix"] for f in findings(ILL[name]) if f["name"] == name)
    healed = ILL[name].replace(**fix)
    assert name not in {finding["name"] for finding in findings(healed)}


COURSES = {  # (train, validation, metric) by epoch
    "nan": [(1.0, 1.0, 0.0), (math.nan, math.nan, 0.0)],
    "divergence": [(1.0, 1.0, 0.0), (9.0, 9.0, 0.0), (99.0, 99.0, 0.0)],
    "plateau": [(0.7, 0.7, 0.5)] * 40,
    "overfitting": [(1 / (1 + e), 0.5 + abs(e - 5) / 20, 0.9) for e in range(30)],
    "saturation": [(1.0, 1.0, 0.9)],
}


@pytest.mark.parametrize("name", COURSES)
def test_a_fix_always_changes_something_and_is_always_allowed(name):
    curves = [
        {"epoch": e, "step": e, "train_loss": a, "val_loss": b, "train_metric": m, "lr": 0.01}
        for e, (a, b, m) in enumerate(COURSES[name])
    ]
    looks = (doctor.Look("hidden 1", "Tanh", 0.0, 0.9),) if name == "saturation" else ()
    spec = Spec(
        data="iris", lr=0.03, scheduler="CosineAnnealingLR", eta_min=0.02, init="xavier_uniform"
    )
    for _ in range(4):  # an ill that stays for whatever reason
        found = doctor.diagnose(curves, Facts(spec, counts=(9, 9), looks=looks))
        fix = next(finding.fix for finding in found if finding.name == name)
        healed = spec.replace(**fix)
        assert healed != spec
        spec = healed


def test_the_doctor_knows_what_was_changed_while_the_run_lived():
    spec = Spec(
        data="iris",
        lr=0.001,
        momentum=0.5,
        changes="5:lr=10.0;9:epochs=90;9:weight.0.1.1=3.0;9:lr=20.0",
    )
    assert spec.as_it_stands() == spec.replace(lr=20.0)
    never = Spec(data="iris", scheduler="CosineAnnealingLR", eta_min=0.02, changes="5:lr=0.01")
    assert never.as_it_stands() == never
    run = loop.Run(Spec(data="diabetes", layers="8 relu", epochs=3))
    run.change("lr", 5000.0)
    while not run.over:
        run.batch()
    facts = Facts(run.spec.as_it_stands())
    (finding, *_) = doctor.diagnose(run.course_so_far(), facts)
    assert float(finding.fix["lr"]) < 5000


def test_all_weights_zero_is_seen_as_the_plateau_it_is():
    found = findings(Spec(data="iris", init="zeros", epochs=25))
    assert [f["name"] for f in found] == ["plateau"]
    assert found[0]["fix"] == {"init": "default"}


def test_imbalance_is_silent_once_classes_are_weighed():
    spec = ILL["imbalance"].replace(class_weights=True)
    assert "imbalance" not in {f["name"] for f in findings(spec)}


def test_the_doctor_is_a_pure_function_of_curves():
    curves = rows(play(ILL["overfitting"]))
    facts = Facts(ILL["overfitting"])
    assert doctor.diagnose(curves, facts) == doctor.diagnose(curves, facts)
    assert doctor.diagnose([], facts) == ()
    assert doctor.diagnose(curves[:5], facts) == ()


def test_a_long_past_is_told_by_a_part_of_it():
    def row(epoch: int, train: float, val: float) -> dict[str, float]:
        parts = {"train_loss": train, "val_loss": val, "train_metric": 0.95, "lr": 0.1}
        return {"epoch": epoch, "step": epoch, **parts}

    flat = [row(e, 1 / (1 + e), 1 / (1 + e)) for e in range(10_000)]
    assert doctor.diagnose(flat, Facts(Spec(data="iris"))) == ()
    worse = [row(e, 1 / (1 + e), 0.5 + abs(e - 2000) / 10_000) for e in range(10_000)]
    found = doctor.diagnose(worse, Facts(Spec(data="iris")))
    assert [finding.name for finding in found] == ["overfitting"]
    assert found[0].evidence["best_epoch"] == pytest.approx(2000, abs=20)


def test_a_layer_is_dead_or_saturated_only_on_its_own_terms():
    zero = torch.zeros(4, 2)
    half = torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    assert doctor.look("a", "ReLU", zero).dead == 1
    assert doctor.look("a", "ReLU", half).dead == 0.5
    assert doctor.look("a", "LeakyReLU", zero).dead == 0
    assert doctor.look("a", "Tanh", torch.tensor([[0.999, -0.999], [0.5, 0.989]])).saturated == 0.5
    assert doctor.look("a", "Sigmoid", torch.tensor([[0.999, 0.001], [0.5, 0.99]])).saturated == 0.5


def test_inputs_too_large_to_begin_with_are_told_apart():
    bad = {"epoch": 0, "step": 0, "train_loss": math.nan, "val_loss": None, "lr": 0.1}
    finding = doctor.diagnose([bad], Facts(Spec(data="iris", normalise="none")))[0]
    assert finding.name == "nan"
    assert finding.fix["normalise"] == "standard"


def test_findings_are_announced_once():
    found = events(play(ILL["saturation"].replace(epochs=1), pictures=True), "doctor")
    names = [[f["name"] for f in e["findings"]] for e in found]
    assert all(a != b for a, b in itertools.pairwise(names))


def test_a_broken_run_refuses_evaluation_with_a_sentence():
    run = loop.Run(ILL["nan"])
    while not run.over:
        run.batch()
    with pytest.raises(SpecError, match="no numbers any more"):
        loop.evaluation.report(run, "val")
