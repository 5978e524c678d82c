"""A learner's checkpoint, opened in a worker: which settings it was saved with, and where it stood."""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass
from typing import Any

from models.core import spec as core
from models.core.spec import SpecError, knob
from models.data import workspace
from models.training import checkpoint


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which upload, and which topic it has to be of."""

    data: str = knob("", "The upload: upload: and the sha256 of its content.", max_chars=80)
    topic: str = knob(
        "models.training",
        "Whose settings it holds.",
        choices=("models.training", "models.cnn"),
        label="Whose settings",
    )

    def check(self) -> None:
        if not self.data:
            raise SpecError("No checkpoint is chosen. Upload one.", "data")


@dataclass(frozen=True)
class Result:
    """What a checkpoint says of itself.

    Attributes:
        fields: of the topic's `Spec`, by name. epoch: where training stood.
    """

    fields: dict[str, Any]
    epoch: float


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """The checkpoint's settings and position; nothing in it is run.

    Raises:
        SpecError: the upload is not on this server, or no checkpoint of this topic.
    """
    path = workspace.get(spec.data.removeprefix("upload:"))
    if path.stat().st_size > checkpoint.MAX_BYTES:
        raise SpecError(
            f"The file has {path.stat().st_size / 2**20:.0f} MB; a checkpoint of this page has at most "
            f"{checkpoint.MAX_BYTES // 2**20} MB. Choose one saved here."
        )
    topic: Any = importlib.import_module(spec.topic)
    loaded = checkpoint.read(path.read_bytes(), topic.Spec)
    return Result(dataclasses.asdict(loaded.spec), loaded.state.epoch)
