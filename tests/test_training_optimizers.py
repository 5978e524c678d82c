"""Every optimizer and scheduler is the one PyTorch has, with the learner's settings; contradictions are explained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.core.spec import SpecError
from models.training import Spec, optimizers


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_the_fused_step_is_the_plain_one(name):
    spec = Spec(data="iris", optimizer=name, lr=0.1, weight_decay=0.01)
    ours, plain = nn.Linear(3, 2), nn.Linear(3, 2)
    plain.load_state_dict(ours.state_dict())
    kind = getattr(torch.optim, name)
    theirs = kind(plain.parameters(), lr=0.1, weight_decay=0.01, foreach=False)
    own = optimizers.optimizer(spec).build(ours.parameters())
    for _ in range(3):
        for model, rule in ((ours, own), (plain, theirs)):
            rule.zero_grad()
            model(torch.ones(4, 3)).square().mean().backward()
            rule.step()
    torch.testing.assert_close(ours.weight, plain.weight)


def test_settings_reach_the_optimizer():
    spec = Spec(data="iris", lr=0.3, momentum=0.8, nesterov=True, weight_decay=0.02)
    group = optimizers.optimizer(spec).build(nn.Linear(1, 1).parameters()).param_groups[0]
    assert (group["lr"], group["momentum"], group["nesterov"], group["weight_decay"]) == (
        0.3,
        0.8,
        True,
        0.02,
    )
    adamw = optimizers.optimizer(Spec(data="iris", optimizer="AdamW")).build(
        nn.Linear(1, 1).parameters()
    )
    assert adamw.param_groups[0]["weight_decay"] == 0


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({"scheduler": "StepLR", "step_size": 1, "gamma": 0.5}, [1, 0.5, 0.25, 0.125]),
        ({"scheduler": "CosineAnnealingLR"}, [1, 0.8535534, 0.5, 0.1464466]),
        ({"scheduler": "CosineAnnealingLR", "t_max": 2}, [1, 0.5, 0, 0.5]),
        ({"scheduler": "CosineAnnealingLR", "eta_min": 0.5}, [1, 0.9267767, 0.75, 0.5732233]),
    ],
)
def test_epoch_schedules_have_their_closed_form(settings, rates):
    spec = Spec(lr=1.0, epochs=4, **settings)
    rule = optimizers.optimizer(spec).build(nn.Linear(1, 1).parameters())
    scheduler = optimizers.scheduler(spec, 5)
    assert scheduler is not None
    scheduler = scheduler.build(rule)
    found = []
    for _ in range(4):
        found.append(rule.param_groups[0]["lr"])
        rule.step()
        scheduler.step()
    assert found == pytest.approx(rates, abs=1e-6)


def test_one_cycle_peaks_at_the_learning_rate():
    spec = Spec(data="iris", lr=0.5, epochs=10, scheduler="OneCycleLR", pct_start=0.4)
    rule = optimizers.optimizer(spec).build(nn.Linear(1, 1).parameters())
    call = optimizers.scheduler(spec, 10)
    assert call is not None
    scheduler = call.build(rule)
    rates = []
    for _ in range(100):
        rates.append(rule.param_groups[0]["lr"])
        rule.step()
        scheduler.step()
    assert max(rates) == pytest.approx(0.5)
    assert 37 <= rates.index(max(rates)) <= 41


@pytest.mark.parametrize(
    ("wrong", "right", "field"),
    [
        (
            {"optimizer": "Adam", "momentum": 0.9},
            {"optimizer": "RMSprop", "momentum": 0.9},
            "momentum",
        ),
        ({"nesterov": True}, {"nesterov": True, "momentum": 0.1}, "nesterov"),
        (
            {"optimizer": "RMSprop", "momentum": 0.9, "nesterov": True},
            {"optimizer": "SGD", "momentum": 0.9, "nesterov": True},
            "nesterov",
        ),
        (
            {"scheduler": "StepLR", "step_size": 60},
            {"scheduler": "StepLR", "step_size": 59},
            "step_size",
        ),
        (
            {"scheduler": "CosineAnnealingLR", "eta_min": 0.1},
            {"scheduler": "CosineAnnealingLR", "eta_min": 0.09},
            "eta_min",
        ),
    ],
)
def test_settings_that_would_do_nothing_are_explained(wrong, right, field):
    with pytest.raises(SpecError) as caught:
        Spec(**wrong)
    assert caught.value.field == field
    Spec(**right)
