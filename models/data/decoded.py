"""Uploaded tables, decoded once and remembered beside the upload."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from models.core.spec import SpecError
from models.data import csv_files, decisions, workspace
from models.data.csv_files import AUTO, CsvOptions, Profile
from models.data.tables import Column
from models.data.wording import shown

MAX_WORDS = 100_000  # different words of a column that is kept decoded
CACHE_VERSION = 3


def profile(id: str, options: CsvOptions = AUTO) -> Profile:
    """What the kept file holds; read and decoded once, then remembered beside it.

    Raises:
        SpecError: it is not on this server, or it is no table; the message says where and why.
    """
    known = remembered(id, options)
    if known is not None:
        return known
    shutil.rmtree(_cache(id, options), ignore_errors=True)  # damaged from outside
    about = workspace.about(id)
    found, table = csv_files.read_csv(workspace.get(id), about.name, options)
    with contextlib.suppress(
        OSError
    ):  # a full or read-only disk: it is read again when it is asked for
        _remember(_cache(id, options), found, table)
    return found


def remembered(id: str, options: CsvOptions = AUTO) -> Profile | None:
    """The profile if it was made before; None where `profile` would have to read the whole file.

    Raises:
        SpecError: the file is not on this server.
    """
    try:
        known = json.loads((_cache(id, options) / "profile.json").read_text(encoding="utf-8"))
        columns = tuple(Column(**{**c, "examples": tuple(c["examples"])}) for c in known["columns"])
        tuples = {name: tuple(known[name]) for name in ("named", "skipped")}
        head = tuple(map(tuple, known["head"]))
        decided = decisions.restored(known["decisions"])
        signs = {name: (one, two) for name, (one, two) in known["numbers"].items()}
        return Profile(
            **{
                **known,
                **tuples,
                "numbers": signs,
                "columns": columns,
                "head": head,
                "decisions": decided,
            }
        )
    except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged from outside
        return None


def load(
    id: str, options: CsvOptions, names: Sequence[str], rows: np.ndarray | None = None
) -> pd.DataFrame:
    """These columns of the kept file, decoded: numbers and dates as float32, words as categories.

    `rows` are the numbers of the wanted rows, from 0; all when None. Only what is asked for is read from disk.

    Raises:
        SpecError: it is not on this server, or a column holds too many different words to be kept decoded.
    """
    places = {c.name: i for i, c in enumerate(profile(id, options).columns)}
    workspace.get(id)  # counts as a use
    cache = _cache(id, options)
    table = {}
    for name in names:
        path = cache / f"{places[name]}.npy"
        if not path.exists():
            raise SpecError(
                f"Column {shown(name)} holds more than {MAX_WORDS} different words, too many to learn from. Leave it out.",
                "features",
            )
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
        values = stored if rows is None else stored[rows]
        if stored.dtype == np.float32:
            table[name] = values
        else:
            words = json.loads((cache / f"{places[name]}.json").read_text(encoding="utf-8"))
            table[name] = pd.Categorical.from_codes(values, words)
    return pd.DataFrame(table, index=None if rows is None else pd.Index(rows))


def _cache(id: str, options: CsvOptions) -> Path:
    key = hashlib.sha256(repr((CACHE_VERSION, options)).encode("utf-8", "replace")).hexdigest()[:16]
    return workspace.folder(id) / "cache" / key


def _remember(cache: Path, found: Profile, table: pd.DataFrame) -> None:
    """Write the decoded columns, then the profile, then put the folder in its place in one step."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=cache.parent, suffix=".part"))
    try:
        for i, about in enumerate(found.columns):
            column = cast(pd.Series, table[about.name])
            if column.dtype != "category":
                np.save(part / f"{i}.npy", column.to_numpy("float32"))
            elif about.distinct <= MAX_WORDS:
                words = [str(word) for word in column.cat.categories]
                (part / f"{i}.json").write_text(json.dumps(words), encoding="utf-8")
                np.save(part / f"{i}.npy", column.cat.codes.to_numpy("int32"))
        (part / "profile.json").write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")
        with contextlib.suppress(OSError):  # another process was first
            part.rename(cache)
    finally:
        shutil.rmtree(part, ignore_errors=True)
