"""The code on screen is the code that ran: for every topic there is, found by looking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.core import export
from models.core.control import Snapshot
from models.core.spec import Spec, SpecError, knob
from tests import export_laws

TOPICS = export_laws.topics()
every_topic = pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS.keys())


@every_topic
def test_the_script_reproduces_the_numbers_in_a_fresh_interpreter(
    topic: Any, tmp_path: Path
) -> None:
    export_laws.reproduced(topic, tmp_path)


@every_topic
def test_so_does_the_script_of_every_variation(topic: Any, tmp_path: Path) -> None:
    export_laws.variations_reproduced(topic, tmp_path)


@every_topic
def test_every_setting_reaches_the_export(topic: Any) -> None:
    assert export_laws.never_changed(topic) == [], "add these fields to the topic's VARIATIONS"
    assert export_laws.without_effect(topic) == []


@every_topic
def test_variations_are_of_fields_that_exist_and_do_differ(topic: Any) -> None:
    for field, spec in getattr(topic, "VARIATIONS", {}).items():
        assert getattr(spec, field) != getattr(topic.Spec(), field)


@every_topic
def test_the_same_settings_give_the_same_script(topic: Any) -> None:
    assert topic.to_code(topic.Spec()) == topic.to_code(topic.Spec())


@every_topic
def test_the_notebook_is_the_script(topic: Any) -> None:
    export_laws.notebook_matches(topic.to_code(topic.Spec()))


# The laws themselves, on a topic small enough to break in every way.


@dataclass(frozen=True)
class PowerSpec(Spec):
    base: float = knob(3.0, "what is multiplied", minimum=0.0, maximum=9.0)
    exponent: int = knob(2, "how often", minimum=1, maximum=5)
    sign: str = knob("plus", "the sign of the result", choices=("plus", "minus"))
    rounded: bool = knob(False, "to a whole number")

    def check(self) -> None:
        if self.base == 0.0 and self.sign == "minus":
            raise SpecError("There is no minus zero here.", "sign")


def power_code(spec: PowerSpec) -> str:
    sign = "-" if spec.sign == "minus" else ""
    last = (
        f"round({spec.base} ** {spec.exponent})"
        if spec.rounded
        else f"{spec.base} ** {spec.exponent}"
    )
    return export.script("Powers", [f"result = {sign}{last}", 'print(f"result = {result}")'])


def topic(**changes: Any) -> SimpleNamespace:
    """A topic that keeps every law, with some of its names replaced."""
    lawful: dict[str, Any] = {
        "Spec": PowerSpec,
        "run": lambda spec: spec.base**spec.exponent,
        "numbers": lambda result: {"result": result},
        "to_code": power_code,
    }
    return SimpleNamespace(**lawful | changes)


def test_a_lawful_topic_passes(tmp_path: Path) -> None:
    export_laws.reproduced(topic(), tmp_path)
    assert export_laws.never_changed(topic()) == []
    assert export_laws.without_effect(topic()) == []
    export_laws.notebook_matches(power_code(PowerSpec()))


def test_a_topic_that_trains_is_judged_by_its_last_snapshot(tmp_path: Path) -> None:
    def train(spec: PowerSpec) -> Iterator[Snapshot]:
        for step in range(3):
            yield Snapshot(step, step, rows=({"result": spec.base**step},), final=step == 2)

    trains = topic(train=train, numbers=lambda snapshot: dict(snapshot.rows[0]))
    del trains.run
    export_laws.reproduced(trains, tmp_path)


@pytest.mark.parametrize(
    "numbers",
    [
        lambda result: {"result": result * 1.0001},
        lambda result: {"result": result, "another": 1.0},
        lambda result: {},
    ],
    ids=["wrong by a little", "not printed", "none at all"],
)
def test_numbers_that_the_script_does_not_print_are_caught(numbers: Any, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        export_laws.reproduced(topic(numbers=numbers), tmp_path)


def test_a_script_that_needs_this_repository_is_caught(tmp_path: Path) -> None:
    leaning = export.script("Powers", ["from models.core import spec", 'print("result = 9.0")'])
    with pytest.raises(RuntimeError, match="No module named 'models'"):
        export_laws.reproduced(topic(to_code=lambda spec: leaning), tmp_path)


def test_a_variation_whose_script_prints_another_number_is_caught(tmp_path: Path) -> None:
    varied = {"base": PowerSpec(base=2.0), "exponent": PowerSpec(exponent=3)}
    export_laws.variations_reproduced(topic(VARIATIONS=varied), tmp_path)
    deaf = topic(VARIATIONS=varied, to_code=lambda spec: power_code(spec.replace(exponent=2)))
    with pytest.raises(AssertionError, match="exponent: result"):
        export_laws.variations_reproduced(deaf, tmp_path)


def test_a_setting_that_does_not_reach_the_export_is_caught() -> None:
    deaf = topic(to_code=lambda spec: power_code(spec.replace(exponent=2)))
    assert export_laws.without_effect(deaf) == ["exponent"]


def test_a_value_that_is_another_name_of_the_default_is_no_fault() -> None:
    def code(spec: PowerSpec) -> str:
        return power_code(spec.replace(exponent=max(2, spec.exponent)))  # 1 is taken as 2

    assert export_laws.without_effect(topic(to_code=code)) == []


def test_a_setting_that_works_only_beside_another_needs_a_variation() -> None:
    def code(spec: PowerSpec) -> str:
        return power_code(spec if spec.sign == "minus" else spec.replace(rounded=False))

    assert export_laws.without_effect(topic(to_code=code)) == ["rounded"]
    helped = topic(to_code=code, VARIATIONS={"rounded": PowerSpec(sign="minus", rounded=True)})
    assert export_laws.without_effect(helped) == []


def test_a_variation_cannot_hide_behind_the_other_field_that_it_changes() -> None:
    def code(spec: PowerSpec) -> str:
        return power_code(spec.replace(rounded=False))

    hiding = topic(to_code=code, VARIATIONS={"rounded": PowerSpec(sign="minus", rounded=True)})
    assert export_laws.without_effect(hiding) == ["rounded"]


def test_a_free_text_without_a_variation_is_caught() -> None:
    @dataclass(frozen=True)
    class WithText(PowerSpec):
        title: str = knob("a", "shown above")

    assert export_laws.never_changed(topic(Spec=WithText)) == ["title"]
    named = topic(Spec=WithText, VARIATIONS={"title": WithText(title="b")})
    assert export_laws.never_changed(named) == []
    assert export_laws.without_effect(named) == ["title"]  # power_code leaves it out


@pytest.mark.parametrize(
    "code",
    ['"""No cells."""\n', '"""T"""\nimport math\n\n# %%\nx = 1\n', '"""T"""\n\n# %%\nx = = 1\n'],
    ids=["no cells", "code above the cells", "no Python"],
)
def test_a_script_that_makes_no_notebook_is_caught(code: str) -> None:
    with pytest.raises((AssertionError, SyntaxError)):
        export_laws.notebook_matches(code)
