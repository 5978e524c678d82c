"""How the cells of one column are written: which sign parts decimals, which date it is, which words mean missing.

Decided from all different cells of the column, how often each stands there, and what other columns prove.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.data import cells

# words that mean "nothing known" anywhere; compared in lower case
MISSING_WORDS = frozenset(
    """na|n/a|#n/a|#n/a n/a|#na|<na>|n.a.|n. a.|nan|-nan|null|(null)|nil|none|?|??|???|-|--|---|–|—|.|..|...|*|/
    |missing|(missing)|(blank)|blank|empty|not available|not applicable|unknown|1.#ind|-1.#ind|1.#qnan|-1.#qnan
    |#null!|#div/0!|#value!|#ref!|#name?|#num!|k.a.|k. a.|ka|keine angabe|keine angaben|fehlt|fehlend|n.v.|unbekannt
    |nicht verfügbar|s/d|s.d.|sin dato|sin datos|no disponible|n.d.|n. d.|nd|n/d|n.c.|nc|non disponible|inconnu|manquant
    |non disponibile|mancante|não disponível|sem dados|ausente|onbekend|ontbreekt|geen|brak|brak danych|b.d.|bd|nieznane
    |н/д|нет данных|нет|неизвестно|saknas|mangler|puuttuu|yok|bilinmiyor|χ/δ|無し|なし|不明|欠損|欠測|缺失|无|無|未知|결측|없음"""
    .replace("\n", "").replace("    ", "").split("|")
)  # fmt: skip

# of these, the words that count as missing in a column of words too, as they are written
IN_WORDS = frozenset(
    """NA|N/A|n/a|#N/A|#N/A N/A|#NA|<NA>|N.A.|n.a.|NaN|nan|-nan|-NaN|Nan|NULL|null|Null|(null)|None|?|??|-|--|---|–|—|.|..
    |(missing)|(blank)|missing|Missing|MISSING|1.#IND|-1.#IND|1.#QNAN|-1.#QNAN|#NULL!|#DIV/0!|#VALUE!|#REF!|#NAME?|#NUM!
    |k.A.|k. A.|k.a.|keine Angabe|s/d|S/D|n.d.|N.D.|n/d|N/D|нет данных|н/д|Н/Д|brak danych|不明|欠損|缺失|결측"""
    .replace("\n", "").replace("    ", "").split("|")
)  # fmt: skip

# that may mean missing in a column of words, and may as well be a class
PERHAPS = frozenset(
    [
        "none",
        "unknown",
        "Unknown",
        "UNKNOWN",
        "empty",
        "nil",
        "na",
        "Na",
        "nd",
        "ND",
        "unbekannt",
        "inconnu",
        "#",
    ]
)

LIMIT = re.compile(r"[<>≤≥]=? ?[\d.,]+ ?\S{0,6}")  # below or above what can be measured


@dataclass(frozen=True)
class Words:
    """The different cells of a column, none empty, and how often each is there."""

    texts: pd.Series
    counts: np.ndarray

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def only(self, wanted: np.ndarray) -> Words:
        return Words(self.texts.loc[wanted].reset_index(drop=True), self.counts[wanted])


@dataclass(frozen=True)
class NumberForm:
    """How the numbers of a column are written.

    Attributes:
        decimal, thousands: the sign of decimals; the signs between groups of digits, "" for none.
        proven: the column itself proves the decimal sign. doubtful: nothing settles it.
        other: the reading it could be instead, as (decimal, thousands); None where there is none.
        example: a cell that would be read otherwise.
        percent, money, unit, bracketed: what was dropped, how many cells of each; the signs themselves.
    """

    decimal: str
    thousands: str
    proven: bool = False
    doubtful: bool = False
    other: tuple[str, str] | None = None
    example: str = ""
    dropped: tuple[tuple[str, int], ...] = ()
    bracketed: int = 0


@dataclass(frozen=True)
class DateForm:
    """How the dates of a column are written.

    Attributes:
        format: of `datetime.strptime`, several with " or " between.
        other: the format it could be instead; "" where all cells settle it.
        example: a cell that both fit.
    """

    format: str
    other: str = ""
    example: str = ""


def words_of(column: pd.Series) -> Words:
    """The different cells without the blanks around them; empty ones left out."""
    codes, known = pd.factorize(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(known))
    texts = pd.Series(known, dtype="str").str.replace(
        r"^[\s\u200b\ufeff]+|[\s\u200b\ufeff]+$", "", regex=True
    )
    kept = (texts != "").to_numpy()
    return Words(texts.loc[kept].reset_index(drop=True), counts[kept])


def means_missing(texts: pd.Series) -> np.ndarray:
    """Which words mean missing in a column of numbers or dates."""
    known = texts.str.lower().isin(MISSING_WORDS) | texts.str.fullmatch(LIMIT.pattern)
    return known.to_numpy("bool")


def number_form(
    words: Words, decimal: str, elsewhere: frozenset[str], separator: str
) -> tuple[NumberForm, np.ndarray]:
    """How these cells are written if they are numbers, and which of them are.

    Args:
        decimal: as set by hand for this column or the file; "" to find out.
        elsewhere: the decimal signs that other columns of the file prove. separator: of the file's columns.
    """
    parts = cells.number_parts(words.texts)
    body = parts["body"].str.strip()
    seen = body.notna().to_numpy()
    some, counts = body[seen], words.counts[seen]
    found: dict[str, int] = {}  # decimal sign: cells that prove it
    unsettled: dict[str, list[int]] = {".": [], ",": []}  # places of cells such as 1,234
    for place, (text, n) in enumerate(zip(some, counts, strict=True)):
        sign = _proof(text)
        if sign in (".", ","):
            found[sign] = found.get(sign, 0) + int(n)
        elif sign:  # "?," or "?."
            unsettled[sign[1]].append(place)
    blank = "".join(mark for mark in " '" if some.str.contains(mark, regex=False).any())
    chosen, doubtful, example = decimal, False, ""
    if not chosen and found:
        chosen = max(found, key=lambda sign: found[sign])
        doubtful = len(found) > 1
    if not chosen and (unsettled["."] or unsettled[","]):
        mark = max(unsettled, key=lambda m: len(unsettled[m]))
        other = "," if mark == "." else "."
        example = some.iloc[unsettled[mark][0]]
        if len(elsewhere) == 1:
            chosen = next(iter(elsewhere))
        else:
            whole = some[~some.str.contains("[.,]")]
            small = len(whole) > 0 and bool(
                (whole.str.replace(r"\D", "", regex=True).str.len() <= 3).all()
            )
            enough = len(unsettled[mark]) >= 5 and len(whole) >= 3
            if small:  # none of the whole numbers without the sign reaches 1000, all with it do
                chosen, doubtful = other, not enough
            else:
                chosen, doubtful = (mark if mark == "." or separator == ";" else other), True
    if not chosen:
        chosen = next(iter(elsewhere)) if len(elsewhere) == 1 else "."
    thousands = ("." if chosen == "," else ",") + blank
    used = some.str.contains(f"[{re.escape(thousands)}]").any()
    other = (("," if chosen == "." else "."), (chosen + blank)) if doubtful else None
    fits = ~np.isnan(cells.numbers_of(words.texts, chosen, thousands if used else ""))
    dropped = _dropped(parts, words.counts)
    bracketed = int(words.counts[(parts["open"].notna() & fits).to_numpy()].sum())
    form = NumberForm(
        chosen, thousands if used else "", bool(found), doubtful, other, example, dropped, bracketed
    )
    return form, fits


def _proof(body: str) -> str:
    """The decimal sign that a number proves: "." or ","; "?." or "?," where it could be thousands; "" for none."""
    last = max(body.rfind("."), body.rfind(","))
    if last < 0:
        return ""
    mark = body[last]
    other = "," if mark == "." else "."
    if body.count(mark) > 1:  # 1,234,567: it parts thousands
        groups = body.split(mark)
        right = all(2 <= len(g) <= 3 for g in groups[1:]) and len(groups[-1]) == 3
        return other if right and other not in body else ""
    if other in body or any(blank in body for blank in " '"):
        return mark  # 1.234,5 and 1 234,5
    front, behind = body[:last], body[last + 1 :]
    if len(behind) == 3 and 1 <= len(front) <= 3 and not front.startswith("0"):
        return "?" + mark
    return mark


def _dropped(parts: pd.DataFrame, counts: np.ndarray) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for side in ("left", "right"):
        marks = parts[side]
        for mark in marks.dropna().unique():
            found[str(mark)] = found.get(str(mark), 0) + int(
                counts[(marks == mark).to_numpy()].sum()
            )
    return tuple(sorted(found.items(), key=lambda item: -item[1]))


def date_form(words: Words, day_first: str) -> tuple[DateForm | None, np.ndarray]:
    """How these cells are written if they are dates, and which of them are; None when few are.

    `day_first` is "yes", "no" or "" to find out from all cells.
    """
    none = np.zeros(len(words.texts), dtype=bool)
    if not len(words.texts):
        return None, none
    likely = words.texts.str.contains(r"\d") & (words.texts.str.len() <= 45)
    if words.counts[likely.to_numpy("bool")].sum() < 0.5 * words.total:
        return None, none
    tidy = cells.tidy_times(words.texts)
    if tidy.str.contains(r"[^\W\d_]{3}").any():
        tidy = cells.month_names(tidy)
    shapes: dict[str, int] = {}
    first, second, years = [], [], []
    example = ""
    for text, n in zip(tidy, words.counts, strict=True):
        shape = _shape(text)
        if shape:
            shapes[shape] = shapes.get(shape, 0) + int(n)
            if "%1" in shape:
                dense = re.fullmatch(r"(\d\d)(\d\d)(\d{4})", text)
                a, b, c = map(int, dense.groups() if dense else re.findall(r"\d+", text)[:3])
                first.append(a)
                second.append(b)
                years.append(c)
                if a <= 12 and b <= 12 and a != b and not example:
                    example = text
    wanted = sorted((s for s in shapes), key=lambda s: -shapes[s])[:4]
    if sum(shapes[s] for s in wanted) < 0.5 * words.total:
        return None, none
    written = " or ".join(wanted)
    if "%1" not in written:
        other = ""
    else:
        german = any(re.match(r"%1\.", s) for s in wanted)
        proof_day, proof_month = max(first) > 12, max(second) > 12
        doubt = not (proof_day or proof_month or german)
        if day_first:
            order, doubt = day_first == "yes", False
        elif proof_day != proof_month:
            order = proof_day
        elif proof_day:  # some cells say one thing, some the other
            order, doubt = sum(a > 12 for a in first) >= sum(b > 12 for b in second), True
        elif german:
            order = True
        else:
            order = _ascending(first, second, years) if len(first) > 2 else True
        one, two = ("%d", "%m") if order else ("%m", "%d")
        turned = written.replace("%1", two).replace("%2", one)
        written = written.replace("%1", one).replace("%2", two)
        other = turned if doubt else ""
        if (
            "%Y" not in written
            and max(max(first), max(years)) <= 31
            and max(second) <= 12
            and not german
        ):
            early = written.replace("%d", "%1").replace("%y", "%d").replace("%1", "%y")  # 24-12-31
            if not day_first and len(set(first)) * 2 < len(set(years)):
                written, other = early, written
            elif not day_first and not other:
                other = early
    fits = cells.days_since_1970(words.texts, written).notna().to_numpy()
    if not fits.any():
        return None, none
    return DateForm(written, other, example), fits


def _ascending(first: list[int], second: list[int], years: list[int]) -> bool:
    """Whether days first brings the dates into fewer jumps than months first."""

    def jumps(month: list[int], day: list[int]) -> int:
        steps = np.diff([y * 372 + m * 31 + d for y, m, d in zip(years, month, day, strict=True)])
        return min(int((steps < 0).sum()), int((steps > 0).sum()))

    return jumps(second, first) <= jumps(first, second)


def _shape(text: str) -> str:
    """The strptime format of one tidied date, with %1 and %2 where day and month may stand either way; "" for none."""
    found = _DATE.fullmatch(text)
    if not found:
        return ""
    day = ""
    for name, format in _PARTS.items():
        if found.group(name):
            day = _template(found.group(name), format) if format[0] == "S" else format
            break
    time = found.group("time") or ""
    if not time:
        return day
    hour = "%I" if found.group("half") else "%H"
    out = found.group("between") + hour + found.group("colon") + "%M"
    out += f"{found.group('colon')}%S" * bool(found.group("second")) + ".%f" * bool(
        found.group("fraction")
    )
    return day + out + " %p" * bool(found.group("half")) + "%z" * bool(found.group("zone"))


def _template(text: str, order: str) -> str:
    """The date's own signs between the codes of `order`: "S%1%2%Y" and 3/4/2024 give %1/%2/%Y."""
    codes = re.findall(r"%.", order)
    pieces = re.split(r"(\d+|[A-Z][a-z]{2}(?![a-z]))", text)
    out, k = "", 0
    for number, piece in enumerate(pieces):
        if number % 2:
            code = codes[k]
            if code == "%Y" and len(piece) == 2:
                code = "%y"
            out, k = out + code, k + 1
        else:
            out += piece.replace("%", "%%")
    return out


_SEP = r"[-/.]"
_DATE = re.compile(
    r"(?:"
    rf"(?P<ymd>(?:1\d|20|21)\d\d(?P<s1>{_SEP} ?)(?:0?[1-9]|1[0-2])(?P=s1)(?:0?[1-9]|[12]\d|3[01]))"
    r"|(?P<cjk>\d{4}[年년] ?\d{1,2}[月월] ?\d{1,2}[日일])"
    rf"|(?P<dmy>(?:0?[1-9]|[12]\d|3[01])(?P<s2>{_SEP} ?)(?:0?[1-9]|[12]\d|3[01])(?P=s2)(?:(?:1\d|20|21)\d\d|\d\d))"
    r"|(?P<dby>(?:0?[1-9]|[12]\d|3[01])[-/. ]{1,2}[A-Z][a-z]{2}[-/., ]{1,2}(?:\d{4}|\d\d))"
    r"|(?P<bdy>[A-Z][a-z]{2}[-/. ](?:0?[1-9]|[12]\d|3[01]),? ?[-/ ]?\d{4})"
    r"|(?P<ybd>\d{4}[-/. ][A-Z][a-z]{2}[-/. ](?:0?[1-9]|[12]\d|3[01]))"
    r"|(?P<by>[A-Z][a-z]{2}[-/, ]{1,2}(?:\d{4}|\d\d))"
    r"|(?P<yb>\d{4}[-/ ][A-Z][a-z]{2})"
    r"|(?P<ym>(?:1\d|20|21)\d\d[-/.](?:0[1-9]|1[0-2]))"
    r"|(?P<my>(?:0?[1-9]|1[0-2])[-/.](?:1\d|20|21)\d\d)"
    r"|(?P<dense>(?:1[5-9]|20|21)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d)"
    r"|(?P<brief>(?:1[5-9]|20|21)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d)"
    r"|(?P<compact>(?:1[5-9]|20|21)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))"
    r"|(?P<turned>(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|[12]\d|3[01])(?:19|20)\d\d)"
    r"|(?P<clock>[A-Z][a-z]{2} (?:0?[1-9]|[12]\d|3[01]) (?:[01]?\d|2[0-3]):[0-5]\d:[0-6]\d \d{4})"
    r")"
    r"(?P<time>(?P<between>T|,? )(?:[01]?\d|2[0-4])(?P<colon>:?)[0-5]\d(?P<second>(?P=colon)[0-6]\d(?P<fraction>\.\d{1,9})?)?"
    r"(?P<half> [AP]M)?(?P<zone>[+-]\d\d:?\d\d)?)?"
)
_PARTS = {
    "ymd": "S%Y%m%d",
    "cjk": "S%Y%m%d",
    "dmy": "S%1%2%Y",
    "dby": "S%d%b%Y",
    "bdy": "S%b%d%Y",
    "ybd": "S%Y%b%d",
    "by": "S%b%Y",
    "yb": "S%Y%b",
    "ym": "S%Y%m",
    "my": "S%m%Y",
    "dense": "%Y%m%d%H%M%S",
    "brief": "%Y%m%d%H%M",
    "compact": "%Y%m%d",
    "turned": "%1%2%Y",
    "clock": "%b %d %H:%M:%S %Y",
}
