"""The table of layers says what the network of a run really holds."""

from __future__ import annotations

import pytest
import torch

from models.training import Spec, summary
from models.training.run import Run


@pytest.mark.parametrize(
    "spec",
    [
        Spec(data="iris"),
        Spec(layers="", data="diabetes"),
        Spec(layers="8 relu dropout=0.2 batch_norm, 4 gelu", data="wine", batch_size=16),
        Spec(layers="3", data="iris", loss="nll", batch_size=1),
    ],
)
def test_shapes_and_parameters_are_those_of_the_run(spec):
    run = Run(spec)
    layers = summary.layers(spec, run.x.shape[1], run.chosen.outputs)
    assert sum(one.parameters for one in layers) == sum(p.numel() for p in run.model.parameters())
    assert layers[-1].shape == (spec.batch_size, run.chosen.outputs)
    assert [one.code for one in layers] == [call.code() for call in run.calls]


def test_the_code_builds_that_network():
    space: dict = {"torch": torch, "nn": torch.nn}
    exec(summary.code(Spec(data="iris", layers="5 silu", init="zeros"), 4, 3), space)
    assert str(space["model"]) == str(Run(Spec(data="iris", layers="5 silu", init="zeros")).model)
    assert all(not p.any() for p in space["model"].parameters())
