"""What a page shows of a data set: how the classes are spread, single pictures, one picture on its way to a batch."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

import torch
from PIL import Image, ImageOps

from models import datasets
from models.core.seeding import seeded
from models.core.spec import SpecError
from models.data import image_sets, image_steps, images
from models.data.image_steps import Stage


@dataclass(frozen=True)
class ClassCount:
    """Pictures of one class, in all and in each part of the split."""

    name: str
    train: int
    val: int
    test: int

    @property
    def all(self) -> int:
        return self.train + self.val + self.test


def balance(made: datasets.Parts) -> tuple[ClassCount, ...]:
    """The classes in order, with what the split gave to each part."""
    size = len(made.data.classes)
    counts = [
        made.data.labels[rows].bincount(minlength=size)
        for rows in (made.train, made.val, made.test)
    ]
    return tuple(
        ClassCount(name, *(int(count[k]) for count in counts))
        for k, name in enumerate(made.data.classes)
    )


def part_of(made: datasets.Parts) -> list[str]:
    """For every picture the name of its part."""
    found = ["train"] * len(made.data)
    for name, rows in (("val", made.val), ("test", made.test)):
        for row in rows.tolist():
            found[row] = name
    return found


def chosen(made: datasets.Parts, label: str, part: str) -> list[int]:
    """Rows of one class and one part; "all" takes every one."""
    parts = part_of(made)
    return [
        i
        for i, k in enumerate(made.data.labels.tolist())
        if label in ("all", made.data.classes[k]) and part in ("all", parts[i])
    ]


def thumbnails(data: str, names: tuple[str, ...], longest: int = 128) -> list[bytes]:
    """These pictures small, whole and in their own proportions: as PNG files, photographs as JPEG for the line's sake."""
    found = []
    with zipfile.ZipFile(image_sets.path_of(data)) as archive:
        for name in names:
            image = Image.open(io.BytesIO(archive.read(name)))
            image.draft("RGB", (longest, longest))  # a JPEG decodes at an eighth, a quarter or half
            image = ImageOps.exif_transpose(image).convert("RGB")
            image.thumbnail((longest, longest), Image.Resampling.BILINEAR)
            out = io.BytesIO()
            image.save(out, "PNG", compress_level=1)
            if out.tell() > 8_000:
                out = io.BytesIO()
                image.save(out, "JPEG", quality=90)
            found.append(out.getvalue())
    return found


def stages(spec: datasets.Spec, made: datasets.Parts, row: int, draw: int) -> list[Stage]:
    """One picture after each step of the list."""
    pixels = image_sets_pixels(made, row)
    return image_steps.stages(spec.steps, pixels, made.mean, made.std, draw)


def draws(spec: datasets.Spec, made: datasets.Parts, row: int, count: int) -> list[Stage]:
    """The end of the list for one picture, drawn so many times."""
    return [stages(spec, made, row, spec.seed + n)[-1] for n in range(count)]


def image_sets_pixels(made: datasets.Parts, row: int) -> torch.Tensor:
    """A picture as the Dataset serves it before any transform: (3, side, side) uint8."""
    data, kept = made.data, made.data.transform
    data.transform = None
    pixels = data[row][0]
    data.transform = kept
    return pixels


def to_look_at(spec: datasets.Spec, made: datasets.Parts, shown: list[Stage]) -> list[bytes]:
    """PNG files of stages that begin with the picture itself, turned back where Normalize was applied."""
    turned = image_steps.normalised_after(spec.steps)
    turned = turned if len(turned) == len(shown) else [turned[-1]] * len(shown)
    return [
        images.to_png(
            image_steps.viewable(stage.pixels, made.mean, made.std, normalised=normalised)
        )
        for stage, normalised in zip(shown, turned, strict=True)
    ]


def mixed(spec: datasets.Spec, made: datasets.Parts, count: int) -> tuple[list[bytes], list[str]]:
    """The first pictures of a batch after MixUp or CutMix, with how much of which class each is.

    Raises:
        SpecError: they do not form a batch, or there is one class only.
    """
    try:
        with seeded(spec.seed):
            made.data.transform = image_steps.pipeline(spec.steps, made.mean, made.std)
            x, y = next(iter(datasets.loader(spec.replace(num_workers=0), made)))
    except (RuntimeError, ValueError, StopIteration) as error:
        raise SpecError(
            f"{spec.mix} needs two classes or more, and pictures of one size that end with ToFloat.",
            "mix",
            detail=str(error),
        ) from None
    finally:
        made.data.transform = None
    normalised = image_steps.normalised_after(spec.steps)[-1]
    shown = [
        images.to_png(image_steps.viewable(p, made.mean, made.std, normalised=normalised))
        for p in x[:count]
    ]
    words = []
    for row in y[:count] if y.ndim == 2 else torch.nn.functional.one_hot(y[:count]):
        parts = [(float(share), k) for k, share in enumerate(row) if share > 0]
        words.append(
            " + ".join(f"{share:.0%} {made.data.classes[k]}" for share, k in sorted(parts)[::-1])
        )
    return shown, words
