"""The curves of a run as files for other tools: CSV, and TensorBoard's event files."""

from __future__ import annotations

import csv
import io
import math
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def to_csv(rows: Rows) -> bytes:
    """One line per point of the curves; a column that a row lacks is empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def to_tensorboard(rows: Rows) -> bytes:
    """A zip with one run folder of TensorBoard event files; unpack it and run `tensorboard --logdir` on it."""
    return tensorboard_runs({"run": rows})


def tensorboard_runs(runs: Mapping[str, Rows]) -> bytes:
    """The same for several runs, one folder each, so that TensorBoard overlays their curves."""
    from torch.utils.tensorboard.writer import SummaryWriter  # slow to import, seldom needed

    with tempfile.TemporaryDirectory() as folder:
        for name, rows in runs.items():
            safe = (
                "".join(c if c.isalnum() or c in "-_." else "_" for c in name).strip(".") or "run"
            )
            writer = SummaryWriter(str(Path(folder) / safe))
            for tag, value, row in _scalars(rows):
                writer.add_scalar(tag, value, global_step=row["step"], walltime=row["seconds"])
            writer.close()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(Path(folder).rglob("events.*")):
                archive.write(path, path.relative_to(folder))
        return packed.getvalue()


def _scalars(rows: Rows) -> Iterable[tuple[str, float, Mapping[str, Any]]]:
    for row in rows:
        for name, value in row.items():
            if name in ("step", "seconds") or value is None or not math.isfinite(value):
                continue
            yield _TAGS.get(name, name), value, row


# tags with the same first part share a section in TensorBoard
_TAGS = {
    "train_loss": "loss/train",
    "val_loss": "loss/val",
    "train_metric": "metric/train",
    "val_metric": "metric/val",
}

FORMATS: Mapping[str, tuple[str, Callable[[Rows], bytes]]] = {
    "csv": ("curves.csv", to_csv),
    "tensorboard": ("tensorboard.zip", to_tensorboard),
}
