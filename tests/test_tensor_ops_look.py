"""What the page shows of an operation is what PyTorch made, and small whatever the tensors are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models import tensor_ops
from models.core import export
from models.core.runs import answers
from models.core.spec import SpecError
from models.tensor_ops import Spec, look, properties


@pytest.mark.parametrize("op", ["add", "sum", "sort", "unsqueeze", "max"])
def test_a_look_holds_what_the_operation_made(op: str) -> None:
    spec = Spec(op=op)
    seen, result = answers.unpack(answers.pack(look.look(spec))), tensor_ops.run(spec)
    assert [label for label, _ in seen.outputs] == [label for label, _ in result.outputs]
    for (_, shown), (_, made) in zip(seen.outputs, result.outputs, strict=True):
        assert torch.equal(shown, made)
    assert seen.first == result.outputs[0][1].reshape(-1)[0].item()
    assert len(seen.table) == len(result.outputs)


def test_what_shares_memory_is_said_although_the_copies_that_travel_share_none() -> None:
    rows = look.look(Spec(shelf="a = torch.arange(6.0)", expression="a.view(2, 3)")).table
    assert rows[0]["shares memory with"] == "a"
    copied = look.look(Spec(shelf="a = torch.arange(6.0)", expression="a + 1")).table
    assert copied[0]["shares memory with"] == "nobody: a new tensor"


def test_a_large_tensor_is_a_small_answer_with_its_summary_and_its_window() -> None:
    spec = Spec(shelf="a = torch.arange(4000000.0).reshape(2000, 2000)", expression="a * 2")
    packed = answers.pack(look.look(spec, {"result": (5, 7)}))
    assert len(packed) < 200_000
    seen = answers.unpack(packed)
    large = seen.seen["result"]
    assert large.at == (5, 7)
    assert large.window[0, 0] == 2 * (5 * 2000 + 7)
    assert large.summary.high == 2 * 3999999
    assert seen.outputs[0][1].shape == (2000, 2000)
    at_edge = look.look(spec, {"result": (10**6, 10**6)}).seen["result"]
    assert at_edge.at == (2000 - properties.WINDOW,) * 2


def test_an_operation_written_into_its_input_shows_before_and_after() -> None:
    seen = look.look(Spec(shelf="a = torch.zeros(2)\nb = a[:1]", expression="b.add_(1)"))
    assert seen.changed == ("a", "b")
    assert torch.equal(seen.inputs["a"], torch.zeros(2))
    assert torch.equal(seen.after["a after"], torch.tensor([1.0, 0.0]))


def test_a_shelf_whose_operation_fails_still_shows_its_memory() -> None:
    spec = Spec(shelf="a = torch.arange(6.0)\nb = a[2:]", expression="a @ torch.ones(9)")
    with pytest.raises(SpecError, match="6"):
        look.look(spec)
    assert set(look.shelf(spec).inputs) == {"a", "b"}
    (storage,) = look.memory(spec).storages
    assert [view.name for view in storage.views] == ["a", "b"]


def test_a_cell_is_rewritten_by_what_was_typed() -> None:
    text = look.changed(Spec(shelf="a = torch.tensor([1.0, 2.0])"), "a", 1, "2 * 4")
    assert text == "a = torch.tensor([1.0, 8.0])"


def test_shapes_name_their_operations() -> None:
    assert "transpose" in {name for name, _ in look.found("2, 3 -> 3, 2")}


@pytest.mark.parametrize(
    "spec",
    [
        Spec(),
        Spec(shelf="a = torch.arange(12.0).reshape(3, 4)\nb = a[:, ::2]"),
        Spec(shelf="n = np.array([[1.0, 2.0], [3.0, 4.0]])\na = torch.from_numpy(n)\nb = a[0]"),
        Spec(op="max", params="dim=1"),
        Spec(shelf="a = torch.ones(2, 3)", expression="a.T.add_(1)"),
        Spec(shelf="a = torch.arange(6.0)", expression="a.split(2)"),
        Spec(shelf="a = torch.arange(6.0)", expression="a.sum().item()"),
        Spec(shelf="a = torch.arange(6.0)", expression="a.shape"),
        # the operation does not fit: the shelf alone
        Spec(op="add", shelf="a = torch.ones(2, 3)\nb = torch.ones(4)"),
    ],
)
def test_the_script_of_the_memory_prints_where_every_tensor_lies(
    spec: Spec, tmp_path: Path
) -> None:
    seen = look.memory(spec)
    assert export.numbers(export.run(seen.code, tmp_path)) == dict(seen.numbers)
    assert {name.partition(".")[0] for name in seen.numbers} >= set(seen.properties)
