"""The frame every page shares: its heading, the projector mode, where controls go, and the footer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st
import torch
from streamlit.components import v2
from streamlit.delta_generator import DeltaGenerator

from components import address, session
from components.controls import one_of, plain, say

# Projector mode shows what a classroom needs: the picture and its transport.
_WHOLE = "<style>.stAppViewContainer.stAppViewContainer { visibility: visible; }</style>"
# Streamlit's code boxes scroll, but the keyboard does not reach them
_REACH = v2.component(
    "reach_code",
    html="<i hidden></i>",
    js="""
export default function () {
  const reach = () => {
    for (const box of document.querySelectorAll('[data-testid="stCode"] pre')) box.tabIndex = 0;
  };
  reach();
  const watch = new MutationObserver(reach);
  watch.observe(document.body, { childList: true, subtree: true });
  return () => watch.disconnect();
}
""",
)
_NOTES = "lesson:notes"  # the place below the heading for what no widget says
_PROJECTOR = """<style>
:root { font-size: max(22.5px, 1.76vw) !important; }
[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"], [data-testid="stSidebarCollapsedControl"],
.st-key-controls, .st-key-details, .st-key-lesson-foot, .st-key-lesson-head [data-testid="stCaptionContainer"], [class*="st-key-detail-"] { display: none !important; }
.stMain.stMain .stMainBlockContainer { padding: 3.5rem 1.5rem 1rem; max-width: none; }
.st-key-stage { --stage-height: max(16rem, calc(100vh - 11.5rem)); }
.stMain p, .stMain label, .stMain span, .stMain button, .stMain input, .stMain code { font-size: max(1em, 18px); }
</style>"""


def page(name: str, title: str, lead: str = "") -> bool:
    """The heading of a page and its projector toggle; call it first. Returns whether projector mode is on.

    Args:
        name: the page's word in the address, also the prefix of its parameters.
        lead: one line under the title: what there is to see and to do.
    """
    address.arrive(name)
    session.drawing()
    mode = address.setting(f"{name}-projector", False)
    with st.container(
        key="lesson-head", horizontal=True, vertical_alignment="center", gap="medium"
    ):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.title(title, anchor=False, width="content")
            if lead:
                st.caption(lead, width="content")
        projector = st.toggle(
            "Projector",
            mode.born,
            key=mode.key,
            help="Large text and thick lines, only the picture and its transport.",
        )
    address.tidy()
    address.awake()
    st.session_state[_NOTES] = st.container()
    if projector:
        st.html(_PROJECTOR)
    return projector


def views(page: str, names: Sequence[str], label: str = "What to look at") -> str:
    """The menu of a page's views, the first one to begin with; its choice is in the address, and Back brings it home."""
    return one_of(label, names, key=f"{page}-view", label_visibility="collapsed")


@contextmanager
def controls() -> Iterator[DeltaGenerator]:
    """Where a page's widgets go: the sidebar; hidden in projector mode."""
    place = st.sidebar.container(key="controls")
    with place:
        yield place


@contextmanager
def details() -> Iterator[None]:
    """Where tables, code and explanations go: below the picture; hidden in projector mode."""
    with st.container(key="details"):
        yield


@contextmanager
def stage() -> Iterator[None]:
    """Where the one picture of a page goes: it fills the screen in projector mode."""
    with st.container(key="stage"):
        yield


def problem(title: str, message: str, detail: str = "") -> None:
    """What went wrong in the one way every page says it, PyTorch's or the system's own words behind a click."""
    st.error(plain(message), title=title, icon=":material/error:")
    if detail:
        with st.expander("What PyTorch says"):
            st.code(detail, language=None)


def footer() -> None:
    """What computed the page: library versions, in small print; call it last."""
    with st.container(key="lesson-foot"):
        st.caption(
            f"Every number on this page was computed just now by PyTorch {torch.__version__} on this machine."
        )
        _REACH(key="reach")
    with st.session_state[_NOTES]:
        say()
    st.html(_WHOLE)
    address.write()
    session.drawn()
