"""What a learner wrote is computed in another process; this one only asks, and says what went wrong."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from models import expressions
from tests.conftest import ROOT

VIEWS = [
    ("tensors", "Operate"), ("tensors", "Memory"), ("autograd", "Graph"), ("autograd", "Own Function"),
    ("autograd", "Beyond reverse mode"),
]  # fmt: skip


def open_page(page: str, **params: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app/ui.py", default_timeout=120)
    at.run()
    at.switch_page(f"../pages/{page}.py")
    for name, value in params.items():
        at.query_params[name.replace("_", "-")] = value
    return at.run()


@pytest.mark.parametrize(("page", "view"), VIEWS)
def test_the_server_evaluates_nothing(
    page: str, view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **how: object) -> None:
        raise AssertionError("evaluated in the server's own process")

    monkeypatch.setattr(expressions, "evaluate", never)
    monkeypatch.setattr(expressions, "function", never)
    at = open_page(page, **{f"{page}_view": view})
    assert not at.exception
    assert not at.error or view == "Own Function"  # its default is a backward to repair


def test_an_expression_that_does_not_end_is_a_sentence_and_the_page_goes_on() -> None:
    slow = "torch.linalg.eigvals(torch.rand(800, 800)).real"  # just within what one call may take
    at = open_page("tensors", tensors_expression=" + ".join([slow] * 12), tensors_shelf="a = torch.ones(2)")  # fmt: skip
    assert any("longer than 2 seconds" in e.value for e in at.error)
    at.text_input(key="tensors-expression").set_value("a + 1").run()
    assert not at.error
    assert not at.exception
