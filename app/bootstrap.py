"""Makes the Python environment that the commands need; standard library only, so that a fresh machine can run it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MINIMUM = (3, 11)


class BootstrapError(Exception):
    """The environment cannot be made; the message says what happened and what to do."""


def environment(requirements: str, *, folder: Path = ROOT / ".venv") -> str:
    """The interpreter that has everything `requirements` (a file of this project) asks for.

    The running one where nothing is missing, else that of `folder`, made or completed first. A
    folder whose installation was interrupted is made anew; a complete one is found so in milliseconds.

    Raises:
        BootstrapError: this Python is too old, or the packages could not be installed.
    """
    require_python(sys.version_info[:2])
    wanted = read(ROOT / requirements)
    if not missing(wanted, sys.path):
        return sys.executable
    python = _interpreter(folder)
    stamp = folder / f"installed-{Path(requirements).stem}"
    if (
        python.exists()
        and not _unfinished(folder).exists()
        and _text(stamp) == _fingerprint(wanted)
        and not missing(wanted, [str(p) for p in _site_packages(folder)])
    ):
        return str(python)
    _install(folder, requirements)
    stamp.write_text(_fingerprint(wanted), encoding="utf-8")
    return str(python)


def require_python(version: tuple[int, ...]) -> None:
    """Refuses a Python older than `MINIMUM`.

    Raises:
        BootstrapError: it is older.
    """
    if tuple(version[:2]) < MINIMUM:
        needed, found = (".".join(map(str, v[:2])) for v in (MINIMUM, version))
        raise BootstrapError(
            f"PyTorch Playground needs Python {needed} or newer, and this is Python {found}. "
            f"Install a newer one and run the command with it, for example: python{needed} -m app"
        )


def read(path: Path) -> list[str]:
    """The requirements of a file, one per entry, with those of the files it includes by `-r`."""
    found: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("-r "):
            found += read(path.parent / line[3:].strip())
        elif line:
            found.append(line)
    return found


def missing(wanted: list[str], path: list[str]) -> list[str]:
    """Which requirements (`name` or `name[extra]>=1.2`) no package under `path` meets; imports nothing."""
    have: dict[str, str] = {}
    for found in metadata.distributions(path=path):
        have.setdefault(_plain(found.metadata["Name"] or ""), found.version)
    return [r for r in wanted if not _met(r, have)]


def require_port(host: str, port: int) -> None:
    """Refuses an address where no server could listen now.

    Raises:
        BootstrapError: it is taken, reserved, or not this machine's.
    """
    import errno
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # elsewhere this option would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            other = port + 1 if port < 65535 else port - 1
            why, instead = {
                errno.EADDRINUSE: (
                    "another program (perhaps another playground) listens there",
                    f"--port {other}",
                ),
                errno.EACCES: ("this system keeps it for administrators", "--port 8501"),
            }.get(error.errno or 0, ("that address is not this machine's", f"--port {port}"))
            raise BootstrapError(
                f"Port {port} of {host} cannot be used: {why}. Try: python3 -m app {instead}"
            ) from None


def hand_over(command: list[str], variables: dict[str, str]) -> int:
    """Run a command in place of this process where the system can, else wait for it; returns its exit code.

    In place: signals reach it directly, and nothing is left when it is killed.
    """
    sys.stdout.flush()
    variables = {**os.environ, **variables}
    if os.name == "posix":
        os.chdir(ROOT)
        os.execve(command[0], command, variables)
    process = subprocess.Popen(command, cwd=ROOT, env=variables)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the console sent it to both: let it end by itself
            continue


def _install(folder: Path, requirements: str) -> None:
    python, unfinished = _interpreter(folder), _unfinished(folder)
    if unfinished.exists():
        _say("The last installation was interrupted; starting it anew (downloads are kept).")
        shutil.rmtree(folder)
    if not _works(python):
        _say(f"Making the environment {folder.name} with Python {sys.version.split()[0]}.")
        if _call([sys.executable, "-m", "venv", "--clear", str(folder)]):
            raise BootstrapError(
                "Python could not make a virtual environment here (its words are above). On Debian and "
                "Ubuntu the module is a package of its own: sudo apt-get install python3-venv"
            )
    unfinished.write_text("removed when everything is installed\n", encoding="utf-8")
    _say(
        f"Installing {requirements} into {folder.name}. PyTorch is large: the first time this downloads "
        "up to some gigabytes and takes minutes."
    )
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    uv = [str(python), "-m", "uv", "pip", "install", "--python", str(python)]
    listed = ["-r", str(ROOT / requirements)]
    done = not _call([*pip, "install", "--quiet", "uv"]) and not _call([*uv, *listed])
    if not done:
        _say("The fast installer uv did not succeed; trying with pip.")
        done = not _call([*pip, "install", *listed])
    if not done:
        raise BootstrapError(
            "The packages could not be installed; the lines above say why. Is this machine online, with a few "
            "gigabytes of free disk? Then run the same command again: what was downloaded is kept."
        )
    unfinished.unlink()
    _say("The environment is ready.")


def _call(command: list[str]) -> int:
    patient = {"UV_HTTP_TIMEOUT": "300", **os.environ}  # large files over slow lines
    try:
        return subprocess.call(command, env=patient, cwd=ROOT)
    except KeyboardInterrupt:
        raise BootstrapError("Interrupted. The next start repairs the environment.") from None


def _works(python: Path) -> bool:
    if not python.exists():
        return False
    probe = [str(python), "-c", f"import pip, sys; sys.exit(sys.version_info < {MINIMUM})"]
    return not subprocess.call(probe, stderr=subprocess.DEVNULL)


def _say(text: str) -> None:
    print(text, flush=True)


def _interpreter(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _unfinished(folder: Path) -> Path:
    return folder / "installing"


def _site_packages(folder: Path) -> list[Path]:
    return [*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")]


def _fingerprint(wanted: list[str]) -> str:
    return hashlib.sha256("\n".join(wanted).encode()).hexdigest()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _met(requirement: str, have: dict[str, str]) -> bool:
    parts = re.match(r"([\w.-]+)(?:\[[^\]]*\])?\s*(?:>=\s*([\d.]+))?$", requirement)
    if parts is None:
        raise BootstrapError(f"This requirement has no form that is understood: {requirement}")
    version = have.get(_plain(parts[1]))
    return version is not None and _order(version) >= _order(parts[2] or "0")


def _order(version: str) -> list[int]:
    release = re.match(r"[\d.]+", version)
    numbers = [int(n) for n in release[0].split(".") if n] if release else []
    return numbers + [0] * (6 - len(numbers))
