"""Every setting of a measurement: what runs, where, with which numbers, and what is asked about it."""

from __future__ import annotations

from dataclasses import dataclass

from models.core.spec import Spec as BaseSpec
from models.core.spec import SpecError, Value, knob
from models.speed import subject
from models.training import network

PARTS: dict[Value, str] = {
    "benchmark": "Benchmark",
    "profile": "Profile",
    "precision": "Mixed precision",
    "memory": "FLOPs and memory",
    "compile": "Compile",
    "levers": "More levers",
}
PRECISIONS: dict[Value, str] = {
    "float32": "float32",
    "bfloat16": "bfloat16 autocast",
    "float16": "float16 autocast",
    "float64": "float64",
}


@dataclass(frozen=True)
class Spec(BaseSpec):
    """One measurement; the fields below `part` describe the subject, the last ones belong to single parts."""

    part: str = knob(
        "benchmark",
        "What is asked about the model.",
        label="Question",
        choices=tuple(PARTS),
        names=PARTS,
    )
    model: str = knob(
        "mlp",
        "What is measured.",
        label="Model",
        choices=tuple(subject.SUBJECTS),
        names={name: one.title for name, one in subject.SUBJECTS.items()},
    )
    width: int = knob(
        128,
        "Units of a layer (MLP), channels (CNN) or embedding size (attention).",
        label="Width of a layer",
        choices=(16, 32, 64, 128, 256, 512, 1024, 2048),
    )
    depth: int = knob(3, "Layers or blocks.", label="Depth in layers", minimum=1, maximum=12)
    size: int = knob(
        32,
        "Side of the image in pixels, or length of the sequence.",
        label="Image side or length",
        choices=(16, 32, 64, 96, 128, 224),
    )
    layers: str = knob(
        "8 tanh, 8 tanh",
        "Own network: hidden layers as on the Training page.",
        max_chars=400,
    )
    features: int = knob(
        2,
        "Own network: columns of the table that it reads.",
        label="Columns of the table",
        minimum=1,
        maximum=4096,
    )
    picture_layers: str = knob(
        "conv 8 3 padding=1, relu, max_pool 2, conv 16 3 padding=1, relu, max_pool 2, flatten, linear",
        "Own CNN: layers as on the CNN page, one per comma.",
        label="Layers of your CNN",
        max_chars=2000,
    )
    channels: int = knob(3, "Own CNN, small ResNet: colour channels of a picture.", choices=(1, 3))
    batch_size: int = knob(
        64, "Samples that go through together.", minimum=1, maximum=4096, log=True
    )
    precision: str = knob(
        "float32",
        "The kind of number that computes. Autocast keeps weights in float32.",
        choices=tuple(PRECISIONS),
        names=PRECISIONS,
    )
    channels_last: bool = knob(
        False,
        "Lay images out with the channels innermost (NHWC) in memory.",
        label="Channels last in memory",
    )
    optimizer: str = knob("SGD", "Rule of the full step.", choices=("SGD", "Adam", "AdamW"))
    device: str = knob("cpu", "Where it computes.", choices=("cpu", "cuda", "mps", "xpu"))
    threads: int = knob(
        1, "CPU threads that share one operation.", label="CPU threads", minimum=1, maximum=64
    )
    seed: int = knob(0, "Weights and samples.", minimum=0, maximum=9999)
    seconds: float = knob(
        0.2,
        "How long each line is measured; longer is less noisy.",
        label="Seconds per line",
        choices=(0.02, 0.1, 0.2, 0.5, 1.0, 2.0),
    )
    sweep: str = knob(
        "none",
        "Benchmark: repeat the measurement over the values of one setting.",
        label="Sweep over a setting",
        choices=("none", "batch_size", "width", "threads", "channels_last"),
        names={"none": "none", "channels_last": "memory format"},
    )
    rival: str = knob(
        "batch_size",
        "Benchmark: what is different in the second candidate, B.",
        label="Candidate B",
        choices=("same", "threads", "batch_size", "bfloat16", "channels_last"),
        names={
            "same": "nothing: the same again",
            "threads": "threads",
            "batch_size": "twice the batch",
            "bfloat16": "bfloat16 autocast",
            "channels_last": "memory format",
        },
    )
    steps: int = knob(
        3,
        "Profile: training steps that are recorded.",
        label="Recorded steps",
        minimum=1,
        maximum=20,
    )
    train_steps: int = knob(
        30,
        "Mixed precision: training steps from the same weights in each precision.",
        label="Training steps",
        minimum=5,
        maximum=200,
    )
    program: str = knob(
        "whole",
        "Compile: what the model's forward does besides computing.",
        label="Forward program",
        choices=("whole", "print", "item", "branch"),
        names={
            "whole": "only tensors",
            "print": "prints on the way",
            "item": "takes a number out",
            "branch": "asks a tensor which way to go",
        },
    )

    def check(self) -> None:
        network.parse(self.layers)
        if self.precision == "float64" and self.device == "mps":
            raise SpecError(
                "mps computes in float32 and smaller, not in float64. Choose another precision or cpu.",
                "precision",
            )
        if self.model == "own_cnn":
            reason = subject.misfit(self.picture_layers, self.channels, self.size)
            if reason:
                raise SpecError(reason, "picture_layers")
        about = subject.SUBJECTS[self.model]
        if self.size < about.least:
            raise SpecError(
                f"{about.title} halves its picture five times, so {self.size} pixels leave nothing. "
                f"Make size {about.least} or more.",
                "size",
            )
        if self.part == "benchmark":
            self._check_compared(about)

    def _check_compared(self, about: subject.Subject) -> None:
        """What a sweep or B changes has to change something about this model."""
        if self.sweep == "width" and "width" not in about.needs:
            raise SpecError(
                f"{about.title} has no width, so a sweep over it would measure the same model each time. "
                "Choose another sweep, or a model with a width.",
                "sweep",
            )
        for field in ("sweep", "rival"):
            if getattr(self, field) == "channels_last" and len(about.batch(self)) != 4:
                raise SpecError(
                    f"{about.title} reads no images (N, C, H, W), so their memory format changes nothing. "
                    f"Choose another {field}, or a model of images.",
                    field,
                )
