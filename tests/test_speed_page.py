"""The Speed page: alive at first sight, one setting moves the code, a contradiction is explained."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from components.speed import history, measure
from models import cnn, training
from models.core import runs, wire
from models.speed import Spec, kept, machine, verdict
from tests import speed_cases
from tests.conftest import named

ROOT = Path(__file__).resolve().parents[1]


def open_page(owner: str = "", **params: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app/ui.py", default_timeout=60)
    if owner:
        at.session_state["_owner"] = owner
    at.run()
    at.switch_page("../pages/speed.py")
    for name, value in params.items():
        at.query_params[name] = value
    return at.run()


def finished(at: AppTest) -> AppTest:
    """The page once its measurement is over."""
    deadline = time.monotonic() + 300
    while any("…" in i.value or "Measurements run" in i.value for i in at.run().info):
        assert time.monotonic() < deadline, "the measurement does not end"
        time.sleep(0.1)  # it needs the processor more than this question
    return at


def texts(at: AppTest) -> str:
    return " ".join(element.value for element in at.markdown)


def test_the_default_is_measured_without_a_click_and_says_so_with_its_noise() -> None:
    at = finished(open_page())
    assert not at.exception
    assert "A full step takes" in texts(at)
    assert (
        "A and B" in texts(at) or "× faster than A" in texts(at) or "× slower than A" in texts(at)
    )
    assert "Ceilings, measured right after" in texts(at)


def test_another_setting_asks_for_a_click_then_shows_its_own_measurement() -> None:
    at = finished(open_page())
    at.slider(key="speed-depth").set_value(1).run()
    assert any("Not measured yet" in c.value for c in at.caption)
    assert any("mlp(128, 1)" in block.value for block in at.code)
    at.button(key="speed-measure").click().run()
    finished(at)
    assert not any("Not measured yet" in c.value for c in at.caption)
    assert "A full step takes" in texts(at)


def test_two_measurements_are_compared_and_exported() -> None:
    at = finished(open_page(**{"speed-depth": "2", "speed-seconds": "0.02", "speed-rival": "same"}))
    for depth in (2, 4):
        at.slider(key="speed-depth").set_value(depth).run()
        at.button(key="speed-measure").click().run()
        finished(at)
    at.session_state["speed-past"] = True
    at.run()
    assert not at.exception
    assert "Per step:" in texts(at)
    assert any("depth: 2 → 4" in c.value for c in at.caption)
    table = next(d.value for d in at.dataframe if "settings" in d.value.columns)
    rows = table.to_dict("records")
    assert "depth=4" in rows[-1]["settings"]
    assert "cores" in rows[-1]["machine"]
    assert len(history.to_csv(rows).splitlines()) == len(rows) + 1
    owner = at.session_state["_owner"]
    found = json.loads(history.to_json(owner, kept.listing(owner)))
    assert [one["settings"]["depth"] for one in found] == [2, 4]
    assert all(one["result"]["samples"]["full step"]["median"] > 0 for one in found)
    at.button(key="speed-forget").click().run()
    assert [one.spec.depth for one in kept.listing(owner)] == [2]
    at.button(key="speed-forget-all").click().run()
    assert not at.exception
    assert any("Nothing has been measured" in c.value for c in at.caption)


def test_what_was_measured_before_the_server_started_is_shown_again() -> None:
    spec = speed_cases.QUICK
    told = speed_cases.told(spec)
    kept.keep("a learner of yesterday", "run-of-yesterday", time.time() - 86400, spec, told)
    address = {
        "speed-width": "16",
        "speed-depth": "1",
        "speed-batch_size": "4",
        "speed-seconds": "0.02",
    }
    at = open_page("a learner of yesterday", **address)
    assert not at.exception
    assert any("Kept from an earlier time" in c.value for c in at.caption)
    assert verdict.duration(told["samples"]["full step"]["median"]) in texts(at)
    at.session_state["speed-past"] = True
    at.run()
    table = next(d.value for d in at.dataframe if "settings" in d.value.columns)
    assert len(table) == 1
    stranger = open_page("somebody else", **address)
    assert any("Not measured yet" in c.value for c in stranger.caption)


def test_a_kept_profile_shows_its_tables_and_says_that_the_timeline_is_gone() -> None:
    spec = speed_cases.QUICK.replace(part="profile", steps=1)
    kept.keep(
        "another of yesterday", "profile-of-yesterday", time.time(), spec, speed_cases.told(spec)
    )
    at = open_page(
        "another of yesterday",
        **{
            "speed-part": "profile",
            "speed-width": "16",
            "speed-depth": "1",
            "speed-batch_size": "4",
            "speed-seconds": "0.02",
            "speed-steps": "1",
        },
    )
    assert not at.exception
    assert any("its timeline was not" in i.value for i in at.info)
    tables = [d.value for d in at.dataframe if "operation" in d.value.columns]
    assert any("aten::addmm" in set(table["operation"]) for table in tables)


def test_a_sweep_shows_its_best_value_and_what_was_left_out() -> None:
    at = open_page(**{"speed-sweep": "threads", "speed-width": "16", "speed-seconds": "0.02"})
    at.button(key="speed-measure").click().run()
    finished(at)
    assert not at.exception
    assert "Per sample:" in texts(at) or "Nothing beats threads = 1" in texts(at)


def test_a_page_loaded_again_goes_on_with_the_measurement_under_way() -> None:
    client, owner = runs.client(), "somebody who reloads"
    run = client.start(measure.MODULE, Spec(depth=4, seconds=0.5), owner=owner)
    at = open_page(owner, **{"speed-depth": "4", "speed-seconds": "0.5"})
    assert not any("Not measured yet" in c.value for c in at.caption)
    assert at.button(key="speed-stop").label == "Stop"
    at.button(key="speed-stop").click().run()
    assert client.status(run).state == "stopped"


def test_a_link_to_a_run_shows_that_very_measurement() -> None:
    spec = Spec(depth=5, seconds=0.02)
    run = runs.client().start(measure.MODULE, spec, owner="a teacher")
    at = finished(open_page(**{"speed-depth": "5", "speed-seconds": "0.02", "run": run}))
    told = wire.loads(runs.client().blob(run, "result") or b"{}")
    assert verdict.duration(told["samples"]["full step"]["median"]) in texts(at)


@pytest.mark.parametrize("part", ["profile", "memory", "precision"])
def test_every_part_is_alive_without_a_click(part: str) -> None:
    at = finished(open_page(**{"speed-part": part}))
    assert not at.exception
    assert [e.value for e in at.error] == []
    assert re.search(r"\d", at.markdown[0].value)
    assert at.dataframe


def test_compiling_waits_for_a_click_then_shows_what_it_cost_and_where_it_broke() -> None:
    small = {"speed-width": "16", "speed-depth": "1", "speed-batch_size": "4"}
    at = open_page(**small, **{"speed-part": "compile", "speed-program": "branch"})
    assert any("10 to 40 seconds" in c.value for c in at.caption)
    assert not at.info
    at.button(key="speed-measure").click().run()
    finished(at)
    assert not at.exception
    if any(
        "compiler" in e.value for e in at.error
    ):  # this machine has none; the breaks are told all the same
        assert any("Install g++" in e.value for e in at.error)
    else:
        assert "The first call took" in texts(at)
        assert "First calls of the compiled model" in texts(at)
    source = next(block.value for block in at.code if "class Branching" in block.value)
    line = 1 + [text.strip() for text in source.splitlines()].index("if x.mean() > 0:")
    assert f"**Line {line}**: `if x.mean() > 0:`" in texts(at)
    assert any(m.value == "##### 2 graphs, 1 graph break" for m in at.markdown)
    assert "Python's `if` needs a number now" in texts(at)


def test_a_finding_of_the_doctor_is_tried_with_a_click() -> None:
    def page() -> None:
        import streamlit as st

        from components import address
        from components.speed import profile

        finding = {"title": "t", "evidence": "e", "try_part": "memory"}
        profile._finding(0, finding | {"try_field": "threads", "try_value": "2"})
        st.json({"part": address.value("speed-part"), "threads": address.value("speed-threads")})

    at = AppTest.from_function(page).run()
    at.button(key="speed-try-0").click().run()
    assert json.loads(at.json[0].value) == {"part": "memory", "threads": "2"}


def test_a_contradiction_is_explained_and_the_last_valid_settings_stay() -> None:
    at = finished(open_page())
    at.selectbox(key="speed-model").set_value("resnet18").run()
    at.selectbox(key="speed-size").set_value(16).run()
    assert any("leave nothing" in error.value for error in at.error)
    assert any("known('resnet18')" in block.value for block in at.code)


def test_a_device_that_is_not_here_is_explained_by_the_worker() -> None:
    at = open_page(**{"speed-device": "xpu"})
    at.button(key="speed-measure").click().run()
    finished(at)
    assert any("no xpu device" in error.value for error in at.error)


def test_a_model_beyond_memory_is_refused_with_its_estimate() -> None:
    beyond = {"speed-model": "attention", "speed-width": "2048", "speed-batch_size": "4096"}
    at = open_page(**beyond, **{"speed-size": "224", "speed-depth": "12"})
    at.button(key="speed-measure").click().run()
    finished(at)
    assert any("needs about" in e.value and "Make batch" in e.value for e in at.error)


def test_a_killed_worker_ends_its_own_measurement_with_a_sentence() -> None:
    at = open_page(**{"speed-seconds": "2.0", "speed-depth": "6"})
    before = set(runs.client().health()["workers"])
    at.button(key="speed-measure").click().run()
    deadline = time.monotonic() + 60
    while not (found := set(runs.client().health()["workers"]) - before):
        assert time.monotonic() < deadline
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    finished(at)
    assert any("killed from outside" in e.value for e in at.error)
    at.slider(key="speed-depth").set_value(1).run()  # the page and its server go on
    assert not at.exception


def test_the_network_trained_last_becomes_the_subject() -> None:
    at = open_page(**{"speed-model": "own"})
    assert at.button(key="speed-take").disabled
    owner = at.session_state["_owner"]
    trained = training.Spec(layers="5 relu", batch_size=7, epochs=1)
    run = runs.client().start("models.training", trained, owner=owner)
    deadline = time.monotonic() + 60
    while runs.client().history(run).get("scene") is None:
        assert time.monotonic() < deadline
    at.run()
    at.button(key="speed-take").click().run()
    assert named(at.text_input, "speed-layers").value == "5 relu"
    assert any("nn.Linear(2, 5)" in block.value for block in at.code)  # the circle has two features
    assert any("(7, 2)" in block.value for block in at.code)
    runs.client().stop(run, owner)


def test_the_cnn_trained_last_becomes_the_subject() -> None:
    at = open_page(**{"speed-model": "own_cnn"})
    owner = at.session_state["_owner"]
    layers = "conv 3 5, relu, max_pool 2, flatten, linear"
    trained = cnn.Spec(network="own list", layers=layers, batch_size=9, epochs=1, limit=100)
    run = runs.client().start("models.cnn", trained, owner=owner, paused=True)
    at.run()
    at.button(key="speed-take").click().run()
    assert not at.exception
    assert named(at.text_input, "speed-picture_layers").value == layers
    assert any("nn.Conv2d(1, 3, 5)" in block.value for block in at.code)
    assert any("(9, 1, 16, 16)" in block.value for block in at.code)
    runs.client().stop(run, owner)


def test_a_busy_machine_is_flagged_beside_the_numbers() -> None:
    def page() -> None:
        from components.speed import measure

        measure.busy({"noise": "It spreads.", "busy": 0.5})
        measure.busy({"noise": "", "busy": 0.1})

    at = AppTest.from_function(page).run()
    assert len(at.caption) == 1
    assert "It spreads. Other programs used 50%" in at.caption[0].value


@pytest.mark.parametrize(
    "part", ["benchmark", "profile", "precision", "memory", "compile", "levers"]
)
def test_without_a_gpu_each_part_says_what_one_would_add(part: str) -> None:
    at = open_page(**{"speed-part": part, "speed-depth": "7"})
    told = [e for e in at.expander if e.label == "What a GPU would add here"]
    assert len(told) == (not any(machine.has(name) for name in ("cuda", "mps", "xpu")))
    for one in told:
        assert one.markdown[0].value.count("\n- ") + 1 >= 1
        assert "nothing of this was measured" in one.caption[0].value


def test_measurements_of_one_server_wait_for_each_other() -> None:
    client = runs.client()
    asked = [
        client.start(measure.MODULE, Spec(seed=n, seconds=0.02), owner=f"learner {n}")
        for n in range(3)
    ]
    seen = [client.status(run) for run in asked]
    assert sum(s.state == "running" for s in seen) <= 1
    waiting = [s for s in seen if s.state == "queued"]
    assert [s.position for s in waiting] == list(range(1, len(waiting) + 1))
    assert all("one at a time" in s.message for s in waiting)
    for n, run in enumerate(asked):
        client.stop(run, f"learner {n}")
