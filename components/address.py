"""The address bar as the experiment: what a link carries, and what Back and the menu bring home again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlencode

import streamlit as st
from streamlit.components import v2
from streamlit.errors import StreamlitAPIException

from models.core import spec as specs

_HERE = "address:page"  # name of the page of the last run
_NEW = "address:arriving"  # prefixes that still have to look at the address after a page switch
_KEPT = "address:kept"  # per prefix: the bound values of its last run
_NEXT = "address:next"  # parameters to be written before the next run's widgets
_UNSEEN = "address:unseen"  # per key: the values before and after a `put` that the browser may not show yet
_LATE = "address:late"  # keys that `put_next` wrote: nobody pressed anything for them
_ON_ITS_WAY = 2.0  # seconds in which a drawn page has reached the browser, and what it sent before has come in
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
        state.setdefault(_LATE, {})[key] = None
    state.pop(_NEXT, None)  # last: a run cut short before writes them again
    now = time.monotonic()
    for key, drawn in list(state.get(_LATE, {}).items()):
        if drawn is not None and now > drawn + _ON_ITS_WAY:
            state[_LATE].pop(key)
            state.get(_UNSEEN, {}).pop(key, None)
    for key, (old, new) in list(state.get(_UNSEEN, {}).items()):
        if old != new and state.get(key) == old:
            put(key, new)
        elif state.get(key) not in (old, new, None):
            state[_UNSEEN].pop(key)  # a value of the learner's own
    before = state.get(_HERE)
    if before == page:
        return
    state[_HERE], state[_NEW] = page, set()
    for name in [n for n in st.query_params if before and n.startswith(f"{before}-")]:
        _write(name, None)
    for name in _SHARED:
        if before is not None and st.query_params.get(name) == state.get(f"address:{name}"):
            st.query_params.pop(name, None)
    for name in _SHARED:
        state[f"address:{name}"] = st.query_params.get(name)


def seen() -> None:
    """The page has been drawn to its end, so the browser soon shows what was `put`; call once, last.

    What a button wrote is settled now. What came by itself (an upload that was taken in) may still be met by a
    click, or by a picture's own message, that the browser sent before it heard of it.
    """
    state = st.session_state
    late, unseen = state.get(_LATE, {}), state.get(_UNSEEN, {})
    for key in list(unseen):
        if key not in late:
            unseen.pop(key)
        elif late[key] is None:
            late[key] = time.monotonic()


def restore(prefix: str) -> None:
    """Bring back what this page's settings were, when Back or the menu opened it at a bare address.

    Streamlit empties the address on a page switch, and on Back it reads every missing parameter as
    "default", even over a value in the session; so the values go in by one more run of the script.
    """
    state = st.session_state
    if prefix in state.setdefault(_NEW, set()):
        return
    state[_NEW].add(prefix)
    kept = state.get(_KEPT, {}).get(prefix, {})
    if kept and not any(name.startswith(f"{prefix}-") for name in st.query_params):
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
    unseen = st.session_state.setdefault(_UNSEEN, {})
    unseen[key] = (unseen[key][0] if key in unseen else st.session_state.get(key), value)
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

    return write


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
