"""The Dataset class that serves the set, an index on its way through it, and mistakes made on purpose."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from components import address, controls, demo, lesson, news, session
from components.views.tiles import Tile, tiles
from models import datasets
from models.core import export, runs
from models.data import image_folder, loader_mistakes
from models.datasets import describe

STYLES = {
    "lazy: reads when asked": image_folder.ZippedImages,
    "eager: reads everything at the start": image_folder.EagerImages,
    "mapped: decoded once, in a file": image_folder.MappedImages,
    "iterable: a stream without indices": image_folder.StreamedImages,
}


def show(spec: datasets.Spec, made: datasets.Parts) -> None:
    """The class beside the values of one index."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        style = st.selectbox("The class", list(STYLES), key="datasets:style")
        shown = (
            [image_folder.decode, STYLES[style]] if style.startswith("lazy") else [STYLES[style]]
        )
        st.code(
            export.source(*shown), language="python", line_numbers=True, height=470, wrap_lines=True
        )
    with right:
        index = st.number_input(
            "data[index]", 0, len(made.data) - 1, 0, key="datasets:index", width=180
        )
        flow = describe.formula(made, int(index))
        pixels = describe.image_sets_pixels(made, int(index))
        plain = spec.replace(transforms="")
        png = describe.to_look_at(plain, made, describe.stages(plain, made, int(index), 0))[0]
        tiles(
            [Tile(png, f"data[{index}]", (f"uint8 {tuple(pixels.shape)}",))],
            key="datasets-item",
            size=150,
            alt=f"Picture {index} as the Dataset serves it.",
        )
        st.dataframe(
            pd.DataFrame(flow, columns=["line of __getitem__", "value"]),
            hide_index=True,
            alt="The values that flow through __getitem__",
        )
        st.caption(f"len(data) = {len(made.data):,}")


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
