"""Laws of the controls: one widget per setting, the address is the experiment, contradictions are explained."""

from __future__ import annotations

from dataclasses import dataclass
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
    loss: str = knob("mse", "Loss.", choices=("mse", "l1", "huber", "smooth_l1"))
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

    from components import address, controls
    from tests.test_controls import Toy

    spec = controls.edit(Toy, "toy")
    st.json(spec.changed())
    st.button("fix", on_click=lambda: controls.put("toy", lr=0.0123, seed=7))
    address.write()


def open_page(**params: str) -> AppTest:
    at = AppTest.from_function(_page, default_timeout=30)
    for name, value in params.items():
        at.query_params[f"toy-{name.replace('__', '-')}"] = value
    return at.run()


def shown(at: AppTest) -> dict:
    import json

    return json.loads(at.json[0].value)


def test_every_setting_has_one_widget():
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
    at.select_slider[0].set_value(0.1).run()
    at.select_slider[0].set_value(0.0123).run()  # still a stop
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
    at.query_params["toy-loss"] = "smooth_l1"
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


def _deciding() -> None:
    """A page whose buttons and workers give settings values."""
    import streamlit as st

    from components import address

    page = st.session_state.get("page", "toy")
    name = f"{page}-x"
    address.arrive(page)
    st.button("fix", on_click=address.put, args=(name, 5))
    if st.session_state.pop("cut", False):
        st.stop()  # as a click does that comes before the page is drawn
    one = address.setting(name, 1)
    st.number_input("x", 0, 9, one.born, key=one.key)
    st.json({"x": one.value})
    if st.session_state.pop("done", False):  # a worker has taken an upload in
        address.put(name, 5)
        st.rerun()
    address.write()


def _x(at: AppTest) -> int:
    import json

    (box,) = at.number_input
    assert box.value == json.loads(at.json[0].value)["x"]
    return int(box.value or 0)


def test_every_message_says_what_a_link_asked_for():
    at = AppTest.from_function(_deciding)
    at.query_params["toy-x"] = "3"
    for _ in range(3):
        assert at.run().number_input[0].proto.default == 3
        assert not at.number_input[0].proto.set_value  # said in one message only, which may be lost
    assert at.query_params["toy-x"] == "3"


@pytest.mark.parametrize("cut", [False, True])
def test_a_value_that_a_button_gave_holds_against_messages_with_the_old_one(cut: bool) -> None:
    at = AppTest.from_function(_deciding).run()
    at.number_input[0].set_value(3).run()
    at.session_state["cut"] = cut
    at.button[0].click().run()
    at.session_state["toy-x"] = 3  # which the browser still shows and sends
    assert _x(at.run()) == 5
    at.number_input[0].set_value(3).run()
    assert _x(at) == 3  # now it is the learner's own wish
    assert at.query_params["toy-x"] == "3"


def test_a_value_that_came_by_itself_holds_against_messages_with_the_old_one() -> None:
    at = AppTest.from_function(_deciding).run()
    at.number_input[0].set_value(3).run()
    at.session_state["done"] = True
    at.run()
    at.session_state["toy-x"] = 3
    assert _x(at.run()) == 5
    at.number_input[0].set_value(7).run()
    assert _x(at) == 7


def test_a_value_given_before_the_widget_was_ever_drawn_is_drawn() -> None:
    at = AppTest.from_function(_deciding)
    at.session_state["cut"] = True
    at.run()
    at.button[0].click().run()
    assert _x(at) == 5


def test_the_default_leaves_the_address_and_unknown_parameters_stay() -> None:
    at = AppTest.from_function(_deciding)
    at.query_params["toy-x"] = "1"
    at.query_params["other"] = "a"
    at.run()
    assert at.query_params == {"other": "a"}


def test_a_page_that_is_opened_again_has_its_settings_and_a_link_to_it_wins() -> None:
    at = AppTest.from_function(_deciding).run()
    at.number_input[0].set_value(3).run()
    at.session_state["page"] = "elsewhere"
    at.query_params.clear()
    assert _x(at.run()) == 1
    at.session_state["page"] = "toy"
    at.query_params.clear()
    assert _x(at.run()) == 3
    assert at.query_params["toy-x"] == "3"
    at.session_state["page"] = "elsewhere"
    at.query_params.clear()
    at.run()
    at.session_state["page"] = "toy"
    at.query_params["toy-x"] = "4"
    assert _x(at.run()) == 4


def test_what_the_address_dragged_along_from_the_page_before_is_no_setting() -> None:
    at = AppTest.from_function(_deciding).run()
    at.number_input[0].set_value(3).run()
    at.session_state["page"] = "elsewhere"  # with the old page's address, written late
    assert _x(at.run()) == 1
    assert "toy-x" not in at.query_params


def _mirrored() -> None:
    import streamlit as st

    from components import address

    text = address.value("toy-text") or "preset"
    box = address.mirror("toy-box", text)
    st.text_area("box", box.born, key=box.key)
    st.button("other", on_click=lambda: address.put("toy-text", "other"))
    address.setting("toy-text", "")


def test_a_box_shows_what_was_changed_elsewhere_and_keeps_what_was_typed() -> None:
    at = AppTest.from_function(_mirrored)
    at.query_params["toy-text"] = "linked"
    at.run()
    assert at.text_area[0].proto.default == "linked"
    at.text_area[0].set_value("typed").run()
    assert at.text_area[0].value == "typed"
    at.button[0].click().run()
    at.run()
    assert at.text_area[0].value == "other"


def test_a_row_of_choices_says_what_a_link_asked_of_it() -> None:
    def page() -> None:
        from components import controls

        controls.one_of("View", ("a", "b"), key="toy-view")

    at = AppTest.from_function(page)
    at.query_params["toy-view"] = "c"
    at.run()
    assert "toy-view cannot be 'c'; choose one of: a, b." in at.warning[0].value
    at.get("button_group")[0].set_value("b").run()  # type: ignore[union-attr]  # no container
    assert not at.warning


def test_what_no_widget_says_of_a_link_is_said_below_the_heading() -> None:
    def page() -> None:
        from components import controls, lesson
        from tests.test_controls import Toy

        lesson.page("toy", "Toy")
        controls.panel(Toy, "toy")  # its widgets are not drawn in this view
        lesson.footer()

    at = AppTest.from_function(page)
    at.query_params["toy-units"] = "65"
    assert "units is 65" in at.run().warning[0].value
    assert "units is 65" in at.run().warning[0].value


def test_a_label_has_plain_words_and_the_name_in_the_code_where_it_is_another() -> None:
    assert controls.named("Learning rate", "lr") == "Learning rate `lr`"
    assert controls.named("Batch size", "batch_size") == "Batch size `batch_size`"
    assert controls.named("Epochs", "epochs") == "Epochs"
