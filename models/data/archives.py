"""Archives from strangers: what lies in a zip or tar, read member by member and never unpacked to disk.

Nothing here makes a path of a member's name. What is not taken is listed with its reason.
"""

from __future__ import annotations

import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.core.spec import SpecError
from models.data import code_pages, workspace

MAX_MEMBERS = 60_000  # files and folders of one archive
MAX_MEMBER = 100_000_000  # bytes of one unpacked member
MAX_TOTAL = 4_000_000_000  # bytes of all of them
MAX_RATIO = 100  # unpacked to packed; photographs are near 1, text is near 10
SMALL = 1_000_000  # bytes below which a ratio says nothing

_DIRECTORY_BYTES = 50_000_000  # of a zip's table of contents
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
)


@dataclass(frozen=True)
class Refused:
    """A member that is not taken: its name as it can be shown, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Member:
    """A file in an archive: its place among the members, its path as parts, its unpacked bytes."""

    place: int
    parts: tuple[str, ...]
    size: int

    @property
    def shown(self) -> str:
        return workspace.display_name("/".join(self.parts), 80)


@dataclass(frozen=True)
class Contents:
    """What an archive holds, known without unpacking it.

    Attributes:
        members: the files that may be read. folders: paths of the folders it names, as parts.
        refused: members that are not read. notes: what is wrong with the archive as a whole.
        page: the code page of names that do not say UTF-8; "" where every name does or is ASCII.
    """

    members: tuple[Member, ...]
    folders: frozenset[tuple[str, ...]]
    refused: tuple[Refused, ...]
    notes: tuple[str, ...] = ()
    page: str = ""


def contents(
    path: Path,
    name: str = "The archive",
    *,
    ratio: int = MAX_RATIO,
    member: int = MAX_MEMBER,
    page: str = "",
) -> Contents:
    """The table of contents of a zip or tar (plain, gz, bz2 or xz), with every member that is not to be read.

    Args:
        ratio, member: of a zip, other bounds for who reads its members piece by piece.
        page: of `code_pages.PAGES`, for names that do not say UTF-8; found out when "".
    Raises:
        SpecError: no archive, cut short, too many members, or it would unpack to too much.
    """
    if _is_zip(path, name):
        return _zip_contents(path, name, ratio, member, page)
    return _tar_contents(path, name, page)


def read(path: Path, members: Collection[Member]) -> Iterator[tuple[Member, bytes | Refused]]:
    """The bytes of these members, in the archive's own order, one at a time; a damaged one gives its reason."""
    wanted = {member.place: member for member in members}
    if zipfile.is_zipfile(path):
        yield from _zip_read(path, wanted)
    else:
        yield from _tar_read(path, wanted)


def parts_of(name: str) -> tuple[str, ...] | str:
    """A member's name as the parts of a path inside the archive, or why it is none."""
    name = name.replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "its path is absolute: it would be written outside of the data set's folder"
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        return "its path leads out of the archive (..)"
    return parts or "it has no name"


def left_behind(parts: Sequence[str]) -> str:
    """The part of a path that says that a system or a tool left it there and nobody packed it; "" where none does."""
    for part in parts:
        if part.lower() in _LEFT_BEHIND or part.startswith("._"):
            return part
    return ""


def _is_zip(path: Path, name: str) -> bool:
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise SpecError(f"{name} is empty (0 bytes). Choose another file.")
    if zipfile.is_zipfile(path):
        return True
    if head.startswith(b"PK\x03\x04"):
        raise SpecError(
            f"{name} is cut short: the table of contents at the end of a zip is missing. Upload it again."
        )
    if head[:6] in (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c"):
        raise SpecError(f"{name} is a RAR or 7z archive. Pack it as .zip or .tar.gz.")
    return False


def _zip_contents(path: Path, name: str, ratio: int, most: int, page: str) -> Contents:
    _check_directory(path, name)
    members, folders, refused, total = [], set(), [], 0
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except _DAMAGE as error:
        raise SpecError(
            f"{name} is damaged: its table of contents cannot be read. Pack it again.",
            detail=str(error),
        ) from None
    _check_count(len(infos), name)
    titles, page = _zip_names(infos, page)
    for place, (info, title) in enumerate(zip(infos, titles, strict=True)):
        parts = parts_of(title)
        shown = workspace.display_name(title, 80)
        if isinstance(parts, str):
            refused.append(Refused(shown, parts))
        elif info.is_dir() or (title.endswith("\\") and not info.file_size):
            folders.add(parts)
        elif reason := _zip_reason(info, ratio, most):
            refused.append(Refused(shown, reason))
        else:
            total += info.file_size
            members.append(Member(place, parts, info.file_size))
    _check_total(total, path, name, ratio)
    return Contents(tuple(members), frozenset(folders), tuple(refused), page=page)


def _zip_reason(info: zipfile.ZipInfo, ratio: int, most: int) -> str:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a symbolic link is not followed"
    if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        return "no ordinary file (a device or pipe)"
    if info.flag_bits & 1:
        return "encrypted: pack it without a password"
    return _size_reason(info.file_size, info.compress_size, ratio, most)


def _size_reason(size: int, packed: int, ratio: int = MAX_RATIO, most: int = MAX_MEMBER) -> str:
    if size > most:
        return f"{size / 1e6:.0f} MB unpacked; at most {most / 1e6:.0f} MB fit"
    if size > SMALL and size > ratio * max(1, packed):
        return f"would unpack to {size / max(1, packed):.0f} times its size; at most {ratio} times is read"
    return ""


def _zip_names(infos: Sequence[zipfile.ZipInfo], page: str) -> tuple[list[str], str]:
    """The members' names; those that do not say UTF-8 are read together, in one code page."""
    titles = [_unicode_path(info) or info.filename for info in infos]
    silent = [
        i
        for i, info in enumerate(infos)
        if not info.flag_bits & 0x800 and not titles[i].isascii() and titles[i] == info.filename
    ]
    # Python reads them as cp437, which holds every byte
    return _in_page(titles, silent, [infos[i].filename.encode("cp437") for i in silent], page)


def _in_page(
    titles: list[str], places: Sequence[int], raw: Sequence[bytes], page: str
) -> tuple[list[str], str]:
    if not raw:
        return titles, ""
    found, page = code_pages.decode(raw, page)
    for i, name in zip(places, found, strict=True):
        titles[i] = name
    return titles, page


def _unicode_path(info: zipfile.ZipInfo) -> str:
    """The name in a member's own field for Unicode (0x7075 of the zip format), which Info-ZIP and others write."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == 0x7075 and size > 5 and len(extra) >= 4 + size and not info.flag_bits & 0x800:
            (checksum,) = struct.unpack_from("<I", extra, 5)
            if checksum == zlib.crc32(info.orig_filename.encode("cp437", "replace")):
                return extra[9 : 4 + size].decode("utf-8", "replace")
        extra = extra[4 + size :]
    return ""


def _zip_read(path: Path, wanted: dict[int, Member]) -> Iterator[tuple[Member, bytes | Refused]]:
    with zipfile.ZipFile(path) as archive:
        for place, info in enumerate(archive.infolist()):
            if member := wanted.get(place):
                try:
                    with archive.open(info) as file:
                        yield member, file.read(MAX_MEMBER)
                except _DAMAGE:
                    yield member, Refused(member.shown, "damaged inside the archive")


def _check_directory(path: Path, name: str) -> None:
    """Refuse a table of contents that is too long before anything reads it as a whole."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 66_000))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    size = struct.unpack_from("<I", tail, at + 12)[0] if 0 <= at <= len(tail) - 22 else 0
    if (
        at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07"
    ):  # the form for more than 65 535 members
        large = tail.rfind(b"PK\x06\x06", 0, at)
        if 0 <= large <= len(tail) - 56:
            size = struct.unpack_from("<Q", tail, large + 40)[0]
    if size > _DIRECTORY_BYTES and size != 0xFFFFFFFF:
        raise SpecError(_too_many(name))


def _tar_contents(path: Path, name: str, page: str) -> Contents:
    infos: list[tarfile.TarInfo] = []
    notes: list[str] = []
    total, place = 0, -1
    try:
        with tarfile.open(path, "r:*") as archive:
            while info := archive.next():
                place += 1
                _check_count(place + 1, name)
                archive.members.clear()  # type: ignore[attr-defined]  # else it keeps every member it has seen
                total += info.size
                _check_total(total, path, name)
                infos.append(info)
    except SpecError:
        raise
    except _DAMAGE as error:
        if place < 0:
            raise SpecError(
                f"{name} is no archive that can be read here: it begins with {_beginning(path)}. "
                "Use .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz.",
                detail=str(error),
            ) from None
        notes.append(f"The archive is cut short or damaged after {place + 1} members.")
    members, folders, refused = [], set(), []
    titles = [info.name for info in infos]
    # a tar's names are bytes; what is no UTF-8 comes as lone surrogates
    silent = [i for i, title in enumerate(titles) if _LONE.search(title)]
    raw = [titles[i].encode("utf-8", "surrogateescape") for i in silent]
    titles, page = _in_page(titles, silent, raw, page)
    for place, (info, title) in enumerate(zip(infos, titles, strict=True)):
        parts = parts_of(title)
        shown = workspace.display_name(title, 80)
        if isinstance(parts, str):
            refused.append(Refused(shown, parts))
        elif info.isdir():
            folders.add(parts)
        elif reason := _tar_reason(info):
            refused.append(Refused(shown, reason))
        else:
            members.append(Member(place, parts, info.size))
    return Contents(tuple(members), frozenset(folders), tuple(refused), tuple(notes), page)


def _tar_reason(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return "a link is not followed"
    if not info.isreg() or info.issparse():
        return "no ordinary file (a device, pipe or sparse file)"
    return _size_reason(info.size, info.size)


def _tar_read(path: Path, wanted: dict[int, Member]) -> Iterator[tuple[Member, bytes | Refused]]:
    place = -1
    try:
        with tarfile.open(path, "r:*") as archive:
            while info := archive.next():
                place += 1
                archive.members.clear()  # type: ignore[attr-defined]  # else it keeps every member it has seen
                member = wanted.pop(place, None)
                file = archive.extractfile(info) if member and info.isreg() else None
                if member and file:
                    data = file.read(MAX_MEMBER)
                    cut = len(data) < member.size
                    yield member, Refused(member.shown, "the archive ends in it") if cut else data
    except _DAMAGE:
        pass  # what is missing is reported below
    for member in wanted.values():
        yield member, Refused(member.shown, "the archive ends in it")


def _check_count(count: int, name: str) -> None:
    if count > MAX_MEMBERS:
        raise SpecError(_too_many(name))


def _too_many(name: str) -> str:
    return (
        f"{name} holds more than {MAX_MEMBERS:,} files, the most one archive may have here. "
        "Pack a part of them."
    )


def _check_total(total: int, path: Path, name: str, ratio: int = MAX_RATIO) -> None:
    packed = path.stat().st_size
    if total > MAX_TOTAL:
        raise SpecError(
            f"{name} would unpack to more than {MAX_TOTAL / 1e9:.0f} GB. Pack a part of the files."
        )
    if total > 50 * SMALL and total > ratio * packed:
        raise SpecError(
            f"{name} would unpack to more than {ratio} times its {packed / 1e6:.1f} MB, which pictures never do: "
            "it is not opened."
        )


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(12)
    return repr(head.decode()) if head.isascii() and head.decode().isprintable() else head.hex(" ")


_LONE = re.compile("[\udc80-\udcff]")
_LEFT_BEHIND = frozenset(
    {"__macosx", ".ds_store", ".appledouble", ".spotlight-v100", ".trashes", ".fseventsd", "icon\r"}
    | {"thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"}
    | {"@eadir", "@__thumb", ".picasa.ini", ".nomedia", ".directory", "lost+found"}
    | {".ipynb_checkpoints", "__pycache__", ".git", ".svn", ".hg", ".idea", ".vscode", ".cache"}
)
