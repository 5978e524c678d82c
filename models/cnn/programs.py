"""A trained network as a program that runs without its Python code: torch.export, and ONNX where that is installed."""

from __future__ import annotations

import importlib.util
import io
import tempfile
from pathlib import Path
from typing import Any

import torch

from models.cnn import pretrain
from models.cnn.spec import Spec
from models.core.spec import SpecError


def exported(spec: Spec, weights: bytes) -> bytes:
    """The graph of the spec's network with these weights, for any batch size, as a .pt2 file.

    Raises:
        SpecError: the weights are another network's.
    """
    file = io.BytesIO()
    torch.export.save(_program(spec, weights), file)
    return file.getvalue()


def onnx(spec: Spec, weights: bytes) -> bytes:
    """The same as an ONNX file.

    Raises:
        SpecError: the exporter's packages are not installed, or the weights are another network's.
    """
    if reason := no_onnx():
        raise SpecError(reason)
    model = pretrain.with_weights(spec, weights)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        made: Any = torch.onnx.export(model, (_example(spec),), dynamo=True, verbose=False)
        made.save(path)
        return path.read_bytes()


def no_onnx() -> str:
    """Why there is no ONNX export here; "" where there is."""
    missing = [n for n in ("onnx", "onnxscript") if importlib.util.find_spec(n) is None]
    if not missing:
        return ""
    return f"ONNX export needs {' and '.join(missing)}: pip install {' '.join(missing)}, then reload the page."


def _program(spec: Spec, weights: bytes) -> torch.export.ExportedProgram:
    model = pretrain.with_weights(spec, weights)
    batch = torch.export.Dim("batch", min=1, max=4096)
    return torch.export.export(model, (_example(spec),), dynamic_shapes=({0: batch},))


def _example(spec: Spec) -> torch.Tensor:
    return torch.zeros(2, spec.channels, *spec.size)  # (N, C, H, W)
