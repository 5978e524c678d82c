"""What a learner's file holds, read in a worker and never in the server: None while that lasts, with its progress."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from components.job import Job
from models.core.spec import SpecError
from models.data import decoded, example, images, opening, profiling, workspace
from models.data.csv_files import CsvOptions, Profile

_PATIENCE = 1.0  # seconds in which most files are read, so that the page is drawn once
_CHECKED = 30.0  # seconds; what takes longer is opened while the page shows its progress


def table(
    id: str, options: CsvOptions, doing: str = "The table is being read; the page stays usable"
) -> Profile | None:
    """What an uploaded table holds; its decoded columns lie beside it afterwards.

    Raises:
        SpecError: it is not on this server, or no table.
    """
    if f"upload:{id}" == example.DATA:
        workspace.put(example.CONTENT, example.NAME)  # at hand on every server
    workspace.about(id)
    known = decoded.remembered(id, options)
    if known is not None:
        return known
    reading = Job("models.data.profiling", profiling.Spec(data=f"upload:{id}", **asdict(options)))
    for _ in range(2):
        if reading.frame(_PATIENCE) is None:
            reading.watch(doing)
            return None
        known = decoded.remembered(id, options)
        if known is not None:
            return known
        reading.forget()  # it was read, and what was kept of it was removed since
    raise SpecError(
        "The table was read, but the server could not keep what it found. Its disk may be full or read-only: "
        "free some space there, or choose a bundled data set.",
        "data",
    )


def check(job: Job) -> Any:
    """Open an upload before it takes the place of what the page shows; for callbacks. Its result, None where that takes long.

    Raises:
        SpecError: it is not what the page needs.
    """
    job.forget()  # what failed a moment ago may have been another's fault
    frame = job.frame(_CHECKED)
    return frame["result"] if frame else None


def picture(image: str, gray: bool, longest: int) -> Tensor | None:
    """The pixels of a bundled or an own picture. Shape: (1 or 3, H, W) in [0, 1].

    Args:
        longest: pixels of the longer side at most.

    Raises:
        SpecError: it is not on this server, or no picture.
    """
    try:
        return _pixels(image, gray, longest)
    except _NotYet as error:
        error.job.watch("The picture is being opened")
        return None


class _NotYet(Exception):
    def __init__(self, job: Job) -> None:
        self.job = job


@st.cache_data(max_entries=32, show_spinner=False)
def _pixels(image: str, gray: bool, longest: int) -> Tensor:
    if image in images.BUNDLED:
        return images.to_tensor(images.bundled(image), gray, longest)
    workspace.about(image.removeprefix("upload:"))
    job = Job("models.data.opening", opening.Spec(image, gray, longest))
    frame = job.frame(_PATIENCE)
    if frame is None:
        raise _NotYet(job)
    found: Any = frame["result"]["pixels"]
    return torch.tensor(found).float() / 255
