"""From files to batches: a Dataset of pictures, its split, its transforms, its loaders."""

from __future__ import annotations

import json
import multiprocessing
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset, WeightedRandomSampler, default_collate
from torchvision.transforms import v2

from models.core import export
from models.core import spec as core
from models.core.spec import SpecError, knob
from models.data import image_folder, image_sets, image_steps, ingest, steps, workspace
from models.data.image_folder import ZippedImages
from models.data.image_sets import PHOTOS
from models.data.image_steps import Step

SIDES = (32, 64, 96, 128)
MIXES = {"none": None, "MixUp": v2.MixUp, "CutMix": v2.CutMix}


@dataclass(frozen=True)
class Spec(core.Spec):
    """Everything between the files and the first batch."""

    data: str = knob(
        PHOTOS, "The set to begin with (photos), or upload: and the id of an own one.", max_chars=80
    )
    side: int = knob(
        64,
        "Every picture is decoded to a square of so many pixels.",
        choices=SIDES,
        label="Side in pixels",
    )
    rename: str = knob(
        "",
        "Classes under new names as JSON; an empty name leaves a class out.",
        label="New class names",
        max_chars=50_000,
    )
    val: float = knob(
        0.2,
        "Part of the pictures kept for validation.",
        label="Validation share",
        minimum=0.0,
        maximum=0.5,
        step=0.05,
    )
    test: float = knob(
        0.1,
        "Part of the pictures kept for the test.",
        label="Test share",
        minimum=0.0,
        maximum=0.5,
        step=0.05,
    )
    stratify: bool = knob(
        True, "Each class gives the same share to every part.", label="Same classes in each split"
    )
    group: str = knob(
        "copies",
        "What stays in one part: copies of a picture, or all whose file names begin alike (a7_01.jpg, a7_02.jpg). With "
        "none, some copies are tested that were trained on.",
        label="Kept together",
        choices=("copies", "names", "none"),
    )
    split_seed: int = knob(
        0, "Another seed, another split.", label="Seed of the split", minimum=0, maximum=999
    )
    transforms: str = knob(
        image_steps.DEFAULT, "torchvision's transforms.v2, one a line.", max_chars=2000
    )
    mix: str = knob(
        "none",
        "Mixes the pictures and labels of a batch.",
        choices=tuple(MIXES),
        label="Mix images",
    )
    batch_size: int = knob(8, "Pictures in a batch.", minimum=1, maximum=256)
    shuffle: bool = knob(True, "A new order for every epoch.")
    weighted: bool = knob(
        False,
        "Draw rare classes as often as common ones (WeightedRandomSampler).",
        label="Balance the classes",
    )
    drop_last: bool = knob(
        False, "Leave out the last batch when it is not full.", label="Drop the last batch"
    )
    num_workers: int = knob(
        0,
        "Processes that read ahead; 0 reads in the training process.",
        label="Worker processes",
        minimum=0,
        maximum=4,
    )
    prefetch_factor: int = knob(
        2, "Batches that each worker prepares ahead.", label="Batches ahead", minimum=1, maximum=8
    )
    persistent_workers: bool = knob(
        False,
        "Workers stay from one epoch to the next instead of being started anew.",
        label="Keep the workers",
    )
    pin_memory: bool = knob(
        False,
        "Batches in page-locked memory, from where a GPU fetches them faster; no use without one.",
        label="Pinned memory",
    )
    seed: int = knob(0, "Order and augmentation follow from it.", minimum=0, maximum=999)

    def check(self) -> None:
        if self.val + self.test > 0.8:
            raise SpecError(
                f"Validation takes {self.val:.0%} and the test {self.test:.0%} of the pictures, which leaves less than "
                "20% for training. Make one of them smaller.",
                "val",
            )
        names(self)
        image_steps.parse(self.transforms, self.side)

    @property
    def steps(self) -> tuple[Step, ...]:
        return image_steps.parse(self.transforms, self.side)


@dataclass(frozen=True)
class Parts:
    """A set split, and what was measured on its training part alone.

    Attributes:
        data: serves uint8 pictures. train, val, test: its rows.
        leaked: rows of val and test of which training holds a copy.
        mean, std: by channel, of the training pictures, as parts of 1.
    """

    data: ZippedImages
    train: Tensor
    val: Tensor
    test: Tensor
    leaked: Tensor
    mean: list[float]
    std: list[float]


@dataclass(frozen=True)
class Result:
    """The first batch, and how many there are.

    Attributes:
        x: (B, 3, H, W). y: (B,) class numbers, or (B, classes) after MixUp and CutMix.
        counts: pictures for training, validation, test. batches: in an epoch. leaked: see Parts.
    """

    classes: tuple[str, ...]
    counts: tuple[int, int, int]
    leaked: int
    batches: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    x: Tensor
    y: Tensor


def names(spec: Spec) -> dict[str, str]:
    """The renaming of classes: old name to new one.

    Raises:
        SpecError: it is no JSON object of texts.
    """
    try:
        found = json.loads(spec.rename or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise SpecError(
            'The renaming is no JSON object of texts. Write for example {"cat": "pet", "bird": ""}.',
            "rename",
        )
    return {old: workspace.display_name(new) if new.strip() else "" for old, new in found.items()}


def parts(spec: Spec) -> Parts:
    """The set of these settings, split.

    Raises:
        SpecError: it is not on this server, or its classes or parts come out empty.
    """
    data = image_sets.opened(spec.data, spec.side, names(spec))
    if len(data) == 0:
        raise SpecError("Every class is left out. Keep at least one.", "rename")
    train, val, test = image_folder.split_images(
        data.labels, grouping(spec, data), spec.val, spec.test, spec.split_seed, spec.stratify
    )
    if len(train) == 0:
        raise SpecError(
            f"None of the {len(data)} pictures is left for training. Make val or test smaller.",
            "val",
        )
    lost = image_folder.leaked(train, torch.cat([val, test]), data.first_copy)
    if spec.side == ingest.CARD_SIDE:  # measured when the set came in
        means, squares = image_sets.moments(spec.data, [data.names[i] for i in train])
        mean, square = means.mean(0), squares.mean(0)
        centre, spread = mean.tolist(), (square - mean.square()).clamp_min(0).sqrt().tolist()
    else:
        centre, spread = image_folder.channel_stats(data, train)
    return Parts(data, train, val, test, lost, centre, spread)


def grouping(spec: Spec, data: ZippedImages) -> Tensor:
    """For every picture the row of the first one of its group.

    Raises:
        SpecError: the names make too few groups to be split.
    """
    if spec.group == "copies":
        return data.first_copy
    if spec.group == "none":
        return torch.arange(len(data))
    found = image_folder.same_beginning(data.names)
    groups = len(found.unique())
    if groups < 3:
        raise SpecError(
            f"By the beginnings of the file names there are {groups} groups, too few for three parts. Name files like "
            "anna_01.jpg, or group by copies.",
            "group",
        )
    return found


def loader(
    spec: Spec, made: Parts, data: Dataset | None = None, collate: Callable | None = None
) -> DataLoader:
    """The training loader; `data` and `collate` may take the place of its own ones to be watched."""
    rows = made.train
    weights = None
    if spec.weighted:
        labels = made.data.labels[rows]
        weights = 1.0 / labels.bincount()[labels].double()
    generator = torch.Generator().manual_seed(spec.seed)
    sampler = (
        WeightedRandomSampler(weights.tolist(), len(rows), generator=generator)
        if weights is not None
        else None
    )
    return DataLoader(
        data or Subset(made.data, rows.tolist()),
        batch_size=spec.batch_size,
        shuffle=spec.shuffle if sampler is None else None,
        sampler=sampler,
        drop_last=spec.drop_last,
        collate_fn=collate or collating(spec, len(made.data.classes)),
        generator=generator,
        **reading(spec),
    )


def reading(spec: Spec) -> dict[str, Any]:
    """How a DataLoader reads ahead; these change no number."""
    if not spec.num_workers:
        return {"num_workers": 0, "pin_memory": spec.pin_memory}
    return {
        "num_workers": spec.num_workers,
        "prefetch_factor": spec.prefetch_factor,
        "persistent_workers": spec.persistent_workers,
        "pin_memory": spec.pin_memory,
        # as in a script: a run's own process would start them in another, slower way
        "multiprocessing_context": multiprocessing.get_all_start_methods()[0],
    }


def collating(spec: Spec, classes: int) -> Callable[[list[Any]], Any]:
    """How a list of (picture, class) becomes a batch."""
    mixing = MIXES[spec.mix]
    return _Mixing(mixing(num_classes=classes)) if mixing else default_collate


class _Mixing:
    """Batches, mixed."""

    def __init__(self, mix: Callable) -> None:
        self.mix = mix

    def __call__(self, samples: list[Any]) -> Any:
        return self.mix(*default_collate(samples))


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """The first batch of an epoch.

    Raises:
        SpecError: no batch comes out of these settings, or its pictures are of different sizes.
    """
    made = parts(spec)
    if spec.mix != "none" and len(made.data.classes) < 2:
        raise SpecError(f"{spec.mix} needs two classes or more; there is one.", "mix")
    made.data.transform = image_steps.pipeline(spec.steps, made.mean, made.std)
    batches = loader(spec, made)
    if len(batches) == 0:
        raise SpecError(
            f"{len(made.train)} training pictures fill no batch of {spec.batch_size}, and drop_last leaves out "
            "what is not full. Make batch_size smaller or switch drop_last off.",
            "drop_last",
        )
    torch.manual_seed(spec.seed)  # a worker's default generator is its own
    try:
        x, y = next(iter(batches))
    except (RuntimeError, ValueError) as error:
        raise SpecError(
            "The pictures do not form a batch: the list of transforms leaves them as another size or type than MixUp and "
            "a batch need. Let it end with one fixed size, and ToFloat.",
            "transforms",
            detail=str(error),
        ) from None
    counts = (len(made.train), len(made.val), len(made.test))
    return Result(
        tuple(made.data.classes),
        counts,
        len(made.leaked),
        len(batches),
        tuple(made.mean),
        tuple(made.std),
        x,
        y,
    )


def numbers(result: Result) -> dict[str, float]:
    """What the script prints."""
    x = result.x.double()
    return {
        "training_pictures": result.counts[0],
        "validation_pictures": result.counts[1],
        "test_pictures": result.counts[2],
        "leaked": result.leaked,
        "batches": result.batches,
        "batch_mean": float(x.mean()),
        "batch_std": float(x.std(correction=0)),
        "first_label": float(result.y[0].argmax() if result.y.ndim == 2 else result.y[0]),
    }


def file_name(spec: Spec) -> str:
    """The zip that the script reads from its own folder."""
    if spec.data == PHOTOS:
        return "photos.zip"
    id = spec.data.removeprefix("upload:")
    try:
        return workspace.file_name(workspace.about(id).name, ".zip")
    except SpecError:  # not on this server: the script waits for it all the same
        return f"pictures-{workspace.display_name(id, 8)}.zip"


def to_code(spec: Spec) -> str:
    """A script that serves the same first batch."""
    file = file_name(spec)
    default = spec.data == PHOTOS
    mixing = spec.mix != "none"
    used = "DataLoader, Dataset, Subset" + (", WeightedRandomSampler" if spec.weighted else "")
    used += ", default_collate" if mixing else ""
    imports = f"""
        import io
        import os
        import zipfile
        from collections.abc import Callable
        from pathlib import Path
        from typing import Any

        import numpy as np
        import torch
        from PIL import Image, ImageOps
        from torch import Tensor
        from torch.utils.data import {used}
        from torchvision.transforms import v2
    """
    cells = [imports]
    if default:
        cells.append(
            export.source(image_folder.make_photos)
            + f'\n\n\nif __name__ == "__main__":\n    make_photos({file!r})'
        )
    cells += [
        export.source(image_folder.decode, ZippedImages),
        export.source(
            steps.split,
            *([image_folder.same_beginning] if spec.group == "names" else []),
            image_folder.split_images,
            image_folder.leaked,
            image_folder.channel_stats,
        ),
        _main(spec, file, mixing),
    ]
    return export.script(f"Pictures of {file} as batches", cells)


def _main(spec: Spec, file: str, mixing: bool) -> str:
    renaming = names(spec)
    augment = textwrap.indent(image_steps.pipeline_code(spec.steps), "    ").strip()
    sampling = f"shuffle={spec.shuffle},"
    ahead = ["    pin_memory=True,"] if spec.pin_memory else []
    if spec.num_workers:
        ahead.append(f"    prefetch_factor={spec.prefetch_factor},")
        ahead.append(f"    persistent_workers={spec.persistent_workers},")
    lines = [
        f"data = ZippedImages({file!r}, side={spec.side}, rename={renaming!r})",
        f"group = {_GROUPS[spec.group]}",
        "train, val, test = split_images(",
        f"    data.labels, group, val={spec.val}, test={spec.test}, seed={spec.split_seed}, stratify={spec.stratify}",
        ")",
        "mean, std = channel_stats(data, train)  # of the training pictures alone",
        f"data.transform = {augment}",
        f"generator = torch.Generator().manual_seed({spec.seed})",
    ]
    if spec.weighted:
        lines += [
            "labels = data.labels[train]",
            "weights = 1.0 / labels.bincount()[labels].double()  # rare classes as often as common ones",
            "sampler = WeightedRandomSampler(weights.tolist(), len(train), generator=generator)",
        ]
        sampling = "sampler=sampler,"
    if mixing:
        lines += [
            f"mix = v2.{spec.mix}(num_classes=len(data.classes))",
            "def collate(samples):",
            "    return mix(*default_collate(samples))",
        ]
    lines += [
        "loader = DataLoader(",
        "    Subset(data, train.tolist()),",
        f"    batch_size={spec.batch_size},",
        f"    {sampling}",
        f"    drop_last={spec.drop_last},",
        f"    num_workers={spec.num_workers},",
        *ahead,
        *(["    collate_fn=collate,"] if mixing else []),
        "    generator=generator,",
        ")",
        f"torch.manual_seed({spec.seed})",
        "x, y = next(iter(loader))",
        "",
        'print(f"training_pictures = {len(train)}")',
        'print(f"validation_pictures = {len(val)}")',
        'print(f"test_pictures = {len(test)}")',
        'print(f"leaked = {len(leaked(train, torch.cat([val, test]), data.first_copy))}")',
        'print(f"batches = {len(loader)}")',
        'print(f"batch_mean = {x.double().mean():.8f}")',
        'print(f"batch_std = {x.double().std(correction=0):.8f}")',
        'print(f"first_label = {float(y[0].argmax() if y.ndim == 2 else y[0])}")',
    ]
    code = "\n".join(lines)
    if spec.num_workers:  # a worker may import this script, and must not start it again
        return 'if __name__ == "__main__":\n' + textwrap.indent(code, "    ")
    return code


_GROUPS = {
    "copies": "data.first_copy  # copies of a picture stay together",
    "names": "same_beginning(data.names)  # files whose names begin alike stay together",
    "none": "torch.arange(len(data))",
}
_OTHER = "RandomCrop 56\nToFloat"
VARIATIONS: dict[str, Spec] = {
    "data": Spec(data="upload:" + "0" * 64),
    "rename": Spec(rename='{"temple": "building"}'),
    "transforms": Spec(transforms=_OTHER),
    "prefetch_factor": Spec(num_workers=1, prefetch_factor=4),
    "persistent_workers": Spec(num_workers=1, persistent_workers=True),
}
