"""What was decided while a table was read: a sentence each, and the setting that decides otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models.data import tables

Value = str | int

# settings that hold an entry for each column or word, not one value for the file
LISTS = ("column_kinds", "missing_words", "kept_words")


@dataclass(frozen=True)
class Choice:
    """Another reading on offer.

    Attributes:
        label: what it would come to, in a few words.
        value: what the setting has to be; of a setting in `LISTS` the entry that is added to it.
    """

    label: str
    value: Value


@dataclass(frozen=True)
class Decision:
    """One thing decided about how a file is read.

    Attributes:
        topic: what it is about, one of `TOPICS`.
        sentence: what was decided, with its numbers, in a learner's words.
        option: the field of `csv_files.CsvOptions` and `tabular.TableSpec` that decides otherwise; "" where none does.
        others: the readings on offer instead.
        column: the column it is about; "" for the whole file.
        doubtful: the file itself does not settle it: a person should look.
        short: the decision in a word or two, for a line of many.
    """

    topic: str
    sentence: str
    option: str = ""
    others: tuple[Choice, ...] = ()
    column: str = ""
    doubtful: bool = False
    short: str = ""


TOPICS = (
    "file",  # what kind of file it is, and which sheet of it
    "encoding",
    "lines",  # lines at the top, comments, rows of units and totals that are no data
    "separator",
    "quotes",
    "header",
    "names",  # of columns, where the header's own could not be used
    "numbers",  # decimal and thousands signs, percent, currencies
    "dates",
    "missing",  # words that count as missing, and words that do not
    "blanks",
    "rows",  # rows with fewer or more cells than columns
)


def put(current: str, choice: Choice, option: str) -> Value:
    """The setting's value with this choice made: an entry of a list takes the place of one for the same column."""
    if option not in LISTS:
        return choice.value
    entries = tables.comma_list(current)
    entry = str(choice.value)
    if option == "column_kinds":
        column = entry.rpartition("=")[0]
        entries = [e for e in entries if e.rpartition("=")[0] != column]
    return tables.comma_text([*(e for e in entries if e != entry), entry])


def restored(known: Iterable[Mapping[str, Any]]) -> tuple[Decision, ...]:
    """Decisions out of the dicts that `dataclasses.asdict` made of them."""
    return tuple(
        Decision(**{**one, "others": tuple(Choice(**other) for other in one["others"])})
        for one in known
    )
