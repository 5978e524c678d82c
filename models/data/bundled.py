"""Real sets that come with scikit-learn: no download, known to every textbook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
from sklearn import datasets
from sklearn.utils import Bunch


def classes_table(raw: Bunch, target: str) -> pd.DataFrame:
    """A scikit-learn classification set as one table: float32 columns, then the class by name."""
    table = raw.data.astype("float32")
    names = [str(name) for name in raw.target_names]
    table[target] = pd.Categorical.from_codes(raw.target, names)
    return table


def numbers_table(raw: Bunch, target: str) -> pd.DataFrame:
    """A scikit-learn regression set as one table: float32 columns, then the target."""
    table = raw.data.astype("float32")
    table[target] = raw.target.astype("float32")
    return table


@dataclass(frozen=True)
class Bundled:
    """A real set.

    Attributes:
        loader: the name of its function in `sklearn.datasets`; arguments: the call's arguments as source text.
        target: the name its target column gets.
        title, about: the word on the menu, and one line: what a row is, what is asked, where it is from.
    """

    loader: str
    arguments: tuple[tuple[str, Any], ...]
    target: str
    task: str
    title: str
    about: str

    @property
    def build(self) -> Callable[[Bunch, str], pd.DataFrame]:
        """The function that makes the table of what the loader returned."""
        return classes_table if self.task == "classification" else numbers_table

    def call(self) -> str:
        """The loader's call as source text."""
        return f"{self.loader}({', '.join(f'{k}={v!r}' for k, v in self.arguments)})"


@cache
def table(name: str) -> pd.DataFrame:
    """The set as one table, its target last; shared between callers, so never changed in place."""
    about = BUNDLED[name]
    raw = getattr(datasets, about.loader)(**dict(about.arguments))
    return about.build(raw, about.target)


_FRAME = (("as_frame", True),)

BUNDLED: dict[str, Bundled] = {
    "iris": Bundled(
        "load_iris",
        _FRAME,
        "species",
        "classification",
        "Iris",
        "150 flowers, 4 lengths each: which of three species of iris is it? (Anderson, Fisher 1936)",
    ),
    "wine": Bundled(
        "load_wine",
        _FRAME,
        "cultivar",
        "classification",
        "Wine",
        "178 Italian wines, 13 chemical measurements each: which of three cultivars? (Forina 1991)",
    ),
    "breast_cancer": Bundled(
        "load_breast_cancer",
        _FRAME,
        "diagnosis",
        "classification",
        "Breast cancer",
        "569 tissue samples, 30 measurements of cell nuclei each: malignant or benign? (Wolberg 1995)",
    ),
    "digits": Bundled(
        "load_digits",
        _FRAME,
        "digit",
        "classification",
        "Digits",
        "1797 handwritten digits as 8 × 8 grey values from 0 to 16: which digit? (Alpaydin 1998)",
    ),
    "diabetes": Bundled(
        "load_diabetes",
        (("as_frame", True), ("scaled", False)),
        "progression",
        "regression",
        "Diabetes",
        "442 patients, 10 measurements each: how far has the disease progressed a year later? (Efron 2004)",
    ),
}
