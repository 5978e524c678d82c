"""The commands on a fresh machine: what is missing is seen without importing it, what broke is repaired."""

from __future__ import annotations

import ast
import errno
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app import __main__ as command
from app import bootstrap
from tests.conftest import ROOT

STANDARD_LIBRARY_ONLY = [
    "app/__init__.py",
    "app/__main__.py",
    "app/bootstrap.py",
    "tests/__init__.py",
    "tests/__main__.py",
    "tests/browser/__init__.py",
    "benchmarks/__init__.py",
    "benchmarks/__main__.py",
]


def installed(folder: Path, **versions: str) -> list[str]:
    """A path on which these packages look installed."""
    for name, version in versions.items():
        about = folder / f"{name}-{version}.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
    return [str(folder)]


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        ("torch", True),
        ("torch>=2.11", True),
        ("torch>=2.13.1", True),
        ("torch>=2.13.2", False),
        ("torch>=2.9", True),  # by number, not by letter
        ("torch>=3", False),
        ("Torch>=2", True),
        ("torch[extra]>=2", True),
        ("torchvision", False),
        ("my-package", True),
        ("my.package>=0.10", True),
        ("my_package>=0.10.1", False),
    ],
)
def test_a_requirement_is_met_by_name_and_number(
    tmp_path: Path, requirement: str, met: bool
) -> None:
    path = installed(tmp_path, torch="2.13.1+cu130", My_Package="0.10")
    assert bootstrap.missing([requirement], path) == ([] if met else [requirement])


def test_a_requirement_of_unknown_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(bootstrap.BootstrapError, match="torch~=2"):
        bootstrap.missing(["torch~=2"], installed(tmp_path, torch="2.0"))


def test_requirements_include_the_files_they_name_and_no_comments(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# both\n-r b.txt\none>=1 # why\n\n")
    (tmp_path / "b.txt").write_text("two\n")
    assert bootstrap.read(tmp_path / "a.txt") == ["two", "one>=1"]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_projects_own_requirements_are_understood_and_met_here(name: str) -> None:
    wanted = bootstrap.read(ROOT / name)
    assert len(wanted) > 5
    assert bootstrap.missing(wanted, sys.path) == []


def test_torch_is_never_pinned() -> None:
    wanted = bootstrap.read(ROOT / "requirements.txt")
    assert [r for r in wanted if r.startswith("torch") and "==" in r] == []


@pytest.mark.parametrize(("version", "fine"), [((3, 10), False), ((3, 11), True), ((3, 14), True)])
def test_an_old_python_is_told_which_one_is_needed(version: tuple[int, int], fine: bool) -> None:
    if fine:
        bootstrap.require_python(version)
        return
    with pytest.raises(
        bootstrap.BootstrapError, match=r"needs Python 3\.11 or newer.*is Python 3\.10"
    ):
        bootstrap.require_python(version)


@pytest.mark.parametrize("name", STANDARD_LIBRARY_ONLY)
def test_the_commands_import_the_standard_library_only(name: str) -> None:
    own = {"app", "tests"}
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            roots = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots = {(node.module or "").split(".")[0]}
        else:
            continue
        assert roots <= sys.stdlib_module_names | own, name


@pytest.mark.parametrize("name", STANDARD_LIBRARY_ONLY)
def test_an_old_python_can_read_the_commands_and_so_say_its_sentence(name: str) -> None:
    ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 8))


def test_a_machine_where_nothing_is_missing_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "call", _never)
    monkeypatch.setattr(subprocess, "Popen", _never)
    started = time.perf_counter()
    assert bootstrap.environment("requirements-dev.txt") == sys.executable
    assert time.perf_counter() - started < 1


class Machine:
    """A machine where installing is pretended: records the commands, answers with the given exit codes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.folder = folder
        self.commands: list[str] = []
        self.failing: tuple[str, ...] = ()
        self.interrupted = False
        monkeypatch.setattr(bootstrap, "missing", self.missing)
        monkeypatch.setattr(subprocess, "call", self.call)

    def missing(self, wanted: list[str], path: list[str]) -> list[str]:
        lies_in_folder = path and all(Path(p).is_relative_to(self.folder) for p in path)
        return [] if lies_in_folder else wanted

    def call(self, command: list[str], **options: object) -> int:
        words = " ".join(command[1:])
        if command[1] == "-c":  # "does this interpreter work?"
            return 0 if Path(command[0]).exists() else 1
        kind = next(k for k in ("-m venv", "-m uv", "install --quiet uv", "-m pip") if k in words)
        self.commands.append(kind)
        if kind in self.failing:
            return 1
        if kind == "-m venv":
            python = bootstrap._interpreter(self.folder)
            python.parent.mkdir(parents=True)
            python.touch()
            (self.folder / "lib/python3.11/site-packages").mkdir(parents=True)
        if kind in ("-m uv", "-m pip") and self.interrupted:
            raise KeyboardInterrupt
        return 0

    def environment(self) -> str:
        self.commands.clear()
        return bootstrap.environment("requirements.txt", folder=self.folder)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path / "env")


def test_a_fresh_machine_gets_an_environment_once(machine: Machine) -> None:
    assert machine.environment() == str(bootstrap._interpreter(machine.folder))
    assert machine.commands == ["-m venv", "install --quiet uv", "-m uv"]
    machine.environment()
    assert machine.commands == []


def test_pip_takes_over_where_uv_fails(machine: Machine) -> None:
    machine.failing = ("install --quiet uv",)
    machine.environment()
    assert machine.commands == ["-m venv", "install --quiet uv", "-m pip"]


def test_an_offline_machine_is_told_so_and_the_next_start_tries_again(machine: Machine) -> None:
    machine.failing = ("install --quiet uv", "-m pip")
    with pytest.raises(bootstrap.BootstrapError, match="Is this machine online"):
        machine.environment()
    machine.failing = ()
    machine.environment()
    assert machine.commands == ["-m venv", "install --quiet uv", "-m uv"]


def test_an_interrupted_installation_is_made_anew(machine: Machine) -> None:
    machine.interrupted = True
    with pytest.raises(bootstrap.BootstrapError, match="Interrupted"):
        machine.environment()
    machine.interrupted = False
    machine.environment()
    assert machine.commands == ["-m venv", "install --quiet uv", "-m uv"]
    machine.environment()
    assert machine.commands == []


def test_an_environment_someone_made_by_hand_is_completed_not_erased(machine: Machine) -> None:
    python = bootstrap._interpreter(machine.folder)
    python.parent.mkdir(parents=True)
    python.touch()
    kept = machine.folder / "kept"
    kept.touch()
    machine.environment()
    assert machine.commands == ["install --quiet uv", "-m uv"]
    assert kept.exists()


def test_changed_requirements_are_installed_into_the_same_environment(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.environment()
    monkeypatch.setattr(bootstrap, "read", lambda path: ["torch>=99"])
    machine.environment()
    assert machine.commands == ["install --quiet uv", "-m uv"]


def test_a_machine_without_venv_is_told_the_package(machine: Machine) -> None:
    machine.failing = ("-m venv",)
    with pytest.raises(bootstrap.BootstrapError, match="python3-venv"):
        machine.environment()


def test_a_port_in_use_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "hand_over", _never)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert command.main(["--port", str(port)]) == 1
    said = capsys.readouterr().err
    assert f"Port {port} of 127.0.0.1 cannot be used: another program" in said
    assert f"--port {port + 1}" in said
    bootstrap.require_port("127.0.0.1", port)


def test_the_last_port_in_use_is_told_one_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object) -> None:
        raise OSError(errno.EADDRINUSE, "taken")

    monkeypatch.setattr(socket.socket, "bind", taken)
    with pytest.raises(bootstrap.BootstrapError, match=r"--port 65534$"):
        bootstrap.require_port("127.0.0.1", 65535)


def test_an_address_of_another_machine_is_not_called_a_busy_port() -> None:
    with pytest.raises(bootstrap.BootstrapError, match="not this machine's") as told:
        bootstrap.require_port("192.0.2.1", 8501)
    assert "another program" not in str(told.value)


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_host_does_not_open_the_server_to_everyone(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main([f"--host={host}"])
    assert "not an empty text" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", ""])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main([f"--port={port}"])
    assert "a port is a number from 1 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "address", "variables"),
    [
        ([], "127.0.0.1", {}),
        (["--host", "0.0.0.0"], "0.0.0.0", {}),
        (["--cpu"], "127.0.0.1", {"PLAYGROUND_CPU": "1", "CUDA_VISIBLE_DEVICES": ""}),
    ],
)
def test_the_command_line_reaches_the_server(
    arguments: list[str],
    address: str,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(bootstrap, "hand_over", lambda c, v: asked.append((c, v)) or 0)
    monkeypatch.setattr(bootstrap, "require_port", lambda host, port: None)
    assert command.main([*arguments, "--port", "9"]) == 0
    server = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
    where = ["--server.address", address, "--server.port", "9"]
    assert asked == [(server + where, variables)]
    assert f"http://{address}:9" in capsys.readouterr().out


def _never(*_: object, **__: object) -> None:
    raise AssertionError("nothing had to be started")
