"""Any picture a learner brings, as a tensor: checked before it is decoded, upright, in the asked-for mode."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from models.core.spec import SpecError

MAX_PIXELS = 50_000_000  # a 50-megapixel photograph: 150 MB as uint8 RGB
MAX_BYTES = 100_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")  # readers that run no other program


@dataclass(frozen=True)
class Picture:
    """A decoded picture and what it was in its file.

    Attributes:
        pixels: (3, H, W) or (1, H, W) float32 in [0, 1].
        mode: the file's own mode ("RGB", "L", "P", "CMYK", "I;16", …).
        size: (width, height) in the file, before any reduction.
        notes: what was done to it, one sentence each.
    """

    pixels: Tensor
    mode: str
    size: tuple[int, int]
    notes: tuple[str, ...]


def decode(data: bytes, name: str = "the file", *, gray: bool = False, longest: int = 0) -> Picture:
    """The first frame of an image file, upright, transparency laid over white.

    Args:
        gray: one channel instead of three.
        longest: reduce so that the longer side is at most this many pixels; 0 keeps the size.
    Raises:
        SpecError: not an image, truncated, or more pixels than fit; nothing is decoded before the size is known.
    """
    with opened(data, name) as image:
        return _decode(image, gray, longest)


@contextmanager
def opened(data: bytes, name: str = "the file") -> Iterator[Image.Image]:
    """An image file, its size known to fit and nothing decoded yet; what fails inside is said in a learner's words.

    Raises:
        SpecError: not an image, truncated, or more pixels than fit.
    """
    if not data:
        raise SpecError(f"{name} is empty (0 bytes). Choose another file.")
    if len(data) > MAX_BYTES:
        raise SpecError(
            f"{name} has {len(data) / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB fit. Save it smaller."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures; _decode refuses them
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise SpecError(
                    f"{name} is {width} × {height} = {width * height / 1e6:.0f} million pixels; at most "
                    f"{MAX_PIXELS / 1e6:.0f} million fit. Save it smaller."
                )
            yield image
    except SpecError:
        raise
    except UnidentifiedImageError:
        raise SpecError(
            f"{name} is not an image that can be read here: it begins with {_beginning(data)}. "
            "Use PNG, JPEG, WebP, GIF, BMP or TIFF."
        ) from None
    except Image.DecompressionBombError:
        raise SpecError(
            f"{name} would unpack to far more than the {MAX_PIXELS / 1e6:.0f} million pixels that fit. "
            "Save it smaller."
        ) from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        TypeError,
        LookupError,
        ArithmeticError,
    ) as error:
        raise SpecError(
            f"{name} is damaged or cut short: it could not be decoded to the end. "
            "Open it in a viewer and save it again.",
            detail=f"{type(error).__name__}: {error}",
        ) from None


def _decode(image: Image.Image, gray: bool, longest: int) -> Picture:
    mode, (width, height) = image.mode, image.size
    notes = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"The first of {frames} frames is shown.")
    if image.getexif().get(_ORIENTATION, 1) != 1:
        notes.append("Turned upright as the camera noted.")
    if mode.startswith("I") or mode == "F":
        notes.append(f"Its {mode} values are stretched to 0 to 1.")
    elif image.has_transparency_data:
        notes.append("Transparent parts are laid over white.")
    pixels = to_tensor(image, gray, longest)
    if max(pixels.shape[1:]) < max(width, height):
        notes.append(f"Reduced from {width} × {height}; its longer side is {longest} pixels now.")
    return Picture(pixels, mode, (width, height), tuple(notes))


def to_tensor(image, gray=False, longest=0):
    """A PIL image of any mode, upright, as a (3, H, W) or (1, H, W) float tensor in [0, 1]."""
    if longest:
        image.draft("RGB", (longest, longest))  # a JPEG decodes at an eighth, quarter or half
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit by its range, others by their own
        values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
        low, high = values.min(), values.max()
        if image.mode.startswith("I;16") or (low >= 0 and 255 < high <= 65_535):
            low, high = 0.0, 65_535.0
        image = Image.fromarray(((values - low) / (high - low or 1) * 255).round().astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if gray else "RGB")
    if longest and max(image.size) > longest:
        scale = longest / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    x = torch.from_numpy(np.array(image)).float() / 255
    return x[None] if x.ndim == 2 else x.permute(2, 0, 1).contiguous()


def to_png(pixels: Tensor) -> bytes:
    """A (1 or 3, H, W) float tensor in [0, 1] as PNG bytes; what lies outside is clipped."""
    array = pixels.detach().clamp(0, 1).mul(255).round().to(torch.uint8).cpu().numpy()
    image = Image.fromarray(array[0] if array.shape[0] == 1 else np.moveaxis(array, 0, -1))
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def signed(x: Tensor) -> Tensor:
    """Numbers as brightness with 0 at grey, the largest magnitude at black or white."""
    return 0.5 + x / (2 * x.abs().max().clamp_min(1e-12))


def spread(x: Tensor) -> Tensor:
    """Numbers as brightness from the lowest (black) to the highest (white)."""
    low, high = x.min(), x.max()
    return (x - low) / (high - low).clamp_min(1e-12)


@cache
def bundled(name: str) -> Image.Image:
    """A bundled picture by its name in BUNDLED."""
    return BUNDLED[name]()


def _beginning(data: bytes) -> str:
    head = data[:12].decode("latin-1")
    return repr(head) if head.isascii() and head.isprintable() else data[:12].hex(" ")


def _photograph(name: str) -> Image.Image:
    from sklearn.datasets import load_sample_image  # slow to import, needed only here

    return Image.fromarray(load_sample_image(name))


def _digit() -> Image.Image:
    from sklearn.datasets import load_digits

    cells = load_digits(return_X_y=True)[0][0].reshape(8, 8)  # 0 to 16
    return Image.fromarray((cells * 255 / 16).round().astype(np.uint8))


_ORIENTATION = 0x0112  # the EXIF tag

SCALES = {"signed": signed, "range": spread, "clip": lambda x: x.clamp(0, 1)}

BUNDLED = {
    "china": lambda: _photograph("china.jpg"),
    "flower": lambda: _photograph("flower.jpg"),
    "digit": _digit,
}
BUNDLED_CODE = {
    "china": "from sklearn.datasets import load_sample_image\n\nimage = Image.fromarray(load_sample_image('china.jpg'))",
    "flower": "from sklearn.datasets import load_sample_image\n\nimage = Image.fromarray(load_sample_image('flower.jpg'))",
    "digit": (
        "from sklearn.datasets import load_digits\n\n"
        "cells = load_digits(return_X_y=True)[0][0].reshape(8, 8)  # 0 to 16\n"
        "image = Image.fromarray((cells * 255 / 16).round().astype(np.uint8))"
    ),
}
