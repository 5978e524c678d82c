"""A thousand tables made by rules, whose truth is known: how many are read right, named as doubtful, refused, or wrong without a word."""

from __future__ import annotations

import datetime
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import table
from models.core.spec import SpecError
from models.data import csv_files

TABLES = 1000


def main() -> None:
    """One line a rule: of the tables that it touches, how many came out how; then the first of each that went wrong."""
    found = [(made, judged(made)) for made in map(generated, range(TABLES))]
    rules = sorted({rule for made, _ in found for rule in made.rules})
    lines = []
    for rule in ["all", *rules]:
        counts = Counter(
            verdict for made, (verdict, _) in found if rule == "all" or rule in made.rules
        )
        n = sum(counts.values())
        lines.append([rule, n, *(counts[v] for v in VERDICTS), 100 * counts["right"] / n])
    table.show(["rule", "tables", *VERDICTS, "right, %"], lines)
    for made, (verdict, why) in found:
        if verdict not in ("right", "named"):
            print(f"\n{verdict}: table {made.seed} ({', '.join(made.rules)}): {why}")


VERDICTS = ("right", "named", "refused", "wrong")


@dataclass(frozen=True)
class Made:
    """A table written by rules.

    Attributes:
        seed: makes it again. content: the file. rules: which were followed. truth: the cells of each column, in the
            order of the columns: a number, a day since 1970, a word, or None.
    """

    seed: int
    content: bytes
    rules: tuple[str, ...]
    truth: dict[str, list[float | str | None]]


def generated(seed: int) -> Made:
    """The table of this number: a separator, an encoding, a form of numbers, of dates and of missing cells each, by chance."""
    r = random.Random(seed)
    encoding = r.choice(list(ENCODINGS))
    separator = r.choice(list(SEPARATORS))
    numbers = r.choice(list(NUMBERS))
    dates = r.choice(list(DATES))
    missing = r.choice(list(MISSING))
    above = r.choice(list(ABOVE))
    header = r.random() < 0.85
    rows = round(3 * (20_000 / 3) ** (r.random() ** 3))
    quoting = separator != "blanks" and r.random() < 0.3
    words, names = ENCODINGS[encoding]
    sign = SEPARATORS[separator]
    if not header:
        above = "nothing"
    columns: dict[str, tuple[list[float | str | None], list[str]]] = {}
    values = [
        round(r.uniform(-9999, 99999), 2) if r.random() < 0.8 else round(r.uniform(0, 9), 2)
        for _ in range(rows)
    ]
    columns[names[0]] = _holes(r, list(values), [NUMBERS[numbers](v) for v in values], missing)
    whole = [r.randrange(1, 900) for _ in range(rows)]
    columns[names[1]] = (list(map(float, whole)), list(map(str, whole)))
    days = [r.randrange(4000, 20000) for _ in range(rows)]
    columns[names[2]] = (list(map(float, days)), [DATES[dates](_date(day)) for day in days])
    chosen = [r.choice(words) for _ in range(rows)]
    columns[names[3]] = (list(chosen), list(chosen))
    if r.random() < 0.3:
        columns[names[3]] = (list(chosen), [w + " " * r.choice([0, 0, 2]) for w in chosen])

    def cell(text: str) -> str:
        if quoting or sign in text or (sign.isspace() and " " in text):
            return '"' + text.replace('"', '""') + '"'
        return text

    def line(cells: list[str]) -> str:
        if separator == "blanks":
            return "".join(cell(text).ljust(22) for text in cells).rstrip() + "  "
        return sign.join(map(cell, cells))

    lines = [above_line.replace("SEP", sign) for above_line in ABOVE[above]]
    if separator == "blanks":
        lines = [text for text in lines if not text.startswith("sep=")]
    if header:
        lines.append(line(list(columns)))
    written = list(zip(*(texts for _, texts in columns.values()), strict=True))
    lines += [line(["-" if separator == "blanks" and not t else t for t in row]) for row in written]
    newline = r.choice(["\n", "\r\n"])
    rules = (
        f"encoding {encoding}",
        f"separator {separator}",
        f"numbers {numbers}",
        f"dates {dates}",
        f"missing {missing}",
        f"above {above}",
        f"header {header}",
    )
    named = columns if header else {f"column {k}": c for k, c in enumerate(columns.values(), 1)}
    content = (newline.join(lines) + newline).encode(encoding)
    return Made(seed, content, rules, {name: truth for name, (truth, _) in named.items()})


def judged(made: Made) -> tuple[str, str]:
    """Whether the table came out "right"; "named": a doubt about what is wrong is told; "refused": with a sentence; or "wrong"."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "content"
        path.write_bytes(made.content)
        try:
            found, columns = csv_files.read_csv(path, "made.csv")
        except SpecError as error:
            return "refused", str(error)
    wrong = []
    if list(columns) != list(made.truth):
        wrong.append(("", f"columns {list(columns)}"))
    elif len(columns) != len(next(iter(made.truth.values()))):
        wrong.append(("", f"{len(columns)} rows"))
    else:
        for name, truth in made.truth.items():
            values = columns[name].astype("object")
            for k, (is_, should) in enumerate(zip(values, truth, strict=True)):
                if not _same(is_, should):
                    wrong.append((name, f"{name!r}, row {k}: {is_!r} for {should!r}"))
                    break
    if not wrong:
        return "right", ""
    doubted = {d.column for d in found.decisions if d.doubtful}
    if all(name in doubted or ("" in doubted and not name) for name, _ in wrong) or "" in doubted:
        return "named", wrong[0][1]
    return "wrong", wrong[0][1]


def _same(found: object, truth: float | str | None) -> bool:
    if truth is None or found is None or found != found:
        return truth is None and (found is None or found != found)
    if isinstance(truth, str):
        return found == truth
    return isinstance(found, (float, np.floating)) and bool(
        np.isclose(float(found), truth, rtol=1e-5, atol=0.01)
    )


def _holes(
    r: random.Random, truth: list[float | str | None], texts: list[str], missing: str
) -> tuple[list[float | str | None], list[str]]:
    """A tenth of the cells made missing."""
    word = MISSING[missing]
    for k in range(len(truth)):
        if word is not None and len(truth) > 5 and r.random() < 0.1:
            truth[k], texts[k] = None, word
    return truth, texts


def _date(day: int) -> datetime.date:
    return datetime.date(1970, 1, 1) + datetime.timedelta(days=day)


def _grouped(thousands: str, decimal: str) -> Callable[[float], str]:
    return lambda v: f"{v:,.2f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)


_LATIN = ("plain", "round", "sharp", "soft")
_NAMES = ("value", "amount", "when", "kind")
ENCODINGS: Mapping[str, tuple[tuple[str, ...], tuple[str, str, str, str]]] = {
    "utf-8": (("größer", "кошка", "猫", "soft"), ("wert", "größe", "день", "вид")),
    "utf-8-sig": (_LATIN, _NAMES),
    "utf-16": (("größer", "kleiner", "gleich"), ("wert", "größe", "tag", "art")),
    "utf-32": (_LATIN, _NAMES),
    "cp1252": (("größer", "kürzer", "höher"), ("wert", "größe", "tag", "höhe")),
    "cp1250": (("większy", "mniejszy", "żółty", "łatwy"), ("wartość", "ilość", "dzień", "część")),
    "cp1251": (("больше", "меньше", "равно"), ("значение", "сумма", "день", "вид")),
    "koi8-r": (("больше", "меньше", "равно"), ("значение", "сумма", "день", "вид")),
    "cp1253": (("μεγάλο", "μικρό", "ίσο"), ("τιμή", "ποσό", "ημέρα", "είδος")),
    "shift_jis": (("大きい", "小さい", "同じ"), ("値段", "数量", "日付", "種類")),
    "euc_jp": (("大きい", "小さい", "同じ"), ("値段", "数量", "日付", "種類")),
    "gb18030": (("较大", "较小", "相等"), ("数值", "数量", "日期", "种类")),
    "big5": (("較大", "較小", "相等"), ("數值", "數量", "日期", "種類")),
    "euc_kr": (("크다", "작다", "같다"), ("가격", "수량", "날짜", "종류")),
}
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "tilde": "~", "blanks": "  "}
NUMBERS: Mapping[str, Callable[[float], str]] = {
    "1234.5": lambda v: f"{v:.2f}",
    "1234,5": lambda v: f"{v:.2f}".replace(".", ","),
    "1,234.5": _grouped(",", "."),
    "1.234,5": _grouped(".", ","),
    "1 234,5": _grouped(" ", ","),
    "1\u202f234,5": lambda v: f"{v:,.2f}".replace(",", " ").replace(".", ","),
    "1'234.5": _grouped("'", "."),
    "$1,234.5": lambda v: f"{'-' * (v < 0)}${abs(v):,.2f}",
    "12.5%": lambda v: f"{v:.2f}%",
    "(1,234.5)": lambda v: f"({-v:,.2f})" if v < 0 else f"{v:,.2f}",
    "1.5e3": lambda v: f"{v:.7e}",
}
DATES: Mapping[str, Callable[[datetime.date], str]] = {
    "ISO": lambda d: d.isoformat(),
    "d.m.Y": lambda d: f"{d.day}.{d.month}.{d.year}",
    "d/m/Y": lambda d: f"{d.day:02d}/{d.month:02d}/{d.year}",
    "m/d/Y": lambda d: f"{d.month:02d}/{d.day:02d}/{d.year}",
    "d-b-Y": lambda d: f"{d.day:02d}-{_MONTHS[d.month - 1]}-{d.year}",
    "b d, Y": lambda d: f"{_MONTHS[d.month - 1]} {d.day}, {d.year}",
    "Ymd": lambda d: d.strftime("%Y%m%d"),
    "ISO, midnight, zone": lambda d: f"{d.isoformat()}T00:00:00Z",
    "d.m.y": lambda d: f"{d.day:02d}.{d.month:02d}.{d.year % 100:02d}",
}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
MISSING: Mapping[str, str | None] = {
    "none": None,
    "empty": "",
    "?": "?",
    "-": "-",
    "NA": "NA",
    "n/a": "n/a",
    "null": "null",
    "<0.01": "<0.01",
}
ABOVE: Mapping[str, tuple[str, ...]] = {
    "nothing": (),
    "comments": ("# made by a rule", "# with numbers, 1, 2, 3"),
    "title": ("Values of all places", ""),
    "sep=": ("sep=SEP",),
}
