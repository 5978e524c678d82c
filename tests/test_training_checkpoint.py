"""A run goes on from its file bit for bit; whatever else a file may hold gets a sentence."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from models import training
from models.core.control import Command
from models.core.spec import SpecError
from models.training import Spec, checkpoint
from models.training.run import Run
from tests.test_training import TINY, play, reply, rows

SPECS = [
    TINY,
    TINY.replace(
        layers="6 tanh dropout=0.3 batch_norm", optimizer="Adam", lr=0.01, scheduler="OneCycleLR"
    ),
    TINY.replace(momentum=0.9, scheduler="ReduceLROnPlateau", lr_patience=0, patience=4),
    TINY.replace(
        optimizer="RMSprop", lr=0.01, scheduler="CosineAnnealingLR", changes="6:lr=0.02;17:clip=0.1"
    ),
    TINY.replace(optimizer="Adagrad", scheduler="StepLR", step_size=1),
]


def saved(spec: Spec, batches: int) -> bytes:
    run = Run(spec)
    for _ in range(batches):
        run.batch()
    return checkpoint.write(run)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("batches", [0, 5, 13])
def test_a_resumed_run_equals_the_uninterrupted_one(spec, batches):
    data = saved(spec, batches)
    loaded = checkpoint.read(data)
    assert loaded.spec == spec
    resumed = list(training.train(spec, resume=data))
    assert resumed[0].step == batches
    straight = play(spec)
    assert rows(resumed) == rows(straight)
    a, b = resumed[-1].frame, straight[-1].frame
    assert a is not None
    assert b is not None
    assert [w.tolist() for w in a["weights"]] == [w.tolist() for w in b["weights"]]


def test_a_resumed_run_can_go_back_before_its_file():
    run = Run(TINY)
    checkpoint.restore(run, checkpoint.read(saved(TINY, 15)))
    early = Run(TINY)
    for _ in range(5):
        early.batch()
    assert run.seek(1) == 1
    assert torch.equal(run.linears[0].weight, early.linears[0].weight)


def test_a_live_run_saves_and_another_restores():
    live = play(TINY, {7: [Command("set", {"lr": 0.02}, 1)], 12: [Command("checkpoint", {}, 2)]})
    data = next(s.blobs["checkpoint.pt"] for s in live if s.blobs)
    other = play(TINY, {0: [Command("restore", {"data": data}, 1)]})
    assert reply(other, 1) == {"epoch": 2, "step": 12, "changes": "7:lr=0.02"}
    assert rows(other) == rows(live)


def test_the_weights_alone_load_into_plain_pytorch():
    run = Run(TINY)
    run.batch()
    tensors = checkpoint.read_weights(checkpoint.weights(run))
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
    model.load_state_dict(tensors)
    assert torch.equal(model(run.x), run.model(run.x))
    fresh = Run(TINY)
    checkpoint.load_weights(fresh, tensors)
    assert torch.equal(fresh.model(run.x), run.model(run.x))


def test_other_settings_are_named():
    with pytest.raises(SpecError, match=r"other settings \(lr\)") as caught:
        checkpoint.restore(Run(TINY.replace(lr=0.2)), checkpoint.read(saved(TINY, 3)))
    assert caught.value.field == "lr"
    tensors = checkpoint.read_weights(checkpoint.weights(Run(TINY)))
    with pytest.raises(SpecError, match=r"\(4,\) in the file and \(5,\)"):
        checkpoint.load_weights(Run(TINY.replace(layers="5 tanh")), tensors)
    with pytest.raises(SpecError, match="The file has no"):
        checkpoint.load_weights(Run(TINY.replace(layers="4 tanh, 3 tanh")), tensors)


class _Hostile:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("hostile-file-was-opened"),)


def _pytorch(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(3 * checkpoint.MAX_BYTES))
    return file.getvalue()


GOOD = saved(TINY, 7)
FOREIGN = {
    "empty": b"",
    "text": b"a,b\n1,2\n",
    "truncated": GOOD[: len(GOOD) // 2],
    "a byte short": GOOD[:-1],
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a pickle": pickle.dumps({"format": checkpoint.FORMAT}),
    "a hostile pickle": pickle.dumps(_Hostile()),
    "a hostile checkpoint": _pytorch({"format": checkpoint.FORMAT, "state": _Hostile()}),
    "a tensor": _pytorch(torch.ones(3)),
    "a state_dict": _pytorch(torch.nn.Linear(2, 2).state_dict()),
    "half of it": _pytorch({"format": checkpoint.FORMAT, "spec": "{}"}),
    "a zip bomb": _bomb(),
    "a plain zip": b"PK\x05\x06" + bytes(18),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_truncated_or_hostile_file_gets_a_sentence(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as caught:
        checkpoint.read(FOREIGN[name])
    assert str(caught.value)[-1] == "."
    assert not list(tmp_path.iterdir())
    if name != "a zip bomb":
        with pytest.raises(SpecError):
            checkpoint.read_weights(FOREIGN[name])


def test_a_file_that_is_too_large_is_not_even_opened(monkeypatch):
    monkeypatch.setattr(checkpoint, "MAX_BYTES", len(GOOD) - 1)
    with pytest.raises(SpecError, match="MB"):
        checkpoint.read(GOOD)
    monkeypatch.setattr(checkpoint, "MAX_BYTES", len(GOOD))
    assert checkpoint.read(GOOD).spec == TINY


def _changed(**parts: Any) -> bytes:
    content = torch.load(io.BytesIO(GOOD), weights_only=True)
    content["state"].update(parts)
    return _pytorch(content)


@pytest.mark.parametrize(
    "parts",
    [
        {"step": 8},
        {"step": -1},
        {"step": "7"},
        {"epoch": True},
        {"position": 5},
        {"order": None},
        {"order": torch.zeros(90, dtype=torch.int64)},
        {"order": torch.arange(89)},
        {"order_rng": torch.zeros(3)},
        {"order_rng": None},
        {"rng": torch.zeros(5056, dtype=torch.uint8)},
        {"model": {}},
        {"model": {"0.weight": 3}},
        {"optimizer": {}},
        {"optimizer": {"state": {0: {"momentum_buffer": torch.ones(7)}}, "param_groups": []}},
        {"settings": {}},
        {"stop": {}},
        {"row": {}},
        {"settings": {"l1": "a", "clip": 0.0, "epochs": 4}},
        {"stop": {"best": "low", "best_epoch": 0, "bad": 0, "why": ""}},
        {"row": {"lr": "fast", "train_loss": 1.0}},
        {"scheduler": {"last_epoch": 3}},
    ],
)
def test_a_state_that_does_not_fit_leaves_the_run_as_it_was(parts):
    run = Run(TINY)
    before = run.capture()
    with pytest.raises(SpecError):
        checkpoint.restore(run, checkpoint.read(_changed(**parts)))
    after = run.capture()
    assert (after.step, after.settings, after.stop) == (0, before.settings, before.stop)
    assert all(torch.equal(before.model[k], after.model[k]) for k in before.model)
    run.batch()


def test_an_untouched_state_still_fits():
    checkpoint.restore(Run(TINY), checkpoint.read(_changed()))


def test_a_safetensors_file_is_no_checkpoint():
    with pytest.raises(SpecError):
        checkpoint.read(save({"a": torch.ones(2)}))
