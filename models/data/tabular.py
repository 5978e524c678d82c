"""From a named table to the tensors a model trains on, every decision said and printed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from models.core import export, recipe
from models.core.recipe import Given, Name, Step
from models.core.spec import Spec, SpecError, knob
from models.data import (
    bundled,
    cells,
    csv_files,
    decoded,
    example,
    proposal,
    steps,
    tables,
    toy,
    workspace,
)
from models.data.wording import count, names_text, shown

MAX_CLASSES = proposal.MAX_CLASSES
READ_AT_ONCE = 1_000_000  # bytes of a table that a page may read itself: about 20 ms
MAX_CELLS = 100_000_000  # rows × input columns of float32: 400 MB


@dataclass(frozen=True)
class TableSpec(Spec):
    """Which data, and how it becomes input columns, a target and three splits.

    `data` is a made set (`toy.TOYS`), a bundled set (`bundled.BUNDLED`) or "upload:" and the sha256 of a
    CSV in the workspace. Fields that do not concern the chosen data have no effect.
    """

    data: str = knob("iris", "Which data to learn from: a made set, a real one, or your own table.")
    points: int = knob(500, "How many points a made set has.", minimum=10, maximum=5000, step=10)
    noise: float = knob(
        0.1, "How far the points of a made set stray.", minimum=0, maximum=1, step=0.05
    )
    inputs: str = knob(
        "x1,x2",
        "What the model sees of each point of a made set, out of: " + ", ".join(toy.INPUTS) + ".",
    )
    edits: str = knob(
        "",
        "Points added (+x1,x2,class) and removed (-number) by hand, parted by ;.",
        label="Points set by hand",
        max_chars=8000,
    )
    separator: str = knob("auto", csv_files.HELP["separator"], choices=csv_files.SEPARATORS)
    encoding: str = knob("auto", csv_files.HELP["encoding"], choices=csv_files.ENCODINGS)
    header: str = knob(
        "auto", csv_files.HELP["header"], label="Header line", choices=csv_files.HEADERS
    )
    decimal: str = knob(
        "auto", csv_files.HELP["decimal"], label="Decimal sign", choices=csv_files.DECIMALS
    )
    column_kinds: str = knob(
        "", csv_files.HELP["column_kinds"], label="Kinds of columns", max_chars=20_000
    )
    skip_lines: str = knob(
        "auto", csv_files.HELP["skip_lines"], label="Lines left out", max_chars=2000
    )
    missing_words: str = knob(
        "", csv_files.HELP["missing_words"], label="Words that mean missing", max_chars=5000
    )
    target: str = knob(
        "", "The column to predict; proposed from all columns when empty.", max_chars=5000
    )
    features: str = knob(
        "",
        "The columns to predict it from, parted by commas; all useful ones when empty.",
        max_chars=20_000,
    )
    task: str = knob(
        "auto", "Predict a class or a number.", choices=("auto", "classification", "regression")
    )
    missing: str = knob(
        "median",
        "What stands in for a missing number, measured on training rows; or such rows are dropped.",
        label="Missing values",
        choices=("median", "mean", "drop"),
    )
    was_missing: bool = knob(
        True,
        "Tell the model which numbers were missing, in a column of 0 and 1 each.",
        label="Mark what was missing",
    )
    categories: str = knob(
        "one-hot",
        "What happens to columns of words.",
        label="Columns of words",
        choices=("one-hot", "drop"),
    )
    max_categories: int = knob(
        20,
        "The most columns one category may become; rarer values become all zeros.",
        label="Most categories",
        minimum=2,
        maximum=1000,
    )
    val_fraction: float = knob(
        0.2,
        "Share of the rows kept for validation.",
        label="Validation share",
        minimum=0,
        maximum=0.8,
        step=0.05,
    )
    test_fraction: float = knob(
        0.2,
        "Share of the rows kept for the final test.",
        label="Test share",
        minimum=0,
        maximum=0.8,
        step=0.05,
    )
    stratify: bool = knob(
        True, "Give every class the same share in each split.", label="Same classes in each split"
    )
    normalise: str = knob(
        "standard",
        "Bring all inputs to the same scale, measured on training rows only.",
        label="Normalise inputs",
        choices=("standard", "min-max", "none"),
    )
    normalise_target: bool = knob(
        True,
        "Also bring the target of a regression to mean 0 and deviation 1.",
        label="Normalise the target",
    )
    data_seed: int = knob(
        0,
        "Seed of the made points and of the split.",
        label="Seed of data and split",
        minimum=0,
        maximum=2**31 - 1,
    )

    @property
    def upload(self) -> str:
        """The workspace id of an uploaded table; "" for made and bundled sets."""
        return self.data.removeprefix("upload:") if self.data.startswith("upload:") else ""

    @property
    def csv(self) -> csv_files.CsvOptions:
        """How to read an uploaded table."""
        return csv_files.options_of(self)

    def check(self) -> None:
        if not (
            self.data in toy.TOYS or self.data in bundled.BUNDLED or _UPLOAD.fullmatch(self.data)
        ):
            names = ", ".join([*bundled.BUNDLED, *toy.TOYS])
            raise SpecError(
                f"There is no data called {self.data[:40]!r}. Choose one of: {names}, or upload a table.",
                "data",
            )
        if self.val_fraction + self.test_fraction > 0.9:
            raise SpecError(
                f"Validation takes {self.val_fraction:g} and test {self.test_fraction:g} of the rows, which leaves "
                f"{1 - self.val_fraction - self.test_fraction:.2g} for training. Together they may take 0.9 at most.",
                "val_fraction",
            )
        if self.data in toy.TOYS:
            self._check_toy()
        elif self.target and self.target in tables.comma_list(self.features):
            raise SpecError(_TARGET_IS_INPUT.format(shown(self.target)), "features")
        tables.parse_kinds(self.column_kinds)
        tables.parse_lines(self.skip_lines)

    def _check_toy(self) -> None:
        about = toy.TOYS[self.data]
        if self.task not in ("auto", about.task):
            raise SpecError(
                f"{about.title} poses a {about.task}, not a {self.task}. Choose {about.task} or auto.",
                "task",
            )
        inputs = tables.comma_list(self.inputs)
        for name in inputs:
            if name not in toy.INPUTS:
                raise SpecError(
                    f"There is no input called {name[:40]!r}. Choose out of: {', '.join(toy.INPUTS)}.",
                    "inputs",
                )
        if not inputs:
            raise SpecError(
                "The model sees no input at all. Choose at least one, such as x1.", "inputs"
            )
        if len(set(inputs)) < len(inputs):
            raise SpecError(
                f"An input is chosen twice in {self.inputs!r}. Once is enough.", "inputs"
            )
        added, removed = parse_edits(self.edits)
        for x1, x2, value in added:
            if about.task == "classification" and value not in (0, 1):
                raise SpecError(
                    f"The point at ({x1:g}, {x2:g}) has the class {value:g}, but {about.title} has the classes 0 and 1.",
                    "edits",
                )
        for row in removed:
            if row >= self.points + len(added):
                raise SpecError(
                    f"Point {row} cannot be removed: there are {self.points + len(added)}, counted from 0.",
                    "edits",
                )


@dataclass(frozen=True)
class Prepared:
    """What a model trains on.

    Shape:
        x_*: (N, F) float32, normalised; y_*: (N,) int64 classes, or (N,) float32 normalised targets.
        rows_*: (N,) int64, the number of each row in the original data, counted from 0 without the header.
        points_*: (N, 2) float32 for made sets, the coordinates behind the inputs; None for tables.
        shift, scale: (F,) float32 with x = (original - shift) / scale, measured on training rows only.
        target_shift, target_scale: the same for a regression's target (0 and 1 for classes).

    Attributes:
        task: "classification" or "regression".
        target, features, classes: names; one feature per input column; no classes for a regression.
        sources: the column of the original data that each feature was made from.
        decisions: every decision taken on the way, a sentence with its numbers each.
        inputs: the input columns of a made set by name; () for tables.
        values: of each category column the words that became columns; gaps: the numbers of the columns of which
            another column says where they were missing; missing: what stands in for a missing number ("median", "mean" or
            "drop": nothing does); fill: it, by input column (NaN where none was missing); dates: the format of date columns.
    """

    task: str
    x_train: Tensor
    y_train: Tensor
    x_val: Tensor
    y_val: Tensor
    x_test: Tensor
    y_test: Tensor
    rows_train: Tensor
    rows_val: Tensor
    rows_test: Tensor
    points_train: Tensor | None
    points_val: Tensor | None
    points_test: Tensor | None
    target: str
    features: tuple[str, ...]
    sources: tuple[str, ...]
    classes: tuple[str, ...]
    shift: Tensor
    scale: Tensor
    target_shift: float
    target_scale: float
    decisions: tuple[str, ...]
    inputs: tuple[str, ...]
    values: dict[str, list[str]]
    gaps: tuple[int, ...]
    missing: str
    fill: Tensor
    dates: dict[str, str]

    def transform(self, rows: pd.DataFrame | Tensor) -> Tensor:
        """New rows as the model's inputs, by the very statistics of the training rows.

        Shape:
            rows: a table with the columns of `sources`, or (N, 2) points of a made set; returns (N, F).

        Raises:
            SpecError: a column is missing from the table, or a number column holds words. A missing number
                becomes the training rows' mean or median, or stays NaN where incomplete rows were dropped.
        """
        if isinstance(rows, Tensor):
            return steps.scaled(toy.expand(rows, list(self.inputs)), self.shift, self.scale)
        if self.inputs:
            return self.transform(
                torch.from_numpy(_pick(rows, ("x1", "x2")).to_numpy("float32", copy=True))
            )
        table = _pick(rows, tuple(dict.fromkeys(self.sources)))
        for name in table:
            if name in self.values:
                table[name] = table[name].astype("object").map(str, na_action="ignore")
            else:
                table[name] = _numbers(cast(pd.Series, table[name]), self.dates.get(name, ""))
        x = steps.encode(table, self.values)
        x = steps.mark_gaps(torch.where(x.isfinite(), x, math.nan), list(self.gaps))
        x = steps.filled(x, self.fill)
        if self.missing != "drop" and x.isnan().any():  # where no row of the data had a gap
            fill = FILLS[self.missing](self.x_train) * self.scale + self.shift
            x = steps.filled(x, fill)
        return steps.scaled(x, self.shift, self.scale)


def prepare(spec: TableSpec) -> Prepared:
    """The tensors of this spec, made by the functions that `to_cells` prints.

    Raises:
        SpecError: the data cannot be learned from as asked; the message says what to change.
    """
    return _prepare_toy(spec) if spec.data in toy.TOYS else _prepare_table(spec)


def task_of(spec: TableSpec) -> str:
    """Either "classification" or "regression": as chosen, or as the data proposes."""
    return toy.TOYS[spec.data].task if spec.data in toy.TOYS else plan(spec).task


def ready(spec: TableSpec) -> bool:
    """Whether `plan`, `prepare` and `to_cells` need not read a large file first.

    Where this is False, a page starts `models.data.profiling` in a worker and waits for it.

    Raises:
        SpecError: the data is not on this server.
    """
    if not spec.upload or spec.data == example.DATA:
        return True
    small = workspace.about(spec.upload).size <= READ_AT_ONCE
    return small or decoded.remembered(spec.upload, spec.csv) is not None


@dataclass(frozen=True)
class Plan:
    """What a table spec comes to once the columns are known, and why.

    Attributes:
        columns: what every column of the table holds.
        target, features: the columns to use, in the table's order.
        task: "classification" or "regression".
        why, why_task: why this target and this task, a clause each.
        left_out: why which other column is no feature; of features chosen by hand only those that cannot be.
        decisions: a sentence each.
    """

    columns: tuple[tables.Column, ...]
    target: str
    features: tuple[str, ...]
    task: str
    why: str
    why_task: str
    left_out: Mapping[str, str]
    decisions: tuple[str, ...]


def plan(spec: TableSpec) -> Plan:
    """Target, features and task for a table, proposed where the spec leaves them open.

    Raises:
        SpecError: a chosen column is not there or cannot be used so.
    """
    columns = {c.name: c for c in columns_of(spec)}
    said: list[str] = []
    if len(columns) < 2:
        raise SpecError(
            f"The table has a single column, {names_text(columns)}. A model needs at least one column to learn "
            "from and one to predict. If the columns are parted by another character, choose it as separator.",
            "separator",
        )
    target, why = spec.target, "it was chosen by hand"
    if not target and spec.data in bundled.BUNDLED:
        target, why = bundled.BUNDLED[spec.data].target, "it is what this set is known for"
    elif not target:
        target, why = proposal.target_of(tuple(columns.values()))
    chosen = tables.comma_list(spec.features)
    for name, field in [(target, "target"), *((n, "features") for n in chosen)]:
        if name not in columns:
            raise SpecError(
                f"There is no column called {shown(name)}. The columns are: {names_text(columns)}.",
                field,
            )
    about = columns[target]
    if about.kind == "empty":
        raise SpecError(
            f"Every cell of the target {shown(target)} is empty. Choose another column to predict.",
            "target",
        )
    task, why_task = proposal.task_of(about)
    if spec.task == "auto":
        said.append(
            f"target {shown(target)} has {count(about.distinct, 'different value')}, so the task is {task}"
        )
    else:
        task, why_task = spec.task, "it was chosen by hand"
    _check_target(about, task)
    left_out = _left_out(spec, tuple(columns.values()), target)
    said += [f"column {shown(name)} left out: {reason}" for name, reason in left_out.items()]
    features = tuple(
        n for n in columns if n != target and n not in left_out and (not chosen or n in chosen)
    )
    if not features:
        raise SpecError(
            f"No column is left to predict {shown(target)} from: {'; '.join(said[-5:])}. Choose other features.",
            "features",
        )
    return Plan(
        tuple(columns.values()), target, features, task, why, why_task, left_out, tuple(said)
    )


def rows_lost(spec: TableSpec, known: Plan) -> list[str]:
    """Which rows are lost, to which column, and what stands in where a value is missing: a sentence each.

    Told from what the columns hold, without reading the table.
    """
    columns = {c.name: c for c in known.columns}
    lacking = {
        n: gone
        for n in (known.target, *known.features)
        if (gone := columns[n].missing + columns[n].infinite)
    }
    all_rows = count(columns[known.target].rows, "row")
    if not lacking:
        return [f"all of {all_rows} are used: nothing is missing in these columns"]
    answers = lacking.pop(known.target, 0)
    said = (
        [f"{answers} of {all_rows} dropped: {shown(known.target)} is missing there"]
        if answers
        else []
    )
    if spec.missing == "drop":
        each = ", ".join(f"{shown(n)} {gone}" for n, gone in lacking.items())
        return [*said, *([f"every row that lacks one of these is dropped: {each}"] if each else [])]
    if not answers:
        said.append(f"none of {all_rows} is dropped")
    for name, gone in lacking.items():
        if columns[name].is_number:
            marked = ", and another column says where" if spec.was_missing else ""
            said.append(
                f"{shown(name)}: {count(gone, 'missing value')} filled with the {spec.missing} of the training rows{marked}"
            )
        else:
            said.append(f"{shown(name)}: {count(gone, 'row')} without a word, 0 in all its columns")
    return said


def _check_target(about: tables.Column, task: str) -> None:
    name = shown(about.name)
    if about.distinct < 2:
        raise SpecError(
            f"Every row of the target {name} says {shown(about.examples[0])}: there is nothing to tell apart. "
            "Choose another column to predict.",
            "target",
        )
    if task == "regression" and not about.is_number:
        raise SpecError(
            f"The target {name} holds words such as {shown(about.examples[0])}, and a regression predicts numbers. "
            "Choose classification, or another target.",
            "task",
        )
    if task == "classification" and about.distinct > MAX_CLASSES:
        raise SpecError(
            f"The target {name} has {about.distinct} different values, and a classification takes {MAX_CLASSES} "
            f"classes at most. Choose {'regression if they are amounts, or ' if about.is_number else ''}another target.",
            "task" if about.is_number else "target",
        )


def _left_out(spec: TableSpec, columns: tuple[tables.Column, ...], target: str) -> dict[str, str]:
    """Why which column is no feature: as proposed, unless features are chosen by hand."""
    chosen = tables.comma_list(spec.features)
    if target in chosen:
        raise SpecError(_TARGET_IS_INPUT.format(shown(target)), "features")
    left_out = {} if chosen else proposal.useless(columns, target)
    for about in columns:
        if about.name == target or about.name in left_out or (chosen and about.name not in chosen):
            continue
        if about.kind == "empty":
            left_out[about.name] = "all its cells are empty"
        elif spec.categories == "drop" and not about.is_number:
            left_out[about.name] = (
                f"it holds {count(about.distinct, 'different word')}, and columns of words are dropped"
            )
    return left_out


def _prepare_toy(spec: TableSpec) -> Prepared:
    about = toy.TOYS[spec.data]
    added, removed = parse_edits(spec.edits)
    said = [f"{count(len(added), 'point')} added by hand"] if added else []
    said += [f"{count(len(removed), 'point')} removed by hand"] if removed else []
    made = recipe.carry_out([*_points(spec), *_toy_steps(spec)])
    inputs = made["features"]
    return _finish(
        spec,
        said,
        made,
        task=about.task,
        rows=torch.arange(len(made["points"])),
        target="y",
        sources=inputs,
        inputs=tuple(inputs),
        fill=torch.full((len(inputs),), math.nan),
        dates={},
    )


def points_of(spec: TableSpec) -> tuple[Tensor, Tensor]:
    """A made set with the points added to it: (N, 2) points and (N,) classes or numbers."""
    made = recipe.carry_out(_points(spec))
    return made["points"], made["y"]


def _points(spec: TableSpec) -> recipe.Recipe:
    make = toy.TOYS[spec.data].make
    added, _ = parse_edits(spec.edits)
    points: list[Step | Given] = [
        Step("points, y", make, n=spec.points, noise=spec.noise, seed=spec.data_seed)
    ]
    if added:
        points.append(Step("points, y", steps.append_points, POINTS, Y, added))
    return points


def _toy_steps(spec: TableSpec) -> recipe.Recipe:
    """From `points` and `y` to the three parts."""
    about = toy.TOYS[spec.data]
    _, removed = parse_edits(spec.edits)
    made: list[Step | Given] = [
        Given("features", tables.comma_list(spec.inputs)),
        Step("x", toy.expand, POINTS, FEATURES),
    ]
    if about.task == "classification":
        made.append(Given("classes", ["0", "1"]))
    made += _split_steps(spec, about.task)
    if removed:
        made.append(Step("train, val, test", steps.without, removed, TRAIN, VAL, TEST))
    return [*made, *_scale_steps(spec, about.task)]


def _prepare_table(spec: TableSpec) -> Prepared:
    known = plan(spec)
    said = [*_file_notes(spec), *known.decisions]
    used = [*known.features, known.target]
    whole = table_of(spec, used)
    todo = _table_steps(spec, known)
    made = recipe.carry_out(todo.rows, table=whole)
    lost = len(whole) - len(made["table"])
    if lost:
        lacking = whole[used if spec.missing == "drop" else [known.target]].isna().sum()
        each = ", ".join(f"{shown(str(n))} {k}" for n, k in lacking.items() if k)
        said.append(f"{lost} of {count(len(whole), 'row')} dropped for a missing value: {each}")
    _check_rows(known, len(made["table"]), len(whole))
    made = recipe.carry_out(todo.split, **made)
    if known.task == "classification":
        _check_classes(known.target, made["classes"])
    values = made.get("values", {})
    names = steps.column_names(list(known.features), values, [])
    _check_size(len(made["table"]), len(names))
    trained = made["table"].iloc[made["train"].numpy()]
    said += [_one_hot_sentence(n, len(values[n]), trained[n]) for n in values]
    made = recipe.carry_out(todo.encode, **made)
    lacking = made["x"].isnan().sum(dim=0).tolist()
    made = recipe.carry_out(todo.scale, **made)
    if "fill" in made:
        said += _fill_sentences(spec, made, lacking)
    if spec.missing != "drop":
        said += _wordless(known, made["table"])
    fill = made.get("fill", torch.full((len(names),), math.nan))
    sources = [n for n in known.features for _ in values.get(n, [""])]
    return _finish(
        spec,
        said,
        made,
        task=known.task,
        rows=torch.tensor(made["table"].index.to_numpy()),
        target=known.target,
        sources=[*sources, *(sources[i] for i in made.get("gaps", []))],
        inputs=(),
        fill=fill,
        dates=profile_of(spec).dates if spec.upload else {},
        dropped=lost,
    )


@dataclass(frozen=True)
class _TableSteps:
    """The way from `table` to the three parts, cut where the app looks at what has come of it so far."""

    rows: recipe.Recipe
    split: recipe.Recipe
    encode: recipe.Recipe
    scale: recipe.Recipe

    @property
    def all(self) -> recipe.Recipe:
        return [*self.rows, *self.split, *self.encode, *self.scale]


def _table_steps(spec: TableSpec, known: Plan) -> _TableSteps:
    columns = {c.name: c for c in known.columns}
    words = [name for name in known.features if not columns[name].is_number]
    gaps = any(columns[n].missing + columns[n].infinite for n in known.features if n not in words)
    answer = TABLE[known.target]
    needed = [*known.features, known.target] if spec.missing == "drop" else [known.target]
    rows: list[Step | Given] = []
    if any(columns[name].missing + columns[name].infinite for name in needed):
        rows.append(Step("table", steps.complete_rows, TABLE, needed))
    split: list[Step | Given] = [
        Step("classes, y", steps.class_numbers, answer)
        if known.task == "classification"
        else Step("y", steps.numbers, answer),
        *_split_steps(spec, known.task),
    ]
    if words:
        split.append(Step("values", steps.common_values, TABLE[words], TRAIN, spec.max_categories))
    encode: list[Step | Given] = [
        Given("features", list(known.features)),
        Step("x", steps.encode, TABLE[FEATURES], VALUES if words else {}),
    ]
    scale: list[Step | Given] = []
    marked = gaps and spec.missing != "drop" and spec.was_missing
    if gaps and spec.missing != "drop":
        if marked:
            encode.append(Step("gaps", steps.gaps_in, X[TRAIN]))
            encode.append(Step("x", steps.mark_gaps, X, GAPS))
        scale.append(Step("fill", FILLS[spec.missing], X[TRAIN], why=_TRAINING_ONLY))
        scale.append(Step("x", steps.filled, X, FILL))
    if words or marked:
        named = (VALUES if words else {}, GAPS if marked else [])
        scale.append(Step("features", steps.column_names, FEATURES, *named))
    return _TableSteps(rows, split, encode, [*scale, *_scale_steps(spec, known.task)])


def _split_steps(spec: TableSpec, task: str) -> list[Step | Given]:
    how = {"val": spec.val_fraction, "test": spec.test_fraction, "seed": spec.data_seed}
    if spec.stratify and task == "classification":
        return [Step("train, val, test", steps.split, Y, **how)]
    group = Step("group", steps.one_group, Y)
    return [group, Step("train, val, test", steps.split, Name("group"), **how)]


def _scale_steps(spec: TableSpec, task: str) -> list[Step | Given]:
    """Scales, measured on the training rows, and the three parts."""
    made: list[Step | Given] = []
    if spec.normalise != "none":
        made.append(Step("shift, scale", SCALES[spec.normalise], X[TRAIN], why=_TRAINING_ONLY))
        made.append(Step("x", steps.scaled, X, Name("shift"), Name("scale")))
    if task == "regression":
        if spec.normalise_target:
            made.append(Step("target_shift, target_scale", steps.standard, Y[TRAIN]))
            made.append(Step("y", steps.scaled, Y, Name("target_shift"), Name("target_scale")))
        else:
            made += [Given("target_shift", 0.0), Given("target_scale", 1.0)]
    return [*made, *(Step(f"x_{n}, y_{n}", steps.rows_of, X, Y, Name(n)) for n in _PARTS)]


def _fill_sentences(spec: TableSpec, made: dict[str, Any], lacking: list[int]) -> list[str]:
    said = []
    for i, n in enumerate(lacking):
        if n:
            marked = i in made.get("gaps", [])
            said.append(
                f"column {shown(made['features'][i])}: {count(n, 'missing value')} became {made['fill'][i]:.6g}, the "
                f"{spec.missing} of the training rows"
                + (", and another column is 1 there" if marked else "")
            )
    return said


def _wordless(known: Plan, table: pd.DataFrame) -> list[str]:
    """Of each column of words, how many rows have none."""
    lacking = {
        c.name: int(np.count_nonzero(table[c.name].isna()))
        for c in known.columns
        if c.name in known.features and not c.is_number
    }
    return [
        f"column {shown(name)}: {count(n, 'row')} without a word, 0 in all its columns"
        for name, n in lacking.items()
        if n
    ]


def _finish(
    spec: TableSpec,
    said: list[str],
    made: dict[str, Any],
    *,
    task: str,
    rows: Tensor,
    target: str,
    sources: list[str],
    inputs: tuple[str, ...],
    fill: Tensor,
    dates: dict[str, str],
    dropped: int = 0,
) -> Prepared:
    parts: dict[str, Tensor] = {name: made[name] for name in _PARTS}
    _check_parts(spec, *map(len, parts.values()), dropped=dropped)
    features, classes = made["features"], made.get("classes", [])
    shift, scale = (
        made.get("shift", torch.zeros(len(features))),
        made.get("scale", torch.ones(len(features))),
    )
    target_shift, target_scale = (
        float(made.get(f"target_{n}", d)) for n, d in (("shift", 0), ("scale", 1))
    )
    said.append(
        f"{count(len(parts['train']), 'row')} for training, {len(parts['val'])} for validation, {len(parts['test'])} for the test"
    )
    if classes:
        said += _class_notes(spec, classes, made)
    if spec.normalise != "none":
        said.append(f"{count(len(features), 'input column')} {_SCALED[spec.normalise]}")
    if task == "regression" and spec.normalise_target:
        said.append(
            f"target {shown(target)} shifted by {target_shift:.6g} and divided by {target_scale:.6g}"
        )
    if task == "regression":
        said += _constant_note(target, made, target_shift, target_scale)
    points = made.get("points")
    tensors: dict[str, Any] = {
        f"{kind}_{name}": made[f"{kind}_{name}"] for name in _PARTS for kind in "xy"
    }
    for name, part in parts.items():
        tensors[f"rows_{name}"] = rows[part]
        tensors[f"points_{name}"] = None if points is None else points[part]
    return Prepared(
        task=task,
        **tensors,
        target=target,
        features=tuple(features),
        sources=tuple(sources),
        classes=tuple(classes),
        shift=shift,
        scale=scale,
        target_shift=target_shift,
        target_scale=target_scale,
        decisions=tuple(said),
        inputs=inputs,
        values=made.get("values", {}),
        gaps=tuple(made.get("gaps", [])),
        missing=spec.missing,
        fill=fill,
        dates=dates,
    )


def _check_rows(known: Plan, left: int, before: int) -> None:
    if left >= 2:
        return
    worst = max(known.columns, key=lambda c: c.missing if c.name in known.features else -1)
    raise SpecError(
        f"Only {left} of {count(before, 'row')} has every value, too few to learn from. Column {shown(worst.name)} "
        f"alone lacks {worst.missing}: leave it out, or fill missing values with mean or median.",
        "missing",
    )


def _check_classes(target: str, classes: list[str]) -> None:
    if len(classes) < 2:
        raise SpecError(
            f"Without the incomplete rows, every {shown(target)} is {shown(classes[0])}: nothing is left to tell "
            "apart. Fill missing values with mean or median instead.",
            "missing",
        )


def _check_parts(spec: TableSpec, train: int, val: int, test: int, dropped: int) -> None:
    rows = train + val + test
    hint = ""
    if dropped:
        hint = f" {count(dropped, 'row')} with missing values dropped before: filling them with mean or median keeps them."
    if train < 2:
        raise SpecError(
            f"Of {count(rows, 'row')}, {train} is left for training; it takes 2 at least. Add rows, or make "
            f"validation and test smaller.{hint}",
            "val_fraction",
        )
    for name, part, share in (
        ("val_fraction", val, spec.val_fraction),
        ("test_fraction", test, spec.test_fraction),
    ):
        if share and not part:
            raise SpecError(
                f"{share:g} of {count(rows, 'row')} is less than one row of any class. Add rows, or set "
                f"{name} to 0 or higher than {share:g}.{hint}",
                name,
            )


def _check_size(rows: int, features: int) -> None:
    if rows * features > MAX_CELLS:
        raise SpecError(
            f"{count(rows, 'row')} of {features} input columns are {rows * features} numbers; the most this server "
            f"takes is {MAX_CELLS}. Choose fewer features, or a smaller max_categories.",
            "max_categories",
        )


def _one_hot_sentence(name: str, columns: int, trained: pd.Series) -> str:
    distinct = trained.nunique()
    if columns == distinct:
        return f"column {shown(name)}: {count(distinct, 'category', 'categories')}, one column of 0 and 1 each"
    covered = trained.value_counts().iloc[:columns].sum() / max(1, trained.notna().sum())
    return (
        f"column {shown(name)}: only the {columns} most frequent of {distinct} categories became columns of 0 and 1 "
        f"({covered:.0%} of the training rows); in all other rows they are 0"
    )


def _class_notes(spec: TableSpec, classes: list[str], made: dict[str, Any]) -> list[str]:
    """Whether every class has its share of each part, and which has no row in one."""
    counts = {
        name: torch.bincount(made[f"y_{name}"], minlength=len(classes)).tolist()
        for name in _PARTS
        if len(made[name])
    }
    absent = {
        name: [shown(c) for c, n in zip(classes, found, strict=True) if not n]
        for name, found in counts.items()
    }
    said = []
    if spec.stratify and not any(absent.values()):
        said.append("every class has the same share in each part, as nearly as whole rows allow")
    if absent["train"]:
        said.append(
            f"no training row is of class {', '.join(absent['train'])}, so it cannot be learned"
        )
    for name, what in (("val", "validation"), ("test", "test")):
        if lacking := absent.get(name):
            few = " (too few rows for every part)" if spec.stratify else ""
            said.append(
                f"no {what} row is of class {', '.join(lacking)}{few}, so the {what} says nothing about "
                + ("it" if len(lacking) == 1 else "them")
            )
    return said


def _constant_note(target: str, made: dict[str, Any], shift: float, scale: float) -> list[str]:
    """Parts in which a regression's target never changes, so that R² has nothing to explain there."""
    said = []
    for name, what in (("train", "training"), ("val", "validation"), ("test", "test")):
        y = made[f"y_{name}"]
        if len(y) and y.amin() == y.amax():
            said.append(
                f"every {what} row has the same {shown(target)}, {float(y[0]) * scale + shift:.6g}: "
                "R² compares with its variance, which is 0, so it is no number there"
                + ("; there is nothing to learn either" if name == "train" else "")
            )
    return said


def _pick(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    lacking = [name for name in names if name not in rows]
    if lacking:
        raise SpecError(
            f"The table lacks {count(len(lacking), 'column')} the model was trained on: {names_text(lacking)}. "
            "Add them under the same names."
        )
    return rows.loc[:, list(names)].copy()


def _numbers(column: pd.Series, date_format: str) -> pd.Series:
    """New cells of a number or date column as float32."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return ((column - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)).astype("float32")
    if date_format and not pd.api.types.is_numeric_dtype(column):
        numbers = cells.days_since_1970(column, date_format)
    else:
        numbers = pd.Series(
            pd.to_numeric(column.astype("object"), errors="coerce"), dtype="float32"
        )
    bad = np.flatnonzero(numbers.isna() & column.notna())
    if len(bad):
        what = (
            f"dates such as {pd.Timestamp('2024-12-31').strftime(date_format)}"
            if date_format
            else "numbers"
        )
        raise SpecError(
            f"Column {shown(str(column.name))} holds {what}, but row {bad[0] + 1} says {shown(str(column.iloc[bad[0]]))}."
        )
    return numbers


def parse_edits(text: str) -> tuple[list[tuple[float, float, float]], list[int]]:
    """Points added and numbers of points removed, out of "+0.5,-0.2,1;-3".

    Raises:
        SpecError: a part of the text is not of that form.
    """
    added: list[tuple[float, float, float]] = []
    removed: set[int] = set()
    for part in filter(None, (p.strip() for p in text.split(";"))):
        try:
            if part.startswith("+"):
                x1, x2, value = map(float, part[1:].split(","))
                if not all(map(math.isfinite, (x1, x2, value))):
                    raise ValueError
                added.append((x1, x2, value))
            elif part.startswith("-") and part[1:].isdecimal():
                removed.add(int(part[1:]))
            else:
                raise ValueError
        except ValueError:
            raise SpecError(
                f"{part[:40]!r} is no edit. Write +x1,x2,class to add a point, -number to remove one.",
                "edits",
            ) from None
    return added, sorted(removed)


def edits_text(added: Sequence[tuple[float, float, float]], removed: Sequence[int]) -> str:
    """The text `parse_edits` reads back."""
    plus = [f"+{x1:g},{x2:g},{value:g}" for x1, x2, value in added]
    return ";".join([*plus, *(f"-{row}" for row in removed)])


def to_cells(spec: TableSpec) -> list[str]:
    """Script cells that leave exactly the tensors of `prepare(spec)` behind.

    They define x_train, y_train, x_val, y_val, x_test, y_test, features and classes (names; no classes for a
    regression), and, for a regression, target_shift and target_scale.
    """
    return _toy_cells(spec) if spec.data in toy.TOYS else _table_cells(spec)


def _toy_cells(spec: TableSpec) -> list[str]:
    todo = [*_points(spec), *_toy_steps(spec)]
    head = "import math\n\nimport torch\nfrom torch import Tensor"
    return [head, export.source(*recipe.functions(todo)), "\n".join(recipe.lines(todo))]


def _table_cells(spec: TableSpec) -> list[str]:
    known = plan(spec)
    head, functions, lines = read_lines(spec, [*known.features, known.target])
    todo = _table_steps(spec, known)
    functions = list(dict.fromkeys([*functions, *recipe.functions(todo.all)]))
    return [
        head,
        export.source(*functions),
        "\n".join([*lines, *recipe.lines(todo.rows)]),
        "\n".join(recipe.lines([*todo.split, *todo.encode, *todo.scale])),
    ]


def read_lines(spec: TableSpec, used: list[str]) -> tuple[str, list[Callable[..., Any]], list[str]]:
    """Imports, functions and lines of a script that leave these columns behind as `table`."""
    head = "import numpy as np\nimport pandas as pd\nimport torch\n"
    if spec.data not in bundled.BUNDLED:
        functions, lines = csv_files.code(profile_of(spec), spec.csv, used)
        if any(function.__module__ == cells.__name__ for function in functions):
            head = "import re\n\n" + head
        return head + "from torch import Tensor", functions, lines
    about = bundled.BUNDLED[spec.data]
    head += f"from sklearn.datasets import {about.loader}\nfrom sklearn.utils import Bunch\nfrom torch import Tensor"
    return (
        head,
        [about.build],
        [f"table = {about.build.__name__}({about.call()}, {about.target!r})"],
    )


def files(spec: TableSpec) -> dict[str, Path]:
    """The files an exported script expects in its own folder, by the name it uses.

    Raises:
        SpecError: the upload is not on this server.
    """
    if not spec.upload:
        return {}
    profile_of(spec)
    return {workspace.file_name(workspace.about(spec.upload).name): workspace.get(spec.upload)}


@cache
def _bundled_columns(name: str) -> tuple[tables.Column, ...]:
    return tables.describe(bundled.table(name))


def columns_of(spec: TableSpec) -> tuple[tables.Column, ...]:
    """What every column of a table holds; a made set has none."""
    if spec.data in bundled.BUNDLED:
        return _bundled_columns(spec.data)
    return profile_of(spec).columns


def profile_of(spec: TableSpec) -> csv_files.Profile:
    """The profile of an uploaded table, remembered or made now."""
    if spec.data == example.DATA:
        workspace.put(example.CONTENT, example.NAME)  # at hand on every server
    return decoded.profile(spec.upload, spec.csv)


def table_of(spec: TableSpec, used: list[str]) -> pd.DataFrame:
    """These columns, decoded: numbers and dates as float32, words as categories."""
    if spec.data in bundled.BUNDLED:
        return bundled.table(spec.data).loc[:, used]
    return decoded.load(spec.upload, spec.csv, used)


def _file_notes(spec: TableSpec) -> tuple[str, ...]:
    return () if spec.data in bundled.BUNDLED else profile_of(spec).notes


TABLE, FEATURES, VALUES, POINTS, X, Y, GAPS, FILL, TRAIN, VAL, TEST = map(
    Name,
    ["table", "features", "values", "points", "x", "y", "gaps", "fill", "train", "val", "test"],
)
_PARTS = ("train", "val", "test")
_TRAINING_ONLY = "of the training rows only"
_UPLOAD = re.compile(r"upload:[0-9a-f]{64}")
_TARGET_IS_INPUT = "{} is the target, so it cannot be an input too. Remove it from one of them."
_SCALED = {
    "standard": "brought to mean 0 and deviation 1 of the training rows",
    "min-max": "brought to 0 to 1 of the training rows",
}

FILLS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": steps.mean_fill,
    "median": steps.median_fill,
}
SCALES: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "standard": steps.standard,
    "min-max": steps.min_max,
}

# A valid change of every field whose effect needs another field, for the law that every setting reaches the export.
VARIATIONS: dict[str, dict[str, Any]] = {
    "data": {"data": "wine"},
    "points": {"data": "spiral", "points": 100},
    "noise": {"data": "spiral", "noise": 0.3},
    "inputs": {"data": "spiral", "inputs": "x1,sin(x2)"},
    "edits": {"data": "spiral", "edits": "+1,2,0;-3"},
    "separator": {"data": example.DATA, "separator": "semicolon"},
    "encoding": {"data": example.DATA, "encoding": "latin-1"},
    "header": {"data": example.DATA, "header": "no"},
    "decimal": {"data": example.DATA, "decimal": "point"},
    "column_kinds": {"data": example.DATA, "column_kinds": "moons=category"},
    "skip_lines": {"data": example.DATA, "skip_lines": "2-3"},
    "missing_words": {"data": example.DATA, "missing_words": "dwarf"},
    "target": {"target": "petal width (cm)"},
    "features": {"features": "petal length (cm),petal width (cm)"},
    "task": {"target": "petal width (cm)", "task": "classification"},
    "missing": {"data": example.DATA, "missing": "drop"},
    "was_missing": {"data": example.DATA, "was_missing": False},
    "categories": {"data": example.DATA, "categories": "drop"},
    "max_categories": {"data": example.DATA, "max_categories": 2},
    "normalise_target": {"data": "diabetes", "normalise_target": False},
}
