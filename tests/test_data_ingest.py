"""From an archive to a data set: classes found, broken pictures listed, the same pictures give the same set."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import torch
from PIL import Image

from models.core.spec import SpecError
from models.data import image_folder, image_sets, ingest, workspace
from tests import image_cases


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


def upright(size: tuple[int, int], orientation: int = 1) -> bytes:
    """A JPEG that is `size` when it is shown as the camera noted."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = size if orientation < 5 else (size[1], size[0])
    out = io.BytesIO()
    Image.new("RGB", stored, (90, 90, 200)).save(out, "JPEG", exif=exif)
    return out.getvalue()


def said(card: image_sets.Card) -> str:
    return " ".join(card.notes)


@pytest.mark.parametrize(
    "hidden", [".ipynb_checkpoints", "cats/.ipynb_checkpoints", "__MACOSX/cats", ".git", "cats/@eaDir"]
)  # fmt: skip
def test_hidden_folders_are_no_classes_and_that_is_said(hidden: str) -> None:
    card = taken({"cats/1.png": RED, "dogs/1.png": BLUE, f"{hidden}/2-checkpoint.png": noise(1)})
    assert card.classes == {"cats": 1, "dogs": 1}
    assert card.empty == ()
    assert "1 file set aside" in said(card)


def test_an_archive_of_nothing_but_a_hidden_folder_is_meant() -> None:
    assert taken({".data/cats/1.png": RED, ".data/dogs/1.png": BLUE}).classes == {"cats": 1, "dogs": 1}  # fmt: skip


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("train", "test/unknown"),
        ("training_set", "test_set/images"),
        ("Train", "test1"),
    ],
)
def test_an_unlabelled_test_folder_is_set_aside(train: str, test: str) -> None:
    pictures = {f"{train}/{c}/{i}.png": noise(i) for c in ("cats", "dogs") for i in range(2)}
    card = taken(pictures | {f"{test}/{i}.png": noise(9 + i) for i in range(3)})
    assert card.classes == {"cats": 2, "dogs": 2}
    assert "3 pictures set aside" in said(card)
    assert card.refused_count == 3


def test_a_labelled_test_folder_is_taken_in_with_all_its_classes() -> None:
    card = taken({"train/cat/1.png": RED, "val/cat/2.png": BLUE, "test/dog/1.png": noise(1)})
    assert card.classes == {"cat": 2, "dog": 1}
    assert "set aside" not in said(card)


def test_a_test_folder_and_loose_pictures_beside_the_classes_are_set_aside() -> None:
    files = {"cats/1.png": RED, "dogs/1.png": BLUE, "test/1.png": noise(1), "cover.png": noise(2)}
    card = taken(files)
    assert card.classes == {"cats": 1, "dogs": 1}
    assert "rename the folder" in said(card)
    assert "outside of the class folders" in said(card)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1250", ("kočka", "žába")),
        ("cp1251", ("кошка", "собака")),
        ("cp1253", ("γάτα", "σκύλος")),
        ("koi8_r", ("кошка", "собака")),
        ("cp932", ("ねこ", "いぬです")),
        ("gb18030", ("小猫咪", "大黄狗")),
        ("big5", ("貓咪", "小狗狗")),
        ("euc_kr", ("고양이", "강아지")),
    ],
)
def test_a_table_of_labels_is_read_in_its_code_page_which_is_said(
    encoding: str, words: tuple[str, str]
) -> None:
    table = "file,label\n" + "".join(f"{i}.png,{words[i % 2]}\n" for i in range(4))
    files = {f"{i}.png": noise(i) for i in range(4)}
    card = taken({"labels.csv": table.encode(encoding), **files})
    assert card.classes == {words[0]: 2, words[1]: 2}
    assert "read as" in said(card)
    assert "read as" not in said(taken({"labels.csv": table.encode(), **files}))


@pytest.mark.parametrize("top", ["", "file,label\n", "# taken in May\nfile,label\n", "sep=,\n"])
def test_a_table_of_labels_needs_no_names_and_no_first_line(top: str) -> None:
    files = {f"{i}.png": noise(i) for i in range(4)}
    table = top + "0.png,cat\n1.png,dog\n2.png,cat\n3.png,dog\n"
    card = taken({"labels.csv": table.encode(), **files})
    assert card.classes == {"cat": 2, "dog": 2}
    assert not card.refused


def test_of_two_tables_of_labels_the_one_that_is_not_used_is_named() -> None:
    files = {f"{i}.png": noise(i) for i in range(2)}
    card = taken(
        {"a.csv": b"f,l\n0.png,x\n1.png,y\n", "b.csv": b"f,l\n0.png,z\n1.png,z\n", **files}
    )
    assert card.classes == {"x": 1, "y": 1}
    assert [name for name, _ in card.refused] == ["b.csv"]


def test_every_row_of_a_long_table_of_labels_counts() -> None:
    table = "file,label\n" + "".join(f"{i}.png,{i % 3}\n" for i in range(3000))
    files = {f"{i}.png": noise(i) for i in (*range(0, 201, 2), 2999)}
    card = taken({"labels.csv": table.encode(), **files})
    assert sum(card.classes.values()) == len(files)


@pytest.mark.parametrize("named", ["img_{}.jpg", "IMG_{}.JPG", "img_{}", "./images/img_{}.jpg "])
def test_labels_find_files_whose_names_differ_in_case(named: str) -> None:
    rows = ["file,label", *(f"{named.format(i)},{'cat' if i % 2 else 'dog'}" for i in range(4))]
    files = {f"images/IMG_{i}.JPG": upright((8, 8)) for i in range(4)}
    card = taken({"labels.csv": "\n".join(rows).encode(), **files})
    assert card.classes == {"cat": 2, "dog": 2}
    assert ("upper and lower case only" in said(card)) == (not named.startswith("IMG"))


def test_of_two_files_that_differ_in_case_each_keeps_its_own_label() -> None:
    files = {"a.png": RED, "A.png": BLUE}
    card = taken({"l.csv": b"file,label\na.png,cat\nA.png,dog\n", **files})
    assert card.classes == {"cat": 1, "dog": 1}


def test_a_label_with_blanks_behind_is_the_same_and_one_in_another_case_is_named() -> None:
    table = b"file,label\na.png,cat\nb.png,cat \nc.png,Cat\n"
    card = taken({"l.csv": table, "a.png": RED, "b.png": BLUE, "c.png": noise(1)})
    assert sum(card.classes.values()) == 3
    assert len(card.classes) == 2
    assert "differ only in upper and lower case" in said(card)


def test_sizes_are_those_of_upright_pictures() -> None:
    files = {f"by_exif/{i}.jpg": upright((48, 96), 5 + i) for i in range(4)}
    card = taken(
        {**files, "upright/1.jpg": upright((48, 96)), "upright/2.jpg": upright((48, 96), 3)}
    )
    assert image_sets.sizes(f"upload:{card.id}").tolist() == [[48, 96]] * 6


def xray(low: int, high: int) -> bytes:
    values = np.full((16, 16), low, np.uint16)
    values[8, 4] = high
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG")
    return out.getvalue()


def test_deep_pictures_of_a_set_are_stretched_alike_and_that_is_said() -> None:
    card = taken(
        {"left/1.png": xray(600, 3644), "right/1.png": xray(600, 2122), "right/2.png": RED}
    )
    shown = image_sets.opened(f"upload:{card.id}", 16)
    brightest = {name: int(shown[i][0].max()) for i, name in enumerate(shown.names)}
    assert brightest["left/1.png"] == 255
    assert brightest["right/1.png"] == pytest.approx(255 * (2122 - 600) / (3644 - 600), abs=1)
    assert "2 pictures with numbers beyond 8 bits, 600…3644" in said(card)


def test_a_deep_picture_that_shows_little_beside_the_others_is_counted() -> None:
    card = taken({"a/1.png": xray(0, 65_000), "b/1.png": xray(0, 900)})
    assert "1 of them use less than a sixteenth" in said(card)


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_a_phones_pictures_are_kept_as_the_scripts_can_open_them(form: str) -> None:
    pillow_heif.register_heif_opener()
    files = {
        f"{c}/{i}.heic": picture((200, 20 * i, 9), form, size=(32, 32))
        for c in "ab"
        for i in (1, 2)
    }
    card = taken(files)
    assert card.classes == {"a": 2, "b": 2}
    with zipfile.ZipFile(workspace.get(card.id)) as archive:
        assert all(archive.read(n).startswith(b"\x89PNG") for n in archive.namelist())


def test_a_class_that_is_lost_with_its_unreadable_pictures_is_named_once() -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)
    card = taken(
        {f"cats/{i}.HEIC": heic for i in range(3)} | {"dogs/1.png": RED, "cows/1.png": BLUE}
    )
    lost = [note for note in card.notes if "'cats' is lost" in note]
    assert len(lost) == 1
    assert "3 files" in lost[0]
    assert "iPhone" in lost[0]
    assert card.empty == ("cats",)
    report = json.loads((workspace.folder(card.id) / "report.json").read_text())
    assert report["name"] == "set.zip"  # the upload's, not the lost class's


def test_a_large_colour_profile_opens_in_a_script_that_knows_nothing_of_it() -> None:
    out = io.BytesIO()
    Image.effect_noise((9, 9), 99).convert("RGB").save(out, "PNG", icc_profile=bytes(3_000_000))
    card = taken({"a/1.png": out.getvalue(), "b/1.png": RED})
    with zipfile.ZipFile(workspace.get(card.id)) as archive:
        assert len(archive.read("a/1.png")) < 2000


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"[Content_Types].xml": b"x", "xl/workbook.xml": b"x"}, "Excel workbook .*Table"),
        ({"[Content_Types].xml": b"x", "word/document.xml": b"x", "word/media/1.png": RED}, "Word document"),
        ({"mimetype": b"x", "content.xml": b"x"}, "OpenDocument"),
        ({"marks.xlsx": b"PK"}, "an Excel table"),
    ],
)  # fmt: skip
def test_an_office_document_is_called_what_it_is(files: dict[str, bytes], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        taken(files)


def test_names_in_an_old_code_page_become_words_and_the_choice_is_named() -> None:
    data = image_cases.packed_in("cp866", {"кошки/1.png": RED, "собаки/1.png": BLUE})
    id = workspace.put(data, "old.zip")
    *_, last = ingest.train(ingest.Spec(f"upload:{id}"))
    card = image_sets.card(f"upload:{(last.frame or {})['dataset']}")
    assert set(card.classes) == {"кошки", "собаки"}
    assert "code page cp866" in said(card)
    *_, last = ingest.train(ingest.Spec(f"upload:{id}", names="cp437"))
    assert "кошки" not in image_sets.card(f"upload:{(last.frame or {})['dataset']}").classes
