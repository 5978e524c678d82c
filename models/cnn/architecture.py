"""A convolutional network from a readable layer list, or a known one; what each layer costs and sees."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.core.calls import Call
from models.core.spec import SpecError

MAX_LAYERS = 40
MAX_PARAMETERS = 200_000_000

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerInfo:
    """One layer of a network as it runs.

    Attributes:
        name: its dotted name in the model ("0", "layer1.0.conv2"); kind: its class.
        code: the constructor as PyTorch prints it.
        out: shape of its output for one image, without the batch.
        parameters, multiply_adds: counts for one image; output_bytes: its output in float32.
        receptive_field: pixels of the image along an axis that one output cell sees; 0 once no plane is left.
        error: why it cannot run on what comes before it; "" when it can.
    """

    name: str
    kind: str
    code: str
    out: Shape
    parameters: int
    multiply_adds: int
    output_bytes: int
    receptive_field: int
    error: str = ""


def parse(text: str, in_channels: int, size: tuple[int, int], classes: int) -> tuple[Call, ...]:
    """The constructor calls that a layer list describes, their input sizes filled in from what comes before.

    One layer a line (or separated by commas): `conv 16 3 padding=1 stride=2`, `batch_norm`, `relu`,
    `max_pool 2`, `avg_pool 2`, `adaptive_avg_pool 1`, `dropout 0.2`, `flatten`, `linear 64`. A `linear`
    without a number has one output per class.

    Raises:
        SpecError: a line cannot be read. A layer that does not fit what comes before is no error here:
            its call is made and `describe` shows where it fails.
    """
    lines = [line.strip() for line in re.split(r"[,\n;]", text) if line.strip()]
    if not lines:
        raise SpecError(
            "The layer list is empty. Begin with a line such as: conv 8 3 padding=1", "layers"
        )
    if len(lines) > MAX_LAYERS:
        raise SpecError(f"There are {len(lines)} layers; at most {MAX_LAYERS} fit.", "layers")
    calls: list[Call] = []
    shape: Shape = (in_channels, *size)
    for number, line in enumerate(lines, 1):
        word, *rest = line.lower().split()
        make = LAYERS.get(word)
        if make is None:
            raise SpecError(
                f"Line {number} ({line[:30]!r}) names no layer known here. Use one of: {', '.join(LAYERS)}.",
                "layers",
            )
        call = make(_Arguments(number, line, rest, classes), shape)
        calls.append(call)
        shape = _shape_after(call, shape)
    return tuple(calls)


@dataclass(frozen=True)
class _Arguments:
    """The numbers of one line: positional ones and `name=value` ones, checked against their ranges."""

    number: int
    line: str
    words: list[str]
    classes: int

    def take(self, names: Mapping[str, tuple[float, float, float | None]]) -> dict[str, float]:
        """The values of `names` → (low, high, default); a default of None must be given."""
        given: dict[str, str] = {}
        free = iter(names)
        for word in self.words:
            name, equals, value = word.partition("=")
            if not equals:
                name, value = next(free, ""), word
            if name not in names or name in given:
                raise SpecError(
                    f"Line {self.number} ({self.line[:40]!r}): {word[:20]!r} is not understood. "
                    f"It takes: {', '.join(names) or 'nothing'}.",
                    "layers",
                )
            given[name] = value
        return {n: self._value(n, given.get(n), *limits) for n, limits in names.items()}

    def _value(
        self, name: str, text: str | None, low: float, high: float, default: float | None
    ) -> float:
        if text is None:
            if default is None:
                raise SpecError(f"Line {self.number} ({self.line[:40]!r}) needs {name}.", "layers")
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high or (
            float(low).is_integer() and high > 1 and value != int(value)
        ):
            raise SpecError(
                f"Line {self.number}: {name} is {text[:12]}, but must be from {low:g} to {high:g}.",
                "layers",
            )
        return value


def _conv(a: _Arguments, shape: Shape) -> Call:
    v = a.take({
        "out_channels": (1, 1024, None), "kernel_size": (1, 31, 3), "stride": (1, 16, 1),
        "padding": (0, 31, 0), "dilation": (1, 16, 1), "groups": (1, 1024, 1), "bias": (0, 1, 1),
    })  # fmt: skip
    k = {n: int(x) for n, x in v.items()}
    groups = k["groups"]
    if shape[0] % groups or k["out_channels"] % groups:
        raise SpecError(
            f"Line {a.number}: groups = {groups} does not divide the {shape[0]} channels that come in "
            f"and the {k['out_channels']} that go out. Choose a number that divides both.",
            "layers",
        )
    return Call(
        "nn.Conv2d", shape[0], k["out_channels"], k["kernel_size"],
        **{n: k[n] for n, usual in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)) if k[n] != usual},
        **({} if k["bias"] else {"bias": False}),
    )  # fmt: skip


def _linear(a: _Arguments, shape: Shape) -> Call:
    v = a.take({"out_features": (1, 4096, a.classes)})
    return Call("nn.Linear", math.prod(shape), int(v["out_features"]))


def _norm(a: _Arguments, shape: Shape) -> Call:
    a.take({})
    return Call("nn.BatchNorm2d" if len(shape) == 3 else "nn.BatchNorm1d", shape[0])


def _pool(name: str) -> Callable[[_Arguments, Shape], Call]:
    def make(a: _Arguments, shape: Shape) -> Call:
        v = a.take({"kernel_size": (1, 31, 2), "stride": (0, 16, 0), "padding": (0, 15, 0)})
        options = {n: int(v[n]) for n in ("stride", "padding") if v[n]}
        return Call(name, int(v["kernel_size"]), **options)

    return make


def _adaptive(a: _Arguments, shape: Shape) -> Call:
    return Call("nn.AdaptiveAvgPool2d", int(a.take({"output_size": (1, 64, 1)})["output_size"]))


def _dropout(a: _Arguments, shape: Shape) -> Call:
    return Call("nn.Dropout", a.take({"p": (0.0, 0.95, 0.5)})["p"])


def _plain(name: str) -> Callable[[_Arguments, Shape], Call]:
    def make(a: _Arguments, shape: Shape) -> Call:
        a.take({})
        return Call(name)

    return make


def _shape_after(call: Call, shape: Shape) -> Shape:
    """The output shape of one layer; where it does not fit, the shape its constructor promises."""
    try:
        with torch.device("meta"):
            layer = call.build().eval()
            return tuple(layer(torch.empty(1, *shape)).shape[1:])
    except (RuntimeError, ValueError, TypeError):
        if call.name == "nn.Linear":
            return (*shape[:-1], call.args[1])
        return (call.args[1], *shape[1:]) if call.name == "nn.Conv2d" else shape


def describe(model: nn.Module, shape: Shape) -> tuple[LayerInfo, ...]:
    """Every layer in the order it runs on an image of `shape` (C, H, W), without computing a number.

    Runs a copy on torch's meta device. Where a layer does not fit what comes before, it is the last one
    listed and carries the error.
    """
    model = copy.deepcopy(model).to("meta").eval()
    found: list[LayerInfo] = []
    fields: dict[int, tuple[int, int]] = {}  # id of a live tensor → (receptive field, jump)
    alive: list[Tensor] = []
    running: list[tuple[str, nn.Module, Shape]] = []

    def before(name: str, layer: nn.Module, x: Tensor) -> None:
        running.append((name, layer, tuple(x.shape[1:])))

    def after(name: str, layer: nn.Module, x: Tensor, y: Tensor) -> None:
        running.pop()
        seen = fields.get(id(x)) or max(fields.values(), default=(1, 1))
        fields[id(y)] = field = _field_after(layer, seen, tuple(x.shape[2:]))
        alive.append(y)  # keeps its id from being used again
        found.append(_info(name, layer, tuple(x.shape[1:]), tuple(y.shape[1:]), field[0]))

    for name, layer in model.named_modules():
        if not list(layer.children()):
            layer.register_forward_pre_hook(lambda m, x, name=name: before(name, m, x[0]))
            layer.register_forward_hook(lambda m, x, y, name=name: after(name, m, x[0], y))
    try:
        with torch.no_grad():
            model(torch.empty(1, *shape, device="meta"))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        name, layer, comes = running[-1] if running else ("", model, shape)
        found.append(
            LayerInfo(
                name, type(layer).__name__, str(layer), (), 0, 0, 0, 0, _misfit(layer, comes, error)
            )
        )
    return tuple(found)


def _misfit(layer: nn.Module, comes: Shape, error: Exception) -> str:
    """Why a layer cannot take what comes, with the numbers; torch's own words where the reason is none of the usual."""
    what = " × ".join(map(str, comes))
    if isinstance(layer, nn.Linear) and len(comes) > 1:
        return f"linear takes a row of numbers, but {what} comes in. Put flatten before it."
    if isinstance(layer, nn.Linear):
        return f"linear expects {layer.in_features} numbers, but {what} come in."
    if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        if len(comes) != 3:
            return f"{type(layer).__name__} slides over planes, but a row of {what} numbers comes in. Move it before flatten."
        kernel = _pair(layer.kernel_size)
        dilation, padding = _pair(getattr(layer, "dilation", 1)), _pair(layer.padding)
        span = dilation[0] * (kernel[0] - 1) + 1
        if span > comes[1] + 2 * padding[0] or span > comes[2] + 2 * padding[1]:
            return (
                f"The kernel reaches over {span} cells, but {comes[1]} × {comes[2]} cells come in"
                f"{f' (padded by {padding[0]})' if padding[0] else ''}. Make the kernel smaller, or pool less before it."
            )
        if isinstance(layer, nn.Conv2d) and comes[0] != layer.in_channels:
            return f"This layer expects {layer.in_channels} channels, but {comes[0]} come in."
        if comes[1] // 2 == 0 or comes[2] // 2 == 0:
            return f"Only {comes[1]} × {comes[2]} cells come in, too few to pool. Remove a pooling layer."
    return f"It does not fit {what}: {error}"


def _info(name: str, layer: nn.Module, comes: Shape, out: Shape, field: int) -> LayerInfo:
    parameters = sum(p.numel() for p in layer.parameters())
    cells = math.prod(out)
    adds = 0
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        adds = layer.weight[0].numel() * cells  # each output cell sums over one filter
    return LayerInfo(
        name,
        type(layer).__name__,
        str(layer),
        out,
        parameters,
        adds,
        4 * cells,
        field if len(out) == 3 else 0,
    )


def _field_after(layer: nn.Module, seen: tuple[int, int], size: Shape) -> tuple[int, int]:
    field, jump = seen
    if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        kernel = max(_pair(layer.kernel_size))
        dilation = max(_pair(getattr(layer, "dilation", 1)))
        stride = max(_pair(layer.stride if layer.stride is not None else layer.kernel_size))
        return field + (kernel - 1) * dilation * jump, jump * stride
    if isinstance(layer, nn.AdaptiveAvgPool2d) and size:
        out = _pair(layer.output_size)
        window = max(-(-n // o) for n, o in zip(size, out, strict=True))
        return field + (window - 1) * jump, jump * window
    return seen


def _pair(value: Any) -> tuple[int, int]:
    """A size as torch stores it, one number or two, as two."""
    return (value[0], value[1]) if isinstance(value, tuple) else (value, value)


class Residual(nn.Module):
    """Two 3×3 convolutions whose result is added to what came in (He et al. 2015)."""

    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.relu2 = nn.ReLU()
        same = in_channels == out_channels and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1, stride)

    def forward(self, x):
        y = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(y + self.shortcut(x))


def small_resnet(in_channels, classes):
    """Three residual blocks of 16, 32 and 64 channels, then an average over what is left of the picture."""
    return nn.Sequential(
        Residual(in_channels, 16),
        Residual(16, 32, stride=2),
        Residual(32, 64, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, classes),
    )


LAYERS: Mapping[str, Callable[[_Arguments, Shape], Call]] = {
    "conv": _conv,
    "batch_norm": _norm,
    "relu": _plain("nn.ReLU"),
    "leaky_relu": _plain("nn.LeakyReLU"),
    "gelu": _plain("nn.GELU"),
    "tanh": _plain("nn.Tanh"),
    "sigmoid": _plain("nn.Sigmoid"),
    "silu": _plain("nn.SiLU"),
    "max_pool": _pool("nn.MaxPool2d"),
    "avg_pool": _pool("nn.AvgPool2d"),
    "adaptive_avg_pool": _adaptive,
    "dropout": _dropout,
    "flatten": _plain("nn.Flatten"),
    "linear": _linear,
}

# Layer lists of known small networks, to start from and to edit.
KNOWN: Mapping[str, str] = {
    "tiny": "conv 8 3 padding=1\nrelu\nmax_pool 2\nconv 16 3 padding=1\nrelu\nmax_pool 2\nflatten\nlinear",
    # LeCun et al. 1998, with the smaller of its sizes where the picture is 32 × 32
    "LeNet-5": "conv 6 5 padding=2\ntanh\navg_pool 2\nconv 16 5\ntanh\navg_pool 2\nflatten\nlinear 120\ntanh\nlinear 84\ntanh\nlinear",
    # the network of CNN Explainer (Wang et al. 2020)
    "Tiny-VGG": "conv 10 3\nrelu\nconv 10 3\nrelu\nmax_pool 2\nconv 10 3\nrelu\nconv 10 3\nrelu\nmax_pool 2\nflatten\nlinear",
}
# torchvision's builders by the name the menu shows, and the smallest picture they take
TORCHVISION: Mapping[str, int] = {
    "vgg16": 32,
    "resnet18": 32,
    "resnet50": 32,
    "mobilenet_v3_small": 32,
}
