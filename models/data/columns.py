"""The columns of a table as numbers, days and words: decided for each from all its cells, and said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd

from models.core.spec import SpecError
from models.data import cells, forms, tables
from models.data.decisions import Choice, Decision
from models.data.wording import count, names_text, shown

# a number with something around it: 5.2k, 1/2, 10-20, 12:30, 5 stars
FIGURES = r"[^\w\s]{0,3} ?\d[\d.,:/' -]*[^\d]{0,12}(?:\d[\d.,:/' -]*[^\d]{0,12})?"
SIGNS = {".": "point", ",": "comma"}


class Columns:
    """Decodes the columns that were read as texts, one by one, from all their cells.

    Attributes:
        numbers, dates, words: as in `csv_files.Profile`. found: what was decided.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        texts: Sequence[str],
        *,
        kinds: Mapping[str, str],
        missing_words: str,
        decimal: str,
        chosen: str,
        separator: str,
        proven: set[str],
        reader: re.Pattern[str] | None,
    ) -> None:
        """What is known before.

        Args:
            texts: the columns of texts. kinds, missing_words: as set. decimal: the sign of most of the file.
            chosen: the decimal sign as set, "" for none. proven: decimal signs that columns of numbers prove.
            reader: the numbers that pandas' reader takes as they are; None where it reads texts only.
        """
        self.table, self.texts, self.kinds = table, texts, kinds
        self.decimal, self.chosen, self.separator, self.proven = decimal, chosen, separator, proven
        self.reader = reader
        self.missing, self.kept = entries(missing_words, list(table))
        self.numbers: dict[str, tuple[str, str]] = {}
        self.dates: dict[str, str] = {}
        self.words: dict[str, list[str]] = {}
        self.found: list[Decision] = []

    def decode(self) -> pd.DataFrame:
        """The table with all its columns decoded."""
        known = {n: forms.words_of(cast(pd.Series, self.table[n])) for n in self.texts}
        for name in self.texts:  # what one column proves settles another
            form, fits = self._number_form(name, known[name], frozenset())
            if form.proven and not form.doubtful and fits.any():
                self.proven.add(form.decimal)
        decoded = {
            n: self._column(n, known[n]) if n in known else self.table[n] for n in self.table
        }
        return pd.DataFrame(decoded)

    def _number_form(
        self, name: str, words: forms.Words, elsewhere: frozenset[str]
    ) -> tuple[forms.NumberForm, np.ndarray]:
        set_here = {"decimal comma": ",", "decimal point": "."}.get(self.kinds.get(name, ""), "")
        return forms.number_form(words, set_here or self.chosen, elsewhere, self.separator)

    def _column(self, name: str, words: forms.Words) -> pd.Series:
        column = cast(pd.Series, self.table[name])
        kind = self.kinds.get(name, "")
        said = sorted(self.missing.get("", set()) | self.missing.get(name, set()))
        kept = self.kept.get("", set()) | self.kept.get(name, set())
        chosen = words.texts.isin(said).to_numpy("bool")
        if chosen.any():
            n = int(words.counts[chosen].sum())
            self._say(
                "missing",
                name,
                f"{names_text(said)} counts as missing in {count(n, 'cell')}, as set",
                "missing_words",
            )
            words = words.only(~chosen)
        else:
            said = []
        nothing = forms.means_missing(words.texts) & ~words.texts.isin(kept).to_numpy("bool")
        core = words.only(~nothing)
        wordy = kind in ("category", "text") or (not kind and bool(words.texts.isin(kept).any()))
        if core.total and not wordy:
            found = self._date(name, column, words, core, kind, said) if kind != "number" else None
            if found is None:
                found = self._number(name, column, words, core, kind, said)
            if found is not None:
                return found
            if kind in ("date", "day first", "month first"):
                raise SpecError(
                    f"Column {shown(name)} is set to dates, but {shown(str(core.texts.iloc[0]))} is none this page "
                    "knows. Write dates as 2024-12-31, or set the column to category.",
                    "column_kinds",
                )
            if not kind:
                self._say_unread(name, core)
        return self._words(name, column, words, kept, said)

    def _say_unread(self, name: str, core: forms.Words) -> None:
        """Cells that look like dates or numbers, of a form that is not read: they are words."""
        _, fits = forms.date_form(core, "")
        n = int(core.counts[fits].sum())
        if 2 * n >= core.total and core.total >= 3:
            odd = str(core.texts.loc[~fits].iloc[0])
            said = f"{n} of {core.total} cells are dates, others such as {shown(odd)} are none, so it is read as words"
            other = Choice("what is no date counts as missing", f"{name}=date")
            self._say("dates", name, said, "column_kinds", (other,), doubtful=True)
            return
        figures = core.texts.str.fullmatch(FIGURES).to_numpy("bool")
        if any(d.column == name and d.topic == "numbers" for d in self.found):
            return
        if core.total >= 3 and core.counts[figures].sum() >= 0.8 * core.total:
            odd = core.texts.loc[
                figures & ~core.texts.str.fullmatch(r"\d+(?:[.,]\d+)?").to_numpy("bool")
            ]
            if not len(odd):
                return
            example = str(odd.iloc[0])
            said = (
                f"{shown(example)} and the like hold numbers in no form that is read here, so they are words. "
                "To learn from amounts, write plain numbers, 5200 for 5.2k, and dates as 2024-12-31"
            )
            self._say("numbers", name, said, "column_kinds")

    def _number(
        self,
        name: str,
        column: pd.Series,
        words: forms.Words,
        core: forms.Words,
        kind: str,
        said: list[str],
    ) -> pd.Series | None:
        form, fits = self._number_form(name, core, frozenset(self.proven))
        share = core.counts[fits].sum() / core.total
        odd = core.texts.loc[~fits]
        few = share >= 0.5 and len(odd) <= 2 and core.total >= 5 and int(fits.sum()) > 2 * len(odd)
        if not (kind in ("number", "decimal comma", "decimal point", "id") or share >= 0.9 or few):
            if share >= 0.3 and core.total >= 5:
                self._say(
                    "numbers",
                    name,
                    f"{int(core.counts[fits].sum())} of {core.total} cells are numbers, others words such as "
                    f"{shown(str(odd.iloc[0]))}, so it is read as words",
                    "column_kinds",
                    (Choice("the words count as missing", f"{name}=number"),),
                    doubtful=True,
                )
            return None
        if not fits.any() and kind == "id":
            return None
        if said:
            self.words[name] = said
            column = cells.read_words(column, said)
        values = cells.read_numbers(column, form.decimal, form.thousands)
        if said or not self._plain(column):
            self.numbers[name] = (form.decimal, form.thousands)
        self._say_form(name, core, fits, form)
        if not kind:
            self.found += lookalike(name, list(core.texts.loc[fits]))
        wide = np.abs(cells.numbers_of(core.texts, form.decimal, form.thousands))
        most = np.finfo("float32").max
        large = column.str.strip().isin(core.texts.loc[(wide > most) & np.isfinite(wide)])
        self._say_missing(name, column.where(~large), values, "number", words.total)
        if large.any():
            n, place = int(large.sum()), int(np.flatnonzero(large)[0])
            self.numbers[name] = (form.decimal, form.thousands)
            self._say(
                "numbers",
                name,
                f"{count(n, 'number')} beyond 3.4e38, the largest float32, the first {shown(str(column.iloc[place]))} "
                f"in row {place + 1}; {'it counts' if n == 1 else 'they count'} as missing",
                "column_kinds",
            )
        return values

    def _plain(self, column: pd.Series) -> bool:
        """Whether pandas' own reader would read the very same numbers."""
        if self.reader is None:
            return False
        known = pd.Series(pd.unique(column.dropna()), dtype="str")
        return bool(known.str.fullmatch(self.reader.pattern).all())

    def _say_form(
        self, name: str, core: forms.Words, fits: np.ndarray, form: forms.NumberForm
    ) -> None:
        def reading(text: str, decimal: str, thousands: str) -> str:
            value = cells.read_numbers(pd.Series([text], dtype="str"), decimal, thousands).iloc[0]
            return tables.number_text(value) if value == value else "missing"

        if form.other is not None:
            kind = "decimal comma" if form.other[0] == "," else "decimal point"
            conflict = not form.example
            example = form.example or next(
                (t for t in core.texts if form.other[0] in t), str(core.texts.iloc[0])
            )
            now, then = (
                reading(example, form.decimal, form.thousands),
                reading(example, *form.other),
            )
            self._say(
                "numbers",
                name,
                f"{shown(example)} is read as {now}, but could be {then}: "
                + (
                    "some cells have a decimal comma, others a decimal point"
                    if conflict
                    else "nothing in the file settles it"
                ),
                "column_kinds",
                (Choice(f"{example} is {then}", f"{name}={kind}"),),
                doubtful=True,
            )
        elif example := _grouped(core.texts.loc[fits], form.thousands):
            other = "decimal comma" if form.decimal == "." else "decimal point"
            self._say(
                "numbers",
                name,
                f"signs part thousands: {shown(example)} is {reading(example, form.decimal, form.thousands)}",
                "column_kinds",
                (
                    Choice(
                        f"decimals are written the other way, with a {other[8:]}", f"{name}={other}"
                    ),
                ),
            )
        elif (
            form.decimal != self.decimal
            and core.texts.loc[fits].str.contains(form.decimal, regex=False).any()
        ):
            sign = SIGNS[form.decimal]
            self._say("numbers", name, f"decimals are written with a {sign}", "column_kinds")
        if form.dropped:
            first = next(iter(form.dropped))[0]
            n = sum(k for _, k in form.dropped)
            marks = " and ".join(shown(mark) for mark, _ in form.dropped[:4])
            total = int(core.counts[fits].sum())
            mixed = len(form.dropped) > 1 or (n < total and first in "%‰")
            example = next((t for t in core.texts.loc[fits] if first in t), str(core.texts.iloc[0]))
            value = reading(example, form.decimal, form.thousands)
            self._say(
                "numbers",
                name,
                f"{marks} dropped from {n} of {count(total, 'cell')}: {shown(example)} is {value}"
                + ("; not all cells have the same sign, so they may not be alike" if mixed else ""),
                "column_kinds",
                (Choice("keep them as words", f"{name}=category"),),
                doubtful=mixed,
            )
        if form.bracketed:
            self._say(
                "numbers",
                name,
                f"{count(form.bracketed, 'number')} in brackets counted as negative",
                "column_kinds",
            )

    def _date(
        self,
        name: str,
        column: pd.Series,
        words: forms.Words,
        core: forms.Words,
        kind: str,
        said: list[str],
    ) -> pd.Series | None:
        if kind not in ("", "date", "day first", "month first"):
            return None
        order = {"day first": "yes", "month first": "no"}.get(kind, "")
        form, fits = forms.date_form(core, order)
        if form is None or (not kind and core.counts[fits].sum() < 0.9 * core.total):
            return None
        if (
            not re.search(r"[^%\w]", form.format)
            and not kind
            and (core.total < 3 or not fits.all())
        ):
            return None  # digits without a sign between them
        if not kind and core.texts.str.fullmatch(r"\d+[.]\d+").all():
            return None  # 2024.01 is a number first
        if said:
            self.words[name] = said
            column = cells.read_words(column, said)
        self.dates[name] = form.format
        days = cells.days_since_1970(column, form.format)
        rounded = ", as float32: times are off by up to a minute and a half"
        first = next(t for t, fit in zip(core.texts, fits, strict=True) if fit)
        others = (Choice("keep them as words", f"{name}=category"),)
        sentence = f"dates written as {form.format} became days since 1 January 1970" + rounded * (
            "%H" in form.format or "%I" in form.format
        )
        if form.other:
            example = form.example or str(first)
            now, then = _day(example, form.format), _day(example, form.other)
            turned = (
                "month first" if form.format.find("%d") < form.format.find("%m") else "day first"
            )
            sentence += (
                f". {shown(example)} is read as {now}, but could be {then}: no cell settles it"
            )
            others = (Choice(f"{example} is {then}", f"{name}={turned}"), *others)
        elif "%y" in form.format:
            sentence += f": {shown(str(first))} is {_day(str(first), form.format)}"
        latest = days.max()
        far = bool(latest > _FAR)
        if far:
            sentence += f". The latest is {_date_text(latest)}, which may stand for no date"
        self._say("dates", name, sentence, "column_kinds", others, bool(form.other) or far)
        self._say_missing(name, column, days, "date", words.total)
        return days

    def _words(
        self, name: str, column: pd.Series, words: forms.Words, kept: set[str], said: list[str]
    ) -> pd.Series:
        known = words.texts.isin(forms.IN_WORDS).to_numpy("bool") & ~words.texts.isin(
            kept
        ).to_numpy("bool")
        core = words.texts.loc[~known]
        codes = len(core) > 1 and bool(
            core.str.fullmatch("[A-Z]{2}").all() or core.str.fullmatch("[a-z]{2}").all()
        )
        if codes:
            alike = words.texts.str.fullmatch("[A-Za-z]{2}").to_numpy("bool") & known
            if alike.any():
                word, n = str(words.texts.loc[alike].iloc[0]), int(words.counts[alike].sum())
                self._say(
                    "missing",
                    name,
                    f"{shown(word)} ({n} of {words.total} cells) is kept as a word, since all words are codes of two letters",
                    "missing_words",
                    (Choice(f"{word} means missing", f"{name}={word}"),),
                    doubtful=True,
                )
            known &= ~alike
        missing = [*said, *dict.fromkeys(map(str, words.texts[known]))]
        if known.any():
            found = [
                (str(w), int(words.counts[(words.texts == w).to_numpy("bool")].sum()))
                for w in dict.fromkeys(words.texts[known])
            ]
            text = ", ".join(f"{shown(w)} ({n} of {words.total} cells)" for w, n in found[:5])
            some = tuple(Choice(f"keep {w} as a word", f"{name}=!{w}") for w, _ in found[:5])
            self._say(
                "missing",
                name,
                f"{text} count{'s' * (len(found) == 1)} as missing",
                "missing_words",
                some,
            )
        perhaps = words.texts[words.texts.isin(forms.PERHAPS - kept).to_numpy("bool") & ~known]
        for word in dict.fromkeys(map(str, perhaps)):
            self._say(
                "missing",
                name,
                f"{shown(word)} is kept as a word",
                "missing_words",
                (Choice(f"{word} means missing", f"{name}={word}"),),
            )
        raw = pd.Series(pd.unique(column.dropna()), dtype="str")
        tidy = cells.read_words(raw, [])
        differs = (raw != tidy.fillna("")).to_numpy("bool")
        if differs.any():
            n = int(column.isin(raw[differs]).sum())
            self._say("blanks", name, f"blanks around the words of {count(n, 'cell')} cut")
        lower = tidy.dropna().drop_duplicates()
        if len(lower) <= 1000:
            again = lower.loc[lower.str.casefold().duplicated(keep=False).to_numpy("bool")]
            if len(again):
                pair = names_text(again.loc[again.str.casefold() == again.iloc[0].casefold()])
                self._say(
                    "blanks",
                    name,
                    f"{pair} differ in upper and lower case only and count as different words",
                    doubtful=True,
                )
        if missing or differs.any():
            self.words[name] = missing
            column = cells.read_words(column, missing)
        return column.astype("category")

    def _say_missing(
        self, name: str, column: pd.Series, values: pd.Series, what: str, present: int
    ) -> None:
        lost = values.isna().to_numpy() & column.notna().to_numpy()
        if not lost.any():
            return
        texts = column.loc[lost].astype("str").str.strip()
        lost_words = texts.loc[texts != ""]
        if not len(lost_words):
            return
        counts = lost_words.value_counts()
        places = {
            w: int(lost_words.index[(lost_words == w).to_numpy("bool")][0]) + 1
            for w in counts.index[:4]
        }
        parts = [
            f"{shown(w)} in row {places[w]}"
            if counts[w] == 1
            else f"{shown(w)} {counts[w]} times, the first in row {places[w]}"
            for w in counts.index[:4]
        ]
        more = f" and {len(counts) - 4} more" if len(counts) > 4 else ""
        n = len(lost_words)
        self._say(
            "missing",
            name,
            f"{n} of {present} cells with no {what} in them count{'s' * (n == 1)} as missing: {', '.join(parts)}{more}",
            "missing_words",
            tuple(
                Choice(f"keep {w} as a word", f"{name}=!{w}") for w in map(str, counts.index[:4])
            ),
        )

    def _say(
        self,
        topic: str,
        name: str,
        sentence: str,
        option: str = "",
        others: tuple[Choice, ...] = (),
        doubtful: bool = False,
    ) -> None:
        self.found.append(
            Decision(topic, f"column {shown(name)}: {sentence}", option, others, name, doubtful)
        )


def lookalike(name: str, texts: Sequence[str]) -> list[Decision]:
    """What a column of numbers may be instead: codes, or months."""
    code = next((t for t in texts if _PADDED.fullmatch(t)), "")
    if code:
        said = f"{shown(code)} is read as {int(code)}: numbers with a 0 in front are often codes, such as postcodes"
        other = Choice("they are names", f"{name}=category")
    elif len(texts) > 2 and all(map(_MONTH.fullmatch, texts)):
        said = f"{shown(texts[0])} is read as a number, but could be a month"
        other = Choice("they are months", f"{name}=date")
    else:
        return []
    sentence = f"column {shown(name)}: {said}"
    return [Decision("numbers", sentence, "column_kinds", (other,), name, doubtful=True)]


_FAR = 110_000  # days: beyond the year 2270
_PADDED = re.compile(r"0\d{2,}", re.ASCII)
_MONTH = re.compile(r"(19|20)\d\d[.,](0[1-9]|1[0-2])|(0?[1-9]|1[0-2])[.,](19|20)\d\d", re.ASCII)


def _grouped(texts: pd.Series, thousands: str) -> str:
    """The first of the numbers in which a sign parts groups of digits; "" where none does."""
    signs = re.escape(thousands) + r"\s’" * bool(set(thousands) - {",", "."})
    return next((t for t in texts if thousands and re.search(rf"\d[{signs}]\d", t)), "")


def entries(text: str, names: Sequence[str]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Words that mean missing and words that do not, by column, out of `word, column=word, !word`; "" for all columns."""
    found: tuple[dict[str, set[str]], dict[str, set[str]]] = ({}, {})
    for entry in tables.comma_list(text):
        column, _, word = entry.partition("=")
        if column not in names:
            column, word = "", entry
        word = word.strip()
        found[word.startswith("!")].setdefault(column, set()).add(word.removeprefix("!"))
    return found


def _day(text: str, format: str) -> str:
    day = cells.days_since_1970(pd.Series([text], dtype="str"), format).iloc[0]
    if day != day:
        return "missing"
    return _date_text(day)


def _date_text(day: float) -> str:
    date = np.datetime64("1970-01-01") + np.timedelta64(int(day // 1), "D")
    return f"{date.astype(object).day} {date.astype(object):%B} {date.astype(object).year}"
