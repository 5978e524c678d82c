"""The Dataset class that serves the set, an index on its way through it, and mistakes made on purpose."""

from __future__ import annotations

import streamlit as st

from components import address, controls, demo, lesson, news, session
from components.views.lines import lines
from components.views.tiles import Tile, tiles
from models import datasets
from models.core import runs
from models.data import image_sets, loader_mistakes
from models.datasets import describe, flow

_INDEX_CALL = 2  # of `flow.flows`: data[index]


def show(spec: datasets.Spec, made: datasets.Parts) -> None:
    """The class, lit line by line as an index flows through it, and what comes out."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        style = str(
            st.selectbox(
                "The class",
                list(flow.STYLES),
                format_func=lambda name: flow.STYLES[name].title,
                key="datasets:style",
                width=330,
            )
        )
        index = int(
            st.number_input(
                "data[index]", 0, len(made.data) - 1, 0, key="datasets:index", width=140
            )
        )
    lines(
        flow.source(style),
        _flows(style, spec, index, image_sets.id_of(spec.data)),
        key="datasets-lines",
        first=_INDEX_CALL,
        alt=f"The code of the class; the line that has just run is lit, with the values it left behind, for index {index}.",
    )
    parts = [f"`len(data)` is {len(made.data):,}."]
    if flow.STYLES[style].stream:
        parts = ["A stream has no length and takes no index: it begins at its first picture."]
    elif flow.STYLES[style].reads_all and len(made.data) > flow.MOST_READ:
        parts = [
            f"Of the {len(made.data):,} pictures {flow.MOST_READ} are read here, the wanted one among them."
        ]
    left, right = st.columns([1, 4], vertical_alignment="center")
    with left:
        pixels = describe.image_sets_pixels(made, index)
        plain = spec.replace(transforms="")
        png = describe.to_look_at(plain, made, describe.stages(plain, made, index, 0))[0]
        tiles(
            [Tile(png, f"data[{index}]", (f"uint8 {tuple(pixels.shape)}",))],
            key="datasets-item",
            size=120,
            alt=f"Picture {index} as the Dataset serves it before any transform.",
        )
    right.caption(
        " ".join(parts) + " The values are those of a call that was traced just now; "
        "`transform` is the list of the Transforms view."
    )


@st.cache_data(max_entries=32, show_spinner=False)
def _flows(style: str, spec: datasets.Spec, index: int, id: str) -> tuple[flow.Flow, ...]:
    """Tracing runs the class; the same index of the same set gives the same lines."""
    return flow.flows(style, spec, index)


def mistakes() -> None:
    """A mistake and its cure, both run now with two workers."""
    st.markdown("##### Mistakes, made on purpose")
    panel = controls.panel(loader_mistakes.Spec, "mistake")
    titles = {name: case.title for name, case in loader_mistakes.CASES.items()}
    st.selectbox(
        "Mistake",
        list(titles),
        list(titles).index("unsharded"),
        format_func=titles.__getitem__,
        key="mistake-case",
        label_visibility="collapsed",
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.code(
            loader_mistakes.source(panel.spec.case), language="python", height=300, wrap_lines=True
        )
    with right:
        try:
            _outcome(demo.run("models.data.loader_mistakes", panel.spec))
        except runs.RunError as error:
            lesson.problem("The case could not start", str(error))


@address.every(1.0)
def _outcome(run: str) -> None:
    frame = news.of(run).frame
    status = session.client().status(run)
    if status.state == "failed":
        lesson.problem("The case ended", status.message, status.detail)
    elif frame is None:
        st.caption("Two workers are loading.")
    else:
        result = frame["result"]
        st.markdown("**What comes of the mistake**")
        st.code(result["wrong"], language=None, wrap_lines=True)
        st.markdown("**With the cure**")
        st.code(result["right"], language=None, wrap_lines=True)
