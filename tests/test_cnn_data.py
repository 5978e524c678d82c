"""Laws of the pictures to learn from: bundled, own and downloaded ones."""

import io
import zipfile

import pytest
import torch
from PIL import Image

from models import cnn
from models.cnn import data
from models.core.spec import SpecError
from models.data import ingest, workspace


def own_set(folders: dict[str, int], side: int = 20) -> str:
    """A zip of class folders, taken in; each class has its own brightness."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for shade, (name, count) in enumerate(folders.items()):
            for i in range(count):
                file = io.BytesIO()
                Image.new("RGB", (side, side + i), (80 * shade + i, 30, 200)).save(file, "PNG")
                archive.writestr(f"{name}/{i}.png", file.getvalue())
    id = workspace.put(out.getvalue(), "own.zip")
    *_, last = ingest.train(ingest.Spec(f"upload:{id}"))
    return f"upload:{(last.frame or {})['dataset']}"


@pytest.mark.parametrize("size", [8, 16, 33])
def test_digits_have_any_size_and_lie_between_0_and_1(size):
    x, y = data.digits(size)
    assert x.shape == (1797, 1, size, size)
    assert y.shape == (1797,)
    assert float(x.min()) >= 0
    assert float(x.max()) <= 1
    torch.testing.assert_close(x.mean(), data.digits(8)[0].mean(), atol=0.01, rtol=0)


def test_parts_of_the_digits_number_their_classes_from_0():
    x, y = data.pictures("digits 5-9", 8)
    everything, labels = data.digits(8)
    assert y.unique().tolist() == [0, 1, 2, 3, 4]
    assert torch.equal(x, everything[labels >= 5])
    assert torch.equal(y, labels[labels >= 5] - 5)


def test_the_splits_part_the_set_and_hold_every_class_in_its_proportion():
    found = data.prepare(cnn.Spec())
    rows = torch.cat([found.rows_train, found.rows_val, found.rows_test])
    assert torch.equal(rows.sort().values, torch.arange(1797))
    for y, share in ((found.y_train, 0.6), (found.y_val, 0.2), (found.y_test, 0.2)):
        counts = torch.bincount(y, minlength=10) / (share * torch.bincount(data.digits(8)[1]))
        assert float((counts - 1).abs().max()) < 0.05
    other = data.prepare(cnn.Spec(data_seed=1))
    assert not torch.equal(found.rows_val, other.rows_val)


def test_colours_are_repeated_or_weighed_to_grey():
    grey = torch.rand(2, 1, 3, 3)
    assert torch.equal(data.recoloured(grey, "RGB"), grey.expand(-1, 3, -1, -1))
    colour = data.recoloured(grey, "RGB")
    torch.testing.assert_close(data.recoloured(colour, "grey"), grey)
    assert data.recoloured(grey, "own") is grey


def test_an_own_set_of_class_folders_is_learned():
    spec = cnn.Spec(
        data=own_set({"bright": 10, "dark": 10}), image_size=8, epochs=1, network="tiny"
    )
    assert (spec.outputs, spec.channels) == (2, 3)
    found = data.prepare(spec)
    assert found.classes == ("bright", "dark")
    assert found.x_train.shape[1:] == (3, 8, 8)
    *_, last = cnn.train(spec)
    assert last.final
    grey = spec.replace(colours="grey")
    assert data.prepare(grey).x_train.shape[1:] == (1, 8, 8)


def test_sets_that_cannot_be_learned_are_explained():
    with pytest.raises(SpecError, match="not on this server"):
        cnn.Spec(data=f"upload:{'0' * 64}")
    with pytest.raises(SpecError, match="of one class"):
        cnn.Spec(data=own_set({"only": 6}))
    few = cnn.Spec(data=own_set({"a": 4, "b": 9}), image_size=8)
    with pytest.raises(SpecError, match="only 4 pictures"):
        data.prepare(few)
    assert data.prepare(cnn.Spec(data=own_set({"a": 5, "b": 9}), image_size=8)).classes == (
        "a",
        "b",
    )


def test_a_downloaded_set_is_fitted(monkeypatch):
    from torchvision import datasets

    class Fake:
        def __init__(self, *args, **options):
            self.data = torch.arange(20 * 28 * 28, dtype=torch.uint8).reshape(20, 28, 28)
            self.targets = torch.arange(20) % 2

    monkeypatch.setattr(datasets, "FashionMNIST", Fake)
    x, y = data.pictures.__wrapped__("FashionMNIST", 14)
    assert x.shape == (20, 1, 14, 14)
    assert y.tolist() == [0, 1] * 10
    assert float(x.max()) <= 1


def test_more_pictures_than_fit_are_refused_with_the_number(monkeypatch):
    monkeypatch.setattr(data, "MAX_BYTES", 10_000)
    with pytest.raises(SpecError, match="Make image_size smaller"):
        data.pictures.__wrapped__("photos", 32)
