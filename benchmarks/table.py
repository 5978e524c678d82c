"""Tables of measurements, as text that reads the same in a terminal and in a README."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; numbers to three digits, right-aligned."""
    body = [[_shown(cell) for cell in row] for row in rows]
    right = [all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(head))]
    widths = [max(len(line[i]) for line in [list(head), *body]) for i in range(len(head))]
    rule = ["-" * (w - 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True)]
    lines = [list(head), rule, *body]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(w) if r else cell.ljust(w)
            for cell, w, r in zip(line, widths, right, strict=True)
        )
        + " |"
        for line in lines
    )


def show(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table under a line that says what machine it is from."""
    import torch

    cores = os.cpu_count()
    system = f"{platform.system()} {platform.machine()}"
    print(
        f"{system}, {cores} cores, Python {platform.python_version()}, torch {torch.__version__}\n"
    )
    print(table(head, rows), flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of the values does not exceed."""
    if not values:
        raise ValueError("no values were measured")
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 1000 else f"{cell:.0f}"
    return str(cell)
