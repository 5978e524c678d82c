"""What Python hands to a view, and what it gets back, without a browser."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from components.views import mount


def _script() -> None:
    import math

    import numpy as np
    import streamlit as st

    from components.figures import matrix
    from components.views import curves, figure, histograms, network, plane, transportbar

    frame = {
        "plane": {"values": np.zeros((2, 2), np.uint8), "kind": "binary", "lo": 0.0, "hi": math.nan}
    }
    got = [
        curves.curves(key="c", columns={"epoch": [1, 2], "train_loss": [1.0, math.inf]}),
        plane.plane(
            key="p", frame=frame, editable=True, on_edit=lambda e: st.session_state.update(edit=e)
        ),
        network.network("a-run", key="n", editable=True),
        histograms.histograms(key="h", frame={}),
        transportbar.transportbar("a-run", key="t"),
        figure.figure(matrix.values(np.eye(2)), key="f", alt="Two by two.", clickable=True),
    ]
    st.write([str(g) for g in got])


def _data(app: AppTest) -> dict[str, dict]:
    found = {}
    for element in app.main:
        proto = element.proto
        if getattr(proto, "component_name", None) == "playground.view":
            data = json.loads(proto.json)
            found[data["module"].rpartition("/")[2]] = data
    return found


def test_every_view_opens_with_nothing_told_yet() -> None:
    app = AppTest.from_function(_script).run(timeout=30)
    assert not app.exception
    assert json.loads(app.json[0].value) == ["None"] * 6


def test_numbers_that_json_lacks_become_null_and_arrays_travel_as_bytes() -> None:
    data = _data(AppTest.from_function(_script).run(timeout=30))
    curves = json.loads(data["curves.js"]["json"])
    assert curves["columns"]["train_loss"] == [1.0, None]
    plane = json.loads(data["plane.js"]["json"])["frame"]["plane"]
    assert plane["hi"] is None
    assert plane["values"]["dtype"] == "uint8"
    assert plane["values"]["shape"] == [2, 2]


def test_the_address_of_a_module_changes_with_the_content_of_any_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mount, "FOLDER", tmp_path)
    seen = set()
    for name, text in [("a.js", "1"), ("a.js", "2"), ("b.js", ""), ("b.txt", "not a module")]:
        (tmp_path / name).write_text(text)
        mount.version.cache_clear()
        seen.add(mount.address("plane"))
    mount.version.cache_clear()
    assert len(seen) == 3


def test_tensors_are_data_too() -> None:
    from models.core import wire

    sent = json.loads(wire.dumps({"x": torch.ones(2, 3), "y": np.float32("nan")}))
    assert sent["x"]["shape"] == [2, 3]
    assert sent["y"] is None
