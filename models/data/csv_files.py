"""Reading a learner's CSV, whatever wrote it: what is left open is found out from the file itself."""

from __future__ import annotations

import codecs
import contextlib
import csv
import dataclasses
import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from models.core.spec import SpecError
from models.data import steps, tables, workspace
from models.data.decisions import Choice, Decision
from models.data.tables import Column
from models.data.wording import count, dict_literal, literal, names_text, shown

SEPARATORS = ("auto", "comma", "semicolon", "tab", "bar")
ENCODINGS = (
    "auto",
    "utf-8",
    "utf-16",
    "cp1250",
    "cp1251",
    "cp1252",
    "latin-1",
    "shift_jis",
    "gb18030",
)
HEADERS = ("auto", "yes", "no")
DECIMALS = ("auto", "point", "comma")
MAX_BYTES = 500_000_000  # of one CSV
MAX_COLUMNS = 5000
SAMPLE = 1_000_000  # bytes looked at to find out separator, decimals, header and kinds
SAMPLE_ROWS = 2000
_READ_BYTES = 20_000_000  # of a file that is read cell by cell to find short rows: half a second

HELP = {
    "separator": "What parts the columns of the file.",
    "encoding": "How the file writes letters as bytes.",
    "header": "Whether the first line names the columns.",
    "decimal": "What parts a whole number from its fraction.",
    "column_kinds": "Kinds of columns set by hand: name=number, name=category, …",
}

# what pandas reads as a missing value
MISSING = frozenset(
    [
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    ]
)


@dataclass(frozen=True)
class CsvOptions:
    """How to read a CSV, as far as the learner says; "auto" is found out from the file.

    The fields of `tabular.TableSpec` and `profiling.Spec` have the same names. `column_kinds` sets the kinds of single
    columns: `name=kind, other=kind`.
    """

    separator: str = "auto"
    encoding: str = "auto"
    header: str = "auto"
    decimal: str = "auto"
    column_kinds: str = ""


AUTO = CsvOptions()


def options_of(spec: Any) -> CsvOptions:
    """How to read a table, out of a spec that has the fields of `CsvOptions`."""
    return CsvOptions(*(getattr(spec, field.name) for field in dataclasses.fields(CsvOptions)))


@dataclass(frozen=True)
class Profile:
    """What a CSV holds and how it was read: everything but its rows.

    Attributes:
        name, size: of the file, as uploaded; bytes.
        rows: data rows, the header not counted.
        separator, encoding, decimal, header: how it was read, nothing left to "auto".
        named: the columns' names where the header's own could not be used as they are; else ().
        columns: what each holds.
        dates: the format of each date column, by name.
        mended: number columns that also hold words, which count as missing.
        notes: everything noticed on the way, a sentence each.
        decisions: how the file is read, each with the setting that decides otherwise.
        head: the first rows as the file writes them.
    """

    name: str
    size: int
    rows: int
    separator: str
    encoding: str
    decimal: str
    header: bool
    named: tuple[str, ...]
    columns: tuple[Column, ...]
    dates: dict[str, str]
    mended: tuple[str, ...]
    notes: tuple[str, ...]
    decisions: tuple[Decision, ...]
    head: tuple[tuple[str, ...], ...]


def read_csv(path: Path, name: str, options: CsvOptions = AUTO) -> tuple[Profile, pd.DataFrame]:
    """A CSV as a decoded table, and what was found out about it.

    Raises:
        SpecError: it is no table; the message names the row and the column where it can.
    """
    title = workspace.display_name(name)
    try:
        return _read_csv(path, name, title, options)
    except SpecError:
        raise
    except MemoryError as error:
        raise SpecError(
            f"{title} does not fit into memory. Keep a part of its rows or columns."
        ) from error
    except _UNREADABLE as error:
        message, field = _in_words(str(error))
        raise SpecError(
            f"{title} cannot be read as a table: {message}", field, str(error)
        ) from error


def code(
    found: Profile, options: CsvOptions, names: Sequence[str]
) -> tuple[list[Callable[..., Any]], list[str]]:
    """Functions and lines of a script that reads these columns exactly as `read_csv` did, into `table`."""
    columns = {c.name: c for c in found.columns}
    used = {n: "float32" if _plain_number(found, columns[n]) else "str" for n in names}

    def argument(text: str, chosen: str) -> str:
        return f"{text},{'  # found out from the file' if chosen == 'auto' else ''}"

    arguments = [
        f"{workspace.file_name(found.name)!r},",
        argument(f"sep={found.separator!r}", options.separator),
        argument(f"encoding={found.encoding!r}", options.encoding),
        argument(f"decimal={found.decimal!r}", options.decimal),
        argument(f"header={0 if found.header else None}", options.header),
        *([f"names={literal(found.named, '    ')},"] if found.named else []),
        "index_col=False,",
        "skipinitialspace=True,",
        f"dtype={dict_literal(used, '    ')},",
    ]
    lines = ["table = pd.read_csv(", *(f"    {a}" for a in arguments), ")"]
    functions: list[Callable[..., Any]] = []
    mended = [n for n in names if n in found.mended]
    dates = [n for n in names if n in found.dates]
    if mended:
        functions.append(steps.words_to_numbers)
        lines += [
            f"table[{n!r}] = words_to_numbers(table[{n!r}], {found.decimal!r})" for n in mended
        ]
    if dates:
        functions.append(steps.days_since_1970)
        lines += [
            f"table[{n!r}] = days_since_1970(table[{n!r}], {found.dates[n]!r})" for n in dates
        ]
    infinite = [n for n in names if columns[n].infinite]
    if infinite:
        lines += [
            f"infinite = {literal(infinite)}",
            "table[infinite] = table[infinite].where(np.isfinite(table[infinite]))  # infinity counts as missing",
        ]
    return functions, lines


def _read_csv(
    path: Path, name: str, title: str, options: CsvOptions
) -> tuple[Profile, pd.DataFrame]:
    size = path.stat().st_size
    kinds = tables.parse_kinds(options.column_kinds)
    encoding = _encoding(path, size, title, options.encoding)
    sample, whole = _sample(path, size, encoding)
    separator = (
        _CHARACTERS[options.separator] if options.separator != "auto" else _separator(sample)
    )
    rows = _sample_rows(sample, separator, whole)
    if not rows:
        raise SpecError(
            f"{title} holds only blank lines. Choose a file with a header line and data rows."
        )
    decimal = _DECIMALS[options.decimal] if options.decimal != "auto" else _decimal(rows, separator)
    if decimal == separator and not any(
        _COMMA_NUMBER.fullmatch(c.strip()) for r in rows for c in r
    ):
        raise SpecError(
            "The comma cannot part both the columns and the decimals, unless such numbers stand in quotes. "
            "Choose another separator or the decimal point.",
            "decimal",
        )
    notes: list[str] = []
    header = options.header == "yes" or (options.header == "auto" and _has_header(rows, decimal))
    names = _names(rows, header, title, notes)
    data = rows[1:] if header else rows
    unknown = [n for n in kinds if n not in names]
    if unknown:
        raise SpecError(
            f"column_kinds sets {shown(unknown[0])}, but there is no such column. The columns are: {names_text(names)}.",
            "column_kinds",
        )
    if not data:
        raise SpecError(
            f"{title} holds a header of {count(len(names), 'column')} ({names_text(names)}) and no data row below it."
            + (" If that line is data, set header to no." if header else ""),
            "header",
        )
    guesses = {
        n: kinds.get(n) or _guess([r[i] if i < len(r) else "" for r in data], decimal)
        for i, n in enumerate(names)
    }
    how: dict[str, Any] = {
        "sep": separator,
        "encoding": encoding,
        "decimal": decimal,
        "header": 0 if header else None,
        "names": names,
        "index_col": False,
        "skipinitialspace": True,
    }
    named = () if header and _header(path, how) == names else tuple(names)
    table, mended, dates = _decode(path, how, guesses, kinds, data, notes)
    if not len(table):
        raise SpecError(f"{title} holds no data row below its header.", "header")
    notes += _short_rows(path, size, encoding, separator, names, header)
    columns = []
    for column_name in names:
        about = tables.describe_column(
            column_name, cast(pd.Series, table[column_name]), _kept_kind(kinds.get(column_name, ""))
        )
        if column_name in dates:
            about = dataclasses.replace(about, kind="date")
        columns.append(about)
    notes += _number_notes(table, columns)
    for column in columns:
        if column.infinite:
            values = table[column.name].to_numpy(copy=True)
            values[np.isinf(values)] = np.nan
            table[column.name] = values
    width = len(names)
    head = tuple(tuple(cell[:100] for cell in (row + [""] * width)[:width]) for row in data[:10])
    found = Profile(
        name=name,
        size=size,
        rows=len(table),
        separator=separator,
        encoding=encoding,
        decimal=decimal,
        header=header,
        named=named,
        columns=tuple(columns),
        dates=dates,
        mended=tuple(mended),
        notes=tuple(notes),
        decisions=_decisions(encoding, separator, header, decimal, len(names)),
        head=head,
    )
    return found, table


def _decisions(
    encoding: str, separator: str, header: bool, decimal: str, width: int
) -> tuple[Decision, ...]:
    def others(choices: Sequence[str], now: str) -> tuple[Choice, ...]:
        return tuple(Choice(c, c) for c in choices if c not in ("auto", now))

    part = _NAMES.get(separator, separator)
    sign = "comma" if decimal == "," else "point"
    head = "yes" if header else "no"
    named = (
        f"the first line names the {count(width, 'column')}"
        if header
        else "no line names the columns"
    )
    return (
        Decision(
            "encoding",
            f"written in {encoding}",
            "encoding",
            others(ENCODINGS, encoding),
            short=encoding,
        ),
        Decision(
            "separator",
            f"columns are parted by a {part}",
            "separator",
            others(SEPARATORS, part),
            short=part,
        ),
        Decision("header", named, "header", others(HEADERS, head), short=f"header: {head}"),
        Decision(
            "numbers",
            f"decimals are written with a {sign}",
            "decimal",
            others(DECIMALS, sign),
            short=f"decimal {sign}",
        ),
    )


def _encoding(path: Path, size: int, title: str, chosen: str) -> str:
    """The encoding that the whole file obeys.

    Raises:
        SpecError: the file is empty, too large, or no text.
    """
    if not size:
        raise SpecError(
            f"{title} is empty (0 bytes). Choose a file with a header line and data rows."
        )
    if size > MAX_BYTES:
        raise SpecError(
            f"{title} has {size / 1e6:.0f} MB; a table may have {MAX_BYTES // 1_000_000} MB here. Keep a part of its rows or columns."
        )
    with path.open("rb") as stream:
        start = stream.read(1 << 16)
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise SpecError(
                f"{title} is no text: it begins like {what}. Save the table as CSV and upload that."
            )
    if chosen != "auto":
        return _checked_encoding(path, title, chosen)
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return _checked_encoding(path, title, encoding)
    if b"\0" in start:
        even, odd = start[::2].count(0), start[1::2].count(0)
        half = len(start) // 2 * 0.4
        guess = "utf-16-le" if odd > half > even else "utf-16-be" if even > half > odd else ""
        if not guess:
            raise SpecError(
                f"{title} is no text: it holds zero bytes ({start.count(0)} in its first {len(start)}). Save the table as CSV and upload that."
            )
        return _checked_encoding(path, title, guess)
    strange = sum(map(start.count, _CONTROLS))
    if strange > len(start) * 0.02:
        raise SpecError(
            f"{title} is no text: {strange} of its first {len(start)} bytes are control characters. Save the table as CSV and upload that."
        )
    for encoding in ("utf-8", "cp1252"):
        if _undecodable(path, encoding) is None:
            return encoding
    return "latin-1"  # takes every byte


def _checked_encoding(path: Path, title: str, encoding: str) -> str:
    where = _undecodable(path, encoding)
    if where is not None:
        raise SpecError(
            f"{title} is not written in {encoding}: byte {where} does not fit. Choose another encoding.",
            "encoding",
        )
    return encoding


def _undecodable(path: Path, encoding: str) -> int | None:
    """The place of the first byte that does not fit, or None when all do."""
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    with path.open("rb") as stream:
        while True:
            chunk = stream.read(1 << 20)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return done + error.start
            if not chunk:
                return None
            done += len(chunk)


def _sample(path: Path, size: int, encoding: str) -> tuple[str, bool]:
    """The beginning of the file as text, and whether that is all of it."""
    with path.open("rb") as stream:
        raw = stream.read(SAMPLE)
    text = codecs.getincrementaldecoder(encoding)().decode(raw)
    return text.removeprefix("\ufeff"), size <= SAMPLE


def _sample_rows(sample: str, separator: str, whole: bool) -> list[list[str]]:
    """Up to `SAMPLE_ROWS` rows that are not blank; the last is dropped where the sample may cut it."""
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        for row in reader:
            if row and not (len(row) == 1 and not row[0]):
                rows.append(row)
            if len(rows) > SAMPLE_ROWS:
                return rows[:SAMPLE_ROWS]
    except (
        csv.Error
    ) as error:  # a quote that never closes swallows everything up to the field limit
        raise SpecError(
            f"A quote in row {len(rows) + 1} never closes, so the cells after it run together.",
            "separator",
            str(error),
        ) from error
    return rows if whole or len(rows) < 2 else rows[:-1]


def _separator(sample: str) -> str:
    """The candidate that cuts the first lines into equally many cells; a comma where none cuts at all."""
    best, best_score = ",", 0.0
    for candidate in (";", "\t", "|", ","):
        try:
            widths = [len(r) for r in _sample_rows(sample[:100_000], candidate, True)[:200]]
        except SpecError:
            continue
        if not widths or max(widths) < 2:
            continue
        usual = max(set(widths), key=widths.count)
        score = widths.count(usual) / len(widths) * (1.0 if usual > 1 else 0.1)
        if score > best_score + 0.05:
            best, best_score = candidate, score
    return best


def _decimal(rows: list[list[str]], separator: str) -> str:
    cells = [cell.strip() for row in rows[:500] for cell in row]
    commas = [cell for cell in cells if _COMMA_NUMBER.fullmatch(cell)]
    points = sum(1 for cell in cells if _POINT_NUMBER.fullmatch(cell))
    if separator == "," and all(map(_THOUSANDS.fullmatch, commas)):
        return "."  # in quotes: 1,234 may be a thousand
    return "," if len(commas) > points else "."


def _has_header(rows: list[list[str]], decimal: str) -> bool:
    """Whether the first row names the columns: no number or blank stands in it, or none where numbers follow."""
    first = rows[0]
    if any(_is_number(cell, decimal) for cell in first):
        return False
    return not all(cell.strip() in MISSING for cell in first)


def _names(rows: list[list[str]], header: bool, title: str, notes: list[str]) -> list[str]:
    """The columns' names, made unique and not empty."""
    width = len(rows[0])
    if not header:
        widths = [len(r) for r in rows]
        width = max(widths)
        _check_width(width, title)
        notes.append(
            f"the first line holds data, so the columns are called column 1 to column {width}"
        )
        return [f"column {i}" for i in range(1, width + 1)]
    own = list(rows[0])
    longer = [i for i, r in enumerate(rows[1:], 1) if len(r) > width]
    if longer:
        extra = [r[width:] for r in rows[1:] if len(r) > width]
        if len(longer) == len(rows) - 1 and all(len(e) == 1 for e in extra):
            if all(not e[0] for e in extra):
                own.append("")
            else:
                own.insert(0, "row")
                notes.append(
                    "the header has one name less than the rows have cells, so the first column is called 'row'"
                )
        else:
            raise SpecError(
                f"Row {longer[0]} has {count(len(rows[longer[0]]), 'cell')}, but the header names {count(width, 'column')}. "
                "Add the missing names, put quotes around cells that hold the separator, or choose another separator.",
                "separator",
            )
    _check_width(len(own), title)
    names: list[str] = []
    for i, name in enumerate(own, 1):
        unique = name.strip() or f"column {i}"
        copy = 2
        while unique in names:
            unique, copy = f"{name.strip() or f'column {i}'} ({copy})", copy + 1
        if name.strip() and unique != name.strip():
            notes.append(
                f"several columns are called {shown(name.strip())}; column {i} is now {shown(unique)}"
            )
        names.append(unique)
    return names


def _check_width(width: int, title: str) -> None:
    if width > MAX_COLUMNS:
        raise SpecError(
            f"{title} has {width} columns; a table may have {MAX_COLUMNS} here. Keep a part of them, or choose another separator.",
            "separator",
        )


def _guess(cells: list[str], decimal: str) -> str:
    """What a column of the sample looks like: "number", a date's format, or "words"."""
    cells = [c for c in (cell.strip() for cell in cells) if c not in MISSING]
    if not cells:
        return "number"
    numbers = sum(1 for c in cells if _is_number(c, decimal))
    if numbers >= 0.9 * len(cells):
        return "number"
    return _date_format(cells) or "words"


def _date_format(cells: list[str]) -> str:
    """The one format that most cells are dates in, or ""."""
    for format, shape in DATE_FORMATS.items():
        if sum(1 for c in cells[:200] if shape.fullmatch(c)) < 0.9 * len(cells[:200]):
            continue
        times = pd.to_datetime(pd.Series(cells, dtype="str"), format=format, errors="coerce")
        if times.notna().mean() >= 0.9:
            return format
    return ""


def _decode(
    path: Path,
    how: dict[str, Any],
    guesses: dict[str, str],
    kinds: dict[str, str],
    data: list[list[str]],
    notes: list[str],
) -> tuple[pd.DataFrame, list[str], dict[str, str]]:
    """The whole file, numbers and dates as float32, words as categories; which number columns hold words too."""
    types = {n: "float32" if guess == "number" else "str" for n, guess in guesses.items()}
    try:
        table = _pandas(path, how, types)
    except pd.errors.ParserError:
        raise
    except ValueError:  # words below the sample: pandas does not say in which column
        for name in _wordy(path, how, [n for n, t in types.items() if t == "float32"]):
            types[name] = "str"
        table = _pandas(path, how, types)
    mended: list[str] = []
    dates: dict[str, str] = {}
    for i, (name, guess) in enumerate(guesses.items()):
        if types[name] == "float32":
            continue
        column = cast(pd.Series, table[name])
        present = int(column.notna().sum())
        if guess == "number":
            numbers = steps.words_to_numbers(column, how["decimal"])
            words = np.flatnonzero(numbers.isna() & column.notna())
            if name in kinds or len(words) <= 0.1 * present:
                mended.append(name)
                table[name] = numbers
                if len(words):
                    notes.append(
                        f"column {shown(name)}: {len(words)} of {present} cells with no number in them, the first "
                        f"{shown(str(column.iloc[words[0]]))} in row {words[0] + 1}; they count as missing"
                    )
                continue
        elif guess == "date" or guess in DATE_FORMATS:
            cells = [r[i].strip() for r in data if i < len(r) and r[i].strip() not in MISSING]
            format = guess if guess in DATE_FORMATS else _date_format(cells)
            if not format:
                raise SpecError(
                    f"Column {shown(name)} is set to dates, but {shown(cells[0]) if cells else 'its cells'} is none this page "
                    "knows. Write dates as 2024-12-31, or set the column to category.",
                    "column_kinds",
                )
            days = steps.days_since_1970(column, format)
            words = np.flatnonzero(days.isna() & column.notna())
            if name in kinds or len(words) <= 0.1 * present:
                dates[name] = format
                table[name] = days
                rounded = ", as float32: times are off by up to a minute and a half"
                notes.append(
                    f"column {shown(name)}: dates written as {format} became days since 1 January 1970"
                    + rounded * ("%H" in format)
                )
                if len(words):
                    notes.append(
                        f"column {shown(name)}: {len(words)} of {present} cells with no date in them, the first "
                        f"{shown(str(column.iloc[words[0]]))} in row {words[0] + 1}; they count as missing"
                    )
                continue
        table[name] = column.astype("category")
    return table, mended, dates


def _pandas(path: Path, how: dict[str, Any], types: dict[str, str]) -> pd.DataFrame:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter(
            "error", pd.errors.ParserWarning
        )  # cells beyond the last column would be lost
        return pd.read_csv(path, **how, dtype=cast(Any, types))


def _header(path: Path, how: dict[str, Any]) -> list[str]:
    """The names pandas itself reads from the first line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(
            pd.read_csv(path, nrows=0, **{k: v for k, v in how.items() if k != "names"}).columns
        )


def _wordy(path: Path, how: dict[str, Any], names: list[str]) -> list[str]:
    """Those of the columns that hold anything but numbers."""
    found: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in pd.read_csv(path, chunksize=100_000, **how):
            found |= {
                n
                for n in names
                if part[n].dtype == bool or not pd.api.types.is_numeric_dtype(part[n].dtype)
            }
    return [n for n in names if n in found]


def _short_rows(
    path: Path, size: int, encoding: str, separator: str, names: list[str], header: bool
) -> list[str]:
    """A sentence on rows with fewer cells than columns; nothing of large files where quotes or two-byte letters forbid
    counting bytes."""
    if encoding.startswith(("utf-16", "utf-32")):
        return _short_rows_read(path, size, encoding, separator, names)
    short = first = line = 0
    rest = b""
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 23):
            if b'"' in chunk:
                return _short_rows_read(path, size, encoding, separator, names)
            block, newline, rest = (rest + chunk).rpartition(b"\n")
            bytes_ = np.frombuffer(block + newline, np.uint8)
            short, first, line = _count_short(bytes_, separator, len(names), short, first, line)
    if rest.strip():
        short, first, line = _count_short(
            np.frombuffer(rest + b"\n", np.uint8), separator, len(names), short, first, line
        )
    return _short_sentence(short, first, len(names))


def _short_rows_read(
    path: Path, size: int, encoding: str, separator: str, names: list[str]
) -> list[str]:
    """The same, found by reading cell by cell; nothing of a file that takes long to read so."""
    if size > _READ_BYTES:
        return []
    short = first = 0
    with path.open(encoding=encoding, newline="") as stream:
        reader = csv.reader(stream, delimiter=separator, skipinitialspace=True)
        with contextlib.suppress(
            csv.Error
        ):  # pandas has read it, so it is a cell beyond csv's limit
            for row in reader:
                if row and len(row) < len(names):
                    short, first = short + 1, first or reader.line_num
    return _short_sentence(short, first, len(names))


def _short_sentence(short: int, first: int, width: int) -> list[str]:
    if not short:
        return []
    return [
        f"{count(short, 'row')} with fewer than {width} cells, the first in line {first} of the file; what they lack counts as missing"
    ]


def _count_short(
    block: np.ndarray, separator: str, width: int, short: int, first: int, line: int
) -> tuple[int, int, int]:
    ends = np.flatnonzero(block == 10)
    if not len(ends):
        return short, first, line
    cuts = np.concatenate([[0], np.cumsum(block == ord(separator), dtype=np.int64)[ends]])
    lengths = np.diff(np.concatenate([[-1], ends]))
    blank = (lengths == 1) | ((lengths == 2) & (block[ends - 1] == 13))  # "\n" or "\r\n"
    lacking = np.flatnonzero((np.diff(cuts) < width - 1) & ~blank)
    if len(lacking) and not short:
        first = line + int(lacking[0]) + 1
    return short + len(lacking), first, line + len(ends)


def _number_notes(table: pd.DataFrame, columns: Sequence[Column]) -> list[str]:
    notes = []
    for about in columns:
        if about.infinite:
            row = int(np.flatnonzero(np.isinf(table[about.name].to_numpy()))[0]) + 1
            notes.append(
                f"column {shown(about.name)}: {count(about.infinite, 'infinite value')}, the first in row {row}; "
                f"{'it counts' if about.infinite == 1 else 'they count'} as missing"
            )
        if about.whole and max(abs(about.low), abs(about.high)) > 2**24:
            notes.append(
                f"column {shown(about.name)}: whole numbers beyond 16777216 are rounded to float32; set it to category if they are names"
            )
    return notes


def _is_number(cell: str, decimal: str) -> bool:
    cell = cell.strip()
    return (
        bool((_COMMA_FLOAT if decimal == "," else _POINT_FLOAT).fullmatch(cell))
        or cell.lower() in _INFINITE
    )


def _kept_kind(chosen: str) -> str:
    """A kind set by hand decides over a column's use; how it is stored is settled before."""
    return chosen if chosen in ("id", "text", "category", "number") else ""


def _plain_number(found: Profile, about: Column) -> bool:
    return about.is_number and about.name not in found.mended and about.name not in found.dates


def _in_words(message: str) -> tuple[str, str]:
    """pandas' complaint as a learner's sentence, and the setting to look at."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if found:
        width, line, saw = found.groups()
        return (
            f"line {line} of the file has {saw} cells, but the lines above have {width}. Remove the extra cells, put quotes "
            "around cells that hold the separator, or choose another separator.",
            "separator",
        )
    found = re.search(r"EOF inside string starting at row (\d+)", message)
    if found:
        return (
            f"a quote that opens in line {int(found.group(1)) + 1} of the file never closes. Close it or remove it.",
            "",
        )
    if "Length of header" in message:
        return (
            "its first rows have more cells than the header has names. Add the missing names.",
            "header",
        )
    return (
        "its lines do not form rows and columns. Choose the separator, encoding and header by hand.",
        "separator",
    )


_UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    LookupError,
    csv.Error,
    OSError,
    pd.errors.ParserWarning,
)
_CHARACTERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_NAMES = {sign: name for name, sign in _CHARACTERS.items()}
_DECIMALS = {"point": ".", "comma": ","}
_POINT_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA_FLOAT = re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_POINT_NUMBER = re.compile(r"[+-]?\d+\.\d+([eE][+-]?\d+)?", re.ASCII)
_INFINITE = frozenset(sign + word for sign in ("", "+", "-") for word in ("inf", "infinity"))
_CONTROLS = [bytes([c]) for c in range(32) if c not in (9, 10, 12, 13, 27)]

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

_MAGIC = {
    b"PK\x03\x04": "a ZIP archive (Excel's .xlsx is one)",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF",
    b"MZ": "a Windows program",
    b"\x7fELF": "a Linux program",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "an SQLite data base",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"\x80\x02": "a Python pickle",
    b"\x80\x04": "a Python pickle",
}

_DAY, _TIME = r"\d{1,2}", r"\d{1,2}:\d{2}"
DATE_FORMATS: dict[str, re.Pattern[str]] = {
    "%Y-%m-%d": re.compile(rf"\d{{4}}-{_DAY}-{_DAY}"),
    "%Y-%m-%d %H:%M": re.compile(rf"\d{{4}}-{_DAY}-{_DAY} {_TIME}"),
    "%Y-%m-%d %H:%M:%S": re.compile(rf"\d{{4}}-{_DAY}-{_DAY} {_TIME}:\d{{2}}"),
    "%Y-%m-%dT%H:%M:%S": re.compile(rf"\d{{4}}-{_DAY}-{_DAY}T{_TIME}:\d{{2}}"),
    "%Y/%m/%d": re.compile(rf"\d{{4}}/{_DAY}/{_DAY}"),
    "%d.%m.%Y": re.compile(rf"{_DAY}\.{_DAY}\.\d{{4}}"),
    "%d.%m.%Y %H:%M": re.compile(rf"{_DAY}\.{_DAY}\.\d{{4}} {_TIME}"),
    "%d/%m/%Y": re.compile(rf"{_DAY}/{_DAY}/\d{{4}}"),
    "%m/%d/%Y": re.compile(rf"{_DAY}/{_DAY}/\d{{4}}"),
    "%d-%m-%Y": re.compile(rf"{_DAY}-{_DAY}-\d{{4}}"),
}
