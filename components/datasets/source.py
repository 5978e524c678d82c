"""Which set of pictures: the menu, uploads of any size, and what can be done with a set as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from components import session
from components.controls import Panel
from components.datasets.taking import Intake
from components.views.upload import upload
from models import datasets
from models.core.spec import SpecError
from models.data import code_pages, image_sets, images, ingest, workspace
from models.data import relabel as relabel_
from models.data.image_sets import PHOTOS

ENDINGS = ["zip", "tar", "gz", "tgz", "bz2", "xz", "npy", "npz"]
FOLDER = "PLAYGROUND_FOLDER"  # names a folder of this machine whose archives may be taken

INTAKE = Intake("datasets", "models.data.ingest", "Taking in pictures", cleared=("rename",))
RELABEL = Intake("datasets", "models.data.relabel", "Writing the new classes", cleared=("rename",))
_FILE = "datasets-file"
_NAMES = "datasets:names"


def pick(panel: Panel[datasets.Spec]) -> None:
    """The menu of sets and the ways to bring one."""
    own = {f"upload:{u.id}": u.name for u in image_sets.listing(session.owner())}
    chosen = str(panel.values["data"])
    if chosen != PHOTOS:
        own.setdefault(chosen, INTAKE.name(chosen))
    one, options = panel.setting("data"), [PHOTOS, *own]
    st.selectbox(
        "Data set",
        options,
        options.index(one.among(options)),
        format_func=lambda v: (
            "Two photographs, cut up" if v == PHOTOS else workspace.display_name(own[v])
        ),
        key=one.key,
    )
    panel.problems("data")
    INTAKE.news()
    with st.expander("Your own pictures", icon=":material/upload_file:", expanded=False):
        st.text_input(
            "Class of single pictures",
            key="datasets-label",
            placeholder="cat",
            help="Pictures that are not in a folder of an archive belong to this class.",
        )
        st.file_uploader(
            "A zip or tar of class folders, pictures, or .npy and .npz arrays of them",
            type=[*ENDINGS, *(e[1:] for e in images.ENDINGS)],
            accept_multiple_files=True,
            key=_FILE,
            on_change=_take,
            help="Folders are classes; or a table (CSV) inside names the label of each file. Arrays are (N, height, width) "
            "or with channels, an array of N labels beside them. It stays on this server.",
        )
        st.selectbox(
            "Names in the archive",
            ["", *code_pages.PAGES],
            format_func=lambda page: page or "found out",
            key=_NAMES,
            help="The code page of names in an old zip that do not say UTF-8: of the system on which it was packed.",
        )
        st.caption("Larger than 500 MB? Send it straight to the server's disk:")
        upload(
            key="datasets-large",
            label="Send a large archive",
            accept=",".join(f".{e}" for e in ENDINGS),
            most=workspace.MAX_FILE,
            on_done=session.whole(lambda id, name: begin(id)),
        )
        _folder()


def begin(id: str) -> None:
    """Have an uploaded archive taken in by a worker."""
    INTAKE.begin(ingest.Spec(f"upload:{id}", names=str(st.session_state.get(_NAMES) or "")))


@session.whole
def relabel(spec: datasets.Spec) -> None:
    """Have a set written with its new classes; it takes the place of the old one on the page."""
    RELABEL.begin(relabel_.Spec(spec.data, spec.rename))


def manage(spec: datasets.Spec) -> None:
    """Download the clean zip, also of the set to begin with; delete an own one."""
    INTAKE.manage(
        image_sets.id_of(spec.data),
        datasets.file_name(spec),
        "application/zip",
        own=spec.data != PHOTOS,
    )


@session.whole
def _take() -> None:
    """Archives go in as they are, single pictures together in one; runs before the page is drawn."""
    files = st.session_state.get(_FILE) or []
    loose = [f for f in files if f.name.lower().endswith(images.ENDINGS)]
    packed = [f for f in files if f not in loose]
    label = str(st.session_state.get("datasets-label") or "")
    try:
        if loose:
            pairs = ((f.name, f.getvalue()) for f in loose)
            name = f"{len(loose)} pictures.zip" if not label else f"{label}.zip"
            begin(workspace.put(ingest.pack(pairs, label), name, session.owner()))
        for file in packed:
            begin(workspace.put(file, file.name, session.owner()))
    except SpecError as error:
        INTAKE.fail(error)


def _folder() -> None:
    """Archives of a folder of this machine, where its owner allows that."""
    named = os.environ.get(FOLDER)
    if not named or not Path(named).is_dir():
        return
    found = sorted(
        p.name
        for p in Path(named).iterdir()
        if p.is_file() and p.name.lower().endswith(tuple(f".{e}" for e in ENDINGS))
    )
    if not found:
        return
    chosen = st.selectbox("From the server's folder", found, key="datasets:folder")

    @session.whole
    def take() -> None:
        try:
            begin(workspace.put(Path(named) / chosen, chosen, session.owner()))
        except SpecError as error:
            INTAKE.fail(error)

    st.button("Take it in", key="datasets:folder-take", on_click=take)
