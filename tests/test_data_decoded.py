"""An upload is decoded once; what lies beside it gives the same table again, in part or whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.core.spec import SpecError
from models.data import csv_files, decoded, example, workspace
from models.data.csv_files import AUTO, CsvOptions


@pytest.fixture
def planets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    return workspace.put(example.CONTENT, example.NAME)


def test_a_profile_is_remembered_word_for_word(
    planets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert decoded.remembered(planets) is None
    first = decoded.profile(planets)
    monkeypatch.delattr(csv_files, "read_csv")  # it cannot be read again
    assert (
        repr(decoded.remembered(planets)) == repr(decoded.profile(planets)) == repr(first)
    )  # NaN is not NaN


def test_what_is_decoded_is_what_was_read(planets: str) -> None:
    found, table = csv_files.read_csv(workspace.get(planets), example.NAME)
    names = [c.name for c in found.columns]
    again = decoded.load(planets, AUTO, names)
    assert list(again.columns) == names
    pd.testing.assert_frame_equal(again, table)
    some = decoded.load(planets, AUTO, ["moons", "kind"], np.array([9, 4]))
    assert some["moons"].tolist() == [5, 95]
    assert some["kind"].tolist() == ["dwarf", "gas giant"]
    assert some.index.tolist() == [9, 4]


def test_other_options_are_another_table(planets: str) -> None:
    moons = {
        c.name: c.kind
        for c in decoded.profile(planets, CsvOptions(column_kinds="moons=category")).columns
    }["moons"]
    assert moons == "category"
    assert {c.name: c.kind for c in decoded.profile(planets).columns}["moons"] == "number"


@pytest.mark.parametrize("damage", [b"", b"{", b'{"name": 1}'])
def test_a_damaged_cache_is_made_again(planets: str, damage: bytes) -> None:
    first = decoded.profile(planets)
    (path,) = workspace.folder(planets).glob("cache/*/profile.json")
    path.write_bytes(damage)
    assert repr(decoded.profile(planets)) == repr(first)
    assert decoded.load(planets, AUTO, ["mass"])["mass"].tolist()[4] == 1898


def test_a_failed_reading_leaves_nothing_and_takes_nothing_away(planets: str) -> None:
    decoded.profile(planets)
    bad = workspace.put(b"a,b\n1,2,3\n4,5\n", "bad.csv")
    with pytest.raises(SpecError, match=r"Row 1 has 3 cells"):
        decoded.profile(bad)
    assert not list(workspace.folder(bad).glob("cache/*"))
    assert decoded.remembered(planets) is not None


def test_too_many_different_words_are_not_kept_decoded(
    planets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded, "MAX_WORDS", 4)
    decoded.profile(planets)
    assert len(set(decoded.load(planets, AUTO, ["kind"])["kind"].tolist())) == 4
    with pytest.raises(SpecError, match="'name' holds more than 4 different words"):
        decoded.load(planets, AUTO, ["name"])


def test_a_table_in_use_is_not_pruned(planets: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import time

    decoded.profile(planets)
    then = time.time() - 2 * workspace.MAX_AGE
    os.utime(workspace.folder(planets), (then, then))
    decoded.load(planets, AUTO, ["mass"])
    assert workspace.prune() > 0
    os.utime(workspace.folder(planets), (then, then))
    assert workspace.prune() == 0
