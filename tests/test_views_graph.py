"""The graph view's layout and folding, in Node where there is one; tests/browser/test_autograd.py runs the same laws in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import autograd
from models.autograd.picture import picture
from models.core import wire
from tests.node import NODE, broken

if NODE:  # the browser test holds the same laws on machines without Node

    def test_layout_and_folding_hold_their_laws(tmp_path: Path) -> None:
        assert broken("graph_laws", "graph", tmp_path) == ""


def test_every_preset_becomes_plain_data_without_a_nan_in_the_text() -> None:
    for name, preset in autograd.PRESETS.items():
        result = autograd.run(autograd.Spec(preset=name))
        data = picture(result.graph, result.backward, preset.program.split("\n"))
        assert len(data["nodes"]) == len(result.graph.vertices)
        assert len(data["steps"]) == len(result.backward.steps)
        text = wire.dumps(data).decode()
        assert "NaN" not in text
        assert "Infinity" not in text
        assert len(text) < 600_000


def test_a_large_tensor_is_summed_up_and_a_small_one_is_whole() -> None:
    import torch

    from models.autograd import picture as pictures

    small = pictures.tensor(torch.ones(8, 8))
    assert small.shape == (8, 8)
    large = pictures.tensor(torch.arange(65.0).reshape(5, 13))
    assert large["shape"] == [5, 13]
    assert large["range"] == [0.0, 64.0]
    assert large["corner"].shape == (5, 6)
    assert large["rms"] == pytest.approx(torch.arange(65.0).square().mean().sqrt().item())
    assert pictures.tensor(torch.full((100,), float("nan")))["rms"] == "nan"
    assert pictures.tensor(torch.ones(2, dtype=torch.complex64)).dtype == torch.float32
    assert pictures.tensor(None) is None
