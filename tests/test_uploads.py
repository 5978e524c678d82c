"""Large uploads: streamed to disk for the browser that sends them, refused from anywhere else, never too large."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app import uploads
from models.data import owners, workspace
from tests.test_routes import browser, sign_in

HERE = {"x-playground": "upload", "origin": "http://testserver"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def signed_in() -> tuple[TestClient, str]:
    web = browser()
    return web, sign_in(web)


def left_behind(home: Path) -> list[Path]:
    return list((home / "tmp").glob("*/*"))


def test_a_file_is_kept_for_its_owner(home: Path) -> None:
    web, owner = signed_in()
    content = bytes(range(256)) * 9000
    answer = web.put("/api/upload?name=my%20set.zip", content=content, headers=HERE)
    assert answer.status_code == 200
    told = answer.json()
    assert told["size"] == len(content)
    assert workspace.get(told["id"]).read_bytes() == content
    assert [(u.id, u.name) for u in workspace.listing(owner)] == [(told["id"], "my set.zip")]
    assert left_behind(home) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"x-playground": "upload", "origin": "http://evil.example"},
        {"x-playground": "upload"},
        {"origin": "http://testserver"},
        {**HERE, "sec-fetch-site": "cross-site"},
    ],
)
def test_another_site_cannot_send(headers: dict[str, str]) -> None:
    web, owner = signed_in()
    assert web.put("/api/upload?name=x", content=b"x", headers=headers).status_code == 403
    assert workspace.listing(owner) == ()


def test_a_browser_behind_a_proxy_says_itself_that_it_is_the_same_site() -> None:
    web, _ = signed_in()
    headers = {"x-playground": "upload", "origin": "http://public", "sec-fetch-site": "same-origin"}
    assert web.put("/api/upload?name=x", content=b"x", headers=headers).status_code == 200


def test_nobody_unknown_can_send() -> None:
    assert browser().put("/api/upload?name=x", content=b"x", headers=HERE).status_code == 403


def test_what_is_too_large_is_refused_whether_it_says_so_or_not(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, _ = signed_in()
    monkeypatch.setattr(workspace, "MAX_FILE", 1000)

    def pieces() -> Iterator[bytes]:  # without a length
        for _ in range(11):
            yield bytes(91)

    assert web.put("/api/upload?name=x", content=bytes(1000), headers=HERE).status_code == 200
    for content in (bytes(1001), pieces()):
        answer = web.put("/api/upload?name=x", content=content, headers=HERE)
        assert answer.status_code == 413
        assert "larger than" in answer.text
    assert left_behind(home) == []


def test_owners_take_turns_and_each_has_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "AT_ONCE", 3)
    monkeypatch.setattr(uploads, "PER_OWNER", 2)

    async def script() -> list[str]:
        places, came = uploads.Places(), []

        async def one(owner: str) -> None:
            await places.enter(owner)
            came.append(owner)

        waiting = [asyncio.create_task(one(owner)) for owner in ("a", "a", "a", "a", "b", "c")]
        for _ in range(10):  # every task gets to its place or into the line
            await asyncio.sleep(0)
        first = list(came)
        for owner in ("a", "a", "b"):
            places.leave(owner)
        await asyncio.gather(*waiting[:2], *waiting[4:])
        for _ in range(3):
            places.leave("a" if places._live["a"] else "c")
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        assert sorted(came) == ["a", "a", "a", "a", "b", "c"]
        return first

    assert sorted(asyncio.run(script())) == ["a", "a", "b"]


def test_who_finds_no_place_in_time_is_told_and_leaves_the_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uploads, "WAIT", 0.05)
    monkeypatch.setattr(uploads, "_PLACES", places := uploads.Places())
    web, owner = signed_in()
    places._live[owner] = uploads.PER_OWNER
    answer = web.put("/api/upload?name=x", content=b"x", headers=HERE)
    assert (answer.status_code, "Try again" in answer.text) == (503, True)
    assert len(places._line) == 0
    places.leave(owner)
    assert web.put("/api/upload?name=x", content=b"x", headers=HERE).status_code == 200
    assert places._live[owner] == 1


async def _drip(pieces: list[tuple[float, bytes]]) -> AsyncIterator[bytes]:
    for seconds, piece in pieces:
        await asyncio.sleep(seconds)
        yield piece


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ([(0.0, b"x")], True),
        ([(0.0, b"x"), (9.0, b"y")], False),  # one byte, then nothing
        ([(0.01, b"x")] * 100, False),  # a byte now and then
        ([(0.03, b"xxxx")] * 10, True),  # slow, but it moves
    ],
)
def test_a_connection_that_does_not_move_is_ended(
    pieces: list[tuple[float, bytes]], whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LEAST", 4)
    monkeypatch.setattr(uploads, "WITHIN", 0.03 if len(pieces) == 100 else 0.5)

    async def all_of() -> bytes:
        return b"".join([piece async for piece in uploads._steady(_drip(pieces))])

    if whole:
        assert asyncio.run(all_of()) == b"".join(piece for _, piece in pieces)
    else:
        with pytest.raises(TimeoutError):
            asyncio.run(all_of())


def test_a_slow_upload_is_told_why_it_was_ended_and_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(chunks: object) -> AsyncIterator[bytes]:
        yield b"x"
        raise TimeoutError

    monkeypatch.setattr(uploads, "_steady", never)
    web, owner = signed_in()
    answer = web.put("/api/upload?name=x", content=b"x", headers=HERE)
    assert (answer.status_code, "send the file again" in answer.text) == (408, True)
    assert workspace.listing(owner) == ()
    assert left_behind(home) == []
    assert uploads._PLACES._live.total() == 0


@pytest.mark.parametrize("name", ["made-up", "made-up.", "made-up.0123", ".", "a" * 40])
def test_a_made_up_name_is_nobody_and_gets_one_of_its_own(name: str) -> None:
    web = browser()
    web.cookies.set("playground_owner", name)
    assert web.put("/api/upload?name=x", content=b"x", headers=HERE).status_code == 403
    assert "set-cookie" in web.get("/_stcore/host-config").headers


def test_names_are_signed_with_a_key_that_only_the_server_reads(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = owners.made()
    assert owners.genuine(first)
    assert not owners.genuine(first[:-1] + ("0" if first[-1] != "0" else "1"))
    assert not owners.genuine("x" + first)
    key = home / owners.KEY
    assert len(key.read_bytes()) == 32
    if sys.platform != "win32":
        assert key.stat().st_mode & 0o777 == 0o600
    owners._key.cache_clear()
    assert owners.genuine(first)  # by the next process of this server, too
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "another"))
    assert not owners.genuine(first)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "file"))
    assert owners.genuine(
        owners.made()
    )  # where no key can be kept, one lasts as long as the server


def test_reading_is_not_offered() -> None:
    web, _ = signed_in()
    assert web.get("/api/upload").status_code == 405


def test_a_full_workspace_is_said_and_costs_nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    web, owner = signed_in()
    first = web.put("/api/upload?name=a", content=b"a" * 10, headers=HERE).json()["id"]
    monkeypatch.setattr(workspace, "QUOTA", 15)
    answer = web.put("/api/upload?name=b", content=b"b" * 10, headers=HERE)
    assert answer.status_code == 507
    assert "no room" in answer.text
    assert [u.id for u in workspace.listing(owner)] == [first]
