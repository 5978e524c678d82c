"""Convolution and pooling, cell by cell: which inputs made each output, with which weight."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.core import export, seeding
from models.core import spec as core
from models.core.calls import Call
from models.core.spec import SpecError, knob

OPS = (
    "conv",
    "conv_transpose",
    "max_pool",
    "avg_pool",
    "adaptive_max_pool",
    "adaptive_avg_pool",
)
PATTERNS = ("integers", "normal", "ramp", "checkerboard", "impulse", "typed")
MAX_CELLS = 65_536  # numbers of one tensor that a browser draws and a learner can still find

ZERO = -1  # a tap that reads padding: zero, or minus infinity under max pooling
NOTHING = -2  # no tap at all: adaptive windows differ in length


@dataclass(frozen=True)
class Spec(core.Spec):
    """One layer and its input; a size of 0 for the width copies the height (a square)."""

    op: str = knob("conv", "Which layer slides over the input.", label="Layer", choices=OPS)
    dims: int = knob(2, "1 for sequences, 2 for images.", label="Dimensions", choices=(1, 2))
    height: int = knob(6, "Rows of the input (2-D only).", minimum=1, maximum=64)
    width: int = knob(6, "Columns of the input, or the length in 1-D.", minimum=1, maximum=64)
    in_channels: int = knob(
        1, "Planes of the input.", label="Input channels", minimum=1, maximum=16
    )
    out_channels: int = knob(
        1, "Planes of the output: one filter each.", label="Output channels", minimum=1, maximum=16
    )
    kernel_size: int = knob(3, "Cells the window covers per axis.", minimum=1, maximum=64)
    kernel_width: int = knob(
        0, "Columns of a rectangular window; 0 copies kernel_size.", minimum=0, maximum=64
    )
    stride: int = knob(1, "Cells the window moves each time.", minimum=1, maximum=64)
    stride_width: int = knob(0, "Stride along columns; 0 copies stride.", minimum=0, maximum=64)
    padding: str = knob(
        "number",
        "How the border is widened: by a number, so that the size stays ('same'), not at all, per side, or only to the left.",
        choices=("number", "same", "valid", "asymmetric", "causal"),
    )
    pad: int = knob(
        0, "Cells added on every side.", label="Padding on every side", minimum=0, maximum=64
    )
    pad_width: int = knob(
        -1,
        "Cells added left and right; -1 copies pad.",
        label="Padding left and right",
        minimum=-1,
        maximum=64,
    )
    pad_left: int = knob(
        1, "Cells added on the left.", label="Padding on the left", minimum=0, maximum=64
    )
    pad_right: int = knob(
        0, "Cells added on the right.", label="Padding on the right", minimum=0, maximum=64
    )
    pad_top: int = knob(1, "Cells added on top.", label="Padding on top", minimum=0, maximum=64)
    pad_bottom: int = knob(
        0, "Cells added at the bottom.", label="Padding at the bottom", minimum=0, maximum=64
    )
    padding_mode: str = knob(
        "zeros",
        "What the added cells hold.",
        choices=("zeros", "reflect", "replicate", "circular"),
    )
    dilation: int = knob(1, "Distance between the window's cells.", minimum=1, maximum=64)
    dilation_width: int = knob(
        0, "Dilation along columns; 0 copies dilation.", minimum=0, maximum=64
    )
    groups: int = knob(
        1,
        "Channel groups that never meet; in_channels of them is depthwise.",
        minimum=1,
        maximum=16,
    )
    output_padding: int = knob(
        0, "Cells added to one side of a transposed output.", minimum=0, maximum=63
    )
    output_padding_width: int = knob(
        -1, "The same along columns; -1 copies output_padding.", minimum=-1, maximum=63
    )
    output_size: int = knob(3, "Cells per axis that adaptive pooling makes.", minimum=1, maximum=64)
    output_width: int = knob(
        0, "Columns of a rectangular adaptive output; 0 copies output_size.", minimum=0, maximum=64
    )
    flip: bool = knob(
        False,
        "Turn the kernel by 180°: mathematicians' convolution. PyTorch's own is cross-correlation.",
        label="Turn the kernel",
    )
    bias: bool = knob(False, "Add one learned number per output channel.")
    count_include_pad: bool = knob(
        True,
        "Whether average pooling counts the padding in its divisor.",
        label="Count the padding",
    )
    pattern: str = knob(
        "integers", "What the input holds.", label="Input pattern", choices=PATTERNS
    )
    values: str = knob(
        "",
        "Typed input cells, row by row, separated by commas.",
        label="Input cells",
        max_chars=20_000,
    )
    weights: str = knob(
        "", "Typed weights, filter by filter and row by row; empty draws them.", max_chars=20_000
    )
    seed: int = knob(0, "Seed of drawn inputs and weights.", minimum=0, maximum=2**31 - 1)

    def check(self) -> None:
        _check_options(self)
        axes = _axes(self)
        for axis in axes:
            _check_axis(self, axis)
        cells = {
            "input": self.in_channels * _product(a.size for a in axes),
            "output": channels_out(self) * _product(a.out for a in axes),
        }
        for name, count in cells.items():
            if count > MAX_CELLS:
                raise SpecError(
                    f"The {name} has {count:,} cells; the page draws at most {MAX_CELLS:,}. "
                    "Make the input or the number of channels smaller."
                )
        if self.pattern == "typed":
            _typed(self.values, cells["input"], "values")
        if self.weights and has_weights(self):
            _typed(self.weights, _product(weight_shape(self)), "weights")


@dataclass(frozen=True)
class Axis:
    """One spatial axis with everything resolved: sizes in cells.

    `before` and `after` are the padding on the two sides (for a transposed layer: what is cropped).
    """

    name: str
    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    out: int

    @property
    def span(self) -> int:
        """Cells from the window's first to its last, the holes of dilation included."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def padded(self) -> int:
        """Cells of the padded input."""
        return self.size + self.before + self.after


@dataclass(frozen=True)
class Cost:
    """What the layer costs for one input: counts, and bytes in float32."""

    parameters: int
    multiply_adds: int
    input_bytes: int
    output_bytes: int
    receptive_field: tuple[int, ...]


@dataclass(frozen=True)
class Result:
    """The layer's numbers and its geometry.

    Shape:
        x: (C_in, H, W); weight: (C_out, C_in / groups, kH, kW), for a transposed layer
            (C_in, C_out / groups, kH, kW), for pooling None; bias: (C_out,) or None; y: (C_out, H_out, W_out).
            In 1-D, H, kH and H_out are 1.
        pad_value: what a ZERO tap reads: 0, or minus infinity under max pooling.
        taps: per axis (out, kernel) int64: the input index that each kernel cell reads, or ZERO or NOTHING.
    """

    x: Tensor
    weight: Tensor | None
    bias: Tensor | None
    y: Tensor
    axes: tuple[Axis, ...]
    taps: tuple[np.ndarray, ...]
    pad_value: float
    cost: Cost


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """The layer applied by torch to its input, with the geometry of every output cell."""
    x = make_input(spec)
    layer = make_layer(spec)
    with torch.no_grad():
        y = layer(x.to(device)[None] if spec.dims == 2 else x.to(device)[None, :, 0])[0].cpu()
    if spec.dims == 1:
        y = y[:, None]
    inner = layer[-1] if isinstance(layer, nn.Sequential) else layer
    weight = getattr(inner, "weight", None)
    if weight is not None:
        weight = weight.detach().cpu()
        weight = weight[:, :, None] if spec.dims == 1 else weight
    bias = getattr(inner, "bias", None)
    return Result(
        x=x,
        weight=weight,
        bias=None if bias is None else bias.detach().cpu(),
        y=y,
        axes=_axes2(spec),
        taps=tuple(taps(spec, axis) for axis in _axes2(spec)),
        pad_value=pad_value(spec),
        cost=cost(spec),
    )


def numbers(result: Result) -> dict[str, float]:
    """What the exported script prints."""
    c, h, w = result.y.shape
    return {
        "out_channels": c,
        "out_height": h,
        "out_width": w,
        "parameters": result.cost.parameters,
        "total": float(result.y.sum()),
        "largest": float(result.y.max()),
    }


def windows(spec: Spec, axis: Axis) -> np.ndarray:
    """Where in the padded input each kernel cell stands, for every output index of one axis.

    Shape: (out, kernel) int64; NOTHING where there is no tap (adaptive windows differ in length, and a
    transposed kernel cell falls between the inputs that the stride spreads).
    """
    out = np.arange(axis.out)[:, None]
    if spec.op.startswith("adaptive"):
        start = out * axis.size // axis.out
        end = -(-(out + 1) * axis.size // axis.out)
        index = start + np.arange(int((end - start).max()))[None]
        return np.where(index < end, index, NOTHING)
    cell = np.arange(axis.kernel)[None] * axis.dilation
    if spec.op == "conv_transpose":
        index, rest = np.divmod(out + axis.before - cell, axis.stride)
        inside = (rest == 0) & (index >= 0) & (index < axis.size)
        return np.where(inside, index, NOTHING)
    return out * axis.stride + cell


def sources(spec: Spec, axis: Axis) -> np.ndarray:
    """Which input index each cell of the padded axis shows. Shape: (padded,) int64; ZERO for a constant."""
    if spec.op == "conv_transpose" or spec.op.startswith("adaptive"):
        return np.arange(axis.size)
    index = np.arange(axis.padded) - axis.before
    if spec.padding_mode == "replicate":
        return index.clip(0, axis.size - 1)
    if spec.padding_mode == "circular":
        return index % axis.size
    if spec.padding_mode == "reflect" and axis.size > 1:
        index = np.abs(index)  # the border cell itself is not repeated
        return np.where(index >= axis.size, 2 * (axis.size - 1) - index, index)
    return np.where((index >= 0) & (index < axis.size), index, ZERO)


def taps(spec: Spec, axis: Axis) -> np.ndarray:
    """Which input index each kernel cell reads, for every output index of one axis.

    Shape: (out, kernel) int64; ZERO for a padding cell of constant value, NOTHING where there is no tap.
    """
    where = windows(spec, axis)
    return np.where(where == NOTHING, NOTHING, sources(spec, axis)[where.clip(0)])


def pad_value(spec: Spec) -> float:
    """What a padding cell holds: 0, or minus infinity where max pooling pads by itself."""
    return -np.inf if spec.op == "max_pool" and spec.padding == "number" else 0.0


@dataclass(frozen=True)
class Term:
    """One product of an output's sum: `value` × `weight`, read at `cell` (channel, row, column), or from padding (None)."""

    cell: tuple[int, int, int] | None
    value: float
    weight: float


def terms(spec: Spec, result: Result, channel: int, row: int, column: int) -> tuple[Term, ...]:
    """The written-out sum behind one output cell, in the order of the weight's cells.

    For max pooling the weight is 1 at the (first) largest cell and 0 elsewhere; for average pooling one over the
    divisor. The bias is not a term.
    """
    down, across = (t[i] for t, i in zip(result.taps, (row, column), strict=True))
    cells = [
        (ky, kx, int(y), int(x))
        for ky, y in enumerate(down)
        for kx, x in enumerate(across)
        if NOTHING not in (y, x)
    ]
    found = []
    for source, weights in _sources(spec, result, channel):
        for ky, kx, y, x in cells:
            inside = y >= 0 and x >= 0
            value = float(result.x[source, y, x]) if inside else result.pad_value
            weight = 1.0 if weights is None else float(weights[ky, kx])
            found.append(Term((source, y, x) if inside else None, value, weight))
    if has_weights(spec):
        return tuple(found)
    if "max" in spec.op:
        winner = max(range(len(found)), key=lambda i: found[i].value)
        weights = [float(i == winner) for i in range(len(found))]
    else:
        counted = [1.0 if spec.count_include_pad or t.cell else 0.0 for t in found]
        weights = [c / sum(counted) for c in counted]
    return tuple(Term(t.cell, t.value, w) for t, w in zip(found, weights, strict=True))


def _sources(s: Spec, result: Result, channel: int) -> list[tuple[int, Tensor | None]]:
    """The input channels that feed one output channel, each with its (kH, kW) weights."""
    if result.weight is None:
        return [(channel, None)]
    group = channel // (s.out_channels // s.groups)
    first = group * (s.in_channels // s.groups)
    count = s.in_channels // s.groups
    if s.op == "conv_transpose":
        inner = channel % (s.out_channels // s.groups)
        return [(c, result.weight[c, inner]) for c in range(first, first + count)]
    return [(first + i, result.weight[channel, i]) for i in range(count)]


def dropped(spec: Spec, axis: Axis) -> int:
    """Cells at the end of the padded axis that no window reaches, because the stride does not divide."""
    if spec.op not in ("conv", "max_pool", "avg_pool"):
        return 0
    return (axis.padded - axis.span) % axis.stride


def formula(spec: Spec, axis: Axis) -> str:
    """The output size of one axis, with its numbers filled in."""
    if spec.op.startswith("adaptive"):
        return f"{axis.name}: output_size = {axis.out}"
    if spec.op == "conv_transpose":
        return (
            f"{axis.name}: ({axis.size} − 1) × {axis.stride} − {axis.before} − {axis.after} + "
            f"{axis.dilation} × ({axis.kernel} − 1) + {_extra(spec, axis.name)} + 1 = {axis.out}"
        )
    return (
        f"{axis.name}: ⌊({axis.size} + {axis.before} + {axis.after} − {axis.dilation} × "
        f"({axis.kernel} − 1) − 1) / {axis.stride}⌋ + 1 = {axis.out}"
    )


def has_weights(spec: Spec) -> bool:
    """Whether the layer learns: pooling does not."""
    return spec.op in ("conv", "conv_transpose")


def channels_out(spec: Spec) -> int:
    """Planes of the output; pooling keeps those of the input."""
    return spec.out_channels if has_weights(spec) else spec.in_channels


def weight_shape(spec: Spec) -> tuple[int, ...]:
    """Shape of the layer's weight as torch stores it, in 1-D without the height."""
    kernel = tuple(axis.kernel for axis in _axes(spec))
    if spec.op == "conv_transpose":
        return (spec.in_channels, spec.out_channels // spec.groups, *kernel)
    return (spec.out_channels, spec.in_channels // spec.groups, *kernel)


def cost(spec: Spec) -> Cost:
    """Parameters, multiply-adds of one forward pass, bytes and receptive field, by the closed forms.

    Padding cells count as multiply-adds, as the usual counters do; pooling has none.
    """
    axes = _axes(spec)
    inputs, outputs = _product(a.size for a in axes), _product(a.out for a in axes)
    parameters = multiply_adds = 0
    if has_weights(spec):
        per_filter = _product(weight_shape(spec))
        parameters = per_filter + (spec.out_channels if spec.bias else 0)
        multiply_adds = per_filter * (inputs if spec.op == "conv_transpose" else outputs)
    return Cost(
        parameters=parameters,
        multiply_adds=multiply_adds,
        input_bytes=4 * spec.in_channels * inputs,
        output_bytes=4 * channels_out(spec) * outputs,
        receptive_field=tuple(_receptive_field(spec, axis) for axis in axes),
    )


def as_matmul(spec: Spec) -> tuple[Tensor, Tensor, Tensor]:
    """The convolution as one matrix product per group: `unfold` lays every window out as a column.

    Shape:
        rows: (C_out, C_in / groups · kH · kW), one filter a row; columns: (C_in · kH · kW, H_out · W_out),
        one window a column; product: (C_out, H_out · W_out), equal to the layer without its bias.
    Raises:
        SpecError: the layer is not a convolution.
    """
    if spec.op != "conv":
        raise SpecError("unfold shows a convolution; choose op = conv.", "op")
    vertical, horizontal = _axes2(spec)
    x = pad_input(spec, make_input(spec))
    columns = F.unfold(
        x[None],
        (vertical.kernel, horizontal.kernel),
        dilation=(vertical.dilation, horizontal.dilation),
        stride=(vertical.stride, horizontal.stride),
    )[0]
    rows = make_weight(spec).flatten(1)
    product = torch.cat(
        [r @ c for r, c in zip(rows.chunk(spec.groups), columns.chunk(spec.groups), strict=True)]
    )
    return rows, columns, product


def pad_input(spec: Spec, x: Tensor) -> Tensor:
    """The input with its padding written in, as the layer sees it.

    Shape: x (C, H, W); returns (C, H + top + bottom, W + left + right).
    """
    vertical, horizontal = _axes2(spec)
    sides = (horizontal.before, horizontal.after, vertical.before, vertical.after)
    mode = "constant" if spec.padding_mode == "zeros" else spec.padding_mode
    if mode == "constant":
        return F.pad(x, sides)
    return F.pad(x[None], sides, mode=mode)[0] if spec.dims == 2 else F.pad(x, sides[:2], mode=mode)


def make_input(spec: Spec) -> Tensor:
    """The input cells. Shape: (C_in, H, W); H is 1 in 1-D."""
    vertical, horizontal = _axes2(spec)
    shape = (spec.in_channels, vertical.size, horizontal.size)
    return INPUTS[spec.pattern](spec, shape)


def make_weight(spec: Spec) -> Tensor:
    """The layer's weight as torch stores it: typed, or small multiples of one half; turned if `flip`."""
    shape = weight_shape(spec)
    if spec.weights:
        weight = torch.tensor(_typed(spec.weights, _product(shape), "weights")).reshape(shape)
    else:
        source = seeding.generator(spec.seed + 1)
        weight = torch.randint(-4, 5, shape, generator=source) / 2
    return weight.flip(tuple(range(2, weight.ndim))) if spec.flip else weight


def make_layer(spec: Spec) -> nn.Module:
    """The `torch.nn` layer itself, on the CPU, its weight filled by `make_weight` and its bias by 1, 2, …"""
    layer = nn.Sequential(*[call.build() for call in calls(spec)])
    if has_weights(spec):
        with torch.no_grad():
            parameters = dict(layer[-1].named_parameters())
            parameters["weight"].copy_(make_weight(spec))
            if spec.bias:
                parameters["bias"].copy_(torch.arange(1.0, spec.out_channels + 1))
    return layer[0] if len(layer) == 1 else layer


def calls(spec: Spec) -> tuple[Call, ...]:
    """The constructor calls: one layer, after an explicit pad where torch's layer has no such padding."""
    axes = _axes(spec)
    pair = _pair(spec.dims)
    name = f"{_CLASS[spec.op]}{spec.dims}d"
    if spec.op.startswith("adaptive"):
        return (Call(f"nn.{name}", pair([a.out for a in axes])),)
    kernel, stride = pair([a.kernel for a in axes]), pair([a.stride for a in axes])
    dilation = pair([a.dilation for a in axes])
    options: dict[str, object] = {"stride": stride}
    before = []
    if spec.padding in ("asymmetric", "causal"):
        sides = tuple(side for a in reversed(axes) for side in (a.before, a.after))
        before = [Call(f"nn.{_PAD[spec.padding_mode]}{spec.dims}d", sides)]
    elif spec.padding == "same":
        options["padding"] = "same"
    else:
        options["padding"] = pair([a.before for a in axes])
    if spec.op == "max_pool":
        options["dilation"] = dilation
    if spec.op == "avg_pool":
        options["count_include_pad"] = spec.count_include_pad
    if not has_weights(spec):
        return (*before, Call(f"nn.{name}", kernel, **options))
    options |= {"dilation": dilation, "groups": spec.groups, "bias": spec.bias}
    if spec.op == "conv_transpose":
        options["output_padding"] = pair([_extra(spec, a.name) for a in axes])
    elif not before:
        options["padding_mode"] = spec.padding_mode
    return (*before, Call(f"nn.{name}", spec.in_channels, spec.out_channels, kernel, **options))


def to_code(spec: Spec) -> str:
    """The same layer on the same input as plain PyTorch."""
    made = calls(spec)
    x, shown = make_input(spec), "x[None]"
    if spec.dims == 1:
        x = x[:, 0]
    layer = (
        made[0].code() if len(made) == 1 else f"nn.Sequential({', '.join(c.code() for c in made)})"
    )
    cells = [
        "import torch\nfrom torch import nn",
        f"x = torch.tensor({_listing(x)})  # {tuple(x.shape)}",
        f"layer = {layer}",
    ]
    if has_weights(spec):
        target = "layer" if len(made) == 1 else "layer[-1]"
        fill = [
            "with torch.no_grad():",
            f"    {target}.weight.copy_(torch.tensor({_listing(make_weight(spec))}))",
        ]
        if spec.bias:
            fill.append(f"    {target}.bias.copy_(torch.arange(1.0, {spec.out_channels + 1}))")
        cells.append("\n".join(fill))
    height = "y.shape[1]" if spec.dims == 2 else "1"
    cells.append(
        f"with torch.no_grad():\n    y = layer({shown})[0]\nprint(y)\n"
        'print("out_channels =", y.shape[0])\n'
        f'print("out_height =", {height})\n'
        'print("out_width =", y.shape[-1])\n'
        'print("parameters =", sum(p.numel() for p in layer.parameters()))\n'
        'print("total =", y.sum().item())\n'
        'print("largest =", y.max().item())'
    )
    return export.script(f"{made[-1].name}, cell by cell", cells)


def _check_options(s: Spec) -> None:
    """Options that torch's layer does not have together."""
    kind = s.op
    if kind != "conv" and s.padding in ("same", "causal"):
        raise SpecError(
            f"padding = {s.padding} belongs to a convolution, not to {kind}. Choose number.",
            "padding",
        )
    if s.padding == "causal" and s.dims != 1:
        raise SpecError("Causal padding is for sequences. Set dims to 1.", "padding")
    if kind == "conv_transpose" and s.padding == "asymmetric":
        raise SpecError(
            "A transposed convolution crops both sides alike. Choose padding = number.", "padding"
        )
    if kind != "conv" and s.padding_mode != "zeros":
        raise SpecError(
            f"{kind} knows only padding_mode = zeros, not {s.padding_mode}. Choose zeros.",
            "padding_mode",
        )
    stride = max(axis.stride for axis in _axes(s))
    if s.padding == "same" and stride > 1:
        raise SpecError(
            f"padding = same keeps the size only with stride 1, not {stride}. "
            "Set stride to 1 or choose padding = number.",
            "padding",
        )
    if has_weights(s):
        for field in ("in_channels", "out_channels"):
            if getattr(s, field) % s.groups:
                raise SpecError(
                    f"groups = {s.groups} does not divide {field} = {getattr(s, field)}. "
                    "Choose a number of groups that divides both.",
                    "groups",
                )
    if kind == "avg_pool" and max(axis.dilation for axis in _axes(s)) > 1:
        raise SpecError("avg_pool has no dilation. Set dilation to 1.", "dilation")
    if kind == "avg_pool" and s.padding == "asymmetric" and not s.count_include_pad:
        raise SpecError(
            "With a pad of its own before it, avg_pool always counts the padding. "
            "Turn count_include_pad on, or choose padding = number.",
            "count_include_pad",
        )
    if s.flip and not has_weights(s):
        raise SpecError(f"{kind} has no kernel to turn. Set flip to false.", "flip")
    if (s.output_padding or s.output_padding_width > 0) and kind != "conv_transpose":
        raise SpecError(
            "output_padding belongs to a transposed convolution. Set it to 0.", "output_padding"
        )


def _check_axis(s: Spec, axis: Axis) -> None:
    """One validity rule for every axis: the window fits, and the padding can be made."""
    if s.op.startswith("adaptive"):
        return
    if (
        s.op in ("max_pool", "avg_pool")
        and s.padding == "number"
        and axis.before > axis.kernel // 2
    ):
        raise SpecError(
            f"Pooling takes at most half the window as padding: {axis.name} pads {axis.before}, "
            f"half of {axis.kernel} is {axis.kernel // 2}. Make pad smaller or kernel_size larger.",
            "pad",
        )
    if s.op == "conv_transpose":
        limit = max(axis.stride, axis.dilation)
        if _extra(s, axis.name) >= limit:
            raise SpecError(
                f"output_padding is {_extra(s, axis.name)} along the {axis.name}, but must stay below stride or dilation, here {limit}. "
                "Make it smaller.",
                "output_padding",
            )
        if axis.out < 1:
            raise SpecError(
                f"{axis.name}: {axis.out + axis.before + axis.after} cells are made and "
                f"{axis.before + axis.after} cropped, so none is left. Make pad smaller.",
                "pad",
            )
        return
    widest = max(axis.before, axis.after)
    if s.padding_mode == "reflect" and widest >= axis.size:
        raise SpecError(
            f"reflect mirrors at most {axis.size - 1} cells of {axis.size} along the {axis.name}, "
            f"but pads {widest}. Make the padding smaller or the input larger.",
            "padding_mode",
        )
    if s.padding_mode == "circular" and widest > axis.size:
        raise SpecError(
            f"circular wraps at most {axis.size} cells along the {axis.name}, but pads {widest}. "
            "Make the padding smaller or the input larger.",
            "padding_mode",
        )
    if axis.span > axis.padded:
        raise SpecError(
            f"The kernel reaches over {axis.span} cells, but the padded {axis.name} is only {axis.padded}. "
            f"Make kernel_size or dilation smaller, or the {axis.name} or padding larger.",
            "kernel_size",
        )


def _axes(s: Spec) -> tuple[Axis, ...]:
    """The spatial axes that torch's layer sees: (height, width), or (width,) in 1-D."""
    across = _axis(
        s,
        "width",
        s.width,
        s.kernel_width or s.kernel_size,
        s.stride_width or s.stride,
        s.dilation_width or s.dilation,
        s.pad if s.pad_width < 0 else s.pad_width,
        (s.pad_left, s.pad_right),
    )
    if s.dims == 1:
        return (across,)
    down = _axis(
        s, "height", s.height, s.kernel_size, s.stride, s.dilation, s.pad, (s.pad_top, s.pad_bottom)
    )
    return (down, across)


def _axes2(s: Spec) -> tuple[Axis, Axis]:
    """Always two axes, so that pictures need one rule: a 1-D layer has one row."""
    axes = _axes(s)
    return (axes[0], axes[1]) if len(axes) == 2 else (Axis("height", 1, 1, 1, 1, 0, 0, 1), axes[0])


def _axis(
    s: Spec,
    name: str,
    size: int,
    kernel: int,
    stride: int,
    dilation: int,
    pad: int,
    sides: tuple[int, int],
) -> Axis:
    reach = dilation * (kernel - 1)
    before, after = {
        "number": (pad, pad),
        "valid": (0, 0),
        "same": (reach // 2, reach - reach // 2),
        "asymmetric": sides,
        "causal": (reach, 0),
    }[s.padding]
    if s.op.startswith("adaptive"):
        before = after = 0
        out = (s.output_width or s.output_size) if name == "width" else s.output_size
    elif s.op == "conv_transpose":
        out = (size - 1) * stride - before - after + reach + _extra(s, name) + 1
    else:
        out = (size + before + after - reach - 1) // stride + 1
    return Axis(name, size, kernel, stride, dilation, before, after, out)


def _extra(s: Spec, axis: str) -> int:
    """Cells that output_padding adds along this axis."""
    return (
        s.output_padding
        if axis == "height" or s.output_padding_width < 0
        else s.output_padding_width
    )


def _receptive_field(s: Spec, axis: Axis) -> int:
    """Input cells from the first to the last that one output can see, at most, along one axis."""
    if s.op.startswith("adaptive"):
        return taps(s, axis).shape[1]
    if s.op == "conv_transpose":
        return int((taps(s, axis) >= 0).sum(1).max())
    return min(axis.span, axis.size)


def _typed(text: str, count: int, field: str) -> list[float]:
    parts = [part.strip() for part in text.replace(";", ",").replace("\n", ",").split(",")]
    parts = [part for part in parts if part]
    if len(parts) != count:
        raise SpecError(
            f"{field} holds {len(parts)} numbers, but this layer takes {count}. "
            f"Type {count}, separated by commas.",
            field,
        )
    found = []
    for i, part in enumerate(parts):
        try:
            number = float(part)
        except ValueError:
            raise SpecError(
                f"{field}: number {i + 1} is {part[:20]!r}. Type digits such as -0.5.", field
            ) from None
        if not np.isfinite(number):
            raise SpecError(f"{field}: number {i + 1} is {part[:20]}, not a finite number.", field)
        found.append(number)
    return found


def _integers(s: Spec, shape: tuple[int, ...]) -> Tensor:
    return torch.randint(-3, 4, shape, generator=seeding.generator(s.seed)).float()


def _normal(s: Spec, shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=seeding.generator(s.seed))


def _ramp(s: Spec, shape: tuple[int, ...]) -> Tensor:
    return torch.arange(float(_product(shape))).reshape(shape)


def _checkerboard(s: Spec, shape: tuple[int, ...]) -> Tensor:
    return sum(torch.meshgrid(*[torch.arange(n) for n in shape], indexing="ij")).float() % 2  # type: ignore[union-attr]  # three axes, never the int 0


def _impulse(s: Spec, shape: tuple[int, ...]) -> Tensor:
    x = torch.zeros(shape)
    x[:, shape[1] // 2, shape[2] // 2] = 1
    return x


def _values(s: Spec, shape: tuple[int, ...]) -> Tensor:
    return torch.tensor(_typed(s.values, _product(shape), "values")).reshape(shape)


def _listing(x: Tensor) -> str:
    return repr(x.tolist())


def _product(sizes: Iterable[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


def _pair(dims: int) -> Callable[[list[int]], int | tuple[int, ...]]:
    """Sizes as torch takes them: one number in 1-D or when all agree, else a tuple."""
    return lambda sizes: sizes[0] if dims == 1 or len(set(sizes)) == 1 else tuple(sizes)


_CLASS = {
    "conv": "Conv",
    "conv_transpose": "ConvTranspose",
    "max_pool": "MaxPool",
    "avg_pool": "AvgPool",
    "adaptive_max_pool": "AdaptiveMaxPool",
    "adaptive_avg_pool": "AdaptiveAvgPool",
}
_PAD = {
    "zeros": "ZeroPad",
    "reflect": "ReflectionPad",
    "replicate": "ReplicationPad",
    "circular": "CircularPad",
}
INPUTS = {
    "integers": _integers,
    "normal": _normal,
    "ramp": _ramp,
    "checkerboard": _checkerboard,
    "impulse": _impulse,
    "typed": _values,
}
_SIDES = Spec(padding="asymmetric")
_LARGE = ",".join(["1"] * 9)

# a valid setting in which each field matters, for the fields that do not matter in the default one
VARIATIONS = {
    "in_channels": Spec(in_channels=2),
    "groups": Spec(in_channels=2, out_channels=2, groups=2),
    "kernel_width": Spec(kernel_width=2),
    "dilation_width": Spec(dilation_width=2),
    "pad_width": Spec(pad_width=2),
    "pad_left": _SIDES.replace(pad_left=2),
    "pad_right": _SIDES.replace(pad_right=2),
    "pad_top": _SIDES.replace(pad_top=2),
    "pad_bottom": _SIDES.replace(pad_bottom=2),
    "padding_mode": Spec(pad=1, padding_mode="reflect"),
    "output_padding": Spec(op="conv_transpose", stride=2, output_padding=1),
    "output_padding_width": Spec(op="conv_transpose", stride=2, output_padding_width=1),
    "output_size": Spec(op="adaptive_avg_pool", output_size=2),
    "output_width": Spec(op="adaptive_avg_pool", output_width=2),
    "count_include_pad": Spec(op="avg_pool", pad=1, count_include_pad=False),
    "values": Spec(height=3, width=3, pattern="typed", values=_LARGE),
    "weights": Spec(weights=_LARGE),
}
