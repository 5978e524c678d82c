"""Data sets of pictures in the workspace: what is known of each without opening a picture."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.core.spec import SpecError
from models.data import image_folder, ingest, workspace
from models.data.image_folder import ZippedImages
from models.data.workspace import Upload

PHOTOS = "photos"  # the set to begin with; `image_folder.make_photos` makes it


@dataclass(frozen=True)
class Card:
    """A data set of pictures as it was taken in.

    Attributes:
        id: of its clean zip in the workspace.
        classes: pictures by class. empty: classes of which no picture was usable.
        modes: pictures by colour mode in their files. duplicates: pictures that are copies of another one.
        refused: name and reason of files left out, the first 2 000 of `refused_count`.
        notes: what was decided, one sentence each. layout: where the classes come from.
    """

    id: str
    name: str
    layout: str
    pictures: int
    classes: dict[str, int]
    empty: tuple[str, ...]
    modes: dict[str, int]
    duplicates: int
    refused_count: int
    refused: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def card(data: str) -> Card:
    """What is known of a set, by "photos" or "upload:<id>".

    Raises:
        SpecError: it is not on this server, or it is no data set of pictures.
    """
    id = id_of(data)
    path = workspace.folder(id) / "report.json"
    try:
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _another(id) from None
    refused = tuple((str(name), str(reason)) for name, reason in known["refused"])
    return Card(
        id,
        **{
            **known,
            "refused": refused,
            "empty": tuple(known["empty"]),
            "notes": tuple(known["notes"]),
        },
    )


def id_of(data: str) -> str:
    """The id in the workspace of a set's clean zip; the set to begin with is made when it is missing."""
    return _photos(str(workspace.home())) if data == PHOTOS else data.removeprefix("upload:")


def path_of(data: str) -> Path:
    """A set's clean zip.

    Raises:
        SpecError: it is not on this server, or it is no data set of pictures.
    """
    id = id_of(data)
    path = workspace.get(id)
    if not is_set(id):
        raise _another(id)
    return path


def _another(id: str) -> SpecError:
    name = workspace.display_name(workspace.about(id).name)
    return SpecError(
        f"{name} has not been taken in as pictures. Upload the archive on this page once more.",
        "data",
    )


def is_set(id: str) -> bool:
    """Whether a kept file is a clean zip of pictures."""
    try:
        return (workspace.folder(id) / "report.json").exists()
    except SpecError:
        return False


def listing(owner: str) -> tuple[Upload, ...]:
    """This owner's data sets of pictures, the newest first."""
    return tuple(upload for upload in workspace.listing(owner) if is_set(upload.id))


def opened(data: str, side: int, rename: dict[str, str] | None = None) -> ZippedImages:
    """The Dataset that serves it.

    Raises:
        SpecError: it is not on this server.
    """
    return ZippedImages(path_of(data), side, rename)


def pictures(
    data: str, side: int, rename: dict[str, str] | None = None
) -> tuple[Tensor, ZippedImages]:
    """The whole set for training in memory: (N, 3, side, side) uint8, and the Dataset with its labels and classes.

    The first time every picture is decoded, at about 500 a second; call it in a worker.

    Raises:
        SpecError: it is not on this server.
    """
    known = opened(data, side, rename)
    everything = opened(data, side).names if rename else known.names
    stored = np.load(decoded(data, side), mmap_mode="r", allow_pickle=False)
    rows = np.searchsorted(everything, known.names)  # names are sorted
    return torch.from_numpy(np.ascontiguousarray(stored[rows])), known


def sizes(data: str) -> np.ndarray:
    """(N, 2) width and height of every picture in its file, in the order of the names."""
    return _arrays(id_of(data))["sizes"]


def moments(data: str, names: list[str]) -> tuple[Tensor, Tensor]:
    """Mean and mean square of each of these pictures by channel: two (N, 3) float64, at `ingest.CARD_SIDE` pixels."""
    known = _arrays(id_of(data))
    at = np.searchsorted(known["names"], names)
    pixels = ingest.CARD_SIDE**2
    return torch.from_numpy(known["total"][at] / pixels), torch.from_numpy(
        known["square"][at] / pixels
    )


def decoded(data: str, side: int) -> Path:
    """Every picture decoded, as (N, 3, side, side) uint8 in one .npy file; made once, which takes a while."""
    id = id_of(data)
    path = workspace.folder(id) / "cache" / f"pixels-{side}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        source = opened(data, side)
        handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        pixels = np.lib.format.open_memmap(part, "w+", np.uint8, (len(source), 3, side, side))
        for i in range(len(source)):
            pixels[i] = source[i][0].numpy()
        pixels.flush()
        del pixels  # closed before it moves
        os.replace(part, path)
    return path


def unpacked(data: str) -> Path:
    """A folder with one file for each picture, below a folder for each class; made once.

    The names are those of the clean zip, which `ingest` made: none of them leads out of the folder.
    """
    id = id_of(data)
    folder = workspace.folder(id) / "cache" / "files"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, suffix=".part"))
        with zipfile.ZipFile(path_of(data)) as archive:
            archive.extractall(part)
        with contextlib.suppress(OSError):  # another process was first
            part.rename(folder)
        shutil.rmtree(part, ignore_errors=True)
    return folder


def in_parquet(data: str, rows: int = 64) -> Path:
    """The encoded pictures, in the order of the names, in one Parquet file with row groups of `rows`; made once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    id = id_of(data)
    path = workspace.folder(id) / "cache" / "pictures.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        schema = pa.schema([("name", pa.string()), ("data", pa.binary())])
        with (
            zipfile.ZipFile(path_of(data)) as archive,
            pq.ParquetWriter(part, schema, compression="none") as out,
        ):
            names = sorted(archive.namelist())
            for start in range(0, len(names), rows):
                some = names[start : start + rows]
                out.write_table(pa.table([some, [archive.read(n) for n in some]], schema=schema))
        os.replace(part, path)
    return path


def _arrays(id: str) -> dict[str, np.ndarray]:
    with np.load(workspace.folder(id) / "card.npz", allow_pickle=False) as file:
        return dict(file)


@cache
def _photos_id(home: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photos.zip"
        image_folder.make_photos(path)
        made = workspace.put(path, "photos.zip")
    *_, last = ingest.train(ingest.Spec("upload:" + made))
    return str((last.frame or {})["dataset"])


def _photos(home: str) -> str:
    id = _photos_id(home)
    if not is_set(id):  # pruned in the meantime
        _photos_id.cache_clear()
        id = _photos_id(home)
    return id
