"""Laws of the run a page shows and of the bar that steers it."""

from __future__ import annotations

import json
import time

import pytest
from streamlit.testing.v1 import AppTest

from components import session, transport


def _page() -> None:
    import streamlit as st

    from components import controls, lesson, transport
    from models.training import Spec

    topic = transport.Topic[Spec]("toy", "models.training", live=("lr", "epochs"))
    lesson.page("toy", "Toy")
    panel = controls.panel(Spec, "toy")
    run = transport.follow(topic, panel.spec)
    for note in run.notes:
        st.info(note)
    transport.bar(topic, panel.spec)
    panel.draw("layers", "lr", "epochs")
    st.json({"run": run.run, "state": run.status.state, "mine": run.mine})
    lesson.footer()


def open_page(**params: str) -> AppTest:
    at = AppTest.from_function(_page, default_timeout=60)
    at.query_params["toy-data"] = "circle"
    for name, value in params.items():
        at.query_params[name if name == "run" else f"toy-{name}"] = value
    at.run()
    assert not at.exception
    return at


def shown(at: AppTest) -> dict:
    return json.loads(at.json[-1].value)


def press(at: AppTest, name: str) -> None:
    at.button(key=f"toy-transport-{name}").click().run()
    assert not at.exception


def wait(at: AppTest, *states: str) -> None:
    deadline = time.monotonic() + 60
    while session.client().status(shown(at)["run"]).state not in states:
        assert time.monotonic() < deadline
    assert not at.run().exception


def test_a_page_starts_a_run_of_its_settings_and_names_it_in_the_address():
    at = open_page(epochs="2")
    assert shown(at)["mine"]
    assert at.query_params["run"] == shown(at)["run"]
    assert session.client().spec(shown(at)["run"]).epochs == 2
    run = shown(at)["run"]
    wait(at, "done")
    assert shown(at.run())["run"] == run  # a rerun is no new run


def test_the_buttons_mean_what_they_say():
    at = open_page(epochs="3")
    wait(at, "done")
    press(at, "reset")
    wait(at, "paused")
    run = shown(at)["run"]
    client = session.client()
    assert client.status(run).step == 0
    press(at, "batch")
    wait(at, "paused")
    deadline = time.monotonic() + 30
    while client.status(run).step != 1:
        assert time.monotonic() < deadline
    press(at, "epoch")
    while client.status(run).epoch != 1:
        assert time.monotonic() < deadline
    press(at, "play")
    wait(at, "done")
    assert client.status(run).epoch == 3
    press(at, "more")  # a finished run goes on for as many epochs
    while client.status(run).epoch != 6:
        assert time.monotonic() < deadline
    assert shown(at)["run"] == run


def test_play_on_a_finished_run_starts_anew_from_the_same_weights_and_then_is_pause(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(transport, "_DOUBLE", 0.0)  # a test is quicker than two clicks
    at = open_page(epochs="500")
    client = session.client()
    wait(at, "done")
    first = shown(at)["run"]
    press(at, "play")
    again = shown(at.run())["run"]
    assert again != first
    assert client.spec(again) == client.spec(first)
    assert at.button(key="toy-transport-play").label == "Pause"
    began = time.monotonic()
    while client.status(again).epoch < 3:
        assert time.monotonic() < began + 60
    assert client.status(again).epoch < 60, "too fast for the eye"
    press(at, "play")
    wait(at, "paused")
    assert at.button(key="toy-transport-play").label == "Play"
    press(at, "play")
    assert at.button(key="toy-transport-play").label == "Pause"
    wait(at, "running")
    client.stop(again, session_owner(at))


def test_a_setting_changed_in_a_finished_picture_gives_a_finished_picture_at_once():
    at = open_page(epochs="400")
    wait(at, "done")
    press(at, "play")  # watched, until the next change after its end
    client = session.client()
    client.stop(shown(at.run())["run"], session_owner(at))
    wait(at, "stopped")
    began = time.monotonic()
    at.text_input(key="toy-layers").set_value("3 tanh").run()
    wait(at, "done")
    assert time.monotonic() - began < 40, "400 epochs at a speed to look at take 40 s"


def test_a_live_field_reaches_the_run_and_is_written_down_by_it():
    at = open_page(epochs="5000", speed="1/s")
    run = shown(at)["run"]
    at.select_slider(key="toy-lr").set_value(0.5).run()
    assert shown(at)["run"] == run
    client = session.client()
    deadline = time.monotonic() + 30
    while "lr=0.5" not in str((client.history(run).get("frame") or {}).get("changes")):
        assert time.monotonic() < deadline
    client.stop(run, session_owner(at))


def session_owner(at: AppTest) -> str:
    return at.session_state["_owner"]


def test_a_failed_start_leaves_the_run_of_before_on_screen():
    at = open_page(epochs="2")
    wait(at, "done")
    run = shown(at)["run"]
    # 300 training rows in batches of 10 are fine, a network with batch norm and one row a batch is not
    at.session_state["toy-batch_size"] = 1
    at.text_input(key="toy-layers").set_value("4 relu batch_norm").run()
    deadline = time.monotonic() + 60
    while shown(at)["run"] != run or not at.info:
        assert time.monotonic() < deadline
        at.run()
    assert "Batch norm needs at least 2 rows" in at.info[0].value
    assert "still the run of before" in at.info[0].value


@pytest.mark.parametrize(
    ("text", "speed"), [("0.2/s", 0.2), ("100/s", 100.0), ("max", None), ("7/s", 10.0), ("", 10.0)]
)
def test_the_speed_of_the_address_is_one_of_the_menu(text, speed):
    def page() -> None:
        import streamlit as st

        from components import transport

        st.json({"speed": transport.speed("toy")})

    at = AppTest.from_function(page, default_timeout=30)
    at.query_params["toy-speed"] = text
    assert json.loads(at.run().json[0].value)["speed"] == speed
