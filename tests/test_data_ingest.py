"""From an archive to a data set: classes found, broken pictures listed, the same pictures give the same set."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.core.spec import SpecError
from models.data import image_folder, image_sets, ingest, workspace


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def picture(
    color: Any = (200, 30, 30), form: str = "PNG", mode: str = "RGB", size=(20, 12)
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, form)
    return out.getvalue()


def noise(seed: int, side: int = 40) -> bytes:
    out = io.BytesIO()
    values = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(values).save(out, "PNG")
    return out.getvalue()


def packed(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def taken(files: Mapping[str, bytes], name: str = "set.zip") -> image_sets.Card:
    id = workspace.put(packed(files), name)
    *_, last = ingest.train(ingest.Spec(f"upload:{id}"))
    assert last.final
    return image_sets.card(f"upload:{(last.frame or {})['dataset']}")


RED, BLUE = picture(), picture((0, 0, 250))


@pytest.mark.parametrize("root", ["", "pets/", "a/b/c/"])
def test_folders_are_classes_below_any_common_root(root: str) -> None:
    card = taken({f"{root}cat/1.png": RED, f"{root}dog/1.png": BLUE, f"{root}dog/sub/2.png": RED})
    assert card.classes == {"cat": 1, "dog": 2}
    assert card.refused == ()


def test_folders_of_a_split_are_put_together_and_that_is_said() -> None:
    card = taken({"train/cat/1.png": RED, "val/cat/1.png": BLUE, "test/dog/1.png": RED})
    assert card.classes == {"cat": 2, "dog": 1}
    assert "put together" in card.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_names_the_labels(encoding: str, separator: str) -> None:
    rows = [["file", "size", "label"], ["a.png", "20", "Bär"], ["b.png", "20", "cat"]]
    table = "\n".join(separator.join(row) for row in rows).encode(encoding)
    card = taken({"x/labels.csv": table, "x/a.png": RED, "x/b.png": BLUE, "x/c.png": noise(0)})
    assert card.classes == {"Bär": 1, "cat": 1}
    assert card.refused == (("x/c.png", "x/labels.csv has no label for it"),)


def test_broken_files_amid_good_ones_are_listed_with_their_reasons() -> None:
    card = taken(
        {
            "cat/good.png": RED,
            "cat/text.jpg": b"not a picture",
            "cat/cut.png": noise(1)[:700],
            "cat/empty.jpg": b"",
            "cat/inner.zip": packed({"a.png": RED}),
            "notes.txt": b"hello",
            "dog/.keep": b"",
            "__MACOSX/cat/._good.png": b"x",
            "../out.png": RED,
        }
    )
    why = dict(card.refused)
    assert card.classes == {"cat": 1}
    assert set(why) == {
        *("cat/text.jpg", "cat/cut.png", "cat/empty.jpg", "cat/inner.zip"),
        *("notes.txt", "dog/.keep", "../out.png"),
    }
    assert "begins with 'not a pictur" in why["cat/text.jpg"]
    assert "cut short" in why["cat/cut.png"]
    assert "not opened" in why["cat/inner.zip"]
    assert any("one class" in note for note in card.notes)
    assert card.empty == ("dog",)


def test_hostile_names_become_plain_folders() -> None:
    hostile = {
        "<script>alert(1)</script>x": "one",
        "=cmd|calc": "two",
        "a" * 4000: "three",
        "b\u202egnp": "four",
        "🙂": "five",
    }
    files = {f"{name}/{word}.png": noise(i) for i, (name, word) in enumerate(hostile.items())}
    card = taken({n.replace("</", "<"): d for n, d in files.items()})
    assert len(card.classes) == 5
    assert "🙂" in card.classes
    for name in card.classes:
        assert not set(name) & set('<>:"/\\|?*\u202e')
        assert len(name) <= 48


def test_names_that_fall_together_stay_apart() -> None:
    card = taken({"a?/1.png": noise(1), "a*/1.png": noise(2), "A_/1.png": noise(3)})
    assert len(card.classes) == 3


def test_the_same_pictures_are_the_same_set_and_copies_are_counted() -> None:
    files = {"cat/1.png": RED, "dog/1.png": RED, "dog/2.png": BLUE}
    first, second = taken(files, "one.zip"), taken(files, "two.zip")
    assert first.id == second.id
    assert first.duplicates == 1
    data = image_sets.opened(f"upload:{first.id}", 32)
    assert data.first_copy.tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("mode", "form", "color"),
    [
        ("L", "PNG", 90),
        ("1", "PNG", 1),
        ("P", "PNG", 3),
        ("RGBA", "PNG", (10, 20, 30, 0)),
        ("LA", "PNG", (9, 100)),
        ("I;16", "PNG", 30000),
        ("CMYK", "JPEG", (0, 255, 255, 0)),
        ("F", "TIFF", 0.5),
    ],
)
def test_every_mode_opens_in_the_dataset_class(mode: str, form: str, color: Any) -> None:
    card = taken({f"cat/a.{form.lower()}": picture(color, form, mode)})
    assert card.modes == {mode: 1}
    pixels, label = image_sets.opened(f"upload:{card.id}", 32)[0]
    assert (pixels.shape, pixels.dtype, label) == ((3, 32, 32), torch.uint8, 0)
    if mode == "RGBA":
        assert int(pixels.min()) == 255  # transparent parts lie over white


def test_the_card_holds_the_moments_of_what_the_dataset_serves() -> None:
    card = taken({f"c{i % 2}/{i}.png": noise(i) for i in range(5)})
    data = image_sets.opened(f"upload:{card.id}", ingest.CARD_SIDE)
    mean, square = image_sets.moments(f"upload:{card.id}", data.names)
    pixels = torch.stack([data[i][0] for i in range(5)]).double() / 255
    torch.testing.assert_close(mean, pixels.mean((2, 3)))
    torch.testing.assert_close(square, pixels.square().mean((2, 3)))
    assert image_sets.sizes(f"upload:{card.id}").tolist() == [[40, 40]] * 5


def test_the_decoded_copy_is_what_the_dataset_serves() -> None:
    card = taken({f"c{i % 2}/{i}.png": noise(i) for i in range(4)})
    data = image_sets.opened(f"upload:{card.id}", 32)
    stored = np.load(image_sets.decoded(f"upload:{card.id}", 32))
    assert all(np.array_equal(stored[i], data[i][0].numpy()) for i in range(4))


def test_single_pictures_are_packed_under_their_class() -> None:
    id = workspace.put(ingest.pack([("x/a.png", RED), ("a.png", BLUE)], "my/cat"), "p.zip")
    *_, last = ingest.train(ingest.Spec(f"upload:{id}"))
    assert (last.frame or {})["report"]["classes"] == {"my_cat": 2}


def test_an_archive_without_a_picture_is_refused_with_the_first_reason() -> None:
    with pytest.raises(SpecError, match=r"no picture that can be used.*a\.txt"):
        taken({"a.txt": b"x", "b.csv": b"1,2"})


def test_a_set_that_is_no_set_says_so() -> None:
    id = workspace.put(b"x", "x.zip")
    with pytest.raises(SpecError, match="not been taken in"):
        image_sets.card(f"upload:{id}")
    with pytest.raises(SpecError, match="not on this server"):
        image_sets.card("upload:" + "0" * 64)


def test_a_claimed_set_is_listed_and_only_for_its_owner() -> None:
    card = taken({"cat/1.png": RED, "dog/1.png": BLUE})
    workspace.claim(card.id, "mine.zip", "me")
    assert [u.name for u in image_sets.listing("me")] == ["mine.zip"]
    assert image_sets.listing("you") == ()


def test_the_set_to_begin_with_comes_back_after_it_was_pruned(home: Path) -> None:
    first = image_sets.id_of(image_sets.PHOTOS)
    workspace.forget(first, "nobody")
    assert not image_sets.is_set(first)
    assert image_sets.id_of(image_sets.PHOTOS) == first
    assert image_sets.card(image_sets.PHOTOS).classes == {"flower": 40, "temple": 40}
    with zipfile.ZipFile(workspace.get(first)) as clean:
        path = home / "photos.zip"
        image_folder.make_photos(path)
        with zipfile.ZipFile(path) as made:  # the script's own file is the app's, byte for byte
            assert {n: made.read(n) for n in made.namelist()} == {
                n: clean.read(n) for n in clean.namelist()
            }
