"""Convolutional networks: built from a list, trained on pictures, looked into, explained, transferred."""

from models.cnn.spec import Spec
from models.cnn.topic import (
    SHOWN_MAPS,
    VARIATIONS,
    augmentation,
    files,
    numbers,
    threads,
    to_code,
    train,
)

__all__ = [
    "SHOWN_MAPS",
    "VARIATIONS",
    "Spec",
    "augmentation",
    "files",
    "numbers",
    "threads",
    "to_code",
    "train",
]
