"""Which set of pictures: the menu, uploads of any size, and what can be done with a set as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from components import address, controls, session
from components.controls import Panel
from components.views.upload import upload
from models import datasets
from models.core import runs
from models.core.spec import SpecError
from models.data import image_sets, ingest, workspace
from models.data.image_sets import PHOTOS

ENDINGS = ["zip", "tar", "gz", "tgz", "bz2", "xz"]
PICTURES = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "ppm"]
FOLDER = "PLAYGROUND_FOLDER"  # names a folder of this machine whose archives may be taken

_RUN, _ERROR, _FILE = "datasets:ingest", "datasets:error", "datasets-file"


def pick(panel: Panel[datasets.Spec]) -> None:
    """The menu of sets and the ways to bring one."""
    own = {f"upload:{u.id}": u.name for u in image_sets.listing(session.owner())}
    chosen = str(panel.values["data"])
    if chosen != PHOTOS:
        own.setdefault(chosen, _name(chosen))
    st.selectbox(
        "Data set",
        [PHOTOS, *own],
        format_func=lambda v: (
            "Two photographs, cut up" if v == PHOTOS else workspace.display_name(own[v])
        ),
        key="datasets-data",
        on_change=address.follow("datasets-data", PHOTOS),
    )
    if error := st.session_state.pop(_ERROR, None):
        controls.explain(error)
    if run := st.session_state.get(_RUN):
        _progress(run)
    with st.expander("Your own pictures", icon=":material/upload_file:", expanded=False):
        st.text_input(
            "Class of single pictures",
            key="datasets-label",
            placeholder="cat",
            help="Pictures that are not in a folder of an archive belong to this class.",
        )
        st.file_uploader(
            "A zip or tar of class folders, or pictures",
            type=[*ENDINGS, *PICTURES],
            accept_multiple_files=True,
            key=_FILE,
            on_change=_take,
            help="Folders are classes; or a table (CSV) inside names the label of each file. It stays on this server.",
        )
        st.caption("Larger than 500 MB? Send it straight to the server's disk:")
        upload(
            key="datasets-large",
            label="Send a large archive",
            accept=",".join(f".{e}" for e in ENDINGS),
            most=workspace.MAX_FILE,
            on_done=lambda id, name: begin(id),
        )
        _folder()


def begin(id: str) -> None:
    """Have an uploaded archive taken in by a worker."""
    try:
        st.session_state[_RUN] = session.client().start(
            "models.data.ingest", ingest.Spec(f"upload:{id}"), owner=session.owner()
        )
    except runs.RunError as error:
        st.session_state[_ERROR] = SpecError(str(error))


def manage(spec: datasets.Spec) -> None:
    """Download the clean zip; take the set out of the list."""
    id = image_sets.id_of(spec.data)
    path = workspace.get(id)
    with st.container(horizontal=True):
        st.download_button(
            "Clean zip",
            path.read_bytes,
            datasets.file_name(spec),
            "application/zip",
            key="datasets-clean",
            icon=":material/download:",
            on_click="ignore",
            help="Only pictures that open, in folders named like their classes. The script below reads this file.",
        )
        if spec.data != PHOTOS:
            st.button(
                "Delete",
                icon=":material/delete:",
                key="datasets-delete",
                on_click=_delete,
                args=(id,),
                help="Take this set out of your list; nobody else's is touched.",
            )


def _take() -> None:
    """Archives go in as they are, single pictures together in one; runs before the page is drawn."""
    files = st.session_state.get(_FILE) or []
    loose = [f for f in files if f.name.lower().endswith(tuple(f".{e}" for e in PICTURES))]
    packed = [f for f in files if f not in loose]
    label = str(st.session_state.get("datasets-label") or "")
    try:
        if loose:
            pairs = ((f.name, f.getvalue()) for f in loose)
            name = f"{len(loose)} pictures.zip" if not label else f"{label}.zip"
            begin(workspace.put(ingest.pack(pairs, label), name, session.owner()))
        for file in packed[-1:]:
            begin(workspace.put(file, file.name, session.owner()))
    except SpecError as error:
        st.session_state[_ERROR] = error


@st.fragment(run_every=0.5)
def _progress(run: str) -> None:
    """How far the taking in is; when it is done the set becomes the page's."""
    client, me = session.client(), session.owner()
    status = client.status(run, me)
    if status.state in ("queued", "running"):
        share = min(1.0, max(0.0, status.epoch))
        st.progress(share, f"Taking in pictures: {status.step} done ({share:.0%})")
        return
    if st.session_state.pop(_RUN, None) is None:
        return
    if status.state == "done":
        frame = client.history(run)["frame"]
        spec = client.spec(run)
        dataset, name = str(frame["dataset"]), frame["report"]["name"]
        _keep(dataset, str(name), spec.data.removeprefix("upload:"), me)
        address.put_next({"datasets-data": f"upload:{dataset}", "datasets-rename": ""})
    else:
        st.session_state[_ERROR] = SpecError(status.message, "data", status.detail)
    st.rerun()


def _keep(dataset: str, name: str, original: str, me: str) -> None:
    workspace.claim(dataset, f"{Path(name).stem.removesuffix('.tar')} (images).zip", me)
    if original != dataset:
        workspace.forget(original, me)  # everything good of it is in the clean zip


def _delete(id: str) -> None:
    workspace.forget(id, session.owner())
    address.put("datasets-data", None)


def _name(data: str) -> str:
    try:
        return workspace.about(data.removeprefix("upload:")).name
    except SpecError:
        return "not on this server"


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

    def take() -> None:
        try:
            begin(workspace.put(Path(named) / chosen, chosen, session.owner()))
        except SpecError as error:
            st.session_state[_ERROR] = error

    st.button("Take it in", key="datasets:folder-take", on_click=take)
