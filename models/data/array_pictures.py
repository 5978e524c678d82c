"""Pictures kept as arrays of numbers: one .npy, or an .npz with labels beside them; row by row, nothing pickled."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from models.core.spec import SpecError
from models.data import archives, images, workspace
from models.data.archives import Member, Refused

MOST = 60_000  # pictures of one upload
MAX_SIDE = 4096  # pixels
UNSORTED = "unsorted"

_LABELS = 100_000_000  # bytes of an array that is read as a whole
_DAMAGE = (
    ValueError,
    OSError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    MemoryError,
    OverflowError,
)


@dataclass(frozen=True)
class Array:
    """An array in a file, known by its header alone.

    Attributes:
        opened: gives a file that stands behind the header.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    opened: Callable[[], IO[bytes]]

    def rows(self) -> Iterator[np.ndarray]:
        """One entry of the first axis after the other; only one is held in memory.

        Raises:
            EOFError: the file ends before the array does.
        """
        shape = self.shape[1:]
        size = math.prod(shape) * self.dtype.itemsize
        with closing(self.opened()) as file:
            for _ in range(self.shape[0]):
                data = file.read(size)
                if len(data) < size:
                    raise EOFError
                yield np.frombuffer(data, self.dtype).reshape(shape)


class Plan:
    """Which arrays are pictures and which their classes, as `ingest` asks of any upload.

    Raises:
        SpecError: there is no array of pictures.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.refused: list[Refused] = []
        self.notes: list[str] = []
        self.empty_folders: frozenset[str] = frozenset()
        self.classes: dict[int, str] = {}
        self.sets: list[tuple[Array, list[str]]] = []  # pictures, and the class of each
        found = list(self._arrays(path, name))
        pictures = [
            a for a in found if layout(a.shape) and a.dtype.kind in "buif" and not a.fortran
        ]
        others = [a for a in found if a not in pictures]
        used: set[str] = set()
        place = 0
        names = self._names(others)
        for array in pictures:
            labels = self._labels(array, others, names, used)
            room = max(0, MOST - place)
            if array.shape[0] > room:
                self.notes.append(
                    f"The first {room:,} of the {array.shape[0]:,} pictures of {array.name or name} are taken; one upload "
                    f"may have {MOST:,}."
                )
            kept = labels[:room]
            self.sets.append((array, kept))
            self.classes |= dict(enumerate(kept, place))
            place += len(kept)
        for array in others:
            if array.name not in used and array.name not in names.used:
                self.refused.append(Refused(array.name or name, _why(array)))
        if not self.classes:
            why = f" {self.refused[0].name}: {self.refused[0].reason}." if self.refused else ""
            raise SpecError(
                f"{name} holds no array of pictures.{why} Pictures are (N, height, width), (N, height, width, channels) or "
                "(N, channels, height, width)."
            )
        named = sorted({array.name for array, _ in self.sets})
        self.layout = "labels from " + ", ".join(sorted(used)) if used else "arrays without labels"
        self.notes.append(
            f"Pictures from {', '.join(n or 'the array' for n in named)}: "
            + "; ".join(f"{a.dtype} {a.shape}" for a, _ in self.sets)
            + "."
        )

    def read(self) -> Iterator[tuple[Member, bytes | Refused]]:
        """Every picture as a PNG file, in order; where an array breaks off, one entry that says so."""
        place = 0
        for array, labels in self.sets:
            stem = array.name or "picture"
            done = 0
            try:
                scale = _scale(array, self.notes)
                for row, _ in zip(array.rows(), labels, strict=False):
                    member = Member(place + done, (f"{stem}_{done:05}.png",), row.nbytes)
                    yield member, _png(row, layout(array.shape), scale)
                    done += 1
            except _DAMAGE:
                member = Member(place + done, (f"{stem} from number {done:,} on",), 0)
                yield (
                    member,
                    Refused(member.shown, "the array ends there: the file is cut short or damaged"),
                )
            place += len(labels)

    def _arrays(self, path: Path, name: str) -> Iterator[Array]:
        for word, opener in _openers(path, name, self.refused):
            try:
                yield _header(word, opener)
            except _DAMAGE as error:
                self.refused.append(Refused(word or name, _broken(error)))

    def _names(self, others: list[Array]) -> _Names:
        for array in others:
            plain = array.name.lower().rsplit("/", 1)[-1]
            if plain in _NAMES and len(array.shape) == 1 and array.dtype.kind in "US":
                values = [
                    v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in _whole(array)
                ]
                return _Names(values, frozenset({array.name}))
        return _Names([], frozenset())

    def _labels(
        self, pictures: Array, others: list[Array], names: _Names, used: set[str]
    ) -> list[str]:
        """The class of every picture: of the array of the same length whose name fits best."""
        length = pictures.shape[0]
        unsorted = [UNSORTED] * min(length, MOST)
        fit = [a for a in others if a.name not in names.used and _labelling(a, length)]
        if not fit:
            return unsorted
        best = max(
            fit, key=lambda a: (_alike(pictures.name, a.name), _LABEL.search(a.name) is not None)
        )
        try:
            values = _whole(best)
        except _DAMAGE as error:
            self.refused.append(Refused(best.name, _broken(error)))
            return unsorted
        used.add(best.name)
        if values.ndim == 2:
            values = values[:, 0] if values.shape[1] == 1 else values.argmax(1)
        words = [
            v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v)
            for v in values[:MOST].tolist()
        ]
        known = {str(k): word for k, word in enumerate(names.words)}
        return [known.get(word, word) for word in words]


@dataclass(frozen=True)
class _Names:
    """What classes are called, by number, and the arrays that say so."""

    words: list[str]
    used: frozenset[str]


def is_arrays(path: Path) -> bool:
    """Whether a file is an .npy, or a zip of nothing but such."""
    with path.open("rb") as file:
        head = file.read(6)
    if head == b"\x93NUMPY":
        return True
    if head[:4] != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = [i.filename for i in archive.infolist()[:1000] if not i.filename.endswith("/")]
    except _DAMAGE:
        return False
    return bool(names) and all(n.lower().endswith(".npy") for n in names)


def layout(shape: tuple[int, ...]) -> str:
    """Where the channels of (N, …) pictures stand: "none", "last" or "first"; "" when these are no pictures."""
    sides = shape[1:]
    if not shape or shape[0] < 1:
        return ""
    if len(sides) == 2 and _fits(sides):
        return "none"
    if len(sides) == 3 and sides[2] in (1, 3, 4) and _fits(sides[:2]):
        return "last"
    if len(sides) == 3 and sides[0] in (1, 3, 4) and _fits(sides[1:]):
        return "first"
    return ""


def _fits(sides: tuple[int, ...]) -> bool:
    return all(4 <= side <= MAX_SIDE for side in sides)


def _openers(
    path: Path, name: str, refused: list[Refused]
) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    with path.open("rb") as file:
        if file.read(6) == b"\x93NUMPY":
            yield "", lambda: path.open("rb")
            return
    known = archives.contents(path, name, ratio=1000, member=4_000_000_000)
    refused += known.refused
    archive = zipfile.ZipFile(path)
    infos = archive.infolist()
    for member in known.members:
        info = infos[member.place]
        word = workspace.display_name(info.filename.removesuffix(".npy"), 60)
        yield word, lambda info=info: archive.open(info)


def _header(name: str, opened: Callable[[], IO[bytes]]) -> Array:
    with closing(opened()) as file:
        shape, fortran, dtype = _read_header(file)
    if dtype.hasobject:
        raise ValueError("object")

    def behind() -> IO[bytes]:
        file = opened()
        _read_header(file)
        return file

    array = Array(name, shape, dtype, fortran, behind)
    if len(shape) == 3 and shape[2] in (3, 4) and min(shape[:2]) >= 8 and not fortran:
        return replace(array, shape=(1, *shape))  # one picture in colour
    return array


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read: Any = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    return read(file)


def _whole(array: Array) -> np.ndarray:
    """All of a small array.

    Raises:
        ValueError: it is not small. EOFError: the file ends before it does.
    """
    size = math.prod(array.shape) * array.dtype.itemsize
    if not 0 <= size <= _LABELS:
        raise ValueError("large")
    with closing(array.opened()) as file:
        data = file.read(size)
    if len(data) < size:
        raise EOFError
    return np.frombuffer(data, array.dtype).reshape(
        array.shape, order="F" if array.fortran else "C"
    )


def _labelling(array: Array, length: int) -> bool:
    """Whether an array names a class for each of so many pictures."""
    if not array.shape or array.shape[0] != length or array.dtype.kind not in "biuUS":
        return (
            array.dtype.kind == "f"
            and len(array.shape) == 2
            and array.shape[:1] == (length,)
            and bool(_LABEL.search(array.name))
        )
    return len(array.shape) == 1 or (len(array.shape) == 2 and array.shape[1] <= 1000)


def _alike(pictures: str, labels: str) -> int:
    """How much two names say that they belong together: x_train and y_train, images and labels."""
    return len(
        set(re.split(r"[_\W]+", pictures.lower())) & set(re.split(r"[_\W]+", labels.lower()))
    )


def _scale(array: Array, notes: list[str]) -> tuple[float, float]:
    """What to subtract from the numbers and by what to multiply them so that they become 0 to 255."""
    if array.dtype == np.uint8:
        return 0.0, 1.0
    if array.dtype.kind == "b":
        return 0.0, 255.0
    low, high = (
        math.inf,
        -math.inf,
    )  # of all pictures: their ranges may differ, and they are to be compared
    for row in array.rows():
        some = row[np.isfinite(row)]
        if some.size:
            low, high = min(low, float(some.min())), max(high, float(some.max()))
    low, high = (low, high) if low <= high else (0.0, 1.0)
    bottom, top = images.black_and_white(low, high, array.dtype.kind == "f")
    if (bottom, top) not in ((0.0, 1.0), (0.0, 255.0)):
        notes.append(
            f"The numbers of {array.name or 'the array'} lie between {low:g} and {high:g}; {bottom:g} to {top:g} becomes "
            "0 to 255 in all pictures."
        )
    return bottom, 255.0 / (top - bottom or 1.0)


def _png(row: np.ndarray, where: str, scale: tuple[float, float]) -> bytes:
    low, factor = scale
    if row.dtype != np.uint8:
        values = np.nan_to_num(row.astype(np.float64), posinf=0.0, neginf=0.0)
        row = ((values - low) * factor).round().clip(0, 255).astype(np.uint8)
    if where == "first":
        row = np.moveaxis(row, 0, -1)
    if row.ndim == 3 and row.shape[2] == 1:
        row = row[:, :, 0]
    out = io.BytesIO()
    Image.fromarray(row).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _why(array: Array) -> str:
    shape = " × ".join(map(str, array.shape)) or "a single number"
    if array.fortran and layout(array.shape):
        return f"{array.dtype} of {shape} stands column by column; save it with numpy.ascontiguousarray"
    return f"{array.dtype} of {shape}: neither pictures nor a class for each picture"


def _broken(error: Exception) -> str:
    if "object" in str(error).lower() or "pickle" in str(error).lower():
        return (
            "holds pickled Python objects, which could run any program; save it with a plain dtype"
        )
    if str(error) == "large":
        return f"has more than {_LABELS / 1e6:.0f} MB, too many for labels"
    return "damaged or cut short"


_LABEL = re.compile(
    r"(^|[^a-z])(y|labels?|targets?|class(es)?|categor(y|ies))([^a-z]|$)", re.IGNORECASE
)
_NAMES = ("classes", "class_names", "label_names", "names", "target_names")
