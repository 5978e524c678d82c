"""What changed while a run lived survives as text, and says what it cannot be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.core.spec import SpecError
from models.training import Spec, changes, loop, optimizers
from models.training.changes import Change

NAMES = st.sampled_from(
    ["lr", "momentum", "weight_decay", "l1", "clip", "weight.0.1.2", "bias.3.0"]
)


@given(st.lists(st.tuples(st.integers(0, 10**8), NAMES, st.floats(0.001, 0.9)), max_size=5))
def test_text_and_changes_are_inverse(parts):
    made = tuple(sorted((Change(*part) for part in parts), key=lambda change: change.step))
    assert changes.parse(changes.text(made)) == made


def test_empty_parts_and_spaces_are_nothing():
    assert changes.parse(" ; 3:lr=0.1 ;") == (Change(3, "lr", 0.1),)


@pytest.mark.parametrize(
    "text",
    [
        "lr=0.1",
        "3:lr",
        "3:lr=",
        "3:lr=fast",
        "3:lr=nan",
        "3:lr=0",
        "3:momentum=1.0",
        "3:layers=3",
        "3:weight.0.1=3",
        "3:bias.0.1.2=3",
        "3:epochs=2.5",
        "3:epochs=10001",
        "-3:lr=0.1",
        "5:lr=0.1;3:lr=0.2",
        "3:weight.0.0.0=inf",
    ],
)
def test_what_is_no_change_is_refused(text):
    with pytest.raises(SpecError):
        Spec(data="iris", changes=text)


@pytest.mark.parametrize(
    "text", ["3:momentum=0.999", "3:epochs=10000", "3:lr=1e-06", "3:bias.0.1=-3"]
)
def test_the_edges_are_taken(text):
    assert changes.text(changes.parse(Spec(data="iris", changes=text).changes))


def test_a_weight_that_the_network_lacks_is_refused_before_it_starts():
    loop.Run(Spec(data="iris", changes="5:weight.0.7.3=1"))
    with pytest.raises(SpecError, match=r"There is no weight\.0\.8\.3"):
        loop.Run(Spec(data="iris", changes="5:weight.0.8.3=1"))
    with pytest.raises(SpecError, match="running averages"):
        loop.Run(Spec(data="iris", optimizer="Adam", changes="5:momentum=0.5"))


def test_one_cycle_is_scaled_as_a_whole():
    spec = Spec(data="iris", lr=0.5, epochs=10, scheduler="OneCycleLR")
    model = torch.nn.Sequential(torch.nn.Linear(1, 1))
    rates = []
    for lr, change in ((0.5, 0.25), (0.25, None)):
        made = spec.replace(lr=lr)
        rule = optimizers.optimizer(made).build(model.parameters())
        call = optimizers.scheduler(made, 1)
        assert call is not None
        scheduler = call.build(rule)
        if change:
            changes.apply_change(model, rule, {}, "lr", change)
        found = []
        for _ in range(9):
            rule.step()
            scheduler.step()
            found.append(rule.param_groups[0]["lr"])
        rates.append(found)
    assert rates[0] == pytest.approx(rates[1])
