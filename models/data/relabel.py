"""A set of pictures under other classes: renamed, merged and dropped ones written down as a set of its own."""

from __future__ import annotations

import dataclasses
import io
import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from models.core import spec as core
from models.core.control import Control, Snapshot
from models.core.spec import SpecError, knob
from models.data import image_sets, ingest, workspace
from models.data.image_folder import ZippedImages
from models.data.image_sets import PHOTOS
from models.data.naming import FreeNames


@dataclass(frozen=True)
class Spec(core.Spec):
    """Which set, and what its classes become."""

    data: str = knob(PHOTOS, "The set to begin with, or upload: and the id of an own one.")
    rename: str = knob(
        "",
        "Classes under new names as JSON; an empty name leaves a class out.",
        label="New class names",
        max_chars=50_000,
    )


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """Writes the new set, the same bytes for every picture; the last frame holds {"dataset", "name", "keep"}.

    Raises:
        SpecError: the set is not on this server, or no picture is left.
    """
    control = control or Control()
    id = image_sets.id_of(spec.data)
    old, name = workspace.get(id), workspace.about(id).name
    card = image_sets.card(spec.data)
    data = ZippedImages(old, ingest.CARD_SIDE, json.loads(spec.rename or "{}"))
    if not len(data):
        raise SpecError("Every class is left out. Keep at least one.", "rename")
    folders = ingest.folders(data.classes)
    used = FreeNames(key=str.lower)
    new: list[str] = []
    modes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / "clean.zip"
        with zipfile.ZipFile(old) as source, zipfile.ZipFile(clean, "w") as target:
            for number, (path, label) in enumerate(
                zip(data.names, data.labels.tolist(), strict=True)
            ):
                content = source.read(path)
                title = ingest.free_name(folders[data.classes[label]], path.split("/")[-1], used)
                target.writestr(zipfile.ZipInfo(title), content)
                new.append(title)
                modes[Image.open(io.BytesIO(content)).mode] += 1
                if control.due():
                    control.gate()
                    share = number / len(data)
                    yield Snapshot(number, share, rows=({"step": number, "epoch": share},))
        title = f"{name.removesuffix('.zip')} (new classes).zip"
        kept = workspace.put(clean, title)
    report = dataclasses.asdict(card) | {
        "layout": f"the classes of {workspace.display_name(name, 60)}, renamed",
        "pictures": len(new),
        "classes": dict(sorted(Counter(n.split("/")[0] for n in new).items())),
        "empty": [],
        "modes": dict(modes.most_common()),
        "duplicates": len(new) - len(data.first_copy.unique()),
        "refused_count": 0,
        "refused": [],
        "notes": [],
    }
    del report["id"]
    with np.load(workspace.folder(id) / "card.npz", allow_pickle=False) as file:
        known = dict(file)
    rows = np.searchsorted(known["names"], data.names)[np.argsort(new)]
    arrays = {"names": np.array(sorted(new))} | {
        word: known[word][rows] for word in ("sizes", "total", "square")
    }
    ingest.keep_card(kept, report, arrays)
    frame = {"dataset": kept, "name": title, "keep": True}  # the old set stays
    yield Snapshot(len(new), 1.0, frame=frame, final=True)
