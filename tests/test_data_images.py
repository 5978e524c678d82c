"""Laws of image decoding: any mode and size becomes the same kind of tensor, and what is no image is refused."""

import io
import struct
import sys
import zlib

import numpy as np
import pillow_heif
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


def values_in(mode_dtype, low: float, high: float, **options) -> bytes:
    """A picture of one bright spot, row 3, column 5, in a field of `low`."""
    values = np.full((8, 12), low, mode_dtype)
    values[3, 5] = high
    form = "PNG" if mode_dtype == np.uint16 else "TIFF"
    return saved(Image.fromarray(values), form, **options)


@pytest.mark.parametrize(("low", "high"), [(600, 3644), (3, 900), (1000, 16_000), (0, 32_000)])
def test_few_bits_in_a_file_of_sixteen_are_seen_and_said(low: int, high: int) -> None:
    picture = images.decode(values_in(np.uint16, low, high), gray=True)
    assert float(picture.pixels.max()) == 1
    assert float(picture.pixels.min()) == 0
    assert divmod(int(picture.pixels[0].argmax()), 12) == (3, 5)
    assert f"values {low}…{high} are stretched to 0…1" in picture.notes[0]


def test_all_sixteen_bits_keep_their_brightness_and_the_note_names_the_scale() -> None:
    picture = images.decode(values_in(np.uint16, 10_000, 40_000), gray=True)
    assert float(picture.pixels.max()) == pytest.approx(40_000 / 65_535, abs=0.003)
    assert "10000…40000 of 0…65535" in picture.notes[0]


@pytest.mark.parametrize(
    ("low", "high", "white"), [(0.2, 0.5, 1.0), (0.0, 200.0, 255.0), (0, 1.0, 1.0)]
)
def test_floats_on_a_usual_scale_keep_it(low: float, high: float, white: float) -> None:
    picture = images.decode(values_in(np.float32, low, high), gray=True)
    assert float(picture.pixels.max()) == pytest.approx(high / white, abs=0.003)
    assert float(picture.pixels.min()) == pytest.approx(low / white, abs=0.003)


@pytest.mark.parametrize(("low", "high"), [(-1000, 3000), (-0.5, 0.5), (1e-6, 2e-6), (0, 1e9)])
def test_floats_of_any_other_range_are_stretched(low: float, high: float) -> None:
    picture = images.decode(values_in(np.float32, low, high), gray=True)
    assert (float(picture.pixels.min()), float(picture.pixels.max())) == (0, 1)
    assert "stretched" in picture.notes[0]


def test_what_is_no_number_takes_no_part_in_the_range_and_is_counted() -> None:
    values = np.linspace(0.2, 0.8, 16, dtype=np.float32).reshape(4, 4)
    values[0, :3] = np.nan, np.inf, -np.inf
    picture = images.decode(saved(Image.fromarray(values), "TIFF"), gray=True)
    assert picture.pixels[0, 3, 3] == pytest.approx(0.8, abs=0.003)
    assert picture.pixels[0, 0, :3].tolist() == [1, 1, 1]
    assert "3 of its 16 values are no numbers" in " ".join(picture.notes)
    nothing = images.decode(saved(Image.fromarray(np.full((2, 2), np.nan, np.float32)), "TIFF"))
    assert "None of its values" in nothing.notes[0]


def test_a_transparent_value_of_a_grey_picture_of_sixteen_bits_is_white() -> None:
    data = values_in(np.uint16, 500, 3000, transparency=500)
    picture = images.decode(data, gray=True)
    assert float(picture.pixels[0, 0, 0]) == 1
    assert "Transparent parts are laid over white." in picture.notes


def test_unused_transparency_changes_nothing_and_is_not_claimed() -> None:
    colors = Image.effect_noise((6, 6), 99).convert("RGB")
    opaque, hidden = colors.convert("RGBA"), colors.convert("RGBA")
    hidden.putalpha(0)
    plain = images.decode(saved(colors))
    for image, words in ((opaque, ""), (hidden, "left out")):
        picture = images.decode(saved(image))
        assert torch.equal(picture.pixels, plain.pixels)
        assert words in " ".join(picture.notes)
        assert "white" not in " ".join(picture.notes)


def test_sixteen_bits_a_colour_are_said_to_become_eight() -> None:
    rows = b"".join(b"\0" + struct.pack(">6H", *[4000] * 6) for _ in range(2))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    assert "16 bits a channel are read as 8; its brightest is 15" in images.decode(data).notes[0]
    assert images.decode(saved(Image.new("RGB", (2, 2)))).notes == ()


@pytest.mark.parametrize("size", [900_000, 2_000_000])
def test_a_large_colour_profile_is_no_damage(size: int) -> None:
    colors = Image.effect_noise((6, 6), 99).convert("RGB")
    picture = images.decode(saved(colors, icc_profile=bytes(size)))
    assert torch.equal(picture.pixels, images.decode(saved(colors)).pixels)


def test_a_profile_that_unpacks_to_far_too_much_is_blamed() -> None:
    with pytest.raises(SpecError, match=r"colour profile .* Save it without"):
        images.decode(saved(Image.new("RGB", (4, 4)), icc_profile=bytes(20_000_000)))


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_a_phones_pictures_are_read(form: str) -> None:
    pillow_heif.register_heif_opener()
    colors = Image.new("RGB", (64, 32), (200, 30, 60))
    picture = images.decode(saved(colors, form, quality=95), "IMG_0001")
    assert tuple(picture.pixels.shape) == (3, 32, 64)
    expected = torch.tensor([200, 30, 60]) / 255
    torch.testing.assert_close(picture.pixels.mean((1, 2)), expected, atol=0.03, rtol=0)


def test_a_phones_picture_that_cannot_be_read_is_named_with_what_to_do(monkeypatch) -> None:
    pillow_heif.register_heif_opener()
    whole = saved(Image.new("RGB", (64, 64)), "HEIF")
    with pytest.raises(SpecError, match=r"HEIC picture, as an iPhone .* Most Compatible.*JPEG"):
        images.decode(whole[:24] + bytes(200), "IMG_0001.HEIC")
    monkeypatch.setattr(images, "_FORMATS", ["PNG"])
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where it is not installed
    with pytest.raises(SpecError, match=r"pillow-heif, is not on this server.*JPEG"):
        images.decode(whole, "IMG_0001.HEIC")


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"8BPS\0\1", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"\xff\x0a\0\0", "JPEG XL"),
        (b"\0\0\0 ftypavif\0\0", "AVIF picture: damaged"),
    ],
)
def test_a_kind_of_picture_without_a_reader_is_named(start: bytes, words: str) -> None:
    with pytest.raises(SpecError, match=f"{words}.*JPEG or PNG"):
        images.decode(start + bytes(100), "x.jpg")


def test_sizes_are_those_of_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    picture = images.decode(saved(Image.new("RGB", (40, 20)), "JPEG", exif=exif), longest=10)
    assert picture.size == (20, 40)
    assert "Reduced from 20 × 40" in " ".join(picture.notes)
