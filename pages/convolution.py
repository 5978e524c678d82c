"""Convolution: a kernel slides over numbers and over your own picture."""

from typing import Any

import streamlit as st

from components import code_panel, controls, image_picker, lesson, number_grid, reading, session
from components.views.compare import compare
from components.views.convolution import convolution as cells
from models import convolution, filters
from models.core import device
from models.core.spec import SpecError
from models.data import images

projector = lesson.page(
    "convolution",
    "Convolution",
    "Point at an output cell: which inputs made it, with which weights? Then slide a kernel over a picture.",
)
VIEWS = ("Cells", "Picture")
CHANNELS = ("red", "green", "blue")
SAID = {
    "signed": "grey for 0, darker below, lighter above",
    "range": "black for the lowest and white for the highest",
    "clip": "they are, cut off below 0 and above 1",
}
view = lesson.views("convolution", VIEWS)


def show_cells() -> None:
    panel = controls.panel(convolution.Spec, "convolution")
    values = panel.values
    op = values["op"]
    learns = op in ("conv", "conv_transpose")
    adaptive = str(op).startswith("adaptive")
    with lesson.controls():
        panel.draw("op", "dims")
        st.markdown("**Input**")
        panel.draw(*(["height"] if values["dims"] == 2 else []), "width", "in_channels", "pattern")
        panel.draw("values" if values["pattern"] == "typed" else "seed")
        st.markdown("**Window**")
        if adaptive:
            panel.draw("output_size", "output_width")
        else:
            panel.draw("kernel_size", "stride")
            panel.draw("padding")
            panel.draw(*_padding_fields(values))
            if op != "avg_pool":
                panel.draw("dilation")
            with st.expander("Rectangular"):
                panel.draw("kernel_width", "stride_width", "pad_width", "dilation_width")
        if op == "conv":
            panel.draw("padding_mode", "flip")
        if op == "conv_transpose":
            panel.draw("output_padding", "output_padding_width")
        if op == "avg_pool":
            panel.draw("count_include_pad")
        if learns:
            st.markdown("**Filters**")
            panel.draw("out_channels", "groups", "bias", "weights")
    panel.complain()
    spec = panel.spec
    result = convolution.run(spec)
    with lesson.stage():
        rows = spec.in_channels + convolution.channels_out(spec) if spec.dims == 1 else 99
        cells(spec, result, key="convolution-cells", height=min(430, 310 + 40 * rows))
    made = " → ".join(call.code() for call in convolution.calls(spec))
    st.markdown(f"`{made}`")
    _sizes(spec, result)
    with lesson.details():
        _cost(result)
        if spec.op == "conv":
            unfold = st.expander(
                "The same as one matrix multiplication (unfold)",
                key="convolution-unfold",
                on_change="rerun",
            )
            if unfold.open:
                with unfold:
                    _unfold(spec, result)
        st.markdown("##### Code")
        code_panel.show(convolution.to_code(spec), name="convolution", spec=spec)


def _padding_fields(values) -> list[str]:
    if values["padding"] == "number":
        return ["pad"]
    if values["padding"] == "asymmetric":
        sides = ["pad_left", "pad_right"]
        return sides + (["pad_top", "pad_bottom"] if values["dims"] == 2 else [])
    return []


def _sizes(spec: convolution.Spec, result: convolution.Result) -> None:
    axes = result.axes if spec.dims == 2 else result.axes[1:]
    st.markdown("Output size: " + " · ".join(convolution.formula(spec, axis) for axis in axes))
    lost = [(axis.name, convolution.dropped(spec, axis)) for axis in axes]
    for name, count in lost:
        if count:
            st.info(
                f"The stride does not divide the {name}: its last {count} "
                f"{'cell is' if count == 1 else 'cells are'} never read (crossed out), because PyTorch rounds down."
            )


def _cost(result: convolution.Result) -> None:
    cost = result.cost
    with st.container(horizontal=True):
        st.metric("Parameters", f"{cost.parameters:,}")
        st.metric("Multiply-adds", f"{cost.multiply_adds:,}")
        st.metric("Input", f"{cost.input_bytes:,} bytes")
        st.metric("Output", f"{cost.output_bytes:,} bytes")
        st.metric("Receptive field", " × ".join(map(str, cost.receptive_field)))


def _unfold(spec: convolution.Spec, result: convolution.Result) -> None:
    rows, columns, product = convolution.as_matmul(spec)
    st.markdown(
        f"`unfold` lays each of the {columns.shape[1]} windows out as a column of {columns.shape[0]} numbers. "
        f"The filters are {rows.shape[0]} rows of {rows.shape[1]}"
        + (f", multiplied group by group ({spec.groups} groups)" if spec.groups > 1 else "")
        + f". Their product has shape {tuple(product.shape)}: the output"
        + (" before its bias." if spec.bias else ".")
    )
    biased = product if result.bias is None else product + result.bias[:, None]
    far = float((biased.reshape(result.y.shape) - result.y).abs().max())
    st.markdown(f"Largest difference from the layer's own output: **{far:.2g}**.")
    if columns.numel() <= 2000:
        st.dataframe(columns.numpy(), height=220)


def show_picture() -> None:
    panel = controls.panel(filters.Spec, "filters")
    values = panel.values
    with lesson.controls():
        image_picker.pick(panel)
        panel.draw("kernel")
        if values["kernel"] in ("box", "gaussian", "gabor", "random"):
            panel.draw("kernel_size")
        if values["kernel"] in ("gaussian", "gabor"):
            panel.draw("sigma")
        if values["kernel"] == "gabor":
            panel.draw("theta", "wavelength")
        if values["kernel"] == "random":
            panel.draw("seed")
        _kernel_grid(panel.spec)
        if values["kernel"] == "typed":
            panel.draw("weights")
        panel.draw(
            "layers",
            "then",
            "relu",
            "gray",
            "flip",
            "stride",
            "dilation",
            "padding_mode",
            "longest",
        )
    panel.complain()
    spec = panel.spec
    try:
        pixels = reading.picture(spec.image, spec.gray, spec.longest)
        if pixels is None:
            return
        result = filters.run(spec, pixels)
    except SpecError as error:
        controls.explain(error)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        channel = controls.one_of(
            "Channel", ("all", *CHANNELS), key="filters-channel", disabled=spec.gray
        )
        scale = controls.one_of(
            "Scale",
            tuple(images.SCALES),
            default="signed",
            key="filters-scale",
            help="How numbers become brightness: signed puts 0 at grey; range spreads lowest to highest; "
            "clip cuts below 0 and above 1.",
        )
        sequence = filters.sequence(spec)
        layer = count = len(sequence)
        if count > 1:
            layer = st.slider(
                "After layer", 1, count, count, key=f"filters-layer-{count}", width=220
            )
    after = result.after[layer - 1]
    only = CHANNELS.index(channel) if channel in CHANNELS and not spec.gray else None
    if only is not None:
        after = after[only : only + 1]
    low, high = (float(v) for v in after.aminmax())
    with lesson.stage():
        compare(
            _before(spec.image, spec.gray, spec.longest, only, pixels),
            images.to_png(images.SCALES[scale](after)),
            key="filters-compare",
            values=after,
            labels=("input", f"after layer {layer}: {low:.3g} to {high:.3g}"),
            height=440,
            alt=f"The picture before and after {spec.kernel}; values {low:.3g} to {high:.3g}.",
        )
    rows, columns = result.receptive_field[layer - 1]
    st.markdown(
        f"Values run from **{low:.3g}** to **{high:.3g}**, shown as {SAID[scale]}. "
        f"One pixel of layer {layer} sees **{rows} × {columns}** pixels of the input."
    )
    with lesson.details():
        if count > 1:
            st.markdown(
                "Receptive field per layer: "
                + " → ".join(
                    f"{one.kernel} **{h} × {w}**"
                    for one, (h, w) in zip(sequence, result.receptive_field, strict=True)
                )
            )
        st.markdown(
            f"The kernel, {' × '.join(map(str, result.kernel.shape))}"
            + (", turned by 180°" if spec.flip else "")
            + f", sum {float(result.kernel.sum()):.3g}"
        )
        st.dataframe(result.kernel.numpy().round(4), hide_index=True, width="content")
        st.markdown("##### Code")
        code_panel.show(
            filters.to_code(spec),
            name="filters",
            spec=spec,
            page="convolution",
            prefix="filters",
        )


def _kernel_grid(spec: filters.Spec) -> None:
    """The kernel's numbers, whichever they are, to type over: then it is a typed one."""
    rows = filters.make_kernel(spec).tolist()

    def take(made: number_grid.Rows) -> None:
        controls.put("filters", kernel="typed", weights=number_grid.text(made))

    number_grid.number_grid("filters-kernel", rows, take)
    if spec.kernel != "typed":
        st.caption("Type into a cell to make your own.")
        return
    with st.container(horizontal=True):
        for axis, label in enumerate(("Rows", "Columns")):
            size = (len(rows), len(rows[0]))
            key = f"filters-{label.lower()}:{size}"

            def resize(axis: int = axis, key: str = key, size: tuple[int, int] = size) -> None:
                wanted = int(st.session_state[key])
                height, width = (wanted, size[1]) if axis == 0 else (size[0], wanted)
                take(number_grid.resized(rows, height, width))

            st.number_input(label, 1, 31, size[axis], key=key, on_change=session.whole(resize))


@st.cache_data(max_entries=32, show_spinner=False)
def _before(image: str, gray: bool, longest: int, only: int | None, _pixels: Any) -> bytes:
    """The picture, or one channel of it, as PNG; it stays the same while the kernel changes."""
    return images.to_png(_pixels if only is None else _pixels[only : only + 1])


with device.one_thread():
    if view == "Cells":
        show_cells()
    else:
        show_picture()
lesson.footer()
