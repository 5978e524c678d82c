"""Any picture a learner brings, as a tensor: checked before it is decoded, upright, in the asked-for mode."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError, features
from torch import Tensor

from models.core.spec import SpecError
from models.data import workspace

MAX_PIXELS = 50_000_000  # a 50-megapixel photograph: 150 MB as uint8 RGB
MAX_BYTES = 100_000_000
# endings of picture files, as choosers offer them; a file is read by its content, whatever its name
ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"),
    *(".heic", ".heif", ".avif"),
)
NAMED = "PNG, JPEG, WebP, GIF, BMP, TIFF, HEIC or AVIF"  # for sentences

# readers that run no other program; HEIC's is added when a file asks for it
_FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]
if features.check("avif"):
    _FORMATS.append("AVIF")
# Bytes of one unpacked piece of text or colour profile; Pillow's own bound refuses sound files of 1 MB
PngImagePlugin.MAX_TEXT_CHUNK = 16_000_000


@dataclass(frozen=True)
class Picture:
    """A decoded picture and what it was in its file.

    Attributes:
        pixels: (3, H, W) or (1, H, W) float32 in [0, 1].
        mode: the file's own mode ("RGB", "L", "P", "CMYK", "I;16", …).
        size: (width, height) upright, before any reduction.
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
    _prepare(data, name)
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; they are refused below
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            if image.format == "PNG":
                image.info[_BITS] = data[24]  # of its first piece, IHDR
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
        raise SpecError(_unreadable(data, name)) from None
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
        RuntimeError,
    ) as error:
        if "MAX_TEXT" in str(error):
            raise SpecError(
                f"{name} holds a text or colour profile that unpacks to more than "
                f"{PngImagePlugin.MAX_TEXT_CHUNK / 1e6:.0f} MB. Save it without its profile and other metadata.",
                detail=str(error),
            ) from None
        raise SpecError(
            f"{name} is damaged or cut short: it could not be decoded to the end. "
            "Open it in a viewer and save it again.",
            detail=f"{type(error).__name__}: {error}",
        ) from None


def _decode(image: Image.Image, gray: bool, longest: int) -> Picture:
    mode, (width, height) = image.mode, upright_size(image)
    notes = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"The first of {frames} frames is shown.")
    if image.getexif().get(_ORIENTATION, 1) != 1:
        notes.append("Turned upright as the camera noted.")
    notes += changes(image)
    pixels = to_tensor(image, gray, longest)
    if max(pixels.shape[1:]) < max(width, height):
        notes.append(f"Reduced from {width} × {height}; its longer side is {longest} pixels now.")
    return Picture(pixels, mode, (width, height), tuple(notes))


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) after the turn that the camera noted."""
    width, height = image.size
    turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    return (height, width) if turned else (width, height)


def changes(image: Image.Image) -> list[str]:
    """What `to_tensor` has to do to the numbers of a picture for them to be seen, one sentence each."""
    notes = []
    if is_deep(image):
        values, seen = numbers(image)
        if not seen.any():
            return [
                "None of its values can be seen: they are no numbers, or transparent. It is white."
            ]
        low, high = float(values[seen].min()), float(values[seen].max())
        bottom, top = black_and_white(low, high, image.mode == "F")
        if (bottom, top) == (low, high):
            notes.append(f"Its values {low:g}…{high:g} are stretched to 0…1 ({image.mode}).")
        else:
            notes.append(
                f"Its values {low:g}…{high:g} of {bottom:g}…{top:g} become 0…1 ({image.mode})."
            )
        lost = int((~np.isfinite(np.asarray(image, dtype=np.float64))).sum())
        if lost:
            notes.append(
                f"{lost} of its {values.size} values are no numbers (NaN or infinite) and shown white."
            )
        if "transparency" in image.info:
            notes.append("Transparent parts are laid over white.")
        return notes
    if image.has_transparency_data:
        alpha = image.convert("RGBA")
        low = _extrema(alpha)[3][0]
        if is_unseen(alpha):
            notes.append(
                "Its transparency would hide all of it, so it is left out: the colours are shown."
            )
        elif low < 255:
            notes.append("Transparent parts are laid over white.")
    if bits_per_channel(image) > 8:
        brightest = max(high for _, high in _extrema(image))
        notes.append(
            f"Its {bits_per_channel(image)} bits a channel are read as 8; its brightest is {brightest} of 255."
        )
    return notes


def bits_per_channel(image: Image.Image) -> int:
    """Bits of a channel in the file of a colour picture; Pillow keeps 8 of them."""
    tags = getattr(image, "tag_v2", None)
    if tags is not None:
        return int(max(np.atleast_1d(tags.get(258, 8))))  # TIFF's BitsPerSample
    return image.info.get(_BITS, 8)


def _extrema(image: Image.Image) -> list[tuple[int, int]]:
    found = image.getextrema()
    return list(found) if isinstance(found[0], tuple) else [found]  # type: ignore[list-item]  # one channel or several


def is_deep(image):
    """Whether a picture holds larger or finer numbers than 0 to 255: 16 or 32 bits, or floats."""
    return image.mode.startswith("I") or image.mode == "F"


def numbers(image):
    """A deep picture's numbers, (H, W) float64, and which of them are to be seen: finite, and not transparent."""
    values = np.asarray(image, dtype=np.float64)
    seen = np.isfinite(values)
    if isinstance(image.info.get("transparency"), (int, float)):
        seen = seen & (values != image.info["transparency"])
    return np.where(seen, values, 0.0), seen


def black_and_white(low, high, fraction=False):
    """Which numbers become black and white: those of a usual scale if they fill it, else the picture's own range.

    12 bits in a file of 16 would be nearly black on the scale of 16, so they are stretched.
    """
    for top, least in ((1.0, 1 / 16),) * fraction + ((255.0, 16.0), (65_535.0, 32_767.0)):
        if low >= 0 and least < high <= top:
            return 0.0, top
    return low, high


def is_unseen(image):
    """Whether an RGBA picture's transparency hides all of it although it has colours: some programs leave it at 0."""
    *colors, alpha = image.getextrema()
    return alpha == (0, 0) and any(low < high for low, high in colors)


def to_tensor(image, gray=False, longest=0, ends=None):
    """A PIL image of any mode, upright, as a (3, H, W) or (1, H, W) float tensor in [0, 1].

    `ends` are the numbers that become black and white in a deep picture; its own when None.
    """
    if longest:
        image.draft("RGB", (longest, longest))  # a JPEG decodes at an eighth, quarter or half
    image = ImageOps.exif_transpose(image)
    if is_deep(image):
        values, seen = numbers(image)
        some = values[seen] if seen.any() else values
        low, high = ends or black_and_white(some.min(), some.max(), image.mode == "F")
        scaled = ((values - low) / (high - low or 1)).clip(0, 1) * 255
        image = Image.fromarray(np.where(seen, scaled, 255).round().astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        if not is_unseen(image):
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if gray else "RGB")
    if longest and max(image.size) > longest:
        scale = longest / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    x = torch.from_numpy(np.array(image)).float() / 255
    return x[None] if x.ndim == 2 else x.permute(2, 0, 1).contiguous()


# what a script prints that turns a picture into a tensor
TO_TENSOR = (is_deep, numbers, black_and_white, is_unseen, to_tensor)


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


def code(image: str) -> str:
    """The lines of a script that open a bundled picture, or "upload:<id>" as a file beside the script."""
    if image in BUNDLED:
        return BUNDLED_CODE[image]
    file = file_name(image)
    try:
        return opening(file, workspace.get(image.removeprefix("upload:")).read_bytes())
    except SpecError:  # not on this server
        return f"image = Image.open({file!r})"


def file_name(image: str) -> str:
    """The name under which a script looks for an uploaded picture in its own folder."""
    try:
        name = workspace.about(image.removeprefix("upload:")).name
    except SpecError:
        return "picture.png"
    ending = os.path.splitext(name)[1].lower()
    return workspace.file_name(name, ending if ending in ENDINGS else ".png")


def opening(file: str, data: bytes) -> str:
    """The lines of a script that open this picture; some need a word to Pillow before."""
    line = f"image = Image.open({file!r})"
    if _is_heif(data):
        return (
            "from pillow_heif import register_heif_opener\n\n"
            f"register_heif_opener()  # HEIC, as phones write it\n{line}"
        )
    with opened(data, file) as image:
        if has_large_texts(image):
            return (
                "from PIL import PngImagePlugin\n\n"
                f"PngImagePlugin.MAX_TEXT_CHUNK = {PngImagePlugin.MAX_TEXT_CHUNK}  # its colour profile is large\n{line}"
            )
    return line


def has_large_texts(image: Image.Image) -> bool:
    """Whether a profile or text of the file is larger than Pillow takes where nobody raised its bound."""
    return any(len(v) > 1_000_000 for v in image.info.values() if isinstance(v, (str, bytes)))


def _is_heif(data: bytes) -> bool:
    head = data[:64]
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and b"avif" not in head[16:]


def _prepare(data: bytes, name: str) -> None:
    """Have Pillow read HEIC if that is what it is.

    Raises:
        SpecError: its reader is not installed.
    """
    if not _is_heif(data) or "HEIF" in _FORMATS:
        return
    try:
        from pillow_heif import register_heif_opener  # 10 MB of memory that few need
    except ImportError:
        raise SpecError(
            f"{name} is a HEIC picture, as an iPhone takes them; its reader, pillow-heif, is not on this server. "
            + _AS_JPEG
        ) from None
    register_heif_opener()
    _FORMATS.append("HEIF")


def _unreadable(data: bytes, name: str) -> str:
    """Why no reader knows a file, as far as its beginning tells."""
    if _is_heif(data):
        return (
            f"{name} is a HEIC picture, as an iPhone takes them, but damaged or of a kind that is not read here. "
            + _AS_JPEG
        )
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        known = "AVIF" in _FORMATS
        why = "damaged" if known else "Pillow 11.3, which reads it, is not on this server"
        return f"{name} is an AVIF picture: {why}. Save it as JPEG or PNG."
    for start, kind in _UNREAD.items():
        if data.startswith(start):
            return f"{name} is {kind}, not an image that can be read here. Save it as JPEG or PNG."
    return f"{name} is not an image that can be read here: it begins with {_beginning(data)}. Use {NAMED}."


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


_BITS = "playground:bits"
_ORIENTATION = 0x0112  # the EXIF tag
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_AS_JPEG = "On the phone: Settings, Camera, Formats, Most Compatible; or export the pictures as JPEG in the Photos program."
# how files begin that many take for pictures, and what they are
_UNREAD = {
    b"8BPS": "a Photoshop document",
    b"%PDF": "a PDF document",
    b"\xff\x0a": "a JPEG XL picture",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL picture",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 picture",
    b"gimp xcf": "a GIMP document",
}

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
