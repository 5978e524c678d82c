"""A learner's weights file, opened in a worker: whether it holds weights, and the same as safetensors beside it."""

from __future__ import annotations

from dataclasses import dataclass

from models.cnn import looking
from models.core import spec as core
from models.core.spec import SpecError, knob
from models.data import workspace


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which upload, and whether the page knows its network already."""

    data: str = knob("", "The upload: upload: and the sha256 of its content.", max_chars=80)
    network: str = knob("", "The network it is for; empty: the file itself has to say.")

    def check(self) -> None:
        if not self.data:
            raise SpecError("No weights file is chosen. Upload one.", "weights")


@dataclass(frozen=True)
class Result:
    """How many tensors the file holds."""

    tensors: int


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """Open the file; where it is no safetensors file, its tensors lie beside it as one afterwards.

    Raises:
        SpecError: the upload is not on this server, holds more than tensors, or does not name its network.
    """
    file = looking.content(spec.data)
    if not spec.network:
        looking.spec_of(file)  # says so when it is no file of this page
    state = looking.state_dict(file)
    if not looking.is_plain(file):
        looking.keep_plain(workspace.folder(spec.data.removeprefix("upload:")), state)
    return Result(len(state))
