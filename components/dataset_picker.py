"""Which data: made sets, bundled real ones, and what the learner uploaded, with how it is read and split."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import streamlit as st

from components import controls, reading, session
from components.controls import Panel
from models.core import spec as specs
from models.core.spec import SpecError
from models.data import bundled, csv_files, example, tables, tabular, toy, workspace
from models.data.csv_files import CsvOptions
from models.data.tabular import TableSpec

UPLOAD = "upload:"
T = TypeVar("T", bound=TableSpec)

_FIELDS = tuple(specs.knobs(TableSpec))
# what was said of another table says nothing about this one
_ANEW: dict[str, specs.Value] = {
    name: specs.defaults(TableSpec)[name]
    for name in ("target", "features", "task", *(f.name for f in dataclasses.fields(CsvOptions)))
}
_BUSY = "reading"
_SMALL = 2_000_000  # cells that are prepared for checking within the page's script


def pick(panel: Panel) -> None:
    """The menu of data, the uploader, and the settings that concern the chosen data."""
    one = panel.setting("data")
    chosen = str(panel.values["data"])
    titles = _titles(chosen)

    @session.whole
    def chosen_anew() -> None:
        controls.put(panel.prefix, **_ANEW)

    st.selectbox(
        "Data",
        list(titles),
        list(titles).index(one.among(titles)),
        format_func=lambda value: titles.get(str(value), str(value)),
        key=one.key,
        on_change=chosen_anew,
        help="Made sets, real sets that come with scikit-learn, and your own tables.",
    )
    panel.problems("data")
    _uploader(panel)
    if chosen in toy.TOYS:
        _made(panel)


def ready(panel: Panel, spec: T, keep: bool = True) -> T:
    """These settings once their table has been read and fits them; else the last that were ready, with the reason.

    Without `keep` they are not what a later contradiction goes back to: nobody has asked for them yet.

    An uploaded table is read in a worker; the page goes on showing what it showed until that is done.
    """
    memory = f"{panel.prefix}:ready"
    error = _reading(spec) if spec.upload else None
    if error is None:
        found = _fits(_table_part(spec))
        error = SpecError(*found) if found else None
    if error is None:
        if keep:
            st.session_state[memory] = spec
        return spec
    if str(error) != _BUSY:
        controls.explain(error)
    kept: T | None = st.session_state.get(memory)
    if kept is None:
        kept = spec.replace(**{n: d for n, d in specs.defaults(type(spec)).items() if n in _FIELDS})
    if str(error) != _BUSY:
        st.caption("What you see below is still the last experiment that worked.")
    return kept


def _reading(spec: TableSpec) -> SpecError | None:
    """Have the upload read in a worker; what is wrong with it, `_BUSY` while it lasts, or None."""
    try:
        return None if reading.table(spec.upload, spec.csv) else SpecError(_BUSY)
    except SpecError as error:
        return error


@st.cache_data(max_entries=256, show_spinner=False)
def _fits(spec: TableSpec) -> tuple[str, str, str] | None:
    """Why this table cannot be trained on as asked; large ones are looked at in the worker only."""
    try:
        if spec.data in toy.TOYS:
            return None
        plan = tabular.plan(spec)
        if sum(c.rows for c in plan.columns) < _SMALL:
            tabular.prepare(spec)
        return None
    except SpecError as error:
        return str(error), error.field, error.detail


def _table_part(spec: TableSpec) -> TableSpec:
    return TableSpec(**{name: getattr(spec, name) for name in _FIELDS})


def _titles(chosen: str) -> dict[str, str]:
    titles: dict[str, str] = {name: about.title for name, about in bundled.BUNDLED.items()}
    titles |= {name: f"{about.title} (made)" for name, about in toy.TOYS.items()}
    titles[example.DATA] = "Planets (an example CSV)"
    for upload in workspace.listing(session.owner()):
        if not upload.name.lower().endswith(csv_files.ENDINGS):
            continue  # pictures, texts and what is still packed
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

    @session.whole
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
        controls.put(panel.prefix, data=UPLOAD + id, **_ANEW)

    with st.expander("Your own table (CSV)", icon=":material/upload_file:"):
        st.file_uploader(
            "A CSV or Excel file",
            key=key,
            type=[ending[1:] for ending in csv_files.ENDINGS],
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
        controls.label(type(panel.spec), "inputs"),
        toy.INPUTS,
        selection_mode="multi",
        key=shown,
        on_change=session.whole(write),
        help="What the network sees of each point.",
    )
    if panel.error is not None and panel.error.field == "inputs":
        controls.explain(panel.error)
