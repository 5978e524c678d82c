"""The server's own routes: a run as JSON for its viewers, the browser's modules, and what surrounds every answer."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import plotly
import pytest
import streamlit
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app import middleware, routes
from models.core import runs, wire
from models.core.runs import Client
from models.core.spec import SpecError
from tests.test_runs import begin, ended, make, shown
from tests.topics.ticking import Ticking


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = make()
    yield made
    made.close()


@pytest.fixture
def web(client: Client, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(runs, "client", lambda: client)
    return browser()


def browser() -> TestClient:
    """A browser of its own: nothing in its cookie jar."""
    extra = [
        Route("/_stcore/host-config", lambda request: PlainTextResponse("{}")),
        Route("/", lambda request: PlainTextResponse("page")),
    ]
    around = [
        Middleware(middleware.SecurityHeaders),
        Middleware(middleware.DeepLinks),
        Middleware(middleware.Owner),
    ]
    return TestClient(Starlette(routes=[*routes.ROUTES, *extra], middleware=around))


def sign_in(web: TestClient) -> str:
    web.get("/_stcore/host-config")
    return web.cookies[middleware.COOKIE]


def test_a_run_is_told_piece_by_piece_to_everyone_and_mine_only_to_its_owner(
    web: TestClient, client: Client
) -> None:
    owner = sign_in(web)
    run = begin(client, owner, Ticking(epochs=20, seconds=0.0))
    ended(client, run)
    first = web.get(f"/api/runs/{run}").json()
    assert first["mine"] is True
    assert first["state"] == "done"
    assert [row["epoch"] for row in first["rows"]] == list(range(1, 21))
    assert {"scene", "frame", "frames", "rate", "position", "message", "events"} <= first.keys()
    again = web.get(f"/api/runs/{run}", params={"since": first["cursor"]}).json()
    assert (again["rows"], again["reset"]) == ([], False)
    assert not {"scene", "frame"} & again.keys()
    assert browser().get(f"/api/runs/{run}").json()["mine"] is False
    client.stop(run, owner)


def test_a_past_picture_has_its_own_address(web: TestClient, client: Client) -> None:
    run = begin(client, "me", paused=True)
    shown(client, run)
    answer = web.get(f"/api/runs/{run}/frame", params={"epoch": "1.5"})
    assert wire.loads(answer.content)["step"] == 15
    assert answer.headers["cache-control"] == "no-store"
    for epoch in ("", "?epoch=", "?epoch=nan", "?epoch=many"):
        assert web.get(f"/api/runs/{run}/frame{epoch}").status_code == 400
    assert web.get("/api/runs/unknown/frame?epoch=1").status_code == 404
    client.stop(run, "me")


def test_an_unknown_run_is_an_answer_with_words_not_an_error(web: TestClient) -> None:
    answer = web.get("/api/runs/unknown?since=nonsense")
    assert answer.status_code == 200
    assert (answer.json()["known"], answer.json()["state"]) == (False, "failed")
    assert "Press Play" in answer.json()["message"]


def test_routes_only_read(web: TestClient) -> None:
    for path in ("/api/runs/x", "/api/runs/x/frame", "/api/health", "/assets/views/a.js"):
        for method in ("post", "put", "delete", "patch"):
            assert getattr(web, method)(path).status_code == 405


def test_health_names_no_process(web: TestClient) -> None:
    about = web.get("/api/health").json()
    assert about["ok"] is True
    assert about["runs"].keys() == {"warm", "live", "queued"}


def test_plotly_is_the_installed_one_and_is_kept_by_browsers(web: TestClient) -> None:
    installed = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    answer = web.get("/assets/plotly.min.js?v=1")
    assert answer.content == installed
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    plain = web.get("/assets/plotly.min.js", headers={"accept-encoding": "identity"})
    assert plain.content == installed
    assert plain.headers["cache-control"] == "no-cache"
    seen = web.get("/assets/plotly.min.js", headers={"if-none-match": answer.headers["etag"]})
    assert seen.status_code == 304
    assert len(gzip.compress(installed, 1)) < len(installed)


@pytest.fixture
def views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "views"
    (folder / "probe").mkdir(parents=True)
    (folder / "probe" / "probe.js").write_text("export const a = 1;")
    (folder / "probe" / "probe.css").write_text("b { color: red }")
    (folder / "probe" / "__init__.py").write_text("secret = 1")
    (folder / "probe" / "noext").write_text("secret")
    (tmp_path / "secret.js").write_text("secret")
    (folder / "leak.js").symlink_to(tmp_path / "secret.js")
    monkeypatch.setattr(routes, "VIEWS", folder)
    return folder


def test_views_modules_are_served_and_revalidated(web: TestClient, views: Path) -> None:
    answer = web.get("/assets/views/probe/probe.js")
    assert answer.text == "export const a = 1;"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert "immutable" in web.get("/assets/views/probe/probe.js?v=12").headers["cache-control"]
    assert web.get("/assets/views/probe/probe.css").headers["content-type"].startswith("text/css")
    versioned = web.get("/assets/views/@12/probe/probe.js")
    assert versioned.text == answer.text
    assert "immutable" in versioned.headers["cache-control"]
    tag = answer.headers["etag"]
    fresh = {"if-none-match": tag}
    assert web.get("/assets/views/probe/probe.js", headers=fresh).status_code == 304
    (views / "probe" / "probe.js").write_text("export const a = 2;")
    assert web.get("/assets/views/probe/probe.js", headers=fresh).text == "export const a = 2;"


@pytest.mark.parametrize(
    "path",
    [
        "probe/__init__.py",
        "probe/noext",
        "probe",
        "probe/none.js",
        "../secret.js",
        "..%2fsecret.js",
        "%2e%2e/secret.js",
        "probe/..%2f..%2fsecret.js",
        "@1/../secret.js",
        "@1/..%2fsecret.js",
        "@1/probe/__init__.py",
        "leak.js",
        "%2fetc%2fpasswd",
        "probe%00.js",
        "x" * 5000 + ".js",
        "",
    ],
)
def test_nothing_but_views_modules_is_served(web: TestClient, views: Path, path: str) -> None:
    answer = web.get(f"/assets/views/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_every_answer_forbids_foreign_sources(web: TestClient) -> None:
    for path in ("/", "/api/health", "/api/runs/x", "/assets/views/none.js", "/none"):
        headers = web.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'self'"
        assert policy["frame-ancestors"] == "'self'"
        assert "unsafe-inline" not in policy["script-src"]
        assert "'unsafe-eval'" not in policy["script-src"]
        assert not re.search(r"https?:|\*", headers["content-security-policy"])
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_the_installed_streamlits_own_inline_script_is_allowed() -> None:
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text()
    assert page.count("<script>") == middleware.POLICY.count("'sha256-") > 0


def test_the_owner_cookie_is_set_once_and_never_replaced_by_a_visit_from_elsewhere(
    web: TestClient,
) -> None:
    assert (
        "set-cookie" not in web.get("/").headers
    )  # a link from another site: its cookie was held back
    first = web.get("/_stcore/host-config").headers["set-cookie"]
    assert "HttpOnly" in first
    assert "SameSite=Strict" in first
    assert "Secure" not in first  # a cookie that plain http on the local network would lose
    assert "set-cookie" not in web.get("/_stcore/host-config").headers
    other = browser().get("/_stcore/host-config").headers["set-cookie"]
    assert other.split(";")[0] != first.split(";")[0]
    assert len(first.split(";")[0]) > len(middleware.COOKIE) + 30


def test_a_link_to_a_page_leaves_no_error_in_the_console_and_no_second_server(
    web: TestClient,
) -> None:
    for probe in ("health", "host-config"):
        answer = web.get(f"/training/_stcore/{probe}", follow_redirects=False)
        assert (
            answer.status_code == 300
        )  # browsers log 400 and up; Streamlit goes on unless it is 2xx
        assert "set-cookie" not in answer.headers
    assert web.get("/_stcore/host-config").status_code == 200


def test_a_page_reads_the_cookie_that_the_server_sets() -> None:
    from components import session

    assert session._COOKIE == middleware.COOKIE


def test_the_runs_own_words_are_json_that_browsers_read(web: TestClient, client: Client) -> None:
    run = begin(client, "me", Ticking(epochs=2, seconds=0.0))
    ended(client, run)
    text = web.get(f"/api/runs/{run}").text
    assert "NaN" not in text
    assert json.loads(text)["frame"]["values"]["dtype"] == "float32"
    client.stop(run, "me")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            SpecError("The kernel is too large. Make it smaller."),
            "The kernel is too large. Make it smaller.",
        ),
        (runs.RunError("This run is over."), "This run is over."),
        (
            PermissionError("Only the one who started this run can steer it."),
            "Only the one who started",
        ),
        (ZeroDivisionError("a private detail"), "The details are in the server's log."),
    ],
)
def test_a_page_that_fails_is_explained_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    words: str,
) -> None:
    from app import main

    said: list[str] = []
    monkeypatch.setattr(main.st, "error", said.append)
    assert main.explain(error) is True
    assert words in said[0]
    assert "private" not in said[0]
    assert str(error) in caplog.text  # for whoever runs the server


def test_streamlits_page_names_the_style_sheet_of_all_pages_and_no_other_answer_does() -> None:
    html = "<html><head><title>x</title></head><body></body></html>"
    pages = [
        Route("/", lambda request: HTMLResponse(html)),
        Route("/words", lambda request: PlainTextResponse(html)),
        *routes.ROUTES,
    ]
    web = TestClient(Starlette(routes=pages, middleware=[Middleware(middleware.Look)]))
    page = web.get("/", headers={"Accept": "text/html"})
    link = re.search(r'<link rel="stylesheet" href="(.+?)"></head>', page.text)
    assert link
    assert int(page.headers["content-length"]) == len(page.content)
    sheet = web.get(link[1])
    assert sheet.headers["content-type"].startswith("text/css")
    assert "stAppViewContainer" in sheet.text
    assert web.get("/words", headers={"Accept": "text/html"}).text == html
