"""Look inside: every layer of a network on one picture, down to the single multiplication."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from components import address, code_panel, controls, lesson
from components.cnn import bench, sets
from components.figures import matrix
from components.transport import Topic
from components.views.figure import figure
from components.views.maps import maps
from components.views.tiles import Tile, tiles
from models.cnn import architecture, look, looking, several
from models.core import device
from models.core.spec import SpecError
from models.data import images

SCALES = ("map", "layer", "network")


def show(topic: Topic) -> None:
    """The stage with all feature maps, and below what they cost, the filters, and the pictures a channel likes."""
    panel = bench.panel(topic)
    with lesson.controls():
        bench.picture(panel)
        st.markdown("**Network**")
        bench.network(panel, topic)
        scale = controls.one_of(
            "Scale of the maps",
            SCALES,
            default="map",
            key=f"{topic.page}-scale",
            help="What black and white stand for: the lowest and highest value of each map, of each layer, or of all.",
            width="stretch",
        )
    panel.complain()
    spec = panel.spec
    seen = bench.look(spec)
    if seen is None:
        return
    used, result = seen
    with lesson.stage():
        _stage(topic, spec, scale)
    st.markdown(_answer(spec, used, result))
    with lesson.details():
        tabs = st.tabs(
            list(_TABS),
            key=f"{topic.page}-look-tab",
            on_change="rerun",
        )
        for tab, draw in zip(tabs, _TABS.values(), strict=True):
            if tab.open:
                with tab:
                    draw(spec, used)


@address.fragment
@device.one_thread()
def _stage(topic: Topic, spec: looking.Spec, scale: str) -> None:
    """All feature maps; what is opened of a large network is asked for by itself, without the rest of the page."""
    seen = bench.look(spec)
    if seen is None:
        return
    used, result = seen
    best = int(result.probabilities.argmax())
    opened, cell = f"{topic.page}:opened", f"{topic.page}:cell"

    def open_layer(name: str) -> None:
        st.session_state[opened], st.session_state[cell] = name, None

    def point(at: dict[str, Any]) -> None:
        st.session_state[opened], st.session_state[cell] = at["layer"], at

    maps(
        key=f"{topic.page}-maps",
        picture=looking.shown(used, result.x),
        input=result.x if used.imagenet else None,
        found=result.maps,
        scale=scale,
        classes=result.classes,
        probabilities=result.probabilities,
        weights=look.multiplied(used.model, result.maps),
        opened=st.session_state.get(opened),
        on_open=open_layer,
        single=_single(used, result, st.session_state.get(cell)),
        on_cell=point,
        height=440,
        alt=f"What every layer makes of the picture; the answer is {result.classes[best]}.",
    )


def _single(
    used: looking.Bench, result: looking.Result, at: dict[str, Any] | None
) -> dict[str, Any] | None:
    """How the number that was pointed at comes about; None while none was, or where this network has no such one."""
    if not at:
        return None
    cell = [int(n) for n in at["cell"]]
    return look.single(used.model, result.maps, result.x, str(at["layer"]), int(at["map"]), cell)


def _answer(spec: looking.Spec, used: looking.Bench, result: looking.Result) -> str:
    order = result.probabilities.argsort(descending=True)[:3].tolist()
    ranked = ", ".join(
        f"{result.classes[i]} ({float(result.probabilities[i]):.1%})" for i in order[1:]
    )
    first = f"**{result.classes[order[0]]}** ({float(result.probabilities[order[0]]):.1%})"
    true = bench.truth(spec)
    if not used.trained:
        return (
            f"Random weights: this network has learned nothing, so its answer {first} means nothing. Its maps show what "
            "convolutions do before training."
        )
    about = ""
    if true:
        about = f" It is a {true}" + (
            ": right." if true == result.classes[order[0]] else ": **wrong**."
        )
    return f"The network says {first}, then {ranked}.{about}"


def layer_table(found: tuple[architecture.LayerInfo, ...]) -> None:
    """What every layer makes, costs and sees; where one does not fit, it is the last row."""
    table = pd.DataFrame(
        [
            {
                "layer": one.code,
                "output": " × ".join(map(str, one.out)) if not one.error else "does not fit",
                "parameters": one.parameters,
                "multiply-adds": one.multiply_adds,
                "memory (bytes)": one.output_bytes,
                "receptive field": f"{one.receptive_field} × {one.receptive_field}"
                if one.receptive_field
                else "–",
            }
            for one in found
        ]
    )
    st.dataframe(
        table,
        hide_index=True,
        height="content" if len(found) < 16 else 420,
        column_config={
            "layer": st.column_config.TextColumn(width=300),
            **{
                name: st.column_config.NumberColumn(format="localized")
                for name in ("parameters", "multiply-adds", "memory (bytes)")
            },
        },
        alt="Layers with output shape, parameters, multiply-adds, memory and receptive field",
    )
    if found and found[-1].error:
        st.error(
            f"Layer {len(found)} ({found[-1].code}): {found[-1].error}", icon=":material/error:"
        )
    total = [sum(getattr(one, n) for one in found) for n in ("parameters", "multiply_adds")]
    st.caption(
        f"{total[0]:,} parameters and {total[1]:,} multiply-adds for one picture. Memory is each layer's output in float32."
    )


def _layers(spec: looking.Spec, used: looking.Bench) -> None:
    layer_table(architecture.describe(used.model, (used.channels, used.size, used.size)))


def _filters(spec: looking.Spec, used: looking.Bench) -> None:
    names = [n for n in look.layers(used.model) if _is_convolution(used, n)]
    name = st.selectbox(
        "Convolution",
        names,
        format_func=lambda name: look.title(used.model, name),
        key=f"{bench.PREFIX}-filters",
        width=300,
    )
    if name is None:
        st.caption("This network has no convolution.")
        return
    found = look.filters(used.model, name)
    count, channels, kh, kw = found.shape
    st.caption(
        f"{count} filters of {channels} × {kh} × {kw} weights, {float(found.min()):.3g} to {float(found.max()):.3g}. "
        "Each plane is one input channel."
    )
    planes = found[:64, :1].expand(-1, 1, -1, -1) if channels != 3 else found[:64]
    tiles = [look.Maps("filters", "Conv2d", planes.flatten(0, 1))]
    maps(
        key=f"{bench.PREFIX}-filter-maps",
        picture=planes[0, :1],
        found=tiles,
        scale="layer",
        height=260,
        alt=f"The first planes of the filters of {name}",
    )


def _is_convolution(used: looking.Bench, name: str) -> bool:
    try:
        look.filters(used.model, name)
        return True
    except KeyError:
        return False


def _strongest(spec: looking.Spec, used: looking.Bench) -> None:
    """The pictures of a set that each channel of a layer answers strongest."""
    chosen = _layer_and_set(used, "strong")
    if chosen is None:
        return
    name, found = chosen
    with st.spinner("Looking at the pictures"):
        indices, values = look.most_activating(used.model, found.x, name, k=8)
    channel = st.slider("Channel", 0, max(1, len(indices) - 1), 0, key=f"{bench.PREFIX}-channel")
    channel = min(channel, len(indices) - 1)
    tiles(
        [
            Tile(
                images.to_png(found.shown[i]),
                f"{float(value):.3g}",
                (found.classes[int(found.labels[i])],),
            )
            for i, value in zip(indices[channel].tolist(), values[channel], strict=True)
        ],
        key=f"{bench.PREFIX}-strongest",
        alt=f"The pictures that channel {channel} of {name} answers strongest, the strongest first",
    )
    st.caption(
        f"The largest value of channel {channel} on each of {len(found.x)} pictures; these eight have the highest."
    )


def _of_a_class(spec: looking.Spec, used: looking.Bench) -> None:
    """What every layer makes of the pictures of one class on average, and which channels tell the classes apart."""
    chosen = _layer_and_set(used, "class")
    if chosen is None:
        return
    name, found = chosen
    label = st.selectbox(
        "Class",
        range(len(found.classes)),
        format_func=found.classes.__getitem__,
        key=f"{bench.PREFIX}-class",
        width=220,
    )
    part = several.of_class(found, int(label or 0))
    if not len(part.x):
        st.caption("No picture of this class is among those looked at.")
        return
    with st.spinner("Looking at the pictures"):
        mean = look.mean_maps(used.model, part.x)
        strength = look.channel_means(used.model, found.x, found.labels, len(found.classes), name)
    which, layer = found.classes[int(label or 0)], look.title(used.model, name)
    maps(
        key=f"{bench.PREFIX}-class-maps",
        picture=part.shown.mean(0),
        found=mean,
        hint=f"Each column is what a layer makes of {len(part.x)} pictures of {which}, on average.",
        height=330,
        alt=f"Every layer's mean activations on {len(part.x)} pictures of {which}",
    )
    figure(
        matrix.values(
            strength.numpy(),
            rows=found.classes,
            columns=[str(i) for i in range(strength.shape[1])],
            title=f"mean activation of each channel of {layer}",
        ),
        key=f"{bench.PREFIX}-class-heat",
        height=120 + 22 * min(20, len(found.classes)),
        alt=f"Mean activation of each channel of {layer} for each class",
    )
    st.caption(
        f"Mean activation of each channel of {layer}, by class. A channel with one bright row speaks for one class."
    )


def _layer_and_set(used: looking.Bench, key: str) -> tuple[str, several.Pictures] | None:
    """A layer of the network and pictures to show it; None after saying why there are none."""
    names = look.layers(used.model)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        usual = used.spec.data if used.spec is not None else "photos"
        data = sets.choose(usual, f"{bench.PREFIX}-{key}-set")
        name = st.selectbox(
            "Layer",
            names,
            names.index(look.usual(used.model)),
            format_func=lambda name: look.title(used.model, name),
            key=f"{bench.PREFIX}-{key}-layer",
            width=300,
        )
    try:
        return str(name), several.pictures(used, data)
    except SpecError as error:
        controls.explain(error)
        return None


def _code(spec: looking.Spec, used: looking.Bench) -> None:
    code_panel.show(
        looking.to_code(spec),
        name="looking",
        spec=spec,
        page="cnn",
        prefix=bench.PREFIX,
        files=looking.files(spec),
    )


_TABS = {
    "Layers": _layers,
    "Filters": _filters,
    "Strongest pictures": _strongest,
    "Activations of a class": _of_a_class,
    "Code": _code,
}
