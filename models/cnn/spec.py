"""Every setting of training a network on pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass

from models.cnn import architecture, data
from models.core.spec import SpecError, Value, knob
from models.training.changes import MAX_EPOCHS
from models.training.spec import RunSpec

NAMED = (*architecture.KNOWN, "small ResNet", *architecture.TORCHVISION)


@dataclass(frozen=True)
class Spec(RunSpec):
    """Pictures, network, augmentation, and how it is trained; see each field's help."""

    data: str = knob(
        "digits",
        "Pictures to learn from: digits, photos, an own set (upload: and its id), or one that is downloaded once.",
        max_chars=80,
    )
    image_size: int = knob(16, "Pixels per side that the network sees.", minimum=8, maximum=224)
    colours: str = knob(
        "own",
        "Channels: as the pictures have, one (grey) or three.",
        label="Channels",
        choices=("own", "grey", "RGB"),
    )
    limit: int = knob(
        0, "Use only so many pictures; 0 is all.", label="Most images", minimum=0, maximum=60_000
    )
    data_seed: int = knob(
        0,
        "Which pictures fall into which split.",
        label="Seed of the split",
        minimum=0,
        maximum=2**31 - 1,
    )
    network: str = knob(
        "tiny", "A known network, or your own layer list.", choices=(*NAMED, "own list")
    )
    layers: str = knob(
        architecture.KNOWN["tiny"].replace("\n", ", "),
        "Your own network: one layer per line or comma.",
        max_chars=2000,
    )
    degrees: float = knob(
        15.0,
        "Each picture is turned by up to this angle.",
        label="Rotation in degrees",
        minimum=0.0,
        maximum=180.0,
        step=1.0,
    )
    shift: float = knob(
        0.1,
        "… moved by up to this share of its side.",
        label="Shift",
        minimum=0.0,
        maximum=0.5,
        step=0.01,
    )
    zoom: float = knob(
        0.25, "… and scaled by up to this share.", label="Zoom", minimum=0.0, maximum=0.9, step=0.05
    )
    flip: bool = knob(
        False, "Half of the pictures are mirrored left to right.", label="Mirror left to right"
    )
    pixel_noise: float = knob(
        0.0, "Standard deviation of noise added to each pixel.", minimum=0.0, maximum=1.0, step=0.01
    )
    loss: str = knob(
        "auto",
        "What is made small; auto is cross-entropy, multi_margin the hinge loss of support vector machines.",
        choices=("auto", "cross_entropy", "multi_margin"),
    )
    optimizer: str = knob("Adam", "Rule that turns gradients into updates.", choices=("SGD", "Adam", "AdamW", "RMSprop", "Adagrad"))  # fmt: skip
    lr: float = knob(
        0.005, "The size of each step.", label="Learning rate", minimum=1e-6, maximum=1e4, log=True, live=True
    )  # fmt: skip
    step_size: int = knob(
        5,
        "StepLR: epochs between two changes.",
        label="Epochs per step",
        minimum=1,
        maximum=MAX_EPOCHS,
    )
    batch_size: int = knob(64, "Pictures per step.", minimum=1, maximum=65_536)
    epochs: int = knob(30, "Passes over the training pictures.", minimum=1, maximum=MAX_EPOCHS)

    def check(self) -> None:
        super().check()
        outputs = self.outputs  # says so where the pictures are not on this server
        if self.network == "own list":
            calls = architecture.parse(self.layers, self.channels, self.size, outputs)
            if calls[-1].name == "nn.Linear" and calls[-1].args[1] != outputs:
                raise SpecError(
                    f"The last layer gives {calls[-1].args[1]} numbers, but the pictures have {outputs} classes. "
                    "Write linear without a number.",
                    "layers",
                )
        smallest = architecture.TORCHVISION.get(self.network, 1)
        if self.image_size < smallest:
            raise SpecError(
                f"{self.network} halves a picture five times, so it takes {smallest} pixels or more; image_size is "
                f"{self.image_size}. Set it to {smallest}.",
                "image_size",
            )
        if 0 < self.limit < 100:
            raise SpecError(
                f"limit is {self.limit}; three splits of ten classes take at least 100 pictures. Take more, or 0 for all.",
                "limit",
            )

    @property
    def channels(self) -> int:
        """Colour channels that the network sees."""
        own = data.channels_of(self.data)
        return {"own": own, "grey": 1, "RGB": 3}[self.colours]

    @property
    def size(self) -> tuple[int, int]:
        return (self.image_size, self.image_size)

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return len(data.names_of(self.data))

    @property
    def list(self) -> str:
        """The layer list; "" for a network that is none."""
        return (
            self.layers if self.network == "own list" else architecture.KNOWN.get(self.network, "")
        )

    def leaky(self) -> dict[str, Value]:
        if not self.list:
            return {}  # a network that is no list keeps its activations
        text = re.sub(r"\brelu\b", "leaky_relu", self.list.replace("\n", ", "))
        return {"network": "own list", "layers": text}
