"""A link may name any upload on any page: each page says what it needs, and none meets an error of the program."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from models.data import ingest, ingest_texts, workspace
from tests.conftest import ROOT
from tests.waiting import settled

# page and its parameters, with {} where the id of an upload stands
LINKS = {
    "training": {"training-data": "upload:{}"},
    "pictures": {"datasets-data": "upload:{}"},
    "tables": {"datasets-view": "Table", "tables-data": "upload:{}"},
    "texts": {"datasets-view": "Text", "texts-data": "upload:{}"},
    "filters": {"convolution-view": "Picture", "filters-image": "upload:{}"},
    "look": {"look-image": "upload:{}"},
    "weights": {"look-network": "LeNet-5", "look-weights": "upload:{}"},
    "cnn": {"cnn-view": "Train", "cnn-data": "upload:{}"},
    "tensors": {"tensors-shelf": 'a = image("{}", 8)'},
}
PAGES = {
    **dict.fromkeys(("pictures", "tables", "texts"), "datasets"),
    **dict.fromkeys(("look", "weights", "cnn"), "cnn"),
    "filters": "convolution",
}


def _picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (9, 7), (200, 10, 10)).save(out, "PNG")
    return out.getvalue()


def _archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("cat", "dog"):
            for i in range(5):
                archive.writestr(f"{name}/{i}.png", _picture() + bytes([i]))
    return out.getvalue()


def _taken(topic: object, content: bytes, name: str) -> str:
    id = workspace.put(content, name)
    *_, last = topic.train(topic.Spec(f"upload:{id}"))  # type: ignore[attr-defined]  # a topic that takes uploads in
    return str((last.frame or {})["dataset"])


def _weights() -> bytes:
    out = io.BytesIO()
    torch.save({"a": torch.ones(2)}, out)
    return out.getvalue()


@cache
def upload(kind: str) -> str:
    """The id of an upload of this kind."""
    if kind == "gone":
        return "0" * 64
    if kind == "no id":
        return "nothing"
    if kind == "set of pictures":
        return _taken(ingest, _archive(), "pets.zip")
    if kind == "set of texts":
        return _taken(ingest_texts, b"one text\nanother text\n", "texts.txt")
    content = {
        "table": b"a,b\n" + b"".join(b"%d,%d\n" % (i, i % 3) for i in range(30)),
        "picture": _picture(),
        "archive": _archive(),
        "weights": _weights(),
        "empty": b"",
    }[kind]
    return workspace.put(content, f"{kind}.bin", "me")


KINDS = (
    *("gone", "no id", "set of pictures", "set of texts"),
    *("table", "picture", "archive", "weights", "empty"),
)


@pytest.mark.parametrize("link", LINKS)
def test_a_link_to_any_kind_of_upload_is_drawn_or_explained(link: str) -> None:
    for kind in KINDS:
        at = AppTest.from_file(str(ROOT / "app" / "ui.py"), default_timeout=120).run()
        at.switch_page(str(Path("../pages") / f"{PAGES.get(link, link)}.py"))
        for name, value in LINKS[link].items():
            at.query_params[name] = value.format(upload(kind))
        settled(at.run())
        assert [(kind, e.message) for e in at.exception] == []
