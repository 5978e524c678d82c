"""Settings of an experiment: one that exists is valid, and its link brings back the same one."""

from __future__ import annotations

import dataclasses
import importlib
import math
import pkgutil
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

import models
from models.core import spec
from models.core.spec import Spec, SpecError, Value, knob


@dataclass(frozen=True)
class Kernel(Spec):
    size: int = knob(3, "width of the kernel", minimum=1, maximum=9)
    scale: float = knob(0.5, "factor", minimum=-1.0, maximum=1.0, step=0.1)
    mode: str = knob("same", "padding", choices=("same", "valid"), names={"same": "keeps the size"})
    bias: bool = knob(True, "adds a constant")
    note: str = knob("", "free text", max_chars=5)
    anything: float = knob(0.0, "no range")

    def check(self) -> None:
        if self.mode == "same" and self.size % 2 == 0:
            raise SpecError("An even kernel has no middle. Make size odd or mode valid.")


def test_the_default_is_valid_and_differs_from_itself_in_nothing() -> None:
    assert Kernel().changed() == {}
    assert spec.defaults(Kernel) == dataclasses.asdict(Kernel())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 1),
        ("size", 9),
        ("scale", -1.0),
        ("scale", 1.0),
        ("mode", "valid"),
        ("bias", False),
        ("note", "12345"),
        ("note", "ü λ 🔥"),
        ("anything", -1e300),
    ],
)
def test_the_outermost_valid_values_are_taken(field: str, value: Any) -> None:
    assert Kernel(**{field: value}).changed() == {field: value}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("size", 0, "size is 0, outside its range 1 to 9"),
        ("size", 10, "size is 10, outside its range 1 to 9"),
        ("size", 3.0, "it takes a whole number"),
        ("size", True, "it takes a whole number"),
        ("size", "3", "it takes a whole number"),
        ("size", None, "it takes a whole number"),
        ("scale", 1.0000001, "outside its range -1.0 to 1.0"),
        ("scale", math.nan, "finite"),
        ("scale", math.inf, "finite"),
        ("scale", False, "it takes a number"),
        ("scale", 10**400, "finite"),
        ("mode", "Same", "choose one of: same, valid"),
        ("mode", "", "choose one of: same, valid"),
        ("bias", 1, "true or false"),
        ("note", "123456", "holds 6 characters; the most it takes is 5"),
        ("anything", -math.inf, "finite"),
    ],
)
def test_a_value_just_outside_is_refused_with_its_name_and_what_is_allowed(
    field: str, value: Any, words: str
) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        Kernel(**{field: value})
    assert caught.value.field == field
    assert field in str(caught.value)


def test_a_whole_number_serves_as_a_number_and_becomes_one() -> None:
    assert type(Kernel(scale=1).scale) is float


def test_values_that_contradict_each_other_are_refused_and_the_nearest_are_not() -> None:
    with pytest.raises(SpecError, match="even kernel") as caught:
        Kernel(size=4)
    assert caught.value.field == ""
    assert Kernel(size=4, mode="valid").size == 4
    assert Kernel(size=5).size == 5


def test_replace_checks_again() -> None:
    with pytest.raises(SpecError):
        Kernel().replace(size=4)
    assert Kernel().replace(size=5) == Kernel(size=5)


def test_a_spec_cannot_be_changed_and_equal_ones_share_a_cache_entry() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Kernel().size = 5  # type: ignore[misc]  # that is the point
    assert len({Kernel(), Kernel(size=3), Kernel(size=5)}) == 2


# Fields whose own names are plain words; every other one says plainly what it is, in its `label`.
PLAIN = (
    "activation, backward, batch_size, bias, changes, channels, class_weights, data, device, dilation, dilation_width, "
    "encoding, epochs, features, forward, groups, height, image, image_size, inputs, kernel, kernel_size, kernel_width, "
    "label_smoothing, layers, loss, momentum, names, network, noise, optimizer, output_padding, output_padding_width, "
    "output_size, output_width, padding, padding_mode, pixel_noise, points, precision, preset, program, repeats, rows, "
    "seed, separator, shelf, shuffle, stride, stride_width, target, task, tokens, transforms, vocabulary, wavelength, "
    "weight_decay, weights, width"
)


def every_spec() -> list[type[Spec]]:
    """The settings of every topic there is."""
    for found in pkgutil.walk_packages(models.__path__, "models."):
        importlib.import_module(found.name)
    waiting, specs = [Spec], []
    while waiting:
        waiting.extend(more := waiting.pop().__subclasses__())
        specs.extend(s for s in more if s.__module__.startswith("models."))
    return specs


def test_every_setting_of_every_topic_has_plain_words_in_one_capitalisation() -> None:
    assert len(every_spec()) > 20
    for owner in every_spec():
        for name, about in spec.knobs(owner).items():
            title = spec.title(owner, name)
            where = f"{owner.__module__}: {name} is called {title!r}"
            assert about.label or name in PLAIN.split(", "), f"{where}, which is no plain word"
            assert "_" not in title, where
            assert len(title) >= 4, where
            assert title[0].isupper(), where
            rest = [word for word in title.split()[1:] if not word.isupper()]
            assert all(word.islower() or word[0] == "(" for word in rest), where


def test_one_panel_calls_no_two_settings_the_same() -> None:
    for owner in every_spec():
        titles = [spec.title(owner, name) for name in spec.knobs(owner)]
        assert len(set(titles)) == len(titles), owner.__module__


def test_every_field_says_what_it_is() -> None:
    assert spec.knobs(Kernel)["mode"].help == "padding"
    assert spec.knobs(Kernel)["mode"].names["same"] == "keeps the size"
    assert spec.kinds(Kernel) == {
        "size": int,
        "scale": float,
        "mode": str,
        "bias": bool,
        "note": str,
        "anything": float,
    }


valid_kernels = some.builds(
    lambda **fields: Kernel(**fields),
    size=some.sampled_from([1, 3, 5, 7, 9]),
    scale=some.floats(-1, 1),
    mode=some.sampled_from(["same", "valid"]),
    bias=some.booleans(),
    note=some.text(max_size=5),
    anything=some.floats(allow_nan=False, allow_infinity=False),
)


@given(valid_kernels)
def test_a_link_brings_back_the_very_same_experiment(kernel: Kernel) -> None:
    link = {name: spec.to_text(value) for name, value in kernel.changed().items()}
    assert spec.from_params(Kernel, link) == kernel


def test_a_link_may_hold_parameters_of_others() -> None:
    assert spec.from_params(Kernel, {"theme": "dark", "size": "5"}) == Kernel(size=5)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("size", "five"),
        ("size", "3.0"),
        ("size", ""),
        ("size", "9" * 10_000),
        ("size", "0"),
        ("scale", "1e400"),
        ("scale", "nan"),
        ("scale", "0,5"),
        ("bias", "yes"),
        ("mode", "other"),
        ("note", "123456"),
    ],
)
def test_nonsense_in_a_link_is_refused_with_the_fields_name(field: str, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec.from_params(Kernel, {field: text})
    assert caught.value.field == field
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (3, "3"), (0.1, "0.1")]
)
def test_the_url_writes_values_as_a_person_would(value: Value, text: str) -> None:
    assert spec.to_text(value) == text
