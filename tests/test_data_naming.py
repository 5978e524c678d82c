"""Free names: all different, the first that is free, and found in as many looks as there are names."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.training import data
from models.data import csv_files, ingest
from models.data.naming import FreeNames
from models.tensor_ops import create

WORDS = st.lists(st.sampled_from(["a", "A", "a (2)", "a (3)", "a (2) (2)", "b"]), max_size=30)


def one_by_one(names: list[str], taken: set[str]) -> list[str]:
    """What is meant: the name itself, else the first number that is free, looked for from 2 every time."""
    found = []
    for name in names:
        chosen, number = name, 2
        while chosen in taken:
            chosen, number = f"{name} ({number})", number + 1
        taken.add(chosen)
        found.append(chosen)
    return found


@given(WORDS, WORDS)
def test_every_name_is_the_first_that_is_free(names: list[str], taken: list[str]) -> None:
    free = FreeNames(taken)
    found = [free.take(n, lambda k, n=n: f"{n} ({k})") for n in names]
    assert found == one_by_one(names, set(taken))


@pytest.mark.parametrize("word", ["a", "a (2)"])
def test_equal_names_take_a_step_each(word: str) -> None:
    looks = 0

    def numbered(number: int) -> str:
        nonlocal looks
        looks += 1
        return f"{word} ({number})"

    free = FreeNames(f"a ({k})" for k in range(2, 100))
    found = [free.take(word, numbered) for _ in range(5000)]
    assert len(set(found)) == 5000
    assert looks < 5000 + 100


def test_what_counts_as_the_same_can_be_chosen() -> None:
    free = FreeNames(key=str.lower)
    assert [free.take(n, lambda k, n=n: f"{n}{k}") for n in ("a", "A", "a")] == ["a", "A2", "a3"]


def test_a_table_of_equal_names_is_read_with_every_column(tmp_path: Path) -> None:
    width = 2000
    path = tmp_path / "content"
    path.write_text(",".join(["a"] * width) + "\n" + ",".join(["1"] * width) + "\n")
    found, table = csv_files.read_csv(path, "equal.csv")
    assert list(table) == ["a", *(f"a ({k})" for k in range(2, width + 1))]
    assert len(found.columns) == width


def test_files_of_equal_names_keep_each_its_own_place() -> None:
    files = ((name, io.BytesIO(b"x")) for name in ["a/t.csv", "b/t.csv", "t.csv", "2-t.csv"])
    with ingest.packed(files) as path, zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["t.csv", "2-t.csv", "3-t.csv", "2-2-t.csv"]


def test_answers_stand_beside_columns_of_any_name() -> None:
    own = pd.DataFrame([[1, 2, 3]], columns=["prediction", "prediction (own)", "x"])
    shown = data.beside({"prediction": [5]}, own)
    assert list(shown) == ["prediction", "prediction (own 2)", "prediction (own)", "x"]


def test_a_shelf_can_hold_more_tensors_than_there_are_letters() -> None:
    names: tuple[str, ...] = ()
    for _ in range(30):
        names = (*names, create.free_name(names))
    assert len(set(names)) == 30
    assert all(name.isidentifier() for name in names)
