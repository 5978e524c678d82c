"""How a view gets onto the page: one Streamlit component that loads the view's module and hands it the data."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components import v2

from models.core import wire

FOLDER = Path(__file__).parent
ROUTE = "/assets/views"  # app/routes.py serves FOLDER's .js files there

# Sent with every change of a view, so it only fetches: the browser keeps the module it names.
_LOADER = """
export default function (component) {
  let stop = null, over = false
  import(new URL(component.data.module, location.origin).href).then(
    (module) => { if (!over) stop = module.default(component) },
    (error) => {
      const place = component.parentElement.querySelector(".view")
      if (place && !over) place.textContent = "This picture did not load from the server. Reload the page. " + error
    },
  )
  return () => { over = true; if (stop) stop() }
}
"""

_mount = v2.component(
    "playground.view", html='<div class="view"></div>', js=_LOADER, isolate_styles=True
)


@functools.cache
def version() -> str:
    """Hash of all modules of all views: another content, another address, so no browser shows an old one."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.js")):
        digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def address(name: str) -> str:
    """Where the browser finds the module of the view `name`.

    The version is a folder of the address, so that what the module imports from `../shared/` is of
    the same version.
    """
    return f"{ROUTE}/@{version()}/{name}/{name}.js"


def view(
    name: str,
    data: Mapping[str, Any],
    *,
    key: str,
    height: int | None,
    alt: str,
    events: Mapping[str, Callable[[Any], None] | None] | None = None,
    state: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Mount the view `name`, or give the mounted one new data: it changes in place, nothing is rebuilt.

    Args:
        data: what to draw; arrays and tensors travel as base64, NaN and infinity outside of them as null.
            `data["run"]`, when it is not None, is the id of a run that the view follows by itself.
        height: in CSS pixels at the normal text size; grows with the text (projector mode). None: as high as its content.
        alt: one sentence that says what the picture shows, for people who cannot see it.
        events: names of what the view may tell once, each with what to call with the value before the script
            reruns (or None).
        state: names and first values of what the view keeps.

    Returns:
        The value of each event in this rerun (None when it did not happen) and of each kept state.
    """
    events = events or {}
    state = state or {}

    def told(event: str, callback: Callable[[Any], None] | None) -> Callable[[], None]:
        def run() -> None:
            value = st.session_state[key].get(event)
            if callback is not None and value is not None:
                callback(value)

        return run

    callbacks: dict[str, Any] = {
        f"on_{event}_change": told(event, call) for event, call in events.items()
    }
    callbacks |= {f"on_{item}_change": told(item, None) for item in state}
    if height:  # its place is kept free until its module is here
        st.html(
            f"<style>.st-key-{key} {{ min-height: var(--stage-height, {height / 16}rem); }}</style>"
        )
    result = _mount(
        key=key,
        data={
            "module": address(name),
            "height": height,
            "alt": alt,
            "json": wire.dumps(data).decode(),
        },
        default=dict(state) or None,
        height="content",
        **callbacks,
    )
    return {item: result.get(item, state.get(item)) for item in (*events, *state)}
