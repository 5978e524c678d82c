"""An index on its way through the class that serves the data: every line that ran, with what it left behind.

The very object is called while Python tells of each line (`sys.settrace`, which is of this thread alone).
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from models import datasets
from models.core import export
from models.core.seeding import seeded
from models.data import image_folder, image_steps
from models.data.image_folder import ZippedImages

MOST_STEPS = 300  # of one call that are kept
_AGAIN = 3  # times that one line of a loop is kept
MOST_READ = 200  # pictures that a class which reads everything first is given here
_MEASURED = 2_000_000  # numbers of an array of which the range is looked up

Made = tuple[Callable[[], Any], str]  # what makes the data set, and how that is written


@dataclass(frozen=True)
class Value:
    """What a name stands for after a line, in words; `changed` by that very line."""

    name: str
    text: str
    changed: bool


@dataclass(frozen=True)
class Step:
    """A line that has run.

    Attributes:
        line: its row in the shown source, from 0. inside: the function it belongs to.
        values: the names of that function as they are now. said: what came in or goes out there; "" in between.
    """

    line: int
    inside: str
    values: tuple[Value, ...]
    said: str = ""


@dataclass(frozen=True)
class Flow:
    """One call: as it is written, and line by line. `left_out` counts repeated lines that are not kept."""

    call: str
    steps: tuple[Step, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Style:
    """A way to serve pictures: what its menu says, its definitions as shown, and how the class is made."""

    title: str
    shown: tuple[Callable[..., Any], ...]
    make: Callable[[dict[str, str], datasets.Parts, Path], Made]
    reads_all: bool = False
    stream: bool = False


def source(style: str) -> str:
    """The definitions of a style as they stand in the app and in exported scripts."""
    return export.source(*STYLES[style].shown)


def flows(style: str, spec: datasets.Spec, index: int) -> tuple[Flow, ...]:
    """Making the data set, its length, one index (twice: the second time a file is open), each traced as it ran.

    A class that reads everything first gets at most `MOST_READ` pictures, the wanted one among them.

    Raises:
        SpecError: the set is not on this server.
    """
    chosen = STYLES[style]
    made = datasets.parts(spec)
    name = made.data.names[index]
    if chosen.reads_all and len(made.data) > MOST_READ:
        some = {name, *made.data.names[: MOST_READ - 1]}
        rest = {n: "" for n in made.data.names if n not in some}
        made = datasets.parts(spec.replace(rename=json.dumps(datasets.names(spec) | rest)))
    made.data.transform = image_steps.pipeline(spec.steps, made.mean, made.std)
    row = made.data.names.index(name)
    places = _places(chosen.shown)
    asked = [f"data[{row}]", f"data[{row}]  # once more"]
    if chosen.stream:
        asked = ["next(stream)  # stream = iter(data)", "next(stream)  # once more"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, seeded(spec.seed):
        build, written = chosen.make(datasets.names(spec), made, Path(folder))
        data, flow = traced(build, f"data = {written}", places)
        found = [flow, traced(lambda: len(data), "len(data)", places)[1]]
        stream = iter(data) if chosen.stream else iter(())
        take = (lambda: next(stream)) if chosen.stream else (lambda: data[row])
        found += [traced(take, words, places)[1] for words in asked]
    return tuple(found)


def traced(
    call: Callable[[], Any], written: str, places: Mapping[CodeType, int]
) -> tuple[Any, Flow]:
    """Call it and note every line of the watched functions; what it raises becomes the last step's words.

    Args:
        places: for the code of each watched function, the shown row of line 0 of its file.
    """
    notes = _Notes(places)
    result, failed = None, ""
    with _tracing(notes):
        try:
            result = call()
        except Exception as error:  # the very thing to be shown
            failed = f"{type(error).__name__}: {error}"
    steps = tuple(notes.steps)
    if not steps:
        steps = (Step(-1, "", (), failed or f"gives {described(result)}"),)
    return result, Flow(written, steps, notes.left_out)


def described(value: Any) -> str:
    """A value in a few words: type, shape and range of arrays, length and beginning of everything long."""
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{dtype} {tuple(value.shape)}{_range(value)}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}{_range(value)}"
    if isinstance(value, Image.Image):
        return f"{value.format or 'image'} {value.mode}, {value.width} × {value.height}"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes: {value[:4].hex(' ')} …"
    if isinstance(value, (str, Path)) and os.path.isabs(value):  # the server's own: only its end
        value = f"…/{Path(value).name}"
    if isinstance(value, (str, int, float, bool, type(None), Path)):
        text = repr(value)
        return text if len(text) <= 90 else f"{text[:60]} … {text[-20:]}"
    if isinstance(value, tuple) and len(value) <= 4:
        return f"({', '.join(described(v) for v in value)})"
    if isinstance(value, Mapping):
        some = [
            f"{described(k)}: {described(v)}"
            for k, v, _ in zip(value, value.values(), range(2), strict=False)
        ]
        return f"{len(value)} entries {{{', '.join(some)}{', …' if len(value) > 2 else ''}}}"
    if isinstance(value, (list, tuple)):
        some = ", ".join(described(v) for v in value[:2])
        return f"{len(value):,} entries [{some}{', …' if len(value) > 2 else ''}]"
    if callable(value) and hasattr(value, "__qualname__"):
        return value.__qualname__
    return type(value).__name__


class _Notes:
    """Takes down what the tracer tells."""

    def __init__(self, places: Mapping[CodeType, int]) -> None:
        self.places = places
        self.steps: list[Step] = []
        self.left_out = 0
        self._open: dict[
            int, tuple[int, dict[str, str]]
        ] = {}  # by frame: line under way, values before
        self._visits: dict[tuple[int, int], int] = {}

    def call(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code not in self.places:
            return None
        now = _values(frame)
        came = {n: t for n, t in now.items() if "." not in n}
        said = ", ".join(f"{n} = {t}" for n, t in came.items())
        said = f"called with {said}" if said else "called"
        before = {n: t for n, t in now.items() if n not in came}
        if frame.f_lineno != frame.f_code.co_firstlineno:  # a generator, once more
            said, before = "goes on behind this yield", now
        self._note(frame, frame.f_lineno, before, now, said)
        self._open.pop(id(frame), None)
        return self.line

    def line(self, frame: FrameType, event: str, arg: Any) -> Any:
        now = _values(frame)
        under_way = self._open.pop(id(frame), None)
        if event == "exception":  # a "return" that follows at once is its way out
            kind, error, _ = arg
            self._note(frame, frame.f_lineno, now, now, f"raises {kind.__name__}: {error}")
        elif under_way and event == "return":
            yields = frame.f_code.co_flags & inspect.CO_GENERATOR and arg is not None
            said = f"{'yields' if yields else 'returns'} {described(arg)}"
            maker = frame.f_code.co_name == "__init__"
            self._note(frame, *under_way, now, "" if maker else said)
        elif under_way:
            self._note(frame, *under_way, now, "")
        if event == "line":
            self._open[id(frame)] = (frame.f_lineno, now)
        return self.line

    def _note(
        self, frame: FrameType, line: int, before: dict[str, str], now: dict[str, str], said: str
    ) -> None:
        key = (id(frame), line)
        self._visits[key] = self._visits.get(key, 0) + 1
        ends = said.startswith(("returns", "yields", "raises"))
        if not ends and (self._visits[key] > _AGAIN or len(self.steps) >= MOST_STEPS):
            self.left_out += 1
            return
        values = tuple(Value(n, t, before.get(n) != t) for n, t in now.items())
        row = line + self.places[frame.f_code]
        self.steps.append(Step(row, frame.f_code.co_qualname, values, said))


def _values(frame: FrameType) -> dict[str, str]:
    """The names of a function and the attributes of its `self`, in words."""
    names = frame.f_locals
    found = {n: described(v) for n, v in names.items() if n != "self" and n[0] != "."}
    kept = vars(names["self"]) if "self" in names else {}
    return found | {f"self.{n}": described(v) for n, v in kept.items() if n[0] != "_"}


@contextmanager
def _tracing(notes: _Notes) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(notes.call)
    try:
        yield
    finally:
        sys.settrace(before)


def _places(shown: Sequence[Callable[..., Any]]) -> dict[CodeType, int]:
    """For each function of these definitions, what turns its file's line number into a row of the shown source."""
    found: dict[CodeType, int] = {}
    row = 0
    for definition in shown:
        lines, first = inspect.getsourcelines(definition)
        functions = vars(definition).values() if inspect.isclass(definition) else [definition]
        for function in functions:
            if inspect.isfunction(function):
                found[function.__code__] = row - first
        row += len("".join(lines).rstrip().split("\n")) + 2  # as `export.source` joins them
    return found


def _range(values: Any) -> str:
    size = values.numel() if isinstance(values, Tensor) else values.size
    if not size or size > _MEASURED or str(values.dtype) in ("bool", "torch.bool"):
        return ""
    if not isinstance(values, Tensor) and values.dtype.kind not in "iuf":
        return ""
    return f", {float(values.min()):.4g} to {float(values.max()):.4g}"


def _lazy(rename: dict[str, str], made: datasets.Parts, folder: Path) -> Made:
    old = made.data
    return (
        lambda: ZippedImages(old.path, old.side, rename, old.transform),
        f"ZippedImages(path, side={old.side}, rename, transform)",
    )


def _eager(rename: dict[str, str], made: datasets.Parts, folder: Path) -> Made:
    return lambda: image_folder.EagerImages(made.data), "EagerImages(lazy)"


def _mapped(rename: dict[str, str], made: datasets.Parts, folder: Path) -> Made:
    old, path = made.data, folder / "pixels.npy"
    np.save(path, image_folder.EagerImages(old).pixels.numpy())
    return (
        lambda: image_folder.MappedImages(path, old.labels, old.transform),
        "MappedImages(path, labels, transform)",
    )


def _files(rename: dict[str, str], made: datasets.Parts, folder: Path) -> Made:
    old = made.data
    with zipfile.ZipFile(old.path) as archive:
        archive.extractall(
            folder, old.names
        )  # names of the clean zip: none leads out of the folder
    return (
        lambda: image_folder.FileImages(folder, old.names, old.labels, old.side, old.transform),
        f"FileImages(folder, names, labels, side={old.side}, transform)",
    )


def _parquet(rename: dict[str, str], made: datasets.Parts, folder: Path) -> Made:
    import pyarrow as pa
    import pyarrow.parquet as pq

    old, path = made.data, folder / "pictures.parquet"
    with zipfile.ZipFile(old.path) as archive:
        pq.write_table(
            pa.table({"data": [archive.read(n) for n in old.names]}), path, row_group_size=64
        )
    return (
        lambda: image_folder.ParquetImages(path, old.labels, old.side, old.transform),
        f"ParquetImages(path, labels, side={old.side}, transform)",
    )


def _streamed(rename: dict[str, str], made: datasets.Parts, folder: Path) -> Made:
    count = len(made.data)
    return lambda: image_folder.StreamedImages(made.data, count), f"StreamedImages(lazy, {count})"


_DECODE = image_folder.decode
STYLES: dict[str, Style] = {
    "lazy": Style("lazy: reads when asked", (_DECODE, ZippedImages), _lazy),
    "eager": Style(
        "eager: reads everything at the start", (image_folder.EagerImages,), _eager, reads_all=True
    ),
    "mapped": Style(
        "mapped: decoded once, in a file", (image_folder.MappedImages,), _mapped, reads_all=True
    ),
    "files": Style(
        "files: one file for each picture",
        (_DECODE, image_folder.FileImages),
        _files,
        reads_all=True,
    ),
    "parquet": Style(
        "Parquet: row groups of one file",
        (_DECODE, image_folder.ParquetImages),
        _parquet,
        reads_all=True,
    ),
    "iterable": Style(
        "iterable: a stream without indices", (image_folder.StreamedImages,), _streamed, stream=True
    ),
}
