"""The Autograd page without a browser: what is edited reaches the numbers, and what is wrong is said where it is."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from components import controls
from models import autograd
from models.autograd import functions
from tests.test_pages import opened


def words(app: AppTest) -> str:
    return " ".join(m.value for m in app.markdown)


def test_editing_a_leaf_moves_the_gradients() -> None:
    def gradient(x: str) -> str:
        leaves = autograd.PRESETS["chain"].leaves.replace("0.5", x)
        found = autograd.numbers(autograd.run(autograd.Spec(leaves=leaves)))["x.grad[0]"]
        return f"**x.grad** = {found:.4g}"

    app = opened("autograd")
    assert gradient("0.5") in words(app)
    app.text_input(key="autograd-leaf-x").set_value("0.15").run()
    assert not app.exception
    assert gradient("0.15") in words(app)
    assert gradient("0.5") not in words(app)
    assert "x = torch.tensor(0.15, requires_grad=True)" in app.code[-1].value


def test_taking_requires_grad_away_takes_the_gradient_away() -> None:
    app = opened("autograd")
    app.checkbox(key="autograd-grad-x").uncheck().run()
    assert "x.grad" not in words(app)
    assert "w.grad" in words(app)
    for name in ("w", "b"):
        app.checkbox(key=f"autograd-grad-{name}").uncheck().run()
    assert "nothing to differentiate" in app.warning[0].value


def test_a_program_of_ones_own_runs_and_stands_in_the_link() -> None:
    app = opened("autograd")
    app.text_area(key="autograd-edit-program").set_value("loss = (w * x + b) ** 3").run()
    assert "**loss** = 0.343" in words(app)
    assert any("Your own text now" in c.value for c in app.caption)
    assert "loss = (w * x + b) ** 3" in str(app.query_params["autograd-program"])
    app.selectbox(key="autograd-preset").set_value("fan-out").run()
    assert app.text_area(key="autograd-edit-program").value == autograd.PRESETS["fan-out"].program
    assert "autograd-program" not in app.query_params


def test_a_link_brings_the_whole_program() -> None:
    app = opened(
        "autograd",
        **{
            "autograd-leaves": "p = torch.tensor(3.0, requires_grad=True)",
            "autograd-program": "loss = p * p",
        },
    )
    assert "**p.grad** = 6" in words(app)
    assert app.text_input(key="autograd-leaf-p").value == "3.0"


def test_a_line_that_cannot_run_is_named_and_nothing_is_lost() -> None:
    app = opened("autograd")
    shown = next(m.value for m in app.markdown if "**loss**" in m.value)
    app.text_area(key="autograd-edit-program").set_value("z = w * x\nloss = q * z").run()
    assert not app.exception
    assert "Line 2" in app.error[0].value
    assert "'q'" in app.error[0].value
    assert app.text_area(key="autograd-edit-program").value == "z = w * x\nloss = q * z"
    assert shown in words(app)  # the last program that worked
    app.text_area(key="autograd-edit-program").set_value("z = w * x\nloss = 2 * z").run()
    assert not app.error
    assert "**loss** = 2" in words(app)


def test_a_half_typed_leaf_is_explained_and_stays_in_its_box() -> None:
    app = opened("autograd")
    app.text_input(key="autograd-leaf-x").set_value("[1.0, 2.0").run()
    assert not app.exception
    assert "Line 1" in app.error[0].value
    assert app.text_input(key="autograd-leaf-x").value == "[1.0, 2.0"
    app.text_input(key="autograd-leaf-x").set_value("1.0").run()
    assert not app.error


def test_the_culprit_stands_in_the_headline() -> None:
    app = opened("autograd", **{"autograd-preset": "in-place"})
    assert controls.plain("Line 3 (add_) wrote over") in app.warning[0].value


@pytest.mark.parametrize("preset", autograd.PRESETS)
def test_every_preset_opens(preset: str) -> None:
    app = opened("autograd", **{"autograd-preset": preset})
    assert not app.exception
    assert not app.error
    assert app.text_area(key="autograd-edit-program").value == autograd.PRESETS[preset].program


@pytest.mark.parametrize(
    "view", ["Accumulation", "Rules", "Own Function", "By hand", "Beyond reverse mode"]
)
def test_every_section_opens_with_its_code(view: str) -> None:
    app = opened("autograd", **{"autograd-view": view})
    assert not app.exception
    assert app.code


def test_accumulation_says_when_the_gradients_differ() -> None:
    app = opened("autograd", **{"autograd-view": "Accumulation"})
    assert app.success
    app.toggle(key="accumulate-batch_norm").set_value(True).run()
    assert app.warning
    assert "own mean and variance" in words(app)


def test_repairing_the_wrong_backward_makes_gradcheck_pass() -> None:
    app = opened("autograd", **{"autograd-view": "Own Function"})
    assert "gradcheck fails" in app.error[0].value
    app.text_area(key="function-edit-backward").set_value("grad_x = grad_y * 3 * x ** 2").run()
    assert not app.error
    assert "gradcheck passes" in app.success[0].value
    app.selectbox(key="function-preset").set_value("reversal").run()
    own = functions.PRESETS["reversal"].backward
    assert app.text_area(key="function-edit-backward").value == own


def test_a_wrong_formula_of_ones_own_is_measured() -> None:
    app = opened("autograd", **{"autograd-view": "Beyond reverse mode"})
    assert "right" in app.success[0].value
    app.text_input(key="beyond-edit-derivative").set_value("2 * x").run()
    assert "off" in app.warning[0].value


def test_free_python_is_off_unless_the_owner_says_so() -> None:
    app = opened("autograd", **{"autograd-view": "Own Function"})
    assert any("Free Python is switched off" in c.value for c in app.caption)


def test_free_python_runs_where_it_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYGROUND_FREE_PYTHON", "1")
    app = opened("autograd", **{"autograd-view": "Own Function"})
    app.text_area(key="function-edit-free").set_value("print('from', 'outside')")
    next(b for b in app.button if b.label == "Run the script").click().run()
    assert not app.exception
    assert any("from outside" in c.value for c in app.code)
