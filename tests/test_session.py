"""What a session holds for its pages: nothing is lost when the next click cuts a run or a callback short."""

from __future__ import annotations

import pytest
from streamlit.runtime.scriptrunner import RerunException
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData
from streamlit.testing.v1 import AppTest

from components import session


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


def test_a_callback_that_is_cut_is_carried_out_and_the_click_that_cut_it_goes_on() -> None:
    done = []

    @session.whole
    def take(name: str) -> None:
        done.append("begun")
        if done == ["begun"]:
            raise RerunException(RerunData())
        done.append(name)

    with pytest.raises(RerunException):
        take("mine.csv")
    assert done == ["begun", "begun", "mine.csv"]
    done.append("more")
    take("other.csv")  # nothing cuts it: once
    assert done[4:] == ["begun", "other.csv"]


def test_what_is_wrong_in_a_callback_is_said_at_once() -> None:
    done = []

    @session.whole
    def take() -> None:
        done.append(1)
        raise ValueError("not a table")

    with pytest.raises(ValueError, match="not a table"):
        take()
    assert done == [1]
