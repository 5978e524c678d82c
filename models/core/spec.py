"""Settings of one experiment, as a value that is always valid."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

Value = bool | int | float | str


class SpecError(ValueError):
    """A setting that cannot work, in a learner's words: what happened, the numbers, what to change.

    Attributes:
        field: the setting to point at, or "" when several contradict each other.
        detail: PyTorch's own message, shown behind a click.
    """

    def __init__(self, message: str, field: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.detail = detail


@dataclass(frozen=True)
class Knob:
    """What a widget, the URL and the checks need to know about one field, declared once.

    Attributes:
        help: one line in a learner's words.
        label: the words on the widget where the field's own name, read as words, is not plain enough (see `title`).
        choices: the allowed values of a menu, in order; empty for a free value.
        minimum, maximum, step: an inclusive range; `log` moves the slider by factors.
        live: can change while a run lives; other fields reset it.
        max_chars: the longest text a free string may hold.
        names: shown names of the choices where the values alone say too little.
        example: what stands greyed in an empty text field.
    """

    help: str
    label: str = ""
    choices: tuple[Value, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    log: bool = False
    live: bool = False
    max_chars: int = 2000
    names: Mapping[Value, str] = dataclasses.field(default_factory=dict)
    example: str = ""


def knob(
    default: Any,
    help: str,
    *,
    label: str = "",
    choices: Sequence[Value] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    step: float | None = None,
    log: bool = False,
    live: bool = False,
    max_chars: int = 2000,
    names: Mapping[Value, str] | None = None,
    example: str = "",
) -> Any:
    """A field of a `Spec`: its default, one line of help, and its range or choices."""
    values = tuple(choices)
    about = Knob(
        help, label, values, minimum, maximum, step, log, live, max_chars, names or {}, example
    )
    return dataclasses.field(default=default, metadata={"knob": about})


@dataclass(frozen=True)
class Spec:
    """Base of every topic's settings; a subclass declares fields with `knob`.

    A spec that exists is valid: the constructor checks types and ranges, then `check`.

    Raises:
        SpecError: a value is out of range, or `check` found a contradiction.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = _checked(self, field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        self.check()

    def check(self) -> None:
        """Rules between fields; raises `SpecError`. Subclasses override it."""

    def replace(self, **changes: Any) -> Self:
        """The same experiment with some settings changed."""
        return dataclasses.replace(self, **changes)

    def changed(self) -> dict[str, Value]:
        """The fields that differ from their defaults: what a link has to carry."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }


@cache
def knobs(spec_type: type[Spec]) -> dict[str, Knob]:
    """Every field's `Knob` by name, in the order of declaration."""
    return {field.name: field.metadata["knob"] for field in dataclasses.fields(spec_type)}


@cache
def kinds(spec_type: type[Spec]) -> dict[str, type]:
    """Every field's Python type (bool, int, float or str) by name."""
    hints = typing.get_type_hints(spec_type)
    return {field.name: hints[field.name] for field in dataclasses.fields(spec_type)}


def title(spec_type: type[Spec], name: str) -> str:
    """A field in plain words, as on its widget: `Learning rate` for `lr`, `Batch size` for `batch_size`."""
    return knobs(spec_type)[name].label or name.replace("_", " ").capitalize()


def defaults(spec_type: type[Spec]) -> dict[str, Value]:
    """Every field's default by name."""
    return {field.name: field.default for field in dataclasses.fields(spec_type)}  # type: ignore[misc]  # every knob has one


def to_text(value: Value) -> str:
    """A field's value as the URL writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse(kind: type, name: str, text: str) -> Value:
    """A value of this Python type from the URL's text.

    Raises:
        SpecError: the text is none; `name` is the setting it was meant for.
    """
    make: Mapping[type, Callable[[str], Any]] = {
        bool: lambda t: {"true": True, "false": False}[t.lower()],
        int: int,
        float: float,
        str: str,
    }
    try:
        return make[kind](text)
    except (ValueError, KeyError):
        raise SpecError(f"{name} cannot be {text[:40]!r}: it takes {_words(kind)}.", name) from None


def from_text(spec_type: type[Spec], name: str, text: str) -> Value:
    """A field's value from the URL's text, inside its range.

    Raises:
        SpecError: the text is no value of that field.
    """
    kind = kinds(spec_type)[name]
    value = parse(kind, name, text)
    return _checked_value(spec_type.__name__, name, value, kind, knobs(spec_type)[name])


def from_params(spec_type: type[Spec], params: Mapping[str, str]) -> Spec:
    """A spec from a link's parameters; names it does not know are ignored.

    Raises:
        SpecError: a value is not one of that field's, or the values contradict each other.
    """
    known = knobs(spec_type)
    return spec_type(**{n: from_text(spec_type, n, t) for n, t in params.items() if n in known})


def _checked(spec: Spec, name: str, value: Any) -> Value:
    owner = type(spec)
    return _checked_value(owner.__name__, name, value, kinds(owner)[name], knobs(owner)[name])


def _checked_value(owner: str, name: str, value: Any, kind: type, about: Knob) -> Value:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            value = math.inf
    if type(value) is not kind:
        raise SpecError(f"{name} is {value!r}, but it takes {_words(kind)}.", name)
    if about.choices and value not in about.choices:
        options = ", ".join(map(str, about.choices))
        given = repr(value[:40] if isinstance(value, str) else value)
        raise SpecError(f"{name} cannot be {given}; choose one of: {options}.", name)
    if isinstance(value, str) and len(value) > about.max_chars:
        raise SpecError(
            f"{name} holds {len(value)} characters; the most it takes is {about.max_chars}.", name
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise SpecError(f"{name} must be a finite number, not {value}.", name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = about.minimum, about.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            raise SpecError(
                f"{name} is {value}, outside its range {low} to {high}. Choose a value inside it.",
                name,
            )
    return value


def _words(kind: type) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]
