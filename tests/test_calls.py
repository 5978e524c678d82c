"""A call that is run and printed: the printed text, evaluated, makes the same thing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from models.core.calls import Call


def evaluated(call: Call, **names: object) -> object:
    return eval(call.code(*names), {"torch": torch, "nn": nn, **names})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (Call("nn.Linear", 2, 8), "nn.Linear(2, 8)"),
        (Call("nn.LeakyReLU", negative_slope=0.1), "nn.LeakyReLU(negative_slope=0.1)"),
        (
            Call("nn.Sequential", Call("nn.Tanh"), Call("nn.ReLU")),
            "nn.Sequential(nn.Tanh(), nn.ReLU())",
        ),
        (Call("zeros", (2, 3), dtype=torch.float64), "torch.zeros((2, 3), dtype=torch.float64)"),
        (Call("full", [2], math.inf), 'torch.full([2], float("inf"))'),
        (Call("full", [2], -math.inf), 'torch.full([2], float("-inf"))'),
        (Call("full", (1,), math.nan), 'torch.full((1,), float("nan"))'),
        (Call("nn.ModuleList", [Call("nn.Tanh")]), "nn.ModuleList([nn.Tanh()])"),
        (Call("nn.ModuleDict", {"a": Call("nn.Tanh")}), "nn.ModuleDict({'a': nn.Tanh()})"),
        (Call("nn.Tanh"), "nn.Tanh()"),
    ],
)
def test_the_text_is_the_call_and_evaluates_to_what_it_builds(call: Call, text: str) -> None:
    assert call.code() == text
    assert repr(evaluated(call)) == repr(call.build())


def test_what_is_built_first_stands_first_in_both() -> None:
    parts = [torch.zeros(2), torch.ones(2)]
    call = Call("stack", dim=1)
    assert call.code("parts") == "torch.stack(parts, dim=1)"
    assert repr(evaluated(call, parts=parts)) == repr(call.build(parts))


def test_each_build_makes_a_new_object_and_equal_calls_are_equal() -> None:
    call = Call("nn.Linear", 2, 8)
    assert call.build() is not call.build()
    assert call == Call("nn.Linear", 2, 8) != Call("nn.Linear", 8, 2)


def test_a_name_that_torch_lacks_is_not_silently_something_else() -> None:
    with pytest.raises(AttributeError, match="Liner"):
        Call("nn.Liner", 2).build()
