"""From an upload to texts: fields found, encodings read, what is broken listed with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.core.spec import SpecError
from models.data import ingest_texts, text_steps, workspace
from tests.image_cases import packed


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYGROUND_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def taken(content: bytes, name: str, **fields: str) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    id = workspace.put(content, name)
    *_, last = ingest_texts.train(ingest_texts.Spec(f"upload:{id}", **fields))
    data = f"upload:{(last.frame or {})['dataset']}"
    assert ingest_texts.is_set(data.removeprefix("upload:"))
    return text_steps.read_texts(Path(workspace.get(data[7:]))), ingest_texts.card(data)


TWO = [("good film", "yes"), ("bad Käse", "no")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", "\n".join(json.dumps({"text": t, "label": k}) for t, k in TWO)),
        ("a.json", json.dumps([{"id": 1, "review": t, "sentiment": k} for t, k in TWO])),
        ("a.csv", "label,text\n" + "\n".join(f"{k},{t}" for t, k in TWO)),
        ("a.tsv", "text\tlabel\n" + "\n".join(f"{t}\t{k}" for t, k in TWO)),
        ("a.csv", "comment;category\n" + "\n".join(f'"{t}";{k}' for t, k in TWO)),
    ],
)
def test_text_and_label_are_found_in_every_format(name: str, content: str) -> None:
    for encoding in ("utf-8", "utf-8-sig", "cp1252", "utf-16"):
        rows, card = taken(content.encode(encoding), name)
        assert rows == TWO
        assert card["labels"] == {"no": 1, "yes": 1}
        assert card["refused"] == []


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "příliš žluťoučký kůň"),
        ("cp1251", "хороший фильм, очень смешной"),
        ("cp1253", "πολύ καλή ταινία"),
        ("koi8_r", "хороший фильм, очень смешной"),
        ("cp932", "とても面白い映画でした"),
        ("gb18030", "这部电影非常好看"),
        ("big5", "這部電影非常好看"),
        ("euc_kr", "정말 재미있는 영화였다"),
    ],
)
def test_texts_are_read_in_their_code_page_which_is_said(encoding: str, text: str) -> None:
    rows, card = taken(f"{text}\n{text}!\n".encode(encoding), "a.txt")
    assert [row for row, _ in rows] == [text, f"{text}!"]
    assert not any("UTF-8" in note for note in card["notes"])
    rows, card = taken(packed({"a/1.txt": text.encode(encoding), "b/2.txt": b"good"}), "set.zip")
    assert (text, "a") in rows
    assert any("1 file read as" in note for note in card["notes"])


def test_plain_text_is_one_text_a_line_without_a_label() -> None:
    rows, card = taken(b"one\r\n\n  two words \n", "a.txt")
    assert rows == [("one", ""), ("two words", "")]
    assert any("no labels" in note for note in card["notes"])


def test_what_is_broken_is_listed_with_its_line_and_the_rest_kept() -> None:
    lines = ['{"text": "fine", "label": "a"}', "{broken", "[1, 2]", '{"text": " ", "label": "a"}',
             '{"text": "no label"}', '{"text": "fine", "label": "b"}']  # fmt: skip
    rows, card = taken("\n".join(lines).encode(), "a.jsonl")
    assert rows == [("fine", "a"), ("fine", "b")]
    assert card["duplicates"] == 1
    assert [where for where, _ in card["refused"]] == ["Line 2", "Line 3", "Line 4", "Line 5"]
    assert card["refused_count"] == 4


def test_chosen_fields_come_first_and_a_wrong_one_is_named() -> None:
    table = b"title,body,topic\nA,long words here,x\nB,more words here,y\n"
    assert taken(table, "a.csv", text="title")[0] == [("A", "x"), ("B", "y")]
    with pytest.raises(SpecError, match=r"has no field 'nope'. It has: .*title"):
        taken(table, "a.csv", text="nope")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.txt", "is empty"),
        (b"  \n \n", "a.txt", "is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 9, "a.txt", "is no text: it begins with 89 50"),
        (b"{broken", "a.jsonl", "no record"),
        (b"text,label\n", "a.csv", "no record"),
        (b"text,label\n,\n", "a.csv", "no text that can be used"),
    ],
)
def test_what_is_no_text_is_refused_in_words(content: bytes, name: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        taken(content, name)


def test_too_many_labels_are_refused_and_one_fewer_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_texts, "MAX_LABELS", 3)
    lines = [json.dumps({"text": f"t{i}", "label": f"k{i % 3}"}) for i in range(9)]
    assert len(taken("\n".join(lines).encode(), "a.jsonl")[1]["labels"]) == 3
    lines.append(json.dumps({"text": "t", "label": "k3"}))
    with pytest.raises(SpecError, match="4 different labels"):
        taken("\n".join(lines).encode(), "a.jsonl")


def test_hostile_words_stay_words() -> None:
    hostile = ["<script>alert(1)</script>", "=cmd|calc", "b\u202egnp", "🙂", "a" * 4000]
    lines = [json.dumps({"text": f"t {h}", "label": h}) for h in hostile]
    rows, card = taken("\n".join(lines).encode(), "a.jsonl")
    assert len(rows) == 5
    assert all(len(name) <= 48 and "\u202e" not in name for name in card["labels"])


@given(st.binary(max_size=120), st.sampled_from(["a.txt", "a.csv", "a.jsonl", "a.tsv"]))
@settings(max_examples=80)
def test_any_bytes_are_taken_in_or_refused_with_a_sentence(content: bytes, name: str) -> None:
    try:
        rows, card = taken(content, name)
    except SpecError as error:
        rows, card = [("", "")], {"texts": 1, "said": str(error)}
        assert len(card["said"]) > 10
    assert len(rows) == card["texts"] >= 1


def test_a_set_that_was_never_taken_in_says_so() -> None:
    id = workspace.put(b"x", "x.jsonl")
    assert not ingest_texts.is_set(id)
    with pytest.raises(SpecError, match="not been taken in as texts"):
        ingest_texts.card(f"upload:{id}")


def test_files_in_class_folders_are_a_text_each() -> None:
    files = {
        "aclImdb/train/pos/1.txt": "good\nfilm".encode("utf-16"),
        "aclImdb/train/neg/2.txt": "bad Käse".encode("cp1252"),
        "aclImdb/test/neg/3.txt": b"worse",
        "aclImdb/README": b"about this set",
        "aclImdb/train/neg/broken.txt": b"\0\1\2\3" * 30,
        "aclImdb/train/pos/empty.txt": b"",
        "aclImdb/train/pos/cat.png": b"\x89PNG",
        "../out.txt": b"outside",
    }
    rows, card = taken(packed(files), "set.zip")
    assert ("good film", "pos") in rows
    assert ("bad Käse", "neg") in rows
    assert card["labels"] == {"aclImdb": 1, "neg": 2, "pos": 1}
    assert {name.rsplit("/", 1)[-1] for name, _ in card["refused"]} == {
        "broken.txt", "empty.txt", "cat.png", "out.txt"
    }  # fmt: skip


def test_files_without_folders_are_a_text_a_line_named_by_their_file() -> None:
    files = {
        "english.txt": b"good morning\n\nhello",
        "deutsch.txt": "schönen Tag\n".encode(),
        "more.jsonl": b'{"text": "ciao", "label": "italiano"}\n{broken',
    }
    rows, card = taken(packed(files), "set.zip")
    assert sorted(rows) == [
        ("ciao", "italiano"), ("good morning", "english"), ("hello", "english"), ("schönen Tag", "deutsch")
    ]  # fmt: skip
    assert [where for where, _ in card["refused"]] == ["more.jsonl, Line 2"]
