"""The workspace keeps every byte, trusts no name, and never removes what is in use."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.core.spec import SpecError
from models.data import workspace

HOSTILE = [
    "../../etc/passwd",
    "C:\\windows\\system32\\x.csv",
    "<script>alert(1)</script>.csv",
    "photo\u202egnp.csv",
    "a" * 4000 + ".csv",
    "=cmd|' /C calc'!A0",
    "",
    ".",
    "con\x00.csv",
    "\ud800.csv",
    "🙂.csv",
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def age(id: str, seconds: float) -> None:
    """Make a kept file look unused for that long."""
    then = time.time() - seconds
    os.utime(workspace.folder(id), (then, then))


def test_bytes_a_stream_and_a_path_are_the_same_content(tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    (tmp_path / "f").write_bytes(data)
    ids = {workspace.put(c, "f") for c in (data, io.BytesIO(data), tmp_path / "f")}
    assert ids == {hashlib.sha256(data).hexdigest()}
    assert workspace.get(ids.pop()).read_bytes() == data


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_kept_as_data_and_never_becomes_a_path(name: str, home: Path) -> None:
    id = workspace.put(b"x", name, "me")
    assert workspace.about(id).name == workspace.listing("me")[0].name == name
    assert {p.name for p in home.rglob("*") if p.is_file()} == {
        "content",
        "about.json",
        f"{hashlib.sha256(b'me').hexdigest()[:32]}.json",
    }


@given(st.text())
def test_a_shown_name_is_short_one_line_and_without_hidden_characters(name: str) -> None:
    shown = workspace.display_name(name)
    assert 0 < len(shown) <= 48
    assert shown.isprintable()


@given(st.text())
def test_a_script_finds_its_file_in_its_own_folder(name: str) -> None:
    found = workspace.file_name(name)
    assert Path(found).name == found
    assert found.isprintable()
    assert len(found) < 100
    assert found.rpartition(".")[2].lower() in {"csv", "tsv", "txt", "data", "tab"}
    assert workspace.file_name(found) == found


def test_an_ordinary_name_stays_as_it_is() -> None:
    for name in ("cars.csv", "Größe (2) final.TSV", "iris.data"):
        assert workspace.file_name(name) == workspace.display_name(name) == name


def test_a_listing_shows_the_owner_what_is_theirs_newest_first() -> None:
    first = workspace.put(b"1", "one", "ann")
    second = workspace.put(b"2", "two", "ann")
    workspace.put(b"1", "uno", "bob")
    assert [(u.id, u.name, u.size) for u in workspace.listing("ann")] == [
        (second, "two", 1),
        (first, "one", 1),
    ]
    assert [u.name for u in workspace.listing("bob")] == ["uno"]
    assert workspace.listing("eve") == ()


def test_content_goes_with_its_last_owner() -> None:
    id = workspace.put(b"1", "one", "ann")
    workspace.put(b"1", "uno", "bob")
    workspace.forget(id, "ann")
    assert workspace.get(id).read_bytes() == b"1"
    workspace.forget(id, "bob")
    with pytest.raises(SpecError, match="not on this server"):
        workspace.get(id)


@pytest.mark.parametrize("id", ["0" * 64, "..", "", "../" * 21 + "x", "A" * 64])
def test_an_unknown_id_says_so(id: str) -> None:
    with pytest.raises(SpecError, match="not on this server"):
        workspace.get(id)


def test_a_file_at_the_limit_is_kept_and_one_byte_more_is_refused(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(workspace, "MAX_FILE", 1000)
    workspace.put(b"x" * 1000, "fits")
    with pytest.raises(SpecError, match="larger than"):
        workspace.put(b"x" * 1001, "too large")
    assert not list((home / "tmp").iterdir())


def test_a_full_quota_removes_the_longest_unused_first(monkeypatch: pytest.MonkeyPatch) -> None:
    old, older = workspace.put(b"a" * 1000, "old"), workspace.put(b"b" * 1000, "older")
    age(old, 7000)
    age(older, 8000)
    monkeypatch.setattr(workspace, "QUOTA", 2500)
    new = workspace.put(b"c" * 1000, "new")
    assert workspace.get(new)
    assert workspace.get(old)
    with pytest.raises(SpecError, match="not on this server"):
        workspace.get(older)


def test_what_was_used_within_the_hour_is_never_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    id = workspace.put(b"a" * 1000, "used")
    age(id, 3500)
    monkeypatch.setattr(workspace, "QUOTA", 1500)
    monkeypatch.setattr(workspace, "MAX_AGE", 0.0)
    with pytest.raises(SpecError, match="no room"):
        workspace.put(b"b" * 1000, "new")
    assert workspace.get(id).stat().st_size == 1000
    age(id, 3700)
    assert workspace.put(b"b" * 1000, "new")


def test_what_nobody_used_for_a_month_goes() -> None:
    id = workspace.put(b"a", "old")
    age(id, workspace.MAX_AGE + 10)
    assert workspace.prune() == 0


def test_many_bringing_the_same_content_at_once_keep_it_once(home: Path) -> None:
    data = os.urandom(100_000)
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda i: workspace.put(data, f"{i}", f"owner {i}"), range(24)))
    assert len(ids) == len(list((home / "files").iterdir())) == 1
    assert len(list((workspace.folder(ids.pop()) / "owners").iterdir())) == 24


def test_a_damaged_entry_does_not_hide_the_content() -> None:
    id = workspace.put(b"a", "x", "me")
    (workspace.folder(id) / "about.json").write_text("{")
    assert workspace.about(id).size == 1


def test_metadata_is_json() -> None:
    id = workspace.put(b"abc", "x.csv")
    known = json.loads((workspace.folder(id) / "about.json").read_text())
    assert known.keys() == {"name", "size", "added"}
    assert known["size"] == 3


def test_a_workspace_that_cannot_be_written_is_said_and_another_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(workspace._WANTED, "")
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "fine"))
    workspace.settle()
    assert (workspace.problem(), workspace.home()) == ("", tmp_path / "fine")
    (tmp_path / "file").write_text("no folder can be made in it")
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "file"))
    with pytest.raises(SpecError, match="cannot be written"):
        workspace.put(b"x", "x.csv", "me")
    assert workspace.listing("me") == ()
    assert "What comes with the app works" in workspace.problem()
    workspace.settle()
    assert "until this server stops" in workspace.problem()
    assert workspace.get(workspace.put(b"x", "x.csv", "me")).read_bytes() == b"x"


def test_a_folder_that_was_removed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    id = workspace.put(b"x", "x.csv", "me")
    shutil.rmtree(tmp_path / "home")
    with pytest.raises(SpecError, match="not on this server"):
        workspace.get(id)
    assert workspace.put(b"x", "x.csv", "me") == id
