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
        notes: per field, what an address said that the field cannot take.
        hidden: fields whose widget a lesson link hides.
    """

    spec_type: type[S]
    prefix: str
    spec: S
    values: Mapping[str, Value]
    error: SpecError | None
    notes: Mapping[str, str]
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
            if name in self.notes:
                st.warning(plain(self.notes[name]), icon=":material/link_off:")
            if self.error is not None and self.error.field == name:
                explain(self.error)

    def complain(self) -> None:
        """What is wrong between several fields; call once where it is seen first."""
        for name in self.hidden & self.notes.keys():
            st.warning(plain(self.notes[name]), icon=":material/link_off:")
        if self.error is None:
            return
        drawn_there = self.error.field and self.error.field not in self.hidden | self.fixed
        if not drawn_there:
            explain(self.error)
        st.caption("What you see below is still the last experiment that worked.")

    def _widget(self, name: str, disabled: bool, why: str) -> None:
        about = specs.knobs(self.spec_type)[name]
        kind = specs.kinds(self.spec_type)[name]
        default = specs.defaults(self.spec_type)[name]
        offered = tuple(self.choices.get(name, about.choices))
        if offered and default not in offered:
            default = offered[0]
        key = f"{self.prefix}-{name}"
        draw = _WIDGETS[_widget_kind(kind, about, offered)]
        draw(
            about,
            default,
            offered,
            self.values[name],
            label=label(self.spec_type, name),
            key=key,
            help=f"{about.help}\n\n{why}" if why else about.help,
            disabled=disabled,
            **_binding(about, key, default),
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
    address.restore(prefix)
    notes: dict[str, str] = st.session_state.setdefault(f"link:{prefix}", {})
    free = [name for name in specs.knobs(spec_type) if name not in fixed]
    taken = [
        _seed(spec_type, prefix, name, notes) for name in free
    ]  # every one, also after nonsense
    if not all(taken):
        st.rerun()  # without the nonsense, of which Streamlit's own reading would keep a part ("2.5" as 2)
    for name in free:
        _fit(prefix, name, choices.get(name), notes)
    values = read(spec_type, prefix) | fixed
    for name, offered in choices.items():
        if values[name] not in offered:
            values[name] = offered[0]  # the default does not fit either
    found, error = _make(spec_type, values)
    memory = f"valid:{prefix}"
    if found is None:
        found = st.session_state.get(memory) or spec_type(**fixed)
    st.session_state[memory] = found
    defaults = specs.defaults(spec_type)
    address.keep(
        prefix,
        {f"{prefix}-{n}": v for n, v in values.items() if n not in fixed and v != defaults[n]},
    )
    address.tidy_defaults({f"{prefix}-{n}": defaults[n] for n in values if n not in fixed})
    for name in [n for n in notes if n in values and _touched(prefix, n, values[n])]:
        del notes[name]
    hidden = frozenset(filter(None, st.query_params.get("hide", "").split(",")))
    return Panel(
        spec_type, prefix, found, values, error, dict(notes), hidden, frozenset(fixed), choices
    )


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
    """Every field's value as its widget, else the address, else the default says."""
    found = specs.defaults(spec_type)
    for name in found:
        key = f"{prefix}-{name}"
        if st.session_state.get(key) is not None:
            found[name] = st.session_state[key]
        elif key in st.query_params:
            try:
                found[name] = specs.from_text(spec_type, name, st.query_params[key])
            except SpecError:
                continue
    return found


def put(prefix: str, **values: Value) -> None:
    """Set fields from a button's callback; the widgets and the address follow."""
    for name, value in values.items():
        address.put(f"{prefix}-{name}", value)


def put_spec(prefix: str, spec: Spec) -> None:
    """Set every field from a button's callback, such as the settings of an earlier run."""
    put(prefix, **{name: getattr(spec, name) for name in specs.knobs(type(spec))})


def put_spec_next(prefix: str, spec: Spec) -> None:
    """The same for code that runs after the widgets were drawn; `st.rerun` makes it visible."""
    address.put_next({f"{prefix}-{n}": getattr(spec, n) for n in specs.knobs(type(spec))})


def one_of(label: str, options: Sequence[str], *, key: str, default: str = "", **how: Any) -> str:
    """A bound row of choices, the first one unless `default` is given; an address that names none of them means that."""
    if st.query_params.get(key) == "" and key not in st.session_state:
        del st.query_params[key]  # which Streamlit would read as "nothing chosen"
        st.rerun()
    default = default or options[0]
    chosen = st.segmented_control(
        label, tuple(options), default=default, required=True, key=key, bind="query-params", **how
    )
    return chosen or default


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


def _seed(spec_type: type[Spec], prefix: str, name: str, notes: dict[str, str]) -> bool:
    """Take a field from the address where its widget has not been drawn yet; False where it was nonsense.

    Streamlit's own binding takes only its own spelling ("0.001", not "1e-3") and drops the rest without a word.
    """
    key = f"{prefix}-{name}"
    text = st.query_params.get(key)
    if text is None or key in st.session_state:
        return True
    default = specs.defaults(spec_type)[name]
    try:
        st.session_state[key] = specs.from_text(spec_type, name, text)
        return True
    except SpecError as error:
        used = specs.to_text(default) or "nothing"
        notes[name] = f"The link asked for something else: {error} Used instead: {used}."
        st.session_state[f"untouched:{key}"] = default
        del st.query_params[key]
        return False


def _fit(prefix: str, name: str, offered: Sequence[Value] | None, notes: dict[str, str]) -> None:
    key = f"{prefix}-{name}"
    value = st.session_state.get(key)
    if offered and value is not None and value not in offered:
        st.session_state[key] = offered[0]
        st.session_state[f"untouched:{key}"] = offered[0]
        notes[name] = f"{name} = {value} does not fit here; {offered[0]} is used instead."


def _binding(about: Knob, key: str, default: Value) -> dict[str, Any]:
    """Streamlit's binding writes a menu's shown words into the address; values with names need another one."""
    return {"on_change": address.follow(key, default)} if about.names else {"bind": "query-params"}


def _touched(prefix: str, name: str, value: Value) -> bool:
    return st.session_state.get(f"untouched:{prefix}-{name}") != value


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


def _toggle(about: Knob, default: Any, offered: Sequence[Value], value: Any, **how: Any) -> None:
    st.toggle(how.pop("label"), default, **how)


def _named(about: Knob) -> Callable[[Value], str]:
    return lambda value: about.names.get(value, specs.to_text(value))


def _segmented(about: Knob, default: Any, offered: Sequence[Value], value: Any, **how: Any) -> None:
    st.segmented_control(
        how.pop("label"),
        offered,
        default=default,
        required=True,
        format_func=_named(about),
        width="stretch",
        **how,
    )


def _menu(about: Knob, default: Any, offered: Sequence[Value], value: Any, **how: Any) -> None:
    st.selectbox(
        how.pop("label"), offered, offered.index(default), format_func=_named(about), **how
    )


def _text(about: Knob, default: Any, offered: Sequence[Value], value: Any, **how: Any) -> None:
    st.text_input(
        how.pop("label"), default, max_chars=about.max_chars, placeholder=about.example, **how
    )


def _number(about: Knob, default: Any, offered: Sequence[Value], value: Any, **how: Any) -> None:
    whole = isinstance(default, int)
    step = about.step or (1 if whole else 0.01)
    low, high = (
        limit if limit is None or not whole else int(limit)
        for limit in (about.minimum, about.maximum)
    )
    st.number_input(how.pop("label"), low, high, default, int(step) if whole else step, **how)  # type: ignore[arg-type]  # all int or all float


def _slider(about: Knob, default: Any, offered: Sequence[Value], value: Any, **how: Any) -> None:
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


def _stops(about: Knob, default: Any, offered: Sequence[Value], value: Any, **how: Any) -> None:
    # a value between two stops (from a link or a doctor's fix) becomes a stop of its own and stays one
    extra = st.session_state.setdefault(f"stops:{how['key']}", set())
    extra.add(value)
    kind = type(default)
    options = sorted({kind(v) for v in stops(about, default, *extra)})
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
