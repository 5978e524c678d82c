"""Laws of image decoding: any mode and size becomes the same kind of tensor, and what is no image is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from models.core.spec import SpecError
from models.data import images


def saved(image: Image.Image, form: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def test_pixels_keep_their_values():
    array = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    picture = images.decode(saved(Image.fromarray(array)))
    assert picture.size == (3, 2)
    torch.testing.assert_close(picture.pixels, torch.tensor(array).permute(2, 0, 1) / 255)
    assert images.to_png(picture.pixels)[:4] == b"\x89PNG"
    assert torch.equal(images.decode(images.to_png(picture.pixels)).pixels, picture.pixels)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F", "I;16"]
)
@pytest.mark.parametrize("size", [(1, 1), (5, 3)])
def test_every_mode_becomes_three_channels_or_one(mode, size):
    image = (
        Image.new("I;16", size, 30_000)
        if mode == "I;16"
        else Image.new("RGB", size, (9, 90, 200)).convert(mode)
    )
    data = saved(image, "TIFF" if mode in ("CMYK", "YCbCr", "F", "I") else "PNG")
    color, gray = images.decode(data), images.decode(data, gray=True)
    assert tuple(color.pixels.shape) == (3, size[1], size[0])
    assert tuple(gray.pixels.shape) == (1, size[1], size[0])
    assert 0 <= float(color.pixels.min()) <= float(color.pixels.max()) <= 1


def test_sixteen_bit_keeps_its_brightness():
    picture = images.decode(saved(Image.new("I;16", (2, 2), 32_768)), gray=True)
    assert float(picture.pixels[0, 0, 0]) == pytest.approx(0.5, abs=0.01)


def test_transparent_parts_are_white():
    picture = images.decode(saved(Image.new("RGBA", (2, 2), (0, 0, 0, 0))))
    assert float(picture.pixels.min()) == 1
    assert "white" in picture.notes[0]


def test_a_turned_photograph_stands_upright():
    image = Image.new("RGB", (4, 2), "black")
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned clockwise
    picture = images.decode(saved(image, "PNG", exif=exif))
    assert tuple(picture.pixels.shape) == (3, 4, 2)
    assert float(picture.pixels[0, 0, 1]) == 1


def test_an_animation_shows_its_first_frame():
    first, second = Image.new("L", (2, 2), 255), Image.new("L", (2, 2), 0)
    data = saved(first, "GIF", save_all=True, append_images=[second])
    picture = images.decode(data)
    assert float(picture.pixels.mean()) == 1
    assert "2 frames" in picture.notes[0]


def test_a_large_photograph_is_reduced_and_says_so():
    picture = images.decode(saved(Image.new("RGB", (400, 100)), "JPEG"), longest=200)
    assert tuple(picture.pixels.shape) == (3, 50, 200)
    assert "400 × 100" in " ".join(picture.notes)
    assert tuple(images.decode(saved(Image.new("L", (3000, 1))), longest=100).pixels.shape) == (
        3,
        1,
        100,
    )


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body
    return start + struct.pack(">I", zlib.crc32(body)) + struct.pack(">I", 99) + b"IDAT"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (b"<html><script>alert(1)</script>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image"),
        (bytes(range(256)), "not an image"),
        (saved(Image.effect_noise((64, 64), 99))[:900], "cut short"),
        (saved(Image.effect_noise((64, 64), 99).convert("RGB"), "JPEG")[:300], "cut short"),
        (png_header(20_000, 20_000), "million pixels"),
        (png_header(7_072, 7_071), "7072 × 7071 = 50 million"),
        (png_header(0, 5), "cut short|not an image"),
    ],
    ids=["empty", "svg", "html", "eps", "bytes", "cut-png", "cut-jpeg", "bomb", "just-too-large", "no-width"],
)  # fmt: skip
def test_what_is_no_picture_is_refused_with_a_sentence(data, word):
    with pytest.raises(SpecError, match=word):
        images.decode(data, "cat.png")


def test_the_largest_picture_is_checked_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 12)
    assert tuple(images.decode(saved(Image.new("RGB", (4, 3)))).pixels.shape) == (3, 3, 4)
    with pytest.raises(SpecError, match="pixels"):
        images.decode(saved(Image.new("RGB", (13, 1))))


@pytest.mark.parametrize("name", images.BUNDLED)
def test_bundled_pictures_are_real(name):
    pixels = images.to_tensor(images.bundled(name))
    assert pixels.ndim == 3
    assert float(pixels.std()) > 0.1
    assert 0 <= float(pixels.min()) <= float(pixels.max()) <= 1
