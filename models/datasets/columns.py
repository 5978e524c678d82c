"""A table's columns on their way to a network: filled, scaled, one-hot or as indices into embeddings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from models.core import export
from models.core import spec as core
from models.core.spec import SpecError, knob
from models.data import column_steps, example, steps, tabular
from models.data.column_steps import Step
from models.data.tables import Column
from models.data.tabular import TableSpec
from models.data.wording import count, names_text, shown

MAX_WORDS = 2000  # different words of a column that becomes an index
MAX_CELLS = 50_000_000  # of the tensors that come out


@dataclass(frozen=True)
class Spec(core.Spec):
    """Everything between a table and its first batch."""

    data: str = knob(
        example.DATA, "A bundled table, or upload: and the id of an own one.", max_chars=80
    )
    steps: str = knob(
        "",
        "A line for each column: its name, a colon, its steps parted by commas. Columns without a line are left out; "
        "with no line at all steps are proposed.",
        label="Steps of each column",
        max_chars=20_000,
    )
    val: float = knob(
        0.2,
        "Part of the rows kept for validation.",
        label="Validation share",
        minimum=0.0,
        maximum=0.4,
        step=0.05,
    )
    test: float = knob(
        0.1,
        "Part of the rows kept for the test.",
        label="Test share",
        minimum=0.0,
        maximum=0.4,
        step=0.05,
    )
    split_seed: int = knob(
        0, "Another seed, another split.", label="Seed of the split", minimum=0, maximum=999
    )
    batch_size: int = knob(8, "Rows in a batch.", minimum=1, maximum=1024)
    seed: int = knob(0, "Order and the first vectors follow from it.", minimum=0, maximum=999)

    def check(self) -> None:
        parse(self.steps)

    @property
    def table(self) -> TableSpec:
        """The same data as other parts of the app name it."""
        return TableSpec(data=self.data)


@dataclass(frozen=True)
class Word:
    """A step as it is written: its name in `STEPS` and its argument, None where there is none."""

    name: str
    argument: float | str | None = None

    def build(self) -> Step:
        known = STEPS[self.name]
        return known.make(*([] if self.argument is None else [self.argument]))

    def code(self) -> str:
        """The constructor's call in a script."""
        given = "" if self.argument is None else repr(self.argument)
        return f"{STEPS[self.name].make.__name__}({given})"

    def text(self) -> str:
        if self.argument is None:
            return self.name
        number = isinstance(self.argument, (int, float))
        return f"{self.name} {self.argument:g}" if number else f"{self.name} {self.argument}"


@dataclass(frozen=True)
class Known:
    """A step on the menu.

    Attributes:
        takes, gives: "numbers", "words" or "any"; "columns" and "index" come last in a chain.
        argument: what may stand behind its name: "", "whole" (a number from 1), "value". needed: it must.
    """

    about: str
    make: type[Step]
    takes: str
    gives: str
    argument: str = ""
    needed: bool = False


@dataclass(frozen=True)
class Stage:
    """A column after a step: its values by row, and what they come to in two parts of the split.

    Attributes:
        word: the step's text, "as it is read" for the first. values: (N,) or (N, columns).
        train, val: numbers of `summary` over the rows of training and validation.
    """

    word: str
    values: pd.Series | pd.DataFrame
    train: Mapping[str, float]
    val: Mapping[str, float]


@dataclass(frozen=True)
class Result:
    """The first batch of the training rows.

    Attributes:
        counts: rows for training, validation, test. features: names of the F number columns.
        embedded: (column, words with the unknown one, vector's length) of each index.
        x: (B, F) float32. index: (B, K) int64. inputs: (B, F + all vectors), what a network sees.
        vectors: of each embedding the table as it is before training, (words, dim).
        lines: the steps that ran, as text, one line a column.
    """

    counts: tuple[int, int, int]
    features: tuple[str, ...]
    embedded: tuple[tuple[str, int, int], ...]
    x: Tensor
    index: Tensor
    inputs: Tensor
    vectors: tuple[Tensor, ...]
    lines: str


def parse(text: str) -> dict[str, tuple[Word, ...]]:
    """The columns and steps of a text such as "mass: median, log, standardise"; whether they fit is not looked at.

    Raises:
        SpecError: a line has no colon, names a column twice, or names no known step.
    """
    found: dict[str, tuple[Word, ...]] = {}
    for number, line in enumerate(filter(str.strip, text.split("\n")), 1):
        name, colon, rest = line.strip().rpartition(":")
        if not colon or not name.strip():
            raise SpecError(
                f"Line {number} ({line.strip()[:40]!r}) has no colon. Write the column's name, a colon, then its "
                "steps: mass: median, log, standardise",
                "steps",
            )
        name = name.strip()
        if name in found:
            raise SpecError(
                f"Column {shown(name)} has two lines. Put its steps into one, parted by commas.",
                "steps",
            )
        words = [part.strip() for part in rest.split(",") if part.strip()]
        found[name] = tuple(_word(number, word) for word in words)
    return found


def text_of(chains: Mapping[str, tuple[Word, ...]]) -> str:
    """The text that `parse` reads back."""
    return "\n".join(f"{n}: {', '.join(w.text() for w in words)}" for n, words in chains.items())


def proposed(columns: tuple[Column, ...]) -> dict[str, tuple[Word, ...]]:
    """Steps that suit what the columns hold; columns that tell a network nothing have none."""
    found: dict[str, tuple[Word, ...]] = {}
    for about in columns:
        if about.kind in ("id", "empty", "text") or about.distinct < 2 or "\n" in about.name:
            continue
        if not about.is_number:
            most = about.distinct
            if most > MAX_WORDS:
                continue
            few = most < 4
            found[about.name] = (
                Word("one-hot") if few else Word("embedding", min(8, (most + 1) // 2)),
            )
            continue
        words = [Word("median")] if about.missing + about.infinite else []
        if about.kind == "date":
            words.append(Word("min-max"))
        else:
            steep = about.low > 0 and about.high > 100 * about.low
            words += [Word("log")] if steep else []
            words.append(Word("standardise"))
        found[about.name] = tuple(words)
    return found


def plan(spec: Spec) -> dict[str, tuple[Word, ...]]:
    """The steps of each column: as written, or as proposed.

    Raises:
        SpecError: a column is not in the table, or a step does not fit what comes before it.
    """
    columns = {c.name: c for c in tabular.columns_of(spec.table)}
    chains = parse(spec.steps) or proposed(tuple(columns.values()))
    if not chains:
        raise SpecError(
            "No column of this table holds numbers or a few different words: there is nothing for a network.",
            "data",
        )
    for name, words in chains.items():
        if name not in columns:
            raise SpecError(
                f"There is no column called {shown(name)}. The columns are: {names_text(columns)}.",
                "steps",
            )
        _check(columns[name], words)
    return chains


def split(spec: Spec, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows for training, validation and test.

    Raises:
        SpecError: none is left for training.
    """
    parts = steps.split(torch.zeros(rows), spec.val, spec.test, spec.split_seed)
    if not len(parts[0]):
        raise SpecError(
            f"None of the {count(rows, 'row')} is left for training. Upload more rows.", "data"
        )
    return parts


def stages(spec: Spec, column: str) -> list[Stage]:
    """One column after each of its steps, as `run` takes it.

    Raises:
        SpecError: the column has no steps, or one of them cannot work on its values.
    """
    words = plan(spec).get(column)
    if words is None:
        raise SpecError(f"Column {shown(column)} has no line, so it is left out.", "steps")
    table = _table(spec, [column])
    train, val, _ = (part.numpy() for part in split(spec, len(table)))
    after = _through(dict(table.items())[column], words, train)
    titles = ["as it is read", *(w.text() for w in words)]
    return [
        Stage(title, now, summary(now, train), summary(now, val))
        for title, now in zip(titles, after, strict=True)
    ]


def summary(values: pd.Series | pd.DataFrame, rows: np.ndarray) -> dict[str, float]:
    """Missing cells, different values and, of numbers, lowest, mean, deviation and highest, over these rows."""
    some = values.iloc[rows]
    if isinstance(some, pd.DataFrame):
        flat = some.to_numpy().ravel()
        return {"missing": 0, "different": some.shape[1], **_numbers(flat)}
    found = {"missing": int(some.isna().sum()), "different": int(some.nunique())}
    number = pd.api.types.is_numeric_dtype(some)
    return found | (_numbers(some.dropna().to_numpy()) if number else {})


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """The first batch of the training rows.

    Raises:
        SpecError: a step cannot work on its column, or a column is left with missing values.
    """
    chains = plan(spec)
    table = _table(spec, list(chains))
    parts = split(spec, len(table))
    train = parts[0].numpy()
    for name, column in table.items():
        _complete(str(name), _through(column, chains[str(name)], train)[-1])
    built = {name: [w.build() for w in words] for name, words in chains.items()}
    x, index, features = column_steps.prepared(table, built, train)
    if x.numel() + index.numel() > MAX_CELLS:
        raise SpecError(
            f"{len(x):,} rows of {x.shape[1] + index.shape[1]} columns are more numbers than the "
            f"{MAX_CELLS / 1e6:.0f} million that fit. Leave columns out, or give one-hot a number: one-hot 10.",
            "steps",
        )
    embedded = [
        (name, len(chain[-1].words) + 1, chain[-1].dim)
        for name, chain in built.items()
        if chain and isinstance(chain[-1], column_steps.Embedding)
    ]
    torch.manual_seed(spec.seed)  # a worker's default generator is its own
    tables_ = [nn.Embedding(words, dim) for _, words, dim in embedded]
    generator = torch.Generator().manual_seed(spec.seed)
    rows = TensorDataset(x[parts[0]], index[parts[0]])
    x, index = next(iter(DataLoader(rows, spec.batch_size, shuffle=True, generator=generator)))
    with torch.no_grad():
        inputs = column_steps.with_vectors(x, index, tables_)
    return Result(
        (len(parts[0]), len(parts[1]), len(parts[2])),
        tuple(features),
        tuple(embedded),
        x,
        index,
        inputs,
        tuple(one.weight.detach() for one in tables_),
        text_of(chains),
    )


def numbers(result: Result) -> dict[str, float]:
    """What the script prints."""
    x = result.inputs.double()
    return {
        "training_rows": result.counts[0],
        "validation_rows": result.counts[1],
        "test_rows": result.counts[2],
        "numbers": result.x.shape[1],
        "indices": result.index.shape[1],
        "inputs": x.shape[1],
        "batch_mean": float(x.mean()),
        "batch_std": float(x.std(correction=0)),
        "index_sum": int(result.index.sum()),
    }


def files(spec: Spec) -> dict[str, Path]:
    """The files that the script expects in its own folder, by the name it uses.

    Raises:
        SpecError: the upload is not on this server.
    """
    return tabular.files(spec.table)


def to_code(spec: Spec) -> str:
    """A script that makes the same first batch.

    Raises:
        SpecError: the table is not on this server, or a step does not fit its column.
    """
    chains = plan(spec)
    head, functions, lines = tabular.read_lines(spec.table, list(chains))
    used = {STEPS[w.name].make for words in chains.values() for w in words}
    classes = [one for one in _CLASSES if one in used or any(issubclass(c, one) for c in used)]
    imports = (
        "from collections.abc import Iterator, Sequence\nfrom typing import Self\n\n"
        + head
        + "\nfrom torch import nn\nfrom torch.utils.data import DataLoader, TensorDataset"
    )
    cells = [
        imports,
        *([export.source(*functions)] if functions else []),
        export.source(column_steps.Step, *classes),
        export.source(
            column_steps.as_words,
            column_steps.frequent,
            column_steps.through,
            column_steps.prepared,
            column_steps.with_vectors,
            steps.split,
        ),
        "\n".join(lines),
        _main(spec, chains),
    ]
    return export.script("A table's columns as a batch of numbers and indices", cells)


def _main(spec: Spec, chains: Mapping[str, tuple[Word, ...]]) -> str:
    made = "".join(
        f"    {name!r}: [{', '.join(w.code() for w in words)}],\n" for name, words in chains.items()
    )
    vectors = [
        f"    nn.Embedding(len(chains[{name!r}][-1].words) + 1, chains[{name!r}][-1].dim),\n"
        for name, words in chains.items()
        if words and words[-1].name == "embedding"
    ]
    listed = f"[\n{''.join(vectors)}]" if vectors else "[]"
    return f"""train, val, test = split(torch.zeros(len(table)), val={spec.val}, test={spec.test}, seed={spec.split_seed})
chains = {{
{made}}}
x, index, features = prepared(table, chains, train.numpy())  # measured on the training rows alone

torch.manual_seed({spec.seed})
vectors = {listed}
generator = torch.Generator().manual_seed({spec.seed})
rows = TensorDataset(x[train], index[train])
loader = DataLoader(rows, {spec.batch_size}, shuffle=True, generator=generator)
x, index = next(iter(loader))
inputs = with_vectors(x, index, vectors).detach().double()

print(f"training_rows = {{len(train)}}")
print(f"validation_rows = {{len(val)}}")
print(f"test_rows = {{len(test)}}")
print(f"numbers = {{x.shape[1]}}")
print(f"indices = {{index.shape[1]}}")
print(f"inputs = {{inputs.shape[1]}}")
print(f"batch_mean = {{inputs.mean():.8f}}")
print(f"batch_std = {{inputs.std(correction=0):.8f}}")
print(f"index_sum = {{index.sum()}}")"""


def _table(spec: Spec, names: list[str]) -> pd.DataFrame:
    table = tabular.table_of(spec.table, names)
    numbers = table.select_dtypes("number")
    infinite = numbers.isin([np.inf, -np.inf])
    return table.assign(**numbers.mask(infinite)) if infinite.any(axis=None) else table


def _through(
    column: pd.Series, words: tuple[Word, ...], train: np.ndarray
) -> list[pd.Series | pd.DataFrame]:
    """The column after each step; a step that its values do not allow is explained."""
    after = column_steps.through(column, [w.build() for w in words], train)
    found = [next(after)]
    for word in words:
        before = found[-1]
        if word.name == "log" and isinstance(before, pd.Series) and (before <= 0).any():
            low = int((before <= 0).sum())
            raise SpecError(
                f"Column {shown(str(column.name))} has {count(low, 'value')} of 0 or less (the lowest is "
                f"{before.min():g}), which have no logarithm. Use signed-log, or leave the log out.",
                "steps",
            )
        found.append(next(after))
    return found


def _complete(name: str, last: pd.Series | pd.DataFrame) -> None:
    missing = int(last.isna().sum()) if isinstance(last, pd.Series) else 0
    if missing:
        raise SpecError(
            f"Column {shown(name)} is left with {count(missing, 'missing value')}, which a network cannot take. "
            "Begin its steps with median, mean or fill 0.",
            "steps",
        )


def _check(about: Column, words: tuple[Word, ...]) -> None:
    """Whether each step fits what the one before it gives."""
    name, now = shown(about.name), "numbers" if about.is_number else "words"
    for word in words:
        known = STEPS[word.name]
        if now in ("columns", "index"):
            raise SpecError(
                f"Column {name}: {word.name} stands behind the step that ends it. Put it before.",
                "steps",
            )
        if known.takes not in ("any", now):
            fit = [n for n, k in STEPS.items() if k.takes in ("any", now)]
            raise SpecError(
                f"Column {name} holds {now} there, and {word.name} takes {known.takes}. Use: {', '.join(fit)}.",
                "steps",
            )
        if word.name == "fill" and isinstance(word.argument, str) and now == "numbers":
            raise SpecError(
                f"Column {name} holds numbers, and {word.argument[:40]!r} is none. Write fill 0.",
                "steps",
            )
        now = known.gives if known.gives != "any" else now
    if now == "words":
        raise SpecError(
            f"Column {name} holds words in the end, which a network cannot take. End with one-hot or embedding.",
            "steps",
        )
    if now == "index" and about.distinct > MAX_WORDS:
        raise SpecError(
            f"Column {name} holds {about.distinct:,} different values; an embedding takes {MAX_WORDS:,} here. "
            "Leave the column out.",
            "steps",
        )


def _word(number: int, text: str) -> Word:
    name, _, rest = text.partition(" ")
    name, rest = name.lower(), rest.strip()
    known = STEPS.get(name)
    if known is None:
        raise SpecError(
            f"Line {number}: {text[:40]!r} is no step. Use: {', '.join(STEPS)}.", "steps"
        )
    if not rest and not known.needed:
        return Word(name)
    if known.argument == "whole":
        if not rest.isdecimal() or not 1 <= int(rest[:9]) <= 500:
            raise SpecError(
                f"Line {number}: {name} takes a whole number from 1 to 500, such as {name} 4.",
                "steps",
            )
        return Word(name, int(rest))
    if known.argument == "value" and rest:
        return Word(name, _value(rest))
    wants = "needs a value behind it: fill 0" if known.needed else "takes nothing behind it"
    raise SpecError(f"Line {number}: {name} {wants}.", "steps")


def _value(text: str) -> float | str:
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text


def _numbers(values: np.ndarray) -> dict[str, float]:
    if not len(values):
        return {}
    values = values.astype("float64")
    return {
        "lowest": float(values.min()),
        "mean": float(values.mean()),
        "deviation": float(values.std()),
        "highest": float(values.max()),
    }


_CLASSES = (
    column_steps.Mean,
    column_steps.Median,
    column_steps.Fill,
    column_steps.Common,
    column_steps.Log,
    column_steps.SignedLog,
    column_steps.Standardise,
    column_steps.MinMax,
    column_steps.OneHot,
    column_steps.Embedding,
)
STEPS: dict[str, Known] = {
    "mean": Known("Missing becomes the training mean.", column_steps.Mean, "numbers", "numbers"),
    "median": Known(
        "Missing becomes the training median.", column_steps.Median, "numbers", "numbers"
    ),
    "common": Known("Missing becomes the most frequent value.", column_steps.Common, "any", "any"),
    "fill": Known("Missing becomes one value.", column_steps.Fill, "any", "any", "value", True),
    "log": Known("The logarithm of positive numbers.", column_steps.Log, "numbers", "numbers"),
    "signed-log": Known(
        "A logarithm that takes every number.", column_steps.SignedLog, "numbers", "numbers"
    ),
    "standardise": Known("Mean 0, deviation 1.", column_steps.Standardise, "numbers", "numbers"),
    "min-max": Known(
        "0 at the lowest, 1 at the highest.", column_steps.MinMax, "numbers", "numbers"
    ),
    "one-hot": Known("A column for each word.", column_steps.OneHot, "any", "columns", "whole"),
    "embedding": Known("An index into vectors.", column_steps.Embedding, "any", "index", "whole"),
}
# A valid change of each field that has no other value of its own.
VARIATIONS: dict[str, Spec] = {
    "data": Spec(data="iris"),
    "steps": Spec(steps="mass: median, log, standardise\nkind: one-hot"),
}
