"""Small sets of pictures for tests: made here, packed as learners pack them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np
from PIL import Image

from models.data import ingest, workspace


def noise(seed: int, side: int = 24, form: str = "PNG") -> bytes:
    """A picture that no other seed gives."""
    out = io.BytesIO()
    values = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(values).save(out, form)
    return out.getvalue()


def plain(color: tuple[int, int, int]) -> bytes:
    """A picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (24, 24), color).save(out, "PNG")
    return out.getvalue()


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def packed_in(page: str, files: Mapping[str, bytes]) -> bytes:
    """A zip whose names are in this code page and do not say so, as old systems pack them."""

    class Silent(zipfile.ZipInfo):
        def _encodeFilenameFlags(self) -> tuple[bytes, int]:
            return self.filename.encode(page), self.flag_bits & ~0x800

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(Silent(name), data)
    return out.getvalue()


def kept(files: Mapping[str, bytes], owner: str = "") -> str:
    """The `data` of a set that has been taken in: "upload:<id>"."""
    id = workspace.put(packed(files), "set.zip")
    *_, last = ingest.train(ingest.Spec(f"upload:{id}"))
    made = str((last.frame or {})["dataset"])
    if owner:
        workspace.claim(made, "set (images).zip", owner)
    return f"upload:{made}"
