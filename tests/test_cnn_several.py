"""Laws of many pictures: as the network takes them, of every class, few enough for a large network."""

import pytest
import torch

from models.cnn import data, looking, several
from models.core.spec import SpecError


def test_the_shipped_network_sees_its_own_pictures():
    found = several.pictures(looking.bench(looking.Spec()), "digits")
    x, labels = data.all_digits(16)
    assert torch.equal(found.x, x)
    assert torch.equal(found.labels, labels)
    part = several.of_class(found, 4)
    assert part.labels.unique().tolist() == [4]
    assert torch.equal(part.x, x[labels == 4])


@pytest.mark.parametrize("name", ["digits", "photos"])
def test_a_large_network_sees_few_pictures_of_every_class_in_its_size_and_scale(name):
    used = looking.bench(looking.Spec(network="resnet18"))
    found = several.pictures(used, name)
    assert found.x.shape[1:] == (3, 224, 224)
    assert len(found.x) <= several.MOST_LARGE
    assert found.labels.unique().tolist() == list(range(len(found.classes)))
    assert float(found.shown.min()) >= 0
    assert float(found.shown.max()) <= 1
    torch.testing.assert_close(looking.shown(used, found.x[0]), found.shown[0])


def test_a_set_that_is_not_here_is_explained():
    with pytest.raises(SpecError, match="not on this server"):
        several.pictures(looking.bench(looking.Spec()), f"upload:{'0' * 64}")
