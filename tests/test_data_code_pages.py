"""Names of old archives: the words that were written, in the code page of the system that packed them."""

from __future__ import annotations

import pytest

from models.data import code_pages

WORDS = {
    "cp866": ["кошки", "собаки"],
    "cp1251": ["кошки", "собаки"],
    "koi8-r": ["кошки", "собаки"],
    "cp932": ["ねこ/写真.png", "いぬ/写真.png"],
    "gbk": ["苹果", "香蕉", "橙子"],
    "big5": ["蘋果", "香蕉"],
    "cp949": ["고양이", "개"],
    "cp850": ["Äpfel", "Birnen", "Löwe"],
    "cp1252": ["Äpfel", "Birnen", "Löwe"],
    "cp852": ["žába", "kůň"],
    "cp1250": ["jabłko", "gruszka"],
    "cp737": ["γάτα", "σκύλος"],
    "cp1253": ["γάτα", "σκύλος"],
    "cp857": ["kuş", "köpek", "çiçek"],
    "cp862": ["חתול", "כלב"],
    "cp1256": ["قطة", "كلب"],
}


@pytest.mark.parametrize("page", WORDS)
def test_words_are_found_again(page: str) -> None:
    names, _ = code_pages.decode([word.encode(page) for word in WORDS[page]])
    assert names == WORDS[page]


def test_utf8_comes_first_and_plain_names_need_no_page() -> None:
    assert code_pages.decode(["кошки".encode(), b"x"]) == (["кошки", "x"], "utf-8")
    assert code_pages.decode([b"cat"]) == (["cat"], "utf-8")


def test_a_page_that_is_chosen_is_taken_whatever_the_names_hold() -> None:
    raw = ["кошки".encode("cp866")]
    assert code_pages.decode(raw, "cp437")[0] == ["¬«Φ¬¿"]
    names, page = code_pages.decode([b"\x81"], "cp932")
    assert page == "cp932"
    assert "\N{REPLACEMENT CHARACTER}" in names[0]


def test_every_page_is_one_that_python_reads() -> None:
    for page in code_pages.PAGES:
        assert b"abc".decode(page) == "abc"
