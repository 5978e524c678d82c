"""A small table of numbers to type into; what is typed becomes the value of a text setting, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from components import session

Rows = list[list[float]]


@dataclass
class _Mind:
    """What the grid was given, so that the cell under the cursor stays there while its numbers travel.

    Attributes:
        base: the numbers before anything was typed; made: those that the typing gave; round: of the widget's key.
    """

    base: Rows
    made: Rows
    round: int = 0


def number_grid(key: str, rows: Sequence[Sequence[float]], on_edit: Callable[[Rows], None]) -> None:
    """Show these numbers; `on_edit` is called with all of them when one was typed, before the page is drawn.

    Numbers that come from elsewhere (a preset, a link) replace what was typed.
    """
    now = [[_short(v) for v in row] for row in rows]
    mind: _Mind = st.session_state.setdefault(f"{key}:grid", _Mind(now, now))
    if now != mind.made:
        mind.base = mind.made = now
        mind.round += 1
    widget = f"{key}:grid:{mind.round}"

    def edited() -> None:
        mind.made = typed(mind.base, st.session_state[widget].get("edited_rows", {}))
        on_edit(mind.made)

    st.data_editor(
        pd.DataFrame(mind.base, columns=[str(j) for j in range(len(now[0]))]),
        key=widget,
        hide_index=True,
        on_change=session.whole(edited),
        height=min(36 * (len(now) + 1), 400),
        row_height=35,
    )


def typed(base: Rows, edits: dict[Any, dict[str, Any]]) -> Rows:
    """The numbers after Streamlit's `edited_rows`; an emptied cell is 0."""
    made = [list(row) for row in base]
    for i, cells in edits.items():
        for j, value in cells.items():
            made[int(i)][int(j)] = _short(value or 0.0)
    return made


def resized(rows: Rows, height: int, width: int) -> Rows:
    """The same numbers in another size, their middle kept: cut off, or zeros around them."""
    down, across = (height - len(rows)) // 2, (width - len(rows[0])) // 2

    def at(i: int, j: int) -> float:
        inside = 0 <= i - down < len(rows) and 0 <= j - across < len(rows[0])
        return rows[i - down][j - across] if inside else 0.0

    return [[at(i, j) for j in range(width)] for i in range(height)]


def text(rows: Rows) -> str:
    """Numbers by comma, rows by semicolon."""
    return ";".join(",".join(f"{v:g}" for v in row) for row in rows)


def _short(value: float) -> float:
    """As it can be read and written: five digits."""
    return float(f"{float(value):.5g}")
