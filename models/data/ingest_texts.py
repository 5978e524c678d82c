"""Texts from an upload, in a worker: plain text, JSON lines or a table become one clean JSON lines file.

Each of its lines is {"text", "label"}; what could not be taken is listed with its line and reason.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.core import spec as core
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob
from models.data import archives, encodings, workspace
from models.data.wording import count, names_text

MAX_BYTES = 200_000_000
MAX_TEXTS = 200_000
MAX_CHARS = 20_000  # of one text; longer ones are cut
MAX_LABELS = 100
_LISTED = 500
_TEXT_WORDS = ("text", "sentence", "review", "comment", "content", "message", "body", "title")
_LABEL_WORDS = ("label", "class", "category", "target", "sentiment", "topic", "lang", "language")

Row = dict[str, str]


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which upload, and which of its fields; "" finds them out."""

    data: str = knob("", "The upload: upload: and the sha256 of its content.")
    text: str = knob(
        "", "The field or column that holds the text.", label="Text field", max_chars=200
    )
    label: str = knob(
        "", "The field or column that holds the class.", label="Class field", max_chars=200
    )

    def check(self) -> None:
        if not self.data:
            raise SpecError("No file is chosen. Upload one.", "data")


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """Takes the texts in; the last frame holds the id of the clean file and the report.

    Raises:
        SpecError: the upload holds no text.
    """
    control = control or Control()
    id = spec.data.removeprefix("upload:")
    path, name = workspace.get(id), workspace.display_name(workspace.about(id).name)
    if path.stat().st_size > MAX_BYTES:
        raise SpecError(
            f"{name} has {path.stat().st_size / 1e6:.0f} MB; texts may have {MAX_BYTES // 1_000_000} MB here. "
            "Keep a part of them."
        )
    refused: list[tuple[str, str]] = []
    if _is_archive(path):
        rows, notes = _packed(path, name, refused)
    else:
        text, encoding = decoded(path.read_bytes(), name)
        rows = list(_rows(text, os.path.splitext(name)[1].lower(), refused))
        notes = [f"Read as {encoding}."]
    if not rows and refused:
        raise SpecError(
            f"{name} holds no record that can be read. {refused[0][0]}: {refused[0][1]}."
        )
    fields = _fields(rows, spec, name)
    kept, cut, labels, lengths, seen = [], 0, Counter[str](), [], Counter[str]()
    for place, row in rows:
        body = " ".join(row.get(fields[0], "").split())
        label = (
            workspace.display_name(row.get(fields[1], ""))
            if fields[1] and row.get(fields[1], "").strip()
            else ""
        )
        if not body:
            refused.append((place, "holds no text"))
        elif fields[1] and not label:
            refused.append((place, f"has no {fields[1]!r}"))
        elif len(kept) >= MAX_TEXTS:
            refused.append((place, f"beyond the first {MAX_TEXTS:,} texts"))
        else:
            cut += len(body) > MAX_CHARS
            kept.append({"text": body[:MAX_CHARS], "label": label})
            labels[label] += 1
            lengths.append(len(body))
            seen[body] += 1
    if not kept:
        first = f" {refused[0][0]} {refused[0][1]}." if refused else ""
        raise SpecError(f"{name} holds no text that can be used.{first}")
    if len(labels) > MAX_LABELS:
        raise SpecError(
            f"Column {fields[1]!r} of {name} holds {len(labels)} different labels; at most {MAX_LABELS} can be told apart "
            "here. Choose another column for the label.",
            "label",
        )
    control.gate()
    notes += (
        [f"Text from {fields[0]!r}" + (f", label from {fields[1]!r}." if fields[1] else ".")]
        if fields[0] != _LINE
        else ["Each line is a text."]
    )
    notes += [f"{count(cut, 'text')} cut to {MAX_CHARS:,} characters."] if cut else []
    notes += (
        ["There are no labels: the texts can be looked at, but nothing can be learned from them."]
        if set(labels) == {""}
        else []
    )
    report = {
        "name": name,
        "texts": len(kept),
        "labels": dict(sorted(labels.items())),
        "duplicates": sum(n - 1 for n in seen.values()),
        "lengths": sorted(lengths)[:: max(1, len(lengths) // 2000)],
        "refused_count": len(refused),
        "refused": refused[:_LISTED],
        "notes": notes,
    }
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / "clean.jsonl"
        with clean.open("w", encoding="utf-8", newline="\n") as out:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
        stem = re.sub(r"\.(txt|jsonl?|csv|tsv|zip|tar|tgz|tar\.\w+)$", "", name, flags=re.I)
        title = f"{stem} (texts).jsonl"
        made = workspace.put(clean, title)
    workspace.write_json(workspace.folder(made) / "texts.json", report)
    yield Snapshot(
        len(kept), 1.0, frame={"dataset": made, "name": title, "report": report}, final=True
    )


def card(data: str) -> dict[str, Any]:
    """The report of a set of texts by "upload:<id>".

    Raises:
        SpecError: it is not on this server, or it is no set of texts.
    """
    id = data.removeprefix("upload:")
    try:
        return json.loads((workspace.folder(id) / "texts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        name = workspace.display_name(workspace.about(id).name)
        raise SpecError(
            f"{name} has not been taken in as texts. Upload it under Text once more.", "data"
        ) from None


def is_set(id: str) -> bool:
    """Whether a kept file is a clean file of texts."""
    try:
        return (workspace.folder(id) / "texts.json").exists()
    except SpecError:
        return False


def decoded(data: bytes, name: str) -> tuple[str, str]:
    """A text file's text and its encoding.

    Raises:
        SpecError: it is no text.
    """
    if not data.strip():
        raise SpecError(f"{name} is empty ({len(data)} bytes). Choose another file.")
    if encoding := encodings.of_bytes(data):
        text = data.decode(encoding).removeprefix("\ufeff")
        strange = sum(c < " " and c not in "\t\n\r\f" for c in text[:20_000])
        if "\0" not in text[:20_000] and strange <= len(text[:20_000]) * 0.02:
            return text, "UTF-8" if encoding.startswith("utf-8") else encoding
    raise SpecError(
        f"{name} is no text: it begins with {data[:12].hex(' ')}. Save it as a text file in UTF-8."
    )


_LINE = "line"
_RECORDS = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".tab")
_TEXTS = (".txt", ".text", ".md", ".rst", "")


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(6)
    return head[:4] == b"PK\x03\x04" or tarfile.is_tarfile(path)


def _packed(
    path: Path, name: str, refused: list[tuple[str, str]]
) -> tuple[list[tuple[str, Row]], list[str]]:
    """The records of all files of an archive: of class folders a text a file, else a text a line, named by its file.

    Raises:
        SpecError: it cannot be opened.
    """
    known = archives.contents(path, name)
    refused += [(r.name, r.reason) for r in known.refused]
    foldered = sum(len(m.parts) > 1 for m in known.members) * 2 > len(known.members)
    found: dict[int, list[tuple[str, Row]]] = {}
    read: Counter[str] = Counter()  # files by their encoding
    total = 0
    for member, data in archives.read(path, known.members):
        *folders, last = member.parts
        stem, ending = os.path.splitext(last)
        ending = ending.lower()
        if archives.left_behind(member.parts):
            continue
        if ending not in (*_RECORDS, *_TEXTS):
            refused.append((member.shown, f"no text ({ending})"))
            continue
        total += len(data) if isinstance(data, bytes) else 0
        try:
            if isinstance(data, archives.Refused):
                raise SpecError(data.reason)
            if total > MAX_BYTES:
                raise SpecError(f"beyond the first {MAX_BYTES // 1_000_000} MB")
            text, encoding = decoded(data, "it")
        except SpecError as error:
            refused.append((member.shown, str(error)))
            continue
        read[encoding] += 1
        if ending in _RECORDS:
            inside: list[tuple[str, str]] = []
            rows = list(_rows(text, ending, inside))
            refused += [(f"{member.shown}, {where}", why) for where, why in inside]
        elif foldered and folders:
            rows = [("", {"text": text, "label": folders[-1]})]
        else:
            rows = [(w, {"text": r[_LINE], "label": stem}) for w, r in _rows(text, "", [])]
        found[member.place] = [(f"{member.shown}, {w}" if w else member.shown, r) for w, r in rows]
    layout = (
        "Each file is a text, its folder the label."
        if foldered
        else "Each line of a text file is a text, the file's name its label."
    )
    rows = [row for place in sorted(found) for row in found[place]]
    others = [f"{count(n, 'file')} read as {e}." for e, n in read.most_common() if e != "UTF-8"]
    return rows, [
        f"{count(read.total(), 'file')} of the archive read. {layout}",
        *others,
        *known.notes,
    ]


def _rows(text: str, ending: str, refused: list[tuple[str, str]]) -> Iterator[tuple[str, Row]]:
    """Every record with the place where it stood."""
    if ending in (".jsonl", ".json", ".ndjson"):
        yield from _json_rows(text, refused)
    elif ending in (".csv", ".tsv", ".tab"):
        yield from _table_rows(text, refused)
    else:
        lines = re.split(r"\r\n|[\n\r]", text)
        yield from ((f"Line {n}", {_LINE: line}) for n, line in enumerate(lines, 1) if line.strip())


def _json_rows(text: str, refused: list[tuple[str, str]]) -> Iterator[tuple[str, Row]]:
    whole = None
    if text.lstrip().startswith("["):
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError):
            whole = None
    source: Iterable[tuple[str, Any]]
    if isinstance(whole, list):
        source = ((f"Entry {n}", entry) for n, entry in enumerate(whole, 1))
    else:
        lines = re.split(r"\r\n|[\n\r]", text)
        source = ((f"Line {n}", line) for n, line in enumerate(lines, 1) if line.strip())
    for place, entry in source:
        if isinstance(entry, str):
            try:
                entry = json.loads(entry)
            except (ValueError, RecursionError) as error:
                refused.append((place, f"is no JSON: {str(error)[:80]}"))
                continue
        if isinstance(entry, dict):
            plain = {str(k): _plain(v) for k, v in entry.items()}
            yield place, {k: v for k, v in plain.items() if v is not None}
        else:
            refused.append((place, 'is no JSON object such as {"text": "…", "label": "…"}'))


def _plain(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int, float, bool)) else None


def _table_rows(text: str, refused: list[tuple[str, str]]) -> Iterator[tuple[str, Row]]:
    try:
        dialect: Any = csv.Sniffer().sniff(text[:20_000], delimiters=",;\t|")
        dialect.doublequote = True
    except csv.Error:
        dialect = "excel-tab" if "\t" in text[:2000] else "excel"
    reader = csv.reader(io.StringIO(text, newline=""), dialect)
    head: list[str] = []
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # a cell larger than a megabyte, or a quote that never closes
            refused.append((f"Line {reader.line_num}", f"cannot be read: {error}"))
            continue
        if not head:
            head = [title.strip() or f"column {n}" for n, title in enumerate(row, 1)]
        elif row:
            yield f"Line {reader.line_num}", dict(zip(head, row, strict=False))


def _fields(rows: list[tuple[str, Row]], spec: Spec, name: str) -> tuple[str, str]:
    """Which field is the text and which the label ("" for none).

    Raises:
        SpecError: a chosen field is not there, or no field looks like text.
    """
    some = [row for _, row in rows[:500]]
    known = list(dict.fromkeys(key for row in some for key in row))
    for chosen, field in ((spec.text, "text"), (spec.label, "label")):
        if chosen and chosen not in known:
            raise SpecError(
                f"{name} has no field {chosen[:40]!r}. It has: {names_text([k[:40] for k in known[:12]])}.",
                field,
            )
    if known == [_LINE]:
        return _LINE, ""
    if not known:
        raise SpecError(f"{name} holds no record that can be read.")
    values = {k: [row.get(k, "") for row in some] for k in known}

    def words(k: str) -> float:
        return sum(len(v.split()) for v in values[k]) / len(some)

    named = [k for k in known if k.strip().lower() in _TEXT_WORDS and k != spec.label]
    rest = [k for k in known if k != spec.label]
    text = spec.text or max(named or rest or known, key=words)
    others = [k for k in known if k != text]
    labelled = [k for k in others if k.strip().lower() in _LABEL_WORDS]
    few = [k for k in others if 2 <= len(set(values[k])) <= min(20, max(2, len(some) // 2))]
    label = spec.label or next(iter(labelled + sorted(few, key=lambda k: len(set(values[k])))), "")
    return text, label
