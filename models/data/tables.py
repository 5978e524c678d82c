"""Tables: what a column holds, and lists of its columns as text."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from models.core.spec import SpecError

KINDS = ("number", "category", "date", "text", "id")
# kinds that also say how the cells are written
READINGS = ("decimal point", "decimal comma", "day first", "month first")


@dataclass(frozen=True)
class Column:
    """What one column holds.

    Attributes:
        kind: "number", "category" (few different words), "date", "text" (many different words),
            "id" (numbers or names the rows one by one) or "empty".
        rows: how many cells there are; missing, infinite: how many hold nothing or an infinite number.
        distinct: how many different values there are, the missing apart.
        whole: a number column without fractions.
        low, mean, high: of a number or date (days since 1970); NaN otherwise.
        examples: the most frequent values of a category, the first values of anything else, as texts.
    """

    name: str
    kind: str
    rows: int
    missing: int
    infinite: int
    distinct: int
    whole: bool
    low: float
    mean: float
    high: float
    examples: tuple[str, ...]

    @property
    def is_number(self) -> bool:
        """Whether the column is stored as float32, not as words."""
        return self.low == self.low


def parse_kinds(text: str) -> dict[str, str]:
    """Column kinds set by hand, out of `name=kind, other=kind`; names with commas stand in double quotes.

    Raises:
        SpecError: an entry is not of that form, or the kind is unknown.
    """
    found: dict[str, str] = {}
    for entry in comma_list(text):
        name, equals, kind = entry.rpartition("=")
        if not equals or kind.strip() not in (*KINDS, *READINGS):
            raise SpecError(
                f"{entry[:60]!r} sets no kind of a column. Write name=kind, with a kind out of: {', '.join((*KINDS, *READINGS))}.",
                "column_kinds",
            )
        found[name] = kind.strip()
    return found


def parse_lines(text: str) -> tuple[int, ...] | None:
    """Lines of a file, from 0, out of `1-4, 6, -1`, the last lines as -1, -2, …; None for "auto".

    Raises:
        SpecError: the text is not of that form.
    """
    if text.strip() in ("auto", ""):
        return None
    found: set[int] = set()
    for entry in text.split(","):
        parts = re.fullmatch(r"\s*(?:(\d{1,7})(?:\s*[-–]\s*(\d{1,7}))?|[-−](\d{1,5}))\s*", entry)
        if not parts or int(parts[2] or parts[1] or 0) - int(parts[1] or 0) > 100_000:
            raise SpecError(
                f"{entry.strip()[:40]!r} names no lines. Write 1-4 for the first four, 6 for the sixth, -1 for the last one, "
                "0 for none, or auto.",
                "skip_lines",
            )
        if parts[3]:
            found.add(-int(parts[3]))
        elif int(parts[1]):
            found.update(range(int(parts[1]) - 1, int(parts[2] or parts[1])))
    return tuple(sorted(found))


def lines_text(lines: Sequence[int]) -> str:
    """The text `parse_lines` reads back as these lines."""
    parts: list[str] = []
    above = sorted(n for n in lines if n >= 0)
    while above:
        length = next((k for k, n in enumerate(above) if n != above[0] + k), len(above))
        parts.append(
            f"{above[0] + 1}" if length == 1 else f"{above[0] + 1}-{above[length - 1] + 1}"
        )
        del above[:length]
    return ", ".join([*parts, *(str(n) for n in sorted(lines) if n < 0)]) or "0"


def comma_list(text: str) -> list[str]:
    """The names in a text parted by commas; a name that holds a comma or quote stands in double quotes."""
    if not text.strip():
        return []
    rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True))
    return [name for row in rows for name in row if name]


def comma_text(names: Sequence[str]) -> str:
    """The text `comma_list` reads back as these names."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(names)  # names with either of them get quotes
    return out.getvalue().removesuffix("\r\n")


def describe(table: pd.DataFrame) -> tuple[Column, ...]:
    """What every column of a decoded table holds (float32 numbers and categories of texts)."""
    return tuple(describe_column(str(name), cast(pd.Series, table[name])) for name in table)


def describe_column(name: str, column: pd.Series, kind: str = "") -> Column:
    """What one decoded column holds; `kind` overrules what its values look like."""
    if column.dtype == "category":
        counts = column.value_counts()
        counts = counts.loc[counts > 0]
        missing, present = int(column.isna().sum()), int(counts.sum())
        examples = tuple(str(v) for v in counts.index[:5])
        if not present:
            kind = "empty"
        kind = kind or _kind_of_words(len(counts), present)
        nan = float("nan")
        return Column(
            name, kind, len(column), missing, 0, len(counts), False, nan, nan, nan, examples
        )
    values = column.to_numpy()
    infinite = int(np.isinf(values).sum())
    values = values[np.isfinite(values)]
    missing = len(column) - len(values) - infinite
    distinct = len(pd.unique(values))
    whole = bool(len(values)) and bool((values == np.round(values)).all())
    if not len(values):
        kind = "empty"
    if not kind:
        kind = (
            "id" if _numbers_rows(name, values, distinct, whole, missing + infinite) else "number"
        )
    low, mean, high = (
        (float(values.min()), float(values.mean(dtype=np.float64)), float(values.max()))
        if len(values)
        else (float("nan"),) * 3
    )
    examples = tuple(number_text(v) for v in values[:5])
    return Column(
        name, kind, len(column), missing, infinite, distinct, whole, low, mean, high, examples
    )


def number_text(value: float) -> str:
    """A number as short as it can be without losing anything of its float32 value."""
    return np.format_float_positional(np.float32(value), trim="-")


def _kind_of_words(distinct: int, present: int) -> str:
    if distinct == present > 5:
        return "id"
    return "text" if distinct > max(20, present // 2) or distinct > 100_000 else "category"


def _numbers_rows(name: str, values: np.ndarray, distinct: int, whole: bool, lacking: int) -> bool:
    """Whether whole numbers only number the rows: 1 to n in any order, or all different under a name that says so."""
    if not whole or lacking:
        return False
    low, high = float(values.min()), float(values.max())
    if distinct == len(values):
        counting = low in (0, 1) and high - low == len(values) - 1
        return is_id_name(name) or (counting and len(values) > 5)
    # float32 takes neighbours of this size for equal
    return high > 2**24 and 2 * distinct > len(values) and is_id_name(name)


def is_id_name(name: str) -> bool:
    """Whether a column is called as numbers of rows are: id, customer_id, PassengerId, index, Nr."""
    words = name_words(name)
    last = words[-1] if words else ""
    return name.strip().endswith("#") or bool(_ID_WORD.fullmatch(last)) or words[:1] == ["unnamed"]


def name_words(name: str) -> list[str]:
    """The words of a column's name, without capitals and accents: "SalePrice" and "Sale_price" are sale, price."""
    parted = re.sub(r"(?<=[a-zß-öø-ÿ0-9])(?=[A-ZÀ-ÖØ-Þ])", " ", name)
    parts = unicodedata.normalize("NFKD", parted)
    plain = "".join(c for c in parts if not unicodedata.combining(c)).casefold()
    return re.findall(r"[^\W\d_]+|\d+", plain)


_ID_WORD = re.compile(
    "ids?|index|idx|row|nr|no|number|nummer|num|key|uuid|guid|serial|"
    "(user|customer|passenger|patient|order|record|row|item|product|student|employee|client|person|case)id"
)
