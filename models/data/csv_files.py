"""Reading a learner's table, whatever wrote it: what is left open is found out from the file itself, from all its cells."""

from __future__ import annotations

import codecs
import contextlib
import csv
import dataclasses
import mmap
import re
import warnings
import zipfile
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from models.core.spec import SpecError
from models.data import cells, columns, decisions, encodings, layout, tables, workspace
from models.data.columns import SIGNS, Columns
from models.data.decisions import Choice, Decision
from models.data.encodings import ENCODINGS
from models.data.layout import Layout
from models.data.naming import FreeNames
from models.data.tables import Column
from models.data.wording import count, dict_literal, literal, names_text, shown

SEPARATORS = ("auto", *layout.SEPARATORS)
HEADERS = ("auto", "yes", "no")
DECIMALS = ("auto", "point", "comma")
TEXTS = (".csv", ".tsv", ".txt", ".tab", ".dat", ".data", ".asc")
BOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
ENDINGS = (*TEXTS, *BOOKS)  # of what `read_csv` reads; the content decides
MAX_BYTES = 500_000_000  # of one table
MAX_COLUMNS = 5000
SAMPLE = 1_000_000  # bytes looked at to find out the layout
SAMPLE_ROWS = layout.SAMPLE_ROWS

HELP = {
    "separator": "What parts the columns of the file.",
    "encoding": "How the file writes letters as bytes.",
    "header": "Whether the first line names the columns.",
    "decimal": "What parts a whole number from its fraction.",
    "column_kinds": "Kinds of columns set by hand: name=number, name=category, name=decimal comma, name=day first, …",
    "skip_lines": "Lines that are no part of the table: 1-4 the first four, 6 the sixth, -1 the last one, 0 none; auto finds out.",
    "missing_words": "Further words that mean missing, parted by commas; !NA keeps NA as a word; column=word for one column only.",
}


@dataclass(frozen=True)
class CsvOptions:
    """How to read a table, as far as the learner says; "auto" is found out from the file.

    The fields of `tabular.TableSpec` and `profiling.Spec` have the same names. `column_kinds` sets the kinds of single
    columns: `name=kind, other=kind`.
    """

    separator: str = "auto"
    encoding: str = "auto"
    header: str = "auto"
    decimal: str = "auto"
    column_kinds: str = ""
    skip_lines: str = "auto"
    missing_words: str = ""


AUTO = CsvOptions()


def options_of(spec: Any) -> CsvOptions:
    """How to read a table, out of a spec that has the fields of `CsvOptions`."""
    return CsvOptions(*(getattr(spec, field.name) for field in dataclasses.fields(CsvOptions)))


@dataclass(frozen=True)
class Profile:
    """What a table holds and how it was read: everything but its rows.

    Attributes:
        name, size: of the file, as uploaded; bytes.
        rows: data rows, the header not counted.
        sheet: of a spreadsheet; "" of a text file.
        separator, encoding, decimal, header: how it was read, nothing left to "auto".
        quote: what stands around cells. escape: quotes within quotes have a backslash in front. skipped: records that are no data, from 0.
        cut: rows may hold empty cells beyond the last column. tail: rows at the end that are no data.
        named: the columns' names where the header's own could not be used as they are; else ().
        columns: what each holds.
        numbers: the signs (decimal, thousands) of number columns that pandas' own reader does not take as they are.
        dates: the format of each date column. words: words that mean missing, of columns whose cells were tidied.
        decisions: how the file is read and what was noticed, each with the setting that decides otherwise.
        head: the first rows as the file writes them.
    """

    name: str
    size: int
    rows: int
    sheet: str
    separator: str
    encoding: str
    decimal: str
    header: bool
    quote: str
    escape: bool
    skipped: tuple[int, ...]
    cut: bool
    tail: int
    named: tuple[str, ...]
    columns: tuple[Column, ...]
    numbers: dict[str, tuple[str, str]]
    dates: dict[str, str]
    words: dict[str, list[str]]
    decisions: tuple[Decision, ...]
    head: tuple[tuple[str, ...], ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, a sentence each: all but how any file is read."""
        return tuple(d.sentence for d in self.decisions if not d.short or d.doubtful)


def read_csv(path: Path, name: str, options: CsvOptions = AUTO) -> tuple[Profile, pd.DataFrame]:
    """A table as decoded columns, numbers and dates as float32 and words as categories, and what was found out about it.

    Raises:
        SpecError: it is no table; the message names the row and the column where it can.
    """
    title = workspace.display_name(name)
    try:
        return _read(path, name, title, options)
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


def pandas_arguments(found: Profile) -> dict[str, Any]:
    """The arguments of `pd.read_csv` that read this text file as it was read here, the types of columns apart."""
    how: dict[str, Any] = {
        "sep": found.separator,
        "encoding": found.encoding,
        "decimal": found.decimal,
        "header": 0 if found.header and not found.named else None,
        "index_col": False,
        "skipinitialspace": True,
        "keep_default_na": False,
        "na_values": [""],
    }
    if found.named:
        how |= {"header": 0 if found.header else None, "names": list(found.named)}
    if found.skipped:
        how["skiprows"] = list(found.skipped)
    how |= _manner(found.separator, found.quote, found.escape)
    if found.cut:
        how["usecols"] = list(range(len(found.columns)))
    return how


def _manner(separator: str, quote: str, escape: bool) -> dict[str, Any]:
    """The arguments of pandas for unusual quotes and separators."""
    how: dict[str, Any] = {"quotechar": quote} if quote != '"' else {}
    if escape:
        how |= {"escapechar": "\\", "doublequote": False}
    if separator == layout.BLANKS[1]:
        how["engine"] = "python"
    return how


def kinds_of(found: Profile, names: Collection[str]) -> str:
    """Column kinds that read another file's columns of these names in the very same way."""
    entries = []
    for column in found.columns:
        if column.kind == "empty" or column.name not in names:
            continue
        kind = "number" if column.is_number else "category"
        if column.name in found.dates:
            first = re.search("%[dmY]", found.dates[column.name].replace("%y", "%Y"))
            kind = {"%d": "day first", "%m": "month first"}.get(
                first.group() if first else "", "date"
            )
        elif column.name in found.numbers:
            kind = "decimal comma" if found.numbers[column.name][0] == "," else "decimal point"
        entries.append(f"{column.name}={kind}")
    return tables.comma_text(entries)


def code(
    found: Profile, options: CsvOptions, names: Sequence[str]
) -> tuple[list[Callable[..., Any]], list[str]]:
    """Functions and lines of a script that reads these columns exactly as `read_csv` did, into `table`."""
    known = {c.name: c for c in found.columns}
    used = {n: "float32" if _plain_number(found, known[n]) else "str" for n in names}
    file = workspace.file_name(found.name)
    out: list[str] = [f"{file!r},"]
    auto = {
        n for n in ("separator", "encoding", "decimal", "header") if getattr(options, n) == "auto"
    }
    if found.sheet:
        used = dict.fromkeys((c.name for c in found.columns), "str")
        out += [
            'engine="calamine",',
            f"sheet_name={found.sheet!r},  # found out from the file",
            "header=None,",
            *([f"skiprows={list(found.skipped)},"] if found.skipped else []),
            f"names={literal([c.name for c in found.columns], '    ')},",
            'dtype="str",',
            "keep_default_na=False,",
            'na_values=[""],',
        ]
    else:
        words = {"sep": "separator", "skiprows": "skip_lines"}
        for name, value in pandas_arguments(found).items():
            text = literal(value, "    ") if name == "names" else repr(value)
            said = words.get(name, name) in auto or (
                name == "skiprows" and options.skip_lines == "auto"
            )
            out.append(f"{name}={text},{'  # found out from the file' * said}")
        out.append(f"dtype={dict_literal(used, '    ')},")
    reader = "read_excel" if found.sheet else "read_csv"
    lines = [f"table = pd.{reader}(", *(f"    {a}" for a in out), ")"]
    if found.tail:
        lines.append(f"table = table.iloc[:-{found.tail}]  # no data: totals or notes")
    functions: list[Callable[..., Any]] = []

    def needs(*wanted: Callable[..., Any]) -> None:
        functions.extend(f for f in wanted if f not in functions)

    for n in names:
        cell = f"table[{n!r}]"
        if n in found.words:
            needs(cells.read_words)
            lines.append(f"{cell} = read_words({cell}, {found.words[n]!r})")
        if n in found.numbers:
            needs(cells.number_parts, cells.numbers_of, cells.read_numbers)
            decimal, thousands = found.numbers[n]
            lines.append(f"{cell} = read_numbers({cell}, {decimal!r}, {thousands!r})")
        if n in found.dates:
            needs(cells.month_names, cells.tidy_times, cells.days_since_1970)
            lines.append(f"{cell} = days_since_1970({cell}, {found.dates[n]!r})")
    infinite = [n for n in names if known[n].infinite]
    if infinite:
        lines += [
            f"infinite = {literal(infinite)}",
            "table[infinite] = table[infinite].where(np.isfinite(table[infinite]))  # infinity counts as missing",
        ]
    return functions, lines


@dataclass
class _Opened:
    """A file whose layout is known.

    Attributes:
        names: of the columns. sample: the first rows below the header. found: what was decided.
        read: these columns (all when None) with these types.
        how: the arguments of pandas that read it. own: the names are those that pandas itself reads.
        whole: columns whose sample holds whole numbers only.
        lines: which lines are skipped, from 0, the last as -1, and a sentence on why.
    """

    path: Path
    layout: Layout
    names: list[str]
    sample: list[list[str]]
    found: list[Decision]
    read: Callable[[dict[str, str]], pd.DataFrame]
    how: dict[str, Any]
    encoding: str = ""
    decimal: str = "."
    sheet: str = ""
    skipped: tuple[int, ...] = ()
    own: bool = False
    whole: set[str] = dataclasses.field(default_factory=set)
    lines: list[tuple[str, tuple[int, ...]]] = dataclasses.field(default_factory=list)


def _read(path: Path, name: str, title: str, options: CsvOptions) -> tuple[Profile, pd.DataFrame]:
    size = path.stat().st_size
    kinds = tables.parse_kinds(options.column_kinds)
    _check_file(path, size, title)
    opened = (_open_book if is_book(path) else _open_text)(path, size, title, options)
    names, found = opened.names, opened.found
    unknown = [n for n in kinds if n not in names]
    if unknown:
        raise SpecError(
            f"column_kinds sets {shown(unknown[0])}, but there is no such column. The columns are: {names_text(names)}.",
            "column_kinds",
        )
    if not opened.sample:
        raise SpecError(
            f"{title} holds a header of {count(len(names), 'column')} ({names_text(names)}) and no data row below it."
            + (" If that line is data, set header to no." if opened.layout.header else ""),
            "header",
        )
    types = _types(opened, kinds, options)
    found += _lookalikes(opened, kinds, types)
    table = _decoded(opened, types)
    if not len(table):
        raise SpecError(f"{title} holds no data row below its header.", "header")
    skip = tables.parse_lines(options.skip_lines)
    if skip is None:
        tail, sentence = _tail(table, types)
        opened.lines += [(sentence, tuple(range(-tail, 0)))] * bool(tail)
    else:
        tail = min(len(table) - 1, max((-n for n in skip if n < 0), default=0))
    if tail:
        table = table.iloc[:-tail]
    if not opened.sheet:
        found += _short_rows(size, opened, tail)
    found += _skips(opened.lines)
    own = Columns(
        table,
        [n for n, t in types.items() if t == "str"],
        kinds=kinds,
        missing_words=options.missing_words,
        decimal=opened.decimal,
        chosen=_DECIMALS.get(options.decimal, ""),
        separator=opened.layout.separator,
        proven={opened.decimal} if _proof(opened, types) else set(),
        reader=None if opened.sheet else _COMMA_FLOAT if opened.decimal == "," else _POINT_FLOAT,
    )
    table = own.decode()
    found += own.found
    held = []
    for column_name in names:
        about = tables.describe_column(
            column_name, cast(pd.Series, table[column_name]), _kept_kind(kinds.get(column_name, ""))
        )
        if column_name in own.dates:
            about = dataclasses.replace(about, kind="date")
        held.append(about)
    found += _number_notes(table, held) + _stand_ins(table, held, opened)
    for column in held:
        if column.infinite:
            values = table[column.name].to_numpy(copy=True)
            values[np.isinf(values)] = np.nan
            table[column.name] = values
    width = len(names)
    head = tuple(
        tuple(cell[:100] for cell in (row + [""] * width)[:width]) for row in opened.sample[:10]
    )
    order = {topic: k for k, topic in enumerate(decisions.TOPICS)}
    profile = Profile(
        name=name,
        size=size,
        rows=len(table),
        sheet=opened.sheet,
        separator=opened.layout.separator,
        encoding=opened.encoding,
        decimal=opened.decimal,
        header=opened.layout.header and not opened.layout.marked,
        quote=opened.layout.quote,
        escape=opened.layout.escape,
        skipped=opened.skipped,
        cut="usecols" in opened.how,
        tail=tail,
        named=() if opened.own or opened.sheet else tuple(names),
        columns=tuple(held),
        numbers=own.numbers,
        dates=own.dates,
        words=own.words,
        decisions=tuple(sorted(found, key=lambda d: order[d.topic])),
        head=head,
    )
    return profile, table


def _proof(opened: _Opened, types: dict[str, str]) -> bool:
    """Whether a column that pandas read as it is holds fractions."""
    return any(t == "float32" and n not in opened.whole for n, t in types.items())


def is_book(path: Path) -> bool:
    """Whether the content is a spreadsheet of Excel or OpenDocument, whatever its ending."""
    with path.open("rb") as file:
        start = file.read(8)
    if start[:4] == b"\xd0\xcf\x11\xe0":
        return True
    if start[:4] != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            inside = set(archive.namelist())
            if inside & {"xl/workbook.xml", "xl/workbook.bin"}:
                return True
            return "mimetype" in inside and b"spreadsheet" in archive.read("mimetype")[:100]
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError):
        return False


def _check_file(path: Path, size: int, title: str) -> None:
    """Whether it can be a table at all.

    Raises:
        SpecError: it is empty, too large, or another kind of file.
    """
    if not size:
        raise SpecError(
            f"{title} is empty (0 bytes). Choose a file with a header line and data rows."
        )
    if size > MAX_BYTES:
        raise SpecError(
            f"{title} has {size / 1e6:.0f} MB; a table may have {MAX_BYTES // 1_000_000} MB here. Keep a part of its rows or columns."
        )
    if is_book(path):
        return
    with path.open("rb") as stream:
        start = stream.read(16)
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise SpecError(
                f"{title} is no text: it begins like {what}. Save the table as CSV and upload that."
            )


def _open_text(path: Path, size: int, title: str, options: CsvOptions) -> _Opened:
    if options.encoding != "auto":
        known = encodings.Found(encodings.checked(path, title, options.encoding))
    else:
        known = encodings.detect(path, title)
    with path.open("rb") as stream:
        raw = stream.read(SAMPLE)
    sample = codecs.getincrementaldecoder(known.encoding)().decode(raw).removeprefix("\ufeff")
    chosen = layout.SEPARATORS.get(options.separator, "")
    laid = layout.find(
        sample, size <= SAMPLE, chosen, options.header, tables.parse_lines(options.skip_lines)
    )
    if not laid.rows:
        raise SpecError(
            f"{title} holds only blank lines. Choose a file with a header line and data rows."
        )
    found = _found_layout(laid, known, options)
    names = _names(laid, title, found)
    skipped, lines = _skipped(path, known.encoding, laid)
    data = laid.rows[1:] if laid.header else laid.rows
    decimal = _decimal(data, options, laid.separator)
    found.append(
        Decision(
            "numbers",
            f"decimals are written with a {SIGNS[decimal]}",
            "decimal",
            tuple(Choice(c, c) for c in DECIMALS if c not in ("auto", SIGNS[decimal])),
            short=f"decimal {SIGNS[decimal]}",
        )
    )
    if (
        options.decimal == "comma"
        and laid.separator == ","
        and not any(_COMMA_NUMBER.fullmatch(c.strip()) for r in data for c in r)
    ):
        raise SpecError(
            "The comma cannot part both the columns and the decimals, unless such numbers stand in quotes. "
            "Choose another separator or the decimal point.",
            "decimal",
        )
    how: dict[str, Any] = {
        "sep": laid.separator,
        "encoding": known.encoding,
        "decimal": decimal,
        "header": 0 if laid.header and not laid.marked else None,
        "names": names,
        "index_col": False,
        "skipinitialspace": True,
        "keep_default_na": False,
        "na_values": [""],
    }
    if skipped:
        how["skiprows"] = list(skipped)
    how |= _manner(laid.separator, laid.quote, laid.escape)
    longer = [r for r in laid.rows if len(r) > len(names)]
    if longer:
        how["usecols"] = list(range(len(names)))
    own = how["header"] == 0 and _header(path, how) == names

    def read(types: dict[str, str]) -> pd.DataFrame:
        try:
            return _pandas(path, how, types)
        except pd.errors.ParserError as error:
            if "usecols" in how or not _LONGER.search(str(error)):
                raise
        how["usecols"] = list(range(len(names)))  # where all that is cut is empty
        found.extend(_long_rows(opened))
        return _pandas(path, how, types)

    opened = _Opened(path, laid, names, data, found, read, how, known.encoding, decimal)
    opened.skipped, opened.lines, opened.own = skipped, lines, own
    if longer:
        found += _long_rows(opened)
    return opened


def sheets(path: Path, title: str) -> dict[str, pd.DataFrame]:
    """The filled sheets of a spreadsheet, all cells as texts.

    Raises:
        SpecError: it cannot be read, or all are empty.
    """
    try:
        found = pd.read_excel(path, sheet_name=None, **_BOOK)
    except Exception as error:  # the reader is a program of its own, with errors of its own
        raise SpecError(
            f"{title} is a spreadsheet that cannot be read: it is damaged, or locked with a password. Save the table as CSV "
            "and upload that.",
            detail=str(error)[:500],
        ) from error
    filled = {str(name): sheet for name, sheet in found.items() if sheet.notna().to_numpy().any()}
    if not filled:
        raise SpecError(f"{title} is a spreadsheet whose sheets are all empty.")
    return filled


def _open_book(path: Path, size: int, title: str, options: CsvOptions) -> _Opened:
    held = sheets(path, title)
    sheet = next((n for n, t in held.items() if min(t.shape) > 1), next(iter(held)))
    raw = held[sheet].fillna("")
    rows = [list(map(str, row)) for row in raw.to_numpy().tolist()]
    laid = layout.of_rows(rows, options.header, tables.parse_lines(options.skip_lines))
    rest = [n for n in held if n != sheet]
    more = (
        f"; the others, {names_text(rest)}, become tables of their own on the Datasets page"
        if rest
        else ""
    )
    found = [
        Decision(
            "file",
            f"sheet {shown(sheet)} of the spreadsheet is read{more}",
            doubtful=bool(rest),
            short=f"sheet {sheet}",
        )
    ]
    names = _names(laid, title, found)
    found.append(_header_decision(laid, len(names)))
    skipped = set(laid.skipped)
    kept = [k for k in range(len(rows)) if k not in skipped]
    skipped.update(kept[: int(laid.header)])
    lines = list(laid.said)
    if laid.units:
        skipped.add(kept[1])
        lines.append((_units_sentence(laid), (kept[1],)))
    rows_left_out = sorted(skipped)
    data = laid.rows[1:] if laid.header else laid.rows

    def read(types: dict[str, str]) -> pd.DataFrame:
        how = {**_BOOK, "names": names, "skiprows": rows_left_out or None}
        table = pd.read_excel(path, sheet_name=sheet, **how)
        return table.loc[:, list(types)]

    opened = _Opened(path, laid, names, data[:SAMPLE_ROWS], found, read, {}, sheet=sheet)
    opened.skipped, opened.lines = tuple(rows_left_out), lines
    return opened


def _found_layout(laid: Layout, known: encodings.Found, options: CsvOptions) -> list[Decision]:
    """What was decided about the file as a whole."""
    part = next(
        (n for n, sign in layout.SEPARATORS.items() if sign == laid.separator), laid.separator
    )
    also = tuple(Choice(e, e) for e in known.others)
    doubt = f"; the letters would fit {' or '.join(known.others[:3])} too" if known.others else ""
    offered = also or tuple(Choice(e, e) for e in ENCODINGS if e not in ("auto", known.encoding))
    found = [
        Decision(
            "encoding",
            f"written in {known.encoding}{doubt}",
            "encoding",
            offered,
            doubtful=bool(also),
            short=known.encoding,
        ),
        Decision(
            "separator",
            f"columns are parted by {_PARTED.get(part, f'a {part}')}",
            "separator",
            tuple(Choice(s, s) for s in layout.SEPARATORS if s != part),
            short=part,
        ),
    ]
    if laid.escape:
        found.append(
            Decision("quotes", 'quotes within quoted cells are written with a backslash, \\"')
        )
    if laid.quote != '"':
        found.append(Decision("quotes", f"cells are quoted with {laid.quote}, which is taken off"))
    width = len(laid.rows[0]) if laid.rows else 0
    found.append(_header_decision(laid, width))
    return found


def _header_decision(laid: Layout, width: int) -> Decision:
    said = (
        f"the first line names the {count(width, 'column')}"
        if laid.header
        else "no line names the columns"
    )
    head = "yes" if laid.header else "no"
    return Decision(
        "header",
        said,
        "header",
        tuple(Choice(h, h) for h in ("yes", "no") if h != head),
        short=f"header: {head}",
    )


def _units_sentence(laid: Layout) -> str:
    said = ", ".join(cell.strip() for cell in laid.units if cell.strip())
    return f"{_UNITS} ({workspace.display_name(said, 60)}), and is left out"


def _skips(lines: Sequence[tuple[str, tuple[int, ...]]]) -> list[Decision]:
    """What was skipped, each with the setting that skips the others only."""
    every = {n for _, own in lines for n in own}
    found = []
    for sentence, own in lines:
        rest = tables.lines_text(sorted(every - set(own)))
        others = (Choice("take them as data", rest),) if own and len(rest) < 1000 else ()
        if sentence.startswith(_UNITS) and own[0] and own[0] - 1 not in every:
            kept = every - set(own) | {own[0] - 1}  # in place of the line above it
            others += (Choice("it holds the names", tables.lines_text(sorted(kept))),)
        found.append(Decision("lines", sentence, "skip_lines", others))
    return found


def _names(laid: Layout, title: str, found: list[Decision]) -> list[str]:
    """The columns' names, made unique and not empty.

    Raises:
        SpecError: rows are longer than the header, or there are too many columns.
    """

    def say(sentence: str) -> None:
        found.append(Decision("names", sentence, "header"))

    rows = laid.rows
    trimmed = [_trimmed(r) for r in rows]
    if not laid.header:
        width = max(trimmed)
        _check_width(width, title)
        say(f"the first line holds data, so the columns are called column 1 to column {width}")
        return [f"column {i}" for i in range(1, width + 1)]
    own = list(rows[0])
    width = len(own)
    while width > 1 and not own[width - 1].strip() and max(trimmed[1:], default=width) < width:
        width -= 1
    own = own[:width]
    if max((len(r) for r in rows[1:]), default=0) == width + 1 and all(
        len(r) == width + 1 for r in rows[1:]
    ):
        if all(not r[width].strip() for r in rows[1:]):
            own.append("")
        else:
            own.insert(0, "row")
            say(
                "the header has one name less than the rows have cells, so the first column is called 'row'"
            )
    elif longer := next((i for i, n in enumerate(trimmed) if n > width), 0):
        extra = shown(rows[longer][width])
        raise SpecError(
            f"Row {longer} has {count(len(rows[longer]), 'cell')}, but the header names {count(width, 'column')}: {extra} stands "
            "beyond them. Add the missing names, put quotes around cells that hold the separator, skip lines above the "
            "table, or choose another separator.",
            "separator",
        )
    _check_width(len(own), title)
    free, names, renamed = FreeNames(), [], 0
    for i, name in enumerate(own, 1):
        base = name.strip() or f"column {i}"
        unique = free.take(base, lambda copy, base=base: f"{base} ({copy})")
        if name.strip() and unique != base:
            renamed += 1
            if renamed <= 5:
                say(f"several columns are called {shown(base)}; column {i} is now {shown(unique)}")
        names.append(unique)
    if renamed > 5:
        say(f"{renamed - 5} more columns were renamed, as their names stand there twice")
    return names


def _trimmed(row: Sequence[str]) -> int:
    """Cells of a row without the empty ones at its end."""
    width = len(row)
    while width > 1 and not row[width - 1].strip():
        width -= 1
    return width


def _check_width(width: int, title: str) -> None:
    if width > MAX_COLUMNS:
        raise SpecError(
            f"{title} has {width} columns; a table may have {MAX_COLUMNS} here. Keep a part of them, or choose another separator.",
            "separator",
        )


def _skipped(
    path: Path, encoding: str, laid: Layout
) -> tuple[tuple[int, ...], list[tuple[str, tuple[int, ...]]]]:
    """Records that are no part of the table, in all of the file, as pandas counts them; and why."""
    skipped, lines = set(laid.skipped), list(laid.said)
    again = laid.head if _repeated(path, encoding, laid.head) else ""
    if not (laid.comment or laid.ruled or laid.units or again):
        return tuple(sorted(skipped)), lines
    record, inside, filled = -1, False, 0
    copies: list[int] = []
    with path.open(encoding=encoding) as file:
        for line in file:
            if not inside:
                record += 1
                if laid.comment and line.lstrip("\ufeff \t").startswith(laid.comment):
                    skipped.add(record)
                    continue
                if laid.ruled and layout.RULER.fullmatch(line):
                    skipped.add(record)
                    continue
                if record not in skipped and line.strip():
                    filled += 1
                    if laid.units and filled == 2 - laid.marked:
                        skipped.add(record)
                        lines.append((_units_sentence(laid), (record,)))
                    if again and filled > 1 and line.rstrip("\n") == again:
                        copies.append(record)
                    if filled >= 2 and not (laid.comment or laid.ruled or again):
                        break
            if laid.separator not in layout.BLANKS and line.count(laid.quote) % 2:
                inside = not inside
    if copies:
        where = tables.lines_text(copies[:6]) + " and more" * (len(copies) > 6)
        said = f"the line of names stands there {count(len(copies), 'more time')} (line {where}), which is left out"
        lines.append((said, tuple(copies)))
        skipped.update(copies)
    return tuple(sorted(skipped)), lines


def _repeated(path: Path, encoding: str, head: str) -> bool:
    """Whether the line of names may stand in the file more than once, as where files were put together."""
    line = head.encode(encoding).removeprefix("".encode(encoding))  # without its byte order mark
    if not line:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        first = data.find(line)
        return first < 0 or data.find(line, first + len(line)) >= 0


def _decimal(rows: list[list[str]], options: CsvOptions, separator: str) -> str:
    """The decimal sign of most columns of the file."""
    if options.decimal != "auto":
        return _DECIMALS[options.decimal]
    proofs = {".": 0, ",": 0}
    width = max(map(len, rows), default=0)
    for k in range(width):
        column = [row[k].strip() for row in rows[:500] if k < len(row)]
        for sign, shape in ((",", _COMMA_NUMBER), (".", _POINT_NUMBER)):
            fits = [c for c in column if shape.fullmatch(c)]
            proofs[sign] += (
                any(not _THOUSANDS[sign].fullmatch(c) for c in fits)
                and 2 * len(fits) > sum(map(bool, column)) * 0.2
            )
    return "," if proofs[","] > proofs["."] else "."


def _types(opened: _Opened, kinds: dict[str, str], options: CsvOptions) -> dict[str, str]:
    """float32 for columns that hold nothing but numbers as pandas reads them, as far as the sample tells; else str."""
    if opened.sheet:
        return dict.fromkeys(opened.names, "str")
    plain = _COMMA_FLOAT if opened.decimal == "," else _POINT_FLOAT
    odd = columns.entries(options.missing_words, opened.names)[0].keys()
    types = {}
    for i, name in enumerate(opened.names):
        column = [c for c in (r[i].strip() for r in opened.sample if i < len(r)) if c]
        kind = kinds.get(name, "")
        numeric = (
            kind in ("", "number", "id")
            and all(map(plain.fullmatch, column))
            and not odd & {"", name}
        )
        if numeric and not kind and len(column) > 2:
            numeric = not all(map(_COMPACT_DATE.fullmatch, column))
        signed = [c for c in column if opened.decimal in c]
        if numeric and signed:
            numeric = not all(map(_THOUSANDS[opened.decimal].fullmatch, signed))
        elif numeric and column and opened.decimal == ",":
            numeric = False  # 1,234 far below might be a thousand
        types[name] = "float32" if numeric else "str"
        if not signed:
            opened.whole.add(name)
    return types


def _lookalikes(opened: _Opened, kinds: dict[str, str], types: dict[str, str]) -> list[Decision]:
    """What columns of plain numbers may be instead, as far as the sample tells."""
    found = []
    for i, name in enumerate(opened.names):
        if types[name] == "float32" and not kinds.get(name):
            column = [c for c in (r[i].strip() for r in opened.sample if i < len(r)) if c]
            found += columns.lookalike(name, column)
    return found


def _decoded(opened: _Opened, types: dict[str, str]) -> pd.DataFrame:
    """The whole file, numbers as float32 where `types` says so and all cells of a column are numbers; `types` is mended."""
    try:
        table = opened.read(types)
    except (pd.errors.ParserError, SpecError):
        raise
    except ValueError:  # words below the sample: pandas does not say in which column
        for name in _wordy(opened, [n for n, t in types.items() if t == "float32"]):
            types[name] = "str"
        table = opened.read(types)
    # an infinite number may be one too large for float32; thousands may hide in whole numbers with three decimals
    again = []
    for name in [n for n, t in types.items() if t == "float32"]:
        values = table[name].to_numpy()
        whole = name not in opened.whole or bool((values[np.isfinite(values)] % 1 == 0).all())
        if not whole or np.isinf(values).any():
            again.append(name)
    if again:
        types |= dict.fromkeys(again, "str")
        table = opened.read(types)
    return table


def _tail(table: pd.DataFrame, types: dict[str, str]) -> tuple[int, str]:
    """How many rows at the end are no data, totals or notes, and a sentence on them."""
    words = [n for n, t in types.items() if t == "str"]
    if len(table) < 4 or len(types) < 2 or not words:
        return 0, ""
    last = {
        n: str(v).strip() for n, v in table[words].iloc[-1].items() if v == v and str(v).strip()
    }
    first = next(iter(types))
    named = [n for n, v in last.items() if _TOTAL.fullmatch(v)]
    for n in named:
        if (table[n].iloc[:-1].astype("str").str.strip() == last[n]).any():
            continue
        others = [
            w
            for w in words
            if w != n
            and w in last
            and not cells.number_parts(pd.Series([last[w]])).body.notna().any()
        ]
        if not others or _sums(table, types):
            return (
                1,
                f"the last row says {shown(last[n])} and is left out: it holds no data of its own",
            )

    def odd(value: str) -> bool:
        """Whether it is a word where all cells above are numbers, below a last column that is full."""
        own = cast(pd.Series, table[first]).iloc[-60:-5]
        parts = cells.number_parts(pd.Series([*own.dropna(), value], dtype="str")).body.notna()
        full = table.iloc[-60:-5, -1].notna().all()
        return bool(full and parts.iloc[:-1].all() and not parts.iloc[-1])

    tail = 0
    while tail < min(10, len(table) - 3):
        row = table.iloc[-1 - tail]
        value = row[first]
        if not isinstance(value, str) or not (tail or _NOTE.match(value.strip())):
            break
        if not row.drop(first).isna().all() and not (row.isna().iloc[-1] and odd(value)):
            break
        tail += 1
    if tail and not table.iloc[-1 - tail].drop(first).isna().all():
        said = shown(str(table[first].iloc[-tail]))
        return (
            tail,
            f"the last {count(tail, 'row')} hold{'s' * (tail == 1)} only a note ({said}) and {'is' if tail == 1 else 'are'} left out",
        )
    return 0, ""


def _sums(table: pd.DataFrame, types: dict[str, str]) -> bool:
    """Whether a column's last number is the sum of those above."""
    for name, kind in types.items():
        values = (
            table[name]
            if kind == "float32"
            else cells.read_numbers(cast(pd.Series, table[name]), ".", ",")
        )
        values = values.to_numpy("float64")
        above = np.nansum(values[:-1])
        if above and abs(values[-1] - above) <= 1e-3 * abs(above):
            return True
    return False


def _pandas(path: Path, how: dict[str, Any], types: dict[str, str]) -> pd.DataFrame:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter(
            "error", pd.errors.ParserWarning
        )  # cells beyond the last column would be lost
        return pd.read_csv(path, **how, dtype=cast(Any, types))


def _header(path: Path, how: dict[str, Any]) -> list[str]:
    """The names pandas itself reads from the first line."""
    own = {k: v for k, v in how.items() if k not in ("names", "usecols")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(pd.read_csv(path, nrows=0, **own).columns)


def _wordy(opened: _Opened, names: list[str]) -> list[str]:
    """Those of the columns that hold anything but numbers."""
    found: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in pd.read_csv(opened.path, chunksize=100_000, **opened.how):
            found |= {
                n
                for n in names
                if part[n].dtype == bool or not pd.api.types.is_numeric_dtype(part[n].dtype)
            }
    return [n for n in names if n in found]


def _records(opened: _Opened) -> Iterator[tuple[int, int, list[str]]]:
    """Number of the record from 0, line of the file from 1, and cells of every record that is part of the table."""
    skipped = set(opened.skipped)
    laid = opened.layout
    with opened.path.open(encoding=opened.encoding, newline="") as stream:
        if laid.separator in layout.BLANKS:
            for number, line in enumerate(stream):
                if number not in skipped and line.strip():
                    yield number, number + 1, layout.records(line, laid.separator)[0]
            return
        reader = csv.reader(
            stream,
            delimiter=laid.separator,
            skipinitialspace=True,
            quotechar=laid.quote,
            escapechar="\\" if laid.escape else None,
            doublequote=not laid.escape,
        )
        # pandas has read it, so what csv complains of is a cell beyond its limit
        with contextlib.suppress(csv.Error):
            for number, row in enumerate(reader):
                if number not in skipped and row:
                    yield number, reader.line_num, row


def _long_rows(opened: _Opened) -> list[Decision]:
    """A sentence on rows with empty cells beyond the last column.

    Raises:
        SpecError: cells beyond the last column hold something.
    """
    width, long = len(opened.names), 0
    for number, line, row in _records(opened):
        if len(row) > width:
            if any(cell.strip() for cell in row[width:]):
                raise SpecError(
                    f"Line {line} of the file has {len(row)} cells, but there are {count(width, 'column')}. Remove the extra "
                    "cells, put quotes around cells that hold the separator, or choose another separator.",
                    "separator",
                    f"record {number}",
                )
            long += 1
    return (
        [
            Decision(
                "rows",
                f"{count(long, 'row')} with empty cells beyond the last column; these are cut",
            )
        ]
        if long
        else []
    )


def _short_rows(size: int, opened: _Opened, tail: int) -> list[Decision]:
    """A sentence on rows with fewer cells than columns, those of the tail not counted; nothing of large files where quotes
    or two-byte letters forbid counting bytes."""
    encoding, separator = opened.encoding, opened.layout.separator
    plain = len(separator) == 1 and not encoding.startswith(("utf-16", "utf-32"))
    width = len(opened.names)
    ignored = np.array(sorted(opened.skipped), dtype=np.int64)
    short = first = line = 0
    heads = int(opened.layout.header)  # a header may lack the name of the first column
    rest = b""
    with opened.path.open("rb") as stream:
        while plain and (chunk := stream.read(1 << 23)):
            if b'"' in chunk or (b"\r" in chunk and b"\n" not in chunk):
                plain = False
                break
            block, newline, rest = (rest + chunk).rpartition(b"\n")
            lacking, lines, heads = _lacking(
                block + newline, separator, width, line, ignored, heads
            )
            first = first or (int(lacking[0]) + 1 if len(lacking) else 0)
            short, line = short + len(lacking), line + lines
        if plain and rest.strip():
            lacking, _, heads = _lacking(rest + b"\n", separator, width, line, ignored, heads)
            first = first or (int(lacking[0]) + 1 if len(lacking) else 0)
            short += len(lacking)
        if plain and tail:
            stream.seek(-min(size, 1 << 16), 2)
            last = [line for line in stream.read().splitlines() if line.strip()][-tail:]
            short -= sum(line.count(separator.encode()) < width - 1 for line in last)
    if not plain:
        if size > _READ_BYTES:
            return []
        short = first = 0
        heads = int(opened.layout.header)
        last = deque([False] * tail, maxlen=tail)
        for _, at, row in _records(opened):
            last.append(not heads and len(row) < width)
            if heads:
                heads -= 1
            elif len(row) < width:
                short, first = short + 1, first or at
        short -= sum(last)
    if not short:
        return []
    return [
        Decision(
            "rows",
            f"{count(short, 'row')} with fewer than {width} cells, the first in line {first} of the file; what they lack counts as missing",
        )
    ]


def _lacking(
    data: bytes, separator: str, width: int, line: int, ignored: np.ndarray, heads: int
) -> tuple[np.ndarray, int, int]:
    """Lines of a block, from 0 in the file, with too few separators; how many lines it has; header lines still to come."""
    block = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(block == 10)
    if not len(ends):
        return ends, 0, heads
    cuts = np.concatenate([[0], np.cumsum(block == ord(separator), dtype=np.int64)[ends]])
    lengths = np.diff(np.concatenate([[-1], ends]))
    blank = (lengths == 1) | ((lengths == 2) & (block[ends - 1] == 13))  # "\n" or "\r\n"
    told = ~blank & ~np.isin(np.arange(line, line + len(ends)), ignored)
    for _ in range(heads):
        if told.any():
            told[np.flatnonzero(told)[0]], heads = False, heads - 1
    lacking = np.flatnonzero((np.diff(cuts) < width - 1) & told)
    return lacking + line, len(ends), heads


def _number_notes(table: pd.DataFrame, columns: Sequence[Column]) -> list[Decision]:
    found = []
    for about in columns:
        if about.infinite:
            row = int(np.flatnonzero(np.isinf(table[about.name].to_numpy()))[0]) + 1
            said = (
                f"column {shown(about.name)}: {count(about.infinite, 'infinite value')}, the first in row {row}; "
                f"{'it counts' if about.infinite == 1 else 'they count'} as missing"
            )
            found.append(Decision("missing", said, column=about.name))
        if about.whole and max(abs(about.low), abs(about.high)) > 2**24:
            said = f"column {shown(about.name)}: whole numbers beyond 16777216 are rounded to float32; set it to category if they are names"
            other = Choice("they are names", f"{about.name}=category")
            found.append(Decision("numbers", said, "column_kinds", (other,), about.name))
    return found


def _stand_ins(table: pd.DataFrame, held: Sequence[Column], opened: _Opened) -> list[Decision]:
    """Numbers that may mean missing: 999 and the like, far beyond all others of their column."""
    found = []
    for i, about in enumerate(held):
        for extreme in (about.low, about.high):
            if about.kind != "number" or abs(extreme) not in _NINES:
                continue
            values = table[about.name].to_numpy()
            same = values == np.float32(extreme)
            others = np.abs(values[~same & np.isfinite(values)])
            n = int(same.sum())
            if n < 2 or not len(others) or 2 * others.max() > abs(extreme):
                continue
            cells = (r[i].strip() for r in opened.sample if i < len(r))
            text = next((c for c in cells if _is(c, extreme)), f"{extreme:g}")
            said = f"column {shown(about.name)}: {text} stands in {count(n, 'cell')}, far beyond all other numbers, and is read as one"
            other = Choice(f"{text} means missing", f"{about.name}={text}")
            found.append(Decision("missing", said, "missing_words", (other,), about.name, True))
    return found


def _is(cell: str, value: float) -> bool:
    try:
        return float(cell.replace(",", ".")) == value
    except ValueError:
        return False


def _kept_kind(chosen: str) -> str:
    """A kind set by hand decides over a column's use; how it is stored is settled before."""
    return (
        chosen
        if chosen in ("id", "text", "category", "number")
        else "number" * chosen.startswith("decimal")
    )


def _plain_number(found: Profile, about: Column) -> bool:
    return about.is_number and about.name not in found.numbers and about.name not in found.dates


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
_BOOK: dict[str, Any] = {
    "engine": "calamine",
    "header": None,
    "dtype": "str",
    "keep_default_na": False,
    "na_values": [""],
}
_READ_BYTES = 20_000_000  # of a file that is read cell by cell to find short rows: half a second
_NINES = (99.0, 999.0, 9999.0, 99999.0, 999999.0)
_UNITS = "the row below the header holds no data but units"
_PARTED = {"blanks": "runs of blanks", "wide blanks": "two blanks or more"}
_DECIMALS = {"point": ".", "comma": ","}
_POINT_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA_FLOAT = re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
_POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = {
    ",": re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII),
    ".": re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}", re.ASCII),
}
_COMPACT_DATE = re.compile(
    r"(1[5-9]|20|21)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(([01]\d|2[0-3])[0-5]\d([0-5]\d)?)?"
    r"|(0[1-9]|[12]\d|3[01])(0[1-9]|[12]\d|3[01])(19|20)\d\d",
    re.ASCII,
)
_LONGER = re.compile(
    r"Expected \d+ fields in line \d+, saw \d+|too many columns|Length of header or names",
    re.IGNORECASE,
)
_TOTAL = re.compile(
    r"(grand |sub-?)?totals?:?|sum(me)?:?|gesamt(summe)?:?|insgesamt:?|summa:?|total général:?|somme:?|totale:?|suma:?|razem:?"
    r"|итого:?|всего:?|합계|合計|总计|總計|mean:?|average:?|mittel(wert)?:?|moyenne:?|media:?|durchschnitt:?",
    re.IGNORECASE,
)
_NOTE = re.compile(
    r"\W|(source|quelle|note|remark|fuente|fonte|stand|anmerkung|©|\(c\)|\* )", re.IGNORECASE
)

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
