"""A run that every visitor of the server watches, so that a page shows something true at first sight."""

from __future__ import annotations

from components.job import Job
from models.core.spec import Spec


def run(module: str, spec: Spec) -> str:
    """The id of a run of this topic and these settings, started once per server and again when it was dropped."""
    return Job(module, spec, shared=True).run()
