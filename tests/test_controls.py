"""Laws of the controls: one widget per setting, the address is the experiment, contradictions are explained."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from components import address, controls
from models.core import spec as specs
from models.core.spec import Spec, SpecError, from_params, knob, knobs


@dataclass(frozen=True)
class Toy(Spec):
    """One field of every kind of widget."""

    lr: float = knob(0.03, "Learning rate.", minimum=1e-5, maximum=10.0, log=True)
    momentum: float = knob(0.0, "Momentum.", minimum=0.0, maximum=0.99, step=0.01)
    units: int = knob(8, "Neurons.", minimum=1, maximum=64)
    seed: int = knob(0, "Seed.", minimum=0, maximum=2**31 - 1)
    bias: bool = knob(True, "With bias.")
    loss: str = knob("mse", "Loss.", choices=("mse", "l1", "huber"))
    activation: str = knob(
        "relu",
        "Activation.",
        choices=("relu", "gelu", "tanh", "silu", "sigmoid", "identity"),
        names={"relu": "ReLU", "gelu": "GELU"},
    )
    layers: str = knob("8, 8", "Layers.", max_chars=40)

    def check(self) -> None:
        if self.momentum > 0.9 and self.lr > 1:
            raise SpecError(
                f"momentum is {self.momentum} and lr is {self.lr}: together they explode. Lower lr.",
                "lr",
                "RuntimeError: overflow",
            )


def _page() -> None:
    import streamlit as st

    from components import controls
    from tests.test_controls import Toy

    spec = controls.edit(Toy, "toy")
    st.json(spec.changed())
    st.button("fix", on_click=lambda: controls.put("toy", lr=0.0123, seed=7))


def open_page(**params: str) -> AppTest:
    at = AppTest.from_function(_page, default_timeout=30)
    for name, value in params.items():
        at.query_params[f"toy-{name.replace('__', '-')}"] = value
    return at.run()


def shown(at: AppTest) -> dict:
    import json

    return json.loads(at.json[0].value)


def test_every_setting_has_one_widget_bound_to_the_address():
    at = open_page()
    drawn = [
        *at.slider,
        *at.select_slider,
        *at.number_input,
        *at.toggle,
        *at.get("button_group"),
        *at.selectbox,
        *at.text_input,
    ]
    assert sorted(w.key for w in drawn) == sorted(f"toy-{name}" for name in knobs(Toy))
    bound = {w.key for w in drawn if w.proto.query_param_key == w.key}
    assert {w.key for w in drawn} - bound == {"toy-activation"}  # its menu shows other words
    assert not at.exception
    assert not at.warning
    assert not at.error
    assert shown(at) == {}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("lr", "0.03", 0.03),
        ("lr", "1e-3", 0.001),
        ("lr", "0.0123", 0.0123),
        ("lr", "10", 10.0),
        ("momentum", "0.905", 0.905),
        ("units", "64", 64),
        ("seed", "2147483647", 2**31 - 1),
        ("bias", "false", False),
        ("loss", "huber", "huber"),
        ("activation", "gelu", "gelu"),
        ("layers", "16, 4", "16, 4"),
    ],
)
def test_a_link_sets_every_kind_of_setting_exactly(name, text, value):
    at = open_page(**{name: text})
    assert not at.exception
    assert not at.warning
    default = getattr(Toy(), name)
    assert shown(at).get(name, default) == value
    assert shown(at.run()).get(name, default) == value  # and keeps it


def test_what_a_link_asked_for_is_said_as_it_is_and_cut_short():
    at = open_page(loss="**x** ![](y)" + "z" * 1000)
    assert r"'\*\*x\*\* !\[\](y)" in at.warning[0].value
    assert len(at.warning[0].value) < 200


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lr", "zzz"),
        ("lr", "nan"),
        ("lr", "11"),
        ("units", "65"),
        ("units", "2.5"),
        ("bias", "maybe"),
        ("loss", "hinge"),
        ("layers", "1" * 41),
    ],
)
def test_nonsense_in_a_link_is_explained_and_the_default_used(name, text):
    at = open_page(**{name: text})
    assert not at.exception
    assert shown(at) == {}
    assert len(at.warning) == 1
    assert name in at.warning[0].value
    assert specs.to_text(getattr(Toy(), name)) in at.warning[0].value
    assert f"toy-{name}" not in at.query_params
    at.run()
    assert len(at.warning) == 1  # stays until the setting is touched
    assert shown(at) == {}


def test_the_explanation_of_a_bad_link_goes_when_the_setting_is_touched():
    at = open_page(units="65")
    assert at.warning
    at.slider(key="toy-units").set_value(9).run()
    assert not at.warning
    assert shown(at) == {"units": 9}


def test_a_menu_with_names_writes_its_value_into_the_address():
    at = open_page()
    at.selectbox(key="toy-activation").set_value("gelu").run()
    assert shown(at) == {"activation": "gelu"}
    assert at.query_params["toy-activation"] == "gelu"
    at.selectbox(key="toy-activation").set_value("relu").run()
    assert "toy-activation" not in at.query_params


def test_an_unknown_parameter_is_no_error():
    at = open_page(nothing="1")
    assert not at.exception
    assert not at.warning


def test_a_contradiction_is_explained_at_its_field_and_the_last_valid_settings_stay():
    at = open_page(momentum="0.95")
    at.select_slider(key="toy-lr").set_value(1.0).run()
    assert shown(at) == {"momentum": 0.95, "lr": 1.0}  # the nearest valid neighbour
    at.select_slider(key="toy-lr").set_value(2.0).run()
    assert shown(at) == {"momentum": 0.95, "lr": 1.0}
    assert "Lower lr" in at.error[0].value
    assert "RuntimeError: overflow" in at.expander[0].code[0].value
    assert at.select_slider(key="toy-lr").value == 2.0  # the learner's value is not taken away


def test_a_contradictory_link_shows_the_defaults_and_the_reason():
    at = open_page(momentum="0.95", lr="2")
    assert shown(at) == {}
    assert "explode" in at.error[0].value


def test_a_button_sets_fields_to_values_between_the_stops():
    at = open_page()
    at.button[0].click().run()
    assert not at.exception
    assert shown(at) == {"lr": 0.0123, "seed": 7}
    at.select_slider(key="toy-lr").set_value(0.1).run()
    at.select_slider(key="toy-lr").set_value(0.0123).run()  # still a stop
    assert shown(at)["lr"] == 0.0123


def test_a_lesson_link_hides_controls_but_their_values_count():
    at = AppTest.from_function(_page, default_timeout=30)
    at.query_params["hide"] = "lr,momentum"
    at.query_params["toy-lr"] = "0.5"
    at.run()
    assert not at.select_slider
    assert [s.key for s in at.slider] == ["toy-units"]
    assert shown(at) == {"lr": 0.5}


def test_a_link_made_from_a_spec_gives_that_spec_back():
    spec = Toy(lr=0.0123, bias=False, activation="tanh", layers="3; ü &=?")
    path = address.link("toy", address.query("toy", spec, hide=["lr"], run="abc", none=None))
    parts = urlsplit(path)
    params = {k: v[-1] for k, v in parse_qs(parts.query).items()}
    assert parts.path == "/toy"
    assert params.pop("hide") == "lr"
    assert params.pop("run") == "abc"
    assert "none" not in params
    assert from_params(Toy, {k.removeprefix("toy-"): v for k, v in params.items()}) == spec


def test_the_link_of_the_default_experiment_is_bare():
    assert address.link("toy", address.query("toy", Toy())) == "/toy"


def test_stops_cover_the_range_and_hold_the_ends_and_the_extras():
    about = knobs(Toy)["lr"]
    stops = controls.stops(about, 0.0123)
    assert stops == sorted(set(stops))
    assert stops[0] == 1e-5
    assert stops[-1] == 10.0
    assert {0.0123, 0.001, 0.03, 1.0} <= set(stops)


def test_a_smaller_menu_replaces_a_choice_that_does_not_fit_and_says_so():
    def page() -> None:
        import streamlit as st

        from components import controls
        from tests.test_controls import Toy

        made = controls.panel(Toy, "toy", choices={"loss": ("l1", "huber")})
        made.draw("loss")
        st.json({"loss": made.spec.loss})

    at = AppTest.from_function(page, default_timeout=30).run()
    assert shown(at) == {"loss": "l1"}  # the default "mse" is not on the menu
    assert not at.warning
    at = AppTest.from_function(page, default_timeout=30)
    at.query_params["toy-loss"] = "mse"
    at.run()
    assert shown(at) == {"loss": "l1"}
    assert "does not fit" in at.warning[0].value


def test_fixed_fields_get_no_widget_and_are_set_by_the_page():
    def page() -> None:
        import streamlit as st

        from components import controls
        from tests.test_controls import Toy

        st.json(controls.edit(Toy, "toy", fields=["units", "loss"], loss="l1").changed())

    at = AppTest.from_function(page, default_timeout=30).run()
    assert [s.key for s in at.slider] == ["toy-units"]
    assert not at.get("button_group")
    assert shown(at) == {"loss": "l1"}


def test_a_message_is_shown_as_it_is_written() -> None:
    assert controls.plain("10**6 of a.__class__ [0]") == r"10\*\*6 of a.\_\_class\_\_ \[0\]"
    assert (
        controls.plain("The kernel reaches over 5 pixels.") == "The kernel reaches over 5 pixels."
    )


def _interrupted() -> None:
    import streamlit as st

    from components import address

    address.arrive("toy")
    if st.button("fix", on_click=address.put, args=("toy-x", 5)):
        st.stop()  # as a click does that comes before the page is drawn
    st.number_input("x", 0, 9, 1, key="toy-x")
    address.seen()


def test_a_value_that_was_put_survives_a_click_on_a_page_not_yet_drawn_again() -> None:
    at = AppTest.from_function(_interrupted).run()
    at.number_input(key="toy-x").set_value(3).run()
    at.button[0].click().run()
    at.session_state["toy-x"] = 3  # which the browser still shows and sends with the click
    at.run()
    assert at.number_input(key="toy-x").value == 5
    at.number_input(key="toy-x").set_value(3).run()
    assert at.number_input(key="toy-x").value == 3  # now it is the learner's own wish


def _late() -> None:
    import streamlit as st

    from components import address

    address.arrive("toy")
    st.number_input("x", 0, 9, 1, key="toy-x")
    if st.session_state.pop("done", False):  # a worker has taken an upload in
        address.put_next({"toy-x": 5})
        st.rerun()
    if st.session_state.pop("cut", False):
        st.rerun()
    address.seen()


@pytest.mark.parametrize("cut", [False, True])
def test_a_value_that_came_by_itself_survives_a_click_that_was_on_its_way(
    cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = AppTest.from_function(_late).run()
    at.number_input(key="toy-x").set_value(3).run()
    at.session_state["done"], at.session_state["cut"] = True, cut
    at.run()
    assert at.number_input(key="toy-x").value == 5
    at.session_state["toy-x"] = 3  # what the browser showed when the click was made
    at.run()
    assert at.number_input(key="toy-x").value == 5
    at.number_input(key="toy-x").set_value(7).run()
    assert at.number_input(key="toy-x").value == 7  # no value it had: the learner's own wish
    at.number_input(key="toy-x").set_value(3).run()
    assert at.number_input(key="toy-x").value == 3


def test_after_a_moment_the_value_before_is_a_wish_as_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(address, "_ON_ITS_WAY", -1.0)
    at = AppTest.from_function(_late).run()
    at.number_input(key="toy-x").set_value(3).run()
    at.session_state["done"] = True
    at.run()
    at.number_input(key="toy-x").set_value(3).run()
    assert at.number_input(key="toy-x").value == 3


def _timed() -> None:
    import streamlit as st

    from components import address

    if st.session_state.pop("timer", False):
        address.every(1.0)(lambda: None)()
    else:
        address.arrive("toy")
        st.button("fix", on_click=address.put, args=("toy-x", 5))
    st.number_input("x", 0, 9, 1, key="toy-x")
    address.seen()


@pytest.mark.parametrize(
    ("sent", "after", "shown"),
    [
        (3, 0.0, 5),  # an old message
        (7, 0.0, 7),  # a value it never had
        (3, 60.0, 3),  # no message takes that long
    ],
)
def test_a_timers_message_with_an_old_value_changes_nothing(
    sent: int, after: float, shown: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = AppTest.from_function(_timed).run()
    at.number_input(key="toy-x").set_value(3).run()
    at.button[0].click().run()
    now = address.time.monotonic() + after
    monkeypatch.setattr(address.time, "monotonic", lambda: now)
    by_itself = SimpleNamespace(fragment_ids_this_run=["a"])
    monkeypatch.setattr(address, "get_script_run_ctx", lambda: by_itself)
    at.session_state["timer"] = True
    at.session_state["toy-x"] = sent
    at.run()
    assert at.number_input(key="toy-x").value == shown


def test_a_timers_message_with_the_new_value_ends_the_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = AppTest.from_function(_timed).run()
    at.number_input(key="toy-x").set_value(3).run()
    at.button[0].click().run()
    by_itself = SimpleNamespace(fragment_ids_this_run=["a"])
    monkeypatch.setattr(address, "get_script_run_ctx", lambda: by_itself)
    for value in (5, 3):  # the browser knows it; then the learner goes back
        at.session_state["timer"] = True
        at.session_state["toy-x"] = value
        at.run()
        assert at.number_input(key="toy-x").value == value


def test_a_value_that_a_timers_own_message_put_holds_against_the_message_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = AppTest.from_function(_timed_first).run()
    at.number_input(key="toy-x").set_value(3).run()
    by_itself = SimpleNamespace(fragment_ids_this_run=["a"])
    with monkeypatch.context() as patched:
        patched.setattr(address, "get_script_run_ctx", lambda: by_itself)
        at.session_state["timer"] = True
        at.button[0].click().run()  # the timer's message brings the click along
    at.session_state["toy-x"] = 3  # and the click's own message comes with the old value
    at.run()
    assert at.number_input(key="toy-x").value == 5


def _timed_first() -> None:
    import streamlit as st

    from components import address

    if st.session_state.pop("timer", False):
        address.every(1.0)(lambda: None)()
        st.stop()
    address.arrive("toy")
    st.button("fix", on_click=address.put, args=("toy-x", 5))
    st.number_input("x", 0, 9, 1, key="toy-x")
    address.seen()


def test_a_label_has_plain_words_and_the_name_in_the_code_where_it_is_another() -> None:
    assert controls.named("Learning rate", "lr") == "Learning rate `lr`"
    assert controls.named("Batch size", "batch_size") == "Batch size `batch_size`"
    assert controls.named("Epochs", "epochs") == "Epochs"
