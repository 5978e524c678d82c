"""Training on a table that is never read as a whole: pieces of a Parquet file come, are learned from, and go."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from models import datasets
from models.core import export
from models.core import spec as core
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob
from models.data import workspace
from models.data.wording import names_text, shown

MADE = "made"  # a Parquet file of random numbers
FILE = "table.parquet"


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which file, what to predict, and how to learn it."""

    data: str = knob(MADE, "A made table, or upload: and the id of a Parquet file.", max_chars=80)
    target: str = knob("", "The column to predict; the last one when empty.", max_chars=500)
    batch_size: int = knob(1024, "Rows of a step.", minimum=16, maximum=65_536, log=True)
    hidden: int = knob(
        32, "Units of the hidden layer.", label="Hidden units", minimum=1, maximum=512
    )
    lr: float = knob(
        0.003, "Learning rate of Adam.", label="Learning rate", minimum=1e-5, maximum=1.0, log=True
    )
    epochs: int = knob(1, "Passes over the whole file.", minimum=1, maximum=20)
    num_workers: int = knob(
        0, "Processes that read pieces ahead.", label="Worker processes", minimum=0, maximum=3
    )
    seed: int = knob(0, "Order, split and first weights follow from it.", minimum=0, maximum=999)


@dataclass(frozen=True)
class Preview:
    """What a Parquet file says about itself, and its first rows; nothing else of it was read.

    Attributes:
        columns: (name, type) of each. head: rows as texts.
    """

    rows: int
    groups: int
    size: int
    columns: tuple[tuple[str, str], ...]
    head: tuple[tuple[str, ...], ...]


def make_table(path: str | Path, rows: int = 20_000) -> None:
    """A Parquet file of five random columns and a target that follows from them, in row groups of 2 500."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    g = np.random.default_rng(0)
    x = g.normal(size=(rows, 5)).astype(np.float32)
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.1 * g.normal(size=rows)
    columns = {f"x{k}": x[:, k] for k in range(5)} | {"y": y.astype(np.float32)}
    pq.write_table(pa.table(columns), path, row_group_size=2500)


class RowGroups(IterableDataset):
    """Batches of a Parquet file: one piece of a row group is in memory at a time, its rows in random order."""

    def __init__(
        self,
        path: str | Path,
        columns: list[str],
        target: str,
        groups: list[int],
        classes: list[str],
        batch_size: int,
        seed: int,
    ) -> None:
        self.path, self.columns, self.target = str(path), columns, target
        self.groups, self.classes = groups, classes
        self.batch_size, self.seed = batch_size, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        import pyarrow.parquet as pq

        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(self.groups), generator=generator).tolist()
        file = pq.ParquetFile(self.path)
        for place in order[first::step]:  # each row group belongs to one worker
            pieces = file.iter_batches(
                65_536, row_groups=[self.groups[place]], columns=[*self.columns, self.target]
            )
            for piece in pieces:
                x, y = arrays(piece, self.columns, self.target, self.classes)
                mixed = torch.randperm(len(x), generator=generator)
                for rows in mixed.split(self.batch_size):
                    yield x[rows], y[rows]


def arrays(
    piece: Any, columns: list[str], target: str, classes: list[str]
) -> tuple[Tensor, Tensor]:
    """A piece of a file as (N, F) float32 with NaN where a number is missing, and its targets without gaps.

    Args:
        classes: names of the classes, of which the target becomes the number; [] leaves it a float32 number.
    """
    import pandas as pd

    table = piece.to_pandas()
    if classes:
        codes = pd.Categorical(table[target].astype("str"), categories=classes).codes
        y, known = torch.tensor(codes, dtype=torch.int64), codes >= 0
    else:
        values = table[target].to_numpy("float32", na_value=np.nan)
        y, known = torch.tensor(values), np.isfinite(values)
    x = np.stack([table[c].to_numpy("float32", na_value=np.nan) for c in columns], 1)
    keep = torch.from_numpy(known.copy())
    return torch.tensor(x)[keep], y[keep]


def split_groups(count: int, seed: int) -> tuple[list[int], list[int]]:
    """Row groups for training and for validation: a tenth of them, at least one; a single one serves both."""
    if count == 1:
        return [0], [0]
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    held = max(1, count // 10)
    return sorted(order[held:]), sorted(order[:held])


def mean_loss(model: nn.Module, batches: DataLoader, measure: nn.Module, most: int = 200) -> float:
    """The mean loss over at most so many batches."""
    total, rows = 0.0, 0
    with torch.no_grad():
        for number, (x, y) in enumerate(batches):
            if number == most:
                break
            total += float(measure(model(x), y)) * len(x)
            rows += len(x)
    return total / max(1, rows)


class Scaled(nn.Module):
    """A network behind the scaling of its inputs and, of numbers to predict, of its output."""

    def __init__(self, x: Tensor, y: Tensor, hidden: int, classes: int) -> None:
        super().__init__()
        there = ~x.isnan()
        mean = x.nan_to_num().sum(0) / there.sum(0).clamp_min(1)
        spread = ((x - mean).nan_to_num().square().sum(0) / there.sum(0).clamp_min(1)).sqrt()
        self.mean, self.spread = mean, torch.where(spread > 0, spread, 1.0)
        numbers = not classes and len(y) > 1
        self.shift = float(y.mean()) if numbers else 0.0
        self.scale = (float(y.std()) or 1.0) if numbers else 1.0
        self.layers = nn.Sequential(
            nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, max(1, classes))
        )
        self.numbers = not classes

    def forward(self, x: Tensor) -> Tensor:
        out = self.layers(
            ((x - self.mean) / self.spread).nan_to_num()
        )  # what is missing counts as the mean
        return out[:, 0] * self.scale + self.shift if self.numbers else out


def preview(path: Path, name: str = "The file", rows: int = 8) -> Preview:
    """What is known of a Parquet file from its table of contents, and its first rows.

    Raises:
        SpecError: it is no Parquet file, or damaged.
    """
    file = _opened(path, name)
    columns = tuple((field.name, str(field.type)[:40]) for field in file.schema_arrow)
    head: list[tuple[str, ...]] = []
    for batch in file.iter_batches(rows):
        head = [tuple(str(v)[:60] for v in row.values()) for row in batch.to_pylist()]
        break
    about = file.metadata
    return Preview(about.num_rows, about.num_row_groups, path.stat().st_size, columns, tuple(head))


@dataclass(frozen=True)
class _Task:
    """What is learned: the columns to see, the one to predict, its classes, and a first piece of training rows."""

    columns: list[str]
    target: str
    classes: list[str]
    train: list[int]
    val: list[int]
    first: tuple[Tensor, Tensor]


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """Losses while the file flows by; each row also says how many rows were read and what memory that took.

    Raises:
        SpecError: it is no Parquet file on this server, or its columns cannot be learned from.
    """
    import psutil

    control = control or Control()
    with tempfile.TemporaryDirectory() as folder:
        if spec.data == MADE:
            path, name = Path(folder) / FILE, FILE
            make_table(path)
        else:
            id = spec.data.removeprefix("upload:")
            path, name = workspace.get(id), workspace.display_name(workspace.about(id).name)
        me = psutil.Process()
        before = peak = me.memory_info().rss
        task = _task(spec, path, name)
        total = max(1, spec.epochs * _rows(path, task.train))
        torch.manual_seed(spec.seed)  # a worker's default generator is its own
        model = Scaled(*task.first, spec.hidden, len(task.classes))
        measure: nn.Module = nn.CrossEntropyLoss() if task.classes else nn.MSELoss()
        optimizer = torch.optim.Adam(model.parameters(), lr=spec.lr)
        val = _loader(spec, path, task, task.val, spec.seed)
        start = mean_loss(model, val, measure)
        step = seen = 0
        losses: list[float] = []
        last = {"val_loss": start, "train_loss": float("nan")}
        for epoch in range(spec.epochs):
            for x, y in _loader(spec, path, task, task.train, spec.seed + epoch):
                control.gate()
                loss = measure(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
                step, seen = step + 1, seen + len(x)
                if control.due():
                    peak = max(peak, me.memory_info().rss)
                    row = {
                        "step": step,
                        "epoch": seen / total * spec.epochs,
                        "train_loss": float(np.mean(losses[-50:])),
                        "rows": seen,
                        "megabytes": (peak - before) / 1e6,
                    }
                    yield Snapshot(step, row["epoch"], rows=(row,), frame={"done": seen})
            last = {
                "val_loss": mean_loss(model, val, measure),
                "train_loss": float(np.mean(losses[-50:])),
            }
        peak = max(peak, me.memory_info().rss)
    found = {"step": step, "epoch": float(spec.epochs), "rows": seen, **last}
    frame = {
        "megabytes": (peak - before) / 1e6,
        "target": task.target,
        "classes": task.classes,
        "columns": task.columns,
        "start": start,
        "numbers": {"rows": seen, "steps": step, **last},
    }
    row = {**found, "megabytes": frame["megabytes"]}
    yield Snapshot(step, float(spec.epochs), rows=(row,), frame=frame, final=True)


def numbers(result: Snapshot) -> dict[str, float]:
    """What the script prints."""
    return dict((result.frame or {})["numbers"])


def file_name(spec: Spec) -> str:
    """The Parquet file that the script reads from its own folder."""
    if spec.data == MADE:
        return FILE
    id = spec.data.removeprefix("upload:")
    try:
        return workspace.file_name(workspace.about(id).name, ".parquet")
    except SpecError:  # not on this server: the script waits for it all the same
        return f"table-{workspace.display_name(id, 8)}.parquet"


def to_code(spec: Spec) -> str:
    """A script that trains in the same way on the same file.

    Raises:
        SpecError: the file is on this server, but its columns cannot be learned from.
    """
    file = file_name(spec)
    columns, target, classes = _columns_of(spec)
    imports = """
        from collections.abc import Iterator
        from pathlib import Path
        from typing import Any

        import numpy as np
        import pyarrow.parquet as pq
        import torch
        from torch import Tensor, nn
        from torch.utils.data import DataLoader, IterableDataset, get_worker_info
    """
    made = [make_table] if spec.data == MADE else []
    cells = [
        imports,
        export.source(*made, arrays, RowGroups, split_groups, mean_loss, Scaled),
        _main(spec, file, columns, target, classes),
    ]
    return export.script("Training on a Parquet file that is never read as a whole", cells)


def _main(spec: Spec, file: str, columns: list[str], target: str, classes: list[str]) -> str:
    made = f"make_table({file!r})\n    " if spec.data == MADE else ""
    measure = "nn.CrossEntropyLoss()" if classes else "nn.MSELoss()"
    return f"""def batches(groups: list[int], seed: int) -> DataLoader:
    data = RowGroups({file!r}, columns, target, groups, classes, batch_size={spec.batch_size}, seed=seed)
    return DataLoader(data, batch_size=None, num_workers={spec.num_workers})


columns = {columns!r}
target = {target!r}
classes = {classes!r}
if __name__ == "__main__":
    {made}file = pq.ParquetFile({file!r})
    train, val = split_groups(file.metadata.num_row_groups, seed={spec.seed})
    first = next(file.iter_batches(65_536, row_groups=[train[0]], columns=[*columns, target]))
    torch.manual_seed({spec.seed})
    model = Scaled(*arrays(first, columns, target, classes), hidden={spec.hidden}, classes=len(classes))
    measure = {measure}
    optimizer = torch.optim.Adam(model.parameters(), lr={spec.lr})
    losses, rows = [], 0
    for epoch in range({spec.epochs}):
        for x, y in batches(train, {spec.seed} + epoch):
            loss = measure(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            rows += len(x)

    print(f"rows = {{rows}}")
    print(f"steps = {{len(losses)}}")
    print(f"train_loss = {{np.mean(losses[-50:]):.8f}}")
    print(f"val_loss = {{mean_loss(model, batches(val, {spec.seed}), measure):.8f}}")"""


def _opened(path: Path, name: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SpecError(
            f"{name} is no Parquet file that can be read: its table of contents is damaged or missing. Send it again.",
            "data",
            str(error),
        ) from None


def _rows(path: Path, groups: list[int]) -> int:
    about = _opened(path, "The file").metadata
    return sum(about.row_group(g).num_rows for g in groups)


def _loader(spec: Spec, path: Path, task: _Task, groups: list[int], seed: int) -> DataLoader:
    data = RowGroups(path, task.columns, task.target, groups, task.classes, spec.batch_size, seed)
    return DataLoader(
        data, batch_size=None, **datasets.reading(datasets.Spec(num_workers=spec.num_workers))
    )


def _columns_of(spec: Spec) -> tuple[list[str], str, list[str]]:
    """Columns, target and classes; of a file that is not on this server what the spec alone says."""
    if spec.data == MADE:
        with tempfile.TemporaryDirectory() as folder:
            make_table(Path(folder) / FILE)
            task = _task(spec, Path(folder) / FILE, FILE)
    else:
        id = spec.data.removeprefix("upload:")
        try:
            path, name = workspace.get(id), workspace.display_name(workspace.about(id).name)
        except SpecError:
            return [], spec.target, []
        task = _task(spec, path, name)
    return task.columns, task.target, task.classes


def _task(spec: Spec, path: Path, name: str) -> _Task:
    import pyarrow as pa
    from pyarrow import types

    file = _opened(path, name)
    if not file.metadata.num_rows:
        raise SpecError(f"{name} holds no rows.", "data")
    fields = {f.name: f.type for f in file.schema_arrow}
    amounts = [
        n
        for n, t in fields.items()
        if types.is_integer(t) or types.is_floating(t) or types.is_boolean(t) or types.is_decimal(t)
    ]
    target = spec.target or next((n for n in reversed(fields) if n in amounts), "")
    if target not in fields:
        raise SpecError(
            f"There is no column called {shown(target)}. The columns are: {names_text(fields)}."
            if target
            else f"{name} has no column of numbers to predict.",
            "target",
        )
    columns = [n for n in amounts if n != target]
    if not columns:
        raise SpecError(
            f"Beside {shown(target)} there is no column of numbers to predict it from.", "target"
        )
    train, val = split_groups(file.metadata.num_row_groups, spec.seed)
    try:
        pieces = file.iter_batches(65_536, row_groups=[train[0]], columns=[*columns, target])
        piece = next(pieces)
        values = piece.to_pandas()[target].dropna()
        words = sorted({str(v) for v in values.unique()[:200]})
        whole = target in amounts and not (values.astype("float64") % 1).any()
        few = len(words) <= 20 and (whole or target not in amounts)
        classes = words if few else []
        if not classes and target not in amounts:
            raise SpecError(
                f"Column {shown(target)} holds words, {len(words)} or more different ones. Choose a column of numbers, or "
                "one of 20 different words at most.",
                "target",
            )
        first = arrays(piece, columns, target, classes)
    except (pa.ArrowException, OSError, StopIteration) as error:
        raise SpecError(
            f"{name} is damaged: its first row group cannot be read.", "data", str(error)
        ) from None
    if len(words) < 2 or not len(first[0]):
        raise SpecError(
            f"In the first rows every {shown(target)} is the same, or missing. Choose another column to predict.",
            "target",
        )
    return _Task(columns, target, classes, train, val, first)


VARIATIONS: dict[str, Spec] = {
    "data": Spec(data="upload:" + "0" * 64, target="y"),
    "target": Spec(target="x1"),
}
