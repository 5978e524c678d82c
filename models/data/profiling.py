"""Reading an uploaded table in a worker: what its columns hold, and a decoded copy for later workers."""

from __future__ import annotations

from dataclasses import dataclass

from models.core import spec as core
from models.core.spec import SpecError, knob
from models.data import csv_files, decoded, tables
from models.data.csv_files import Profile

Result = Profile


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which upload, and how to read it; the fields of `tabular.TableSpec` of the same names."""

    data: str = knob("", "The upload: upload: and the sha256 of its content.")
    separator: str = knob("auto", csv_files.HELP["separator"], choices=csv_files.SEPARATORS)
    encoding: str = knob("auto", csv_files.HELP["encoding"], choices=csv_files.ENCODINGS)
    header: str = knob(
        "auto", csv_files.HELP["header"], label="Header line", choices=csv_files.HEADERS
    )
    decimal: str = knob(
        "auto", csv_files.HELP["decimal"], label="Decimal sign", choices=csv_files.DECIMALS
    )
    column_kinds: str = knob(
        "", csv_files.HELP["column_kinds"], label="Kinds of columns", max_chars=20_000
    )
    skip_lines: str = knob(
        "auto", csv_files.HELP["skip_lines"], label="Lines left out", max_chars=2000
    )
    missing_words: str = knob(
        "", csv_files.HELP["missing_words"], label="Words that mean missing", max_chars=5000
    )

    def check(self) -> None:
        if not self.data:
            raise SpecError(
                "No table is chosen. Upload one, or choose one you uploaded before.", "data"
            )
        tables.parse_kinds(self.column_kinds)
        tables.parse_lines(self.skip_lines)


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """The table's profile; its decoded columns lie beside the upload afterwards.

    Raises:
        SpecError: the upload is not on this server, or it is no table.
    """
    options = csv_files.options_of(spec)
    return decoded.profile(spec.data.removeprefix("upload:"), options)
