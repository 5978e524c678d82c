"""The address bar as the experiment: the one owner of every setting that a link carries.

A setting is remembered in three places, each with one job:

- the widget's state, which the browser sends: what the learner did last;
- `_Memory`, in the session: every setting of every page visited, drawn or not; what the pages read;
- the address bar: written from the memory when a page, or a part of it, has been drawn; read on arrival only, that is
  after a link, a reload, Back, the menu, or a server that was started again under an open page.

Nothing is ever written into a widget's state: Streamlit tells the browser of that in one message only, and a browser
that is busy may never see it and then sends its old value back. A widget is drawn with the setting's value as its
default, which every message repeats. A value that the script gives later comes with a new key, so the browser makes a
new widget, and messages that were under way with the old value speak of a widget that is gone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, TypeVar
from urllib.parse import urlencode

import streamlit as st
from streamlit.components import v2
from streamlit.runtime.scriptrunner import get_script_run_ctx

from models.core import spec as specs
from models.core.spec import SpecError, Value

P = ParamSpec("P")
V = TypeVar("V", bound=Value)
_MEMORY = "address"
_SHARED = ("hide", "run")  # parameters that every page may have

# What the script writes into the address replaces the entry it stands on; otherwise Back would have to be pressed
# once for every slider that was moved to leave a page.
_TIDY = v2.component(
    "tidy_history",
    html="<i hidden></i>",
    js="""
export default function () {
  const history = window.history;
  if (history.tidy) return;
  const push = history.pushState.bind(history);
  history.tidy = true;
  history.pushState = (state, title, url) => {
    const here = url && new URL(url, location.href).pathname === location.pathname;
    here ? history.replaceState(state, title, url) : push(state, title, url);
  };
}
""",
)


@dataclass(frozen=True)
class Setting(Generic[V]):
    """One setting as it stands, for the widget that shows it.

    Attributes:
        key: the widget's; another one after the script has given the setting a value.
        value: what the learner chose last, or a link, or the script; the default where none of them did.
        born: what to draw the widget with: the value that it had when the browser first saw this key.
        note: why a link's value was not taken; stays until the learner chooses another one.
    """

    key: str
    value: V
    born: V
    note: str = ""

    def among(self, offered: Collection[V]) -> V:
        """`born` for a widget whose choices come and go: what it shows now where that is no choice any more."""
        return self.born if self.born in offered else self.value


@dataclass
class _Known:
    value: Any
    default: Any
    born: Any
    turn: int = 0
    note: str = ""

    def key(self, name: str) -> str:
        return f"{name}~{self.turn}" if self.turn else name

    def give(self, value: Any) -> None:
        self.value = self.born = value
        self.turn += 1


@dataclass
class _Page:
    """What the session knows of one page's settings.

    Attributes:
        asked: what the address said on arrival and no setting has taken up yet, as its text.
        settings: by the parameter's name; boxes: by name, what is shown of a setting in another form.
        turns: how often the script had given values to widgets before the last arrival.
        used: names drawn since the page began to be drawn; told: those whose note was shown since.
        worked: per prefix the last settings that were valid together.
    """

    asked: dict[str, str]
    settings: dict[str, _Known] = field(default_factory=dict)
    boxes: dict[str, _Known] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    worked: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Memory:
    here: str = ""
    pages: dict[str, _Page] = field(default_factory=dict)
    written: dict[str, str] | None = None


def tidy() -> None:
    """One history entry per page visited; call once per page."""
    _TIDY(key="tidy", height=1)


@st.fragment(run_every=3600)
def awake() -> None:
    """Let a page whose server was started again under it arrive anew; call once per page.

    On reconnecting, Streamlit's browser asks for the page only where a timer runs. Without one the page stands without
    a session, and every click on a part of it is dropped, since the new server knows no such part.
    """


def arrive(page: str) -> None:
    """A page begins to be drawn; where the learner comes from elsewhere, the address is read.

    An address without any setting brings home what the page's settings were. What it only dragged along from the
    page before is no setting of this one.
    """
    memory = _memory()
    known = memory.pages.get(page)
    if memory.here == page and known is not None:
        known.used, known.told = set(), set()
        return
    before = memory.pages.get(memory.here)
    memory.here, memory.written = page, None
    asked = {name: text for name, text in st.query_params.items() if not _dragged(name, before)}
    if asked or known is None:
        turns = {} if known is None else dict(known.turns)
        for name, one in (known.settings | known.boxes if known else {}).items():
            turns[name] = one.turn + 1
        known = memory.pages[page] = _Page(asked, turns=turns)
    known.used, known.told = set(), set()


def setting(name: str, default: V, *, read: Callable[[str], V] | None = None) -> Setting[V]:
    """The setting behind the parameter `name`, for a widget drawn with its `key` and its `born` value.

    `read` makes a value of the address's text, and raises `SpecError` for what is none; without it, any text that is
    a value of the default's type will do.
    """
    page = _page()
    page.used.add(name)
    one = page.settings.get(name)
    if one is None:
        one = page.settings[name] = _first(page, name, default, read)
    one.default = default
    key = one.key(name)
    said = st.session_state.get(key)
    if said is None:  # not drawn the last time: the browser makes it anew
        one.born = one.value
    elif said != one.value:
        one.value, one.note = said, ""
    return Setting(key, one.value, one.born, one.note)


def among(name: str, options: Sequence[V]) -> Callable[[str], V]:
    """For `setting`: the address has to name one of these.

    Raises:
        SpecError: (when called) it does not.
    """

    def read(text: str) -> V:
        for option in options:
            if specs.to_text(option) == text:
                return option
        choices = ", ".join(map(specs.to_text, options[:12])) + (" …" if len(options) > 12 else "")
        raise SpecError(f"{name} cannot be {text[:40]!r}; choose one of: {choices}.", name)

    return read


def mirror(name: str, value: Any) -> Setting[Any]:
    """A widget that shows a setting in another form, such as a box of text with a preset's program.

    `value` is what it has to show. It keeps what the learner typed, valid or not, until the value is changed elsewhere.
    """
    page = _page()
    one = page.boxes.get(name)
    if one is None:
        one = page.boxes[name] = _Known(value, value, value, page.turns.get(name, 0))
    key = one.key(name)
    said = st.session_state.get(key)
    if said is None:
        one.value = one.born = value
    elif value != one.value:
        if said == value:
            one.value = value
        else:
            one.give(value)
    key = one.key(name)
    said = st.session_state.get(key)
    return Setting(key, one.value if said is None else said, one.born)


def value(name: str, default: str = "") -> Any:
    """What a parameter (or a mirror) says, drawn or not; the address's text where no setting has taken it up."""
    page = _page()
    one = page.settings.get(name) or page.boxes.get(name)
    if one is None:
        return page.asked.get(name, default)
    said = st.session_state.get(one.key(name))
    return one.value if said is None else said


def says(prefix: str) -> bool:
    """Whether any setting of this prefix is another than its default."""
    return any(name.startswith(f"{prefix}-") for name in _query(_page()))


def put(name: str, value: Value | None) -> None:
    """Give a setting a value; None is its default. Its widget follows when it is drawn next.

    Used by buttons' callbacks and by what a worker found: a doctor's fix, a new seed, an upload that is ready.
    """
    page = _page()
    one = page.settings.get(name) or page.boxes.get(name)
    if one is None:
        page.asked.pop(name, None)
        if value is not None:
            page.asked[name] = specs.to_text(value)
        return
    if value is None:
        value = one.default
    one.note = ""
    if not (one.value == value == st.session_state.get(one.key(name), value)):
        one.give(value)


def refuse(name: str, used: Value, note: str) -> None:
    """A link's value cannot be: use another one, and say so until the learner chooses."""
    page = _page()
    put(name, used)
    if name in page.settings:
        page.settings[name].note = note


def notes(*names: str) -> list[str]:
    """Why values of these settings were not taken; without names, of all settings where nothing said it yet."""
    page = _page()
    chosen = names or [n for n in page.settings if n not in page.told]
    page.told.update(chosen)
    return [page.settings[n].note for n in chosen if n in page.settings and page.settings[n].note]


def worked(prefix: str, found: Any = None) -> Any:
    """Keep the settings that were valid together last, or, without any, give them back."""
    page = _page()
    if found is not None:
        page.worked[prefix] = found
    return page.worked.get(prefix)


def write() -> None:
    """The address says what the page shows; call when it, or a part of it, has been drawn."""
    memory = _memory()
    wanted = _query(_page())
    if memory.written == wanted and dict(st.query_params) == wanted:
        return
    memory.written = wanted
    st.query_params.from_dict(wanted)


def fragment(draw: Callable[P, None]) -> Callable[P, None]:
    """`st.fragment` for a part of a page with settings of its own: the address follows it, too."""
    return every(None)(draw)


def every(seconds: float | None) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """A part of a page that draws itself again by itself, as `st.fragment(run_every=seconds)`."""

    def timed(draw: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(draw)
        def part(*args: P.args, **kwargs: P.kwargs) -> None:
            draw(*args, **kwargs)
            context = get_script_run_ctx()
            if context is not None and context.fragment_ids_this_run:
                write()

        return st.fragment(part, run_every=seconds)

    return timed


def query(
    prefix: str, spec: specs.Spec, *, hide: Iterable[str] = (), **more: str | None
) -> dict[str, str]:
    """The parameters that reproduce this experiment: every setting that is not a default.

    `hide` names controls the link hides; `more` are further parameters (a run's id); None leaves one out.
    """
    found = {f"{prefix}-{name}": specs.to_text(value) for name, value in spec.changed().items()}
    hidden = ",".join(hide)
    if hidden:
        found["hide"] = hidden
    return found | {name: value for name, value in more.items() if value is not None}


def beside(prefix: str, spec: specs.Spec) -> dict[str, str]:
    """The parameters of what else is on this page now: its view, its part, other panels' settings."""
    page = _page()
    own = {f"{prefix}-{name}" for name in specs.knobs(type(spec))}
    return {n: t for n, t in _query(page).items() if n in page.used - own and n not in _SHARED}


def link(page: str, params: Mapping[str, str]) -> str:
    """The part of a lesson link behind the server's name: `/training?training-lr=0.1`."""
    return f"/{page}" + (f"?{urlencode(params)}" if params else "")


def _memory() -> _Memory:
    return st.session_state.setdefault(_MEMORY, _Memory())


def _page() -> _Page:
    memory = _memory()
    if memory.here not in memory.pages:
        arrive(memory.here)
    return memory.pages[memory.here]


def _first(page: _Page, name: str, default: V, read: Callable[[str], V] | None) -> _Known:
    one = _Known(default, default, default, page.turns.get(name, 0))
    text = page.asked.pop(name, None)
    if text is not None:
        try:
            found = read(text) if read else specs.parse(type(default), name, text)
            one.value = one.born = found
        except SpecError as error:
            used = specs.to_text(default) or "nothing"
            one.note = f"The link asked for something else: {error} Used instead: {used}."
    return one


def _query(page: _Page) -> dict[str, str]:
    known = {n: specs.to_text(s.value) for n, s in page.settings.items() if s.value != s.default}
    return {**page.asked, **known}


def _dragged(name: str, before: _Page | None) -> bool:
    """Whether a parameter is one of the page before, which was written after the browser had left it."""
    if before is None or not (name in before.settings or name in before.asked):
        return False
    return name not in _SHARED or st.query_params.get(name) == _query(before).get(name)
