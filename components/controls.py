"""One URL-bound widget per setting of a spec, and in words what is wrong with them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from components import address
from models.core import spec as specs
from models.core.spec import Knob, Spec, SpecError, Value

S = TypeVar("S", bound=Spec)

# up to so many choices of so many letters together stand side by side; more go into a menu
_FEW, _LETTERS = 5, 26


@dataclass(frozen=True)
class Panel(Generic[S]):
    """The settings of one page as they stand, read before any widget is drawn.

    Attributes:
        spec: the settings in effect: what the widgets say, or the last valid ones when those contradict.
        values: what the widgets say, valid together or not.
        error: why `values` cannot work; None when they do.
        hidden: fields whose widget a lesson link hides.
        fixed: fields that the page sets in its own way; choices: smaller menus of some fields.
    """

    spec_type: type[S]
    prefix: str
    spec: S
    values: Mapping[str, Value]
    error: SpecError | None
    hidden: frozenset[str]
    fixed: frozenset[str]
    choices: Mapping[str, Sequence[Value]]

    def draw(self, *names: str, disabled: bool = False, why: str = "") -> None:
        """The widgets of these fields, each followed by what is wrong with it.

        `disabled` shows them without taking input, `why` says the reason in the tooltip.
        """
        for name in names:
            if name in self.hidden or name in self.fixed:
                continue
            self._widget(name, disabled, why)
            self.problems(name)

    def problems(self, name: str) -> None:
        """What is wrong with one field: what a link asked of it, and a contradiction that points at it."""
        say(f"{self.prefix}-{name}")
        if self.error is not None and self.error.field == name:
            explain(self.error)

    def complain(self) -> None:
        """What is wrong between several fields; call once where it is seen first."""
        for name in self.hidden:
            say(f"{self.prefix}-{name}")
        if self.error is None:
            return
        drawn_there = self.error.field and self.error.field not in self.hidden | self.fixed
        if not drawn_there:
            explain(self.error)
        st.caption("What you see below is still the last experiment that worked.")

    def setting(self, name: str) -> address.Setting[Any]:
        """A field as a widget of the page's own needs it: its key, and the value to draw it with."""
        return _setting(self.spec_type, self.prefix, name)

    def _widget(self, name: str, disabled: bool, why: str) -> None:
        about = specs.knobs(self.spec_type)[name]
        kind = specs.kinds(self.spec_type)[name]
        offered = tuple(self.choices.get(name, about.choices))
        one = self.setting(name)
        # what the panel makes of a choice that went, which is said
        born = one.born if not offered or one.born in offered else self.values[name]
        draw = _WIDGETS[_widget_kind(kind, about, offered)]
        draw(
            about,
            born,
            offered,
            label=label(self.spec_type, name),
            key=one.key,
            help=f"{about.help}\n\n{why}" if why else about.help,
            disabled=disabled,
        )


def panel(
    spec_type: type[S],
    prefix: str,
    *,
    choices: Mapping[str, Sequence[Value]] | None = None,
    **fixed: Value,
) -> Panel[S]:
    """Read a page's settings from its widgets and the address.

    Args:
        prefix: the page's word in the address: field `lr` is the parameter `<prefix>-lr`.
        choices: a smaller menu for some fields, such as the losses that fit the task; a value outside
            of it gives way to the first one, and the learner is told.
        fixed: fields that the page sets in its own way; they get no widget.
    """
    choices = choices or {}
    defaults = specs.defaults(spec_type)
    values = read(spec_type, prefix) | fixed
    for name, offered in choices.items():
        if offered and name not in fixed and values[name] not in offered:
            if values[name] != defaults[name]:  # else the menu just begins with another one
                why = f"{name} = {specs.to_text(values[name])} does not fit here; {offered[0]} is used instead."
                address.refuse(f"{prefix}-{name}", offered[0], why)
            values[name] = offered[0]
    found, error = _make(spec_type, values)
    if found is None:
        found = address.worked(prefix) or spec_type(**fixed)
    hidden = frozenset(filter(None, str(address.value("hide")).split(",")))
    address.worked(prefix, found)
    return Panel(spec_type, prefix, found, values, error, hidden, frozenset(fixed), choices)


def edit(
    spec_type: type[S], prefix: str, *, fields: Sequence[str] | None = None, **fixed: Value
) -> S:
    """One widget per field (or only of `fields`), bound to the address; returns the settings in effect.

    Settings that contradict each other are explained at the field, and the last valid ones are returned.
    """
    made = panel(spec_type, prefix, choices=None, **fixed)
    made.complain()
    made.draw(*(specs.knobs(spec_type) if fields is None else fields))
    return made.spec


def label(spec_type: type[Spec], name: str) -> str:
    """What a widget of this field is called: plain words, and PyTorch's name in small code where it is another one.

    For widgets that a page draws in its own way, too.
    """
    return named(specs.title(spec_type, name), name)


def named(words: str, name: str) -> str:
    """Plain words with the name in the code beneath, where that is another one."""
    return words if words.lower() == name else f"{words} `{name}`"


def read(spec_type: type[Spec], prefix: str) -> dict[str, Value]:
    """Every field's value as its widget, else a link, else the default says."""
    return {name: _setting(spec_type, prefix, name).value for name in specs.knobs(spec_type)}


def put(prefix: str, **values: Value) -> None:
    """Set fields from a button's callback; the widgets and the address follow."""
    for name, value in values.items():
        address.put(f"{prefix}-{name}", value)


def put_spec(prefix: str, spec: Spec) -> None:
    """Set every field, such as to the settings of an earlier run."""
    put(prefix, **{name: getattr(spec, name) for name in specs.knobs(type(spec))})


def one_of(label: str, options: Sequence[str], *, key: str, default: str = "", **how: Any) -> str:
    """A row of choices that the address holds; the first one unless `default` is given."""
    default = default or options[0]
    one = address.setting(key, default, read=address.among(key, options))
    chosen = st.segmented_control(
        label, tuple(options), default=one.among(options), required=True, key=one.key, **how
    )
    say(key)
    return chosen or default


def tabs(names: Sequence[str], *, key: str) -> Sequence[Any]:
    """Tabs of which the address holds the open one; `tab.open` says whether to fill it."""
    one = address.setting(key, names[0], read=address.among(key, names))
    say(key)
    return st.tabs(names, key=one.key, default=one.born, on_change="rerun")


def say(*names: str) -> None:
    """What a link asked of these settings that cannot be; without names, what no widget has said yet."""
    for note in address.notes(*names):
        st.warning(plain(note), icon=":material/link_off:")


def plain(text: str) -> str:
    """Text as it is, where Streamlit would read Markdown: `10**6` stays `10**6`, `__class__` keeps its underscores."""
    return re.sub(r"([\\`*_\[\]$~<])", r"\\\1", text)


def explain(error: SpecError) -> None:
    """A contradiction in a learner's words, PyTorch's own behind a click."""
    st.error(plain(str(error)), icon=":material/error:")
    if error.detail:
        with st.expander("What PyTorch says"):
            st.code(error.detail, language=None)


def stops(about: Knob, *more: Value) -> list[float]:
    """The values a logarithmic slider stops at: 1, 2, 3 and 5 of every decade, the ends, and `more`."""
    low, high = float(about.minimum or 1e-6), float(about.maximum or 1.0)
    smallest = about.minimum if about.minimum is not None else low
    decades = range(
        math.floor(math.log10(max(low, 1e-6))), math.floor(math.log10(max(high, 1e-6))) + 1
    )
    grid = {float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 3, 5)}
    grid |= {float(smallest), high, *(float(v) for v in more)}
    return sorted(v for v in grid if smallest <= v <= high)


def _make(
    spec_type: type[S], values: Mapping[str, Value]
) -> tuple[S, None] | tuple[None, SpecError]:
    try:
        return spec_type(**values), None
    except SpecError as error:
        return None, error


def _setting(spec_type: type[Spec], prefix: str, name: str) -> address.Setting[Any]:
    return address.setting(
        f"{prefix}-{name}",
        specs.defaults(spec_type)[name],
        read=lambda text: specs.from_text(spec_type, name, text),
    )


def _widget_kind(kind: type, about: Knob, offered: Sequence[Value]) -> str:
    if kind is bool:
        return "toggle"
    if offered:
        letters = sum(len(about.names.get(v, specs.to_text(v))) for v in offered)
        return "segmented" if len(offered) <= _FEW and letters <= _LETTERS else "menu"
    if kind is str:
        return "text"
    if about.minimum is None or about.maximum is None:
        return "number"
    if about.log:
        return "stops"
    span = about.maximum - about.minimum
    return "number" if kind is int and span / (about.step or 1) > 1000 else "slider"


def _toggle(about: Knob, default: Any, offered: Sequence[Value], **how: Any) -> None:
    st.toggle(how.pop("label"), default, **how)


def _named(about: Knob) -> Callable[[Value], str]:
    return lambda value: about.names.get(value, specs.to_text(value))


def _segmented(about: Knob, default: Any, offered: Sequence[Value], **how: Any) -> None:
    st.segmented_control(
        how.pop("label"),
        offered,
        default=default,
        required=True,
        format_func=_named(about),
        width="stretch",
        **how,
    )


def _menu(about: Knob, default: Any, offered: Sequence[Value], **how: Any) -> None:
    st.selectbox(
        how.pop("label"), offered, offered.index(default), format_func=_named(about), **how
    )


def _text(about: Knob, default: Any, offered: Sequence[Value], **how: Any) -> None:
    st.text_input(
        how.pop("label"), default, max_chars=about.max_chars, placeholder=about.example, **how
    )


def _number(about: Knob, default: Any, offered: Sequence[Value], **how: Any) -> None:
    whole = isinstance(default, int)
    step = about.step or (1 if whole else 0.01)
    low, high = (
        limit if limit is None or not whole else int(limit)
        for limit in (about.minimum, about.maximum)
    )
    st.number_input(how.pop("label"), low, high, default, int(step) if whole else step, **how)  # type: ignore[arg-type]  # all int or all float


def _slider(about: Knob, default: Any, offered: Sequence[Value], **how: Any) -> None:
    assert about.minimum is not None
    assert about.maximum is not None
    if isinstance(default, int):
        low, high, step = int(about.minimum), int(about.maximum), int(about.step or 1)
        st.slider(how.pop("label"), low, high, default, step, **how)
        return
    step = about.step or (about.maximum - about.minimum) / 100
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    low, high = float(about.minimum), float(about.maximum)
    st.slider(how.pop("label"), low, high, default, step, format=f"%.{digits}f", **how)


def _stops(about: Knob, default: Any, offered: Sequence[Value], **how: Any) -> None:
    # a value between two stops (from a link or a doctor's fix) becomes a stop of its own and stays one
    kind = type(default)
    options = sorted({kind(v) for v in stops(about, default)})
    st.select_slider(how.pop("label"), options, default, format_func=specs.to_text, **how)


_WIDGETS: dict[str, Callable[..., None]] = {
    "toggle": _toggle,
    "segmented": _segmented,
    "menu": _menu,
    "text": _text,
    "number": _number,
    "slider": _slider,
    "stops": _stops,
}
