"""Counted FLOPs against closed forms, layer by layer; what has no formula is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from models.speed import Spec, flops, subject, timing

N, C, D, L, H = 3, 8, 12, 5, 10  # batch, channels, features, length, height and width

# layer → (its input, the closed form of one forward pass: a multiply and an add are two)
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "Linear": (lambda: nn.Linear(D, 7), (N, D), 2 * N * D * 7),
    "Linear without bias on a sequence": (
        lambda: nn.Linear(D, 7, bias=False),
        (N, L, D),
        2 * N * L * D * 7,
    ),
    "Conv1d": (lambda: nn.Conv1d(C, 6, 3), (N, C, L), 2 * N * 6 * C * 3 * (L - 2)),
    "Conv2d with padding": (
        lambda: nn.Conv2d(C, 6, 3, padding=1),
        (N, C, H, H),
        2 * N * 6 * C * 9 * H * H,
    ),
    "Conv2d with stride": (
        lambda: nn.Conv2d(C, 6, 3, stride=2),
        (N, C, H, H),
        2 * N * 6 * C * 9 * 4 * 4,
    ),
    "Conv2d, grouped": (
        lambda: nn.Conv2d(C, 8, 3, padding=1, groups=4),
        (N, C, H, H),
        2 * N * 8 * (C // 4) * 9 * H * H,
    ),
    "Conv2d, depthwise": (
        lambda: nn.Conv2d(C, C, 3, padding=1, groups=C),
        (N, C, H, H),
        2 * N * C * 9 * H * H,
    ),
    "Conv3d": (lambda: nn.Conv3d(2, 4, 2), (N, 2, 4, 4, 4), 2 * N * 4 * 2 * 8 * 27),
    "ConvTranspose2d": (
        lambda: nn.ConvTranspose2d(C, 6, 2, stride=2),
        (N, C, H, H),
        2 * N * C * 6 * 4 * H * H,
    ),
    "MultiheadAttention": (
        lambda: _SelfAttention(D, 4),
        (N, L, D),
        # q, k, v and output projections, then scores and weighted sum
        4 * 2 * N * L * D * D + 2 * 2 * N * L * L * D,
    ),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(D, 4, 4 * D, dropout=0.0, batch_first=True),
        (N, L, D),
        4 * 2 * N * L * D * D + 2 * 2 * N * L * L * D + 2 * 2 * N * L * D * 4 * D,
    ),
    "RNNCell": (lambda: nn.RNNCell(D, 6), (N, D), 2 * N * (D + 6) * 6),
}


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_costs_what_its_closed_form_says(name: str) -> None:
    make, shape, expected = LAYERS[name]
    layer, x = make(), torch.randn(shape)
    assert flops.count(lambda: layer(x)).flops == expected


def test_backward_of_a_linear_layer_costs_two_more_products() -> None:
    layer, x = nn.Linear(D, 7), torch.randn(N, D, requires_grad=True)
    assert flops.count(lambda: layer(x).sum().backward()).flops == 3 * 2 * N * D * 7
    first = torch.randn(N, D)  # nobody asks for the gradient of the data
    assert flops.count(lambda: layer(first).sum().backward()).flops == 2 * 2 * N * D * 7


def test_operations_without_a_formula_are_named_and_views_are_not() -> None:
    x = torch.randn(4, 4)
    work = flops.count(lambda: torch.relu(x @ x.T) + 1)
    assert work.uncounted == {"aten.relu": 1, "aten.add": 1}
    assert work.calls == {"aten.mm": 1}
    assert work.by_op == {"aten.mm": 2 * 4**3}


def test_a_fused_lstm_is_named_as_not_counted() -> None:
    layer, x = nn.LSTM(4, 3), torch.randn(5, 2, 4)
    with torch.no_grad():
        work = flops.count(lambda: layer(x))
    assert work.flops == 0 or not any("lstm" in name or "rnn" in name for name in work.uncounted)
    assert work.flops > 0 or any("lstm" in name or "rnn" in name for name in work.uncounted)


def test_bytes_moved_are_those_read_and_written() -> None:
    a, b = torch.randn(8, 4), torch.randn(4, 2)
    assert flops.count(lambda: a @ b).moved == 4 * (8 * 4 + 4 * 2 + 8 * 2)
    assert flops.count(lambda: a.view(32)).moved == 0


def test_modules_share_the_whole() -> None:
    made = subject.make(Spec(width=16, depth=2, batch_size=4))
    forward = timing.calls(Spec(), made)["forward"]
    work = flops.count(forward)
    layers = {n: sum(ops.values()) for n, ops in work.by_module.items()}
    assert work.flops == 2 * 4 * (16 * 16 * 2 + 16 * 10)
    assert layers["Sequential"] == work.flops
    assert sum(v for n, v in layers.items() if n != "Sequential") == work.flops
