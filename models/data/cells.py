"""Cells of a table as numbers, days and words. These very functions run in the app and are printed in exported scripts.

Each is complete in itself (re, numpy and pandas only), or calls another one of this file.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd


def number_parts(texts: pd.Series) -> pd.DataFrame:
    """What stands in a number that a person or a spreadsheet wrote: sign, sign of money, digits, exponent, unit.

    The columns are open, before, left, inner, body, exponent, right, close, after; all missing in what is no number.
    """
    money = (
        r"[A-Z]{0,2}[$€£¥₹₽₩₺₪₴฿]|R\$|kr\.?|Kr\.?|CHF|EUR|USD|GBP|JPY|SEK|NOK|DKK|PLN|CZK|HUF|RUB|CNY|INR|BRL|TRY|CAD|AUD"
        r"|Fr\.|SFr\.?|Rs\.?|zł|Kč|Ft|руб\.?|元|円|원|Euro|euro|Dollar"
    )
    unit = (
        r"%|‰|°C|°F|°|K|kg|g|mg|t|lbs?|oz|km|m|cm|mm|µm|μm|nm|in|ft|mi|km/h|kmh|mph|m/s|s|ms|sec|min|h|hrs?|l|L|ml|mL"
        r"|m²|m2|m³|m3|ha|W|kW|kWh|V|A|mA|Hz|kHz|MHz|GHz|GB|MB|kB|KB|TB|hPa|Pa|bar|cal|kcal|J|kJ|Nm|cc|hp|PS|ppm|yrs?|years|Jahre"
    )
    plain = (
        texts.str.normalize("NFKC")
        .str.replace(
            r"[^\x00-\x7f]", lambda c: str(int(c[0])) if c[0].isdecimal() else c[0], regex=True
        )
        .str.replace("\u066b", ".")
        .str.replace("\u066c", ",")
        .str.replace(r"[\u2010-\u2015\u2212]", "-", regex=True)
        .str.replace("[\u2018\u2019\u02bc`´]", "'", regex=True)
        .str.replace(r"[\s\u200b\ufeff]+", " ", regex=True)
        .str.strip()
    )
    return plain.str.extract(
        rf"^(?P<open>\()? ?(?P<before>[+-]?) ?(?P<left>{money}|%)? ?(?P<inner>[+-]?) ?"
        rf"(?P<body>\d[\d.,' ]*|[.,]\d+)(?P<exponent>[eE][+-]?\d+)? ?(?P<right>{money}|{unit})? ?(?P<close>\))?(?P<after>-?)$"
    )


def numbers_of(texts: pd.Series, decimal: str, thousands: str) -> np.ndarray:
    """Each text's number as float64, NaN for none. (N,) to (N,)."""
    parts = number_parts(texts)
    body = parts["body"].str.strip()
    if thousands:
        sign, groups = (
            f"[{re.escape(thousands)}]",
            rf"\d{{1,3}}(?:(?:S\d{{3}})+|(?:S\d\d)+S\d{{3}})(?:[{decimal}]\d*)?",
        )
        grouped = body.str.contains(sign).fillna(False).astype(bool)
        right = body.str.fullmatch(groups.replace("S", sign)).fillna(False).astype(bool)
        body = body.where(~grouped | right).str.replace(sign, "", regex=True)
    body = body.where(
        body.str.fullmatch(rf"\d*[{decimal}]?\d*").fillna(False).astype(bool)
    ).str.replace(decimal, ".", regex=False)
    whole = body + parts["exponent"].fillna("")
    values = np.asarray(pd.to_numeric(whole, errors="coerce"), dtype="float64").copy()
    bracketed = np.asarray(parts["open"].notna())
    minus = bracketed.copy()
    for place in ("before", "inner", "after"):
        minus |= np.asarray(parts[place] == "-")
    values = np.where(minus, -values, values)
    values[bracketed != np.asarray(parts["close"].notna())] = np.nan
    infinite = np.asarray(texts.str.fullmatch(r"\s*[+-]?(?i:inf|infinity)\s*"), dtype=bool)
    below = np.asarray(texts.str.startswith("-"), dtype=bool)
    values[infinite] = np.where(below[infinite], -np.inf, np.inf)
    return values


def read_numbers(column: pd.Series, decimal: str, thousands: str = "") -> pd.Series:
    """Numbers as people and spreadsheets write them, as float32; what is no number, or beyond 3.4e38, becomes missing.

    A percent sign, a unit and a sign of money are dropped: 12.5% becomes 12.5. (5) and 5- are negative.
    `thousands` are the signs that may part groups of digits: 1,234.5 or, in India, 12,34,567.
    """
    codes, words = pd.factorize(column)
    values = numbers_of(pd.Series(words, dtype="str"), decimal, thousands)
    values[np.isfinite(values) & (np.abs(values) > np.finfo("float32").max)] = np.nan
    # code -1: missing
    return pd.Series(np.append(values, np.nan)[codes].astype("float32"), index=column.index)


def month_names(texts: pd.Series) -> pd.Series:
    """Names of months, whole or cut, in a dozen languages, as English ones of three letters."""
    names = {
        "Jan": "jan jän ene gen sty oca янв",
        "Feb": "feb feb fév fev lut şub фев",
        "Mar": "mar mär mrz maa mrt мар",
        "Apr": "apr avr abr kwi nis апр",
        "May": "may mai maj mag mei май мая",
        "Jun": "jun juin giu cze haz июн",
        "Jul": "jul juil lug lip tem июл",
        "Aug": "aug aoû aou ago sie ağu авг",
        "Sep": "sep set wrz eyl сен",
        "Oct": "oct okt out ott paź eki окт",
        "Nov": "nov lis kas ноя",
        "Dec": "dec dez déc dic gru ara дек",
    }
    starts = {start: month for month, known in names.items() for start in known.split()}
    longest = sorted(starts, key=len, reverse=True)
    name = re.compile(rf"(?<![^\W\d_])({'|'.join(longest)})[^\W\d_]*\.?", re.IGNORECASE)
    return texts.str.replace(name, lambda found: starts[found.group(1).lower()], regex=True)


def tidy_times(texts: pd.Series) -> pd.Series:
    """Dates with their frills gone: weekdays, ordinals, several blanks, de and of, a.m., zones by name."""
    return (
        texts.str.normalize("NFKC")
        .str.replace(r"\s+", " ", regex=True)
        .str.strip()
        .str.replace(r"^[^\W\d_]{2,}\.?, (?=\d+\D|[^\W\d_])", "", regex=True)
        .str.replace(r"^(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.? (?=.*\d)", "", regex=True)
        .str.replace(r"(?<=\d)(?:st|nd|rd|th|er|º)\b", "", regex=True)
        .str.replace(r" (?:de|of|del) ", " ", regex=True)
        .str.replace(r"(?<=\d) ?г(?:\.|ода?)?(?=,? |$)", "", regex=True)
        .str.replace(r" ?([aApP])\.?[mM]\.?$", r" \1M", regex=True)
        .str.replace(r" ?(?:UTC|GMT|Z|z)$", "+0000", regex=True)
        .str.replace(r"(:\d\d(?:[.,]\d+)?) ?([+-]\d\d)$", r"\1\g<2>00", regex=True)
        .str.replace(r"(:\d\d(?:[.,]\d+)?) ([+-]\d\d:?\d\d)$", r"\1\2", regex=True)
        .str.replace(r"(:\d\d),(\d)", r"\1.\2", regex=True)
    )


def days_since_1970(column: pd.Series, format: str) -> pd.Series:
    """Dates as float32 days since 1 January 1970, of those with a zone in UTC; what is no date becomes missing.

    `format` is one of `datetime.strptime`, or several of them with " or " between.
    """
    codes, words = pd.factorize(column)
    texts = tidy_times(pd.Series(words, dtype="str"))
    days = np.full(len(words), np.nan)
    for one in format.split(" or "):
        named = month_names(texts) if "%b" in one else texts
        times = pd.to_datetime(named, format=one, errors="coerce", utc=True)
        found = ((times - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)).to_numpy(
            "float64"
        )
        days = np.where(np.isnan(days), found, days)
    # code -1: missing
    return pd.Series(np.append(days, np.nan)[codes].astype("float32"), index=column.index)


def read_words(column: pd.Series, missing: list[str]) -> pd.Series:
    """Words without the blanks and invisible signs around them; those that mean missing become missing."""
    codes, known = pd.factorize(column)
    texts = pd.Series(known, dtype="str").str.normalize("NFC")
    texts = texts.str.replace(r"^[\s\u200b\ufeff]+|[\s\u200b\ufeff]+$", "", regex=True)
    texts = texts.where(~texts.isin(["", *missing]))
    return pd.Series(np.append(texts, np.nan)[codes], index=column.index, dtype="str")
