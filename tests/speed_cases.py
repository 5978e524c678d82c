"""Measurements that several tests of the Speed topic look at: each is made once."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

from models import speed
from models.core import export, wire
from models.core.control import Snapshot
from models.speed import Spec

QUICK = Spec(width=16, depth=1, batch_size=4, seconds=0.02)
MIXED = QUICK.replace(
    model="cnn",
    size=16,
    optimizer="Adam",
    channels_last=True,
    precision="bfloat16",
    rival="channels_last",
    sweep="channels_last",
)
MEMORY = QUICK.replace(part="memory", model="cnn", size=16, depth=3, optimizer="Adam")
PRECISION = QUICK.replace(part="precision", batch_size=8, train_steps=5)
PROFILE = QUICK.replace(part="profile", model="cnn", size=16, precision="bfloat16", channels_last=True, steps=1)  # fmt: skip
LEVERS = QUICK.replace(part="levers")
COMPILE = QUICK.replace(part="compile", program="branch")


@functools.cache
def last(spec: Spec) -> Snapshot:
    """The last snapshot of a measurement, with the thread count of all tests put back."""
    before = torch.get_num_threads()
    try:
        *_, found = speed.train(spec)
    finally:
        torch.set_num_threads(before)
    assert found.final
    return found


def told(spec: Spec) -> dict[str, Any]:
    """What it found."""
    return wire.loads(last(spec).blobs["result"])


@functools.cache
def _printed(specs: tuple[Spec, ...]) -> dict[Spec, str]:
    """What the scripts of these specs print, one after another in one fresh interpreter without a C++ compiler."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for number, spec in enumerate(specs):
            (folder / f"script{number}.py").write_text(speed.to_code(spec), encoding="utf-8")
        driver = (
            "import os, runpy\nos.environ['CXX'] = 'no-such-compiler'\n"
            f"for number in range({len(specs)}):\n"
            "    print('=' * 20)\n"
            "    runpy.run_path(f'script{number}.py', run_name='__main__')\n"
        )
        _, *parts = export.run(driver, folder).split("=" * 20)
    return dict(zip(specs, parts, strict=True))


SCRIPTS = (MIXED, MEMORY, PRECISION, PROFILE, LEVERS, COMPILE)


def reproduced(spec: Spec) -> str:
    """The law of exports, for one of `SCRIPTS`; returns what its script printed.

    Raises:
        AssertionError: a name or a number differs.
    """
    printed = _printed(SCRIPTS)[spec]
    shown, found = speed.numbers(last(spec)), export.numbers(printed)
    assert found.keys() == shown.keys()
    for name, value in shown.items():
        assert found[name] == pytest.approx(value, rel=1e-6), name
    return printed
