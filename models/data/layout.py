"""How the lines of a text file form a table: what stands above it, what parts its columns, which line names them."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from models.data import forms, tables
from models.data.wording import count, shown

SEPARATORS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "bar": "|",
    "colon": ":",
    "tilde": "~",
    "caret": "^",
    "blanks": r"\s+",
    "wide blanks": r"\s{2,}",
}
BLANKS = (r"\s+", r"\s{2,}")
SAMPLE_ROWS = 2000
_LOOKED = 200  # lines from which the separator is found out
_COMMENTS = ("#", "//", "%", "--", ";", "!", "*", "'", "@")

Rows = list[list[str]]


@dataclass(frozen=True)
class Layout:
    """Where the table stands in the text.

    Attributes:
        separator: the character, or a pattern for runs of blanks.
        quote: what stands around cells that hold the separator. escape: within, it has a backslash in front.
        skipped: records of the file, from 0 and blank ones counted, that are no part of the table.
        said: why lines are skipped, a sentence with their numbers each.
        comment: what comment lines begin with; "" where there are none. ruled: lines drawn of dashes part the rows.
        marked: the name line begins with the comment sign.
        header: the first record that is left names the columns. head: its line, where one is enough.
        units: the record below the header holds no data.
        rows: the first records of the table, the header among them.
    """

    separator: str
    quote: str
    escape: bool
    skipped: tuple[int, ...]
    said: tuple[tuple[str, tuple[int, ...]], ...]
    comment: str
    ruled: bool
    marked: bool
    header: bool
    units: tuple[str, ...]
    rows: Rows
    head: str = ""


def find(
    sample: str,
    whole: bool,
    separator: str = "",
    header: str = "auto",
    skip: Sequence[int] | None = None,
) -> Layout:
    """The layout of the text at a file's beginning.

    Args:
        whole: it is all of the file. separator: as chosen; "" to find out. header: "yes", "no" or "auto".
        skip: the lines that are no part of the table, from 0; None to find out.
    """
    lines = _lines(sample, whole)
    if skip is not None:
        left_out = set(skip)
        kept = [k for k, line in enumerate(lines) if line.strip() and k not in left_out]
        text = "\n".join(lines[k] for k in kept[: SAMPLE_ROWS + 50])
        quote = _quote(text)
        separator = separator or _separator(text, quote)
        escape = _escaped(text, separator)
        table = records(text, separator, escape, quote)
        return _as_set(table, separator, quote, escape, header, skip)
    said: list[tuple[str, tuple[int, ...]]] = []
    top = 0
    named = re.fullmatch(r'"?sep=(.|\\t)"?[;,\t]*\s*', lines[0], re.IGNORECASE) if lines else None
    if named:
        own = named.group(1).replace("\\t", "\t")
        separator = separator or own
        said.append((f"line 1 only says which separator is used, {_name(own)}", (0,)))
        top = 1
    filled = [k for k, line in enumerate(lines) if k >= top and line.strip()]
    if not filled:
        return Layout(separator or ",", '"', False, (), (), "", False, False, False, (), [])
    comment = _comment(lines[top:], separator)
    rulers = [k for k in filled if RULER.fullmatch(lines[k])]
    drawn = set(rulers)
    data = [
        k
        for k in filled
        if k not in drawn and not (comment and lines[k].lstrip().startswith(comment))
    ]
    if not data:
        data, comment, rulers = filled, "", []
    text = "\n".join(lines[k] for k in data[: SAMPLE_ROWS + 50])
    quote = _quote(text)
    separator = separator or _separator(text, quote)
    escape = _escaped(text, separator)
    table = records(text, separator, escape, quote)
    above = _preamble(table) or _titles(data, table)
    if above and _width(table[above - 1]) > 1 and not has_header(table[above:]):
        above = 0  # names, but not enough of them
    table = table[above:]
    titled = above
    if header != "no" and (groups := _groups(table)):
        said.append((groups, (data[above],)))
        above, table = above + 1, _named_by_both(table)
    marked = False
    decided = header == "yes" or (header == "auto" and has_header(table))
    skipped = set(range(top))
    table_lines = set(data)
    comments = [k for k in filled if k not in table_lines and k not in drawn]
    before = [k for k in comments if k < data[0]]
    if before and not above and not decided and header != "no":
        line = lines[before[-1]].lstrip().removeprefix(comment).strip()
        names = records(line, separator, escape, quote)
        if names and len(names[0]) == len(table[0]) > 1 and has_header([names[0], *table]):
            table, marked, decided = [names[0], *table], True, True
            skipped.add(before[-1])
            comments.remove(before[-1])
    if comments:
        which = tables.lines_text(comments[:6]) + " and more" * (len(comments) > 6)
        said.append(
            (
                f"{count(len(comments), 'comment line')} that begin{'s' * (len(comments) == 1)} with {comment} skipped (line {which})",
                tuple(comments),
            )
        )
    if rulers:
        said.append((f"{count(len(rulers), 'line')} drawn of dashes left out", tuple(rulers)))
        skipped.update(rulers)
    if titled:
        title = tuple(k for k in range(top, data[titled]) if k not in comments and k not in drawn)
        said.append(
            (
                f"{count(titled, 'line')} above the table skipped, the first {shown(lines[data[0]])}",
                title,
            )
        )
        skipped.update(title)
    skipped.update(data[titled:above])
    skipped.update(comments)
    units = _taken_units(table, decided)
    return Layout(
        separator,
        quote,
        escape,
        tuple(sorted(skipped)),
        tuple(said),
        comment,
        bool(rulers),
        marked,
        decided,
        units,
        table[: SAMPLE_ROWS + 1],
        lines[data[above]] if decided and not marked and len(table[0]) > 1 else "",
    )


def of_rows(rows: Rows, header: str = "auto", skip: Sequence[int] | None = None) -> Layout:
    """The layout of a spreadsheet's cells; `skipped` are its rows, from 0."""
    if skip is not None:
        left_out = set(skip)
        kept = [row for k, row in enumerate(rows) if k not in left_out]
        return _as_set(kept, "", '"', False, header, skip)
    top = next((k for k, row in enumerate(rows) if not all(map(_empty, row))), 0)
    table = rows[top:]
    above = _preamble(table) if table else 0
    said: list[tuple[str, tuple[int, ...]]] = []
    if above:
        first = shown(next(iter(filter(None, table[0])), ""))
        said.append(
            (
                f"{count(above, 'row')} above the table skipped, the first {first}",
                tuple(range(top + above)),
            )
        )
    table = table[above:]
    if header != "no" and (groups := _groups(table)):
        said.append((groups, (top + above,)))
        above, table = above + 1, _named_by_both(table)
    decided = bool(table) and (header == "yes" or (header == "auto" and has_header(table)))
    units = _taken_units(table, decided)
    skipped = tuple(range(top + above))
    return Layout("", '"', False, skipped, tuple(said), "", False, False, decided, units, table)


def _as_set(
    table: Rows, separator: str, quote: str, escape: bool, header: str, skip: Sequence[int]
) -> Layout:
    """The layout where a person said which lines are no part of the table."""
    decided = bool(table) and (header == "yes" or (header == "auto" and has_header(table)))
    above = tuple(n for n in skip if n >= 0)
    said = ((f"{count(len(skip), 'line')} skipped, as set", ()),) if skip else ()
    return Layout(separator, quote, escape, above, said, "", False, False, decided, (), table)


def _taken_units(table: Rows, header: bool) -> tuple[str, ...]:
    """The row of units below the header, taken out of the table; () where there is none."""
    if header and len(table) > 2 and _units(table):
        return tuple(table.pop(1))
    return ()


def records(
    text: str,
    separator: str,
    escape: bool = False,
    quote: str = '"',
    most: int | None = SAMPLE_ROWS + 50,
) -> Rows:
    """The cells of the first `most` lines that are not blank; None for all lines."""
    if separator in BLANKS:
        lines = [line for line in _lines(text, True) if line.strip()][:most]
        if separator == r"\s+":
            return [_blank_parted(line) for line in lines]
        return [re.split(separator, line.strip()) for line in lines]
    rows: Rows = []
    # a long text is no error
    usual = csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    try:
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=separator,
            skipinitialspace=True,
            quotechar=quote,
            escapechar="\\" if escape else None,
            doublequote=not escape,
        )
        for row in reader:
            if row and not (len(row) == 1 and not row[0].strip()):
                rows.append(row)
            if most is not None and len(rows) > most:
                break
    finally:
        csv.field_size_limit(usual)
    return rows


def of_text(text: str) -> Rows:
    """All rows of a table that is at hand as text, its names among them, without the lines that are no part of it."""
    found = find(text, True)
    skipped = set(found.skipped)
    kept = [line for k, line in enumerate(_lines(text, True)) if k not in skipped]
    rows = records("\n".join(kept), found.separator, found.escape, found.quote, None)
    return [found.rows[0], *rows] if found.marked else rows


def has_header(rows: Rows) -> bool:
    """Whether the first row names the columns below it."""
    first, below = rows[0], rows[1:300]
    if all(_empty(cell) for cell in first):
        return False
    values = {
        k: [row[k] for row in below if k < len(row) and not _missing(row[k])]
        for k in range(len(first))
    }
    days = {  # a day may name a column of amounts
        k
        for k, cell in enumerate(first)
        if _date(cell) and values[k] and not any(map(_date, values[k]))
    }
    names = [
        k for k, cell in enumerate(first) if k in days or not (_amount(cell) or _missing(cell))
    ]
    figures = [k for k, cell in enumerate(first) if _amount(cell) and k not in days]
    if not below:
        return not figures
    amounts = {
        k
        for k, column in values.items()
        if column and sum(map(_amount, column)) >= 0.8 * len(column)
    }
    if not figures:
        if any(k in amounts for k in names):
            return True
        again = [
            k
            for k in names
            if len(values[k]) > 2 and first[k].strip() in {v.strip() for v in values[k]}
        ]
        return not (again and 2 * len(again) >= len(names))
    proof = [k for k in names if k in amounts]
    if len(proof) > len(figures):
        return True
    return _counting(first, figures, values)


def _counting(first: Sequence[str], figures: list[int], values: dict[int, list[str]]) -> bool:
    """Whether the numbers of the first row count on as years or places do, and those below do not."""
    texts = [first[k].strip() for k in figures]
    if len(texts) < 2 or not all(re.fullmatch(r"\d{1,4}", text) for text in texts):
        return False
    numbers = [int(text) for text in texts]
    steps = {b - a for a, b in itertools.pairwise(numbers)}
    if len(steps) != 1 or 0 in steps:
        return False
    below = [value.strip() for k in figures for value in values[k]]
    if all(1500 <= n <= 2200 for n in numbers):  # years, unless rows below count in the same steps
        rows = list(zip(*(values[k][:50] for k in figures), strict=False))
        alike = [
            all(re.fullmatch(r"(1[5-9]|20|21)\d\d", cell.strip()) for cell in row)
            and {int(b) - int(a) for a, b in itertools.pairwise(row)} == steps
            for row in rows
        ]
        return 2 * sum(alike) < len(rows)
    places = numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] in (0, 1)
    return places and (
        not first[0].strip() or any(not re.fullmatch(r"\d+", value) for value in below)
    )


def _units(rows: Rows) -> bool:
    """Whether the row below the header says in which unit the columns are: no number in it, numbers below it."""
    row, below = rows[1], rows[2:300]
    if any(_amount(cell) for cell in row):
        return False
    amounts = []
    for k, cell in enumerate(row):
        column = [r[k] for r in below if k < len(r) and not _missing(r[k])]
        if column and all(map(_amount, column)):
            amounts.append(k)
        elif cell.strip() and cell.strip() in {v.strip() for v in column}:
            return False
    said = [row[k].strip() for k in amounts if row[k].strip()]
    if not said or any(_missing(cell) for cell in said):
        return False
    return len(said) > 1 or all(_UNIT.fullmatch(cell) for cell in said)


def _groups(rows: Rows) -> str:
    """A sentence on a line above the names that groups columns, as merged cells do; "" where there is none."""
    if len(rows) < 4 or len(rows[0]) < 2 or any(map(_amount, (*rows[0], *rows[1]))):
        return ""
    first = [cell.strip() for cell in rows[0]]
    filled = [cell for cell in first if cell]
    below = rows[2:300]
    amounts = any(
        all(k < len(row) and (_amount(row[k]) or _missing(row[k])) for row in below)
        for k in range(len(first))
    )
    merged = len(set(filled)) < len(filled) or len(filled) < len(first)
    names = [cell.strip() for cell in rows[1] if cell.strip()]
    units = all(map(_SURE_UNIT.fullmatch, names))
    if not (merged and amounts and filled) or units or len(names) < max(2, len(filled)):
        return ""
    return f"the line above the names groups columns ({', '.join(map(shown, dict.fromkeys(filled)))}) and is no row"


def _named_by_both(rows: Rows) -> Rows:
    """The rows below a line of groups, whose names stand in front of those that are there twice."""
    groups, names = rows[0], list(rows[1])
    twice = len(set(names)) < len(names)
    group = ""
    for k, name in enumerate(names):
        group = groups[k].strip() if k < len(groups) and groups[k].strip() else group
        if twice and group and group != name.strip():
            names[k] = f"{group} {name.strip()}".strip()
    return [names, *rows[2:]]


def _comment(lines: Sequence[str], separator: str) -> str:
    """What comment lines begin with; "" where no line is one."""
    first = next(line for line in lines if line.strip()).lstrip()
    for mark in _COMMENTS:
        if first.startswith(mark) and mark != separator:
            some = [line for line in lines[:_LOOKED] if line.strip()]
            marked = [line for line in some if line.lstrip().startswith(mark)]
            if len(marked) < len(some) and not (
                mark in (";", "'", "*", "--", "!") and len(marked) > 0.5 * len(some)
            ):
                return mark
    some = [line for line in lines[:SAMPLE_ROWS] if line.strip()]
    for mark in ("#", "//"):
        marked = [line for line in some if line.lstrip().startswith(mark + " ")]
        if 0 < len(marked) < 0.2 * len(some):
            return mark
    return ""


def _preamble(rows: Rows) -> int:
    """How many rows above the table are no part of it: shorter ones, as titles are."""
    widths = [_width(row) for row in rows[:_LOOKED]]
    if len(widths) < 3:
        return 0
    usual = Counter(widths[len(widths) // 3 :]).most_common(1)[0][0]
    if usual < 2:
        return 0
    starts = next(
        (
            k
            for k, width in enumerate(widths)
            if width >= usual - (usual > 2 and _full(rows, k, usual))
        ),
        0,
    )
    return starts if starts <= len(rows) - 2 else 0


def _titles(data: Sequence[int], rows: Rows) -> int:
    """How many rows stand above a blank line that a header with numbers below it follows."""
    gap = next(
        (k for k in range(1, min(6, len(data), len(rows) - 1)) if data[k] - data[k - 1] > 1), 0
    )
    if not gap or any(map(_amount, rows[gap])):
        return 0
    below = rows[gap + 1 : gap + 50]
    # the names of these columns, where the rows above hold no amounts in them
    named = any(
        all(k < len(row) and _amount(row[k]) for row in below)
        and not any(k < len(row) and _amount(row[k]) for row in rows[:gap])
        for k in range(len(rows[gap]))
    )
    return gap if named and rows[0] != rows[gap] else 0


def _full(rows: Rows, k: int, usual: int) -> bool:
    """Whether this row may be a header with one name less than the rows have cells."""
    if k + 1 >= len(rows) or _width(rows[k + 1]) < usual or any(map(_empty, rows[k])):
        return False
    amounts = [any(map(_amount, row)) for row in rows[k : k + 3]]
    return not amounts[0] and amounts != [False, False, True]  # where names follow


def _width(row: Sequence[str]) -> int:
    """Cells up to the last that is not empty; all of them where the row is full of separators."""
    width = len(row)
    while width > 1 and not row[width - 1].strip():
        width -= 1
    return width if width == 1 else len(row)


def _quote(text: str) -> str:
    """What stands around cells: a single quote where most words have one and none a double one."""
    some = text[:200_000]
    cells = re.findall(r"(?:^|[,;\t|])[ ]*'[^'\n]*'[ ]*(?=[,;\t|\r\n]|$)", some, re.MULTILINE)
    words = re.findall(r"(?:^|[,;\t|])[ ]*[^\W\d]", some, re.MULTILINE)
    return "'" if '"' not in some and len(cells) > max(2, 2 * len(words)) else '"'


def _separator(text: str, quote: str) -> str:
    """What cuts the lines, the first among them, into equally many clean cells; a comma where nothing does."""
    start = text[:200_000]
    lines = [line for line in _lines(start, True) if line.strip()][:_LOOKED]
    best, fits = _Fit(",", 0.0, 0, False, False), []
    for candidate in ("\t", ";", ",", "|", "~", "^", ":", *BLANKS):
        if candidate not in BLANKS and candidate not in start:
            continue
        if (
            candidate == ","
            and "," not in lines[0]
            and all(map(_COMMA_NUMBER.fullmatch, lines[1:]))
        ):
            return ";"  # a single column of numbers, which no semicolon cuts
        if fit := _fit(lines, candidate, quote):
            fits.append(fit)
            if fit.score > best.score + 0.02:
                best = fit
    # lines that another separator leaves out as a title are names where they are cut like all the others
    for fit in fits:
        better = fit.whole and fit.above < best.above and not best.amounts
        if better and fit.score > 0.4 * best.score:
            return fit.separator
    return best.separator


@dataclass(frozen=True)
class _Fit:
    """How well a separator cuts lines.

    Attributes:
        score: 0 to 1. above: lines at the top that would be no part of the table. whole: all others have equally many
            cells. amounts: all their cells are numbers or dates.
    """

    separator: str
    score: float
    above: int
    whole: bool
    amounts: bool


def _fit(lines: Sequence[str], separator: str, quote: str) -> _Fit | None:
    """How well it cuts them; None where it cuts nothing."""
    text = "\n".join(lines)
    blanks = separator in BLANKS
    rows = records(text, separator, _escaped(text, separator), quote)[:_LOOKED]
    above = _preamble(rows)
    rows = rows[above:]
    widths = [len(row) for row in rows]
    if not widths or max(widths) < 2:
        return None
    if blanks and not any(map(_amount, rows[-1])):
        return None  # words of a text
    usual = max(set(widths), key=widths.count)
    if usual < 2:
        return None
    unnamed = len(widths) > 2 and widths[0] == usual - 1 > 0  # no name for the index
    alike = (widths.count(usual) + unnamed) / len(widths)
    alike = max(alike, sum(_trimmed(row) == _trimmed(rows[0]) > 1 for row in rows) / len(rows))
    if blanks and (alike < 0.95 or len(rows) < 2):
        return None
    whole = alike == 1.0
    head = widths[0] in (usual, usual - 1) and widths[0] > 1
    if not head and len(rows) > 1:
        alike *= 0.3
    body = [cell for row in rows for cell in row]
    clean = sum(map(_clean, body)) / len(body)
    rare = 0.6 if separator == ":" or blanks else 0.9 if separator in ("~", "^") else 1.0
    if blanks and unnamed:
        rare *= 0.9
    score = alike * clean * rare * (1 - 0.3 * min(1.0, above / max(1, len(rows))))
    return _Fit(separator, score, above, whole, all(map(_amount, body)))


def _trimmed(row: Sequence[str]) -> int:
    """Cells without the empty ones at the end."""
    width = len(row)
    while width > 1 and not row[width - 1].strip():
        width -= 1
    return width


def _clean(cell: str) -> bool:
    """A number, a date, nothing or a word: no piece that holds numbers parted by another separator, or half of a quoted cell."""
    cell = cell.strip()
    return (
        not cell
        or _amount(cell)
        or (
            not cell.count('"') % 2
            and not re.search(r"\w\s*[;\t|~^]\s*-?[\w,.]|\d\s+-?\d|^[,:]|\w\s+\d+[.,]\d", cell)
        )
    )


def _escaped(text: str, separator: str) -> bool:
    """Whether a backslash stands in front of the quotes within quoted cells."""
    if '\\"' not in text or separator in BLANKS:
        return False
    sign = re.escape(separator)
    return bool(re.search(rf'(?:^|[{sign}\n]) ?"[^"\n]*\\"(?! *(?:[{sign}\n]|$))', text)) or bool(
        re.search(rf'\\"" *(?:[{sign}\n]|$)', text)
    )


def _blank_parted(line: str) -> list[str]:
    return [
        found.group(1) if found.group(1) is not None else found.group(0)
        for found in re.finditer(r'"([^"]*)"|\S+', line)
    ]


def _lines(text: str, whole: bool) -> list[str]:
    lines = re.split(r"\r\n|[\n\r]", text)
    return lines if whole or len(lines) < 3 else lines[:-1]


def _name(separator: str) -> str:
    return next((name for name, sign in SEPARATORS.items() if sign == separator), separator)


def _empty(cell: str) -> bool:
    return not cell.strip()


def _missing(cell: str) -> bool:
    cell = cell.strip()
    return not cell or cell.lower() in forms.MISSING_WORDS or bool(forms.LIMIT.fullmatch(cell))


def _number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell.strip()))


def _date(cell: str) -> bool:
    return bool(_DATE.fullmatch(cell.strip()))


def _amount(cell: str) -> bool:
    return _number(cell) or _date(cell)


_SURE_UNIT = re.compile(
    r"[\[(<{].{0,20}[\])>}]|[%‰°-]|°[CF]|.{1,6}/.{1,6}|s|ms|min|h|d|m|mm|cm|km|g|kg|mg|t|V|A|W|kW|K|Pa|hPa|Hz|J|N|l|ml|USD|EUR"
    r"|(?i:int|float|double|string|str|text|number|date|bool|seconds|minutes|hours|days|met(er|re)s|volts|grams|kilograms)"
)
RULER = re.compile(
    r"[\s|+]*(?:(?::?[-=─━]{2,}:?|:[-=]:?|[-=]:)[\s|+┼]*)+"
)  # of text tables: ----+---- and |:-:|
_CODES = r"CHF|EUR|USD|GBP|JPY|SEK|NOK|DKK|PLN|kr\.?|zł|Kč|元|円|원"
_MONEY = r"[A-Z]{0,2}[$€£¥₹₽]|R\$"
_NUMBER = re.compile(
    rf"\(?[+\-−]?\s?(?:{_MONEY}|(?:{_CODES})\s)?\s?[+\-−]?"
    r"(?:\d{1,3}(?:['’\s]\d{3})+(?:[.,]\d*)?|\d[\d.,]*|[.,]\d+)(?:[eE][+\-−]?\d+)?"
    rf"\s?(?:%|{_MONEY}|{_CODES})?\)?-?|[+-]?(?i:inf|infinity)"
)
_COMMA_NUMBER = re.compile(r"\s*[+-]?\d+(?:,\d+)?\s*")
_DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ,].*)?|\d{4}[-/]\d{2}|\d{1,2}[-/. ]+[^\W\d_]{3,}\.?[-/. ,]+\d{2,4}.*|\d{4}[年년].*"
    r"|\d{1,2}:\d{2}(?::\d{2})?"
)
_UNIT = re.compile(
    r"[\[(<{].{0,20}[\])>}]|[%‰°]\w{0,3}|[µμ]?[A-Za-z]{1,4}(?:\^?-?[0-9²³])?(?:[/·*. ][A-Za-z]{1,4}(?:\^?-?[0-9²³])?){0,3}|-"
)
