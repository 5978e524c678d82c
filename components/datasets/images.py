"""Pictures: the set and its split, the class that serves them, transforms, and the loader at work."""

from __future__ import annotations

import streamlit as st

from components import code_panel, controls, lesson
from components.datasets import loaders, pictures, serving, source, transforming
from models import datasets
from models.core.spec import SpecError
from models.data import workspace
from models.data.image_sets import PHOTOS, id_of

VIEWS = ("Pictures", "Dataset", "Transforms", "DataLoader")


def page(view: str) -> None:
    """One of `VIEWS`: its settings at the side, its picture, then details and code."""
    panel = controls.panel(datasets.Spec, "datasets")
    recording = None
    with lesson.controls():
        source.pick(panel)
        if panel.error is not None and panel.error.field in ("data", "rename"):
            controls.explain(panel.error)
        if view == "Pictures":
            st.markdown("**Split**")
            panel.draw("val", "test", "stratify", "group", "split_seed")
        elif view == "Transforms":
            transforming.settings(panel)
        elif view == "DataLoader":
            recording = loaders.settings(panel)
        else:
            panel.draw("side")
    panel.complain()
    spec = panel.spec
    try:
        made = _parts(spec, id_of(spec.data))
    except SpecError as error:
        lesson.problem("This set cannot be shown", str(error), error.detail)
        return
    with lesson.stage():
        if view == "Pictures":
            pictures.show(panel, spec, made)
        elif view == "Dataset":
            serving.show(spec, made)
        elif view == "Transforms":
            transforming.show(spec, made)
        elif recording is not None:
            recording.complain()
            loaders.timeline(recording.spec)
    with lesson.details():
        if view == "Pictures":
            pictures.details(panel, spec)
            source.manage(spec)
        elif view == "Dataset":
            serving.mistakes()
        elif recording is not None:
            loaders.compare(recording.spec)
        st.markdown("##### Code")
        own = spec.data != PHOTOS
        files = {datasets.file_name(spec): workspace.get(id_of(spec.data))} if own else {}
        code_panel.show(datasets.to_code(spec), name="datasets", spec=spec, files=files)


@st.cache_data(max_entries=16, show_spinner=False)
def _parts(spec: datasets.Spec, id: str) -> datasets.Parts:
    """Reading a large set's table of contents takes longer than splitting it."""
    return datasets.parts(spec)
