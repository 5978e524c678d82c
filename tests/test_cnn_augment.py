"""Laws of augmentation: nothing asked changes nothing, known angles do known things, the generator decides."""

import pytest
import torch

from models.cnn.augment import augment
from models.core.seeding import generator


@pytest.fixture
def x():
    return torch.rand(20, 2, 9, 9, generator=generator(0))


def test_nothing_asked_changes_nothing(x):
    assert torch.equal(augment(x, generator(0)), x)


def test_mirrored_pictures_are_the_picture_or_its_mirror_image(x):
    made = augment(x, generator(1), flip=True)
    kinds = [
        (torch.allclose(a, b, atol=1e-5), torch.allclose(a, b.flip(-1), atol=1e-5))
        for a, b in zip(made, x, strict=True)
    ]
    assert {(True, False), (False, True)} == set(kinds)


@pytest.mark.parametrize(
    "how", [{"degrees": 30.0}, {"shift": 0.3}, {"zoom": 0.5}, {"noise": 0.2}], ids=str
)
def test_every_amount_changes_pictures_within_0_and_1_and_the_generator_decides_how(x, how):
    made = augment(x, generator(0), **how)
    assert made.shape == x.shape
    assert not torch.allclose(made, x)
    assert 0 <= float(made.min()) <= float(made.max()) <= 1 + 1e-6
    assert torch.equal(made, augment(x, generator(0), **how))
    assert not torch.equal(made, augment(x, generator(1), **how))


def test_a_shift_moves_the_centre_of_mass_within_its_share():
    dot = torch.zeros(40, 1, 21, 21)
    dot[:, :, 10, 10] = 1
    made = augment(dot, generator(0), shift=0.2)
    place = torch.arange(21.0) - 10
    across = (made.sum((1, 2)) * place).sum(1) / made.sum((1, 2, 3))
    assert 1 < float(across.abs().max()) <= 0.2 * 21 + 1e-3
