"""What goes wrong in a run, recognised from its curves: one sentence, the evidence, and settings that help."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from torch import Tensor

from models.core.spec import Value
from models.training.spec import RunSpec, Spec


@dataclass(frozen=True)
class Look:
    """A hidden layer on training rows: share of its units that are dead (0 on every row), and
    share of its values at a flat end of tanh or sigmoid."""

    name: str
    activation: str
    dead: float
    saturated: float


@dataclass(frozen=True)
class Facts:
    """What the curves alone do not tell: settings, rows per class (empty for regression), layers, feature scale."""

    spec: RunSpec
    counts: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One diagnosis.

    Attributes:
        name: "nan", "divergence", "dead_relu", "saturation", "overfitting", "plateau", "imbalance",
            "lr_small" or "lr_large".
        text: what happens and what to change, in one sentence.
        evidence: the numbers it rests on.
        fix: settings that should help, none of them as it is now.
    """

    name: str
    text: str
    evidence: Mapping[str, float] = field(default_factory=dict)
    fix: Mapping[str, Value] = field(default_factory=dict)


_ROWS = 500


def look(name: str, activation: str, values: Tensor) -> Look:
    """A layer's condition from its values, (rows, units)."""
    dead = saturated = 0.0
    if activation == "ReLU":
        dead = (values == 0).all(dim=0).float().mean().item()
    elif activation == "Tanh":
        saturated = (values.abs() > 0.99).float().mean().item()
    elif activation == "Sigmoid":
        saturated = ((values - 0.5).abs() > 0.495).float().mean().item()
    return Look(name, activation, dead, saturated)


def diagnose(rows: Sequence[Mapping[str, Any]], facts: Facts) -> tuple[Finding, ...]:
    """Findings for curves so far (`rows` from the one before the first step on), the worst first."""
    if not rows:
        return ()
    if len(rows) > 2 * _ROWS:  # a long past is told as well by a part of it
        rows = [*rows[: -_ROWS : len(rows) // _ROWS], *rows[-_ROWS:]]
    if not math.isfinite(rows[-1]["train_loss"]):
        return (_with_fix(_nan(rows, facts), facts.spec),)
    diverged = _divergence(rows, facts)
    found = [diverged] if diverged else []
    if not diverged:
        slow = _lr_small(rows, facts)
        fast = _lr_large(rows, facts)
        found += [finding for finding in (fast, slow) if finding]
        if not found and (flat := _plateau(rows, facts)):
            found.append(flat)
        if gap := _overfitting(rows, facts):
            found.append(gap)
    found += [f for f in (_dead(facts), _saturation(facts), _imbalance(facts)) if f]
    return tuple(_with_fix(finding, facts.spec) for finding in found)


def _with_fix(finding: Finding, spec: RunSpec) -> Finding:
    """The finding with a fix that changes something and that the other settings allow."""
    fix = {name: value for name, value in finding.fix.items() if getattr(spec, name) != value}
    lr = float(fix.get("lr", spec.lr))
    if spec.scheduler == "CosineAnnealingLR" and lr <= spec.eta_min:
        fix["eta_min"] = 0.0
    return replace(finding, fix=fix)


def _nan(rows: Sequence[Mapping[str, Any]], facts: Facts) -> Finding:
    spec = facts.spec
    epoch = rows[-1]["epoch"]
    if len(rows) == 1:
        text = "The loss is no number before the first step: the inputs are too large for these weights. Normalise them."
        fix: dict[str, Value] = {"init": "default"}
        if isinstance(spec, Spec):
            fix |= {"normalise": "standard", "normalise_target": True}
        return Finding("nan", text, {"epoch": epoch}, fix)
    lr = rows[-1]["lr"]
    fix = {"lr": _lower(spec), "clip": spec.clip or 1.0}
    text = (
        f"The loss became {rows[-1]['train_loss']} in epoch {epoch:g} at lr = {lr:g}: the steps were so large "
        f"that numbers overflowed. Take lr = {fix['lr']:g} and clip gradients at {fix['clip']:g}."
    )
    return Finding("nan", text, {"epoch": epoch, "lr": lr}, fix)


def _divergence(rows: Sequence[Mapping[str, Any]], facts: Facts) -> Finding | None:
    first, last = rows[0]["train_loss"], rows[-1]["train_loss"]
    best = min(row["train_loss"] for row in rows[-200:])
    if len(rows) < 3 or last < 2 * first or last < 3 * best * (best < first) or last < 1e-3:
        return None
    fix: dict[str, Value] = {"lr": _lower(facts.spec)}
    advice = f"Take lr = {fix['lr']:g}"
    if isinstance(facts.spec, Spec) and facts.spec.normalise == "none":
        fix["normalise"] = "standard"
        advice += ", and normalise the inputs"
    text = (
        f"The training loss rose from {first:.3g} to {last:.3g} instead of falling: each step overshoots. "
        f"{advice}."
    )
    return Finding("divergence", text, {"first": first, "last": last, "lr": facts.spec.lr}, fix)


def _lr_small(rows: Sequence[Mapping[str, Any]], facts: Facts) -> Finding | None:
    ratio = _ratio(rows)
    if len(rows) < 6 or ratio is None:
        return None
    first, last = rows[0]["train_loss"], rows[-1]["train_loss"]
    moved = (first - last) / abs(first) if first else 0.0
    if abs(moved) > 0.05 or ratio > 2e-4 or facts.spec.init == "zeros":
        return None
    fix = {"lr": _round(min(facts.spec.lr * 1e-3 / max(ratio, 1e-9), _usual(facts.spec)))}
    if fix["lr"] <= facts.spec.lr or _norm(rows) < 1e-7:
        return None
    text = (
        f"After {rows[-1]['epoch']:g} epochs the training loss moved by only {abs(moved):.1%}: a step changes the "
        f"weights by a {ratio:.0e} part of their size (usual is about 1e-3). Take lr = {fix['lr']:g}."
    )
    return Finding("lr_small", text, {"moved": moved, "ratio": ratio, "lr": facts.spec.lr}, fix)


def _lr_large(rows: Sequence[Mapping[str, Any]], facts: Facts) -> Finding | None:
    ratio = _ratio(rows)
    window = [row["train_loss"] for row in rows[-12:]]
    if len(rows) < 8 or ratio is None or ratio < 0.01:
        return None
    ups = sum(b > a for a, b in itertools.pairwise(window)) / (len(window) - 1)
    swing = (max(window) - min(window)) / (sum(window) / len(window) or 1.0)
    poor = min(window) > 0.3 * rows[0]["train_loss"]
    if ups < 0.3 or swing < 0.25 or not poor:
        return None
    fix = {"lr": _lower(facts.spec)}
    text = (
        f"The training loss jumps by {swing:.0%} instead of settling: a step changes the weights by {ratio:.0%} of "
        f"their size (usual is about 0.1%). Take lr = {fix['lr']:g}."
    )
    return Finding("lr_large", text, {"swing": swing, "ratio": ratio, "lr": facts.spec.lr}, fix)


def _plateau(rows: Sequence[Mapping[str, Any]], facts: Facts) -> Finding | None:
    width = max(15, len(rows) // 3)
    if len(rows) <= width + 1:
        return None
    before, now = rows[-width - 1]["train_loss"], min(row["train_loss"] for row in rows[-width:])
    gain = (before - now) / abs(before) if before else 0.0
    metric = rows[-1]["train_metric"]
    guess = max(facts.counts) / sum(facts.counts) if facts.counts else 0.0
    # a level that only a little beats guessing; high ground is no plateau to leave
    if gain > 0.01 or metric > guess + 0.6 * (1 - guess):
        return None
    if facts.spec.init == "zeros":
        fix: dict[str, Value] = {"init": "default"}
        advice = "All weights start at 0, so all units of a layer stay alike: choose init = default"
    elif facts.spec.lr > 2 * _usual(facts.spec):
        fix = {"lr": _usual(facts.spec)}
        advice = f"The steps may be too large to get down: take lr = {fix['lr']:g}"
    elif facts.spec.optimizer == "SGD" and facts.spec.momentum < 0.9:
        fix = {"momentum": 0.9}
        advice = "Take momentum = 0.9"
    elif facts.spec.optimizer != "Adam" or facts.spec.lr != _usual(facts.spec):
        fix = {"optimizer": "Adam", "lr": 0.01, "momentum": 0.0, "nesterov": False}
        advice = "Take Adam with lr = 0.01"
    else:
        fix = facts.spec.wider()
        advice = "Take more units, or data that tells more about the target"
    if (
        isinstance(facts.spec, Spec)
        and not facts.spec.layers.strip()
        and facts.spec.init != "zeros"
    ):
        fix = {"layers": "8 tanh, 8 tanh"}
        advice = "There is no hidden layer: add some"
    epochs = rows[-1]["epoch"] - rows[-width - 1]["epoch"]
    text = (
        f"For {epochs:g} epochs the training loss stays at {now:.3g} (better by {max(gain, 0):.1%}), though the metric is "
        f"only {metric:.2f}. {advice}."
    )
    return Finding("plateau", text, {"epochs": epochs, "gain": gain, "metric": metric}, fix)


def _overfitting(rows: Sequence[Mapping[str, Any]], facts: Facts) -> Finding | None:
    if len(rows) < 10 or rows[-1]["val_loss"] is None:
        return None
    losses = [row["val_loss"] for row in rows]
    best = min(range(len(losses)), key=losses.__getitem__)
    val = sum(losses[-3:]) / 3
    train = sum(row["train_loss"] for row in rows[-3:]) / 3
    rising = val > 1.1 * losses[best] and val - losses[best] > 0.02 * abs(losses[0])
    if len(rows) - best < 6 or not rising or train > min(0.6 * val, rows[best]["train_loss"]):
        return None
    spec = facts.spec
    fix: dict[str, Value] = {
        "patience": min(spec.patience or 10, 10),
        "weight_decay": min(max(0.01, 3 * spec.weight_decay), 10.0),
    }
    text = (
        f"The validation loss was best at epoch {rows[best]['epoch']:g} ({losses[best]:.3g}) and is {val:.3g} now, while "
        f"the training loss fell to {train:.3g}: the network learns its rows by heart. Stop early, decay weights, or "
        "use fewer units."
    )
    evidence = {"best_epoch": rows[best]["epoch"], "best": losses[best], "val": val, "train": train}
    return Finding("overfitting", text, evidence, fix)


def _dead(facts: Facts) -> Finding | None:
    worst = max(facts.looks, key=lambda look: look.dead, default=None)
    if worst is None or worst.dead < 0.5:
        return None
    fix = facts.spec.leaky()
    if facts.spec.lr > 0.01:
        fix["lr"] = _lower(facts.spec)
    text = (
        f"{worst.dead:.0%} of the ReLUs in {worst.name} are 0 for every row, so no gradient reaches them any more. "
        "Take LeakyReLU, and a smaller lr if it is large."
    )
    return Finding("dead_relu", text, {"dead": worst.dead}, fix)


def _saturation(facts: Facts) -> Finding | None:
    worst = max(facts.looks, key=lambda look: look.saturated, default=None)
    if worst is None or worst.saturated < 0.75:
        return None
    spec = facts.spec
    fix: dict[str, Value] = {"init": "xavier_uniform"}
    if isinstance(spec, Spec) and spec.normalise == "none":
        fix["normalise"] = "standard"
    elif spec.lr > 0.01 or spec.init == fix["init"]:
        fix["lr"] = _lower(spec)
    text = (
        f"{worst.saturated:.0%} of the values in {worst.name} lie at the flat ends of {worst.activation}, where "
        "gradients vanish. Normalise the inputs, start with smaller weights, or take a smaller lr."
    )
    return Finding("saturation", text, {"saturated": worst.saturated}, fix)


def _imbalance(facts: Facts) -> Finding | None:
    counts = facts.counts
    if len(counts) < 2 or facts.spec.class_weights:
        return None
    rare, common = counts.index(min(counts)), counts.index(max(counts))
    if counts[rare] * 5 > counts[common]:
        return None
    share = counts[common] / sum(counts)
    names = facts.classes or tuple(map(str, range(len(counts))))
    text = (
        f"{names[common]} has {counts[common]} training rows and {names[rare]} only {counts[rare]}, so always saying "
        f"{names[common]} is right in {share:.0%}. Switch class_weights on, and read recall per class, not accuracy."
    )
    evidence = {"common": counts[common], "rare": counts[rare], "share": share}
    return Finding("imbalance", text, evidence, {"class_weights": True})


def _ratio(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The median update/weight ratio of the last rows that carry one."""
    values: list[float] = []
    for row in reversed(rows[-100:]):
        if len(values) >= 40:
            break
        values += [v for k, v in row.items() if k.startswith("ratio/") and math.isfinite(v)]
    return median(values) if values else None


def _norm(rows: Sequence[Mapping[str, Any]]) -> float:
    values = [row["grad_norm"] for row in rows[-40:] if "grad_norm" in row]
    return median(values) if values else 0.0


def _usual(spec: RunSpec) -> float:
    """A learning rate that mostly works with normalised inputs."""
    return 0.1 if spec.optimizer in ("SGD", "Adagrad") else 0.01


def _lower(spec: RunSpec) -> float:
    """A tenth of the learning rate, or what is usual if that is still less."""
    return _round(min(spec.lr / 10, _usual(spec)))


def _round(value: float) -> float:
    """One significant digit, as a learner would type it."""
    return max(float(f"{value:.0e}"), 1e-6)
