"""Files opened in a worker: what comes back is what opening them here gives, and what they are not is said."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from models import training
from models.cnn import looking, network
from models.cnn import opening as weights
from models.core.spec import SpecError
from models.data import images, opening, workspace
from models.datasets import previewing, streaming
from models.training import checkpoint
from models.training import opening as checkpoints
from models.training.run import Run


def kept(content: bytes, name: str) -> str:
    return f"upload:{workspace.put(content, name)}"


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize(("size", "longest"), [((1, 1), 1), ((70, 30), 64), ((9, 12), 2048)])
def test_a_pictures_pixels_are_those_of_decoding_it(
    gray: bool, size: tuple[int, int], longest: int
) -> None:
    out = io.BytesIO()
    cells = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(cells).save(out, "PNG")
    found = opening.run(opening.Spec(kept(out.getvalue(), "a.png"), gray, longest))
    want = images.decode(out.getvalue(), gray=gray, longest=longest)
    assert torch.equal(found.pixels.float() / 255, want.pixels)
    assert found.notes == want.notes


def test_no_picture_is_said_by_name() -> None:
    with pytest.raises(SpecError, match=r"bad\.png is not an image"):
        opening.run(opening.Spec(kept(b"<html>", "bad.png")))


def pth(state: object) -> bytes:
    out = io.BytesIO()
    torch.save(state, out)
    return out.getvalue()


def test_what_is_no_safetensors_file_becomes_one_with_the_same_numbers() -> None:
    model = network.known("LeNet-5", 1, 10, 32)
    state = model.state_dict()
    upload = kept(pth(state), "mine.pth")
    assert not looking.opened(upload)
    assert weights.run(weights.Spec(upload, "LeNet-5")).tensors == len(state)
    assert looking.opened(upload)
    used = looking.bench(looking.Spec(network="LeNet-5", weights=upload))
    assert all(torch.equal(v, used.model.state_dict()[n]) for n, v in state.items())


def test_once_opened_a_pth_file_is_not_unpickled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = kept(pth(network.known("LeNet-5", 1, 10, 32).state_dict()), "mine.pth")
    weights.run(weights.Spec(upload, "LeNet-5"))
    monkeypatch.setattr(torch, "load", None)
    looking.bench(looking.Spec(network="LeNet-5", weights=upload))


def test_tensors_that_share_memory_are_kept_too() -> None:
    shared = torch.arange(4.0)
    upload = kept(pth({"a": shared, "b": shared[1:], "c": shared.reshape(2, 2).T}), "shared.pth")
    assert weights.run(weights.Spec(upload, "LeNet-5")).tensors == 3
    found = looking.state_dict(looking._content(upload))
    assert torch.equal(found["b"], shared[1:])
    assert torch.equal(found["c"], shared.reshape(2, 2).T)


@pytest.mark.parametrize("name", ["LeNet-5", "small ResNet", "resnet18"])
def test_a_safetensors_file_of_a_known_network_is_taken_whatever_its_order(name: str) -> None:
    from safetensors.torch import save

    state = network.known(name, 1, 7, 32).state_dict()
    upload = kept(save(dict(reversed(state.items()))), "mine.safetensors")
    weights.run(weights.Spec(upload, name))
    used = looking.bench(looking.Spec(network=name, weights=upload))
    assert (used.channels, len(used.classes)) == (1, 7)
    assert all(torch.equal(v, used.model.state_dict()[n]) for n, v in state.items())


@pytest.mark.parametrize("content", [b"", b"no weights", pth([1, 2]), pth({"a": "text"})])
def test_no_weights_file_is_said(content: bytes) -> None:
    with pytest.raises(SpecError):
        weights.run(weights.Spec(kept(content, "bad.pth"), "LeNet-5"))


def test_a_file_that_does_not_name_its_network_is_asked_for_it() -> None:
    upload = kept(pth(network.known("LeNet-5", 1, 10, 32).state_dict()), "mine.pth")
    with pytest.raises(SpecError, match="does not say which network"):
        weights.run(weights.Spec(upload))


def test_a_checkpoint_says_its_settings_and_where_it_stood() -> None:
    spec = training.Spec(epochs=2, layers="3")
    content = checkpoint.write(Run(spec))
    found = checkpoints.run(checkpoints.Spec(kept(content, "c.pt")))
    assert training.Spec(**found.fields) == spec
    with pytest.raises(SpecError):
        checkpoints.run(checkpoints.Spec(kept(b"nothing", "c.pt")))


def test_a_parquet_file_is_previewed_with_its_script(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    streaming.make_table(path, 5000)
    upload = kept(path.read_bytes(), "t.parquet")
    spec = streaming.Spec(data=upload)
    found = previewing.run(previewing.Spec(**dataclasses.asdict(spec)))
    assert found.preview == streaming.preview(path)
    assert found.code == streaming.to_code(spec)
    pq.write_table(pa.table({"word": ["a", "b"]}), path)
    upload = kept(path.read_bytes(), "words.parquet")
    found = previewing.run(previewing.Spec(data=upload, target="nothing"))
    assert (found.code, bool(found.refused)) == ("", True)
    with pytest.raises(SpecError):
        previewing.run(previewing.Spec(data=kept(b"PAR1", "cut.parquet")))
