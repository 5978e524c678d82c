"""Which picture to look at: a bundled one, an own file, or one from the camera."""

from __future__ import annotations

from typing import Any

import streamlit as st

from components import address, controls, reading, session
from components.controls import Panel
from components.job import Job
from components.views.drawpad import drawpad
from components.views.paste import paste
from models.core.spec import SpecError
from models.data import images, opening, workspace

_TITLES = {
    "china": "Temple (photograph)",
    "flower": "Flower (photograph)",
    "digit": "A digit, 8 × 8",
}


_DRAWINGS = 12  # of a stroke under way that are kept


def pick(panel: Panel[Any], name: str = "image") -> None:
    """A menu of pictures for a field of the panel, with an uploader and a camera below it.

    The value is a name of `images.BUNDLED` or "upload:<id>"; an upload becomes the value at once. What is
    no picture is explained, and the one before stays.
    """
    key, one, current = f"{panel.prefix}-{name}", panel.setting(name), str(panel.values[name])
    own = {
        f"upload:{u.id}": u.name for u in workspace.listing(session.owner()) if _is_picture(u.name)
    }
    if current.startswith("upload:"):
        own.setdefault(current, _name_of(current))
    options = [*images.BUNDLED, *own]
    shown = one.among(options)
    st.selectbox(
        "Picture",
        options,
        options.index(shown) if shown in options else 0,
        format_func=lambda v: _TITLES.get(v) or workspace.display_name(own[v]),
        key=one.key,
    )
    if error := session.told(f"{key}:error"):
        controls.explain(error)
    st.file_uploader(
        "Your own picture",
        key=f"{key}:file",
        on_change=_take,
        args=(key, f"{key}:file"),
        help=f"{images.NAMED}; any size up to 50 megapixels. It stays on this server.",
    )
    paste(key=f"{key}-paste", on_paste=lambda data: keep(key, data, "pasted.png"))
    with st.container(horizontal=True):
        with st.popover("Camera", icon=":material/photo_camera:"):
            st.camera_input(
                "Take a picture", key=f"{key}:camera", on_change=_take, args=(key, f"{key}:camera")
            )
        with st.popover("Draw", icon=":material/draw:"):
            drawpad(key=f"{key}-draw", on_draw=lambda data: drawn(key, data), live=False)


@session.whole
def _take(key: str, source: str) -> None:
    """What was uploaded or taken with the camera; runs before the page is drawn."""
    file = st.session_state.get(source)
    if file is not None:
        keep(key, file.getvalue(), file.name)


def drawn(key: str, data: bytes) -> None:
    """A drawing takes the place of the ones before it, stroke by stroke.

    The last few stay: a page that is being drawn, or an address that lags behind, may still name one of them.
    """
    keep(key, data, "drawing.png")
    now = str(address.value(key)).removeprefix("upload:")
    made: list[str] = st.session_state.setdefault(f"{key}:drawings", [])
    if now in made:
        made.remove(now)
    made.append(now)
    while len(made) > _DRAWINGS:
        workspace.forget(made.pop(0), session.owner())


def keep(key: str, data: bytes, name: str) -> None:
    """Keep a picture in the workspace and make it the value under `key`; one that is none is explained."""
    try:
        value = f"upload:{workspace.put(data, name)}"
        reading.check(Job("models.data.opening", opening.Spec(value)))
        workspace.claim(value.removeprefix("upload:"), name, session.owner())
        address.put(key, value)
    except SpecError as error:
        st.session_state[f"{key}:error"] = error


def _is_picture(name: str) -> bool:
    return name.lower().endswith(images.ENDINGS)


def _name_of(value: str) -> str:
    try:
        return workspace.about(value.removeprefix("upload:")).name
    except SpecError:
        return "not on this server"
