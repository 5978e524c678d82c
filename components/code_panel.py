"""The code that ran, to read and to take away, and the link that brings this very page back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import segno
import streamlit as st
from streamlit.components import v2

from components import address, controls
from models.core import export
from models.core.spec import Spec, knobs

# The absolute address is put together in the browser, which alone knows the name it reached the server by.
_COPY = v2.component(
    "copy_link",
    html='<div class="row"><button type="button">Copy</button><input readonly aria-label="Lesson link"></div>',
    css="""
.row { display: flex; gap: 0.5rem; align-items: stretch; font-family: var(--st-font); }
button, input { font: inherit; color: var(--st-text-color); background: var(--st-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); padding: 0.4rem 0.75rem; }
button { cursor: pointer; white-space: nowrap; }
button:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }
button:focus-visible, input:focus-visible { outline: 2px solid var(--st-primary-color); }
input { flex: 1; min-width: 6rem; background: var(--st-secondary-background-color); }
""",
    js="""
export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button"), input = parentElement.querySelector("input");
  const link = new URL(data.path, window.location.origin).href;
  input.value = link;
  button.textContent = data.label;
  input.onfocus = () => input.select();
  button.onclick = async () => {
    let done = false;
    try { await navigator.clipboard.writeText(link); done = true; }
    catch { input.focus(); input.select(); done = document.execCommand("copy"); } // plain http on a LAN
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = data.label; }, 1500);
  };
}
""",
)


def show(
    code: str,
    *,
    name: str,
    spec: Spec,
    params: Mapping[str, str | None] | None = None,
    page: str = "",
    prefix: str = "",
    files: Mapping[str, Path] | None = None,
) -> None:
    """The script on screen, its downloads and the lesson link.

    Args:
        name: file name without extension, also the prefix of the widgets here.
        spec: the settings the link carries.
        params: further parameters of the link that no setting holds, such as a run's id.
        page: the page's word in the address; `name` unless given.
        prefix: the word before its parameters; `page` unless given.
        files: what the script reads from its own folder, by the name it uses.
    """
    page = page or name
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # made when asked for: another setting's file would be gone by the time a busy browser looks for it
        st.download_button(
            "Script .py",
            lambda: code,
            f"{name}.py",
            "text/x-python",
            key=f"{name}-py",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Notebook .ipynb",
            lambda: export.notebook(code),  # made when asked for
            f"{name}.ipynb",
            "application/x-ipynb+json",
            key=f"{name}-ipynb",
            icon=":material/download:",
            on_click="ignore",
        )
        for file, path in (files or {}).items():
            st.download_button(
                file,
                path.read_bytes,
                file,
                key=f"{name}-file-{file}",
                icon=":material/attach_file:",
                on_click="ignore",
                help="The script reads this file from its own folder.",
            )
        st.caption(
            "Runs in any Python with PyTorch, without this app, and prints the numbers you see here."
        )
    st.code(code, language="python", line_numbers=True, height=420)
    lesson_link(spec, page=page, params=params or {}, prefix=prefix or page)


def lesson_link(
    spec: Spec, *, page: str, params: Mapping[str, str | None], prefix: str = ""
) -> None:
    """A link that opens this experiment in this view, optionally with controls hidden; to copy, and as a QR code."""
    labels = {n: controls.label(type(spec), n) for n in knobs(type(spec))}
    hide = st.multiselect(
        "Controls the lesson link hides",
        list(labels),
        format_func=labels.__getitem__,
        key=f"{prefix or page}-link-hide",
        help="Whoever opens the link sees the experiment without these controls.",
    )
    prefix = prefix or page
    experiment = address.query(prefix, spec, hide=hide, **params)
    path = address.link(page, {**address.beside(prefix, spec), **experiment})
    copy_link(path, key=f"{prefix or page}-copy")
    qr = st.expander(
        "QR code", icon=":material/qr_code:", on_change="rerun", key=f"{prefix or page}-qr"
    )
    if qr.open:
        with qr:
            _qr(path)


def copy_link(path: str, *, key: str, label: str = "Copy lesson link") -> None:
    """A button that copies the absolute address of `path`, with the address beside it."""
    _COPY(data={"path": path, "label": label}, key=key)


def qr_png(text: str) -> bytes:
    """A QR code as a PNG image, four pixels a module or more, with the quiet zone scanners need."""
    out = io.BytesIO()
    segno.make(text, micro=False, error="m").save(out, kind="png", scale=6, border=4)
    return out.getvalue()


def _qr(path: str) -> None:
    here = urlsplit(st.context.url or "")
    origin = f"{here.scheme}://{here.netloc}" if here.netloc else ""
    try:
        st.image(qr_png(origin + path), width=320, alt=f"QR code of the lesson link {path}")
    except segno.DataOverflowError:
        st.warning(
            f"The link has {len(origin + path)} characters, more than a QR code holds (about 2,300). "
            "Copy it instead, or shorten a text setting."
        )
        return
    if here.hostname in ("127.0.0.1", "localhost"):
        st.caption(
            "This address works on this computer only; start the server with --host to share it in a class."
        )
