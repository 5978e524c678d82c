"""Transforms of pictures from a readable list: torchvision's own names and arguments, one step a line."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from models.core.calls import _code
from models.core.seeding import seeded
from models.core.spec import SpecError

MAX_STEPS = 12
MAX_NUMBER = 512  # pixels, degrees, bits: nothing useful is larger

DEFAULT = "RandomHorizontalFlip\nRandomRotation 15\nColorJitter 0.3 0.3\nToFloat\nNormalize"


@dataclass(frozen=True)
class Step:
    """One transform as it is made and as it is printed.

    Attributes:
        line: the learner's text; name: its word in STEPS; args, kwargs: its arguments.
        random: draws anew for every picture.
    """

    line: str
    name: str
    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...]

    @property
    def random(self) -> bool:
        return STEPS[self.name].random

    def build(self, mean: list[float], std: list[float]) -> nn.Module:
        if self.name == "ToFloat":
            return v2.ToDtype(torch.float32, scale=True)
        if self.name == "Normalize" and not self.args:
            return v2.Normalize(mean, std)
        return getattr(v2, self.name)(*self.args, **dict(self.kwargs))

    def code(self) -> str:
        """The constructor's call; `mean` and `std` are names of the script."""
        if self.name == "ToFloat":
            return "v2.ToDtype(torch.float32, scale=True)"
        if self.name == "Normalize" and not self.args:
            return "v2.Normalize(mean, std)"
        shown = [_code(a) for a in self.args] + [f"{k}={_code(v)}" for k, v in self.kwargs]
        return f"v2.{self.name}({', '.join(shown)})"


@dataclass(frozen=True)
class Known:
    """A transform on the menu: what it does, an example line, and whether it draws anew for each picture."""

    about: str
    example: str
    random: bool = True


@dataclass(frozen=True)
class Stage:
    """A picture after a step: (C, H, W), its value range and type."""

    line: str
    pixels: Tensor
    low: float
    high: float


@lru_cache(maxsize=256)
def parse(text: str, side: int = 64) -> tuple[Step, ...]:
    """The steps of a list such as "RandomCrop 56 padding=4", tried on a grey picture of `side` pixels.

    Raises:
        SpecError: a line is no known transform, its arguments do not fit, or a step does not fit the ones before.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_STEPS:
        raise SpecError(f"The list has {len(lines)} steps; at most {MAX_STEPS} fit.", "transforms")
    steps = tuple(_step(number, line) for number, line in enumerate(lines, 1))
    _try(steps, side)
    return steps


def pipeline(
    steps: tuple[Step, ...], mean: list[float], std: list[float], *, augment: bool = True
) -> v2.Compose | None:
    """The steps as one transform, without the random ones when `augment` is False; None when there are none."""
    kept = [s for s in steps if augment or not s.random]
    return v2.Compose([s.build(mean, std) for s in kept]) if kept else None


def pipeline_code(steps: tuple[Step, ...], *, augment: bool = True) -> str:
    """The same as source text."""
    kept = [s for s in steps if augment or not s.random]
    if not kept:
        return "None"
    return "v2.Compose([\n" + "".join(f"    {s.code()},\n" for s in kept) + "])"


def stages(
    steps: tuple[Step, ...], pixels: Tensor, mean: list[float], std: list[float], seed: int
) -> list[Stage]:
    """The picture after each step, starting with itself; `seed` decides what the random ones draw."""
    found = [_stage("as it is read", pixels)]
    with seeded(seed):
        for step in steps:
            pixels = step.build(mean, std)(pixels)
            found.append(_stage(step.line, pixels))
    return found


def viewable(
    pixels: Tensor, mean: list[float], std: list[float], *, normalised: bool = False
) -> Tensor:
    """A picture of any stage as float in [0, 1] to look at; a normalised one is turned back first."""
    x = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()
    if normalised:
        x = x * torch.tensor(std).view(-1, 1, 1) + torch.tensor(mean).view(-1, 1, 1)
    return x.clamp(0, 1)


def normalised_after(steps: tuple[Step, ...]) -> list[bool]:
    """For the picture itself and after each step, whether Normalize has been applied (with the set's numbers)."""
    found = [False]
    for step in steps:
        found.append(found[-1] or (step.name == "Normalize" and not step.args))
    return found


def _step(number: int, line: str) -> Step:
    word, *rest = re.findall(r"[^\s(\[]*(?:\([^)]*\)|\[[^\]]*\])|\S+", line)
    if word not in STEPS:
        near = [name for name in STEPS if word.lower()[:5] in name.lower()]
        hint = f" Did you mean {' or '.join(near[:3])}?" if near else ""
        raise SpecError(
            f"Line {number} begins with {word[:40]!r}, which is no transform of the list.{hint}",
            "transforms",
        )
    args, kwargs = [], {}
    for part in rest:
        key, equals, value = part.partition("=")
        if equals and key.isidentifier():
            kwargs[key] = _value(number, value)
        else:
            args.append(_value(number, part))
    return Step(line, word, tuple(args), tuple(kwargs.items()))


def _value(number: int, text: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise SpecError(
            f"Line {number}: {text[:40]!r} is no number. Write for example 56, 0.5 or (0.8, 1.0).",
            "transforms",
        ) from None
    flat = value if isinstance(value, (tuple, list)) else (value,)
    for entry in flat:
        if not isinstance(entry, (bool, int, float, str, type(None))):
            raise SpecError(
                f"Line {number}: {text[:40]!r} is neither a number nor a pair of numbers.",
                "transforms",
            )
        if isinstance(entry, (int, float)) and not abs(entry) <= MAX_NUMBER:
            raise SpecError(
                f"Line {number}: {entry} is too large; at most {MAX_NUMBER} is taken.", "transforms"
            )
    return value


def _try(steps: tuple[Step, ...], side: int) -> None:
    pixels = torch.full((3, side, side), 128, dtype=torch.uint8)
    step = None
    try:
        with seeded(0):
            for step in steps:
                pixels = step.build([0.5] * 3, [0.5] * 3)(pixels)
                if pixels.numel() > 3 * MAX_NUMBER**2:
                    raise SpecError(f"{step.line!r} makes the picture too large.", "transforms")
    except SpecError:
        raise
    except Exception as error:  # torchvision raises every kind for arguments that do not fit
        line = step.line if step else ""
        raise SpecError(
            f"{line!r} does not work on a picture of {tuple(pixels.shape)} {_dtype(pixels)}. "
            + (
                "Put ToFloat before it."
                if pixels.dtype == torch.uint8 and "float" in str(error)
                else f"An example: {STEPS[step.name].example}"
                if step
                else ""
            ),
            "transforms",
            detail=f"{type(error).__name__}: {error}",
        ) from None


def _stage(line: str, pixels: Tensor) -> Stage:
    return Stage(line, pixels, float(pixels.min()), float(pixels.max()))


def _dtype(pixels: Tensor) -> str:
    return str(pixels.dtype).removeprefix("torch.")


STEPS: dict[str, Known] = {
    "Resize": Known("Another size.", "Resize (48, 48)", random=False),
    "CenterCrop": Known("The middle square.", "CenterCrop 56", random=False),
    "RandomCrop": Known("A square from anywhere.", "RandomCrop 64 padding=8"),
    "RandomResizedCrop": Known(
        "A part of any size, brought to one size.", "RandomResizedCrop 64 scale=(0.6, 1.0)"
    ),
    "RandomHorizontalFlip": Known(
        "Mirrored left to right, half of the time.", "RandomHorizontalFlip"
    ),
    "RandomVerticalFlip": Known("Upside down, half of the time.", "RandomVerticalFlip"),
    "RandomRotation": Known("Turned by up to so many degrees.", "RandomRotation 15"),
    "RandomAffine": Known(
        "Turned, moved and scaled.", "RandomAffine 10 translate=(0.1, 0.1) scale=(0.9, 1.1)"
    ),
    "RandomPerspective": Known("Seen from the side.", "RandomPerspective 0.3"),
    "ColorJitter": Known(
        "Brightness, contrast, saturation and hue.", "ColorJitter 0.3 0.3 0.3 0.05"
    ),
    "RandomGrayscale": Known("Without colour, sometimes.", "RandomGrayscale 0.2"),
    "RandomInvert": Known("Its negative, half of the time.", "RandomInvert 0.2"),
    "GaussianBlur": Known("Out of focus by a random amount.", "GaussianBlur 5"),
    "RandomErasing": Known("A rectangle wiped out.", "RandomErasing 0.5"),
    "AutoAugment": Known("A policy found for ImageNet.", "AutoAugment"),
    "RandAugment": Known("So many random steps of one strength.", "RandAugment 2 9"),
    "TrivialAugmentWide": Known("One random step of random strength.", "TrivialAugmentWide"),
    "AugMix": Known("Several random chains, mixed.", "AugMix"),
    "Grayscale": Known("Without colour.", "Grayscale 3", random=False),
    "ToFloat": Known("uint8 0 to 255 becomes float32 0 to 1.", "ToFloat", random=False),
    "Normalize": Known(
        "Minus the mean, divided by the standard deviation of the training pictures.",
        "Normalize",
        random=False,
    ),
}
