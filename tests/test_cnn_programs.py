"""An exported network computes what the network computes."""

import io

import pytest
import torch

from models.cnn import pretrain, programs
from models.core.spec import SpecError


def test_the_exported_program_gives_the_same_numbers_for_any_batch():
    spec, file = pretrain.SHIPPED["digits"], pretrain.weights_file().read_bytes()
    program = torch.export.load(io.BytesIO(programs.exported(spec, file))).module()
    for n in (1, 3):
        x = torch.rand(n, 1, 16, 16)
        torch.testing.assert_close(program(x), pretrain.load()(x))


def test_without_the_exporters_packages_onnx_says_what_to_install(monkeypatch):
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match="pip install onnx onnxscript"):
        programs.onnx(pretrain.SHIPPED["digits"], pretrain.weights_file().read_bytes())
