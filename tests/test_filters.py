"""Laws of kernels over pictures: known kernels do what their names say, and the export repeats them."""

import io

import numpy as np
import pillow_heif
import pytest
import torch
from PIL import Image

from models import filters
from models.core import export
from models.core.spec import SpecError
from models.data import images, workspace
from models.filters import Spec


def test_identity_changes_nothing_and_every_blur_keeps_the_brightness():
    x = filters.picture(Spec())
    assert torch.equal(filters.run(Spec(kernel="identity"), x).after[0], x)
    for kernel in ("box", "gaussian"):
        result = filters.run(Spec(kernel=kernel, kernel_size=5), x)
        assert float(result.kernel.sum()) == pytest.approx(1)
        assert float(result.after[0].mean()) == pytest.approx(float(x.mean()), abs=0.01)
        assert float(result.after[0].std()) < float(x.std())


def test_sobel_sees_edges_across_its_direction_only():
    step = torch.zeros(1, 8, 8)
    step[:, :, 4:] = 1  # one vertical edge
    assert float(filters.run(Spec(kernel="sobel_x"), step).after[0].max()) == 4
    assert float(filters.run(Spec(kernel="sobel_y"), step).after[0].abs().max()) == 0


def test_kernels_that_find_edges_are_blind_to_a_flat_picture():
    flat = torch.full((3, 9, 9), 0.3)
    for kernel in ("sobel_x", "sobel_y", "laplacian", "gabor"):
        out = filters.run(Spec(kernel=kernel, kernel_size=7), flat).after[0]
        assert float(out.abs().max()) < 1e-6


def test_true_convolution_turns_the_kernel_and_so_the_sign_of_an_edge():
    x = filters.picture(Spec(gray=True))
    plain, turned = (filters.run(Spec(gray=True, flip=flip), x).after[0] for flip in (False, True))
    torch.testing.assert_close(plain, -turned)


def test_a_layer_equals_conv2d_channel_by_channel():
    spec = Spec(kernel="random", kernel_size=5, stride=2, dilation=2, padding_mode="valid")
    x = filters.picture(spec)
    result = filters.run(spec, x)
    for channel in range(3):
        expected = torch.nn.functional.conv2d(
            x[None, channel : channel + 1], result.kernel[None, None], stride=2, dilation=2
        )
        torch.testing.assert_close(result.after[0][channel], expected[0, 0])


@pytest.mark.parametrize(
    "changes",
    [
        {"kernel": "box", "layers": 3, "stride": 2, "dilation": 2},
        {"kernel": "typed", "weights": "1,1,1,1,1;1,1,1,1,1", "layers": 2, "then": "gaussian"},
    ],
)
def test_the_receptive_field_is_what_the_gradient_reaches(changes):
    spec = Spec(kernel_size=3, padding_mode="zeros", **changes)
    x = torch.ones(1, 64, 64, requires_grad=True)
    result = filters.run(spec, x)
    for out, field in zip(result.after, result.receptive_field, strict=True):
        (grad,) = torch.autograd.grad(
            out[0, out.shape[1] // 2, out.shape[2] // 2], x, retain_graph=True
        )
        seen = tuple(
            int(cells.max() - cells.min()) + 1
            for cells in ((grad[0] != 0).any(1).nonzero(), (grad[0] != 0).any(0).nonzero())
        )
        assert seen == field


def test_a_sequence_applies_its_kernels_in_their_order_and_is_exported(tmp_path):
    spec = Spec(kernel="sobel_x", layers=2, then="Gaussian, laplacian", relu=True, flip=True)
    result = filters.run(spec)
    x = result.before
    for name in ("sobel_x", "sobel_x", "gaussian", "laplacian"):
        x = filters.run(Spec(kernel=name, relu=True, flip=True), x).after[0]
    torch.testing.assert_close(result.after[-1], x)
    printed = export.numbers(export.run(filters.to_code(spec), tmp_path))
    assert printed == pytest.approx(filters.numbers(result), rel=1e-4)


@pytest.mark.parametrize(
    ("bad", "good", "word"),
    [
        ({"kernel_size": 4}, {"kernel_size": 5}, "must be odd"),
        ({"image": "cat"}, {"image": "flower"}, "no picture"),
        ({"then": "blur"}, {"then": "box"}, "'blur', which is no kernel"),
        ({"layers": 7, "then": "box, box"}, {"layers": 7, "then": "box"}, "at most 8"),
        ({"kernel": "typed", "weights": "1,2;3"}, {"kernel": "typed", "weights": "1,2;3,4"}, "rows have 2, 1"),
        ({"kernel": "typed", "weights": "1,a"}, {"kernel": "typed", "weights": "1,2"}, "no number"),
        ({"kernel": "typed", "weights": "inf"}, {"kernel": "typed", "weights": "1"}, "not finite"),
        ({"kernel": "typed"}, {"kernel": "typed", "weights": "0.5"}, "Type the kernel"),
    ],
)  # fmt: skip
def test_a_kernel_that_cannot_be_is_explained(bad, good, word):
    with pytest.raises(SpecError, match=word):
        Spec(**bad)
    filters.run(Spec(**good))


def test_a_picture_too_small_for_the_kernel_is_explained():
    tiny = torch.zeros(1, 1, 1)
    with pytest.raises(SpecError, match="reaches over 3 pixels"):
        filters.run(Spec(padding_mode="valid"), tiny)
    with pytest.raises(SpecError, match="Choose zeros"):
        filters.run(Spec(padding_mode="reflect"), tiny)
    assert filters.run(Spec(padding_mode="zeros"), tiny).after[0].shape == (1, 1, 1)


def test_a_link_to_a_missing_upload_says_so():
    with pytest.raises(SpecError, match="not on this server"):
        filters.run(Spec(image="upload:" + "0" * 64))


def deep(image: Image.Image) -> Image.Image:
    """12-bit values in a file of 16, as an X-ray has them."""
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 12 + 600)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "HEIF", "AVIF", "deep", "profile"])
def test_an_own_picture_gives_the_same_numbers_in_the_export(form, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    pillow_heif.register_heif_opener()
    out = io.BytesIO()
    picture = images.bundled("flower")
    if form == "deep":
        deep(picture).save(out, "PNG")
    elif form == "profile":
        picture.save(out, "PNG", icc_profile=bytes(2_000_000))
    else:
        (picture.convert("RGBA") if form == "PNG" else picture).save(out, form)
    id = workspace.put(out.getvalue(), "mine.picture")
    spec = Spec(image=f"upload:{id}", kernel="emboss", layers=2, relu=True, longest=100)
    (tmp_path / images.file_name(spec.image)).write_bytes(out.getvalue())
    result = filters.run(spec, filters.picture(spec, out.getvalue()))
    printed = export.numbers(export.run(filters.to_code(spec), tmp_path))
    assert printed == pytest.approx(filters.numbers(result))


def test_the_picture_is_a_real_photograph():
    assert isinstance(images.bundled("china"), Image.Image)
    assert tuple(filters.picture(Spec(longest=64)).shape) == (3, 43, 64)
