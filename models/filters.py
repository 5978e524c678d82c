"""A small kernel slid over a real picture: blur it, sharpen it, find its edges."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.core import export, seeding
from models.core import spec as core
from models.core.spec import SpecError, knob
from models.data import images

MAX_LAYERS = 8


@dataclass(frozen=True)
class Spec(core.Spec):
    """A picture, a kernel and how often it is applied."""

    image: str = knob("china", "A bundled picture, or upload:<sha256> of your own.", max_chars=80)
    longest: int = knob(
        480,
        "The picture is reduced to this many pixels on its longer side.",
        label="Longer side in pixels",
        minimum=1,
        maximum=1024,
    )
    gray: bool = knob(
        False, "One channel (brightness) instead of red, green and blue.", label="Grey image"
    )
    kernel: str = knob(
        "sobel_x",
        "A known kernel, random numbers, or your own.",
        choices=(
            "identity", "box", "gaussian", "sharpen", "emboss", "sobel_x", "sobel_y", "laplacian",
            "gabor", "random", "typed",
        ),
    )  # fmt: skip
    kernel_size: int = knob(
        3,
        "Rows and columns of box, Gaussian, Gabor and random kernels.",
        minimum=1,
        maximum=31,
        step=2,
    )
    sigma: float = knob(
        1.5,
        "Width of Gaussian and Gabor, in pixels.",
        label="Width of the bell",
        minimum=0.2,
        maximum=10.0,
        step=0.1,
    )
    theta: float = knob(
        0.0,
        "Direction of the Gabor waves, in degrees.",
        label="Direction in degrees",
        minimum=0.0,
        maximum=180.0,
        step=5.0,
    )
    wavelength: float = knob(
        4.0, "Distance between Gabor waves, in pixels.", minimum=1.0, maximum=20.0, step=0.5
    )
    weights: str = knob(
        "",
        "A typed kernel: numbers by comma, rows by semicolon.",
        label="Typed kernel",
        max_chars=12_000,
    )
    flip: bool = knob(
        False,
        "True convolution turns the kernel by 180°; PyTorch's conv2d (cross-correlation) does not.",
        label="Turn the kernel",
    )
    stride: int = knob(1, "Pixels the kernel moves each time.", minimum=1, maximum=16)
    dilation: int = knob(1, "Distance between the kernel's cells.", minimum=1, maximum=16)
    padding_mode: str = knob(
        "reflect",
        "What lies beyond the border, so that the size stays; 'valid' adds nothing.",
        choices=("zeros", "reflect", "replicate", "circular", "valid"),
    )
    layers: int = knob(
        1,
        "How often the kernel is applied, one after another.",
        label="Times applied",
        minimum=1,
        maximum=8,
    )
    then: str = knob(
        "",
        "Further layers after those: names of kernels in their order, such as gaussian, laplacian.",
        label="Kernels after that",
        max_chars=120,
        example="gaussian, laplacian",
    )
    relu: bool = knob(
        False, "Set what is negative to zero after each layer.", label="Negative to zero"
    )
    seed: int = knob(0, "Seed of a random kernel.", minimum=0, maximum=2**31 - 1)

    def check(self) -> None:
        if self.kernel_size % 2 == 0:
            raise SpecError(
                f"kernel_size is {self.kernel_size}; it must be odd, so that the kernel has a centre. "
                f"Choose {self.kernel_size - 1} or {self.kernel_size + 1}.",
                "kernel_size",
            )
        if self.image not in images.BUNDLED and not self.image.startswith("upload:"):
            raise SpecError(
                f"There is no picture {self.image[:40]!r}; choose one of: {', '.join(images.BUNDLED)}, "
                "or upload your own.",
                "image",
            )
        make_kernel(self)
        sequence(self)


@dataclass(frozen=True)
class Result:
    """The picture before and after each layer.

    Shape:
        before: (C, H, W) in [0, 1]; kernel: (kH, kW) of the first layer; after: one (C, H_i, W_i) per layer, unclipped.
        receptive_field: rows and columns of the original that one pixel of each layer sees.
    """

    before: Tensor
    kernel: Tensor
    after: tuple[Tensor, ...]
    receptive_field: tuple[tuple[int, int], ...]


def run(spec: Spec, pixels: Tensor | None = None, *, device: str = "cpu") -> Result:
    """The kernel applied to every channel of the picture by itself.

    Args:
        pixels: an own picture as `picture` gives it, (C, H, W) in [0, 1]; otherwise the bundled one.
    Raises:
        SpecError: the kernel does not fit the picture.
    """
    pixels = picture(spec) if pixels is None else pixels
    kernels = [_turned(spec, make_kernel(layer)) for layer in sequence(spec)]
    x = pixels.to(device)
    after, fields, field, jump = [], [], (1, 1), 1
    for kernel in kernels:
        _check_fit(spec, kernel, x)
        x = apply_kernel(x, kernel.to(device), spec.stride, spec.dilation, spec.padding_mode)
        x = x.relu() if spec.relu else x
        down, across = (
            f + (k - 1) * spec.dilation * jump for f, k in zip(field, kernel.shape, strict=True)
        )
        field = (down, across)
        jump *= spec.stride
        after.append(x.cpu())
        fields.append(field)
    return Result(pixels, kernels[0], tuple(after), tuple(fields))


def sequence(spec: Spec) -> tuple[Spec, ...]:
    """The settings of each layer, the first applied first: `kernel` so often as `layers` says, then those of `then`.

    Raises:
        SpecError: `then` names no kernel, or there are more than MAX_LAYERS.
    """
    names = [
        word for word in spec.then.replace(";", ",").lower().replace(" ", "").split(",") if word
    ]
    for name in names:
        if name not in _NAMED:
            raise SpecError(
                f"then names {name[:20]!r}, which is no kernel. These are: {', '.join(_NAMED)}.",
                "then",
            )
    if spec.layers + len(names) > MAX_LAYERS:
        raise SpecError(
            f"{spec.layers} layers and {len(names)} after them are {spec.layers + len(names)}; at most {MAX_LAYERS} "
            "are drawn. Make layers smaller, or take some out of then.",
            "then",
        )
    first = (
        [dataclasses.replace(spec, then="")] * spec.layers if spec.then else [spec] * spec.layers
    )
    return (*first, *(dataclasses.replace(spec, kernel=name, then="") for name in names))


def _turned(spec: Spec, kernel: Tensor) -> Tensor:
    return kernel.flip(0, 1) if spec.flip else kernel


def apply_kernel(x, kernel, stride=1, dilation=1, padding_mode="zeros"):
    """Slide one kernel over every channel of a picture: x (C, H, W), kernel (kH, kW)."""
    channels = x.shape[0]
    if padding_mode != "valid":
        down, across = (dilation * (k - 1) for k in kernel.shape)
        sides = (across // 2, across - across // 2, down // 2, down - down // 2)
        mode = "constant" if padding_mode == "zeros" else padding_mode
        x = F.pad(x[None], sides, mode=mode)[0]
    weight = kernel.expand(channels, 1, *kernel.shape)  # depthwise: one group per channel
    return F.conv2d(x[None], weight, stride=stride, dilation=dilation, groups=channels)[0]


def picture(spec: Spec, data: bytes | None = None, name: str = "the picture") -> Tensor:
    """The picture a spec names, at its size: bundled, or decoded from a file's bytes. Shape: (C, H, W) in [0, 1]."""
    if data is not None:
        return images.decode(data, name, gray=spec.gray, longest=spec.longest).pixels
    if spec.image not in images.BUNDLED:
        raise SpecError(
            "The picture of this link is not on this server. Upload it again, or choose a bundled one.",
            "image",
        )
    return images.to_tensor(images.bundled(spec.image), spec.gray, spec.longest)


def make_kernel(spec: Spec) -> Tensor:
    """The kernel's numbers. Shape: (kH, kW)."""
    if spec.kernel == "typed":
        return _typed(spec.weights)
    if spec.kernel in FIXED:
        return torch.tensor(FIXED[spec.kernel])
    n, s = spec.kernel_size, spec.sigma
    line = torch.arange(n) - n // 2.0
    y, x = torch.meshgrid(line, line, indexing="ij")
    bell = torch.exp(-(x**2 + y**2) / (2 * s**2))
    if spec.kernel == "box":
        return torch.full((n, n), 1 / n**2)
    if spec.kernel == "gaussian":
        return bell / bell.sum()
    if spec.kernel == "gabor":
        angle = math.radians(spec.theta)
        along = x * math.cos(angle) + y * math.sin(angle)
        wave = bell * torch.cos(2 * math.pi * along / spec.wavelength)
        return (wave - wave.mean()) / (wave - wave.mean()).abs().sum().clamp_min(1e-12)
    return torch.randn(n, n, generator=seeding.generator(spec.seed)) / n


def numbers(result: Result) -> dict[str, float]:
    """What the exported script prints."""
    last = result.after[-1]
    return {
        "height": last.shape[1],
        "width": last.shape[2],
        "smallest": float(last.min()),
        "largest": float(last.max()),
        "mean": float(last.mean()),
    }


def to_code(spec: Spec) -> str:
    """The same picture and kernel as plain PyTorch; an own picture is read from the script's folder."""
    layers = sequence(spec)
    kernels = [
        _turned(spec, make_kernel(layer)).tolist() for layer in (layers[0], *layers[spec.layers :])
    ]
    opened = images.code(spec.image)
    step = f"x = apply_kernel(x, kernel, {spec.stride}, {spec.dilation}, {spec.padding_mode!r})"
    if spec.relu:
        step += ".relu()"
    return export.script(
        f"{spec.kernel} over a picture",
        [
            "import numpy as np\nimport torch\nfrom PIL import Image, ImageOps\nfrom torch.nn import functional as F",
            export.source(*images.TO_TENSOR),
            export.source(apply_kernel),
            f"{opened}\nx = to_tensor(image, gray={spec.gray}, longest={spec.longest})  # (C, H, W)",
            "kernels = [\n"
            + "".join(f"    torch.tensor({kernel!r}),\n" for kernel in kernels)
            + f"]\nfor kernel in [kernels[0]] * {spec.layers} + kernels[1:]:\n    {step}",
            'print("height =", x.shape[1])\nprint("width =", x.shape[2])\n'
            'print("smallest =", x.min().item())\nprint("largest =", x.max().item())\nprint("mean =", x.mean().item())',
        ],
    )


def _check_fit(spec: Spec, kernel: Tensor, x: Tensor) -> None:
    for name, size, k in zip(("height", "width"), x.shape[1:], kernel.shape, strict=True):
        span = spec.dilation * (k - 1) + 1
        half = span - 1 - (span - 1) // 2
        if spec.padding_mode == "valid" and span > size:
            raise SpecError(
                f"The kernel reaches over {span} pixels, but the picture's {name} is {size} here. "
                "Make kernel_size, dilation, stride or layers smaller.",
                "kernel_size",
            )
        if (spec.padding_mode == "reflect" and half >= size) or (
            spec.padding_mode == "circular" and half > size
        ):
            raise SpecError(
                f"padding_mode = {spec.padding_mode} would widen the {name} of {size} pixels by {half}. "
                "Choose zeros or replicate, or a smaller kernel.",
                "padding_mode",
            )


def _typed(text: str) -> Tensor:
    rows = [row for row in text.replace("\n", ";").split(";") if row.strip()]
    if not rows:
        raise SpecError(
            "Type the kernel: numbers by comma, rows by semicolon, such as 0,1,0;1,-4,1;0,1,0.",
            "weights",
        )
    try:
        cells = [[float(cell) for cell in row.split(",")] for row in rows]
    except ValueError as error:
        raise SpecError(
            f"The typed kernel holds something that is no number: {str(error)[-40:]}.", "weights"
        ) from None
    if len({len(row) for row in cells}) > 1:
        raise SpecError(
            f"The typed kernel's rows have {', '.join(str(len(row)) for row in cells)} numbers. Give every row as many.",
            "weights",
        )
    if len(cells) > 31 or len(cells[0]) > 31:
        raise SpecError(
            f"The typed kernel is {len(cells)} × {len(cells[0])}; at most 31 × 31 fit.", "weights"
        )
    kernel = torch.tensor(cells)
    if not bool(kernel.isfinite().all()):
        raise SpecError(
            "The typed kernel holds a number that is not finite. Type digits such as -0.5.",
            "weights",
        )
    return kernel


FIXED = {
    "identity": [[0.0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "sharpen": [[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "emboss": [[-2.0, -1, 0], [-1, 1, 1], [0, 1, 2]],
    "sobel_x": [[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "sobel_y": [[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]],
    "laplacian": [[0.0, 1, 0], [1, -4, 1], [0, 1, 0]],
}
_NAMED = (*FIXED, "box", "gaussian", "gabor", "random")
VARIATIONS = {
    "then": Spec(then="gaussian, laplacian"),
    "kernel_size": Spec(kernel="box", kernel_size=5),
    "sigma": Spec(kernel="gaussian", sigma=3.0),
    "theta": Spec(kernel="gabor", theta=45.0, kernel_size=7),
    "wavelength": Spec(kernel="gabor", wavelength=6.0, kernel_size=7),
    "weights": Spec(kernel="typed", weights="1,0;0,-1"),
    "seed": Spec(kernel="random", seed=1),
    "image": Spec(image="flower"),
}
