"""The small network that comes with the app: the default settings of the CNN lab, trained; and how to make it again."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.cnn import network
from models.cnn.spec import Spec
from models.training import checkpoint

FOLDER = Path(__file__).parent / "shipped"
WEIGHTS, ABOUT = FOLDER / "digits.safetensors", FOLDER / "digits.json"


@cache
def load() -> nn.Module:
    """The trained network, in evaluation mode; shared, so never trained or changed in place."""
    return with_weights(Spec(), WEIGHTS.read_bytes())


def with_weights(spec: Spec, file: bytes) -> nn.Module:
    """The spec's network with the weights of a safetensors file.

    Raises:
        SpecError: the file is none, or its weights are another architecture's.
    """
    tensors = checkpoint.read_weights(file)
    with torch.random.fork_rng(devices=[]):
        model = network.build(spec)
    checkpoint.check_weights(model, tensors)
    model.load_state_dict(tensors)
    return model.eval()


def about() -> dict[str, Any]:
    """What training it printed: epochs, losses and accuracies, and the settings."""
    return json.loads(ABOUT.read_text(encoding="utf-8"))


def make() -> tuple[bytes, dict[str, Any]]:
    """Train the default settings to the end; returns the weights file and what is known about it."""
    from models.cnn import topic
    from models.training.run import Run

    spec = Spec()
    run = Run(spec, plan=topic.plan(spec))
    deque(iter(lambda: run.over or run.batch(), True), maxlen=0)
    shown = {k: v for k, v in run.row.items() if not k.startswith(("ratio", "seconds", "grad"))}
    return checkpoint.weights(run), {"numbers": shown, "spec": asdict(spec)}


if __name__ == "__main__":
    torch.set_num_threads(1)  # as a worker does; small steps gain nothing from more
    made, known = make()
    FOLDER.mkdir(exist_ok=True)
    WEIGHTS.write_bytes(made)
    ABOUT.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(known["numbers"], indent=1), f"{len(made):,} bytes")
