"""The address bar as the experiment: what a link carries, and what Back and the menu bring home again."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ParamSpec
from urllib.parse import urlencode

import streamlit as st
from streamlit.components import v2
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import get_script_run_ctx

from components import session
from models.core import spec as specs

P = ParamSpec("P")
_HERE = "address:page"  # name of the page of the last run
_NEW = "address:arriving"  # prefixes that still have to look at the address after a page switch
_BROUGHT = "address:brought"  # names of the parameters that the page was opened with
_VISITED = "address:visited"  # pages that this session has opened
_KEPT = "address:kept"  # per prefix: the bound values of its last run
_NEXT = "address:next"  # parameters to be written before the next run's widgets
_PUT = "address:put"  # per key a `_Put`, as long as the browser may not show it
_ON_ITS_WAY = 3.0  # seconds in which a drawn page has reached the browser, and what it sent before has come in
_SHARED = ("hide", "run")  # parameters of no page's own, dropped when another page opens

# What the script writes into the address (a run's id, a fix) replaces the entry it stands on, as moving a
# slider does; otherwise Back would have to be pressed once for every such change to leave a page.
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


@dataclass
class _Put:
    """A value that the script gave a widget. Every message of the browser carries the values of all widgets, as
    they stood when it was sent, so for a moment old ones come in that nobody chose.

    Attributes:
        after: the value; before: those it took the place of.
        late: nobody pressed a button for it: it came when something was ready.
        drawn: when the page with it was complete, by time.monotonic; None before.
    """

    after: specs.Value | None
    before: tuple[object, ...]
    late: bool = False
    drawn: float | None = None

    @property
    def recent(self) -> bool:
        return self.drawn is None or time.monotonic() < self.drawn + _ON_ITS_WAY


def tidy() -> None:
    """One history entry per page visited; call once per page."""
    _TIDY(key="tidy", height=1)


def arrive(page: str) -> None:
    """Note which page runs, so that its panels know when a learner comes from another one.

    Parameters that the address only dragged along from the last page are removed: its own, and `_SHARED`.
    """
    state = st.session_state
    for key, value in list(state.get(_NEXT, {}).items()):
        put(key, value)
        state[_PUT][key].late = True
    state.pop(_NEXT, None)  # last: a run cut short before writes them again
    if state.get(_HERE) != page:
        state[_PUT] = {k: p for k, p in state.get(_PUT, {}).items() if p.drawn is None}
    for key, p in list(state.get(_PUT, {}).items()):
        value = state.get(key)
        if value in p.before and (p.drawn is None or (p.late and p.recent)):
            _again(key, p)
        elif value not in (p.after, None):
            state[_PUT].pop(key)  # the learner's own wish
    before = state.get(_HERE)
    if before == page:
        return
    visited = state.setdefault(_VISITED, set())
    bare = all(name in _SHARED or name.startswith(f"{before}-") for name in st.query_params)
    if bare and page in visited:
        visited.remove(page)  # so that it is once
        st.rerun()  # a widget drawn in the very run that Back begins forgets its value
    visited.add(page)
    state[_HERE], state[_NEW] = page, set()
    for name in [n for n in st.query_params if before and n.startswith(f"{before}-")]:
        _write(name, None)
    for name in _SHARED:
        if before is not None and st.query_params.get(name) == state.get(f"address:{name}"):
            st.query_params.pop(name, None)
    for name in _SHARED:
        state[f"address:{name}"] = st.query_params.get(name)
    state[_BROUGHT] = tuple(st.query_params)


def seen() -> None:
    """The page has been drawn to its end, so the browser soon shows what was `put`; call once, last."""
    for p in st.session_state.get(_PUT, {}).values():
        if p.drawn is None:
            p.drawn = time.monotonic()


def every(seconds: float | None) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """A part of a page that draws itself again by itself, as `st.fragment(run_every=seconds)`.

    What was `put` holds against the old values that such a run's message may bring along.
    """

    def timed(draw: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(draw)
        def held(*args: P.args, **kwargs: P.kwargs) -> None:
            context = get_script_run_ctx()
            if context is not None and context.fragment_ids_this_run:
                _hold()
            draw(*args, **kwargs)

        return st.fragment(held, run_every=seconds)

    return timed


def _hold() -> None:
    """Nobody touched a widget for this run: old values are those of an old message."""
    state = st.session_state
    for key, p in list(state.get(_PUT, {}).items()):
        if state.get(key) in p.before and p.recent:
            _again(key, p)
        elif p.drawn is not None:
            state[_PUT].pop(key)  # the browser knows it, or the learner went on


def _again(key: str, p: _Put) -> None:
    put(key, p.after)
    st.session_state[_PUT][key].drawn = p.drawn  # no more time than before


def restore(prefix: str, among: str = "") -> None:
    """Bring back what this page's settings were, when Back or the menu opened it at a bare address.

    `among`: the address is bare when it says nothing of this prefix; for a setting that is one of many.

    Streamlit empties the address on a page switch, and on Back it reads every missing parameter as
    "default", even over a value in the session; so the values go in by one more run of the script.
    """
    state = st.session_state
    if prefix in state.setdefault(_NEW, set()):
        return
    state[_NEW].add(prefix)
    kept = state.get(_KEPT, {}).get(prefix, {})
    if kept and not any(name.startswith(f"{among or prefix}-") for name in state.get(_BROUGHT, ())):
        for key, value in kept.items():
            put(key, value)
        st.rerun()


def keep(prefix: str, values: Mapping[str, specs.Value]) -> None:
    """Remember the values (by widget key) that differ from their defaults, for `restore`."""
    st.session_state.setdefault(_KEPT, {})[prefix] = dict(values)


def put(key: str, value: specs.Value | None) -> None:
    """Write one parameter, bound to a widget or not; None removes it. Call before the widget is drawn.

    Used by buttons' callbacks: a doctor's fix, a new seed, settings taken over from another run. A click that comes
    before the widget is drawn again brings its old value along; `arrive` then writes the new one once more.
    """
    known: dict[str, _Put] = st.session_state.setdefault(_PUT, {})
    last, now = known.get(key), st.session_state.get(key)
    before = {*(last.before if last else ()), now} - {value}
    known[key] = _Put(value, tuple(before), late=last is not None and last.late)
    if value is not None:
        st.session_state[key] = value
    else:
        st.session_state.pop(key, None)
    _write(key, value)


def put_next(values: Mapping[str, specs.Value]) -> None:
    """Write parameters at the start of the next run of the script; for code that runs after the widgets were drawn."""
    st.session_state.setdefault(_NEXT, {}).update(values)


def follow(key: str, default: specs.Value) -> Callable[[], None]:
    """An `on_change` that writes a widget's value into the address, as `bind="query-params"` does.

    For menus that show other words than their values: Streamlit's own binding writes the words.
    """

    def write() -> None:
        value = st.session_state.get(key)
        _write(key, None if value == default else value)

    return session.whole(write)


def tidy_defaults(values: Mapping[str, specs.Value]) -> None:
    """Take parameters out of the address that say what is the default anyway (by widget key)."""
    for key, default in values.items():
        if st.query_params.get(key) == specs.to_text(default):
            _write(key, None)


def _write(key: str, value: specs.Value | None) -> None:
    try:
        if value is not None:
            st.query_params[key] = specs.to_text(value)
        elif key in st.query_params:
            del st.query_params[key]
    except StreamlitAPIException:
        pass  # bound: the widget writes the address itself when it is drawn


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


def link(page: str, params: Mapping[str, str]) -> str:
    """The part of a lesson link behind the server's name: `/training?training-lr=0.1`."""
    return f"/{page}" + (f"?{urlencode(params)}" if params else "")
