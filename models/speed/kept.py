"""Measurements that outlive the server: per learner, in the workspace, so many and so long.

PLAYGROUND_HOME/measurements/<hash of the owner>/<run>/about.json   {"created", "settings", "sample", "machine"}
                                                       result.json  everything the measurement found
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.core import spec as specs
from models.core import wire
from models.core.spec import SpecError
from models.data import workspace
from models.speed.spec import Spec
from models.speed.verdict import Sample

MOST = 100  # measurements of one learner
QUOTA = 500_000_000  # bytes of all learners together
MAX_AGE = workspace.MAX_AGE  # seconds

_RUN = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True)
class Kept:
    """One measurement as the history lists it.

    Attributes:
        run: the id of the run that measured; created: seconds since 1970.
        sample: the times that stand for it; None where there are many, as of the levers.
        machine: what measured, see `machine.Machine`.
    """

    run: str
    created: float
    spec: Spec
    sample: Sample | None
    machine: Mapping[str, Any]


def keep(owner: str, run: str, created: float, spec: Spec, told: Mapping[str, Any]) -> None:
    """Keep a finished measurement; once is enough, and what was forgotten stays so.

    A disk that is full or read-only costs the history, never the page.
    """
    folder = _folder(owner, run)
    if folder is None or has(owner, run):
        return
    one = main_sample(told)
    about = {
        "created": created,
        "settings": {name: getattr(spec, name) for name in specs.knobs(Spec)},
        "sample": vars(one) if one else None,
        "machine": told["machine"],
    }
    with contextlib.suppress(OSError):
        workspace.write_json(folder / "result.json", json.loads(wire.dumps(told)))
        # last: whoever finds this finds the result
        workspace.write_json(folder / "about.json", json.loads(wire.dumps(about)))
        prune()


def has(owner: str, run: str) -> bool:
    """Whether a measurement is kept already, or was forgotten on purpose."""
    folder = _folder(owner, run)
    return folder is not None and (folder / "about.json").exists()


def listing(owner: str) -> list[Kept]:
    """All kept measurements of a learner, the oldest first; what cannot be read any more is left out."""
    found = [one for path in _of(owner) if (one := _read(path)) is not None]
    return sorted(found, key=lambda one: one.created)


def result(owner: str, run: str) -> dict[str, Any] | None:
    """Everything that a kept measurement found; None when this learner has none of that id."""
    folder = _folder(owner, run)
    if folder is None or _read(folder) is None:
        return None
    try:
        return wire.loads((folder / "result.json").read_bytes())
    except (OSError, ValueError):
        return None


def spec_of(owner: str, run: str) -> Spec | None:
    """The settings of a kept measurement; None when this learner has none of that id."""
    folder = _folder(owner, run)
    one = _read(folder) if folder is not None else None
    return one.spec if one else None


def forget(owner: str, run: str) -> None:
    """Take a measurement out of the history; a mark stays until its time, so that it does not come back."""
    folder = _folder(owner, run)
    if folder is not None:
        (folder / "result.json").unlink(missing_ok=True)
        workspace.write_json(folder / "about.json", {"forgotten": time.time()})


def prune() -> None:
    """Remove what is too old, what is too many for one learner, and the oldest of all beyond the quota."""
    learners = _home().iterdir() if _home().exists() else ()
    everything: list[tuple[float, int, Path]] = []
    for learner in learners:
        mine = sorted((_age(path), path) for path in learner.iterdir())
        for number, (age, path) in enumerate(mine):
            if age > MAX_AGE or number >= MOST:
                shutil.rmtree(path, ignore_errors=True)
            else:
                everything.append((age, sum(f.stat().st_size for f in path.iterdir()), path))
    total = sum(size for _, size, _ in everything)
    for _, size, path in sorted(everything, reverse=True):
        if total <= QUOTA:
            return
        shutil.rmtree(path, ignore_errors=True)
        total -= size


def main_sample(told: Mapping[str, Any]) -> Sample | None:
    """The times that stand for a measurement; None for the levers, which have many."""
    value: Any = told
    for name in _MAIN.get(told["part"], ("",)):
        value = value.get(name) if isinstance(value, Mapping) else None
    return _sample(value)


# part → where its sample lies
_MAIN = {
    "benchmark": ("samples", "full step"),
    "profile": ("plain",),
    "precision": ("rows", "float32", "sample"),
    "memory": ("samples", "plain"),
    "compile": ("samples", "compiled"),
}


def _sample(value: Mapping[str, Any] | None) -> Sample | None:
    if not value:
        return None
    first = value["first"]
    known = (value["median"], value["low"], value["high"], value["count"])
    return Sample(*known, float("nan") if first is None else first)


def _read(folder: Path) -> Kept | None:
    """What a folder tells; None of a forgotten, damaged or foreign one, or where a setting is no longer known."""
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        return Kept(
            folder.name,
            float(about["created"]),
            Spec(**about["settings"]),
            _sample(about["sample"]),
            about["machine"],
        )
    except (OSError, ValueError, TypeError, KeyError, SpecError):
        return None


def _home() -> Path:
    return workspace.home() / "measurements"


def _of(owner: str) -> list[Path]:
    try:
        return list((_home() / workspace.hashed(owner)).iterdir())
    except FileNotFoundError:
        return []


def _folder(owner: str, run: str) -> Path | None:
    """Where a run is kept; None for an id that no run has."""
    return _home() / workspace.hashed(owner) / run if _RUN.fullmatch(run) else None


def _age(path: Path) -> float:
    try:
        return time.time() - (path / "about.json").stat().st_mtime
    except FileNotFoundError:
        return 0.0  # being written
