"""What is measured: a model at chosen sizes with a batch for it, the same in the app and in the script."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from models.core import export, seeding
from models.core.calls import Call
from models.training import network

CLASSES = 10


def mlp(width, depth):
    hidden = [m for _ in range(depth) for m in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(width, 10))


def cnn(width, depth):
    blocks = []
    for i in range(depth):
        conv = nn.Conv2d(width if i else 3, width, 3, padding=1, bias=False)
        blocks += [conv, nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def attention(width, depth, size):
    # dropout off: a mask per call would be one more random thing to compare
    blocks = [
        nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
        for _ in range(depth)
    ]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(size * width, 10))


def known(name):
    import torchvision

    return torchvision.models.get_model(name, weights=None, num_classes=10)


@dataclass(frozen=True)
class Subject:
    """One kind of model.

    Attributes:
        title: its shown name.
        needs: the settings that shape it.
        least: the smallest `size` that it takes.
        batch: shape of one batch, from the spec.
        functions: what a script needs to make it; the last one does so, from `arguments` of the spec.
        layers: where there are none: its layer list as constructor calls.
    """

    title: str
    needs: tuple[str, ...]
    least: int
    batch: Callable[[Any], tuple[int, ...]]
    functions: Callable[[], tuple[Callable[..., Any], ...]]
    arguments: Callable[[Any], tuple[Any, ...]] = lambda spec: ()
    layers: Callable[[Any], tuple[Call, ...]] = lambda spec: ()

    def build(self, spec: Any) -> nn.Module:
        """The model on the CPU (or the device of the context), weights from the default generator."""
        if not (functions := self.functions()):
            return network.build(self.layers(spec), "default")
        return functions[-1](*self.arguments(spec))

    def code(self, spec: Any) -> str:
        """What `build` does, as source text."""
        if not (functions := self.functions()):
            return f"nn.Sequential({', '.join(call.code() for call in self.layers(spec))})"
        return f"{functions[-1].__name__}({', '.join(map(repr, self.arguments(spec)))})"


@dataclass(frozen=True)
class Made:
    """A model with one batch, where and how the spec wants them.

    Shape:
        x: see `Subject.batch`; y: (N,) class numbers.
    """

    model: nn.Module
    x: torch.Tensor
    y: torch.Tensor


def prepare(model, shape, seed, device="cpu", dtype=torch.float32, channels_last=False):
    """Put the model and a batch of random samples with 10 classes where they are measured."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator).to(device, dtype)
    y = torch.randint(10, shape[:1], generator=generator).to(device)
    model = model.to(device, dtype).train()
    if channels_last and x.dim() == 4:
        model, x = (
            model.to(memory_format=torch.channels_last),
            x.to(memory_format=torch.channels_last),
        )
    torch.manual_seed(seed)  # dropout hides the same units every time
    return model, x, y


def make(spec: Any, device: str | None = None) -> Made:
    """The subject of a spec; `device` "meta" gives shapes without numbers."""
    about = SUBJECTS[spec.model]
    with seeding.seeded(spec.seed), torch.device("meta" if device == "meta" else "cpu"):
        model = about.build(spec)
    shape = about.batch(spec)
    kind = dtype(spec)
    if device == "meta":
        x = torch.empty(shape, dtype=kind, device="meta")
        return Made(
            model.to(kind).train(), x, torch.empty(shape[:1], dtype=torch.long, device="meta")
        )
    return Made(*prepare(model, shape, spec.seed, device or spec.device, kind, spec.channels_last))


def dtype(spec: Any) -> torch.dtype:
    """The dtype of weights and batch; autocast leaves both in float32."""
    return torch.float64 if spec.precision == "float64" else torch.float32


def autocast(spec: Any) -> torch.dtype | None:
    """The dtype that autocast computes in, or None."""
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(spec.precision)


def cells(spec: Any) -> list[str]:
    """The script's first cells: imports, the functions that make `model`, `x` and `y`, and their call."""
    about = SUBJECTS[spec.model]
    return [
        f"import torch\nfrom torch import nn\n\ntorch.set_num_threads({spec.threads})",
        export.source(*about.functions(), prepare),
        setup(spec),
    ]


def setup(spec: Any, suffix: str = "") -> str:
    """Source of the calls that make a model and its batch; `suffix` goes behind their names."""
    about = SUBJECTS[spec.model]
    how = [f"seed={spec.seed}"]
    how += [f'device="{spec.device}"'] if spec.device != "cpu" else []
    how += ["dtype=torch.float64"] if spec.precision == "float64" else []
    how += ["channels_last=True"] if spec.channels_last else []
    model, x, y = (f"{name}{suffix}" for name in ("model", "x", "y"))
    return (
        f"torch.manual_seed({spec.seed})  # the same weights every time\n"
        f"{model} = {about.code(spec)}\n"
        f"{model}, {x}, {y} = prepare({model}, {about.batch(spec)}, {', '.join(how)})"
    )


def factory(spec: Any) -> str:
    """Source of `fresh(seed, times, channels_last)`, which makes the model with so many times the batch."""
    about = SUBJECTS[spec.model]
    how = ["seed"]
    how += [f'device="{spec.device}"'] if spec.device != "cpu" else []
    how += ["dtype=torch.float64"] if spec.precision == "float64" else []
    count, *rest = about.batch(spec)
    shape = ", ".join([f"{count} * times", *map(str, rest)])
    return (
        f"def fresh(seed={spec.seed}, times=1, channels_last={spec.channels_last}):\n"
        "    torch.manual_seed(seed)  # the same weights every time\n"
        f"    model = {about.code(spec)}\n"
        f"    return prepare(model, ({shape}), {', '.join(how)}, channels_last=channels_last)"
    )


def _own(spec: Any) -> tuple[Call, ...]:
    return network.modules(network.parse(spec.layers), spec.features, CLASSES)


def _architecture() -> Any:
    """The CNN page's networks; with them comes torchvision, for which other subjects need not wait."""
    from models.cnn import architecture

    return architecture


def _residual() -> tuple[Callable[..., Any], ...]:
    return _architecture().Residual, _architecture().small_resnet


def _pictures(spec: Any) -> tuple[Call, ...]:
    return _architecture().parse(
        spec.picture_layers, spec.channels, (spec.size, spec.size), CLASSES
    )


@functools.lru_cache(maxsize=64)
def misfit(layers: str, channels: int, size: int) -> str:
    """What is wrong with a layer list for pictures of this size, or "".

    Raises:
        SpecError: a line of it cannot be read.
    """
    architecture = _architecture()
    calls = architecture.parse(layers, channels, (size, size), CLASSES)
    found = architecture.describe(
        nn.Sequential(*[call.build() for call in calls]), (channels, size, size)
    )
    if found[-1].error:
        return f"Layer {len(found)} ({found[-1].code}): {found[-1].error}"
    if found[-1].out != (CLASSES,):
        out = " × ".join(map(str, found[-1].out))
        return f"The network ends with {out} numbers for a picture, but {CLASSES} classes are measured. End it with flatten and linear."
    return ""


def _coloured(spec: Any) -> tuple[int, ...]:
    return (spec.batch_size, spec.channels, spec.size, spec.size)


def _image(spec: Any) -> tuple[int, ...]:
    return (spec.batch_size, 3, spec.size, spec.size)


def _known(title: str, name: str) -> Subject:
    return Subject(title, ("size",), 32, _image, lambda: (known,), lambda spec: (name,))


SUBJECTS: dict[str, Subject] = {
    "mlp": Subject(
        "MLP",
        ("width", "depth"),
        1,
        lambda s: (s.batch_size, s.width),
        lambda: (mlp,),
        lambda s: (s.width, s.depth),
    ),
    "cnn": Subject(
        "CNN", ("width", "depth", "size"), 1, _image, lambda: (cnn,), lambda s: (s.width, s.depth)
    ),
    "attention": Subject(
        "Attention blocks",
        ("width", "depth", "size"),
        1,
        lambda s: (s.batch_size, s.size, s.width),
        lambda: (attention,),
        lambda s: (s.width, s.depth, s.size),
    ),
    "small_resnet": Subject(
        "Small ResNet",
        ("channels", "size"),
        1,
        _coloured,
        _residual,
        lambda s: (s.channels, CLASSES),
    ),
    "resnet18": _known("ResNet-18", "resnet18"),
    "resnet50": _known("ResNet-50", "resnet50"),
    "vgg16": _known("VGG-16", "vgg16"),
    "mobilenet_v3_small": _known("MobileNetV3 small", "mobilenet_v3_small"),
    "squeezenet1_1": _known("SqueezeNet 1.1", "squeezenet1_1"),
    "own": Subject(
        "Own network",
        ("layers", "features"),
        1,
        lambda s: (s.batch_size, s.features),
        lambda: (),
        layers=_own,
    ),
    "own_cnn": Subject(
        "Own CNN",
        ("picture_layers", "channels", "size"),
        1,
        _coloured,
        lambda: (),
        layers=_pictures,
    ),
}
