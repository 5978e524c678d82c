"""A learner's picture, opened in a worker: whether it is one, and its pixels as a page looks at them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.core import spec as core
from models.core.spec import SpecError, knob
from models.data import images, workspace


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which upload, and how its pixels are wanted; see `images.decode`."""

    data: str = knob("", "The upload: upload: and the sha256 of its content.", max_chars=80)
    gray: bool = knob(False, "One channel in place of three.", label="Grey")
    longest: int = knob(
        64, "Pixels of the longer side at most.", minimum=1, maximum=2048, label="Longer side"
    )

    def check(self) -> None:
        if not self.data:
            raise SpecError("No picture is chosen. Upload one.", "data")


@dataclass(frozen=True)
class Result:
    """The opened picture.

    Attributes:
        pixels: (3 or 1, H, W) uint8; what `images.decode` gives, times 255.
        notes: what was done to it, one sentence each.
    """

    pixels: Tensor
    notes: tuple[str, ...]


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """The picture's pixels.

    Raises:
        SpecError: the upload is not on this server, or it is no picture.
    """
    id = spec.data.removeprefix("upload:")
    name = workspace.display_name(workspace.about(id).name)
    data = workspace.get(id).read_bytes()
    found = images.decode(data, name, gray=spec.gray, longest=spec.longest)
    return Result((found.pixels * 255).round().to(torch.uint8), found.notes)
