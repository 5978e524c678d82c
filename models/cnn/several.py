"""Many pictures of a set as one network sees them: for the pictures a channel likes, and the activations of a class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.cnn import data, looking
from models.data import image_sets

MOST, MOST_LARGE = 2_000, 60  # pictures that a small and a large network look at
_LARGE = 64  # pixels per side from which on a network counts as large
_ROOM = 2**28  # bytes of a whole set as float32 at the network's size; beyond, it is read smaller


@dataclass(frozen=True)
class Pictures:
    """Pictures spread evenly over a set.

    Shape: x (N, C, S, S) as the network takes them; labels (N,); shown (N, C, S, S) in [0, 1], to draw.
    """

    x: Tensor
    shown: Tensor
    labels: Tensor
    classes: tuple[str, ...]


def pictures(used: looking.Bench, name: str) -> Pictures:
    """The set's pictures in the network's size and colours.

    Raises:
        SpecError: the set is not on this server.
    """
    classes = data.names_of(name)
    x, labels = data.pictures(name, _side(used, name))
    most = MOST if used.size <= _LARGE else MOST_LARGE
    rows = torch.linspace(0, len(x) - 1, min(most, len(x))).round().long()
    x = data.recoloured(x[rows], "grey" if used.channels == 1 else "RGB")
    if x.shape[-1] != used.size:
        x = F.interpolate(x, size=(used.size, used.size), mode="bilinear", align_corners=False)
    return Pictures(looking.imagenet(x) if used.imagenet else x, x, labels[rows], classes)


def of_class(found: Pictures, label: int) -> Pictures:
    """The pictures of one class."""
    rows = found.labels == label
    return Pictures(found.x[rows], found.shown[rows], found.labels[rows], found.classes)


def _side(used: looking.Bench, name: str) -> int:
    """Pixels per side at which the whole set is read: the network's, or fewer where that takes too much room."""
    if name in data.DOWNLOADED:
        return min(used.size, 32)
    count = 1797 if name in data.CLASSES else image_sets.card(name).pictures
    return used.size if 12 * count * used.size**2 <= _ROOM else min(used.size, _LARGE)
