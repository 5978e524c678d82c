"""How good a network is on pictures: the Training page's report, and what pictures add to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from models.cnn import data, look, looking, topic
from models.core import export
from models.core.device import to_numpy
from models.core.spec import SpecError
from models.training import evaluation

MOST = 4_000  # pictures of a split that are judged


def report(used: looking.Bench, split: str) -> dict[str, Any]:
    """The network on the pictures of "train", "val" or "test" that it was trained with, as `evaluation.plain` gives it.

    Raises:
        SpecError: nobody knows what it was trained on, or those pictures are not here.
    """
    if used.spec is None:
        raise SpecError(
            "Nobody knows which pictures this network was trained on, so there is nothing to judge it by. Take the "
            "trained one, or a weights file saved on this page."
        )
    found = data.prepare(used.spec)
    x, y, rows = (getattr(found, f"{part}_{split}")[:MOST] for part in ("x", "y", "rows"))
    x = looking.imagenet(x) if used.imagenet else x
    with look.evaluating(used.model), torch.no_grad():
        logits = torch.cat([used.model(part) for part in x.split(256)])
    loss = float(F.cross_entropy(logits, y))
    made = evaluation.classes_report(
        split, loss, to_numpy(rows), to_numpy(y), to_numpy(logits.softmax(1)), found.classes
    )
    return evaluation.plain(made)


def top(report: dict[str, Any], k: int) -> float:
    """Share of pictures whose true class is among the k likeliest."""
    return float((report["rank"] < k).mean())


def calibration(
    report: dict[str, Any], bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Does it know what it knows? Mean confidence, share that is right, and number of pictures of each filled bin.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks (reliability diagram).
    """
    confidence, right = report["confidence"], report["truth"] == report["predicted"]
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    filled = [b for b in range(bins) if (place == b).any()]
    return (
        np.array([confidence[place == b].mean() for b in filled]),
        np.array([right[place == b].mean() for b in filled]),
        np.array([(place == b).sum() for b in filled]),
    )


def calibration_error(report: dict[str, Any], bins: int = 10) -> float:
    """Mean gap between confidence and share that is right, weighed by the pictures of each bin."""
    confidence, right, count = calibration(report, bins)
    return float((np.abs(confidence - right) * count).sum() / count.sum())


def worst(report: dict[str, Any], most: int = 16) -> np.ndarray:
    """Rows of the mistakes made with the greatest confidence, the worst first."""
    wrong = np.flatnonzero(report["truth"] != report["predicted"])
    order = wrong[np.argsort(-report["confidence"][wrong], kind="stable")]
    return report["rows"][order[:most]]


def numbers(report: dict[str, Any], k: int) -> dict[str, float]:
    """What the script prints."""
    return {
        "accuracy": float(report["accuracy"]),
        "loss": float(report["loss"]),
        f"top_{k}": top(report, k),
    }


def to_code(spec: looking.Spec, split: str, k: int) -> str:
    """A script that judges the same network on the same pictures; it reads `files` from its own folder.

    Raises:
        SpecError: as `report`.
    """
    own = looking.bench(spec).spec
    if own is None:
        raise SpecError("Nobody knows which pictures this network was trained on.")
    _, _, wants_imagenet, model = looking.network_code(spec)
    scale = f"{export.source(looking.imagenet)}\n\n\nx = imagenet(x)\n" if wants_imagenet else ""
    return export.script(
        f"How good a network is on its {split} pictures",
        [
            "import numpy as np\nimport torch\nfrom sklearn.model_selection import train_test_split\n"
            "from torch import nn\nfrom torch.nn import functional as F",
            topic.data_cell(own),
            f"{export.source(data.split_rows)}\n\n\ntrain, val, test = split_rows(y.numpy(), {own.data_seed})\n"
            f"x, y = x[{split}][:{MOST}], y[{split}][:{MOST}]\n{scale}",
            model,
            "with torch.no_grad():\n    logits = torch.cat([model.eval()(part) for part in x.split(256)])\n"
            "right = logits.argsort(1, descending=True) == y[:, None]  # (N, classes), likeliest first",
            'print("accuracy =", right[:, 0].float().mean().item())\n'
            'print("loss =", F.cross_entropy(logits, y).item())\n'
            f'print("top_{k} =", right[:, :{k}].any(1).float().mean().item())',
        ],
    )


def files(spec: looking.Spec) -> dict[str, Path]:
    """What the script reads from its own folder, by the name it uses."""
    own = looking.bench(spec).spec
    known = looking.files(spec.replace(image=looking.DIGITS, row=0))
    return known | (topic.files(own) if own is not None else {})
