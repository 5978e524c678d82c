"""Graphs that are hard to record: each is a function of one (4, 3) leaf, made anew per call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 3 * x * x * grads[0]


class Two(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        double = x * 2
        return double, x + 1

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return 2 * grads[0] + grads[1]


class Same(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return -grads[0]


def fan_out(x: Tensor, m: nn.Module) -> Tensor:
    a = m(x)
    return (a * a.sin() + a.relu() * x).sum()


def split(x: Tensor, m: nn.Module) -> Tensor:
    y = m(x)
    a, b = y.split(2, 1)
    return (a * b).sum() + y.max(1)[0].sum()


def two(x: Tensor, m: nn.Module) -> Tensor:
    a, b = Two.apply(m(x))  # type: ignore[misc]  # a Function with two outputs
    return (a * b).sum()


def in_place_view(x: Tensor, m: nn.Module) -> Tensor:
    y = x.clone()
    y[0] = y[1] * 2
    return (y * y).sum()


def base_changed(x: Tensor, m: nn.Module) -> Tensor:
    y = x.clone()
    row = y[0]
    part = row[1:]
    y += 1
    return (row * row).sum() + part.sum()


def twice_checkpointed(x: Tensor, m: nn.Module) -> Any:
    return checkpoint(lambda t: (m(t).sin() * t).sum(), x * 2, use_reentrant=False)


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[Tensor, Any], Tensor]]] = {
    "cross-entropy": (
        lambda: nn.Linear(3, 2),
        lambda x, m: F.cross_entropy(m(x).tanh(), torch.tensor([0, 1, 0, 1])),
    ),
    "fan-out": (lambda: nn.Linear(3, 3), fan_out),
    "split": (lambda: nn.Linear(3, 4), split),
    "custom function": (lambda: nn.Linear(3, 2), lambda x, m: Cube.apply(m(x)).sum()),  # type: ignore[union-attr]  # a tensor
    "function with two outputs": (lambda: nn.Linear(3, 2), two),
    "function that returns its input": (nn.Identity, lambda x, m: Same.apply(x * 2).sum()),  # type: ignore[union-attr]  # a tensor
    "conv": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2)),
        lambda x, m: m(x.repeat(3, 3)[:6, :6].reshape(1, 1, 6, 6)).pow(2).sum(),
    ),
    "batch norm": (
        lambda: nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)),
        lambda x, m: m(x).pow(3).sum(),
    ),
    "multi-head attention": (
        lambda: nn.MultiheadAttention(3, 1, batch_first=True),
        lambda x, m: m(x[None], x[None], x[None])[0].pow(2).sum(),
    ),
    "in-place on a view": (nn.Identity, in_place_view),
    "view of a base that is changed": (nn.Identity, base_changed),
    "LSTM": (lambda: nn.LSTM(3, 4), lambda x, m: m(x.view(4, 1, 3))[0].sum()),
    "GRU": (lambda: nn.GRU(3, 4), lambda x, m: m(x.view(4, 1, 3))[0].sum()),
    "transformer layer": (
        lambda: nn.TransformerEncoderLayer(3, 1, 8, batch_first=True, dropout=0.0),
        lambda x, m: m(x[None]).pow(2).sum(),
    ),
    "checkpoint": (lambda: nn.Linear(3, 3), twice_checkpointed),
    "vmap": (nn.Identity, lambda x, m: torch.vmap(lambda r: (r * r.sin()).sum())(x).sum()),
}
