"""Laws of the convolution explorer: geometry, sums, cost and refusals agree with torch."""

import itertools
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models import convolution
from models.convolution import NOTHING, Spec
from models.core import export
from models.core.spec import SpecError


def settings(count: int) -> list[dict]:
    """Random settings over the whole space, valid and invalid alike; the same ones every time."""
    draw = random.Random(7)
    made = []
    for i in range(count):
        s = _setting(draw, i)
        if (
            s["op"] != "conv" and draw.random() < 0.9
        ):  # most of the other layers' settings have a chance
            s |= {"padding": draw.choice(("number", "valid")), "padding_mode": "zeros"}
        if s["op"] == "avg_pool" and draw.random() < 0.9:
            s |= {"dilation": 1, "dilation_width": 0}
        if s["op"] != "conv_transpose":
            s |= {"output_padding": int(draw.random() < 0.02), "output_padding_width": -1}
        if s["padding"] == "causal" and draw.random() < 0.8:
            s["dims"] = 1
        made.append(s)
    return made


def _setting(draw: random.Random, i: int) -> dict:
    return {
        "op": draw.choice(("conv", "conv", *convolution.OPS)),
        "dims": draw.choice((1, 2)),
        "height": draw.randint(1, 9),
        "width": draw.randint(1, 9),
        "in_channels": draw.choice((1, 2, 4)),
        "out_channels": draw.choice((1, 2, 4)),
        "kernel_size": draw.randint(1, 4),
        "kernel_width": draw.choice((0, 0, 1, 2, 5)),
        "stride": draw.choice((1, 1, 2, 3)),
        "stride_width": draw.choice((0, 0, 1, 2)),
        "padding": draw.choice(("number",) * 5 + ("same", "valid", "asymmetric", "causal")),
        "pad": draw.randint(0, 3),
        "pad_width": draw.choice((-1, -1, 0, 2)),
        "pad_left": draw.randint(0, 3),
        "pad_right": draw.randint(0, 3),
        "pad_top": draw.randint(0, 3),
        "pad_bottom": draw.randint(0, 3),
        "padding_mode": draw.choice(("zeros",) * 3 + ("reflect", "replicate", "circular")),
        "dilation": draw.choice((1, 1, 2)),
        "dilation_width": draw.choice((0, 0, 3)),
        "groups": draw.choice((1, 1, 2, 4)),
        "output_padding": draw.choice((0, 0, 0, 1)),
        "output_padding_width": draw.choice((-1, -1, -1, 0, 1, 2)),
        "output_size": draw.randint(1, 5),
        "output_width": draw.choice((0, 0, 1, 4)),
        "bias": draw.random() < 0.5,
        "count_include_pad": draw.random() < 0.7,
        "pattern": draw.choice(("integers", "normal", "ramp")),
        "seed": i,
    }


def by_torch(s: dict) -> torch.Tensor:
    """The layer called straight through torch.nn, with no help of the module under test; raises what torch raises."""
    dims, op = s["dims"], s["op"]
    axis = slice(2 - dims, 2)

    def both(a: int, b: int, copies: int) -> tuple[int, ...]:
        return (a, a if b == copies else b)[axis]

    kernel = both(s["kernel_size"], s["kernel_width"], 0)
    stride = both(s["stride"], s["stride_width"], 0)
    dilation = both(s["dilation"], s["dilation_width"], 0)
    pad = both(s["pad"], s["pad_width"], -1)
    x = torch.zeros(1, s["in_channels"], *(s["height"], s["width"])[axis])
    if op.startswith("adaptive"):
        name = {"adaptive_max_pool": "AdaptiveMaxPool", "adaptive_avg_pool": "AdaptiveAvgPool"}[op]
        return getattr(nn, f"{name}{dims}d")(both(s["output_size"], s["output_width"], 0))(x)
    if s["padding"] == "asymmetric":
        sides = (s["pad_left"], s["pad_right"], s["pad_top"], s["pad_bottom"])[: 2 * dims]
        mode = "constant" if s["padding_mode"] == "zeros" else s["padding_mode"]
        x = F.pad(x, sides, mode=mode)
        pad = (0,) * dims
    elif s["padding"] == "causal":
        mode = "constant" if s["padding_mode"] == "zeros" else s["padding_mode"]
        x = F.pad(x, (dilation[0] * (kernel[0] - 1), 0), mode=mode)
        pad = (0,)
    elif s["padding"] == "valid":
        pad = (0,) * dims
    if op == "max_pool":
        return getattr(nn, f"MaxPool{dims}d")(kernel, stride, pad, dilation)(x)
    if op == "avg_pool":
        return getattr(nn, f"AvgPool{dims}d")(
            kernel, stride, pad, count_include_pad=s["count_include_pad"]
        )(x)
    if op == "conv_transpose":
        return getattr(nn, f"ConvTranspose{dims}d")(
            s["in_channels"], s["out_channels"], kernel, stride, pad,
            both(s["output_padding"], s["output_padding_width"], -1), s["groups"], s["bias"], dilation,
        )(x)  # fmt: skip
    return getattr(nn, f"Conv{dims}d")(
        s["in_channels"], s["out_channels"], kernel, stride,
        "same" if s["padding"] == "same" else pad,
        dilation, s["groups"], s["bias"], s["padding_mode"],
    )(x)  # fmt: skip


def not_torchs(s: dict) -> bool:
    """Options that torch's layer has no argument for, so that only our sentence can refuse them."""
    other, other_than_transposed = s["op"] != "conv", s["op"] != "conv_transpose"
    across = s["dilation_width"] or s["dilation"]
    dilation = across if s["dims"] == 1 else max(s["dilation"], across)
    return bool(
        (other and s["padding"] in ("same", "causal"))
        or (s["padding"] == "causal" and s["dims"] == 2)
        or (s["op"] == "conv_transpose" and s["padding"] == "asymmetric")
        or (other and s["padding_mode"] != "zeros")
        or (s["op"] == "avg_pool" and dilation > 1)
        or (s["op"] == "avg_pool" and s["padding"] == "asymmetric" and not s["count_include_pad"])
        or (other and s["padding"] == "same")
        or (max(s["output_padding"], s["output_padding_width"]) > 0 and other_than_transposed)
    )


def test_settings_are_accepted_exactly_when_torch_accepts_them_and_give_its_shape():
    accepted = refused = 0
    for s in settings(5000):
        if not_torchs(s):
            with pytest.raises(SpecError):
                Spec(**s)
            continue
        try:
            shape = by_torch(s).shape[1:]
            if 0 in shape:
                raise ValueError("torch makes an output without cells, which shows nothing")
        except (RuntimeError, ValueError):
            refused += 1
            with pytest.raises(SpecError):
                Spec(**s)
            continue
        accepted += 1
        result = convolution.run(Spec(**s))
        expected = shape if s["dims"] == 2 else (shape[0], 1, shape[1])
        assert tuple(result.y.shape) == tuple(expected), s
        assert tuple(a.out for a in result.axes) == tuple(result.y.shape[1:])
    assert accepted >= 1500
    assert refused >= 400


def test_the_written_out_sums_give_every_output_cell():
    checked = 0
    for s in settings(2000):
        try:
            spec = Spec(**s)
        except SpecError:
            continue
        result = convolution.run(spec)
        cells = list(itertools.product(*map(range, result.y.shape)))
        for cell in random.Random(s["seed"]).sample(cells, min(4, len(cells))):
            total = sum(
                t.value * t.weight for t in convolution.terms(spec, result, *cell) if t.weight != 0
            )
            total += float(result.bias[cell[0]]) if result.bias is not None else 0.0
            assert total == pytest.approx(float(result.y[cell]), abs=1e-4), (s, cell)
            checked += 1
    assert checked > 2000


def test_taps_are_exactly_the_cells_that_carry_gradient():
    for s in settings(300):
        try:
            spec = Spec(**s)
        except SpecError:
            continue
        if not convolution.has_weights(spec):
            continue
        result = convolution.run(spec)
        layer = convolution.make_layer(spec)
        with torch.no_grad():
            for p in layer.parameters():
                p.fill_(1.0)
        x = result.x.clone().requires_grad_()
        shown = x[None] if spec.dims == 2 else x[None, :, 0]
        y = layer(shown)[0]
        y = y if spec.dims == 2 else y[:, None]
        cell = tuple(n // 2 for n in y.shape)
        (grad,) = torch.autograd.grad(y[cell], x)
        seen = np.zeros(tuple(x.shape))
        for term in convolution.terms(spec, result, *cell):
            if term.cell:
                seen[term.cell] += 1
        np.testing.assert_allclose(seen, grad.numpy())


def test_the_cost_is_what_torch_counts():
    from torch.utils.flop_counter import FlopCounterMode

    for s in settings(400):
        try:
            spec = Spec(**s)
        except SpecError:
            continue
        layer = convolution.make_layer(spec)
        cost = convolution.cost(spec)
        assert cost.parameters == sum(p.numel() for p in layer.parameters())
        if not convolution.has_weights(spec):
            assert cost.multiply_adds == 0
            continue
        x = convolution.make_input(spec)[None]
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            layer(x if spec.dims == 2 else x[:, :, 0])
        assert counter.get_total_flops() == 2 * cost.multiply_adds, s


def test_unfold_and_one_matrix_product_give_the_convolution():
    compared = 0
    for s in settings(1500):
        try:
            spec = Spec(**{**s, "bias": False})
        except SpecError:
            continue
        if spec.op != "conv":
            continue
        _, columns, product = convolution.as_matmul(spec)
        result = convolution.run(spec)
        torch.testing.assert_close(product.reshape(result.y.shape), result.y)
        assert columns.shape[1] == result.y[0].numel()
        compared += 1
    assert compared > 100
    with pytest.raises(SpecError, match="unfold"):
        convolution.as_matmul(Spec(op="max_pool"))


@pytest.mark.parametrize(
    ("size", "stride", "expected"), [(6, 1, 0), (6, 2, 1), (7, 2, 0), (5, 3, 2)]
)
def test_dropped_cells_are_those_no_window_reaches(size, stride, expected):
    spec = Spec(height=size, width=size, kernel_size=3, stride=stride)
    axis = convolution.run(spec).axes[1]
    assert convolution.dropped(spec, axis) == expected
    reached = convolution.taps(spec, axis).max() + 1
    assert axis.padded - reached == expected


def test_adaptive_windows_of_unequal_length_mark_what_is_no_tap():
    spec = Spec(op="adaptive_avg_pool", height=5, width=5, output_size=3)
    table = convolution.taps(spec, convolution.run(spec).axes[1])
    assert table.tolist() == [[0, 1, NOTHING], [1, 2, 3], [3, 4, NOTHING]]


def test_true_convolution_is_scipys_and_the_plain_one_is_cross_correlation():
    from scipy import signal  # comes with scikit-learn

    plain, turned = (convolution.run(Spec(flip=flip, pattern="normal")) for flip in (False, True))
    assert plain.weight is not None
    x, kernel = plain.x[0].numpy(), plain.weight[0, 0].numpy()
    np.testing.assert_allclose(plain.y[0], signal.correlate2d(x, kernel, "valid"), atol=1e-5)
    np.testing.assert_allclose(turned.y[0], signal.convolve2d(x, kernel, "valid"), atol=1e-5)


def test_depthwise_channels_never_meet():
    spec = Spec(in_channels=4, out_channels=4, groups=4)
    result = convolution.run(spec)
    for channel in range(4):
        read = {t.cell[0] for t in convolution.terms(spec, result, channel, 1, 1) if t.cell}
        assert read == {channel}


@pytest.mark.parametrize(
    ("bad", "good", "word"),
    [
        ({"kernel_size": 7}, {"kernel_size": 6}, "reaches over 7 cells"),
        ({"dilation": 3}, {"dilation": 2}, "reaches over 7 cells"),
        ({"groups": 2, "in_channels": 3, "out_channels": 2}, {"groups": 2, "in_channels": 2, "out_channels": 2}, "does not divide"),
        ({"padding": "same", "stride": 2}, {"padding": "same"}, "only with stride 1"),
        ({"padding_mode": "reflect", "pad": 6}, {"padding_mode": "reflect", "pad": 5}, "mirrors at most 5"),
        ({"padding_mode": "circular", "pad": 7}, {"padding_mode": "circular", "pad": 6}, "wraps at most 6"),
        ({"op": "max_pool", "pad": 2}, {"op": "max_pool", "pad": 1}, "at most half"),
        ({"op": "conv_transpose", "output_padding": 1}, {"op": "conv_transpose", "output_padding": 1, "stride": 2}, "must stay below"),
        ({"op": "conv_transpose", "pad": 4}, {"op": "conv_transpose", "pad": 3}, "none is left"),
        ({"padding": "causal"}, {"padding": "causal", "dims": 1}, "for sequences"),
        ({"pattern": "typed", "values": "1,2"}, {"pattern": "typed", "values": ",".join("1" * 36)}, "takes 36"),
        ({"weights": "1,x,3,4,5,6,7,8,9"}, {"weights": "1,2,3,4,5,6,7,8,9"}, "number 2"),
    ],
)  # fmt: skip
def test_a_contradiction_is_explained_with_its_numbers_and_the_nearest_valid_setting_works(
    bad, good, word
):
    with pytest.raises(SpecError, match=word):
        Spec(**bad)
    convolution.run(Spec(**good))


def test_largest_sizes_stay_within_what_can_be_drawn():
    result = convolution.run(
        Spec(height=64, width=64, kernel_size=64, padding="same", in_channels=16, out_channels=16)
    )
    assert tuple(result.y.shape) == (16, 64, 64)
    with pytest.raises(SpecError, match="draws at most"):
        Spec(op="conv_transpose", height=64, width=64, stride=64)


@pytest.mark.parametrize(
    "spec",
    [
        Spec(),
        Spec(dims=1, padding="causal", kernel_size=3, dilation=2, bias=True),
        Spec(op="conv_transpose", stride=2, output_padding=1),
        Spec(op="avg_pool", pad=1, count_include_pad=False),
        Spec(padding="asymmetric", padding_mode="reflect", groups=2, in_channels=2, out_channels=4),
        Spec(op="adaptive_max_pool", dims=1),
    ],
    ids=lambda s: f"{s.op}{s.dims}d-{s.padding}",
)
def test_the_export_prints_the_same_numbers(spec, tmp_path):
    printed = export.numbers(export.run(convolution.to_code(spec), tmp_path))
    assert printed == pytest.approx(convolution.numbers(convolution.run(spec)))
