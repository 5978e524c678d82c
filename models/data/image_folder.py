"""The Dataset classes that serve a data set of pictures. The app runs them, and exported scripts print them.

Each is complete in itself (standard library, numpy, Pillow and torch only; `split` is printed with them).
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from models.data.steps import split


def decode(data: bytes, side: int) -> Tensor:
    """An image file as a (3, side, side) uint8 tensor: upright, the middle square of it, reduced to that size."""
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (side, side))  # a JPEG decodes at an eighth, a quarter or half its size
    image = ImageOps.exif_transpose(image).convert("RGB")
    image = ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


class ZippedImages(Dataset):
    """Pictures in class folders of one zip; each is read and decoded when it is asked for (lazy)."""

    def __init__(
        self,
        path: str | Path,
        side: int,
        rename: dict[str, str] | None = None,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        with zipfile.ZipFile(path) as archive:  # only its table of contents
            infos = sorted(archive.infolist(), key=lambda info: info.filename)
        new = rename or {}  # old class: new class, or "" to leave it out
        folders = [info.filename.split("/")[0] for info in infos]
        classes = [new.get(folder, folder) for folder in folders]
        kept = [i for i, name in enumerate(classes) if name]
        self.path, self.side, self.transform = str(path), side, transform
        self.classes = sorted({classes[i] for i in kept})
        number = {name: k for k, name in enumerate(self.classes)}
        self.names = [infos[i].filename for i in kept]
        self.labels = torch.tensor([number[classes[i]] for i in kept], dtype=torch.int64)
        same: dict[tuple[int, int], int] = {}  # checksum and size: the first file that has them
        keys = [(infos[i].CRC, infos[i].file_size) for i in kept]
        self.first_copy = torch.tensor([same.setdefault(key, i) for i, key in enumerate(keys)])
        self.opened: dict[int, zipfile.ZipFile] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        process = os.getpid()
        if process not in self.opened:  # every worker opens the file for itself
            self.opened = {process: zipfile.ZipFile(self.path)}
        pixels = decode(self.opened[process].read(self.names[index]), self.side)
        return self.transform(pixels) if self.transform else pixels, int(self.labels[index])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "opened": {}}  # open files do not travel


class EagerImages(Dataset):
    """The same pictures, all read and decoded at the start: quick to serve, as long as they fit into memory."""

    def __init__(self, lazy: ZippedImages) -> None:
        self.transform, self.labels = lazy.transform, lazy.labels
        lazy.transform = None
        self.pixels = torch.stack(
            [lazy[i][0] for i in range(len(lazy))]
        )  # (N, 3, side, side) uint8
        lazy.transform = self.transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = self.pixels[index]
        return self.transform(pixels) if self.transform else pixels, int(self.labels[index])


class MappedImages(Dataset):
    """Pictures decoded once into one .npy file; the system reads only the pages that are asked for."""

    def __init__(
        self,
        path: str | Path,
        labels: Tensor,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.path, self.labels, self.transform = str(path), labels, transform
        self.pixels = np.load(path, mmap_mode="r", allow_pickle=False)  # (N, 3, side, side) uint8

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = torch.from_numpy(np.array(self.pixels[index]))  # a copy: the file stays as it is
        return self.transform(pixels) if self.transform else pixels, int(self.labels[index])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "pixels": None}  # else the whole file would be sent to each worker

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self.pixels = np.load(self.path, mmap_mode="r", allow_pickle=False)


class StreamedImages(IterableDataset):
    """The same pictures as a stream: no length, no index, each worker takes its share."""

    def __init__(self, source: Dataset, count: int) -> None:
        self.source, self.count = source, count

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for index in range(first, self.count, step):
            yield self.source[index]


def split_images(
    labels: Tensor,
    first_copy: Tensor,
    val: float,
    test: float,
    seed: int,
    stratify: bool,
    together: bool,
) -> tuple[Tensor, ...]:
    """Rows for training, validation and test.

    Args:
        first_copy: for every picture the row of the first one with the same content.
        stratify: each class gives the same share to each part.
        together: copies of a picture stay in one part, so that none is tested that was trained on.
    """
    groups = labels if stratify else torch.zeros_like(labels)
    dealt = torch.arange(len(labels))
    if together:
        dealt = dealt[first_copy == dealt]  # copies follow their first
    parts = split(groups[dealt], val, test, seed)
    if not together:
        return parts
    return tuple(torch.isin(first_copy, dealt[part]).nonzero().flatten() for part in parts)


def leaked(train: Tensor, others: Tensor, first_copy: Tensor) -> Tensor:
    """The rows outside of training of which training has a copy."""
    return others[torch.isin(first_copy[others], first_copy[train])]


def channel_stats(data: Dataset, rows: Tensor) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel over these pictures, as parts of 1."""
    pixels = (data[int(row)][0].double() / 255 for row in rows)
    moments = [(x.mean((1, 2)), x.square().mean((1, 2))) for x in pixels]
    mean, square = (torch.stack(part).mean(0) for part in zip(*moments, strict=True))
    return mean.tolist(), (square - mean.square()).clamp_min(0).sqrt().tolist()


def make_photos(path: str | Path, count: int = 40) -> None:
    """A small set to begin with: squares cut out of scikit-learn's two photographs, as JPEGs in two class folders."""
    from sklearn.datasets import load_sample_image

    generator = torch.Generator().manual_seed(0)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("flower", "temple"):
            photo = load_sample_image({"flower": "flower.jpg", "temple": "china.jpg"}[name])
            for i in range(count):
                top, left = torch.randint(0, 427 - 160, (2,), generator=generator).tolist()
                out = io.BytesIO()
                Image.fromarray(photo[top : top + 160, left : left + 160]).save(out, "JPEG")
                archive.writestr(zipfile.ZipInfo(f"{name}/{i:02}.jpg"), out.getvalue())
