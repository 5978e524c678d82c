"""An epoch of a DataLoader, recorded: which worker read which pictures when, and who waited for whom."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset, get_worker_info

from models import datasets
from models.cnn import architecture, network
from models.cnn.spec import NAMED
from models.core.control import Control, Snapshot
from models.core.seeding import seeded
from models.core.spec import SpecError, knob
from models.data import image_folder, image_sets, image_steps

FORMATS = {
    "zip": "all files in one zip, decoded each time",
    "files": "one file for each picture in a folder, decoded each time",
    "parquet": "encoded pictures in one Parquet file, decoded each time",
    "decoded": "decoded once into one .npy file, which is mapped into memory",
    "memory": "decoded once and kept in memory",
}
OWN = "own layers"
MODELS = ("none", "small CNN", "ResNet-18", OWN)
WAITS = 0.2  # share of the time spent waiting above which the loader is the bottleneck


@dataclass(frozen=True)
class Spec(datasets.Spec):
    """The settings of the loader, and what is to be watched."""

    format: str = knob(
        "zip", "How the pictures are stored.", label="File format", choices=tuple(FORMATS)
    )
    model: str = knob(
        "small CNN",
        "What trains on each batch meanwhile.",
        label="Model trained meanwhile",
        choices=MODELS,
    )
    layers: str = knob(
        architecture.KNOWN["tiny"].replace("\n", ", "),
        "Your own network in the words of the CNN page: a layer list, or a name such as resnet18.",
        max_chars=2000,
    )
    shown: int = knob(24, "Batches to record.", label="Batches recorded", minimum=4, maximum=64)


@dataclass(frozen=True)
class Batch:
    """The life of one batch, in seconds since the loader was asked for its first.

    Attributes:
        epoch: which pass over the training pictures it belongs to, from 0.
        worker: number of the process that made it; -1 is the training process itself.
        pinned: it lay in page-locked memory.
        fetch: when its first picture was begun; fetched: when its last was ready; collated: when they were one tensor.
        asked: when training asked for it; arrived: when it had it; done: when the model had learned from it.
        indices: the sampler's rows, the first 12.
    """

    number: int
    epoch: int
    worker: int
    size: int
    fetch: float
    fetched: float
    collated: float
    asked: float
    arrived: float
    done: float
    indices: tuple[int, ...]
    pinned: bool


class Recorded(Dataset):
    """Serves what another one serves, with the index, the worker and the time."""

    def __init__(self, source: Dataset) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]  # every map-style set has a length

    def __getitem__(self, index: int) -> tuple[Any, tuple[int, float, float]]:
        start = time.perf_counter()
        sample = self.source[index]
        return sample, (index, start, time.perf_counter())


class RecordedBatch:
    """A `collate_fn` that adds when and where it ran."""

    def __init__(self, collate: Callable) -> None:
        self.collate = collate

    def __call__(self, items: list[Any]) -> tuple[Any, tuple[int, float, list[Any]]]:
        batch = self.collate([sample for sample, _ in items])
        worker = get_worker_info()
        return batch, (
            worker.id if worker else -1,
            time.perf_counter(),
            [record for _, record in items],
        )


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """One row per batch, as it comes; the last frame says who was waited for.

    Raises:
        SpecError: no batch comes out of these settings.
    """
    control = control or Control()
    datasets.run(
        datasets_part(spec).replace(num_workers=0)
    )  # what cannot work is said before workers start
    made = datasets.parts(datasets_part(spec))
    batches = recorded_loader(spec, made)
    step = learner(spec, made, device)
    total = spec.shown
    found: list[Batch] = []
    told = 0
    torch.manual_seed(spec.seed)
    for batch in record(batches, step, total):
        found.append(batch)
        final = len(found) == total
        control.gate()
        if control.due() or final:
            rows = tuple({"step": b.number + 1, **dataclasses.asdict(b)} for b in found[told:])
            told = len(found)
            frame = {"summary": summary(spec, found)} if final else {"done": told}
            yield Snapshot(told, told / total, rows=rows, frame=frame, final=final)


def datasets_part(spec: Spec) -> datasets.Spec:
    """The settings of the topic itself."""
    fields = [field.name for field in dataclasses.fields(datasets.Spec)]
    return datasets.Spec(**{name: getattr(spec, name) for name in fields})


def served(spec: Spec, made: datasets.Parts) -> Dataset:
    """The training pictures in the chosen format, augmented."""
    transform = image_steps.pipeline(spec.steps, made.mean, made.std)
    if spec.format == "zip":
        made.data.transform = transform
        return Subset(made.data, made.train.tolist())
    if spec.format == "memory":
        eager = image_folder.EagerImages(made.data)
        eager.transform = transform
        return Subset(eager, made.train.tolist())
    if spec.format == "files":
        folder = image_sets.unpacked(spec.data)
        names, labels = made.data.names, made.data.labels
        loose = image_folder.FileImages(folder, names, labels, spec.side, transform)
        return Subset(loose, made.train.tolist())
    # the others hold every picture of the set, also those of classes that are left out
    everything = image_sets.opened(spec.data, spec.side)
    place = {name: i for i, name in enumerate(everything.names)}
    rows = [place[made.data.names[i]] for i in made.train]
    labels = torch.zeros(len(everything), dtype=torch.int64)
    labels[torch.tensor([place[name] for name in made.data.names])] = made.data.labels
    if spec.format == "parquet":
        path = image_sets.in_parquet(spec.data)
        return Subset(image_folder.ParquetImages(path, labels, spec.side, transform), rows)
    path = image_sets.decoded(spec.data, spec.side)
    return Subset(image_folder.MappedImages(path, labels, transform), rows)


def recorded_loader(spec: Spec, made: datasets.Parts) -> DataLoader:
    """The very loader of these settings, over a set that takes notes."""
    plain = datasets.loader(datasets_part(spec), made)
    return DataLoader(
        Recorded(served(spec, made)),
        batch_sampler=plain.batch_sampler,
        collate_fn=RecordedBatch(plain.collate_fn),
        generator=plain.generator,
        **datasets.reading(spec),
    )


def record(
    batches: DataLoader, step: Callable[[Tensor, Tensor], None], most: int
) -> Iterator[Batch]:
    """Train on so many batches, in as many epochs as that takes, and tell of each when all about it is known."""
    zero = time.perf_counter()
    epoch, source = -1, iter(())
    for number in range(most):
        asked = time.perf_counter()
        batch = next(source, None)
        if batch is None:
            epoch, source = epoch + 1, iter(batches)
            batch = next(source)
        (x, y), (worker, collated, items) = batch
        arrived = time.perf_counter()
        step(x, y)
        done = time.perf_counter()
        yield Batch(
            number,
            epoch,
            worker,
            len(items),
            fetch=items[0][1] - zero,
            fetched=items[-1][2] - zero,
            collated=collated - zero,
            asked=asked - zero,
            arrived=arrived - zero,
            done=done - zero,
            indices=tuple(item[0] for item in items[:12]),
            pinned=x.is_pinned(),
        )


def learner(
    spec: Spec, made: datasets.Parts, device: str = "cpu"
) -> Callable[[Tensor, Tensor], None]:
    """One training step of the chosen model: forward, backward, update; nothing for "none".

    Raises:
        SpecError: the learner's own layers do not fit the pictures that come out of the transforms.
    """
    if spec.model == "none":
        return lambda x, y: None
    model = _model(spec, made)
    model = model.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step(x: Tensor, y: Tensor) -> None:
        if not x.is_floating_point():
            x = x.float() / 255
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x.to(device)), y.to(device)).backward()
        optimizer.step()

    return step


def _model(spec: Spec, made: datasets.Parts) -> nn.Module:
    classes = max(2, len(made.data.classes))
    if spec.model == "ResNet-18":
        return network.known("resnet18", 3, classes, spec.side)
    if spec.model == OWN:
        return own_network(spec.layers, picture_shape(spec, made), classes)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, classes),
    )


def own_network(text: str, shape: tuple[int, ...], classes: int) -> nn.Module:
    """A network of the CNN page, from its layer list or its name, for pictures of `shape` (C, H, W).

    Raises:
        SpecError: a line cannot be read, a layer does not fit, or the end is not one number for each class.
    """
    name = text.strip()
    if name in NAMED:
        model = network.known(name, shape[0], classes, shape[-1])
    else:
        calls = architecture.parse(text, shape[0], (shape[1], shape[2]), classes)
        model = network.of_calls(calls)
    last = architecture.describe(model, shape)[-1]
    if last.error:
        raise SpecError(f"{last.code} does not fit pictures of {shape}: {last.error}", "layers")
    if last.out != (classes,):
        raise SpecError(
            f"The layers end with {' × '.join(map(str, last.out))} numbers for a picture, but there are {classes} "
            "classes. End them with flatten, linear.",
            "layers",
        )
    return model


def picture_shape(spec: Spec, made: datasets.Parts) -> tuple[int, ...]:
    """(C, H, W) of a picture behind the transforms."""
    kept, made.data.transform = made.data.transform, None
    try:
        transform = image_steps.pipeline(spec.steps, made.mean, made.std)
        pixels = made.data[int(made.train[0])][0]
        with seeded(0):
            return tuple((transform(pixels) if transform else pixels).shape)
    finally:
        made.data.transform = kept


def summary(spec: Spec, found: list[Batch]) -> dict[str, Any]:
    """Who was waited for, apart from each epoch's first batch, which pays for starting workers, and what would help."""
    first = [b for i, b in enumerate(found) if not i or b.epoch != found[i - 1].epoch]
    later = [b for b in found if b not in first] or found
    waited = sum(b.arrived - b.asked for b in later)
    learned = sum(b.done - b.arrived for b in later)
    whole = max(waited + learned, 1e-9)
    pictures = sum(b.size for b in later)
    slow = waited / whole > WAITS
    return {
        "first_wait": first[0].arrived - first[0].asked,
        "epoch_waits": [b.arrived - b.asked for b in first[1:]],
        "pinned": all(b.pinned for b in found),
        "waited": waited,
        "learned": learned,
        "share": waited / whole,
        "per_second": pictures / whole,
        "bottleneck": "loader" if slow else "model",
        "fixes": _fixes(spec) if slow else [],
    }


def _fixes(spec: Spec) -> list[str]:
    """What makes loading quicker, the cheapest first, without what is done already."""
    fixes = []
    if spec.num_workers == 0:
        fixes.append("num_workers = 1 or 2: pictures are read while the model computes")
    elif spec.num_workers < min(4, os.cpu_count() or 1):
        fixes.append(
            f"one more worker than {spec.num_workers}: this machine has {os.cpu_count()} cores"
        )
    if spec.num_workers and not spec.persistent_workers:
        fixes.append("persistent_workers: the workers are started once, not in every epoch")
    if spec.format in ("zip", "files", "parquet"):
        fixes.append("format = decoded: the work of decoding is done once")
    elif spec.format == "decoded":
        fixes.append("format = memory: no file is touched, if everything fits")
    heavy = [s.name for s in spec.steps if s.name in _HEAVY]
    if heavy:
        fixes.append(f"fewer or cheaper transforms than {', '.join(heavy)}, which cost the most")
    if spec.side > 32:
        fixes.append(f"smaller pictures than {spec.side} × {spec.side}, if the task allows it")
    return fixes


_HEAVY = frozenset(
    {"AugMix", "AutoAugment", "RandAugment", "RandomPerspective", "GaussianBlur", "ColorJitter"}
)
