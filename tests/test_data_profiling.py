"""A table is profiled in a worker; the result reaches the browser as JSON."""

from __future__ import annotations

import json

import pytest

from models.core import wire
from models.core.spec import SpecError, knobs
from models.data import decoded, example, profiling, workspace
from models.data.tabular import TableSpec


def test_a_profile_crosses_the_wire() -> None:
    workspace.put(example.CONTENT, example.NAME)
    result = profiling.run(profiling.Spec(data=example.DATA))
    sent = json.loads(wire.dumps(result))
    assert (sent["rows"], sent["separator"], len(sent["columns"])) == (12, ";", 9)
    mass = sent["columns"][2]
    assert (mass["name"], mass["missing"], mass["high"]) == ("mass", 1, 1898)
    assert sent["columns"][0]["mean"] is None
    assert decoded.remembered(example.ID) is not None


def test_its_settings_are_those_of_the_training_page() -> None:
    assert {n: k for n, k in knobs(profiling.Spec).items() if n != "data"} == {
        n: knobs(TableSpec)[n] for n in knobs(profiling.Spec) if n != "data"
    }


def test_nothing_chosen_and_something_elsewhere_are_explained() -> None:
    with pytest.raises(SpecError, match="No table is chosen"):
        profiling.Spec()
    for data in ("upload:" + "0" * 64, "iris"):
        with pytest.raises(SpecError, match="not on this server"):
            profiling.run(profiling.Spec(data=data))
