"""The Tensors page: opens, one setting moves one number, contradictions are explained, shelves are filled."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from models.tensor_ops import OPS
from tests.conftest import ROOT


def open_page(**params: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app/ui.py", default_timeout=60)
    at.run()
    at.switch_page("../pages/tensors.py")
    for name, value in params.items():
        at.query_params[f"tensors-{name}"] = value
    return at.run()


def texts(at: AppTest) -> str:
    return " ".join(element.value for element in at.markdown)


def shelf(at: AppTest) -> str:
    return at.text_area(key="tensors:lines").value or ""


def script(at: AppTest) -> str:
    return at.code[-1].value


def test_another_operation_and_another_parameter_reach_the_code() -> None:
    at = open_page()
    assert not at.exception
    assert "result = torch.add(a, b)" in script(at)
    at.selectbox(key="tensors-op").set_value("sum").run()
    assert "result = torch.sum(a, dim=1)" in script(at)
    at.selectbox(key="tensors:param:sum:dim").set_value("0").run()
    assert "result = torch.sum(a, dim=0)" in script(at)
    at.toggle(key="tensors:param:sum:keepdim").set_value(True).run()
    assert "result = torch.sum(a, dim=0, keepdim=True)" in script(at)
    at.selectbox(key="tensors-op").set_value("mean").run()
    assert "result = torch.mean(a, dim=0)" in script(at)
    assert not at.exception


def test_a_broadcasting_error_is_explained_and_the_page_stays() -> None:
    at = open_page()
    at.text_area(key="tensors:lines").set_value("a = torch.ones(2, 3)\nb = torch.ones(4)").run()
    assert any("don't broadcast" in e.value for e in at.error)
    assert any("The size of tensor a (3) must match" in c.value for c in at.code)
    at.text_area(key="tensors:lines").set_value("a = torch.ones(2, 3)\nb = torch.ones(3)").run()
    assert not at.error
    assert not at.exception


@pytest.mark.parametrize("op", ["gather", "where", "einsum", "index", "cat", "to", "add_", "split"])
def test_the_call_that_fails_can_be_tried_on_every_kind_of_operation(op: str) -> None:
    at = open_page(op=op)
    assert not at.error
    at.button(key="tensors:fails").click().run()
    assert any(OPS[op].fails.says in e.value for e in at.error)
    assert not at.exception


def test_nothing_typed_is_lost_when_a_shelf_cannot_be_made() -> None:
    at = open_page()
    at.text_area(key="tensors:lines").set_value("a = torch.zeros(10**12)").run()
    assert any("4 TB" in e.value for e in at.error)
    assert at.text_area(key="tensors:lines").value == "a = torch.zeros(10**12)"
    at.text_area(key="tensors:lines").set_value("import os").run()
    assert any("makes no tensor" in e.value for e in at.error)
    assert at.text_area(key="tensors:lines").value == "import os"
    assert not at.exception


def test_an_expression_shows_every_step_and_a_hostile_one_is_refused() -> None:
    at = open_page(expression="(a @ a.T).softmax(dim=-1)")
    steps = next(m.value for m in at.markdown if m.value.startswith("| step"))
    shown = [line.split("`")[1] for line in steps.splitlines()[2:]]
    assert shown == ["a.T", "a @ a.T", "(a @ a.T).softmax(dim=-1)"]
    at.text_input(key="tensors-expression").set_value("__import__('os')").run()
    assert any("underscore" in e.value for e in at.error)
    assert not at.exception


def test_search_by_name_and_by_shapes_takes_the_operation_over() -> None:
    at = open_page()
    at.text_input(key="tensors:find").set_value("largest").run()
    at.button(key="tensors:found:argmax").click().run()
    assert "torch.argmax" in script(at)
    at.text_input(key="tensors:find").set_value("2, 3 -> 3, 2").run()
    at.button(key="tensors:found:transpose").click().run()
    assert "torch.transpose(a, dim0=0, dim1=1)" in script(at)
    at.text_input(key="tensors:find").set_value("2, 3 -> x").run()
    assert any("is no shape" in e.value for e in at.error)
    assert not at.exception


def test_a_guess_covers_the_result_until_it_is_revealed() -> None:
    at = open_page(op="sum", guess="true")
    assert "| stride |" not in texts(at)
    at.text_input(key="tensors:guess-shape").set_value("3")
    at.button(key="tensors:reveal").click().run()
    assert any("you said (3,), it is (2,)" in i.value for i in at.info)
    assert "| stride |" in texts(at)
    at.text_input(key="tensors:guess-shape").set_value("2")
    at.text_input(key="tensors:guess-value").set_value("6")
    at.button(key="tensors:reveal").click().run()
    assert any("Right: shape (2,)" in s.value for s in at.success)


def test_lines_and_files_are_added_to_the_shelf() -> None:
    at = open_page()
    at.session_state["tensors:create"] = True
    at.run()
    at.selectbox(key="tensors:way").set_value("eye").run()
    at.button(key="tensors:add").click().run()
    assert shelf(at).endswith("c = torch.eye(3)")
    at.selectbox(key="tensors:grid-of").set_value("b").run()
    at.session_state["tensors:grid:b:3"] = {
        "edited_rows": {0: {"1": -5.0}}, "added_rows": [], "deleted_rows": []
    }  # fmt: skip
    at.button(key="tensors:grid-add").click().run()
    assert "b = torch.tensor([10.0, -5.0, 30.0])\n" in shelf(at)
    out = io.BytesIO()
    Image.new("RGB", (20, 20), (255, 0, 0)).save(out, "PNG")
    at.file_uploader(key="tensors:file").upload("red.png", out.getvalue(), "image/png").run()
    assert re.search(r'd = image\("[0-9a-f]{64}", 8\)  # channel, row, column$', shelf(at))
    assert 'd = image("red.png", 8)' in script(at)
    at.file_uploader(key="tensors:file").upload("t.csv", b"x,y\n1,2\n3,4\n", "text/csv").run()
    assert 'e = csv("t.csv", 6)' in script(at)
    out = io.BytesIO()
    np.save(out, np.arange(4.0))
    at.file_uploader(key="tensors:file").upload("n.npy", out.getvalue(), "x").run()
    assert 'g = npy("n.npy")' in script(at)
    assert not at.error
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    at.file_uploader(key="tensors:file").upload("o.npy", out.getvalue(), "x").run()
    assert any("pickled Python objects" in e.value for e in at.error)
    assert not at.exception


def test_memory_says_who_shares_with_whom() -> None:
    at = open_page(part="Memory")
    at.button(key="tensors:memory:reshape copies").click().run()
    assert "share 6 memory cells" in texts(at)
    assert "has 6 memory cells of 4 bytes, its own" in texts(at)
    assert not at.exception


@pytest.mark.parametrize("part", ["Devices", "PyTorch and TensorFlow"])
def test_the_other_parts_open_with_something_that_ran(part: str) -> None:
    at = open_page(part=part)
    assert not at.exception
    assert len(at.error) == 1  # an error of PyTorch's own, provoked on purpose


def test_a_large_tensor_is_summarised() -> None:
    at = open_page(op="relu", shelf="a = torch.randn(2048, 2048)")
    assert not at.exception
    assert not at.error
