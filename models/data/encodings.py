"""In which encoding a file's letters are written: by its first bytes, its zeros, UTF-8's own rules, and the letters that come out.

The one detector of text, for tables and texts. What the bytes do not settle is named as doubtful.
"""

from __future__ import annotations

import codecs
import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.core.spec import SpecError

# what a menu offers
ENCODINGS = (
    "auto",
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "cp1250",
    "cp1251",
    "cp1252",
    "cp1253",
    "cp1254",
    "latin-1",
    "iso8859-15",
    "koi8-r",
    "cp866",
    "cp437",
    "cp850",
    "mac-roman",
    "shift_jis",
    "cp932",
    "euc_jp",
    "gb18030",
    "big5",
    "euc_kr",
    "cp949",
)


@dataclass(frozen=True)
class Found:
    """An encoding that the whole file obeys.

    Attributes:
        encoding: by Python's name.
        others: encodings in which other letters come out that are as likely; the first is the likeliest.
    """

    encoding: str
    others: tuple[str, ...] = ()


def detect(path: Path, title: str) -> Found:
    """The encoding of a file.

    Raises:
        SpecError: it is no text.
    """
    with path.open("rb") as stream:
        start = stream.read(1 << 16)
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            return Found(checked(path, title, encoding))
    if b"\0" in start:
        wide = _wide(start, title)
        if undecodable(path, wide) is not None:
            raise _zeros(start, title)
        return Found(wide)
    strange = sum(map(start.count, _CONTROLS))
    if strange > len(start) * 0.02:
        raise SpecError(
            f"{title} is no text: {strange} of its first {len(start)} bytes are control characters. Save the table as CSV and upload that."
        )
    if undecodable(path, "utf-8") is None:
        return Found("utf-8")
    ranked = _ranked(_foreign(path))
    fit = [encoding for encoding in ranked if undecodable(path, encoding) is None]
    if not fit:
        return Found("latin-1")  # takes every byte
    return Found(fit[0], tuple(fit[1:]) if ranked[fit[0]] else ())


def of_bytes(data: bytes) -> str:
    """The encoding of a text that is at hand; "" where its bytes are no text."""
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return encoding if _decodes(data, encoding) else ""
    if b"\0" in data[: 1 << 16]:
        try:
            wide = _wide(data[: 1 << 16], "")
        except SpecError:
            return ""
        return wide if _decodes(data, wide) else ""
    if _decodes(data, "utf-8"):
        return "utf-8"
    return next(
        (e for e in _ranked(_foreign_lines(data.splitlines())) if _decodes(data, e)), "latin-1"
    )


def checked(path: Path, title: str, encoding: str) -> str:
    """The encoding, once the whole file obeys it.

    Raises:
        SpecError: it does not; the message names the byte.
    """
    where = undecodable(path, encoding)
    if where is not None:
        raise SpecError(
            f"{title} is not written in {encoding}: byte {where} does not fit. Choose another encoding.",
            "encoding",
        )
    return encoding


def undecodable(path: Path, encoding: str) -> int | None:
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


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeError:
        return False
    return True


def _wide(start: bytes, title: str) -> str:
    """Which of UTF-16 and UTF-32 the zero bytes tell of."""
    cut = start[: len(start) // 4 * 4]
    zeros = [cut[k::4].count(0) / max(1, len(cut) // 4) for k in range(4)]
    even, odd = sum(zeros[::2]), sum(zeros[1::2])
    guesses = {
        "utf-32-le": min(zeros[2:]) > 0.9,
        "utf-32-be": min(zeros[:2]) > 0.9,
        "utf-16-le": odd > 4 * even,
        "utf-16-be": even > 4 * odd,
    }
    for encoding, likely in guesses.items():
        # commas and line ends have their zero bytes in any language
        text = cut.decode(encoding, "replace") if likely else ""
        if "\n" in text or "\r" in text:
            return encoding
    raise _zeros(start, title)


def _zeros(start: bytes, title: str) -> SpecError:
    return SpecError(
        f"{title} is no text: it holds zero bytes ({start.count(0)} in its first {len(start)}). Save the table as CSV and upload that."
    )


def _foreign(path: Path) -> list[bytes]:
    with path.open("rb") as stream:
        return _foreign_lines(stream)


def _foreign_lines(lines) -> list[bytes]:  # type: ignore[no-untyped-def]
    """The first line, and the first 2000 different words with bytes beyond ASCII, as they are written."""
    found: dict[bytes, None] = {}
    size = 0
    for line in lines:
        size += len(line)
        if not line.isascii():
            found.update(
                dict.fromkeys(
                    re.findall(rb"[^\x00-\x1f ,;\"|:]*[\x80-\xff][^\x00-\x1f ,;\"|:]*", line)
                )
            )
        if len(found) > 2000 or size > 50_000_000:
            break
    return list(found)


def _ranked(words: Sequence[bytes]) -> dict[str, bool]:
    """Encodings by how likely their letters are, the likeliest first; True for one that others rival."""
    import charset_normalizer

    if not words:
        return {"cp1252": False}
    text = b"\n".join(words)
    scores: dict[str, float] = {}
    came: dict[str, str] = {}
    for encoding in _CANDIDATES:
        try:
            said = text.decode(encoding)
        except UnicodeError:
            continue
        came[encoding] = said
        scores[encoding] = _likeness(said, encoding)
    if not scores:
        return {"cp1252": False, "latin-1": False}
    best = charset_normalizer.from_bytes(text, cp_isolation=list(scores)).best()
    if best is not None:
        named = next(
            (e for e in scores if codecs.lookup(e).name == codecs.lookup(best.encoding).name), ""
        )
        if named:
            scores[named] += 0.03
    if "cp1252" in scores:
        scores["cp1252"] += 0.05  # the most frequent by far
    order = sorted(scores, key=lambda e: -scores[e])
    top = scores[order[0]]
    rivals = [e for e in order[1:] if came[e] != came[order[0]] and scores[e] > top - 0.12]
    distinct: dict[str, str] = {}
    for rival in rivals:
        distinct.setdefault(came[rival], rival)
    ranked = {order[0]: bool(distinct) or top < 0.5}
    for rival in (
        list(distinct.values())[:4] or [e for e in order[1:] if came[e] != came[order[0]]][:3]
    ):
        ranked[rival] = False
    for fallback in ("cp1252", "latin-1"):
        ranked.setdefault(fallback, False) if top < 0.5 else None
    return ranked


def _likeness(text: str, encoding: str) -> float:
    """How much the words look like words of one language, 0 to 1."""
    foreign = [c for c in text if c > "\x7f"]
    if not foreign:
        return 0.0
    if encoding in _EASTERN:
        parts = text.split()
        within = sum(
            bool(re.search(r"[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][a-z]", part)) for part in parts
        )
        return _eastern(foreign, encoding) * (1 - within / len(parts))
    if any(unicodedata.category(c) in ("Cc", "Cn", "Co") for c in foreign):
        return 0.0
    letters = [c for c in foreign if c.isalpha()]
    signs = [c for c in foreign if not c.isalpha()]
    usual = sum(c in "°€£§µ²³–—„“”‘’…«»±·½¼×®©™№¿¡ºª " for c in signs)
    if not letters:
        return 0.75 * usual / len(signs) * (1.0 if encoding == "cp1252" else 0.8)
    fits = max(
        sum(c.lower() in alphabet or c in alphabet for c in letters)
        for alphabet in _ALPHABETS[encoding]
    )
    score = (fits + usual) / len(foreign)
    words = re.findall(r"[^\W\d_]+", text)
    shouting = sum(
        a.islower() and b.isupper() for word in words for a, b in itertools.pairwise(word)
    )
    mixed = sum(len(set(map(_script, word))) > 1 for word in words)
    if encoding in _CYRILLIC_CODES:  # koi8-r and cp1251 have each other's capitals
        score -= 0.2 * sum(c.isupper() for c in letters) / len(letters)
    if encoding in _OLD:
        score *= 0.8
    if encoding not in _LATIN or encoding in _OLD:  # a sign or two may be anything
        score *= min(1.0, 0.5 + 0.1 * len(set(letters)))
    return max(0.0, score - shouting / len(letters) - 0.5 * mixed / max(1, len(words)))


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split()[0]


def _eastern(foreign: Sequence[str], encoding: str) -> float:
    """The share of letters that are common in the language the encoding is for."""
    good = bad = 0
    for c in set(foreign):
        if "\u3040" <= c <= "\u30ff":
            good += encoding in _JAPANESE
            bad += encoding not in _JAPANESE
        elif "\uac00" <= c <= "\ud7a3":
            korean = encoding == "cp949" and _common(c, encoding)
            good, bad = good + korean, bad + (not korean)
        elif (
            "\uff61" <= c <= "\uff9f"
        ):  # half-width kana: what other encodings look like in Shift-JIS
            bad += 1
        elif "\u3000" <= c <= "\u303f" or "\uff00" <= c <= "\uff60" or _common(c, encoding):
            good += 1
        else:
            bad += 1
    score = good / max(1, good + bad)
    hanzi = [c for c in set(foreign) if "\u4e00" <= c <= "\u9fff"]
    score *= min(1.0, 0.5 + 0.1 * len(set(foreign)))
    if encoding == "cp949":  # chance seldom makes six syllables
        score = 0.5 * score if hanzi else score + 0.06 * (good >= 6)
    return score


def _common(c: str, encoding: str) -> bool:
    """Whether a character is of the first level of its national standard: the ones in daily use."""
    coded, low, high = _EASTERN[encoding]
    try:
        code = c.encode(coded)
    except UnicodeError:
        return False
    return len(code) == 2 and low <= code <= high


MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CONTROLS = [bytes([c]) for c in range(32) if c not in (9, 10, 12, 13, 27)]
_JAPANESE = ("cp932", "euc_jp")
# the encoding in which the first level of the standard lies together, and where
_EASTERN = {
    "cp932": ("cp932", b"\x88\x9f", b"\x98\x72"),
    "euc_jp": ("cp932", b"\x88\x9f", b"\x98\x72"),
    "gb18030": ("gb2312", b"\xb0\xa1", b"\xd7\xf9"),
    "big5": ("big5", b"\xa4\x40", b"\xc6\x7e"),
    "cp949": ("euc_kr", b"\xb0\xa1", b"\xc8\xfe"),
}
_WEST = (
    "äöüß",  # German
    "àâæçéèêëîïôœùûüÿ",  # French
    "áéíóúüñ",  # Spanish
    "ãõáéíóúâêôàçü",  # Portuguese
    "àèéìòù",  # Italian
    "åäöæøé",  # Danish, Norwegian, Swedish, Finnish
    "áðéíóúýþæö",  # Icelandic
    "éëïóöü",  # Dutch
    "äöüéèàçâêîôûñáíóúß",  # Swiss places, several of them
)
_CENTRAL = (
    "ąćęłńóśźż",  # Polish
    "áčďéěíňóřšťúůýž",  # Czech
    "áäčďéíĺľňóôŕšťúýž",  # Slovak
    "áéíóöőúüű",  # Hungarian
    "čćđšž",  # Croatian, Slovenian
    "ăâîşţ",  # Romanian
    "äöüß",
)
_CYRILLIC = (
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "абвгдђежзијклљмнњопрстћуфхцчџш",
)
_ALPHABETS: dict[str, tuple[str, ...]] = {
    "cp1252": _WEST,
    "cp1250": _CENTRAL,
    "iso8859-2": _CENTRAL,
    "cp1251": _CYRILLIC,
    "koi8-r": _CYRILLIC[:1],
    "cp866": _CYRILLIC[:1],
    "cp1253": ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",),
    "cp1254": ("çğıöşüâîûİ",),
    "mac-roman": _WEST,
    "cp850": _WEST,
    "latin-1": _WEST,
}
_LATIN = ("cp1252", "cp1250", "iso8859-2", "cp1254", "mac-roman", "cp850", "latin-1")
_CYRILLIC_CODES = ("cp1251", "koi8-r", "cp866")
_OLD = ("mac-roman", "cp850", "cp866")
_CANDIDATES = (*_ALPHABETS, *_EASTERN)
