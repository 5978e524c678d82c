"""Steps written as text: read, checked against the table, run, and printed as a script of the same first batch."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.core import export
from models.core.spec import SpecError
from models.data import workspace
from models.datasets import columns
from models.datasets.columns import Spec


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def kept(text: str | bytes, name: str = "own.csv") -> str:
    return "upload:" + workspace.put(text if isinstance(text, bytes) else text.encode(), name)


def test_what_is_written_is_what_is_read():
    text = "mass: median, log, standardise\nkind: one-hot 3\na: b: fill nothing\nrings:"
    chains = columns.parse(text)
    assert list(chains) == ["mass", "kind", "a: b", "rings"]
    assert columns.parse(columns.text_of(chains)) == chains


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mass median", "has no colon"),
        ("mass: median\nmass: log", "has two lines"),
        ("mass: sqrt", "is no step"),
        ("mass: fill", "needs a value"),
        ("mass: median 3", "takes nothing behind it"),
        ("kind: one-hot 0", "from 1 to 500"),
        ("kind: one-hot " + "9" * 5000, "from 1 to 500"),
        (": median", "has no colon"),
    ],
)
def test_a_line_that_cannot_be_read_is_explained(text: str, said: str):
    with pytest.raises(SpecError, match=said):
        Spec(steps=text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weight: median", "no column called 'weight'"),
        ("kind: median", "holds words there"),
        ("kind: common", "holds words in the end"),
        ("kind: one-hot, standardise", "stands behind the step that ends it"),
        ("mass: fill much", "is none"),
        ("moons: log", "have no logarithm"),
        ("mass: standardise", "left with 1 missing value"),
    ],
)
def test_a_step_that_does_not_fit_the_table_is_explained(text: str, said: str):
    with pytest.raises(SpecError, match=said):
        columns.run(Spec(steps=text))
    near = {"moons: log": "moons: signed-log", "mass: standardise": "mass: fill 0, standardise"}
    if text in near:
        assert columns.run(Spec(steps=near[text])).x.shape == (8, 1)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_reason(text: str):
    with contextlib.suppress(SpecError):
        chains = columns.parse(text)
        assert columns.parse(columns.text_of(chains)) == chains


def test_what_is_proposed_fits_and_leaves_names_out():
    result = columns.run(Spec())
    assert "name:" not in result.lines
    assert "mass: median, log, standardise" in result.lines
    assert "kind: embedding 2" in result.lines
    assert result.inputs.shape == (8, len(result.features) + 2)
    assert not result.inputs.isnan().any()


def test_every_step_is_seen_before_and_after_with_numbers_of_training_alone():
    after = columns.stages(Spec(steps="mass: median, log, standardise"), "mass")
    assert [s.word for s in after] == ["as it is read", "median", "log", "standardise"]
    assert [s.train["missing"] + s.val["missing"] for s in after] == [1, 0, 0, 0]
    assert after[-1].train["mean"] == pytest.approx(0, abs=1e-9)
    assert after[-1].train["deviation"] == pytest.approx(1)
    assert abs(after[-1].val["mean"]) > 0.01  # validation is not at 0: it was not asked


def test_a_script_of_an_own_table_prints_the_same_first_batch(tmp_path: Path):
    rows = "\n".join(
        f"{i},5;{['Bern', 'Züri', 'Chur'][i % 3]};{'' if i % 7 == 0 else i % 5};{10 ** (i % 6)},5"
        for i in range(60)
    )
    data = kept(f"Größe;Ort;Zahl;Betrag\n{rows}\n".encode("cp1252"), "<b>own.csv")
    spec = Spec(
        data=data,
        steps="Größe: min-max\nOrt: embedding 3\nZahl: common, one-hot 3\nBetrag: log, standardise",
        batch_size=16, seed=3,
    )  # fmt: skip
    for name, path in columns.files(spec).items():
        shutil.copy(path, tmp_path / name)
    printed = export.numbers(export.run(columns.to_code(spec), tmp_path))
    assert printed == pytest.approx(columns.numbers(columns.run(spec)), rel=1e-6)


def test_a_table_without_anything_for_a_network_is_explained():
    data = kept("name\n" + "\n".join(f"person {i}" for i in range(9)))
    with pytest.raises(SpecError, match="nothing for a network"):
        columns.run(Spec(data=data))
    long = kept("id,w\n" + "\n".join(f"{i},word{i}" for i in range(2500)))
    with pytest.raises(SpecError, match="different values; an embedding takes"):
        columns.run(Spec(data=long, steps="w: embedding"))
