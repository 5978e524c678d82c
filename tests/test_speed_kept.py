"""Kept measurements: per learner, found again, forgotten for good, so many, so large and so old."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from models.data import workspace
from models.speed import Spec, kept

TOLD: dict[str, Any] = {
    "part": "benchmark",
    "samples": {"full step": {"median": 2.0, "low": 1.0, "high": 3.0, "count": 7, "first": None}},
    "machine": {"processor": "a processor"},
}
SPEC = Spec(depth=5)


@pytest.fixture(autouse=True)
def _own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))


def folder(owner: str, run: str) -> Path:
    return workspace.home() / "measurements" / workspace.hashed(owner) / run


def made_ago(path: Path, seconds: float) -> None:
    """Let a kept measurement be as old as this."""
    then = time.time() - seconds
    os.utime(path / "about.json", (then, then))


def keep(run: str, owner: str = "me", created: float = 1.0, **told: Any) -> None:
    kept.keep(owner, run, created, SPEC, TOLD | told)


def test_what_was_kept_is_found_again_the_oldest_first() -> None:
    keep("run-later", created=2.0)
    keep("run-early", created=1.0)
    early, late = kept.listing("me")
    assert (early.run, late.run) == ("run-early", "run-later")
    assert (early.spec, early.created, early.machine) == (SPEC, 1.0, TOLD["machine"])
    assert early.sample is not None
    assert (early.sample.median, early.sample.count) == (2.0, 7)
    assert kept.result("me", "run-early") == TOLD
    assert kept.spec_of("me", "run-early") == SPEC


def test_nobody_sees_anothers_and_the_disk_holds_no_name() -> None:
    keep("run-of-mine", owner="a secret cookie")
    assert kept.listing("me") == []
    assert kept.result("me", "run-of-mine") is None
    assert kept.spec_of("me", "run-of-mine") is None
    assert not any("secret" in str(path) for path in workspace.home().rglob("*"))


def test_keeping_twice_changes_nothing() -> None:
    keep("run-once")
    before = (folder("me", "run-once") / "about.json").stat().st_mtime_ns
    keep("run-once", samples={})
    assert (folder("me", "run-once") / "about.json").stat().st_mtime_ns == before
    assert kept.result("me", "run-once") == TOLD


def test_what_is_forgotten_stays_so_although_the_server_still_has_it() -> None:
    keep("run-gone")
    keep("run-stays")
    kept.forget("me", "run-gone")
    keep("run-gone")
    assert [one.run for one in kept.listing("me")] == ["run-stays"]
    assert kept.result("me", "run-gone") is None
    assert kept.has("me", "run-gone")


@pytest.mark.parametrize("run", ["../../etc/passwd", "", "a", "run/..", "x" * 65, "run\0zero"])
def test_an_id_that_no_run_has_is_no_path(run: str, tmp_path: Path) -> None:
    keep(run)
    kept.forget("me", run)
    assert not kept.has("me", run)
    assert kept.result("me", run) is None
    assert list(tmp_path.rglob("*.json")) == []


def test_one_learner_keeps_the_newest_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 3)
    keep("run-of-another", owner="you")
    for n in range(5):
        keep(f"run-number-{n}", created=n)
        made_ago(folder("me", f"run-number-{n}"), 100 - n)
    kept.prune()
    assert [one.run[-1] for one in kept.listing("me")] == ["2", "3", "4"]
    assert len(kept.listing("you")) == 1


def test_what_is_too_old_goes_and_what_is_a_little_younger_stays() -> None:
    for run, age in (("run-too-old", kept.MAX_AGE + 60), ("run-younger", kept.MAX_AGE - 60)):
        keep(run)
        made_ago(folder("me", run), age)
    kept.prune()
    assert [one.run for one in kept.listing("me")] == ["run-younger"]


def test_beyond_the_quota_the_oldest_of_all_go(monkeypatch: pytest.MonkeyPatch) -> None:
    for age, owner in ((30, "you"), (20, "me"), (10, "you")):
        keep(f"run-aged-{age}", owner=owner)
        made_ago(folder(owner, f"run-aged-{age}"), age)
    size = sum(p.stat().st_size for p in folder("me", "run-aged-20").iterdir())
    monkeypatch.setattr(kept, "QUOTA", 2 * size)
    kept.prune()
    assert [one.run for one in kept.listing("you")] == ["run-aged-10"]
    assert [one.run for one in kept.listing("me")] == ["run-aged-20"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"created": 1}', '{"forgotten": 1}'])
def test_a_damaged_entry_is_left_out_and_the_others_are_not(damage: str) -> None:
    keep("run-damaged")
    keep("run-whole")
    (folder("me", "run-damaged") / "about.json").write_text(damage)
    assert [one.run for one in kept.listing("me")] == ["run-whole"]


def test_settings_that_are_no_longer_known_are_left_out() -> None:
    keep("run-foreign")
    path = folder("me", "run-foreign") / "about.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"settings": about["settings"] | {"colour": "red"}}))
    assert kept.listing("me") == []
    path.write_text(json.dumps(about | {"settings": about["settings"] | {"depth": 99}}))
    assert kept.listing("me") == []
    path.write_text(json.dumps(about))
    assert len(kept.listing("me")) == 1


def test_a_full_disk_costs_the_history_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, value: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workspace, "write_json", full)
    keep("run-homeless")
    assert kept.listing("me") == []


@pytest.mark.parametrize("part", ["benchmark", "profile", "precision", "memory", "compile"])
def test_each_part_has_the_sample_that_stands_for_it(part: str) -> None:
    one = TOLD["samples"]["full step"]
    told = {
        "part": part,
        "plain": one,
        "rows": {"float32": {"sample": one}},
        "samples": {"full step": one, "plain": one, "compiled": one},
    }
    found = kept.main_sample(told)
    assert found is not None
    assert found.median == 2.0


def test_levers_and_what_did_not_compile_have_none() -> None:
    assert kept.main_sample({"part": "levers", "levers": {}}) is None
    assert kept.main_sample({"part": "compile", "problem": "no compiler"}) is None
