"""Counted FLOPs against closed forms, layer by layer; what has no formula is named."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

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


def _convolutions() -> Iterator[tuple[str, nn.Module, tuple[int, ...], int]]:
    """Name, layer, shape of its input, closed form of forward: places of the kernel × weights × batch × 2."""
    plain = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    transposed = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    settings = itertools.product(
        (1, 2, 3), (1, 2, 4), (1, 2), (1, 2), (0, 1), (False, True), (False, True)
    )
    for dims, groups, stride, dilation, padding, bias, turned in settings:
        side, kernel, channels, out = 7, 2, 4, 8
        layer = (transposed if turned else plain)[dims - 1](
            channels, out, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=bias
        )  # fmt: skip
        reach = dilation * (kernel - 1)
        along = side if turned else (side + 2 * padding - reach - 1) // stride + 1
        weights = channels * out // groups * kernel**dims
        yield str(layer), layer, (N, channels, *[side] * dims), 2 * N * along**dims * weights


def test_both_gradients_of_every_convolution_cost_what_forward_does() -> None:
    for name, layer, shape, forward in _convolutions():
        data, between = torch.randn(shape), torch.randn(shape, requires_grad=True)
        assert flops.count(lambda m=layer, x=data: m(x)).flops == forward, name
        # nobody asks for the gradient of the data
        work = flops.count(lambda m=layer, x=data: m(x).sum().backward())
        assert work.flops == 2 * forward, name
        work = flops.count(lambda m=layer, x=between: m(x).sum().backward())
        assert work.flops == 3 * forward, name


def test_a_grouped_convolution_forward_and_backward_as_counted_by_hand() -> None:
    layer, x = nn.Conv2d(4, 8, 3, groups=2), torch.randn(2, 4, 10, 10, requires_grad=True)
    # 2 samples, 8 × 8 places, 8 × 2 × 3 × 3 weights, two operations each; forward and two gradients
    assert flops.count(lambda: layer(x).sum().backward()).flops == 3 * 2 * 64 * 144 * 2 == 110_592


def test_a_network_of_depthwise_convolutions_costs_what_its_layers_do() -> None:
    made = subject.make(Spec(model="mobilenet_v3_small", batch_size=2))
    forward: list[int] = []

    def note(layer: nn.Module, given: tuple[torch.Tensor], out: torch.Tensor) -> None:
        places = out[:, 0].numel() if out.dim() == 4 else len(out)
        forward.append(2 * places * layer.weight.numel())  # type: ignore[union-attr]  # both kinds have one

    for layer in made.model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(note)
    step = flops.count(timing.calls(Spec(), made)["full step"])
    assert step.flops == 3 * sum(forward) - forward[0]  # the picture itself gets no gradient


PRODUCTS: dict[str, tuple[Callable[..., torch.Tensor], tuple[tuple[int, ...], ...], int]] = {
    "dot": (torch.dot, ((D,), (D,)), 2 * D),
    "mv": (torch.mv, ((C, D), (D,)), 2 * C * D),
    "mm": (torch.mm, ((C, D), (D, L)), 2 * C * D * L),
    "bmm": (torch.bmm, ((N, C, D), (N, D, L)), 2 * N * C * D * L),
    "addmv": (torch.addmv, ((C,), (C, D), (D,)), 2 * C * D),
    "addmm": (torch.addmm, ((C, L), (C, D), (D, L)), 2 * C * D * L),
    "baddbmm": (torch.baddbmm, ((N, C, L), (N, C, D), (N, D, L)), 2 * N * C * D * L),
    "addbmm": (torch.addbmm, ((C, L), (N, C, D), (N, D, L)), 2 * N * C * D * L),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_every_matrix_product_has_its_formula(name: str) -> None:
    call, shapes, expected = PRODUCTS[name]
    assert flops.count(lambda: call(*map(torch.randn, shapes))).flops == expected


def test_attention_costs_two_products_forward_and_five_backward() -> None:
    q, k, v = (torch.randn(N, 2, L, D, requires_grad=True) for _ in range(3))
    product = 2 * N * 2 * L * L * D

    def attend() -> torch.Tensor:
        return nn.functional.scaled_dot_product_attention(q, k, v)

    assert flops.count(attend).flops == 2 * product
    # backward forms the scores again, and has two gradients for each of the two products
    assert flops.count(lambda: attend().sum().backward()).flops == (2 + 5) * product


@pytest.mark.parametrize("layer", [nn.LSTM(4, 3), nn.GRU(4, 3), nn.RNN(4, 3, bidirectional=True)])
@pytest.mark.parametrize("backward", [False, True])
def test_a_recurrent_layer_is_counted_in_whole_or_said_to_be_left_out(
    layer: nn.RNNBase, backward: bool
) -> None:
    steps, batch = 5, 2
    x = torch.randn(steps, batch, 4, requires_grad=True)
    h = torch.randn(layer.num_layers * (1 + layer.bidirectional), batch, 3, requires_grad=True)
    start = (h, h) if isinstance(layer, nn.LSTM) else h
    work = flops.count(lambda: layer(x, start)[0].sum().backward() if backward else layer(x, start))
    products = 2 * steps * batch * sum(p.numel() for p in layer.parameters() if p.dim() == 2)
    if flops.fused(work.uncounted):
        assert "lower bound" in flops.left_out(work.uncounted)
    else:
        assert work.flops == (3 if backward else 1) * products
        assert flops.left_out(work.uncounted) == ""


def test_fused_attention_of_an_encoder_at_rest_is_said_to_be_left_out() -> None:
    layer = nn.TransformerEncoderLayer(D, 4, 4 * D, batch_first=True).eval()
    with torch.no_grad():
        work = flops.count(lambda: layer(torch.randn(N, L, D)))
    assert work.flops == 0
    assert "_transformer_encoder_layer_fwd" in flops.left_out(work.uncounted)
    assert flops.left_out({"aten.relu": 3, "aten.im2col": 1, "aten.native_layer_norm": 2}) == ""


def test_operations_without_a_formula_are_named_and_views_are_not() -> None:
    x = torch.randn(4, 4)
    work = flops.count(lambda: torch.relu(x @ x.T) + 1)
    assert work.uncounted == {"aten.relu": 1, "aten.add": 1}
    assert work.calls == {"aten.mm": 1}
    assert work.by_op == {"aten.mm": 2 * 4**3}


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
