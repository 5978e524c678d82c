"""Pictures to learn from: scikit-learn's digits, or a known set through torchvision where the network allows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional as F

from models.core.spec import SpecError
from models.data import image_sets
from models.data.image_folder import ZippedImages

if TYPE_CHECKING:
    from models.cnn.spec import Spec

LEAST = 5  # pictures of a class that three splits in proportion take
MAX_BYTES = 2**30  # of all pictures as float32


@dataclass(frozen=True)
class Split:
    """Pictures in three splits, as a run wants its data.

    Shape: x_*: (N, C, H, W) float32 in [0, 1]; y_*: (N,) int64; rows_*: (N,) int64, places in the whole set.
    """

    x_train: Tensor
    y_train: Tensor
    x_val: Tensor
    y_val: Tensor
    x_test: Tensor
    y_test: Tensor
    rows_train: Tensor
    rows_val: Tensor
    rows_test: Tensor
    classes: tuple[str, ...]
    task: str = "classification"
    target_shift: float = 0.0
    target_scale: float = 1.0


def digits(size):
    """All 1797 handwritten digits of scikit-learn, smoothly enlarged: (1797, 1, size, size) in [0, 1], and (1797,)."""
    cells, labels = load_digits(return_X_y=True)
    x = torch.from_numpy(cells).float().reshape(-1, 1, 8, 8) / 16  # 0 to 16 grey levels
    if size != 8:
        x = F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
    return x, torch.from_numpy(labels).long()


@lru_cache(maxsize=8)
def all_digits(size: int) -> tuple[Tensor, Tensor]:
    """`digits`, read once; shared between callers, never changed in place."""
    return digits(size)


def fitted(pictures, size):
    """uint8 pictures (N, C, H, W) as float32 in [0, 1] of size × size."""
    x = pictures.float() / 255
    if x.shape[-2:] != (size, size):
        x = F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
    return x


def split_rows(labels, seed):
    """Row numbers of training (60 %), validation (20 %) and test (20 %), every class in its proportion."""
    rows = np.arange(len(labels))
    rest, test = train_test_split(rows, test_size=0.2, random_state=seed, stratify=labels)
    train, val = train_test_split(rest, test_size=0.25, random_state=seed, stratify=labels[rest])
    return tuple(torch.from_numpy(np.sort(part)) for part in (train, val, test))


def recoloured(x, colours):
    """Pictures (N, C, H, W) with one channel ("grey"), three ("RGB"), or as they are ("own")."""
    if colours == "grey" and x.shape[1] == 3:
        x = (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    return x.repeat(1, 3, 1, 1) if colours == "RGB" and x.shape[1] == 1 else x


def prepare(spec: Spec) -> Split:
    """The spec's pictures, split.

    Raises:
        SpecError: they are not on this server, have to be downloaded and cannot be, or are too many at this size.
    """
    x, y = pictures(spec.data, spec.image_size)
    if spec.limit:
        x, y = x[: spec.limit], y[: spec.limit]
    x = recoloured(x, spec.colours)
    few = torch.bincount(y, minlength=2).min()
    if few < LEAST:
        raise SpecError(
            f"One class has only {int(few)} pictures; training, validation and test take at least {LEAST} of each. "
            "Bring more, or leave the class out.",
            "data",
        )
    train, val, test = split_rows(y.numpy(), spec.data_seed)
    return Split(
        x[train], y[train], x[val], y[val], x[test], y[test], train, val, test, names(spec)
    )  # fmt: skip


@lru_cache(maxsize=4)
def pictures(name: str, size: int) -> tuple[Tensor, Tensor]:
    """All pictures of a set and their labels; shared between callers, never changed in place.

    Raises:
        SpecError: they are not on this server, have to be downloaded and cannot be, or are too many at this size.
    """
    if name in _PART:
        x, y = all_digits(size)
        low, high = _PART[name]
        kept = (y >= low) & (y <= high)
        return x[kept], y[kept] - low
    if name in CLASSES:
        return _downloaded(name, size)
    _check_room(image_sets.card(name).pictures, 3, size)
    raw = np.load(image_sets.decoded(name, size))
    return fitted(torch.from_numpy(raw), size), image_sets.opened(name, size).labels


def part_of_digits(name: str) -> tuple[int, int] | None:
    """Lowest and highest digit of a bundled set; None for any other."""
    return _PART.get(name)


def names(spec: Spec) -> tuple[str, ...]:
    """The classes of the spec's pictures, as `names_of`."""
    return names_of(spec.data)


def names_of(name: str) -> tuple[str, ...]:
    """The classes of a set, in the order of their numbers.

    Raises:
        SpecError: it is not on this server, or has fewer than two classes.
    """
    if name in CLASSES:
        return CLASSES[name]
    found = tuple(sorted(image_sets.card(name).classes))
    if len(found) < 2:
        raise SpecError(
            "All pictures of this set are of one class, so there is nothing to tell apart. Put each class into a "
            "folder of its own.",
            "data",
        )
    return found


def channels_of(name: str) -> int:
    """Colour channels of a set's own pictures."""
    return 1 if name in _PART or name in DOWNLOADED[:2] else 3


def folder_pictures(path, size):
    """Every picture of a zip of class folders: (N, 3, size, size) in [0, 1], and (N,) numbers of the sorted classes."""
    found = ZippedImages(path, size)
    return torch.stack([found[i][0] for i in range(len(found))]).float() / 255, found.labels


def _check_room(count: int, channels: int, size: int) -> None:
    needed = 4 * count * channels * size * size
    if needed > MAX_BYTES:
        raise SpecError(
            f"{count:,} pictures of {size} × {size} pixels take {needed / 2**30:.1f} GB; at most {MAX_BYTES / 2**30:.0f} GB "
            "fit. Make image_size smaller.",
            "image_size",
        )


def _downloaded(name: str, size: int) -> tuple[Tensor, Tensor]:
    try:
        found = opened(name)
    except (OSError, RuntimeError) as error:
        raise SpecError(
            f"{name} is not on this server yet: it has to be downloaded once. Press Download below the menu of pictures, "
            f"choose digits, which need no download, or put the files into {folder_of_downloads()} by hand.",
            "data",
            detail=f"{type(error).__name__}: {error}",
        ) from None
    raw = torch.as_tensor(found.data)  # (N, H, W) or (N, H, W, C) uint8
    raw = raw[:, None] if raw.ndim == 3 else raw.permute(0, 3, 1, 2)
    _check_room(len(raw), raw.shape[1], size)
    return fitted(raw, size), torch.as_tensor(found.targets).long()


def class_of(name: str) -> Any:
    """torchvision's class of a downloaded set."""
    from torchvision import datasets  # 2 s to import, needed for these sets only

    return getattr(datasets, name)


def opened(name: str, download: bool = False) -> Any:
    """torchvision's own object of a downloaded set; without `download` it only reads what is there.

    Raises:
        RuntimeError, OSError: it is not there, or damaged.
    """
    return class_of(name)(str(folder_of_downloads()), train=True, download=download)


def here(name: str) -> bool:
    """Whether a set can be used without a download."""
    if name not in DOWNLOADED:
        return True
    folder = folder_of_downloads()
    if not folder.exists():
        return False  # the usual case, told without the import of torchvision
    known = class_of(name)
    if hasattr(known, "resources"):
        parts = [folder / name / "raw" / Path(file).stem for file, _ in known.resources]
    else:
        parts = [folder / known.base_folder / file for file, _ in known.train_list]
    return all(part.exists() for part in parts)


def folder_of_downloads() -> Path:
    """Where torchvision keeps what it downloaded: TORCH_HOME or its own place in the user's cache."""
    cache = os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch"
    return Path(cache) / "datasets"


CLASSES: Mapping[str, tuple[str, ...]] = {
    "digits": tuple("0123456789"),
    "digits 0-4": tuple("01234"),
    "digits 5-9": tuple("56789"),
    "MNIST": tuple("0123456789"),
    "FashionMNIST": (
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot",
    ),
    "CIFAR10": (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ),
}  # fmt: skip
DOWNLOADED = ("MNIST", "FashionMNIST", "CIFAR10")
# lowest and highest digit of the sets that come with scikit-learn
_PART: Mapping[str, tuple[int, int]] = {
    "digits": (0, 9),
    "digits 0-4": (0, 4),
    "digits 5-9": (5, 9),
}
