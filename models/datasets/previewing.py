"""What a Parquet file says of itself, its first rows, and the script that learns from it: read in a worker."""

from __future__ import annotations

from dataclasses import dataclass

from models.core.spec import SpecError
from models.data import workspace
from models.datasets import streaming


@dataclass(frozen=True)
class Spec(streaming.Spec):
    """Which upload, and how it would be learned from."""


@dataclass(frozen=True)
class Result:
    """What the page shows before anything is learned.

    Attributes:
        preview: as `streaming.preview` gives it.
        code: the script of these settings; "" where the file does not fit them.
        refused, field, detail: why not, as a `SpecError` has it.
    """

    preview: streaming.Preview
    code: str
    refused: str = ""
    field: str = ""
    detail: str = ""


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """The file's preview and the script.

    Raises:
        SpecError: the upload is not on this server, or no Parquet file.
    """
    id = spec.data.removeprefix("upload:")
    name = workspace.display_name(workspace.about(id).name)
    found = streaming.preview(workspace.get(id), name)
    try:
        return Result(found, streaming.to_code(spec))
    except SpecError as error:
        return Result(found, "", str(error), error.field, error.detail)
