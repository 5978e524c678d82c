"""What a session holds for its pages: nothing is lost when the next click cuts a run or a callback short."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from components import session
from models.core import runs


def _page() -> None:
    import streamlit as st

    from components import session

    session.drawing()
    if message := session.told("toy:error"):
        st.error(message)
    if st.session_state.get("cuts", 0):
        st.session_state["cuts"] -= 1
        st.rerun()  # as the next click would
    session.drawn()


def _shown(at: AppTest) -> list[str]:
    return [e.value for e in at.error]


def test_a_message_is_told_once() -> None:
    at = AppTest.from_function(_page)
    at.session_state["toy:error"] = "No table."
    assert _shown(at.run()) == ["No table."]
    assert _shown(at.run()) == []


@pytest.mark.parametrize("cuts", [1, 2])
def test_a_message_outlives_runs_that_are_cut_short(cuts: int) -> None:
    at = AppTest.from_function(_page)
    at.session_state["toy:error"] = "No table."
    at.session_state["cuts"] = cuts
    assert _shown(at.run()) == ["No table."]
    assert _shown(at.run()) == []


def _taking() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import StopException

    from components import session

    @session.whole
    def take() -> None:
        if st.session_state.pop("cut", False):
            raise StopException  # as Streamlit does when the next message has arrived
        if st.session_state.get("breaks"):
            raise ValueError("not a table")
        st.session_state["taken"] = [*st.session_state.get("taken", []), st.session_state["x"]]

    session.drawing()
    st.number_input("x", 0, 9, 1, key="x", on_change=take)
    session.drawn()


@pytest.mark.parametrize("cut", [False, True])
def test_a_callback_that_is_cut_short_is_carried_out_by_the_next_run_and_once(cut: bool) -> None:
    at = AppTest.from_function(_taking).run()
    at.session_state["cut"] = cut
    at.number_input[0].set_value(4).run()
    at.run()
    at.run()
    assert at.session_state["taken"] == [4]
    at.number_input[0].set_value(5).run()
    assert at.session_state["taken"] == [4, 5]
    assert not session._BEGUN


def test_a_callback_that_fails_by_itself_is_not_begun_again() -> None:
    at = AppTest.from_function(_taking).run()
    at.session_state["breaks"] = True
    at.number_input[0].set_value(4).run()
    assert "not a table" in at.exception[0].message
    at.session_state["breaks"] = False
    at.run()
    assert not at.exception
    assert "taken" not in at.session_state


class _Runs:
    """A client with runs of one owner: (id, module, state, settings), None for a run that was just dropped."""

    kept = (
        ("a", "models.toy", "done", "first"),
        ("b", "models.toy", "failed", "second"),
        ("c", "models.other", "running", "first"),
        ("d", "models.toy", "running", "third"),
        ("e", "models.toy", "queued", None),
        ("f", "models.toy", "queued", "first"),
    )

    def runs(self, owner: str) -> list[runs.Status]:
        return [runs.Status(id, state, module=module) for id, module, state, _ in self.kept]

    def spec(self, id: str) -> str:
        found = next(spec for name, _, _, spec in self.kept if name == id)
        if found is None:
            raise runs.RunError("gone")
        return found


def test_a_page_loaded_again_finds_the_newest_run_of_every_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "client", _Runs)
    monkeypatch.setattr(session, "owner", lambda: "me")
    found = session.started("models.toy")
    assert list(found.items()) == [("third", "d"), ("first", "f")]
