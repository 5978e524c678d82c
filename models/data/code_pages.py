"""Names in old archives: the code page they were written in, found from their letters or chosen by hand.

A zip that does not say UTF-8 gives bytes; the program that packed it used its country's code page. A guess is made
from all names together: letters of one script, words of one case, and the letters that are frequent in the languages
of a page (`charset_normalizer`'s tables of letters; its own detector needs longer texts than a few names).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

# Python's name of each page: the languages that are written in it. Earlier ones win where two fit alike.
PAGES = {
    "cp866": ("Russian", "Bulgarian"),
    "cp1251": ("Russian", "Bulgarian", "Ukrainian", "Serbian"),
    "gbk": ("Chinese",),
    "cp932": ("Japanese", "Japanese—", "Japanese——"),
    "big5": ("Chinese",),
    "cp949": ("Korean",),
    "cp850": ("German", "French", "Spanish", "Portuguese", "Swedish", "Danish", "Finnish"),
    "cp1252": ("German", "French", "Spanish", "Portuguese", "Swedish", "Danish", "Finnish"),
    "cp437": ("German", "French", "Spanish"),
    "cp852": ("Polish", "Czech", "Hungarian", "Croatian", "Slovak"),
    "cp1250": ("Polish", "Czech", "Hungarian", "Croatian", "Slovak"),
    "cp737": ("Greek",),
    "cp1253": ("Greek",),
    "cp857": ("Turkish",),
    "cp1254": ("Turkish",),
    "cp862": ("Hebrew",),
    "cp1255": ("Hebrew",),
    "cp864": ("Arabic",),
    "cp1256": ("Arabic", "Farsi"),
    "koi8-r": ("Russian", "Bulgarian"),
}
# First bytes of the common signs of each page: those that its standard lists first.
_COMMON = {
    "gbk": range(0xB0, 0xD8),
    "big5": range(0xA4, 0xC7),
    "cp949": range(0xB0, 0xC9),
    "cp932": (*range(0x82, 0x84), *range(0x88, 0x98)),
}
_EAST = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"})


def decode(names: Sequence[bytes], page: str = "") -> tuple[list[str], str]:
    """The names as text, and the page that was used; "utf-8" where they are that, "cp437" where nothing fits.

    `page` is one of `PAGES`, or "" to find it out; what it does not hold becomes a question mark.
    """
    if not page:
        page = _found(names)
    return [name.decode(page, "replace") for name in names], page


def _found(names: Sequence[bytes]) -> str:
    try:
        for name in names:
            name.decode("utf-8")
        return "utf-8"
    except UnicodeError:
        pass
    some = list(dict.fromkeys(names))[:2000]
    best, most = "cp437", 0.0
    for page, languages in PAGES.items():
        try:
            texts = [name.decode(page) for name in some]
        except UnicodeError:
            continue
        letters = [c for c in "".join(texts).lower() if not c.isascii() and c.isalpha()]
        usual = _usual(letters, page) if page in _COMMON else 0.0
        fit = sum(map(_shape, texts)) / len(texts) * max(usual, _familiar(letters, languages))
        if fit > most + 1e-9:
            best, most = page, fit
    return best


def _shape(text: str) -> float:
    """How much a name looks like words: 1 for letters of one script in one case, 0 for signs."""
    foreign = [c for c in text if not c.isascii()]
    if not foreign:
        return 1.0
    good = sum(unicodedata.category(c)[0] in "LM" for c in foreign) / len(foreign)
    for word in re.findall(r"[^\W\d_]+", text):
        scripts = {_script(c) for c in word}
        if len(scripts) > 1 and not scripts <= _EAST:
            good *= 0.2
        if re.search(r"ς.", word) or any(a.islower() and b.isupper() for a, b in pairwise(word)):
            good *= 0.5
    return good**4


def _script(letter: str) -> str:
    return "LATIN" if letter.isascii() else unicodedata.name(letter, "?").split()[0]


def _usual(letters: Sequence[str], page: str) -> float:
    """For a page of thousands of signs: 0.6 where all are among its common ones, more where they are frequent."""
    if not letters:
        return 0.0
    common = sum(c.encode(page)[0] in _COMMON[page] for c in letters) / len(letters)
    return 0.6 * common**4 + 0.4 * _familiar(letters, PAGES[page])


def _familiar(letters: Sequence[str], languages: Sequence[str]) -> float:
    """How usual letters are in the language that they fit best: 0.1 for none of them, 1 for the most frequent."""
    if not letters:
        return 0.1
    return 0.1 + 0.9 * max(
        sum(_ranks(language).get(c, 0.0) for c in letters) / len(letters) for language in languages
    )


@cache
def _ranks(language: str) -> dict[str, float]:
    """Each letter beyond ASCII that is frequent in a language: 1 for the most frequent, falling to one half."""
    from charset_normalizer.constant import FREQUENCIES

    letters = [c for c in FREQUENCIES[language] if not c.isascii()]
    return {c: 1 - 0.5 * i / len(letters) for i, c in enumerate(letters)}
