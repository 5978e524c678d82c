"""Laws of recording: every node has its value, every line its operations, every overwritten tensor its culprit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.autograd.recording import Graph, Recorder, topological
from tests.autograd_cases import CASES, Cube


def record(name: str) -> tuple[Graph, torch.Tensor]:
    make, forward = CASES[name]
    torch.manual_seed(0)
    module = make()
    x = torch.randn(4, 3, requires_grad=True)
    with Recorder(leaves={"x": x}, module=module) as recorder:
        loss = forward(x, module)
    return recorder.graph(loss), loss


@pytest.mark.parametrize("name", CASES)
def test_every_backward_node_has_its_forward_value(name: str) -> None:
    graph, loss = record(name)
    nodes = topological(loss.grad_fn)
    assert graph.missing == ()
    for node in nodes:
        vertex = graph.vertices[graph.vertex_of(node)]
        assert vertex.values
        if vertex.kind == "op":
            for out_nr, value in vertex.values.items():
                assert value.shape == torch.Size(node._input_metadata[out_nr].shape)  # type: ignore[attr-defined]  # private


@pytest.mark.parametrize("name", CASES)
def test_edges_are_exactly_the_engines_edges(name: str) -> None:
    graph, loss = record(name)
    engine = {
        (graph.vertex_of(following), graph.vertex_of(node), nr, slot)
        for node in topological(loss.grad_fn)
        for slot, (following, nr) in enumerate(node.next_functions)
        if following is not None
    }
    used = {v.index for v in graph.vertices if "unused" not in v.marks}
    drawn = {
        (e.source, e.target, e.out_nr, e.slot)
        for e in graph.edges
        if e.slot >= 0 and e.target in used
    }
    assert engine <= drawn
    reached = {graph.vertex_of(n) for n in topological(loss.grad_fn)}
    assert {e for e in drawn if e[1] in reached} == engine


def test_recording_changes_neither_the_values_nor_the_gradients() -> None:
    for name, (make, forward) in CASES.items():
        torch.manual_seed(0)
        module = make()
        x = torch.randn(4, 3, requires_grad=True)
        plain = forward(x, module)
        want = torch.autograd.grad(plain, x)[0]
        _, loss = record(name)
        assert torch.equal(loss, plain), name
        assert want.isfinite().all()


def test_values_are_of_the_moment_they_were_made() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with Recorder(leaves={"x": x}) as recorder:
        y = x * 2
        loss = y.sum()
        with torch.no_grad():
            y += 100
    graph = recorder.graph(loss)
    product = next(v for v in graph.vertices if v.name == "MulBackward0")
    assert torch.equal(product.values[0], torch.tensor([2.0, 4.0]))


def test_an_operation_under_no_grad_is_drawn_without_a_node() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with Recorder(leaves={"x": x}) as recorder:
        with torch.no_grad():
            scale = x * 3
        cut = x.detach()
        loss = (x * scale * cut).sum()
    graph = recorder.graph(loss)
    untracked = {v.op for v in graph.vertices if v.kind == "untracked"}
    assert untracked == {"aten.mul.Tensor", "aten.detach.default"}
    into = [e for e in graph.edges if e.slot == -1]
    assert len(into) == 4  # x → product, x → detach, and both on into the loss


def test_names_lines_and_modules_reach_the_boxes() -> None:
    line = 7
    x = torch.ones(1, 2, requires_grad=True)
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    with Recorder(where=lambda: line, leaves={"x": x}, module=net) as recorder:
        recorder.begin_line(7)
        y = net(x)
        recorder.name("y", y)
        line = 8
        recorder.begin_line(8)
        loss = nn.functional.mse_loss(y, torch.zeros(1, 2))
    boxes = {v.name: v for v in recorder.graph(loss).vertices}
    assert boxes["TanhBackward0"].label == "y"
    assert (boxes["TanhBackward0"].line, boxes["TanhBackward0"].module) == (7, "1")
    assert boxes["AddmmBackward0"].module == "0"
    assert boxes["MseLossBackward0"].line == 8
    assert boxes["MseLossBackward0"].call == "torch.nn.functional.mse_loss"
    assert "0.weight" in boxes


def test_module_hooks_are_gone_after_the_recording() -> None:
    net = nn.Sequential(nn.Linear(2, 2))
    with Recorder(module=net):
        net(torch.ones(1, 2))
    assert not net[0]._forward_hooks
    assert not net[0]._forward_pre_hooks


def test_an_update_under_no_grad_leaves_the_leaf_a_leaf() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    with Recorder(leaves={"w": w}) as recorder:
        with torch.no_grad():
            w -= 0.5
        loss = (w * w).sum()
    graph = recorder.graph(loss)
    product = next(v for v in graph.vertices if v.name == "MulBackward0")
    assert {e.source for e in graph.edges if e.target == product.index and e.slot >= 0} == {0}


def test_the_culprit_is_the_write_after_the_victim_and_no_other() -> None:
    line = 1
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with Recorder(where=lambda: line, leaves={"x": x}) as recorder:
        a = x.clone()
        recorder.name("a", a)
        line = 2
        a.mul_(2)  # before anything saved it: harmless
        line = 3
        b = a.exp()
        recorder.name("b", b)
        line = 4
        a.add_(1)  # exp keeps its result, not its input: harmless to b
        line = 5
        b.sub_(1)
        loss = b.sum()
    graph = recorder.graph(loss)
    exp = next(v for v in graph.vertices if v.name == "ExpBackward0")
    culprit = graph.culprits(exp.index)
    assert 5 in [w.line for w in culprit]
    assert 2 not in [w.line for w in culprit]
    assert next(w for w in culprit if w.line == 5).label == "b"


def test_a_function_of_ones_own_is_marked() -> None:
    x = torch.ones(2, requires_grad=True)
    with Recorder(leaves={"x": x}) as recorder:
        loss = Cube.apply(x).sum()  # type: ignore[union-attr]  # a tensor
    marks = {v.name: v.marks for v in recorder.graph(loss).vertices}
    assert "custom" in marks["CubeBackward"]
    assert "custom" not in marks["SumBackward0"]


def test_a_result_without_a_graph_still_draws_what_ran() -> None:
    x = torch.ones(2)
    with Recorder(leaves={"x": x}) as recorder:
        loss = (x * 2).sum()
    graph = recorder.graph(loss)
    assert [v.kind for v in graph.vertices] == ["constant", "untracked", "untracked"]
    assert graph.root == 2
