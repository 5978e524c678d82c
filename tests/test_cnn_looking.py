"""Laws of looking at one picture: any picture, any network, weights that cannot do harm."""

import io
import pickle

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from models import cnn
from models.cnn import data, look, looking, network, pretrain
from models.core import export
from models.core.spec import SpecError
from models.data import images, workspace
from tests import image_cases


def kept(content: bytes, name: str) -> str:
    return f"upload:{workspace.put(content, name)}"


def png(image: Image.Image, format: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, format)
    return out.getvalue()


def test_the_shipped_network_reads_digits_of_the_set():
    labels = data.digits(8)[1]
    rows = range(0, 1797, 60)
    right = sum(
        int(looking.run(looking.Spec(row=r)).probabilities.argmax()) == int(labels[r]) for r in rows
    )
    assert right >= len(rows) - 1


@pytest.mark.parametrize("pen", [10, 24])
@pytest.mark.parametrize(
    ("digit", "line"),
    [
        (1, [(100, 60), (120, 30), (120, 190)]),
        (4, [(150, 160), (150, 30), (60, 130), (170, 130)]),
        (7, [(60, 40), (160, 40), (110, 190)]),
    ],
)
def test_drawn_digits_are_read_wherever_and_however_thick_they_are(digit, line, pen):
    image = Image.new("L", (224, 224))
    ImageDraw.Draw(image).line(line, fill=255, width=pen, joint="curve")
    for turned, invert in ((image, False), (Image.eval(image, lambda v: 255 - v), True)):
        spec = looking.Spec(image=kept(png(turned), "drawing.png"), invert=invert)
        assert int(looking.run(spec).probabilities.argmax()) == digit


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (16, 16), (700, 40)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "I;16"])
@pytest.mark.parametrize("crop", [True, False])
def test_any_picture_of_any_mode_is_seen(size, mode, crop):
    if mode == "I;16":
        image = Image.fromarray(np.full(size[::-1], 9000, np.uint16))
    else:
        image = Image.effect_noise(size, 90).convert("RGB").convert(mode)
    format = "TIFF" if mode in ("CMYK", "I;16") else "PNG"
    spec = looking.Spec(image=kept(png(image, format), "own.img"), crop=crop)
    result = looking.run(spec)
    assert result.x.shape == (1, 16, 16)
    assert float(result.probabilities.sum()) == pytest.approx(1, abs=1e-5)


def test_a_colour_network_sees_a_photograph_in_its_size():
    result = looking.run(looking.Spec(network="resnet18", image="china"))
    assert result.x.shape == (3, 224, 224)
    assert len(result.classes) == 1000
    assert result.classes[207] == "golden retriever"


def test_every_layer_but_a_sum_knows_the_layer_that_it_reads():
    spec = looking.Spec(network="small ResNet", image="china")
    used, result = looking.bench(spec), looking.run(spec)
    layer_of, made = dict(used.model.named_modules()), {m.name: m.values for m in result.maps}
    known = [m for m in result.maps if m.source is not None and m.kind != "Flatten"]
    assert [m.name for m in result.maps if m.source is None] == ["0.relu2", "1.relu2", "2.relu2"]
    with torch.no_grad():
        for one in known:
            source = made.get(str(one.source), result.x)
            x = source.flatten() if one.kind == "Linear" else source
            y = layer_of[one.name](x[None])[0]
            torch.testing.assert_close(y.flatten(), one.values.flatten())


def state_of(model: nn.Module) -> bytes:
    out = io.BytesIO()
    torch.save(model.state_dict(), out)
    return out.getvalue()


def test_weights_from_a_file_are_the_networks_weights():
    model = network.known("resnet18", 1, 5, 224)
    spec = looking.Spec(
        network="resnet18", weights=kept(state_of(model), "mine.pth"), image="china"
    )
    used = looking.bench(spec)
    assert (used.channels, len(used.classes), used.trained) == (1, 5, True)
    assert torch.equal(
        used.model.get_parameter("conv1.weight"), model.get_parameter("conv1.weight")
    )


def test_a_file_saved_here_brings_its_network_along():
    file = pretrain.weights_file("digits 0-4").read_bytes()
    spec = looking.Spec(network=looking.OWN, weights=kept(file, "mine.safetensors"))
    assert looking.bench(spec).classes == tuple("01234")
    assert "mine.safetensors" in looking.to_code(spec)


class Harm:
    def __reduce__(self):
        return (print, ("harm",))


def test_files_that_are_no_weights_are_explained_and_never_run(capsys):
    hostile = io.BytesIO()
    torch.save({"a": Harm()}, hostile)
    for content in (
        b"",
        b"nothing",
        hostile.getvalue(),
        pickle.dumps({"a": 1}),
        b"\x08" + b"{" * 40,
    ):
        spec = looking.Spec(network="resnet18", weights=kept(content or b" ", "bad.pth"), seed=1)
        with pytest.raises(SpecError):
            looking.bench(spec)
    assert "harm" not in capsys.readouterr().out


def test_weights_of_another_architecture_are_a_sentence():
    file = kept(state_of(network.known("LeNet-5", 3, 10, 32)), "lenet.pth")
    with pytest.raises(SpecError, match="layers must be the same"):
        looking.bench(looking.Spec(network="resnet18", weights=file))
    looking.bench(looking.Spec(network="LeNet-5", weights=file))
    with pytest.raises(SpecError, match="does not say which network"):
        looking.bench(looking.Spec(network=looking.OWN, weights=file))
    with pytest.raises(SpecError, match="no weights file yet"):
        looking.Spec(network=looking.OWN)


@pytest.mark.parametrize(
    "content", [b"", b"<svg xmlns='x'/>", b"<html></html>", b"\x89PNG\r\n\x1a\n12"]
)
def test_what_is_no_picture_is_a_sentence(content):
    with pytest.raises(SpecError):
        images.decode(content, "own.png", longest=64)


def test_single_sums_are_told_of_small_networks_only():
    small = looking.run(looking.Spec())
    told = look.multiplied(looking.bench(looking.Spec()).model, small.maps)
    assert {name: one["op"] for name, one in told.items()} == {
        "0": "conv", "1": "relu", "2": "max", "3": "conv", "4": "relu", "5": "max", "6": "same",
        "7": "linear",
    }  # fmt: skip
    large = looking.Spec(network="resnet18", image="china")
    assert look.multiplied(looking.bench(large).model, looking.run(large).maps) == {}


def test_the_settings_reach_the_training_spec():
    assert looking.spec_of(pretrain.weights_file().read_bytes()) == cnn.Spec()


OWN_PICTURES = {
    f"{name}/{i}.png": image_cases.plain((40 + 7 * i, 200 if k else 20, 90))
    for k, name in enumerate(("moss", "rust"))
    for i in range(10)
}


def trained(**settings) -> tuple[looking.Spec, cnn.Spec]:
    """A network trained for one epoch on own pictures, and the bench that looks at one of them."""
    own = cnn.Spec(data=image_cases.kept(OWN_PICTURES), image_size=12, epochs=1, **settings)
    file, _ = pretrain.make(own)
    spec = looking.Spec(network=looking.OWN, weights=kept(file, "run.safetensors"), image=looking.SET, row=4)  # fmt: skip
    return spec, own


@pytest.mark.parametrize("settings", [{}, {"colours": "grey"}])
def test_a_networks_own_pictures_are_what_it_looks_at(settings):
    spec, own = trained(**settings)
    used, split = looking.bench(spec), data.prepare(own)
    rows, labels = looking.validation(used)
    assert torch.equal(rows, split.rows_val)
    assert torch.equal(labels, split.y_val)
    assert not set(rows.tolist()) & set(split.rows_train.tolist())
    for i, row in enumerate(rows.tolist()):
        seen = looking.run(spec.replace(row=row))
        assert torch.equal(seen.x, split.x_val[i])
        assert looking.label_of(used, row) == used.classes[int(labels[i])]
    with pytest.raises(SpecError, match="20 pictures; row is 20"):
        looking.run(spec.replace(row=20))


def test_the_script_looks_at_the_same_own_picture(tmp_path):
    spec, _ = trained()
    for name, path in looking.files(spec).items():
        (tmp_path / name).write_bytes(path.read_bytes())
    printed = export.numbers(export.run(looking.to_code(spec), tmp_path))
    assert printed == pytest.approx(looking.numbers(looking.run(spec)), rel=1e-5, abs=1e-6)


def test_rows_belong_to_digits_or_to_a_set_that_is_known():
    assert looking.Spec(row=1796).row == 1796
    with pytest.raises(SpecError, match="0 to 1796"):
        looking.Spec(row=1797)
    with pytest.raises(SpecError, match="Nobody knows on which pictures"):
        looking.Spec(network="resnet18", image=looking.SET)
