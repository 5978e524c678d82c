"""Laws of stepping: every step's equation is the engine's own number."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models.autograd import stepping
from models.autograd.recording import Graph, Recorder
from models.autograd.stepping import Backward
from tests.autograd_cases import CASES


def step_through(name: str) -> tuple[Graph, Backward, torch.Tensor, Any, list[torch.Tensor]]:
    make, forward = CASES[name]
    torch.manual_seed(0)
    module = make()
    x = torch.randn(4, 3, requires_grad=True)
    leaves = [x, *module.parameters()]
    want = torch.autograd.grad(forward(x, module), leaves, allow_unused=True)
    with Recorder(leaves={"x": x}, module=module) as recorder:
        loss = forward(x, module)
    graph = recorder.graph(loss)
    return graph, stepping.backward(graph, loss), loss, want, leaves


@pytest.mark.parametrize("name", CASES)
def test_stepped_gradients_equal_autograd_grad(name: str) -> None:
    _, backward, _, want, leaves = step_through(name)
    assert backward.failure is None
    for leaf, gradient in zip(leaves, want, strict=True):
        assert (leaf.grad is None) == (gradient is None)
        if gradient is not None:
            torch.testing.assert_close(leaf.grad, gradient)


@pytest.mark.parametrize("name", CASES)
def test_local_products_equal_the_engines_edge_gradients(name: str) -> None:
    _, backward, *_ = step_through(name)
    edges = jacobians = 0
    for step in backward.steps:
        for out in step.outgoing:
            if out.grad is None:
                continue
            edges += 1
            assert out.vjp is not None, step.name
            reduced, summed = stepping.reduce_to(out.vjp, out.grad.shape)
            assert summed == out.summed
            torch.testing.assert_close(reduced, out.grad, atol=1e-6, rtol=1e-5)
            if out.jacobians.keys() == {i.out_nr for i in step.incoming}:
                jacobians += 1
                product = sum(i.total.flatten() @ out.jacobians[i.out_nr] for i in step.incoming)
                torch.testing.assert_close(product, out.grad.flatten(), atol=1e-5, rtol=1e-5)
    assert edges >= 3
    assert jacobians > 0


@pytest.mark.parametrize("name", CASES)
def test_fan_in_is_the_sum_of_what_earlier_steps_sent(name: str) -> None:
    _, backward, loss, *_ = step_through(name)
    for number, step in enumerate(backward.steps):
        assert step.incoming or step.leaf
        for incoming in step.incoming:
            assert incoming.terms
            assert all(t.step < number for t in incoming.terms)
            total = stepping.sum_terms([t.grad for t in incoming.terms])
            torch.testing.assert_close(total, incoming.total)
    first = backward.steps[0].incoming[0]
    assert first.terms[0].step == -1
    assert torch.equal(first.total, torch.ones_like(loss))


@pytest.mark.parametrize("name", CASES)
def test_every_node_takes_its_step_after_its_senders(name: str) -> None:
    graph, backward, *_ = step_through(name)
    stepped = [s.vertex for s in backward.steps]
    assert -1 not in stepped
    used = {n for n, v in zip(graph.nodes, graph.vertices, strict=True) if "unused" not in v.marks}
    assert len(stepped) == len(used - {None})
    for number, step in enumerate(backward.steps):
        for out in step.outgoing:
            if out.grad is not None and out.target in stepped:
                # tied leaves accumulate once per edge; their last step is the one that counts
                assert max(i for i, v in enumerate(stepped) if v == out.target) > number


def test_leaf_steps_show_the_gradient_before_and_after() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    x.grad = torch.tensor([10.0, 20.0])
    with Recorder(leaves={"x": x}) as recorder:
        loss = (x * x).sum()
    step = stepping.backward(recorder.graph(loss), loss).steps[-1]
    assert step.leaf
    assert step.before is not None
    assert step.after is not None
    assert step.before.tolist() == [10.0, 20.0]
    assert step.after.tolist() == [12.0, 24.0]


def test_a_first_gradient_is_not_yet_there_before_its_step() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with Recorder(leaves={"x": x}) as recorder:
        loss = (x * x).sum()
    assert stepping.backward(recorder.graph(loss), loss).steps[-1].before is None


def test_a_broadcast_input_is_reduced_as_a_step_of_its_own() -> None:
    x = torch.arange(6.0).reshape(3, 2).requires_grad_()
    b = torch.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
    c = torch.tensor(2.0, requires_grad=True)
    with Recorder(leaves={"x": x, "b": b, "c": c}) as recorder:
        loss = (x * b + c).sum()
    backward = stepping.backward(recorder.graph(loss), loss)
    summed = {(s.name, o.slot): o.summed for s in backward.steps for o in s.outgoing}
    assert summed["AddBackward0", 1] == (0, 1)
    assert summed["MulBackward0", 0] == ()
    assert summed["MulBackward0", 1] == (1,)


def test_saved_tensors_are_there_and_freed_by_the_pass() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with Recorder(leaves={"x": x}) as recorder:
        loss = x.exp().sum()
    graph = recorder.graph(loss)
    kept = stepping.backward(graph, loss, retain_graph=True).steps[1].saved[0]
    assert (kept.name, kept.state, kept.freed) == ("result", "kept", False)
    torch.testing.assert_close(kept.value, x.detach().exp())
    assert stepping.backward(graph, loss).steps[1].saved[0].freed
    again = stepping.backward(graph, loss)
    assert again.failure is not None
    assert "second time" in again.failure.message
    assert again.steps[-1].saved[0].state == "freed"


def test_an_overwritten_tensor_stops_the_pass_at_its_victim_and_names_the_culprit() -> None:
    line = 1
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with Recorder(where=lambda: line, leaves={"x": x}) as recorder:
        a = x.exp()
        recorder.name("a", a)
        loss = (a * a).sum()
        line = 2
        a.add_(1)
    graph = recorder.graph(loss)
    backward = stepping.backward(graph, loss)
    assert backward.failure is not None
    assert graph.vertices[backward.failure.victim].name == "MulBackward0"
    assert [(w.line, w.label, w.before, w.after) for w in backward.failure.culprits] == [
        (2, "a", 0, 1)
    ]
    last = backward.steps[-1]
    assert last.failed
    assert {s.state for s in last.saved} == {"overwritten"}
    assert x.grad is None


def test_a_hook_that_changes_a_gradient_does_not_falsify_the_equation() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with Recorder(leaves={"x": x}) as recorder:
        y = x * 3
        y.register_hook(lambda g: g * 10)
        loss = y.sum()
    step = stepping.backward(recorder.graph(loss), loss).steps[1]
    assert step.incoming[0].total.tolist() == [10.0, 10.0]
    out = step.outgoing[0]
    assert out.vjp is not None
    assert out.grad is not None
    assert torch.equal(out.vjp, out.grad)


def test_hooks_are_gone_after_the_pass() -> None:
    x = torch.tensor([1.0], requires_grad=True)
    with Recorder(leaves={"x": x}) as recorder:
        loss = (x * 2).sum()
    stepping.backward(recorder.graph(loss), loss, retain_graph=True)
    assert not x._post_accumulate_grad_hooks
    loss.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [4.0]


def test_a_large_jacobian_is_left_out_but_its_product_is_not() -> None:
    x = torch.randn(40, 30, requires_grad=True)
    with Recorder(leaves={"x": x}) as recorder:
        loss = x.sin().sum()
    step = stepping.backward(recorder.graph(loss), loss).steps[1]
    assert step.outgoing[0].jacobians == {}
    assert step.outgoing[0].vjp is not None
