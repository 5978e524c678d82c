"""Laws of free Python: off unless switched on, and then bounded in time, memory and output, away from the server."""

from __future__ import annotations

import json
import os

import psutil
import pytest

from models.autograd import free
from models.core.spec import SpecError


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(free.SWITCH, "1")


@pytest.mark.parametrize("value", [None, "", "0", "true"])
def test_it_is_off_unless_switched_on(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv(free.SWITCH, raising=False)
    if value is not None:
        monkeypatch.setenv(free.SWITCH, value)
    assert not free.allowed()
    with pytest.raises(SpecError, match="switched off"):
        free.run("print(1)")


@pytest.mark.usefixtures("on")
def test_a_script_runs_and_its_output_comes_back() -> None:
    output = free.run("print('gradient', 6 * 7)")
    assert (output.printed, output.error) == ("gradient 42\n", "")


@pytest.mark.usefixtures("on")
def test_an_error_is_the_learners_own_traceback() -> None:
    output = free.run("print(1)\nwrong")
    assert output.printed == "1\n"
    assert "line 2" in output.error
    assert "NameError" in output.error


@pytest.mark.usefixtures("on")
def test_a_script_without_an_end_is_ended() -> None:
    output = free.run("print('start', flush=True)\nwhile True: pass", seconds=0.6)
    assert "longer than it may" in output.error
    assert output.printed == "start\n"
    assert output.seconds < 5


@pytest.mark.usefixtures("on")
def test_a_script_that_eats_memory_is_ended() -> None:
    output = free.run("import time\na = b'x' * 400_000_000\ntime.sleep(30)", memory=200 * 2**20)
    assert "more than 200 MB" in output.error


@pytest.mark.usefixtures("on")
def test_what_it_started_ends_with_it() -> None:
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid, flush=True)\nwhile True: pass"
    )
    assert _gone(int(free.run(code, seconds=1.5).printed))


@pytest.mark.usefixtures("on")
def test_what_it_left_behind_ends_with_it() -> None:
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\nprint(p.pid)"
    )
    assert _gone(int(free.run(code).printed))


def _gone(pid: int) -> bool:
    """Ended, within 5 s; a number that nobody has asked for yet still counts."""
    try:
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            process.wait(5)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


@pytest.mark.usefixtures("on")
def test_output_is_cut() -> None:
    assert len(free.run("print('x' * 100_000)").printed) == free.CHARACTERS


@pytest.mark.usefixtures("on")
def test_it_sees_neither_the_servers_environment_nor_its_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLAYGROUND_SECRET", "hidden")
    code = "import json, os, sys\nprint(json.dumps([sorted(os.environ), os.getcwd(), sys.path]))"
    variables, folder, path = json.loads(free.run(code).printed)
    assert not [v for v in variables if "PLAYGROUND" in v]
    assert os.getcwd() not in (folder, *path)


@pytest.mark.usefixtures("on")
def test_no_more_than_a_few_scripts_run_at_once() -> None:
    taken = [free._turns.acquire(timeout=5) for _ in range(free.AT_ONCE)]
    try:
        assert all(taken)
        with pytest.raises(SpecError, match="the most at once"):
            free.run("print(1)", seconds=0.05)
    finally:
        for _ in taken:
            free._turns.release()
    assert free.run("print(1)").printed == "1\n"
    assert free.run("wrong").error  # a failed script gives its turn back too
    assert free.run("print(2)").printed == "2\n"
