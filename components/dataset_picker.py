"""Which data: made sets, bundled real ones, and what the learner uploaded, with how it is read and split."""

from __future__ import annotations

import streamlit as st

from components import address, controls, session
from components.controls import Panel
from models.core.spec import SpecError
from models.data import bundled, tables, toy, workspace

UPLOAD = "upload:"


def pick(panel: Panel) -> None:
    """The menu of data, the uploader, and the settings that concern the chosen data."""
    key = f"{panel.prefix}-data"
    chosen = str(panel.values["data"])
    titles = _titles(chosen)
    st.selectbox(
        "Data",
        list(titles),
        list(titles).index("iris"),
        format_func=lambda value: titles.get(str(value), str(value)),
        key=key,
        on_change=address.follow(key, "iris"),
        help="Made sets, real sets that come with scikit-learn, and your own tables.",
    )
    if panel.error is not None and panel.error.field == "data":
        controls.explain(panel.error)
    _uploader(panel)
    if chosen in toy.TOYS:
        _made(panel)


def _titles(chosen: str) -> dict[str, str]:
    titles: dict[str, str] = {name: about.title for name, about in bundled.BUNDLED.items()}
    titles |= {name: f"{about.title} (made)" for name, about in toy.TOYS.items()}
    for upload in workspace.listing(session.owner()):
        titles[UPLOAD + upload.id] = workspace.display_name(upload.name)
    if chosen not in titles:
        titles[chosen] = _title(chosen)
    return titles


def _title(data: str) -> str:
    try:
        return workspace.display_name(workspace.about(data.removeprefix(UPLOAD)).name)
    except SpecError:
        return f"an upload ({data.removeprefix(UPLOAD)[:8]})"


def _uploader(panel: Panel) -> None:
    key = f"{panel.prefix}-upload"

    def take() -> None:
        file = st.session_state[key]
        if file is None:
            return
        try:
            id = workspace.put(file, file.name, session.owner())
        except SpecError as error:
            st.session_state[f"{key}-error"] = error
            return
        st.session_state[f"{key}-error"] = None
        controls.put(
            panel.prefix, data=UPLOAD + id, target="", features="", column_kinds="", task="auto"
        )

    with st.expander("Your own table (CSV)", icon=":material/upload_file:"):
        st.file_uploader(
            "A CSV file",
            key=key,
            type=["csv", "tsv", "txt"],
            on_change=take,
            help="Separator, encoding, header and decimal comma are found out and can be corrected under Data.",
        )
    if error := st.session_state.get(f"{key}-error"):
        controls.explain(error)


def _made(panel: Panel) -> None:
    """Points, noise and inputs of a made set."""
    panel.draw("points", "noise")
    key = f"{panel.prefix}-inputs"
    chosen = [n for n in tables.comma_list(str(panel.values["inputs"])) if n in toy.INPUTS]
    shown = f"{key}-pills"
    st.session_state[shown] = chosen

    def write() -> None:
        picked = [n for n in toy.INPUTS if n in st.session_state[shown]]
        controls.put(panel.prefix, inputs=tables.comma_text(picked))

    st.pills(
        "inputs",
        toy.INPUTS,
        selection_mode="multi",
        key=shown,
        on_change=write,
        help="What the network sees of each point.",
    )
    if panel.error is not None and panel.error.field == "inputs":
        controls.explain(panel.error)
