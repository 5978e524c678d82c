"""`python3 -m tests`: everything by default, what was named otherwise, and never a silent gap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app import bootstrap
from tests import __main__ as command
from tests.browser import harness


class Ran:
    """Records the stages instead of running them, answering with the exit codes given by stage's tool."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.codes: dict[str, int] = {}

    def call(self, line: list[str], **_: object) -> int:
        self.commands.append(line[2:])
        return next((code for word, code in self.codes.items() if word in line), 0)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    recorder = Ran()
    monkeypatch.setattr(subprocess, "call", recorder.call)
    monkeypatch.setattr(bootstrap, "environment", lambda requirements: sys.executable)
    monkeypatch.setattr(harness, "find_browser", lambda: "/somewhere/chromium")
    return recorder


def test_everything_runs_and_is_timed(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    assert [line[0] for line in ran.commands] == ["ruff", "ruff", "pyright", "pytest", "pytest"]
    assert "--ignore=tests/browser" in ran.commands[3]
    assert ran.commands[4] == ["pytest", "tests/browser"]
    words = capsys.readouterr().out.split()
    assert words.count("passed") == 5


@pytest.mark.parametrize("failing", ["ruff", "pyright", "pytest", "tests/browser"])
def test_one_failing_stage_fails_the_whole_and_the_others_still_run(
    ran: Ran, failing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran.codes = {failing: 1}
    assert command.main([]) == 1
    assert len(ran.commands) == 5
    assert "FAILED" in capsys.readouterr().out


def test_without_a_browser_one_line_says_how_to_get_one(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(harness, "find_browser", lambda: None)
    assert command.main([]) != 0
    assert capsys.readouterr().err == harness.NO_BROWSER + "\n"
    assert ran.commands == []


def test_no_browser_leaves_those_tests_out_and_says_so(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(harness, "find_browser", lambda: None)
    assert command.main(["--no-browser"]) == 0
    assert [line[0] for line in ran.commands] == ["ruff", "ruff", "pyright", "pytest"]
    assert all("--no-browser" not in line for line in ran.commands)
    assert "left out" in capsys.readouterr().out


def test_arguments_reach_both_runs_of_pytest(ran: Ran) -> None:
    command.main(["-x", "-k", "spec"])
    assert all(line[-3:] == ["-x", "-k", "spec"] for line in ran.commands[3:])


@pytest.mark.parametrize(
    ("named", "left_out"),
    [
        ("tests/test_spec.py", "tests/browser"),
        ("tests/test_spec.py::test_every_field_says_what_it_is", "tests/browser"),
        ("tests/browser/test_pages.py", "--ignore=tests/browser"),
    ],
)
def test_named_tests_replace_all_tests(ran: Ran, named: str, left_out: str) -> None:
    command.main([named])
    pytests = [line for line in ran.commands if line[0] == "pytest"]
    assert len(pytests) == 1
    assert named in pytests[0]
    assert left_out not in pytests[0]


@pytest.mark.parametrize(("arguments", "code"), [([], 1), (["-k", "spec"], 0)])
def test_no_test_at_all_is_a_failure_unless_it_was_asked_for(
    ran: Ran, arguments: list[str], code: int
) -> None:
    ran.codes = {"tests/browser": command.NOTHING_COLLECTED}
    assert command.main(arguments) == code


def test_a_choice_that_no_test_meets_is_a_failure(
    ran: Ran, capsys: pytest.CaptureFixture[str]
) -> None:
    ran.codes = {"pytest": command.NOTHING_COLLECTED}
    assert command.main(["-k", "speling"]) == 1
    assert capsys.readouterr().out.count("no tests") == 2


@pytest.mark.parametrize("option", ["--ignore", "--deselect"])
def test_a_test_that_is_left_out_by_name_is_not_chosen(ran: Ran, option: str) -> None:
    command.main([option, "tests/test_spec.py"])
    pytests = [line for line in ran.commands if line[0] == "pytest"]
    assert [line[-2:] for line in pytests] == [[option, "tests/test_spec.py"]] * 2


def test_an_environment_that_cannot_be_made_is_said_in_a_sentence(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline(requirements: str) -> str:
        raise bootstrap.BootstrapError(f"{requirements} could not be installed.")

    monkeypatch.setattr(bootstrap, "environment", offline)
    assert command.main([]) == 1
    assert capsys.readouterr().err == "requirements-dev.txt could not be installed.\n"


def test_a_browser_named_by_variable_is_the_one_or_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "chrome.exe"
    own.write_text("")
    own.chmod(0o755)
    monkeypatch.setenv("CHROME", str(own))
    assert harness.find_browser() == str(own)
    monkeypatch.setenv("CHROME", str(tmp_path / "nothing"))
    assert harness.find_browser() is None


def test_a_browser_that_playwright_downloaded_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("CHROME", "PLAYGROUND_CHROME", "PLAYWRIGHT_BROWSERS_PATH"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(harness, "_PLACES", [])
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert harness.find_browser() is None
    own = tmp_path / ".cache/ms-playwright/chromium-1200/chrome-linux64/chrome"
    own.parent.mkdir(parents=True)
    own.write_text("")
    assert harness.find_browser() == str(own)
