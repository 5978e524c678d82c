"""`python3 -m tests`: makes the environment when it is missing, then runs everything.

Formatting, lint, types, the unit tests, then the browser tests. `--no-browser` leaves the last out. Everything
else goes to pytest; test files given by name replace "all tests".
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from app import bootstrap
from tests.browser import harness

ROOT = bootstrap.ROOT
NOTHING_COLLECTED = 5  # pytest's exit code
_WITH_VALUE = ("-k", "-m", "-p", "-c", "--ignore", "--deselect")  # the next word is no test to run


def main(arguments: list[str]) -> int:
    """Run every stage, print how each went and how long it took; 0 when all are well."""
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
        return 0
    browser = "--no-browser" not in arguments
    if browser and harness.find_browser() is None:
        print(harness.NO_BROWSER, file=sys.stderr)
        return 1
    try:
        python = bootstrap.environment("requirements-dev.txt")
    except bootstrap.BootstrapError as error:
        print(error, file=sys.stderr)
        return 1
    rest = [a for a in arguments if a != "--no-browser"]
    results = [(name, *_timed(name, command)) for name, command in stages(python, rest, browser)]
    print("\nstage      result    seconds")
    for name, code, seconds in results:
        said = {0: "passed", NOTHING_COLLECTED: "no tests"}.get(code, "FAILED")
        print(f"{name:<10} {said:<9} {seconds:7.1f}")
    if not browser:
        print("browser    left out  (--no-browser)")
    # -k may leave one stage without tests, but not all of them
    tests = [code for name, code, _ in results if name in ("units", "browser")]
    empty = NOTHING_COLLECTED in tests and (not rest or 0 not in tests)
    return 1 if empty or any(code not in (0, NOTHING_COLLECTED) for _, code, _ in results) else 0


def stages(python: str, arguments: list[str], browser: bool) -> list[tuple[str, list[str]]]:
    """Name and command of every stage; `arguments` are pytest's, in which named files choose what runs."""
    named, options = [], []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        (named if _is_test(argument) and before not in _WITH_VALUE else options).append(argument)
    in_browser = [a for a in named if Path(a).parts[:2] == ("tests", "browser")]
    units = [a for a in named if a not in in_browser]
    module = [python, "-m"]
    found = [
        ("format", [*module, "ruff", "format", "--check", "."]),
        ("lint", [*module, "ruff", "check", "."]),
        ("types", [*module, "pyright", "--pythonpath", python]),
    ]
    if units or not named:
        where = units or ["tests", "--ignore=tests/browser"]
        found.append(("units", [*module, "pytest", "-n", _processes(), *where, *options]))
    if browser and (in_browser or not named):
        where = in_browser or ["tests/browser"]
        found.append(("browser", [*module, "pytest", *where, *options]))
    return found


def _is_test(argument: str) -> bool:
    path = Path(argument.split("::")[0])
    return path.parts[:1] == ("tests",) and (ROOT / path).exists()


def _processes() -> str:
    """Enough to use the machine, few enough for the memory that torch takes in each."""
    return str(max(1, min(4, os.cpu_count() or 1)))


def _timed(name: str, command: list[str]) -> tuple[int, float]:
    print(f"\n── {name}", flush=True)
    one_thread = {"OMP_NUM_THREADS": "1"} if name == "units" else {}  # processes share the cores
    started = time.monotonic()
    code = subprocess.call(command, cwd=ROOT, env={**os.environ, **one_thread})
    return code, time.monotonic() - started


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
