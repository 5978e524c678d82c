"""Known picture sets, fetched once through torchvision's own addresses and checks, where the network allows."""

from __future__ import annotations

import contextlib
import os
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.cnn import data
from models.core import spec as core
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob

MEGABYTES: Mapping[str, int] = {"MNIST": 12, "FashionMNIST": 31, "CIFAR10": 171}  # about
_CHUNK = 1 << 18
_TIMEOUT = 10.0  # seconds without an answer


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which set."""

    data: str = knob("MNIST", "A picture set of torchvision.", choices=tuple(MEGABYTES))


@dataclass(frozen=True)
class File:
    """One archive of a set: where torchvision looks for it, and where it comes from, the likeliest source first."""

    target: Path
    sources: tuple[str, ...]


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """Fetches the set's archives, then has torchvision check and unpack them; rows tell how far it is.

    Raises:
        SpecError: the network did not give it, or what it gave is damaged.
    """
    control = control or Control()
    files = archives(spec.data)
    for number, file in enumerate(files):
        for done, total in _fetch(file, spec.data):
            if control.due():
                control.gate()
                share = (number + done / max(1, total, done)) / len(files)
                row = {"step": done, "epoch": share}
                yield Snapshot(done, share, rows=(row,), frame={"file": file.target.name})
    try:
        data.opened(spec.data, download=True)  # checks the sums and unpacks; all archives are there
    except (OSError, RuntimeError) as error:
        raise SpecError(
            f"The files of {spec.data} arrived, but are not what torchvision expects. Download them once more.",
            "data",
            detail=f"{type(error).__name__}: {error}",
        ) from None
    yield Snapshot(1, 1.0, rows=({"step": 1, "epoch": 1.0},), frame={"data": spec.data}, final=True)


def archives(name: str) -> tuple[File, ...]:
    """The files that torchvision fetches for a set."""
    folder, known = data.folder_of_downloads(), data.class_of(name)
    if hasattr(known, "resources"):  # MNIST and its like
        raw = folder / name / "raw"
        return tuple(
            File(raw / file, tuple(f"{mirror.rstrip('/')}/{file}" for mirror in known.mirrors))
            for file, _ in known.resources
        )
    return (File(folder / known.filename, (known.url,)),)


def _fetch(file: File, name: str) -> Iterator[tuple[int, int]]:
    """Bytes so far and in all; the file takes its place once it is whole."""
    if file.target.exists():
        return
    file.target.parent.mkdir(parents=True, exist_ok=True)
    problems = []
    for source in file.sources:
        handle, part = tempfile.mkstemp(dir=file.target.parent, suffix=".part")
        try:
            with (
                os.fdopen(handle, "wb") as kept,
                urllib.request.urlopen(source, timeout=_TIMEOUT) as answer,
            ):
                total, done = int(answer.headers.get("Content-Length") or 0), 0
                while chunk := answer.read(_CHUNK):
                    done += kept.write(chunk)
                    yield done, total
            os.replace(part, file.target)
            return
        except (OSError, ValueError) as error:  # URLError is an OSError
            problems.append(f"{source}: {type(error).__name__}: {error}")
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
    raise SpecError(
        f"{name} could not be downloaded from {' or '.join(s.split('/')[2] for s in file.sources)}: this machine may "
        f"have no way to it. Go on with digits, which need no download, or put {file.target.name} into "
        f"{file.target.parent} by hand.",
        "data",
        detail="\n".join(problems),
    )
