"""Pictures in arrays: every layout and range gives the same pictures, labels find them, nothing pickled is loaded."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from models.core.spec import SpecError
from models.data import array_pictures, image_sets, ingest, workspace

G = np.random.default_rng(0)
PIXELS = G.integers(0, 256, (6, 9, 7, 3), dtype=np.uint8)  # (N, H, W, C)


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYGROUND_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def saved(array: Any = None, **arrays: Any) -> bytes:
    out = io.BytesIO()
    if array is not None:
        np.save(out, array)
    else:
        np.savez_compressed(out, **arrays)
    return out.getvalue()


def taken(content: bytes, name: str = "set.npz") -> tuple[image_sets.Card, list[np.ndarray]]:
    id = workspace.put(content, name)
    *_, last = ingest.train(ingest.Spec(f"upload:{id}"))
    data = f"upload:{(last.frame or {})['dataset']}"
    with zipfile.ZipFile(workspace.get(data[7:])) as archive:
        names = sorted(archive.namelist(), key=lambda n: n.rsplit("/", 1)[-1])
        pixels = [np.asarray(Image.open(io.BytesIO(archive.read(n)))) for n in names]
    return image_sets.card(data), pixels


@pytest.mark.parametrize(
    "array",
    [
        PIXELS,
        np.moveaxis(PIXELS, 3, 1).copy(),
        PIXELS.astype(np.int64),
        PIXELS.astype(">f4"),
        PIXELS.astype(np.float32) / 255,
    ],
    ids=["last", "first", "whole", "float to 255", "float to 1"],
)
def test_every_layout_and_range_gives_the_very_same_pictures(array: np.ndarray) -> None:
    for content, name in ((saved(array), "a.npy"), (saved(x=array), "a.npz")):
        card, pixels = taken(content, name)
        assert card.classes == {"unsorted": 6}
        np.testing.assert_array_equal(np.stack(pixels), PIXELS)


def test_grey_pictures_and_one_channel_are_the_same() -> None:
    grey = PIXELS[..., 0].copy()
    for array in (grey, grey[..., None], grey[:, None]):
        np.testing.assert_array_equal(np.stack(taken(saved(array), "a.npy")[1]), grey)


def test_labels_are_found_beside_their_pictures_and_names_beside_the_labels() -> None:
    card, _ = taken(
        saved(
            x_train=PIXELS,
            y_train=np.array([0, 1, 1, 2, 2, 2]),
            x_test=PIXELS[:2],
            y_test=np.array([[0], [0]]),
            class_names=np.array(["cat", "<b>dog", "owl"]),
            other=np.zeros((3, 5)),
        )
    )
    assert card.classes == {"_b_dog": 2, "cat": 3, "owl": 3}
    assert card.layout == "labels from y_test, y_train"
    assert [name for name, _ in card.refused] == ["other"]


@pytest.mark.parametrize(
    "labels",
    [
        np.array(list("aabbbb")),
        np.array([b"a", b"a", b"b", b"b", b"b", b"b"]),
        np.eye(2)[[0, 0, 1, 1, 1, 1]],
    ],
)
def test_labels_may_be_words_bytes_or_one_hot(labels: np.ndarray) -> None:
    card, _ = taken(saved(images=PIXELS, labels=labels))
    assert sorted(card.classes.values()) == [2, 4]


def test_pickled_objects_are_never_loaded_and_the_rest_is_kept() -> None:
    out = io.BytesIO()
    np.savez(out, x=PIXELS, y=np.array([{"a": 1}] * 6, dtype=object))
    card, pixels = taken(out.getvalue())
    assert len(pixels) == 6
    assert [(n, "pickled" in why) for n, why in card.refused] == [("y", True)]
    with pytest.raises(SpecError, match="pickled"):
        taken(saved(np.array([{}], dtype=object)), "a.npy")


def test_an_array_that_breaks_off_gives_what_is_there_and_says_where() -> None:
    whole = saved(PIXELS)
    card, pixels = taken(whole[:-200], "cut.npy")
    assert len(pixels) == 4  # a picture has 189 bytes
    assert card.refused[0][0].startswith("picture from number 4")


def test_a_claim_of_endless_pictures_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_pictures, "MOST", 5)
    card, pixels = taken(saved(PIXELS), "many.npy")
    assert len(pixels) == 5
    assert any("The first 5 of the 6" in note for note in card.notes)
    out = io.BytesIO()
    head = {"descr": "|u1", "fortran_order": False, "shape": (10**15, 8, 8)}
    np.lib.format.write_array_header_1_0(out, head)
    card, pixels = taken(out.getvalue() + bytes(64 * 3), "endless.npy")
    assert len(pixels) == 3


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 5)),
        np.zeros(4),
        np.zeros((2, 2, 2)),
        np.asfortranarray(PIXELS),
        np.zeros((2, 8, 8), complex),
    ],
)
def test_what_holds_no_picture_is_explained(array: np.ndarray) -> None:
    with pytest.raises(SpecError, match="no array of pictures"):
        taken(saved(array), "a.npy")


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damage_anywhere_is_taken_or_refused_but_never_an_accident(data: st.DataObject) -> None:
    content = bytearray(saved(x=PIXELS, y=np.arange(6) % 2))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(len(content) // 2, len(content)))]
    try:
        card, pixels = taken(bytes(content))
    except SpecError as error:
        assert len(str(error)) > 20  # noqa: PT017  # either of the two is right
    else:
        assert card.pictures == len(pixels) <= 6


def test_only_arrays_are_told_from_archives_of_other_files(tmp_path: Path) -> None:
    for content, arrays in (
        (saved(PIXELS), True),
        (saved(x=PIXELS), True),
        (b"PK\x03\x04", False),
        (b"", False),
    ):
        (tmp_path / "file").write_bytes(content)
        assert array_pictures.is_arrays(tmp_path / "file") is arrays


def test_twelve_bits_in_numbers_of_sixteen_are_stretched_by_all_pictures() -> None:
    pictures = np.full((70, 8, 8), 600, np.uint16)
    pictures[69, 3, 5] = 3644  # long after the first ones
    card, shown = taken(saved(x=pictures))
    assert shown[69].max() == 255
    assert shown[0].max() == 0
    assert "600 and 3644; 600 to 3644 becomes" in " ".join(card.notes)
