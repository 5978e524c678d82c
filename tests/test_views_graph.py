"""The graph view's layout and folding, in Node where there is one; tests/browser/test_autograd.py runs the same laws in Chromium."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from models import autograd
from models.autograd.picture import picture
from models.core import wire

ROOT = Path(__file__).resolve().parents[1]
NODE = shutil.which("node")

if NODE:  # the browser test holds the same laws on machines without Node

    def test_layout_and_folding_hold_their_laws(tmp_path: Path) -> None:
        shutil.copytree(ROOT / "components" / "views" / "graph", tmp_path / "graph")
        shutil.copy(ROOT / "tests" / "js" / "graph_laws.js", tmp_path)
        (tmp_path / "package.json").write_text('{"type": "module"}')
        (tmp_path / "main.js").write_text(
            'import { broken } from "./graph_laws.js";\n'
            "const found = await broken((path) => import(`./${path}`));\n"
            'console.log(found.slice(0, 20).join("\\n"));\n'
            "process.exit(found.length ? 1 : 0);\n"
        )
        done = subprocess.run(
            [NODE or "node", "main.js"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


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
