"""What Datasets was set to is what a training uses, or is named."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models import cnn, datasets
from models.cnn import data
from models.data import image_sets
from models.datasets import handover

SAME = "RandomHorizontalFlip\nRandomAffine 20 translate=(0.1, 0.1) scale=(0.8, 1.2)\nToFloat"
EQUAL: dict[str, Any] = {"val": 0.2, "test": 0.2, "group": "none"}


def test_what_means_the_same_is_handed_over_without_a_word() -> None:
    spec = datasets.Spec(side=96, split_seed=7, transforms=SAME, batch_size=16, **EQUAL)
    found, said = handover.settings(spec)
    assert said == ()
    made = cnn.Spec().replace(**found)
    assert (made.image_size, made.data_seed, made.batch_size) == (96, 7, 16)
    assert cnn.augmentation(made) == {"degrees": 20.0, "shift": 0.1, "zoom": 0.2, "flip": True}


def test_the_pictures_are_the_same_squares() -> None:
    spec = datasets.Spec(side=32, transforms="ToFloat")
    made = cnn.Spec().replace(**handover.settings(spec)[0])
    x, _ = data.pictures(made.data, made.image_size)
    served = image_sets.opened(spec.data, spec.side)
    assert torch.equal(x[5], served[5][0] / 255)
    assert cnn.augmentation(made) == {}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("ColorJitter 0.3 0.3", "ColorJitter"),
        ("Normalize", "Normalize is left out"),
        ("RandomHorizontalFlip 0.9", "RandomHorizontalFlip 0.9"),
        ("RandomAffine 10 shear=5", "RandomAffine"),
        ("RandomRotation (10, 20)", "RandomRotation"),
    ],
)
def test_a_transform_that_has_no_equal_is_named(line: str, word: str) -> None:
    lines = f"ToFloat\n{line}" if line == "Normalize" else f"{line}\nToFloat"
    _, said = handover.settings(datasets.Spec(transforms=lines, **EQUAL))
    assert len(said) == 1
    assert word in said[0]


def test_another_split_mixing_and_balancing_are_named() -> None:
    _, said = handover.settings(datasets.Spec(transforms="ToFloat", mix="MixUp", weighted=True))
    assert [word in " ".join(said) for word in ("70%, 20%, 10%", "fall apart", "MixUp", "Rare classes")] == [True] * 4  # fmt: skip
