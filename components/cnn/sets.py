"""Which set of pictures: bundled ones, own ones, and those that are downloaded once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from components import address, controls, session
from components.cnn import jobs
from components.controls import Panel
from models.cnn import data, downloads
from models.core.spec import SpecError
from models.data import image_sets, ingest, workspace

HANDED = "cnn:handed"  # in the session: a set, and what Datasets was set to that is not so here

_TITLES = {
    "digits": "Digits, 8 × 8 (scikit-learn)",
    "digits 0-4": "Digits 0 to 4",
    "digits 5-9": "Digits 5 to 9",
    image_sets.PHOTOS: "Two photographs, cut up",
    "MNIST": "MNIST (downloaded once)",
    "FashionMNIST": "FashionMNIST (downloaded once)",
    "CIFAR10": "CIFAR-10 (downloaded once)",
}


def pick(panel: Panel[Any], name: str = "data") -> None:
    """The menu of sets bound to a field of the panel, the download that one may need, and an uploader."""
    key = f"{panel.prefix}-{name}"
    own = _own()
    one = panel.setting(name)
    chosen = str(panel.values[name])
    if chosen not in _TITLES:
        own.setdefault(chosen, _name(chosen))
    st.selectbox(
        "Pictures",
        options := [*_TITLES, *own],
        options.index(one.among(options)),
        format_func=lambda v: _TITLES.get(str(v)) or workspace.display_name(own[str(v)]),
        key=one.key,
        help="An own set is a zip of class folders, taken in on the Datasets page or with the uploader here.",
    )
    panel.problems(name)
    if not data.here(chosen):
        _download(key, chosen)
    own_set(key)


def missing(name: str) -> bool:
    """Says what to do about a set that has to be downloaded first, and returns whether it has to be."""
    if data.here(name):
        return False
    st.info(
        f"{_TITLES[name]}: press Download below the menu of pictures ({downloads.MEGABYTES[name]} MB), or choose a "
        "set that is here. Without a network everything else on this page works.",
        icon=":material/cloud_download:",
    )
    return True


def choose(first: str, key: str) -> str:
    """A menu of the sets that are here, for looking at a network with."""
    own = _own()
    options = [*(name for name in _TITLES if data.here(name)), *own]
    if first not in options:
        options.insert(0, first)
        own[first] = _name(first)
    return str(
        st.selectbox(
            "Pictures",
            options,
            options.index(first),
            format_func=lambda v: _TITLES.get(str(v)) or workspace.display_name(own[str(v)]),
            key=f"{key}-{first}",
            width=300,
        )
    )


def _own() -> dict[str, str]:
    return {f"upload:{u.id}": u.name for u in image_sets.listing(session.owner())}


def _download(key: str, name: str) -> None:
    job = f"{key}-download-{name}"
    jobs.offer(
        job,
        f"Download {name} ({downloads.MEGABYTES[name]} MB)",
        "models.cnn.downloads",
        downloads.Spec(name),
        doing=f"Downloading {name}",
        done=lambda frame: None,
        help="Through torchvision's addresses, once for this server. Nothing else is sent.",
    )
    if error := jobs.failed(job):
        controls.explain(error)


def own_set(key: str) -> None:
    """An uploader for a zip of class folders; a worker checks every picture, then the set is chosen."""
    job = f"{key}-ingest"
    if error := jobs.failed(job):
        controls.explain(error)

    @session.whole
    def take() -> None:
        file = st.session_state.get(f"{key}-zip")
        if file is None:
            return
        try:
            id = workspace.put(file, file.name, session.owner())
            jobs.start(job, "models.data.ingest", ingest.Spec(f"upload:{id}"))
        except SpecError as problem:
            st.session_state[f"{job}:failed"] = problem

    def done(frame: Mapping[str, Any]) -> None:
        kept = str(frame["dataset"])
        workspace.claim(kept, f"{frame['report']['name']} (images).zip", session.owner())
        address.put(key, f"upload:{kept}")

    if jobs.running(job):
        jobs.watch(job, "Taking in pictures", done)
        return
    with st.expander("Your own pictures (zip)", icon=":material/upload_file:"):
        st.file_uploader(
            "A zip or tar of class folders",
            key=f"{key}-zip",
            type=["zip", "tar", "gz", "tgz", "bz2", "xz"],
            on_change=take,
            help="One folder per class, with at least 5 pictures each. It stays on this server.",
        )


def _name(data_: str) -> str:
    try:
        return workspace.about(data_.removeprefix("upload:")).name
    except SpecError:
        return "not on this server"
