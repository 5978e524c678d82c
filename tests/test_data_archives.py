"""Archives from strangers: nothing leads out, nothing blows up, what is good is kept and the rest has a reason."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.core.spec import SpecError
from models.data import archives, convert_tables, ingest, ingest_texts, workspace
from tests import image_cases


def zipped(folder: Path, files: dict[str, bytes], **how: int) -> Path:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", how.get("compression", zipfile.ZIP_STORED)) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, how.get("compression"))
    return path


def tarred(folder: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    path = folder / "a.tar"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # one of its modes
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def reasons(path: Path) -> dict[str, str]:
    return {r.name: r.reason for r in archives.contents(path).refused}


def everything(path: Path) -> dict[str, bytes | archives.Refused]:
    known = archives.contents(path)
    return {"/".join(m.parts): data for m, data in archives.read(path, known.members)}


FILES = {"cats/a.jpg": b"one", "cats/b.jpg": b"two", "dogs/ü.jpg": b"three"}


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_every_member_comes_back_with_its_bytes(mode: str, tmp_path: Path) -> None:
    path = zipped(tmp_path, FILES) if mode == "zip" else tarred(tmp_path, FILES, mode)
    assert everything(path) == FILES
    assert reasons(path) == {}


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.jpg", "leads out"),
        ("cats/../../evil.jpg", "leads out"),
        ("..\\evil.jpg", "leads out"),
        ("/etc/passwd", "absolute"),
        ("C:\\windows\\x.jpg", "absolute"),
    ],
)
def test_a_path_that_leads_out_is_listed_and_the_rest_is_kept(
    make, name: str, reason: str, tmp_path: Path
) -> None:
    path = make(tmp_path, {name: b"x", **FILES})
    assert [reason in why for why in reasons(path).values()] == [True]
    assert everything(path) == FILES


def test_two_points_inside_a_name_lead_nowhere() -> None:
    assert archives.parts_of("cats/a..b.jpg") == ("cats", "a..b.jpg")
    assert archives.parts_of("./cats//a.jpg") == ("cats", "a.jpg")
    assert isinstance(archives.parts_of("a/../b.jpg"), str)


def test_links_and_devices_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("link", tarfile.SYMTYPE),
            ("hard", tarfile.LNKTYPE),
            ("pipe", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert set(reasons(path)) == {"link", "hard", "pipe"}
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "symbolic link" in reasons(tmp_path / "b.zip")["link.jpg"]


def test_an_encrypted_member_is_listed(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"a.jpg": b"secret"})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # in the member's own head
    data[data.rfind(b"PK\x01\x02") + 8] |= 1  # and in the table of contents
    path.write_bytes(data)
    assert "encrypted" in reasons(path)["a.jpg"]


def test_a_bomb_is_refused_by_its_ratio_and_a_dense_file_is_not(tmp_path: Path) -> None:
    noise = random.Random(0).randbytes(1_200_000)
    path = zipped(
        tmp_path,
        {"bomb.jpg": bytes(5_000_000), "fine.jpg": noise},
        compression=zipfile.ZIP_DEFLATED,
    )
    assert "times its size" in reasons(path)["bomb.jpg"]
    assert list(everything(path)) == ["fine.jpg"]


def test_a_tar_that_unpacks_to_far_more_than_it_is_is_not_opened(tmp_path: Path) -> None:
    path = tarred(tmp_path, {"bomb.jpg": bytes(60_000_000)})
    with pytest.raises(SpecError, match="times its"):
        archives.contents(path)


def test_a_total_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path, {"a": bytes(600), "b": bytes(600)})
    monkeypatch.setattr(archives, "MAX_TOTAL", 1200)
    assert len(archives.contents(path).members) == 2
    monkeypatch.setattr(archives, "MAX_TOTAL", 1199)
    with pytest.raises(SpecError, match="would unpack to more than"):
        archives.contents(path)


@pytest.mark.parametrize("make", [zipped, tarred])
def test_too_many_members_are_refused_and_one_fewer_is_not(
    make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path, {f"{i}.jpg": b"" for i in range(6)})
    monkeypatch.setattr(archives, "MAX_MEMBERS", 6)
    assert len(archives.contents(path).members) == 6
    monkeypatch.setattr(archives, "MAX_MEMBERS", 5)
    with pytest.raises(SpecError, match="more than 5 files"):
        archives.contents(path)


def test_a_table_of_contents_that_is_too_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path, FILES)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rfind(b"PK\x05\x06") + 12, 60_000_000)
    path.write_bytes(data)
    with pytest.raises(SpecError, match="more than 60,000 files"):
        archives.contents(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"hello", "begins with 'hello'"),
        (b"PK\x03\x04 and no end", "cut short"),
        (b"Rar!\x1a\x07\x01\x00", "RAR"),
    ],
)
def test_what_is_no_archive_is_said(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(SpecError, match=words):
        archives.contents(path, "x")


def test_a_tar_that_is_cut_keeps_what_is_whole(tmp_path: Path) -> None:
    path = tarred(tmp_path, {"a.jpg": b"a" * 600, "b.jpg": b"b" * 600}, "w")
    path.write_bytes(path.read_bytes()[:1800])  # in the middle of b
    found = everything(path)
    assert found["a.jpg"] == b"a" * 600
    assert isinstance(found.get("b.jpg", archives.Refused("", "")), archives.Refused)


def test_a_zip_member_with_a_wrong_checksum_is_listed(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"a.jpg": b"aaaa", "b.jpg": b"bbbb"})
    path.write_bytes(path.read_bytes().replace(b"aaaa", b"axaa"))
    found = everything(path)
    assert isinstance(found["a.jpg"], archives.Refused)
    assert found["b.jpg"] == b"bbbb"


def test_names_in_utf8_that_do_not_say_so_are_read(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"caf/x.jpg": b"1"})
    data = path.read_bytes().replace(b"caf/x.jpg", "é/xx.jpg".encode())
    path.write_bytes(data)
    assert archives.contents(path).members[0].parts == ("é", "xx.jpg")


@pytest.mark.parametrize("page", ["cp866", "cp1251", "cp932"])
def test_names_in_a_code_page_are_read_together_or_as_chosen(page: str, tmp_path: Path) -> None:
    words = ("猫", "犬の写真") if page == "cp932" else ("кошки", "собаки")
    path = tmp_path / "a.zip"
    path.write_bytes(image_cases.packed_in(page, {f"{w}/1.png": b"1" for w in words}))
    known = archives.contents(path)
    assert [m.parts[0] for m in known.members] == list(words)
    assert known.page == page
    assert archives.contents(path, page="cp437").members[0].parts[0] != words[0]
    assert archives.contents(zipped(tmp_path, FILES)).page == ""


def test_a_tars_names_in_a_code_page_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", encoding="cp866", format=tarfile.GNU_FORMAT) as archive:
        for name in ("кошки/1.png", "собаки/1.png"):
            archive.addfile(tarfile.TarInfo(name))
    assert [m.parts[0] for m in archives.contents(path).members] == ["кошки", "собаки"]


def test_the_name_in_the_field_for_unicode_is_taken(tmp_path: Path) -> None:
    info, name = zipfile.ZipInfo("_____/1.png"), "кошки/1.png".encode()
    body = struct.pack("<BI", 1, zlib.crc32(b"_____/1.png")) + name
    info.extra = struct.pack("<HHHHHH", 0x9999, 2, 7, 0x7075, len(body), 0)[:10] + body
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, b"1")
    assert archives.contents(path).members[0].parts == ("кошки", "1.png")


def test_backslashes_part_folders_also_where_a_folder_stands_alone(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"cats\\": b"", "cats\\1.png": b"1", "dogs/": b""})
    known = archives.contents(path)
    assert [m.parts for m in known.members] == [("cats", "1.png")]
    assert known.folders == {("cats",), ("dogs",)}


@pytest.mark.parametrize(
    "name", ["__MACOSX/cats/._1.png", "cats/Thumbs.db", "cats/.DS_Store", ".ipynb_checkpoints/1.png", "@eaDir/1.jpg"]
)  # fmt: skip
def test_what_systems_leave_behind_is_known(name: str) -> None:
    assert archives.left_behind(tuple(name.split("/")))
    assert not archives.left_behind(("cats", "1.png"))


@settings(max_examples=40)
@given(st.dictionaries(st.text(min_size=1, max_size=40), st.binary(max_size=80), max_size=6))
def test_whatever_the_names_every_member_is_kept_or_listed(files: dict[str, bytes]) -> None:
    files = {n: d for n, d in files.items() if n.isprintable() and not n.endswith(("/", "\\"))}
    with tempfile.TemporaryDirectory() as folder:
        path = zipped(Path(folder), files)
        known = archives.contents(path)
        assert len(known.members) + len(known.refused) + len(known.folders) >= len(files)
        for member in known.members:
            assert ".." not in member.parts
            assert not any("/" in part or "\\" in part for part in member.parts)


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_archive_never_fails_but_with_a_sentence(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        make = data.draw(st.sampled_from([zipped, tarred]))
        path = make(Path(folder), FILES)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
        with contextlib.suppress(SpecError):  # the only way in which it may fail
            found = everything(path)
            assert all(isinstance(value, (bytes, archives.Refused)) for value in found.values())


@pytest.mark.parametrize("topic", [ingest, convert_tables, ingest_texts])
def test_members_whose_names_begin_with_a_zero_byte_are_listed_or_said(topic: Any) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("#.png", "#.csv", "#.txt", "#.npy"):
            archive.writestr(name, b"1")
    id = workspace.put(packed.getvalue().replace(b"#", b"\0"), "zero.zip")
    with pytest.raises(SpecError):
        list(topic.train(topic.Spec(f"upload:{id}")))
