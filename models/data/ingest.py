"""Pictures from an uploaded archive, in a worker: checked one by one, put in class folders, described.

The outcome is a clean zip in the workspace: only pictures that open, in folders named like their classes, the
same bytes for the same pictures. Beside it lie a report and a card, so that pages never open the pictures themselves
to say what there is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import re
import shutil
import tempfile
import unicodedata
import zipfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from models.core import spec as core
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob
from models.data import (
    archives,
    array_pictures,
    code_pages,
    encodings,
    image_folder,
    images,
    layout,
    workspace,
)
from models.data.archives import Member, Refused
from models.data.naming import FreeNames
from models.data.wording import count, names_text, shown

CARD_SIDE = 64  # pixels at which channel statistics are taken
UNSORTED = array_pictures.UNSORTED  # the class of pictures in no folder

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_TABLE_BYTES = 20_000_000
_LISTED = 2000  # refused files named in a report; all are counted
_LABEL_WORDS = ("label", "class", "category", "target", "species", "label_name", "class_name")


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which upload to take pictures from."""

    data: str = knob("", "The upload: upload: and the sha256 of its content.")
    names: str = knob(
        "",
        "The code page of names that do not say UTF-8; found out when empty.",
        choices=("", *code_pages.PAGES),
    )

    def check(self) -> None:
        if not self.data:
            raise SpecError("No archive is chosen. Upload one.", "data")


@dataclass(frozen=True)
class _Picture:
    """A checked picture: what the clean zip keeps of it, and what the card says."""

    data: bytes
    suffix: str
    mode: str
    size: tuple[int, int]
    digest: bytes
    total: np.ndarray  # (3,) float64: sum of its pixels by channel, 0 to 1, at CARD_SIDE
    square: np.ndarray  # (3,) float64: sum of their squares
    notes: tuple[str, ...] = ()  # what was done to its numbers


@dataclass(frozen=True)
class _Deep:
    """A picture of larger or finer numbers than 0 to 255; what becomes black and white is decided for the whole set."""

    data: bytes
    floats: bool
    low: float
    high: float


def threads(spec: Spec) -> int:
    """Decoding leaves Python's lock, so two threads read twice as fast."""
    return 2


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """Takes the pictures in; a row tells how far it is, the last frame holds the report.

    Raises:
        SpecError: the upload is no archive, or holds no picture at all.
    """
    control = control or Control()
    id = spec.data.removeprefix("upload:")
    path, name = workspace.get(id), workspace.about(id).name
    if array_pictures.is_arrays(path):
        plan = array_pictures.Plan(path, workspace.display_name(name))
        files = plan.read()
    else:
        known = archives.contents(path, workspace.display_name(name), page=spec.names)
        if kind := _office(known):
            raise SpecError(
                f"{workspace.display_name(name)} is {kind}, not an archive of pictures. A table of numbers and words "
                "is taken in under Table; to learn from the pictures in it, save them as files and pack those in a zip."
            )
        plan = _Plan(path, known)
        files = archives.read(path, plan.members)
    made = _Taker(plan)
    total = max(1, len(plan.classes))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        clean = Path(folder) / "clean.zip"
        steps = made.take(files, clean, pool)
        for done in steps:
            if control.due():
                control.gate()
                row = {"step": done, "epoch": done / total, "total": total}
                yield Snapshot(done, done / total, rows=(row,), frame={"done": done})
        if not made.names:
            raise SpecError(_nothing(name, made))
        report = made.report(name)
        stem = re.sub(
            r"\.(zip|tar|gz|tgz|bz2|xz|npy|npz)\b", "", workspace.display_name(name), flags=re.I
        )
        title = f"{stem} (images).zip"
        kept = workspace.put(clean, title)
        keep_card(kept, report, made.arrays())
    yield Snapshot(
        total,
        1.0,
        rows=({"step": total, "epoch": 1.0, "total": total},),
        frame={"dataset": kept, "name": title, "report": report},
        final=True,
    )


def pack(files: Iterable[tuple[str, bytes]], label: str = "") -> bytes:
    """Single pictures as an archive, in a folder named like their class (none when `label` is empty)."""
    out = io.BytesIO()
    folder = f"{_folder(label)}/" if label.strip() else ""
    with zipfile.ZipFile(out, "w") as archive:
        for number, (name, data) in enumerate(files):
            base = re.split(r"[/\\]", name)[-1] or "picture"
            archive.writestr(zipfile.ZipInfo(f"{folder}{number:04}-{base}"), data)
    return out.getvalue()


def folders(classes: Iterable[str]) -> dict[str, str]:
    """For every class the folder that every system can make, each its own."""
    return _distinct({name: _folder(name) for name in classes})


def free_name(folder: str, file: str, used: FreeNames) -> str:
    """A path in a clean zip that is not taken yet; `used` remembers it."""
    stem, suffix = os.path.splitext(file)
    path = f"{folder}/{_folder(stem)}"
    return used.take(f"{path}{suffix}", lambda again: f"{path} ({again}){suffix}")


@contextmanager
def packed(files: Iterable[tuple[str, BinaryIO]]) -> Iterator[Path]:
    """Files as they are in one zip on the disk, each under its own name; gone at the end of the `with`."""
    free = FreeNames()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "files.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, file in files:
                base = re.split(r"[/\\]", name)[-1] or "file"
                title = free.take(base, lambda again, base=base: f"{again}-{base}")
                with archive.open(zipfile.ZipInfo(title), "w") as out:
                    shutil.copyfileobj(file, out, 1 << 20)
        yield path


def keep_card(id: str, report: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Put what is known of a data set beside it."""
    folder = workspace.folder(id)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
        np.savez(part, **arrays)  # type: ignore[arg-type]  # arrays by name
    os.replace(part.name, folder / "card.npz")
    workspace.write_json(folder / "report.json", report)  # last: whoever finds it finds the card


class _Plan:
    """Which members are pictures of which class, found out from names and a table of labels alone."""

    def __init__(self, path: Path, known: archives.Contents) -> None:
        self.notes = list(known.notes)
        self.refused: list[Refused] = list(known.refused)
        members = self._packed(known.members)
        if known.page:
            self._say_page(known)
        tables = [m for m in members if m.parts[-1].lower().endswith((".csv", ".tsv"))]
        candidates = []
        for member in members:
            ending = os.path.splitext(member.parts[-1])[1].lower()
            if ending in _ARCHIVES:
                self._refuse(member, "an archive inside the archive is not opened")
            elif ending in images.ENDINGS or ending not in _OTHERS:
                candidates.append(member)
            elif ending in _SHEETS:
                self._refuse(member, "an Excel table, which holds no pictures to learn from")
            elif member not in tables:
                self._refuse(member, f"no picture ({ending})")
        self.layout = "class folders"
        self.empty_folders: frozenset[str] = frozenset()
        # place of a member: its class's name as the file gives it
        self.classes: dict[int, str] = {}
        if not self._by_table(path, tables, candidates):
            for table in tables:
                self._refuse(table, "a table that names none of the pictures")
            self._by_folder(candidates, (f for f in known.folders if not _hidden(f)))
        self.members = [m for m in candidates if m.place in self.classes]

    def _packed(self, members: Iterable[Member]) -> list[Member]:
        """The members somebody packed, without what systems and tools leave behind and without hidden folders."""
        kept = [m for m in members if not archives.left_behind(m.parts)]
        visible = [m for m in kept if not _hidden(m.parts[:-1])]
        kept = visible or kept  # an archive of nothing but a hidden folder is meant
        aside = Counter(
            archives.left_behind(m.parts) or _hidden(m.parts[:-1]) for m in set(members) - set(kept)
        )
        if aside:
            listed = ", ".join(f"{shown(part)} ({n})" for part, n in sorted(aside.items())[:6])
            self.notes.append(
                f"{count(aside.total(), 'file')} set aside that systems, tools or hidden folders left there: {listed}."
            )
        return kept

    def _say_page(self, known: archives.Contents) -> None:
        paths = {"/".join(m.parts[:-1]) or m.parts[-1] for m in known.members}
        foreign = sorted({part for path in paths for part in path.split("/") if not part.isascii()})
        if known.page != "utf-8" and foreign:
            self.notes.append(
                f"The archive does not say how its names are written: they are read in the code page {known.page}, for "
                f'example {names_text(foreign[:3])}. If these are no words, choose another one at "Names in the archive" '
                "beside the upload, and upload it again."
            )

    def _refuse(self, member: Member, reason: str) -> None:
        self.refused.append(Refused(member.shown, reason))

    def _aside(self, members: list[Member], why: str) -> None:
        """Set pictures without a label aside, and say it once."""
        if members:
            self.notes.append(f"{count(len(members), 'picture')} set aside: {why}.")
            for member in members:
                self._refuse(member, "it has no label")

    def _by_folder(self, members: list[Member], folders: Iterable[tuple[str, ...]]) -> None:
        paths = [m.parts for m in members] + [(*f, "") for f in folders]
        skip = 0
        while len({p[skip] for p in paths if len(p) > skip}) == 1 and all(
            len(p) > skip + 2 or p[-1] == "" for p in paths
        ):
            skip += 1
        tops = {p[skip] for p in paths if len(p) > skip + 1}
        split = bool(tops) and all(map(_SPLIT.fullmatch, tops))
        if split:
            skip += 1
        empty = {p[skip] for p in paths if p[-1] == "" and len(p) == skip + 2}
        classes = {m.place: m.parts[skip] for m in members if len(m.parts) > skip + 1}
        unlabelled = self._unlabelled(members, classes, skip, split)
        for member in members:
            if member.place not in unlabelled:
                self.classes[member.place] = classes.get(member.place, UNSORTED)
        if split:
            self.notes.append(
                f"Its folders {names_text(sorted(tops))} are put together; the split is made anew here."
            )
        self.empty_folders = frozenset(empty)
        if set(self.classes.values()) == {UNSORTED}:
            self.layout = "no folders"
        self._say_alike()

    def _unlabelled(
        self, members: list[Member], classes: dict[int, str], skip: int, split: bool
    ) -> set[int]:
        """Pictures that stand outside of the classes' folders, where there are such: those of a test, loose ones."""
        if split:  # train/cat/1.png and test/1.png, or test/unknown/1.png
            sure = {
                classes[m.place]
                for m in members
                if m.place in classes and not _TEST.fullmatch(m.parts[skip - 1])
            }
            groups: dict[str, list[Member]] = {}
            for m in members:
                own = classes.get(m.place)
                if own is None or (
                    own not in sure
                    and _TEST.fullmatch(m.parts[skip - 1])
                    and _NO_LABEL.fullmatch(own)
                ):
                    groups.setdefault(m.parts[skip - 1], []).append(m)
            if not sure:
                return set()
            for top, some in groups.items():
                self._aside(
                    some, f"those of {shown(top)} have no label, since they lie in no class folder"
                )
            return {m.place for some in groups.values() for m in some}
        names = set(classes.values())
        tests = {name for name in names if _TEST.fullmatch(name)}
        if len(names - tests) < 2:
            return set()
        found: set[int] = set()
        for top in sorted(tests):
            some = [m for m in members if classes.get(m.place) == top]
            if all(
                len(m.parts) == skip + 2 or _NO_LABEL.fullmatch(m.parts[skip + 1]) for m in some
            ):
                self._aside(
                    some,
                    f"those of {shown(top)}, beside the class folders, have no label. If it is a class, rename the folder",
                )
                found |= {m.place for m in some}
        loose = [m for m in members if m.place not in classes]
        self._aside(loose, "outside of the class folders they have no label")
        return found | {m.place for m in loose}

    def _say_alike(self) -> None:
        """Classes that look the same but for upper and lower case are two classes here, which is hardly meant."""
        alike: dict[str, set[str]] = {}
        for name in set(self.classes.values()):
            alike.setdefault(_key(name), set()).add(name)
        for names in alike.values():
            if len(names) > 1:
                self.notes.append(
                    f"The classes {names_text(sorted(names))} differ only in upper and lower case and are kept apart. "
                    "If they are one, give both the same name below."
                )

    def _by_table(self, path: Path, tables: list[Member], members: list[Member]) -> bool:
        """Classes from the first table of which a column names pictures of the archive."""
        names: dict[str, list[Member]] = {}
        for member in members:
            whole = "/".join(member.parts)
            for name in {whole, member.parts[-1], os.path.splitext(member.parts[-1])[0]}:
                names.setdefault(name, []).append(member)
        loosely: dict[str, list[Member]] = {}  # as a system reads them that knows no case
        for name, some in names.items():
            loosely.setdefault(_key(name), []).extend(m for m in some)
        found = list(_label_tables(path, tables, set(loosely)))
        if not found:
            return False
        table, encoding, rows, file, label = found[0]
        for other, *_ in found[1:]:
            self._refuse(other, f"it names pictures, too, but {table.shown} is the one in use")
        headed = _key(_file(rows[0], file).split("/")[-1]) not in loosely
        otherwise = 0
        for row in rows[headed:]:
            name, last = _file(row, file), _file(row, file).split("/")[-1]
            exact = names.get(name) or names.get(last)
            some = exact or loosely.get(_key(name)) or loosely.get(_key(last)) or []
            otherwise += bool(some) and not exact
            for member in some:
                self.classes[member.place] = row[label].strip() if len(row) > label else ""
        column = shown(rows[0][label]) if headed else str(label + 1)
        self.layout = f"labels from {table.shown}, column {column}"
        if not encoding.startswith("utf"):
            self.notes.append(
                f"{table.shown} does not say how its letters are written: they are read as {encoding}. If the classes "
                "are no words, save it as UTF-8 and upload again."
            )
        if otherwise:
            self.notes.append(
                f"{count(otherwise, 'name')} of {table.shown} and of the files differ in upper and lower case only: "
                "they are taken for the same."
            )
        for member in members:
            if not self.classes.get(member.place, "").strip():
                self.classes.pop(member.place, None)
                self._refuse(member, f"{table.shown} has no label for it")
        self._say_alike()
        return True


class _Taker:
    """Reads pictures, writes the clean zip, and keeps the numbers of the card."""

    def __init__(self, plan: _Plan | array_pictures.Plan) -> None:
        self.plan = plan
        self.folders = folders(sorted(set(plan.classes.values()) | plan.empty_folders))
        self.names: list[str] = []  # in the clean zip
        self.pictures: list[_Picture] = []  # without their bytes
        self.refused = list(plan.refused)
        self.deep: list[tuple[Member, _Deep]] = []  # without their bytes, which wait in a file
        self.notes: Counter[str] = Counter()  # pictures by what was done to their numbers
        self.ranges: list[str] = []
        self.lost: dict[str, list[str]] = {}  # why pictures of a folder were refused
        self._used = FreeNames(key=str.lower)

    def take(
        self,
        members: Iterable[tuple[Member, bytes | Refused]],
        clean: Path,
        pool: ThreadPoolExecutor,
    ) -> Iterator[int]:
        """Yields how many are done; a few are decoded ahead, so that memory stays small."""
        waiting: deque[tuple[Member, Future[_Picture | _Deep] | Refused]] = deque()
        done = 0
        with (
            tempfile.TemporaryFile() as aside,
            zipfile.ZipFile(aside, "w") as later,
            zipfile.ZipFile(clean, "w") as archive,
        ):
            for member, data in members:
                job = (
                    data if isinstance(data, Refused) else pool.submit(_checked, data, member.shown)
                )
                waiting.append((member, job))
                if len(waiting) >= 8:
                    self._keep(archive, later, *waiting.popleft())
                    done += 1
                    yield done
            while waiting:
                self._keep(archive, later, *waiting.popleft())
                done += 1
                yield done
            for floats in (False, True):
                some = [(member, deep) for member, deep in self.deep if deep.floats == floats]
                if some:
                    ends = self._ends([deep for _, deep in some])
                    for member, _ in some:
                        picture = _checked(later.read(str(member.place)), member.shown, ends)
                        assert isinstance(picture, _Picture)
                        self._write(archive, member, picture)
                        yield done

    def _ends(self, some: list[_Deep]) -> tuple[float, float]:
        """Which numbers become black and white in all of these, so that they can be compared; and say it."""
        low, high = min(d.low for d in some), max(d.high for d in some)
        bottom, top = images.black_and_white(low, high, some[0].floats)
        narrow = sum((d.high - d.low) * 16 < top - bottom for d in some)
        note = (
            f"{count(len(some), 'picture')} with numbers beyond 8 bits, {low:g}…{high:g}: "
            f"{bottom:g}…{top:g} becomes black to white, the same in all of them, so that they can be compared."
        )
        if narrow and len(some) > 1:
            note += f" {narrow} of them use less than a sixteenth of that and show little."
        self.ranges.append(note)
        return bottom, top

    def _keep(
        self,
        archive: zipfile.ZipFile,
        later: zipfile.ZipFile,
        member: Member,
        job: Future[_Picture | _Deep] | Refused,
    ) -> None:
        folder = self.folders[self.plan.classes[member.place]]
        if isinstance(job, Refused):
            self.refused.append(job)
            return
        try:
            picture = job.result()
        except SpecError as error:
            reason = str(error).removeprefix(member.shown).strip()
            self.lost.setdefault(folder, []).append(reason)
            self.refused.append(
                Refused(member.shown, reason.removeprefix("is ").removeprefix("has "))
            )
            return
        if isinstance(picture, _Deep):
            later.writestr(zipfile.ZipInfo(str(member.place)), picture.data)
            self.deep.append((member, dataclasses.replace(picture, data=b"")))
        else:
            self._write(archive, member, picture)

    def _write(self, archive: zipfile.ZipFile, member: Member, picture: _Picture) -> None:
        folder = self.folders[self.plan.classes[member.place]]
        stem = os.path.splitext(member.parts[-1])[0]
        name = free_name(folder, stem + picture.suffix, self._used)
        archive.writestr(zipfile.ZipInfo(name), picture.data)
        self.names.append(name)
        self.notes.update(picture.notes)
        self.pictures.append(dataclasses.replace(picture, data=b"", notes=()))

    def arrays(self) -> dict[str, np.ndarray]:
        """By picture, in the order of the sorted names, which is that of the Dataset class."""
        order = sorted(range(len(self.names)), key=lambda i: self.names[i])
        some = [self.pictures[i] for i in order]
        return {
            "names": np.array([self.names[i] for i in order]),
            "sizes": np.array([p.size for p in some], dtype=np.int32),  # (N, 2) width, height
            "total": np.stack([p.total for p in some]),  # (N, 3)
            "square": np.stack([p.square for p in some]),  # (N, 3)
        }

    def report(self, name: str) -> dict[str, Any]:
        """What came in and what did not, as the page shows it."""
        counts = Counter(n.split("/")[0] for n in self.names)
        digests = Counter(p.digest for p in self.pictures)
        empty = sorted(set(self.folders.values()) - set(counts))
        notes = [*self.plan.notes, *self.ranges]
        notes += [f"{count(n, 'picture')}: {note}" for note, n in self.notes.most_common(6)]
        for folder in empty:
            reasons = self.lost.get(folder, [])
            if reasons:
                notes.append(
                    f"Class {shown(folder)} is lost with its {count(len(reasons), 'file')}, none of which could be read: "
                    f"it {reasons[0]}"
                )
        if len(counts) == 1:
            only = next(iter(counts))
            notes.append(
                f"All pictures are of one class, {only!r}: nothing can be told apart yet. Put each class in a folder of its own."
            )
        return {
            "name": workspace.display_name(name, 80),
            "layout": self.plan.layout,
            "pictures": len(self.names),
            "classes": dict(sorted(counts.items())),
            "empty": empty,
            "modes": dict(Counter(p.mode for p in self.pictures).most_common()),
            "duplicates": sum(n - 1 for n in digests.values()),
            "refused_count": len(self.refused),
            "refused": [[r.name, r.reason] for r in self.refused[:_LISTED]],
            "notes": notes,
        }


def _checked(data: bytes, name: str, ends: tuple[float, float] | None = None) -> _Picture | _Deep:
    """Decode a picture to its end, as the Dataset class will; what that class cannot show as it is becomes a PNG.

    Args:
        ends: the numbers that become black and white in a deep picture; None has it wait for the others.
    """
    with images.opened(data, name) as image:
        mode, size, form = image.mode, images.upright_size(image), image.format or ""
        if images.is_deep(image) and ends is None:
            values, seen = images.numbers(image)
            some = values[seen] if seen.any() else np.zeros(1)
            return _Deep(data, mode == "F", float(some.min()), float(some.max()))
        notes = [n for n in images.changes(image) if not n.startswith("Its values")]
        plain = form in _SUFFIX and mode in ("1", "L", "RGB", "CMYK", "P", "YCbCr")
        plain = plain and not images.has_large_texts(image)
        if not plain or image.has_transparency_data or getattr(image, "n_frames", 1) > 1:
            data, form = images.to_png(images.to_tensor(image, ends=ends)), "PNG"
        pixels = image_folder.decode(data, CARD_SIDE).double().numpy() / 255  # (3, side, side)
    return _Picture(
        data,
        _SUFFIX[form],
        mode,
        size,
        hashlib.sha256(data).digest(),
        pixels.sum((1, 2)),
        np.square(pixels).sum((1, 2)),
        tuple(notes),
    )


def _office(known: archives.Contents) -> str:
    """What an office document is called, which is a zip inside; "" for any other archive."""
    names = {m.parts[0] for m in known.members}
    if "[Content_Types].xml" in names:
        for folder, kind in {
            "xl": "an Excel workbook (.xlsx)",
            "word": "a Word document",
            "ppt": "a PowerPoint presentation",
        }.items():
            if folder in names:
                return kind
    return "an OpenDocument file" if {"mimetype", "content.xml"} <= names else ""


def _label_tables(
    path: Path, tables: Iterable[Member], names: set[str]
) -> Iterator[tuple[Member, str, list[list[str]], int, int]]:
    """The tables that label pictures of these `_key`s: encoding, rows, the column of files and the one of labels."""
    small = [t for t in tables if t.size <= _TABLE_BYTES]
    for table, data in archives.read(path, small):
        encoding = encodings.of_bytes(data) if isinstance(data, bytes) else ""
        if isinstance(data, bytes) and encoding:
            rows = layout.of_text(data.decode(encoding).removeprefix("\ufeff"))
            if columns := _label_columns(rows, names):
                yield table, encoding, rows, *columns


def _label_columns(rows: list[list[str]], names: set[str]) -> tuple[int, int] | None:
    """Which column names files (of these `_key`s) and which one labels; None when no column names files."""
    if not rows or len(rows[0]) < 2:
        return None
    some = rows[1:201] or rows
    hits = [
        [key for row in some if (key := _key(_file(row, c).split("/")[-1])) in names]
        for c in range(len(rows[0]))
    ]
    # the most different files: classes called 0 and 1 are the names of 0.png and 1.png, too
    file = max(range(len(hits)), key=lambda c: len(set(hits[c])))
    if len(hits[file]) * 2 < len(some):
        return None
    words = [title.strip().lower() for title in rows[0]]
    named = [c for c, word in enumerate(words) if word in _LABEL_WORDS and c != file]
    others = named or [c for c in range(len(words)) if c != file]
    return file, min(others, key=lambda c: len({r[c] for r in some if len(r) > c}))


def _file(row: list[str], column: int) -> str:
    """The path of a file as a table names it."""
    return row[column].strip().replace("\\", "/").removeprefix("./") if len(row) > column else ""


def _key(name: str) -> str:
    """A name as a system compares it that knows no case; accents as one sign (a Mac takes them apart)."""
    return unicodedata.normalize("NFC", name).casefold()


def _hidden(folders: tuple[str, ...]) -> str:
    """The first hidden folder of a path; "" where there is none."""
    return next(
        (part for part in folders if part.startswith(".") or part in ("__pycache__", "__MACOSX")),
        "",
    )


def _folder(name: str) -> str:
    """A learner's word as the name of one folder or file that every system can make."""
    shown = re.sub(r'[<>:"/\\|?*]', "_", workspace.display_name(name)).strip(" .")
    return shown or UNSORTED


def _distinct(folders: dict[str, str]) -> dict[str, str]:
    """The same, with a number behind names that would fall together."""
    free = FreeNames(key=str.lower)
    for name, folder in folders.items():
        folders[name] = free.take(folder, lambda again, folder=folder: f"{folder} ({again})")
    return folders


def _nothing(name: str, made: _Taker) -> str:
    first = f" {made.refused[0].name}: {made.refused[0].reason}." if made.refused else ""
    return (
        f"{workspace.display_name(name)} holds no picture that can be used, only "
        f"{count(len(made.refused), 'other file')}.{first} "
        f"Pack pictures ({images.NAMED}) in a folder for each class."
    )


_SPLIT = re.compile(
    r"(train|training|val|valid|validation|dev|eval|test|testing)([ _-]?(set|data|images|pictures|imgs?|\d+))?",
    re.I,
)
_TEST = re.compile(
    r"(test|testing|unlabell?ed|predict|to[ _-]predict|submission)([ _-]?(set|data|images|pictures|imgs?|\d+))?",
    re.I,
)
# Folders inside of a test that are there because some loader wants one
_NO_LABEL = re.compile(
    r"(unknown|unlabell?ed|no[ _-]?label|images?|imgs?|pictures?|photos?|all|data|none|test|dummy)",
    re.I,
)
_SHEETS = (".xls", ".xlsx", ".xlsm", ".ods")

# Endings that are certainly no picture; anything else is opened to see.
_OTHERS = frozenset(
    {".txt", ".md", ".json", ".jsonl", ".xml", ".html", ".htm", ".svg", ".pdf", ".py", ".ipynb"}
    | {".csv", ".tsv", ".yaml", ".yml", ".log", ".mp4", ".avi", ".mov", ".mp3", ".wav", ".npy"}
    | {".npz", ".pt", ".pth", ".pkl", ".parquet", ".doc", ".docx", ".xls", ".xlsx", ".exe"}
    | {".dll", ".so", ".js", ".css", ".sh", ".bat"}
)
_SUFFIX = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp", "PPM": ".ppm"}
