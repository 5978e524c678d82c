"""Transfer learning: what a network learned on one set helps on another; from scratch, frozen, staged, fine-tuned."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.cnn import architecture, data, looking, network, pretrain, topic
from models.cnn import spec as training
from models.core import export, seeding
from models.core import spec as core
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob

PART = "digits 0-4"  # the shipped network that has never seen 5 to 9
WAYS = ("scratch", "frozen", "staged", "fine_tuned")
KEPT_BYTES = 2**28  # of a transferred network that is handed over; VGG16 has twice that
_SIZE = 64  # pixels that a torchvision network sees here: a fifth of the usual, so that two cores can train it


@dataclass(frozen=True)
class Spec(core.Spec):
    """From which network, to which pictures, and how."""

    base: str = knob(
        PART,
        "The network to start from.",
        label="Network to start from",
        choices=(PART, looking.OWN, *architecture.TORCHVISION),
        names={PART: "trained on digits 0-4", looking.OWN: "from a file saved here"},
    )
    weights: str = knob(
        "", "Its weights file: upload: and the sha256 of its content.", max_chars=80
    )
    target: str = knob(
        "digits 5-9",
        "What is to be learned: a set as under Build and train.",
        label="What to learn",
        max_chars=80,
    )
    sizes: str = knob(
        "1, 2, 3, 5, 10, 20",
        "Training pictures per class: two to eight numbers.",
        label="Images per class",
        max_chars=80,
    )
    epochs: int = knob(10, "Passes over those few pictures.", minimum=1, maximum=200)
    lr: float = knob(
        0.003, "Learning rate of what is new (all of it, from scratch).", label="Learning rate", minimum=1e-6, maximum=1.0, log=True
    )  # fmt: skip
    body: float = knob(
        0.1,
        "The learned layers' rate as a part of lr.",
        label="Rate of learned layers",
        minimum=0.001,
        maximum=1.0,
        log=True,
    )
    every: int = knob(
        3, "staged: epochs until one more learned layer, counted from the end, may move.", label="Epochs per thawed layer", minimum=1, maximum=100
    )  # fmt: skip
    batch_size: int = knob(16, "Pictures per step.", minimum=1, maximum=1024)
    seed: int = knob(
        0, "Which pictures, and the new layers' weights.", minimum=0, maximum=2**31 - 1
    )

    def check(self) -> None:
        self.counts()
        data.names_of(self.target)
        if self.base != PART and not self.weights:
            raise SpecError(
                "There is nothing to transfer yet: give the weights file of a trained network, or start from the one "
                "trained on digits 0-4.",
                "base",
            )

    def counts(self) -> tuple[int, ...]:
        """`sizes` as numbers, ascending.

        Raises:
            SpecError: they are no two to eight numbers from 1 to 10 000.
        """
        words = [w for w in re.split(r"[,;\s]+", self.sizes) if w]
        found = sorted({int(w) for w in words if w.isdigit() and 1 <= int(w) <= 10_000})
        if len(found) != len(words) or not 2 <= len(found) <= 8:
            raise SpecError(
                f"sizes is {self.sizes[:40]!r}; give two to eight different numbers from 1 to 10000, such as 1, 5, 20.",
                "sizes",
            )
        return tuple(found)


def base_of(spec: Spec) -> looking.Bench:
    """The network to start from, never changed in place.

    Raises:
        SpecError: its weights are not on this server, or another architecture's.
    """
    if spec.base == PART:
        own = pretrain.SHIPPED[PART]
        model = pretrain.load(PART)
        return looking.Bench(model, own, own.image_size, own.channels, data.names(own), True)
    return looking.bench(looking.Spec(network=spec.base, weights=spec.weights))


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """Trains each way on each number of pictures; a row per number, the courses of the last one in the frame.

    Raises:
        SpecError: network or pictures cannot be had.
    """
    control = control or Control()
    used = base_of(spec)
    found = _pictures(spec, used)
    x, y, x_val, y_val = (
        part.to(device) for part in (found.x_train, found.y_train, found.x_val, found.y_val)
    )
    classes = len(found.classes)
    counts = _possible(spec, y)
    total, done = len(counts) * len(WAYS), 0
    last: dict[str, Any] = {}
    row: dict[str, Any] = {}
    blobs = {}
    with seeding.seeded(spec.seed):
        order = torch.randperm(len(y))
    scene = {
        "classes": list(found.classes),
        "counts": list(counts),
        "validation": len(y_val),
        "ways": list(WAYS),
        "parameters": sum(p.numel() for p in used.model.parameters()),
        "head": _head_size(used.model, classes),
    }
    yield Snapshot(0, 0.0, scene=scene, frame={"courses": {}})
    for count in counts:
        rows = some_of_each(y, order, count)
        row = {"step": count, "epoch": float(count)}
        for way in WAYS:
            control.gate()
            with seeding.seeded(spec.seed):
                model, head = prepared(copy.deepcopy(used.model).to(device), classes, way)
                course = learn(
                    model, head, way, x[rows], y[rows], x_val, y_val,
                    epochs=spec.epochs, lr=spec.lr, body=spec.body, every=spec.every, batch_size=spec.batch_size,
                )  # fmt: skip
            row[way] = course[-1]
            last[way] = course
            done += 1
            if way == "fine_tuned" and count == counts[-1] and _bytes(model) <= KEPT_BYTES:
                blobs["transferred.safetensors"] = _file(model, spec, used)
            if done < total:
                yield Snapshot(
                    count, done / total, frame={"courses": dict(last), "count": count}, blobs={}
                )
        yield Snapshot(
            count,
            done / total,
            rows=(row,),
            frame={"courses": dict(last), "count": count, "row": row},
            blobs=blobs,
            final=done == total,
        )


def _pictures(spec: Spec, used: looking.Bench) -> data.Split:
    size = _SIZE if used.spec is None else used.size
    colours = "grey" if used.channels == 1 else "RGB"
    found = data.prepare(training.Spec(data=spec.target, image_size=size, colours=colours))
    if not used.imagenet:
        return found
    return replace(
        found, x_train=looking.imagenet(found.x_train), x_val=looking.imagenet(found.x_val)
    )


def _possible(spec: Spec, y: Tensor) -> tuple[int, ...]:
    """The numbers asked for that every class can give."""
    least = int(torch.bincount(y).min())
    counts = [n for n in spec.counts() if n <= least]
    if len(counts) < 2:
        raise SpecError(
            f"The smallest class has {least} training pictures, and sizes asks for {spec.sizes}. Ask for fewer.",
            "sizes",
        )
    return tuple(counts)


def some_of_each(y, order, count):
    """The first `count` rows of every class in this order; more of them hold the fewer."""
    shuffled = y[order]
    return torch.cat([order[shuffled == c][:count] for c in y.unique()])


def prepared(model, classes, way):
    """The network with a new last layer, and that layer; what may not move yet is frozen."""
    if way == "scratch":
        for layer in model.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
    last = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)][-1]
    parent, _, name = last.rpartition(".")
    head = nn.Linear(model.get_submodule(last).in_features, classes)
    head.to(next(model.parameters()).device)
    model.get_submodule(parent).add_module(name, head)
    if way in ("frozen", "staged"):
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        for parameter in head.parameters():
            parameter.requires_grad_(True)
    return model, head


def learn(model, head, way, x, y, x_val, y_val, epochs, lr, body, every, batch_size):
    """Train, each part at its own rate; returns the accuracy on the validation pictures after every epoch."""
    own = set(head.parameters())
    rate = lr if way == "scratch" else lr * body
    groups = [{"params": list(own), "lr": lr}]
    groups += [{"params": [p for p in model.parameters() if p not in own], "lr": rate}]
    optimizer = torch.optim.Adam(groups)  # leaves alone what has no gradient
    frozen = [
        m for m in model.modules() if any(not p.requires_grad for p in m.parameters(recurse=False))
    ]
    accuracies = []
    for epoch in range(epochs):
        if way == "staged" and epoch and epoch % every == 0 and frozen:
            for parameter in frozen.pop().parameters(
                recurse=False
            ):  # the last one that is still frozen
                parameter.requires_grad_(True)
        for layer in model.modules():  # what is frozen keeps its statistics too
            layer.train(any(p.requires_grad for p in layer.parameters()))
        for rows in torch.randperm(len(y)).split(batch_size):
            if len(rows) == 1 and len(y) > 1:
                continue  # batch norm needs two
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            answers = torch.cat([model(part).argmax(1) for part in x_val.split(256)])
        accuracies.append((answers == y_val).float().mean().item())
    return accuracies


def numbers(snapshot: Snapshot) -> dict[str, float]:
    """What the script prints at its end: each way's accuracy on the largest number of pictures."""
    row = (snapshot.frame or {})["row"]
    return {"pictures_per_class": row["step"], **{way: row[way] for way in WAYS}}


def files(spec: Spec) -> dict[str, Path]:
    """What the script reads from its own folder, by the name it uses."""
    found = {}
    if spec.base == PART:
        found[pretrain.weights_file(PART).name] = pretrain.weights_file(PART)
    else:
        found |= looking.files(looking.Spec(network=spec.base, weights=spec.weights))
    return found | topic.files(training.Spec(data=spec.target))


def to_code(spec: Spec) -> str:
    """The same comparison as plain PyTorch; weights and own pictures are read from the script's folder."""
    if spec.base == PART:
        own = pretrain.SHIPPED[PART]
        gray, size, wants = True, own.image_size, False
        made = (
            f"{network.code(own)}\n\nfrom safetensors.torch import load_file\n\n"
            f'model.load_state_dict(load_file("{pretrain.weights_file(PART).name}"))'
        )
    else:
        gray, size, wants, made = looking.network_code(
            looking.Spec(network=spec.base, weights=spec.weights)
        )
        size = _SIZE if spec.base in architecture.TORCHVISION else size
    target = training.Spec(data=spec.target, image_size=size, colours="grey" if gray else "RGB")
    scale = f"\n\n\n{export.source(looking.imagenet)}\n\n\nx = imagenet(x)" if wants else ""
    least = "min(int((y[train] == c).sum()) for c in y.unique())"
    cells = [
        "import copy\n\nimport numpy as np\nimport torch\nfrom sklearn.model_selection import train_test_split\n"
        "from torch import nn\nfrom torch.nn import functional as F",
        made,
        topic.data_cell(target) + scale,
        f"{export.source(data.split_rows)}\n\n\n"
        "train, val, _ = split_rows(y.numpy(), 0)\n"
        "x_train, y_train, x_val, y_val = x[train], y[train], x[val], y[val]\n"
        f"counts = [n for n in {list(spec.counts())} if n <= {least}]\n"
        f"torch.manual_seed({spec.seed})\norder = torch.randperm(len(y_train))",
        export.source(some_of_each, prepared, learn),
        f"for count in counts:\n    rows = some_of_each(y_train, order, count)\n    accuracy = {{}}\n"
        f"    for way in {list(WAYS)}:\n        torch.manual_seed({spec.seed})\n"
        "        net, head = prepared(copy.deepcopy(model), len(y.unique()), way)\n"
        "        course = learn(\n            net, head, way, x_train[rows], y_train[rows], x_val, y_val,\n"
        f"            epochs={spec.epochs}, lr={spec.lr!r}, body={spec.body!r}, every={spec.every}, "
        f"batch_size={spec.batch_size},\n        )\n"
        "        accuracy[way] = course[-1]",
        'print("pictures_per_class =", count)\nfor way, value in accuracy.items():\n    print(f"{way} = {value}")',
    ]
    return export.script("What a trained network is worth on other pictures", cells)


def _head_size(model: nn.Module, classes: int) -> int:
    last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
    return (last.in_features + 1) * classes


def _file(model: nn.Module, spec: Spec, used: looking.Bench) -> bytes:
    """The transferred network as a weights file that knows its settings, to look into."""
    from safetensors.torch import save  # only needed here

    colours = "grey" if used.channels == 1 else "RGB"
    known = used.spec or training.Spec(network=spec.base, image_size=_SIZE)
    told = known.replace(data=spec.target, colours=colours, limit=0, data_seed=0, changes="")
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    about = {"format": "pt", "spec": json.dumps(asdict(told)), "imagenet": str(int(used.imagenet))}
    return save(tensors, metadata=about)


def _bytes(model: nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in model.state_dict().values())


# what each setting's export is compared under, where the setting alone would be refused
VARIATIONS: Mapping[str, Spec] = {
    "base": Spec(base="resnet18", weights=f"upload:{'0' * 64}"),
    "weights": Spec(base="resnet18", weights=f"upload:{'0' * 64}"),
    "target": Spec(target="digits"),
    "sizes": Spec(sizes="2, 6"),
}
