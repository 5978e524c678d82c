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
        new = rename or {}  # a class, or one file: its new class, or "" to leave it out
        folders = [info.filename.split("/")[0] for info in infos]
        classes = [
            new.get(info.filename, new.get(folder, folder))
            for info, folder in zip(infos, folders, strict=True)
        ]
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


class FileImages(Dataset):
    """One file for each picture in a folder, as most sets begin: every picture is found and opened anew."""

    def __init__(
        self,
        folder: str | Path,
        names: list[str],
        labels: Tensor,
        side: int,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.folder, self.names, self.labels = str(folder), names, labels
        self.side, self.transform = side, transform

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = decode(Path(self.folder, self.names[index]).read_bytes(), self.side)
        return self.transform(pixels) if self.transform else pixels, int(self.labels[index])


class ParquetImages(Dataset):
    """Encoded pictures in one Parquet file: good for reading in order, since a whole row group is read for one row."""

    def __init__(
        self,
        path: str | Path,
        labels: Tensor,
        side: int,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.path, self.labels, self.side, self.transform = str(path), labels, side, transform
        self.table: Any = None
        self.group = (-1, [b""])  # the row group that was read last

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        import pyarrow.parquet as pq

        if self.table is None:  # every worker opens the file for itself
            self.table = pq.ParquetFile(self.path)
        number, place = divmod(index, self.table.metadata.row_group(0).num_rows)
        if self.group[0] != number:
            column = self.table.read_row_group(number, ["data"])["data"]
            self.group = (number, column.to_pylist())
        pixels = decode(self.group[1][place], self.side)
        return self.transform(pixels) if self.transform else pixels, int(self.labels[index])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "table": None, "group": (-1, [b""])}  # open files do not travel


class StreamedImages(IterableDataset):
    """The same pictures as a stream: no length, no index, each worker takes its share."""

    def __init__(self, source: Dataset, count: int) -> None:
        self.source, self.count = source, count

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for index in range(first, self.count, step):
            yield self.source[index]


def same_beginning(names: list[str]) -> Tensor:
    """For every file the row of the first one whose name begins alike, up to its last _ or -: a7_01.jpg, a7_02.jpg."""
    first: dict[str, int] = {}
    stems = [name.split("/")[-1].rpartition(".")[0].replace("-", "_") for name in names]
    return torch.tensor(
        [first.setdefault(stem.rpartition("_")[0] or stem, i) for i, stem in enumerate(stems)]
    )


def split_images(
    labels: Tensor, group: Tensor, val: float, test: float, seed: int, stratify: bool
) -> tuple[Tensor, ...]:
    """Rows for training, validation and test.

    Args:
        group: for every picture the row of the first one of its group; a group stays in one part.
        stratify: each class gives the same share to each part.
    """
    classes = labels if stratify else torch.zeros_like(labels)
    first = (group == torch.arange(len(group))).nonzero().flatten()  # the others follow their first
    parts = split(classes[first], val, test, seed)
    return tuple(torch.isin(group, first[part]).nonzero().flatten() for part in parts)


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
