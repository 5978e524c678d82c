"""Learning curves: several line charts with one crosshair, live from a run or from numbers given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from components.views import mount


@dataclass(frozen=True)
class Series:
    """One line: a column of the rows. `column="ratio/*"` stands for all columns of that prefix."""

    column: str
    label: str | None = None


@dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes:
        log: whether the vertical axis starts logarithmic; the learner can switch.
        zero: keep zero in sight.
        range: values that are always in sight, such as (0, 1) for an accuracy.
        skip_zero: leave the chart out while all its numbers are zero.
        first: number of the first line's colour, marker and dash.
    """

    title: str
    series: tuple[Series, ...]
    y_title: str = ""
    log: bool = False
    zero: bool = False
    range: tuple[float, float] | None = None
    skip_zero: bool = False
    first: int = 0


LOSS = Panel("loss", (Series("train_loss", "train"), Series("val_loss", "validation")))
PENALTY = Panel("penalty", (Series("penalty", "penalty"),), skip_zero=True, first=2)
METRIC = Panel(
    "accuracy", (Series("train_metric", "train"), Series("val_metric", "validation")), range=(0, 1)
)
LR = Panel("learning rate", (Series("lr", "learning rate"),), first=4)
GRAD_NORM = Panel("gradient norm", (Series("grad_norm", "gradient norm"),), log=True, first=3)
RATIO = Panel("update / weight", (Series("ratio/*"),), log=True)
R2 = Panel("R²", METRIC.series, range=(0, 1))
TRAINING = (LOSS, METRIC, PENALTY, LR, GRAD_NORM, RATIO)


@dataclass(frozen=True)
class Overlay:
    """The curves of another run, drawn over the first: one sequence of numbers per column, the x column among them."""

    label: str
    columns: Mapping[str, Any]


def curves(
    run: str | None = None,
    *,
    key: str,
    panels: Sequence[Panel] = TRAINING,
    columns: Mapping[str, Any] | None = None,
    overlays: Sequence[Overlay] = (),
    label: str = "this run",
    x: str = "epoch",
    x_title: str | None = None,
    mark: float | None = None,
    height: int = 320,
    min_width: int = 260,
    alt: str = "Learning curves",
    empty: str = "No epoch is finished yet.",
) -> None:
    """Draw curves of a live `run`, or of `columns` ({name: numbers of equal length}, None or NaN for a gap).

    Panels whose columns are all absent are left out. In live mode the curves grow by themselves and show where
    the transport bar was scrubbed to; `mark` is that place for fixed columns.

    Args:
        height: of all panels together, in pixels at the normal text size.
        min_width: of one panel; how many stand side by side follows from it.
    """
    mount.view(
        "curves",
        {
            "run": run,
            "panels": [asdict(p) for p in panels],
            "columns": dict(columns or {}),
            "overlays": [{"label": o.label, "columns": dict(o.columns)} for o in overlays],
            "label": label,
            "x": x,
            "x_title": x_title,
            "mark": mark,
            "min_width": min_width,
            "empty": empty,
        },
        key=key,
        height=height,
        alt=alt,
    )
