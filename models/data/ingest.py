"""Pictures from an uploaded archive, in a worker: checked one by one, put in class folders, described.

The outcome is a clean zip in the workspace: only pictures that open, in folders named like their classes, the
same bytes for the same pictures. Beside it lie a report and a card, so that pages never open the pictures themselves
to say what there is.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import os
import re
import shutil
import tempfile
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
from models.data import archives, array_pictures, image_folder, images, workspace
from models.data.archives import Member, Refused
from models.data.wording import count, names_text

CARD_SIDE = 64  # pixels at which channel statistics are taken
SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
UNSORTED = array_pictures.UNSORTED  # the class of pictures in no folder

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_NOISE = ("Thumbs.db", "desktop.ini", ".DS_Store")
_TABLE_BYTES = 20_000_000
_LISTED = 2000  # refused files named in a report; all are counted
_LABEL_WORDS = ("label", "class", "category", "target", "species", "label_name", "class_name")


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which upload to take pictures from."""

    data: str = knob("", "The upload: upload: and the sha256 of its content.")

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
        plan = _Plan(path, archives.contents(path, workspace.display_name(name)))
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


def free_name(folder: str, file: str, used: set[str]) -> str:
    """A path in a clean zip that is not taken yet; `used` remembers it."""
    stem, suffix = os.path.splitext(file)
    stem = _folder(stem)
    name, again = f"{folder}/{stem}{suffix}", 2
    while name.lower() in used:
        name, again = f"{folder}/{stem} ({again}){suffix}", again + 1
    used.add(name.lower())
    return name


@contextmanager
def packed(files: Iterable[tuple[str, BinaryIO]]) -> Iterator[Path]:
    """Files as they are in one zip on the disk, each under its own name; gone at the end of the `with`."""
    used: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "files.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, file in files:
                base, again = re.split(r"[/\\]", name)[-1] or "file", 2
                title = base
                while title in used:
                    title, again = f"{again}-{base}", again + 1
                used.add(title)
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
        members = [m for m in known.members if not self._noise(m)]
        self.ignored = len(known.members) - len(members)
        tables = [m for m in members if m.parts[-1].lower().endswith((".csv", ".tsv"))]
        candidates = []
        for member in members:
            ending = os.path.splitext(member.parts[-1])[1].lower()
            if ending in _ARCHIVES:
                self._refuse(member, "an archive inside the archive is not opened")
            elif ending in _PICTURES or ending not in _OTHERS:
                candidates.append(member)
            elif member not in tables:
                self._refuse(member, f"no picture ({ending})")
        self.layout = "class folders"
        self.empty_folders: frozenset[str] = frozenset()
        self.classes: dict[
            int, str
        ] = {}  # place of a member: its class's name as the file gives it
        if not self._by_table(path, tables, candidates):
            for table in tables:
                self._refuse(table, "a table that names none of the pictures")
            self._by_folder(candidates, known.folders)
        self.members = [m for m in candidates if m.place in self.classes]

    def _noise(self, member: Member) -> bool:
        last = member.parts[-1]
        return "__MACOSX" in member.parts or last in _NOISE or last.startswith("._")

    def _refuse(self, member: Member, reason: str) -> None:
        self.refused.append(Refused(member.shown, reason))

    def _by_folder(self, members: list[Member], folders: Iterable[tuple[str, ...]]) -> None:
        paths = [m.parts for m in members] + [(*f, "") for f in folders]
        skip = 0
        while len({p[skip] for p in paths if len(p) > skip}) == 1 and all(
            len(p) > skip + 2 or p[-1] == "" for p in paths
        ):
            skip += 1
        tops = {p[skip].lower() for p in paths if len(p) > skip + 1}
        if tops and tops <= SPLITS:
            skip += 1
            self.notes.append(
                f"Its folders {names_text(sorted(tops))} are put together; the split is made anew here."
            )
        for member in members:
            inside = member.parts[skip:-1]
            self.classes[member.place] = inside[0] if inside else UNSORTED
        self.empty_folders = frozenset(p[skip] for p in paths if p[-1] == "" and len(p) == skip + 2)
        if set(self.classes.values()) == {UNSORTED}:
            self.layout = "no folders"

    def _by_table(self, path: Path, tables: list[Member], members: list[Member]) -> bool:
        """Classes from the first table of which a column names pictures of the archive."""
        names: dict[str, list[Member]] = {}
        for member in members:
            whole = "/".join(member.parts)
            for key in {whole, member.parts[-1], os.path.splitext(member.parts[-1])[0]}:
                names.setdefault(key, []).append(member)
        small = [t for t in tables if t.size <= _TABLE_BYTES]
        for table, data in archives.read(path, small):
            rows = _rows(data) if isinstance(data, bytes) else []
            found = _label_columns(rows, set(names))
            if found is None:
                continue
            file, label = found
            for row in rows[1:]:
                key = row[file].replace("\\", "/").removeprefix("./") if len(row) > file else ""
                for member in names.get(key, []) or names.get(key.split("/")[-1], []):
                    self.classes[member.place] = row[label] if len(row) > label else ""
            self.layout = (
                f"labels from {table.shown}, column {workspace.display_name(rows[0][label], 40)!r}"
            )
            for member in members:
                if not self.classes.get(member.place, "").strip():
                    self.classes.pop(member.place, None)
                    self._refuse(member, f"{table.shown} has no label for it")
            return True
        return False


class _Taker:
    """Reads pictures, writes the clean zip, and keeps the numbers of the card."""

    def __init__(self, plan: _Plan | array_pictures.Plan) -> None:
        self.plan = plan
        self.folders = folders(sorted(set(plan.classes.values()) | plan.empty_folders))
        self.names: list[str] = []  # in the clean zip
        self.pictures: list[_Picture] = []  # without their bytes
        self.refused = list(plan.refused)
        self.changed = 0
        self._used: set[str] = set()

    def take(
        self,
        members: Iterable[tuple[Member, bytes | Refused]],
        clean: Path,
        pool: ThreadPoolExecutor,
    ) -> Iterator[int]:
        """Yields how many are done; a few are decoded ahead, so that memory stays small."""
        waiting: deque[tuple[Member, Future[_Picture] | Refused]] = deque()
        done = 0
        with zipfile.ZipFile(clean, "w") as archive:
            for member, data in members:
                job = (
                    data if isinstance(data, Refused) else pool.submit(_checked, data, member.shown)
                )
                waiting.append((member, job))
                if len(waiting) >= 8:
                    self._keep(archive, *waiting.popleft())
                    done += 1
                    yield done
            while waiting:
                self._keep(archive, *waiting.popleft())
                done += 1
                yield done

    def _keep(
        self, archive: zipfile.ZipFile, member: Member, job: Future[_Picture] | Refused
    ) -> None:
        if isinstance(job, Refused):
            self.refused.append(job)
            return
        try:
            picture = job.result()
        except SpecError as error:
            reason = str(error).removeprefix(member.shown).strip()
            self.refused.append(
                Refused(member.shown, reason.removeprefix("is ").removeprefix("has "))
            )
            return
        folder = self.folders[self.plan.classes[member.place]]
        stem = os.path.splitext(member.parts[-1])[0]
        name = free_name(folder, stem + picture.suffix, self._used)
        archive.writestr(zipfile.ZipInfo(name), picture.data)
        self.names.append(name)
        self.pictures.append(dataclasses.replace(picture, data=b""))

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
        notes = list(self.plan.notes)
        if self.plan.ignored:
            notes.append(
                f"{count(self.plan.ignored, 'file')} that systems leave behind (.DS_Store and the like) ignored."
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


def _checked(data: bytes, name: str) -> _Picture:
    """Decode a picture to its end, as the Dataset class will; what that class cannot show as it is becomes a PNG."""
    with images.opened(data, name) as image:
        mode, size, form = image.mode, image.size, image.format or ""
        plain = form in _SUFFIX and mode in ("1", "L", "RGB", "CMYK", "P", "YCbCr")
        if not plain or image.has_transparency_data or getattr(image, "n_frames", 1) > 1:
            data, form = images.to_png(images.to_tensor(image)), "PNG"
        pixels = image_folder.decode(data, CARD_SIDE).double().numpy() / 255  # (3, side, side)
    return _Picture(
        data,
        _SUFFIX[form],
        mode,
        size,
        hashlib.sha256(data).digest(),
        pixels.sum((1, 2)),
        np.square(pixels).sum((1, 2)),
    )


def _rows(data: bytes) -> list[list[str]]:
    """A table's rows; an unreadable one has none."""
    for encoding in ("utf-8-sig", "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeError:
            continue
    else:
        return []
    try:
        dialect = csv.Sniffer().sniff(text[:4000], delimiters=",;\t|")
        return [row for row in csv.reader(io.StringIO(text), dialect) if row]
    except csv.Error:
        return []


def _label_columns(rows: list[list[str]], names: set[str]) -> tuple[int, int] | None:
    """Which column names files and which one labels; None when no column names files."""
    if len(rows) < 2 or len(rows[0]) < 2:
        return None
    some = rows[1:201]
    hits = [
        sum(len(r) > c and r[c].replace("\\", "/").split("/")[-1] in names for r in some)
        for c in range(len(rows[0]))
    ]
    file = max(range(len(hits)), key=lambda c: hits[c])
    if hits[file] * 2 < len(some):
        return None
    words = [title.strip().lower() for title in rows[0]]
    named = [c for c, word in enumerate(words) if word in _LABEL_WORDS and c != file]
    others = named or [c for c in range(len(words)) if c != file]
    return file, min(others, key=lambda c: len({r[c] for r in some if len(r) > c}))


def _folder(name: str) -> str:
    """A learner's word as the name of one folder or file that every system can make."""
    shown = re.sub(r'[<>:"/\\|?*]', "_", workspace.display_name(name)).strip(" .")
    return shown or UNSORTED


def _distinct(folders: dict[str, str]) -> dict[str, str]:
    """The same, with a number behind names that would fall together."""
    used: set[str] = set()
    for name, folder in folders.items():
        chosen, again = folder, 2
        while chosen.lower() in used:
            chosen, again = f"{folder} ({again})", again + 1
        used.add(chosen.lower())
        folders[name] = chosen
    return folders


def _nothing(name: str, made: _Taker) -> str:
    first = f" {made.refused[0].name}: {made.refused[0].reason}." if made.refused else ""
    return (
        f"{workspace.display_name(name)} holds no picture that can be used, only "
        f"{count(len(made.refused), 'other file')}.{first} "
        "Pack pictures (PNG, JPEG, WebP, GIF, BMP, TIFF) in a folder for each class."
    )


# Endings that are certainly no picture; anything else is opened to see.
_OTHERS = frozenset(
    {".txt", ".md", ".json", ".jsonl", ".xml", ".html", ".htm", ".svg", ".pdf", ".py", ".ipynb"}
    | {".csv", ".tsv", ".yaml", ".yml", ".log", ".mp4", ".avi", ".mov", ".mp3", ".wav", ".npy"}
    | {".npz", ".pt", ".pth", ".pkl", ".parquet", ".doc", ".docx", ".xls", ".xlsx", ".exe"}
    | {".dll", ".so", ".js", ".css", ".sh", ".bat"}
)
_SUFFIX = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp", "PPM": ".ppm"}
