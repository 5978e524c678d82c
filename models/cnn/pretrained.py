"""ImageNet weights of a known network, downloaded once through torchvision, where the network allows."""

from __future__ import annotations

import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.cnn import architecture
from models.core import spec as core
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob
from models.data import workspace

_CHUNK = 1 << 20
_TIMEOUT = 10.0  # seconds without an answer


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which network."""

    network: str = knob(
        "resnet18", "A network of torchvision.", choices=tuple(architecture.TORCHVISION)
    )


def megabytes(name: str) -> float:
    """How much has to be downloaded."""
    return float(_weights(name).meta["_file_size"])


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """Downloads, and puts the file into the workspace; rows tell how far it is, the last frame names it.

    Raises:
        SpecError: the network did not give it.
    """
    control = control or Control()
    url = _weights(spec.network).url
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "weights.pth"
        try:
            for done, total in _fetched(url, target):
                if control.due():
                    control.gate()
                    share = done / max(1, total)
                    row = {"step": done, "epoch": share}
                    yield Snapshot(done, share, rows=(row,), frame={"done": done, "total": total})
        except (OSError, ValueError) as error:  # URLError is an OSError
            raise SpecError(
                f"The weights of {spec.network} could not be downloaded from {url.split('/')[2]}: this machine may have "
                "no way to it. Download the file elsewhere and give it here, or go on with random weights.",
                "weights",
                detail=f"{type(error).__name__}: {error}",
            ) from None
        kept = workspace.put(target, url.rsplit("/", 1)[1])
    yield Snapshot(1, 1.0, rows=({"step": 1, "epoch": 1.0},), frame={"weights": kept}, final=True)


def _fetched(url: str, target: Path) -> Iterator[tuple[int, int]]:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, target.open("wb") as file:
        total, done = int(answer.headers.get("Content-Length", 0)), 0
        while chunk := answer.read(_CHUNK):
            done += file.write(chunk)
            yield done, total


def _weights(name: str) -> Any:
    from torchvision.models import get_model_weights  # slow to import

    known: Any = get_model_weights(name)
    return known.DEFAULT
