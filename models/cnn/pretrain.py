"""The small networks that come with the app: the default settings of the CNN lab, trained; and how to make them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.cnn import network
from models.cnn.spec import Spec
from models.training import checkpoint

MAX_WEIGHTS = 600 * 2**20  # VGG16 has 528 MB
FOLDER = Path(__file__).parent / "shipped"
SHIPPED: Mapping[str, Spec] = {"digits": Spec(), "digits 0-4": Spec(data="digits 0-4")}


def weights_file(name: str = "digits") -> Path:
    """Where a shipped network's weights lie."""
    return FOLDER / f"{name.replace(' ', '-')}.safetensors"


@cache
def load(name: str = "digits") -> nn.Module:
    """A shipped trained network, in evaluation mode; shared, so never trained or changed in place."""
    return with_weights(SHIPPED[name], weights_file(name).read_bytes())


def with_weights(spec: Spec, file: bytes) -> nn.Module:
    """The spec's network with the weights of a safetensors file.

    Raises:
        SpecError: the file is none, or its weights are another architecture's.
    """
    tensors = checkpoint.read_weights(file, MAX_WEIGHTS)
    with torch.random.fork_rng(devices=[]):
        model = network.build(spec)
    checkpoint.check_weights(model, tensors)
    model.load_state_dict(tensors)
    return model.eval()


def about(name: str = "digits") -> dict[str, Any]:
    """What training it printed: epochs, losses and accuracies, and the settings."""
    return json.loads(weights_file(name).with_suffix(".json").read_text(encoding="utf-8"))


def make(spec: Spec) -> tuple[bytes, dict[str, Any]]:
    """Train these settings to the end; returns the weights file and what is known about it."""
    from models.cnn import topic
    from models.training.run import Run

    run = Run(spec, plan=topic.plan(spec))
    while not run.over:
        run.batch()
    shown = {k: v for k, v in run.row.items() if not k.startswith(("ratio", "seconds", "grad"))}
    return checkpoint.weights(run), {"numbers": shown, "spec": asdict(spec)}


if __name__ == "__main__":
    torch.set_num_threads(1)  # as a worker does; small steps gain nothing from more
    FOLDER.mkdir(exist_ok=True)
    for shipped, settings in SHIPPED.items():
        made, known = make(settings)
        weights_file(shipped).write_bytes(made)
        text = json.dumps(known, indent=1) + "\n"
        weights_file(shipped).with_suffix(".json").write_text(text, encoding="utf-8")
        print(shipped, json.dumps(known["numbers"], indent=1), f"{len(made):,} bytes")
