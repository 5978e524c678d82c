"""Mistakes in Dataset classes that PyTorch lets you make, each run as it stands to see what comes of it."""

from __future__ import annotations

import multiprocessing
import os
import struct
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from models.core import export
from models.core import spec as core
from models.core.spec import knob

COUNT = 12


class OpensInInit(Dataset):
    """Opens its file once, in __init__: forked workers share one reading position."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb", buffering=0)

    def __len__(self) -> int:
        return 400

    def __getitem__(self, index: int) -> int:
        self.file.seek(4 * index)
        time.sleep(0.0005)  # as long as it takes to look at a header
        return struct.unpack("<I", self.file.read(4))[0]  # file holds 0, 1, 2, …


class OpensInWorker(Dataset):
    """Opens its file at the first use in each process."""

    def __init__(self, path: Path) -> None:
        self.path, self.opened = path, {}

    def __len__(self) -> int:
        return 400

    def __getitem__(self, index: int) -> int:
        if os.getpid() not in self.opened:
            self.opened = {os.getpid(): self.path.open("rb", buffering=0)}
        file = self.opened[os.getpid()]
        file.seek(4 * index)
        time.sleep(0.0005)
        return struct.unpack("<I", file.read(4))[0]


class TooLong(Dataset):
    """Claims two items more than it has."""

    def __init__(self) -> None:
        self.items = list(range(12))

    def __len__(self) -> int:
        return len(self.items) + 2

    def __getitem__(self, index: int) -> int:
        return self.items[index]


class TooShort(TooLong):
    """Claims three items fewer than it has."""

    def __len__(self) -> int:
        return len(self.items) - 3


class RightLength(TooLong):
    """Claims what it has."""

    def __len__(self) -> int:
        return len(self.items)


class Unsharded(IterableDataset):
    """A stream that every worker reads from its beginning."""

    def __iter__(self) -> Iterator[int]:
        yield from range(12)


class Sharded(IterableDataset):
    """A stream of which each worker reads its share."""

    def __iter__(self) -> Iterator[int]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        yield from range(first, 12, step)


class Ragged(Dataset):
    """Items of different lengths, which the default collate_fn cannot stack."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.arange(index + 1)


def pad(items: list[torch.Tensor]) -> torch.Tensor:
    """Shorter items filled up with zeros: (B, longest)."""
    return torch.nn.utils.rnn.pad_sequence(items, batch_first=True)


@dataclass(frozen=True)
class Case:
    """A mistake and its cure: what to expect of it, and the two ways to load."""

    title: str
    wrong: Callable[[Path], DataLoader]
    right: Callable[[Path], DataLoader]
    shown: tuple[Callable, ...]


@dataclass(frozen=True)
class Spec(core.Spec):
    case: str = knob(
        "unsharded",
        "Which mistake to make.",
        label="Mistake",
        choices=("opens", "long", "short", "unsharded", "ragged"),
    )


@dataclass(frozen=True)
class Result:
    """What came out: of the mistake and of its cure, in a sentence each."""

    wrong: str
    right: str


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """Loads twice, with two workers, and counts what arrived."""
    case = CASES[spec.case]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbers.bin"
        path.write_bytes(struct.pack("<400I", *range(400)))
        return Result(_outcome(case.wrong(path)), _outcome(case.right(path)))


def source(case: str) -> str:
    """The classes of a case as they stand here."""
    return export.source(*CASES[case].shown)


def _outcome(loader: DataLoader) -> str:
    seen: list[int] = []
    padded = 0
    try:
        for batch in loader:
            if batch.ndim == 2:
                padded += int((batch == 0).sum()) - len(batch)  # each item has one true zero
                seen += [len(row) for row in batch]
            else:
                seen += batch.tolist()
    except Exception as error:  # the very thing to be shown, of whatever kind
        traceback.clear_frames(
            error.__traceback__
        )  # they hold the workers, which would wait for 5 s
        last = str(error).strip().splitlines()[-1][:200]
        return f"{type(error).__name__} after {len(seen)} items: {last}"
    if padded:
        return f"{len(seen)} items arrived; {padded} cells are padding."
    return _counted(seen)


def _counted(seen: list[int]) -> str:
    there = 400 if len(seen) > 100 else COUNT
    twice = len(seen) - len(set(seen))
    missing = len(set(range(there)) - set(seen))
    if not twice and not missing:
        return f"All {there} items arrived, each once."
    return f"{len(seen)} items arrived: {twice} more than once, {missing} of {there} never."


def _loader(data: Dataset, size: int = 4, **how) -> DataLoader:
    start = multiprocessing.get_all_start_methods()[0]  # as in a script
    return DataLoader(
        data, batch_size=size, num_workers=2, **{"multiprocessing_context": start, **how}
    )


# only forked workers share an open file; a file that has to travel cannot, which is said in another way
_FORK = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
CASES: dict[str, Case] = {
    "opens": Case(
        "A file opened in __init__",
        lambda path: _loader(OpensInInit(path), 20, multiprocessing_context=_FORK),
        lambda path: _loader(OpensInWorker(path), 20),
        (OpensInInit, OpensInWorker),
    ),
    "long": Case(
        "A length that is too large",
        lambda path: _loader(TooLong()),
        lambda path: _loader(RightLength()),
        (TooLong, RightLength),
    ),
    "short": Case(
        "A length that is too small",
        lambda path: _loader(TooShort()),
        lambda path: _loader(RightLength()),
        (TooLong, TooShort, RightLength),
    ),
    "unsharded": Case(
        "A stream that is not shared out",
        lambda path: _loader(Unsharded()),
        lambda path: _loader(Sharded()),
        (Unsharded, Sharded),
    ),
    "ragged": Case(
        "Items of different lengths",
        lambda path: _loader(Ragged()),
        lambda path: _loader(Ragged(), collate_fn=pad),
        (Ragged, pad),
    ),
}
