"""The whole run as plain PyTorch: the script that a learner takes home, printing the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from models.core import export
from models.core.control import Snapshot
from models.data import tabular
from models.training import changes, losses, network, optimizers
from models.training.plan import EVALUATED, choose, thinning
from models.training.spec import RunSpec, Spec
from models.training.step import evaluate, train_batch

_PRINTED = (
    "epoch",
    "step",
    "train_loss",
    "train_metric",
    "val_loss",
    "val_metric",
    "lr",
)


def numbers(snapshot: Snapshot) -> dict[str, float]:
    """What the script prints at its end, from a snapshot with a frame: the newest point of the curves."""
    row: Mapping[str, float | None] = snapshot.frame["row"] if snapshot.frame else snapshot.rows[-1]
    return {name: float(value) for name in _PRINTED if (value := row[name]) is not None}


def to_code(spec: Spec) -> str:
    """A script of cells: data, network, loss and optimizer, loop, results.

    Raises:
        SpecError: the settings contradict the data.
    """
    data = tabular.prepare(spec)
    chosen = choose(spec, data)
    n, features = data.x_train.shape
    layers = network.parse(spec.layers, spec.activation)
    calls = network.modules(layers, features, chosen.outputs, chosen.loss.log_softmax)
    cells = [
        "import math\n\nfrom torch import nn",
        *tabular.to_cells(spec),
        *_target_cell(chosen.loss.binary, data.task, n, len(data.x_val)),
        f"torch.manual_seed({spec.seed})  # the same initial weights every time\n"
        + network.code(calls, spec.init),
        *loop_cells(spec, chosen, n, len(data.x_val)),
    ]
    return export.script("Train a network on a table, batch by batch", cells)


def loop_cells(
    spec: RunSpec,
    chosen: losses.Chosen,
    n: int,
    n_val: int,
    *,
    inputs: str = "x",
    more: Sequence[Callable[..., Any]] = (),
    evaluated: int = EVALUATED,
) -> list[str]:
    """The cells after `model`: loss and optimizer, functions, loop, results.

    Args:
        n, n_val: rows of training and validation.
        inputs: what the network sees of a batch `x`, as source text; more: functions that it calls.
    """
    functions = [train_batch, evaluate, chosen.metric, *more]
    functions += [changes.apply_change] if spec.changes else []
    seen = "x_seen, y_seen" if thinning(n, evaluated) > 1 else "x_train, y_train"
    return [
        _setup_cell(spec, chosen.call.code(), math.ceil(n / spec.batch_size)),
        export.source(*functions),
        _loop_cell(spec, chosen.metric.__name__, seen, inputs, n_val > 0),
        _print_cell(n_val > 0),
    ]


def thinning_lines(n: int, n_val: int, evaluated: int = EVALUATED) -> list[str]:
    """The lines that name what the curves look at, where that is not everything."""
    k, v = thinning(n, evaluated), thinning(n_val, evaluated)
    lines: list[str] = []
    if k > 1:
        lines += [
            f"# the curves look at every {k}th training row",
            f"x_seen, y_seen = x_train[::{k}], y_train[::{k}]",
        ]
    if v > 1:
        lines.append(f"x_val, y_val = x_val[::{v}], y_val[::{v}]")
    return lines


def _target_cell(binary: bool, task: str, n: int, n_val: int) -> list[str]:
    lines: list[str] = []
    if binary or task == "regression":
        why = "one output per row" if task == "regression" else "BCE compares one float per row"
        lines.append(f"# {why}: targets of shape (N, 1)")
        lines.append("y_train = y_train.float().unsqueeze(1)")
        lines += ["y_val = y_val.float().unsqueeze(1)"] if n_val else []
    lines += thinning_lines(n, n_val)
    return ["\n".join(lines)] if lines else []


def _setup_cell(spec: RunSpec, loss: str, batches: int) -> str:
    lines = [
        f"loss_fn = {loss}",
        f"optimizer = {optimizers.optimizer(spec).code('model.parameters()')}",
    ]
    scheduler = optimizers.scheduler(spec, batches)
    if scheduler is not None:
        lines.append(f"scheduler = {scheduler.code('optimizer')}")
    lines.append(f"shuffler = torch.Generator().manual_seed({spec.seed})")
    return "\n".join(lines)


def _loop_cell(spec: RunSpec, metric: str, seen: str, inputs: str, has_val: bool) -> str:
    planned = changes.parse(spec.changes)
    extended = any(change.name == "epochs" for change in planned)
    stops = spec.patience or spec.stop_at
    schedule = "" if spec.scheduler == "none" else optimizers.SCHEDULERS[spec.scheduler].steps
    batches = (
        f"zip(x_train[order].split({spec.batch_size}), y_train[order].split({spec.batch_size}))"
    )

    lines = (
        [_CHANGES.format(settings=_settings(spec), changes=_planned(planned))] if planned else []
    )
    lines.append("best, bad = math.inf, 0" if spec.patience else "")
    lines.append("step = epoch = 0")
    lines.append("due(step)" if planned else "")
    lines.append(
        'while epoch < settings["epochs"]:' if extended else f"while epoch < {spec.epochs}:"
    )
    lines.append("    order = torch.randperm(len(x_train), generator=shuffler)")
    if planned:
        lines.append(f"    for i, (x, y) in enumerate({batches}):")
        lines.append("        if i:\n            due(step)  # changed while the epoch ran")
    else:
        lines.append(f"    for x, y in {batches}:")
    lines.append(
        f"        train_batch(model, loss_fn, optimizer, {inputs}, y{_penalties(spec, planned)})"
    )
    indent = 8 if schedule == "batch" else 4
    rate = f'{" " * indent}lr = optimizer.param_groups[0]["lr"]'
    if schedule == "batch":
        step = "            scheduler.step()" if extended else "        scheduler.step()"
        lines += [rate, "        if step < scheduler.total_steps:" if extended else "", step]
    lines.append("        step += 1")
    lines.append("    epoch += 1")
    lines.append(rate if schedule != "batch" else "")
    lines.append(f"    train_loss, train_metric = evaluate(model, loss_fn, {metric}, {seen})")
    if has_val:
        lines.append(f"    val_loss, val_metric = evaluate(model, loss_fn, {metric}, x_val, y_val)")
    which = "val" if has_val else "train"
    lines.append(
        {"epoch": "    scheduler.step()", "loss": f"    scheduler.step({which}_loss)"}.get(
            schedule, ""
        )
    )
    if spec.patience:
        lines.append(
            f"    best, bad = ({which}_loss, 0) if {which}_loss < best else (best, bad + 1)"
        )
    if stops:
        tests = [f"{which}_metric >= {spec.stop_at!r}"] if spec.stop_at else []
        tests += [f"bad >= {spec.patience}"] if spec.patience else []
        lines.append(f"    stopped = {' or '.join(tests)}")
    if planned:
        lines.append("    due(step)")
    if stops and extended:
        lines.append(
            '    if stopped and "epochs" in dict(changes.get(step, [])):  # more epochs were asked for'
        )
        lines.append(
            "        stopped, bad = False, 0" if spec.patience else "        stopped = False"
        )
    end = "not math.isfinite(train_loss)" + (" or stopped" if stops else "")
    lines.append(f"    if {end}:\n        break")
    return "\n".join(line for line in lines if line)


_CHANGES = """\
settings = {settings}
changes = {{  # step: what was changed before the next batch
{changes}
}}


def due(step):
    for name, value in changes.get(step, []):
        apply_change(model, optimizer, settings, name, value)

"""


def _settings(spec: RunSpec) -> str:
    return repr({"l1": spec.l1, "clip": spec.clip, "epochs": spec.epochs})


def _planned(planned: tuple[changes.Change, ...]) -> str:
    steps: dict[int, list[str]] = {}
    for change in planned:
        value = int(change.value) if change.name == "epochs" else change.value
        steps.setdefault(change.step, []).append(f'("{change.name}", {value!r})')
    return "\n".join(f"    {step}: [{', '.join(made)}]," for step, made in steps.items())


def _penalties(spec: RunSpec, planned: tuple[changes.Change, ...]) -> str:
    names = {change.name for change in planned}
    text = ""
    for name in ("l1", "clip"):
        if name in names:
            text += f', {name}=settings["{name}"]'
        elif value := getattr(spec, name):
            text += f", {name}={value!r}"
    return text


def _print_cell(has_val: bool) -> str:
    names = [name for name in _PRINTED if has_val or not name.startswith("val_")]
    return "\n".join(f'print("{name} =", {name})' for name in names)


# what each setting's export is compared under, where the setting alone would be refused or do nothing
_TABLE: dict[str, Any] = {"data": "iris"}
VARIATIONS: Mapping[str, Spec] = {
    # of the table that they are about
    **{name: Spec(**{**_TABLE, **changed}) for name, changed in tabular.VARIATIONS.items()},
    "layers": Spec(layers="16 relu dropout=0.1, 4"),
    "loss": Spec(loss="nll"),
    "activation": Spec(layers="8, 8", activation="GELU"),
    "class_weights": Spec(class_weights=True),
    "label_smoothing": Spec(loss="cross_entropy", label_smoothing=0.1),
    "momentum": Spec(momentum=0.9),
    "nesterov": Spec(momentum=0.9, nesterov=True),
    "step_size": Spec(scheduler="StepLR", step_size=10),
    "gamma": Spec(scheduler="StepLR", gamma=0.3),
    "t_max": Spec(scheduler="CosineAnnealingLR", t_max=30),
    "eta_min": Spec(scheduler="CosineAnnealingLR", eta_min=0.01),
    "pct_start": Spec(scheduler="OneCycleLR", pct_start=0.5),
    "lr_patience": Spec(scheduler="ReduceLROnPlateau", lr_patience=2),
    "changes": Spec(changes="20:lr=0.05;45:momentum=0.5;60:weight.0.3.1=0.7"),
}
