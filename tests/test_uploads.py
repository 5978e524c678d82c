"""Large uploads: streamed to disk for the browser that sends them, refused from anywhere else, never too large."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app import uploads
from models.data import workspace
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


def test_only_so_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    web, _ = signed_in()
    monkeypatch.setattr(uploads, "_taking", uploads.AT_ONCE)
    assert web.put("/api/upload?name=x", content=b"x", headers=HERE).status_code == 503
    monkeypatch.setattr(uploads, "_taking", uploads.AT_ONCE - 1)
    assert web.put("/api/upload?name=x", content=b"x", headers=HERE).status_code == 200


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
