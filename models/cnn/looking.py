"""One picture in one network: what every layer makes of it, and what the network says it is."""

from __future__ import annotations

import io
import json
import os
import pickle
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.cnn import architecture, data, look, network, pretrain, topic
from models.cnn import spec as training
from models.core import export, seeding
from models.core import spec as core
from models.core.spec import SpecError, knob
from models.data import images, workspace
from models.training import checkpoint

DIGITS, SET = "digits", "set"  # pictures by their row: scikit-learn's digits, the network's own set
SHIPPED, OWN = "shipped", "own file"
MAX_WEIGHTS = pretrain.MAX_WEIGHTS
LONGEST = 512  # pixels of a picture's longer side, at most
_SIDE = 32  # pixels that an untrained small network sees


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which network looks at which picture."""

    network: str = knob(
        SHIPPED,
        "The trained network that comes with this app, one from a file, or a known one with random weights.",
        choices=(SHIPPED, OWN, *training.NAMED),
        names={SHIPPED: "trained on digits (comes with the app)", OWN: "from a weights file"},
    )
    weights: str = knob("", "A weights file: upload: and the sha256 of its content.", max_chars=80)
    image: str = knob(
        DIGITS,
        "A digit, a picture of the network's own set (set), a bundled picture, or an own one.",
        max_chars=80,
    )
    row: int = knob(
        3,
        "Which of the 1797 digits, or of the pictures of the network's set.",
        label="Picture number",
        minimum=0,
        maximum=59_999,
    )
    crop: bool = knob(
        True,
        "Cut to what is drawn and centred, as the digits of the set are (for networks of 1 channel).",
        label="Cut and centre",
    )
    invert: bool = knob(
        False, "Swap black and white: for dark ink on white paper.", label="Swap black and white"
    )
    seed: int = knob(0, "Random weights where none were given.", minimum=0, maximum=2**31 - 1)

    def check(self) -> None:
        if self.network == OWN and not self.weights:
            raise SpecError(
                "There is no weights file yet. Give one (.safetensors saved here), or choose another network.",
                "network",
            )
        if self.image == DIGITS and self.row > 1796:
            raise SpecError(
                f"There are 1797 digits, numbered from 0 to 1796; row is {self.row}.", "row"
            )
        if self.image == SET and self.network not in (SHIPPED, OWN):
            raise SpecError(
                f"Nobody knows on which pictures {self.network} was trained. Choose another picture, or a network that "
                "was trained here.",
                "image",
            )


@dataclass(frozen=True)
class Bench:
    """A network ready to look.

    Attributes:
        spec: how it was trained, where that is known.
        size: pixels per side that it sees; channels: of its input; classes: names of its outputs.
        trained: whether its weights were learned; imagenet: it wants ImageNet's mean and deviation taken off.
    """

    model: nn.Module
    spec: training.Spec | None
    size: int
    channels: int
    classes: tuple[str, ...]
    trained: bool
    imagenet: bool = False


@dataclass(frozen=True)
class Result:
    """What came out.

    Shape: x (C, H, W) as the network saw it; probabilities (classes,).
    """

    x: Tensor
    maps: tuple[look.Maps, ...]
    probabilities: Tensor
    classes: tuple[str, ...]


def bench(spec: Spec) -> Bench:
    """The network of these settings; shared between callers, so never trained or changed in place.

    Raises:
        SpecError: the weights file is none, is not on this server, or another architecture's.
    """
    return _bench(spec.network, spec.weights, spec.seed)


@lru_cache(maxsize=3)
def _bench(name: str, weights: str, seed: int) -> Bench:
    if name == SHIPPED:
        own = training.Spec()
        return Bench(pretrain.load(), own, own.image_size, own.channels, data.names(own), True)
    file = _content(weights) if weights else b""
    if name == OWN:
        own = spec_of(file)
        model = pretrain.with_weights(own, file)
        return Bench(
            model,
            own,
            own.image_size,
            own.channels,
            data.names(own),
            True,
            imagenet=_wants_imagenet(file),
        )
    large, size = name in architecture.TORCHVISION, _side(name)
    state = state_dict(file) if file else {}
    channels, outputs = _ends(name, state) if state else (3, 1000 if large else 10)
    with seeding.seeded(seed):
        model = network.known(name, channels, outputs, size)
    if state:
        checkpoint.check_weights(model, state)
        model.load_state_dict(state)
    return Bench(
        model.eval(), None, size, channels, _names(name, outputs), bool(state), imagenet=large
    )


def run(spec: Spec, *, device: str = "cpu", pixels: Tensor | None = None) -> Result:
    """Every layer's maps of the picture and the probabilities.

    Args:
        pixels: (1 or 3, H, W) in [0, 1], an own picture; without it the picture is a bundled one.

    Raises:
        SpecError: the picture or the weights are not on this server, or do not fit.
    """
    used = bench(spec)
    x = prepared(spec, used, pixels)
    maps, logits = look.seen(used.model, x)
    return Result(x, maps, logits.float().softmax(0), used.classes)


def picture(spec: Spec, gray: bool) -> Tensor:
    """The picture as its file has it. Shape: (1 or 3, H, W) in [0, 1].

    Raises:
        SpecError: it is not on this server, or no picture.
    """
    if spec.image == DIGITS:
        x = data.all_digits(8)[0][spec.row]
        return x if gray else x.expand(3, -1, -1)
    if spec.image in images.BUNDLED:
        return images.to_tensor(images.bundled(spec.image), gray, longest=LONGEST)
    id = spec.image.removeprefix("upload:")
    name = workspace.display_name(workspace.about(id).name)
    return images.decode(workspace.get(id).read_bytes(), name, gray=gray, longest=LONGEST).pixels


def picture_of(used: Bench, row: int) -> Tensor:
    """One picture of the network's set by its row, (C, H, W) in [0, 1] and in the network's size.

    Raises:
        SpecError: nobody knows what it was trained on, those pictures are not here, or are fewer.
    """
    if used.spec is None:
        raise SpecError("Nobody knows which pictures this network was trained on.")
    x, _ = data.pictures(used.spec.data, used.spec.image_size)
    if row >= len(x):
        raise SpecError(f"The network's set has {len(x)} pictures; row is {row}.", "row")
    return data.recoloured(x[row : row + 1], used.spec.colours)[0]


def label_of(used: Bench, row: int) -> str:
    """The class of a picture of the network's set.

    Raises:
        SpecError: as `picture_of`.
    """
    picture_of(used, row)  # says what is wrong
    assert used.spec is not None
    _, y = data.pictures(used.spec.data, used.spec.image_size)
    return used.classes[int(y[row])]


def validation(used: Bench) -> tuple[Tensor, Tensor]:
    """The rows of the pictures that judged the network while it learned, and their classes. Shape: (N,), (N,).

    Raises:
        SpecError: as `picture_of`.
    """
    if used.spec is None:
        raise SpecError("Nobody knows which pictures this network was trained on.")
    split = data.prepare(used.spec)
    return split.rows_val, split.y_val


def prepared(spec: Spec, used: Bench, pixels: Tensor | None = None) -> Tensor:
    """The picture as the network sees it. Shape: (channels, size, size)."""
    gray = used.channels == 1
    if spec.image == SET:
        x = upright(picture_of(bench(spec), spec.row), spec.invert)
        x = data.recoloured(x[None], "grey" if gray else "RGB")[0]
        x = x if x.shape[-1] == used.size else squared(x, used.size)
        return imagenet(x) if used.imagenet else x
    if spec.image == DIGITS and gray and pixels is None:
        return upright(data.all_digits(used.size)[0][spec.row], spec.invert)
    x = upright(picture(spec, gray) if pixels is None else pixels, spec.invert)
    if gray and spec.crop:
        return like_a_digit(x, used.size)
    x = squared(x, used.size)
    return imagenet(x) if used.imagenet else x


def upright(x, invert):
    """The picture, its brightness turned over when asked."""
    return 1 - x if invert else x


def like_a_digit(x, size):
    """White ink on black, (1, H, W): cut out, centred, thickened and coarsened to 8 × 8 as scikit-learn's digits are."""
    ink = x[0] > 0.25
    if ink.any():
        rows, columns = ink.any(1).nonzero().flatten(), ink.any(0).nonzero().flatten()
        x = x[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        h, w = x.shape[1:]
        side = max(h, w)
        left, top = (side - w) // 2, (side - h) // 2
        x = F.pad(x, (left, side - w - left, top, side - h - top))
    x = F.adaptive_avg_pool2d(x[None], 64)
    for _ in range(12):  # a thin pen becomes as thick as the set's, whose cells have a mean of 0.3
        if x.mean() >= 0.3 or not ink.any():
            break
        x = F.max_pool2d(x, 3, stride=1, padding=1)
    x = F.adaptive_avg_pool2d(x, 8)  # each cell: the mean of what it covers
    x = x / x.max().clamp_min(1e-6)
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)[0]


def squared(x, size):
    """The middle square of a picture (C, H, W), reduced or enlarged to size × size."""
    side = min(x.shape[1:])
    top, left = (x.shape[1] - side) // 2, (x.shape[2] - side) // 2
    x = x[:, top : top + side, left : left + side]
    return F.interpolate(
        x[None], size=(size, size), mode="bilinear", align_corners=False, antialias=True
    )[0]


def imagenet(x):
    """ImageNet's mean taken off and divided by its deviation, per channel, as torchvision's networks expect."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (x - mean[:, None, None]) / deviation[:, None, None]


def shown(used: Bench, x: Tensor) -> Tensor:
    """What the network saw as a picture to draw, (C, H, W) in [0, 1]."""
    if used.imagenet:
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = x * deviation[:, None, None] + mean[:, None, None]
    return x.clamp(0, 1)


def spec_of(file: bytes) -> training.Spec:
    """The settings in the header of a weights file that was saved here.

    Raises:
        SpecError: it has none, so nobody knows which network its weights are for.
    """
    told = _header(file).get("spec")
    try:
        return training.Spec(**json.loads(told or ""))
    except (TypeError, ValueError, AttributeError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(
            "This file does not say which network its weights belong to (only files saved by this page do). "
            "Choose the network they were saved from, then give the file.",
            "network",
        ) from None


def state_dict(file: bytes) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pth file; nothing in it is run.

    Raises:
        SpecError: it is neither, damaged, or holds more than tensors.
    """
    if len(file) > MAX_WEIGHTS:
        raise SpecError(
            f"The file has {len(file) / 2**20:.0f} MB; weights may have {MAX_WEIGHTS // 2**20} MB at most.",
            "weights",
        )
    if is_plain(file):
        return checkpoint.read_weights(file, MAX_WEIGHTS)
    try:
        found = torch.load(io.BytesIO(file), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, AttributeError,
            TypeError, IndexError) as error:  # fmt: skip
        raise SpecError(
            "This is no weights file: it is damaged, or holds more than tensors. Save a state_dict with torch.save, "
            "or as .safetensors.",
            "weights",
            detail=str(error)[:2000],
        ) from None
    if (
        not isinstance(found, dict)
        or not all(isinstance(v, Tensor) for v in found.values())
        or not found
    ):
        raise SpecError(
            "The file holds something other than a state_dict (names and tensors). Save model.state_dict().",
            "weights",
        )
    return found


def numbers(result: Result) -> dict[str, float]:
    """The answer, and the mean of every layer's output."""
    best = int(result.probabilities.argmax())
    means = {f"mean_{m.name}": float(m.values.mean()) for m in result.maps}
    return {"predicted": best, "probability": float(result.probabilities[best]), **means}


def files(spec: Spec) -> dict[str, Path]:
    """What the script reads from its own folder, by the name it uses."""
    found = {}
    if spec.network == SHIPPED:
        found[pretrain.weights_file().name] = pretrain.weights_file()
    if spec.weights and spec.network != SHIPPED:
        found[_file_name(spec)] = workspace.get(spec.weights.removeprefix("upload:"))
    if spec.image.startswith("upload:"):
        id = spec.image.removeprefix("upload:")
        found[images.file_name(spec.image)] = workspace.get(id)
    if spec.image == SET and (own := bench(spec).spec) is not None:
        found |= topic.files(own)
    return found


def to_code(spec: Spec) -> str:
    """The same network and picture as plain PyTorch; weights and own pictures are read from the script's folder."""
    cells = [
        *subject_cells(spec),
        "outputs = {}  # of every layer that computes; name#2 is its second call\n\n\n"
        "def keep(name, y):\n"
        '    calls = sum(known.partition("#")[0] == name for known in outputs)\n'
        '    outputs[f"{name}#{calls + 1}" if calls else name] = y[0].clone()\n\n\n'
        "for name, layer in model.named_modules():\n"
        "    if name and not list(layer.children()):\n"
        "        layer.register_forward_hook(lambda m, x, y, name=name: keep(name, y))\n"
        "with torch.no_grad():\n"
        "    probabilities = model.eval()(x[None])[0].softmax(0)",
        'print("predicted =", probabilities.argmax().item())\n'
        'print("probability =", probabilities.max().item())\n'
        "for name, output in outputs.items():\n"
        '    print(f"mean_{name} = {output.mean().item()}")',
    ]
    return export.script("One picture in one network", cells)


def subject_cells(spec: Spec) -> list[str]:
    """Cells of a script that make `model` and `x`, the picture as the model takes it, (C, H, W)."""
    gray, size, wants_imagenet, model = network_code(spec)
    return [
        "import torch\nfrom torch import nn\nfrom torch.nn import functional as F",
        model,
        _picture_code(spec, gray, size, wants_imagenet),
    ]


def network_code(spec: Spec) -> tuple[bool, int, bool, str]:
    """Whether it sees grey, its size, whether it wants ImageNet's scale, and the source text that makes it."""
    if spec.network in (SHIPPED, OWN):
        own = training.Spec() if spec.network == SHIPPED else spec_of(_content(spec.weights))
        name = pretrain.weights_file().name if spec.network == SHIPPED else _file_name(spec)
        load = (
            f'from safetensors.torch import load_file\n\nmodel.load_state_dict(load_file("{name}"))'
        )
        wants = spec.network == OWN and _wants_imagenet(_content(spec.weights))
        return own.channels == 1, own.image_size, wants, f"{network.code(own)}\n\n{load}"
    large, size = spec.network in architecture.TORCHVISION, _side(spec.network)
    if not spec.weights:
        seed = f"torch.manual_seed({spec.seed})  # random weights: nothing was learned\n"
        made = network.known_code(spec.network, "3", "1000" if large else "10", size)
        return False, size, large, seed + made
    name = _file_name(spec)
    read = f'torch.load("{name}", weights_only=True)'
    if name.endswith(".safetensors"):
        read = f'load_file("{name}")'
    head = "from safetensors.torch import load_file\n\n" if "load_file" in read else ""
    first, last = _end_names(spec.network)
    code = (
        f'{head}state = {read}\nchannels = state["{first}"].shape[1]\nclasses = state["{last}"].shape[0]\n'
        f"{network.known_code(spec.network, 'channels', 'classes', size)}\nmodel.load_state_dict(state)"
    )
    return _gray_file(spec), size, large, code


def _gray_file(spec: Spec) -> bool:
    try:
        return bench(spec).channels == 1
    except SpecError:
        return False


def _picture_code(spec: Spec, gray: bool, size: int, wants_imagenet: bool) -> str:
    functions: list[Any] = [upright]
    own = bench(spec).spec if spec.image == SET else None
    if own is not None:
        opened = f"x = x[{spec.row}]  # (C, H, W)"
        head = f"import numpy as np\n{topic.data_cell(own)}"
    elif spec.image == DIGITS:
        opened = f"x = digits({size if gray else 8})[0][{spec.row}]" + (
            "" if gray else ".expand(3, -1, -1)"
        )
        head = f"from sklearn.datasets import load_digits\n\n\n{export.source(data.digits)}"
    else:
        opened = (
            f"{images.code(spec.image)}\n"
            f"x = to_tensor(image, gray={gray}, longest={LONGEST})  # (C, H, W) in [0, 1]"
        )
        head = f"import numpy as np\nfrom PIL import Image, ImageOps\n\n\n{export.source(*images.TO_TENSOR)}"
    steps = [f"x = upright(x, invert={spec.invert})"]
    if gray and spec.crop and spec.image != DIGITS and not own:
        functions.append(like_a_digit)
        steps.append(f"x = like_a_digit(x, {size})")
    elif not (own or (gray and spec.image == DIGITS)):
        functions.append(squared)
        steps.append(f"x = squared(x, {size})")
    if wants_imagenet:
        functions.append(imagenet)
        steps.append("x = imagenet(x)")
    return "\n\n\n".join([head, export.source(*functions), "\n".join([opened, *steps])])


def _ends(name: str, state: Mapping[str, Tensor]) -> tuple[int, int]:
    """Channels that come in and classes that go out of a known network with these weights."""
    first, last = (state.get(key) for key in _end_names(name))
    if first is None or last is None:
        return 3, 10  # another network's: what is missing is said when the weights are compared
    if first.ndim != 4 or not last.ndim:
        raise SpecError(
            f"The file's first tensor has shape {tuple(first.shape)}, which is no convolution's. "
            "Choose the network that the weights were saved from.",
            "weights",
        )
    return first.shape[1], last.shape[0]


@lru_cache(maxsize=32)
def _end_names(name: str) -> tuple[str, str]:
    """The first and the last tensor of a known network. A safetensors file keeps no order of its own."""
    with torch.device("meta"):
        keys = list(network.known(name, 3, 10, _side(name)).state_dict())
    return keys[0], keys[-1]


def _side(name: str) -> int:
    """Pixels per side that a known network sees."""
    return 224 if name in architecture.TORCHVISION else _SIDE


def _names(name: str, outputs: int) -> tuple[str, ...]:
    if name in architecture.TORCHVISION and outputs == 1000:
        from torchvision.models import get_model_weights  # slow to import

        known: Any = get_model_weights(name)
        return tuple(known.DEFAULT.meta["categories"])
    return tuple(f"class {i}" for i in range(outputs))


def content(upload: str) -> bytes:
    """The bytes of an uploaded weights file.

    Raises:
        SpecError: it is not on this server, or too large.
    """
    path = workspace.get(upload.removeprefix("upload:"))
    if path.stat().st_size > MAX_WEIGHTS:
        raise SpecError(
            f"The file has {path.stat().st_size / 2**20:.0f} MB; weights may have {MAX_WEIGHTS // 2**20} MB at most.",
            "weights",
        )
    return path.read_bytes()


def is_plain(file: bytes) -> bool:
    """Whether a file is safetensors by its beginning: reading it runs nothing and unpacks nothing."""
    return file[8:9] == b"{"


def opened(upload: str) -> bool:
    """Whether an uploaded weights file can be read as safetensors: it is one, or a worker has made one of it.

    Raises:
        SpecError: it is not on this server.
    """
    path = workspace.get(upload.removeprefix("upload:"))
    with path.open("rb") as file:
        return is_plain(file.read(9)) or (path.parent / _PLAIN).exists()


def keep_plain(folder: Path, state: Mapping[str, Tensor]) -> None:
    """Put the tensors of a weights file beside it as safetensors, in one step."""
    from safetensors.torch import save_file  # only what is no safetensors file needs it

    target = folder / _PLAIN
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as made:
        # own memory for each: safetensors refuses tensors that share it
        save_file(
            {n: t.detach().clone().contiguous() for n, t in state.items()}, Path(made, "weights")
        )
        os.replace(Path(made, "weights"), target)


_PLAIN = Path("cache", "weights.safetensors")


def _content(upload: str) -> bytes:
    """The weights as they are read here: the safetensors file that a worker has made, where there is one."""
    plain = workspace.folder(upload.removeprefix("upload:")) / _PLAIN
    return plain.read_bytes() if plain.exists() else content(upload)


def _header(file: bytes) -> Mapping[str, Any]:
    """The notes in a safetensors file's header; {} for any other file."""
    size = int.from_bytes(file[:8], "little")
    if not is_plain(file) or size > 2**20:
        return {}
    try:
        found = json.loads(file[8 : 8 + size]).get("__metadata__")
    except (ValueError, AttributeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _wants_imagenet(file: bytes) -> bool:
    """Whether a network saved here began from ImageNet weights, whose scale it still expects."""
    return _header(file).get("imagenet") == "1"


def _file_name(spec: Spec) -> str:
    return _name_of(spec.weights, ".safetensors" if spec.network == OWN else ".pth")


def _name_of(upload: str, suffix: str) -> str:
    try:
        return workspace.file_name(workspace.about(upload.removeprefix("upload:")).name, suffix)
    except SpecError:
        return f"file{suffix}"


# what each setting's export is compared under, where the setting alone would be refused or do nothing
VARIATIONS: Mapping[str, Spec] = {
    "network": Spec(network="resnet18"),
    "weights": Spec(network="resnet18", weights=f"upload:{'0' * 64}"),
    "image": Spec(image="china"),
    "crop": Spec(image="china", crop=False),
    "seed": Spec(network="LeNet-5", seed=1),
}
