"""A learner's own words in sentences and in source text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from models.data import workspace


def shown(name: str) -> str:
    """A learner's word in quotes, cleaned and short enough for a sentence."""
    return f"'{workspace.display_name(name, 40)}'"


def names_text(names: Iterable[str]) -> str:
    """A list of a learner's names for a sentence; the first ten of them."""
    listed = list(names)
    more = f" and {len(listed) - 10} more" if len(listed) > 10 else ""
    return ", ".join(map(shown, listed[:10])) + more


def count(n: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 row", "3 rows"."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def literal(names: Sequence[str], indent: str = "") -> str:
    """A list of names as source text; one a line where a single line would be too long."""
    flat = repr(list(names))
    if len(flat) < 80:
        return flat
    return "[\n" + "".join(f"{indent}    {name!r},\n" for name in names) + f"{indent}]"


def dict_literal(values: Mapping[str, str], indent: str = "") -> str:
    """A dict of texts as source text; one entry a line where a single line would be too long."""
    flat = repr(dict(values))
    if len(flat) < 80:
        return flat
    return (
        "{\n" + "".join(f"{indent}    {k!r}: {v!r},\n" for k, v in values.items()) + f"{indent}}}"
    )
