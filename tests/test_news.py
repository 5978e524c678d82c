"""What the script knows of a run is what the run's answers add up to."""

from __future__ import annotations

from components.news import News


def rows(*steps: int) -> list[dict[str, int]]:
    return [{"step": step} for step in steps]


def test_answers_add_up_and_the_latest_scene_and_frame_stay() -> None:
    news = News("x")
    news.take(
        {"cursor": "a", "rows": rows(1, 2), "events": [{"kind": "note", "n": 1}], "scene": {"s": 1}}
    )
    news.take({"cursor": "b", "rows": rows(3), "events": [], "frame": {"f": 1}, "state": "running"})
    news.take({"cursor": "c", "state": "paused"})
    assert news.rows == rows(1, 2, 3)
    assert (news.cursor, news.scene, news.frame) == ("c", {"s": 1}, {"f": 1})
    assert news.status == {"cursor": "c", "state": "paused"}


def test_a_row_that_does_not_go_forward_rewinds() -> None:
    news = News("x")
    news.take({"rows": rows(1, 2, 3, 4)})
    news.take({"rows": rows(3)})
    assert news.rows == rows(1, 2, 3)


def test_a_reset_forgets_what_was_told() -> None:
    news = News("x")
    news.take({"rows": rows(1), "events": [{"kind": "note"}], "scene": {"s": 1}, "frame": {"f": 1}})
    news.take({"reset": True, "rows": rows(0)})
    assert (news.rows, news.events, news.scene, news.frame) == (rows(0), [], None, None)


def test_the_newest_event_of_a_kind_is_found() -> None:
    news = News("x")
    news.take(
        {"events": [{"kind": "stop", "n": 1}, {"kind": "note", "n": 2}, {"kind": "stop", "n": 3}]}
    )
    assert news.latest("stop") == {"kind": "stop", "n": 3}
    assert news.latest("doctor") is None
