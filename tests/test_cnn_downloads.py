"""Laws of fetching a known set: what arrives is torchvision's, progress is told, what fails is said and retried."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import datasets

from models import cnn
from models.cnn import data, downloads
from models.core.control import Control
from models.core.spec import SpecError


class Watched(Control):
    def due(self) -> bool:
        return True


def idx(values: np.ndarray) -> bytes:
    """The file format of MNIST."""
    return gzip.compress(
        struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def mnist(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror of 40 pictures on disk, with the sums that torchvision will check."""
    mirror = home / "mirror"
    mirror.mkdir()
    pixels = np.arange(40 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(40, 28, 28)
    parts = {"images-idx3": pixels, "labels-idx1": (np.arange(40) % 10).astype(np.uint8)}
    resources = []
    for part in ("train", "t10k"):
        for kind, values in parts.items():
            file = f"{part}-{kind}-ubyte.gz"
            (mirror / file).write_bytes(idx(values))
            resources.append((file, hashlib.md5((mirror / file).read_bytes()).hexdigest()))
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["file:///nowhere/", f"file://{mirror}/"])
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    return mirror


def fetched(name: str) -> list[Any]:
    return list(downloads.train(downloads.Spec(name), control=Watched()))


def test_a_set_is_fetched_from_the_first_source_that_answers_and_can_be_learned(mnist, monkeypatch):
    assert not data.here("MNIST")
    told = fetched("MNIST")
    assert told[-1].final
    shares = [s.epoch for s in told]
    assert shares == sorted(shares)
    assert shares[0] > 0
    assert data.here("MNIST")
    x, y = data.pictures.__wrapped__("MNIST", 28)
    assert x.shape == (40, 1, 28, 28)
    assert torch.equal(y, torch.arange(40) % 10)
    assert not list(mnist.parent.rglob("*.part"))
    assert len(fetched("MNIST")) == 1  # nothing is fetched twice


def test_cifar_comes_as_one_archive(home, monkeypatch):
    raw = {"data": np.zeros((3, 3072), np.uint8), "labels": [0, 1, 2]}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for file in ("data_batch_1", "test_batch", "batches.meta"):
            content = pickle.dumps({"label_names": list("abc")} if "meta" in file else raw)
            info = tarfile.TarInfo(f"cifar-10-batches-py/{file}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    (home / "cifar.tar.gz").write_bytes(out.getvalue())
    for name, value in {
        "url": f"file://{home}/cifar.tar.gz",
        "tgz_md5": hashlib.md5(out.getvalue()).hexdigest(),
        "train_list": [["data_batch_1", None]],
        "test_list": [["test_batch", None]],
        "meta": {"filename": "batches.meta", "key": "label_names", "md5": None},
    }.items():
        monkeypatch.setattr(datasets.CIFAR10, name, value)
    assert not data.here("CIFAR10")
    assert fetched("CIFAR10")[-1].final
    assert data.here("CIFAR10")
    assert data.pictures.__wrapped__("CIFAR10", 16)[0].shape == (3, 3, 16, 16)


def test_without_a_network_the_sentence_says_what_to_do_and_no_part_stays(home, monkeypatch):
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["file:///nowhere/"])
    with pytest.raises(SpecError, match=r"Go on with digits.*by hand") as told:
        fetched("MNIST")
    assert "nowhere" in told.value.detail
    assert not list(home.rglob("*.part"))
    with pytest.raises(SpecError, match="Press Download"):
        data.prepare(cnn.Spec(data="MNIST"))


def test_sets_that_need_no_download_are_here():
    assert all(data.here(name) for name in (*data.CLASSES, "photos") if name not in data.DOWNLOADED)
    assert set(downloads.MEGABYTES) == set(data.DOWNLOADED)
