"""Training on pictures: the Training page's own loop with another plan; its pictures and its export."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.cnn import augment, data, look, network
from models.cnn.spec import Spec
from models.core import export
from models.core.control import Control, Snapshot
from models.core.device import to_numpy
from models.core.spec import SpecError
from models.data import image_folder, image_sets, workspace
from models.training import doctor, frames, history, loop, losses, script
from models.training.plan import Plan, choose
from models.training.run import Run

EVALUATED = 2_000  # pictures per split that each point of the curves looks at
EVOLVING = 32  # channels, and cells per side, of a layer's maps over epochs
PAST, PAST_BYTES = 64, 64 * 2**20  # epochs whose weights are kept for that, and their bytes
SHOWN_MAPS = 25_000  # most values of feature maps in a frame


def plan(spec: Spec) -> Plan:
    """Data, network and augmentation of a run on pictures.

    Raises:
        SpecError: the pictures cannot be had, or a layer does not fit.
    """
    split = data.prepare(spec)
    with torch.random.fork_rng(devices=[]):
        model = network.build(spec)  # says what does not fit before anything starts
        kinds = [type(layer).__name__ for layer in model.modules()]
        batch_norm = network.needs_two(model, (spec.channels, *spec.size))
    amount = augmentation(spec)
    return Plan(
        split,
        _loss(spec, split),
        lambda: network.build(spec),
        random="Dropout" in kinds,
        batch_norm=batch_norm,
        augment=partial(augment.augment, **amount) if amount else None,
        evaluated=EVALUATED,
    )


def _loss(spec: Spec, split: data.Split) -> losses.Chosen:
    """Cross-entropy also for two classes: a network for pictures has an output for each."""
    return choose(spec.replace(loss="cross_entropy") if spec.loss == "auto" else spec, split)


def train(
    spec: Spec, *, device: str = "cpu", control: Control | None = None, resume: bytes = b""
) -> Iterator[Snapshot]:
    """Train as the exported script does, and yield what there is to see; see `models.training.train`.

    Raises:
        SpecError: the pictures cannot be had, or a layer does not fit.
    """
    run = Run(spec, device, plan=plan(spec))
    yield from loop.live(run, Pictures(run), control, resume)


def threads(spec: Spec) -> int:
    """CPU threads worth having: one for small pictures, more where a step is long."""
    return 1 if spec.image_size <= 16 and spec.list else 8


class Pictures:
    """Draws frames of one run: histograms, and the feature maps of one validation picture."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.looked: tuple[doctor.Look, ...] = ()
        k = max(1, len(run.x) // 256)
        self.sample = run.x[::k][:256]
        self.picture = run.data.x_val[0]
        self.names = _named(run.model)
        self.answers = {"evolve": self.evolve}
        self.past = history.Weights(PAST_BYTES, PAST)
        run.after_epoch = self._remember
        self._remember()

    def scene(self) -> dict[str, Any]:
        """What stays the same for the whole run."""
        run = self.run
        counts = torch.bincount(run.data.y_train, minlength=len(run.data.classes))
        most = int(counts.argmax())
        return {
            "task": "classification",
            "classes": list(run.data.classes),
            "metric": "accuracy",
            "epochs": int(run.settings["epochs"]),
            "batches_per_epoch": run.batches,
            "loss": run.chosen.key,
            "rows": {s: len(getattr(run.data, f"x_{s}")) for s in ("train", "val", "test")},
            "parameters": sum(p.numel() for p in run.model.parameters()),
            "baseline": {
                "metric": float(counts[most] / counts.sum()),
                "text": f"always predicting {run.data.classes[most]}",
            },
            "layers": [{"name": name} for name in self.names.values()],
            "picture": to_numpy(self.picture),
            "truth": int(run.data.y_val[0]),
        }

    def frame(self) -> dict[str, Any]:
        """The picture of now."""
        run = self.run
        self.looked = self._looks()
        maps, logits = look.seen(run.model, self.picture.to(run.device))
        drawn = [look.scaled([m], "map" if m.values[0].numel() > 1 else "layer")[0] for m in maps]
        small = sum(m.values.numel() for m in maps) <= SHOWN_MAPS
        p = run.chosen.probabilities(logits[None])[0]
        return {
            "epoch": run.row["epoch"]
            if run.position == 0
            else run.epoch + run.position / run.batches,
            "step": run.step,
            "row": run.row,
            "changes": run.spec.changes,
            "histograms": frames.histograms(run.linears, list(self.names.values())),
            "activations": [
                {"name": one.name, "dead": one.dead, "saturated": one.saturated}
                for one in self.looked
            ],
            "probabilities": to_numpy(p),
            "maps": [
                {
                    "name": m.name,
                    "kind": m.kind,
                    "source": m.source,
                    "given": None if m.given is None else to_numpy(m.given),
                    "shape": list(m.values.shape),
                    "tiles": to_numpy(v),
                    "ranges": to_numpy(r.contiguous()),
                    "exact": to_numpy(m.values),
                }
                for m, (v, r) in zip(maps, drawn, strict=True)
            ]
            if small
            else [],
            "multiplied": look.multiplied(run.model, maps) if small else {},
        }

    def evolve(self, layer: str, picture: bytes = b"", count: int = 8) -> dict[str, Any]:
        """A layer's maps of one picture at epochs from the start until now; the run stays as it is.

        Args:
            picture: float32 bytes of a picture in the network's size; the scene's picture without them.
            count: so many epochs at most, evenly spread over those that are kept.
        Returns:
            "epochs", "values" (epochs, channels, h, w), the first `EVOLVING` channels, reduced to `EVOLVING` cells a
            side, "shape" of the whole output, and "probabilities" (epochs, classes).

        Raises:
            SpecError: the network has no such layer, or the picture has another size.
        """
        run = self.run
        if layer not in look.layers(run.model):
            raise SpecError(f"The network has no layer {str(layer)[:40]!r}.", "layer")
        x = self.picture
        if picture:
            if len(picture) != 4 * x.numel():
                raise SpecError(f"The picture must have {x.numel()} numbers: {tuple(x.shape)}.")
            x = torch.frombuffer(bytearray(picture), dtype=torch.float32).reshape(x.shape)
        kept = self.past.until(run.step - 1)
        few = torch.linspace(0, len(kept) - 1, min(len(kept), max(1, count - 1))).round().long()
        states = {e: kept[e] for e in (list(kept)[int(i)] for i in few)}
        states |= {run.epoch + run.position / run.batches: run.model.state_dict()}
        model = copy.deepcopy(run.model)
        values, shape, answers = [], (0, 0, 0), []
        for weights in states.values():
            model.load_state_dict(weights)
            maps, logits = look.seen(model, x.to(run.device), [layer])
            shape = tuple(maps[0].values.shape)
            step = max(1, -(-max(shape[1:]) // EVOLVING))
            values.append(maps[0].values[:EVOLVING, ::step, ::step])
            answers.append(run.chosen.probabilities(logits[None])[0])
        return {
            "epochs": list(states),
            "values": to_numpy(torch.stack(values)),
            "shape": list(shape),
            "probabilities": to_numpy(torch.stack(answers)),
            "picture": to_numpy(x),
        }

    def _remember(self) -> None:
        run = self.run
        self.past.keep(run.epoch, run.step, run.model.state_dict())

    def _looks(self) -> tuple[doctor.Look, ...]:
        """How many channels of each activation layer are dead or saturated on training pictures."""
        run = self.run
        kinds = {
            name: type(layer).__name__
            for name, layer in run.model.named_modules()
            if isinstance(layer, (nn.ReLU, nn.Tanh, nn.Sigmoid))
        }
        silent = torch.no_grad()
        with look.evaluating(run.model), silent, look.listening(run.model, kinds) as found:
            run.model(self.sample)
        return tuple(
            doctor.look(f"layer {name} ({kinds[name]})", kinds[name], _units(value))
            for name, value in found.items()
        )


def _units(value: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) as rows of one unit per channel, (N H W, C); (N, C) stays."""
    return value.movedim(1, -1).reshape(-1, value.shape[1])


def _named(model: nn.Module) -> dict[int, str]:
    """Names of the layers with weight matrices, first to output, as the histograms show them."""
    found = [
        f"{name} {'conv' if isinstance(layer, nn.Conv2d) else 'linear'}"
        for name, layer in model.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    return dict(enumerate(found))


def numbers(snapshot: Snapshot) -> dict[str, float]:
    """What the script prints at its end."""
    return script.numbers(snapshot)


def to_code(spec: Spec) -> str:
    """A script of cells: pictures, network, augmentation, loop, results.

    Raises:
        SpecError: the pictures cannot be had.
    """
    split = data.prepare(spec)
    chosen = _loss(spec, split)
    n, n_val = len(split.x_train), len(split.x_val)
    amount = augmentation(spec)
    options = "".join(f", {name}={value!r}" for name, value in amount.items())
    lines = [
        "x_train, y_train, x_val, y_val = x[train], y[train], x[val], y[val]",
        *script.thinning_lines(n, n_val, EVALUATED),
    ]
    cells = [
        "import math\n\nimport numpy as np\nimport torch\nfrom sklearn.model_selection import train_test_split\n"
        "from torch import nn\nfrom torch.nn import functional as F",
        data_cell(spec),
        f"{export.source(data.split_rows)}\n\n\n"
        f"train, val, test = split_rows(y.numpy(), {spec.data_seed})\n" + "\n".join(lines),
        f"torch.manual_seed({spec.seed})  # the same initial weights every time\n"
        + network.code(spec),
        *script.loop_cells(
            spec,
            chosen,
            n,
            n_val,
            inputs=f"augment(x, shuffler{options})" if amount else "x",
            more=[augment.augment] if amount else [],
            evaluated=EVALUATED,
        ),
    ]
    return export.script("Train a network on pictures, batch by batch", cells)


def files(spec: Spec) -> dict[str, Path]:
    """What the script reads from its own folder, by the name it uses."""
    if spec.data in data.CLASSES:
        return {}
    return {_zip_name(spec): workspace.get(image_sets.id_of(spec.data))}


def data_cell(spec: Spec) -> str:
    """Source text that makes all pictures x (N, C, H, W) in [0, 1] and labels y (N,)."""
    more = ""
    if spec.limit:
        more += f"\nx, y = x[:{spec.limit}], y[:{spec.limit}]"
    if spec.channels != data.channels_of(spec.data):
        more += f"\n\n\n{export.source(data.recoloured)}\n\n\nx = recoloured(x, {spec.colours!r})"
    if part := data.part_of_digits(spec.data):
        low, high = part
        kept = f"\nkept = (y >= {low}) & (y <= {high})\nx, y = x[kept], y[kept] - {low}"
        return (
            f"from sklearn.datasets import load_digits\n\n\n{export.source(data.digits)}\n\n\n"
            f"x, y = digits({spec.image_size})  # (N, 1, H, W) in [0, 1], and (N,)"
            + (kept if (low, high) != (0, 9) else "")
            + more
        )
    if spec.data not in data.CLASSES:
        parts = (image_folder.decode, image_folder.ZippedImages, data.folder_pictures)
        return (
            "import io\nimport os\nimport zipfile\nfrom collections.abc import Callable\nfrom pathlib import Path\n"
            "from typing import Any\n\nfrom PIL import Image, ImageOps\nfrom torch import Tensor\n"
            f"from torch.utils.data import Dataset\n\n\n{export.source(*parts)}\n\n\n"
            f"x, y = folder_pictures({_zip_name(spec)!r}, {spec.image_size})  # (N, 3, H, W) in [0, 1], and (N,)"
            + more
        )
    order = "[:, None]" if data.channels_of(spec.data) == 1 else ".permute(0, 3, 1, 2)"
    return (
        f"from torchvision import datasets\n\n\n{export.source(data.fitted)}\n\n\n"
        f'found = datasets.{spec.data}("data", train=True, download=True)\n'
        f"x = fitted(torch.as_tensor(found.data){order}, {spec.image_size})\n"
        f"y = torch.as_tensor(found.targets).long(){more}"
    )


def _zip_name(spec: Spec) -> str:
    if spec.data == image_sets.PHOTOS:
        return "photos.zip"
    about = workspace.about(spec.data.removeprefix("upload:"))
    return workspace.file_name(about.name, ".zip")


def augmentation(spec: Spec) -> dict[str, Any]:
    """The augmentations that are on, as `augment` takes them."""
    given = {
        "degrees": spec.degrees,
        "shift": spec.shift,
        "zoom": spec.zoom,
        "flip": spec.flip,
        "noise": spec.pixel_noise,
    }
    return {name: value for name, value in given.items() if value}


# what each setting's export is compared under, where the setting alone would be refused or do nothing
VARIATIONS: Mapping[str, Spec] = {
    "network": Spec(network="LeNet-5"),
    "layers": Spec(network="own list", layers="conv 4 3, relu, flatten, linear"),
    "data": Spec(data="digits 0-4"),
    "colours": Spec(colours="RGB"),
    "label_smoothing": Spec(loss="cross_entropy", label_smoothing=0.1),
    "momentum": Spec(optimizer="SGD", momentum=0.9),
    "nesterov": Spec(optimizer="SGD", momentum=0.9, nesterov=True),
    "limit": Spec(limit=500),
    "step_size": Spec(scheduler="StepLR", step_size=10),
    "gamma": Spec(scheduler="StepLR", gamma=0.3),
    "t_max": Spec(scheduler="CosineAnnealingLR", t_max=20),
    "eta_min": Spec(scheduler="CosineAnnealingLR", eta_min=0.001),
    "pct_start": Spec(scheduler="OneCycleLR", pct_start=0.5),
    "lr_patience": Spec(scheduler="ReduceLROnPlateau", lr_patience=2),
    "changes": Spec(changes="20:lr=0.001;45:weight_decay=0.01"),
}
