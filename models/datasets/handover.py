"""From the Datasets page to a training: its settings in the CNN page's words, and what that page does otherwise."""

from __future__ import annotations

import re

from models import datasets
from models.core.spec import Value
from models.data.image_steps import Step


def settings(spec: datasets.Spec) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Fields of `models.cnn.Spec` that mean the same, and a sentence for each setting that has no equal there."""
    found: dict[str, Value] = {
        "data": spec.data,
        "image_size": spec.side,
        "data_seed": spec.split_seed,
        # what is not on the list does not happen
        "degrees": 0.0,
        "shift": 0.0,
        "zoom": 0.0,
        "flip": False,
        "pixel_noise": 0.0,
    }
    said = [sentence for step in spec.steps if (sentence := _take(step, found))]
    if (spec.val, spec.test) != (0.2, 0.2) or not spec.stratify or spec.group != "none":
        kept = {"copies": "copies of a picture", "names": "pictures whose names begin alike"}
        together = f", and {kept[spec.group]} may fall apart" if spec.group in kept else ""
        said.append(
            f"The split is made anew: 60 % for training, 20 % for validation, 20 % for the test, every class in proportion "
            f"(here {1 - spec.val - spec.test:.0%}, {spec.val:.0%}, {spec.test:.0%}){together}."
        )
    if spec.mix != "none":
        said.append(f"{spec.mix} is not applied: that page trains on whole pictures and labels.")
    if spec.weighted:
        found["class_weights"] = True
        said.append("Rare classes weigh more in the loss instead of being drawn more often.")
    if spec.changed().get("batch_size"):
        found["batch_size"] = spec.batch_size
    return found, tuple(said)


def _take(step: Step, found: dict[str, Value]) -> str:
    """Put one transform into the settings; the sentence says what is otherwise, "" when nothing is."""
    args, kwargs = list(step.args), dict(step.kwargs)
    whole = not kwargs and len(args) <= 1
    if step.name == "ToFloat":
        return ""
    if step.name == "Normalize":
        return "Normalize is left out: that page trains on pixels of 0 to 1."
    if step.name == "RandomHorizontalFlip" and whole and (args or [0.5])[0] == 0.5:
        found["flip"] = True
        return ""
    if step.name == "RandomRotation" and whole and args and isinstance(args[0], (int, float)):
        found["degrees"] = float(args[0])
        return ""
    if step.name == "RandomAffine" and args and isinstance(args[0], (int, float)):
        scale, shift = kwargs.pop("scale", (1.0, 1.0)), kwargs.pop("translate", (0.0, 0.0))
        even = len(set(shift)) == 1 and abs(sum(scale) - 2) < 1e-9
        if not kwargs and len(args) == 1 and even:
            found |= {"degrees": float(args[0]), "shift": shift[0], "zoom": round(scale[1] - 1, 9)}
            return ""
    word = re.sub(r"\s+", " ", step.line)
    return f"{word} is left out: that page turns, moves, scales, mirrors and adds noise only."
