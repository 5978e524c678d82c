"""Look inside: every layer of a network on one picture, down to the single multiplication."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from components import code_panel, controls, lesson
from components.cnn import bench
from components.transport import Topic
from components.views.maps import maps
from models.cnn import architecture, data, look, looking
from models.core.spec import SpecError

SCALES = ("map", "layer", "network")


def show(topic: Topic) -> None:
    """The stage with all feature maps, and below what they cost, the filters, and the pictures a channel likes."""
    panel = bench.panel()
    with lesson.controls():
        bench.picture(panel)
        st.markdown("**Network**")
        bench.network(panel, topic)
        scale = st.segmented_control(
            "Scale of the maps",
            SCALES,
            default="map",
            required=True,
            key=f"{topic.page}-scale",
            bind="query-params",
            help="What black and white stand for: the lowest and highest value of each map, of each layer, or of all.",
            width="stretch",
        )
    panel.complain()
    spec = panel.spec
    seen = bench.look(spec)
    if seen is None:
        return
    used, result = seen
    best = int(result.probabilities.argmax())
    said = _answer(spec, used, result)
    with lesson.stage():
        maps(
            key=f"{topic.page}-maps",
            picture=looking.shown(used, result.x),
            found=result.maps,
            scale=scale,
            classes=result.classes,
            probabilities=result.probabilities,
            weights=look.multiplied(used.model, result.maps),
            opened=st.session_state.get(f"{topic.page}:opened"),
            on_open=lambda name: st.session_state.update({f"{topic.page}:opened": name}),
            height=440,
            alt=f"What every layer makes of the picture; the answer is {result.classes[best]}.",
        )
    st.markdown(said)
    with lesson.details():
        tabs = st.tabs(
            ["Layers", "Filters", "Strongest pictures", "Code"],
            key=f"{topic.page}-look-tab",
            on_change="rerun",
        )
        for tab, draw in zip(tabs, (_layers, _filters, _strongest, _code), strict=True):
            if tab.open:
                with tab:
                    draw(spec, used)


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
    name = st.selectbox("Convolution", names, key=f"{bench.PREFIX}-filters")
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
    """The pictures of the set that each channel of a layer answers strongest."""
    if used.spec is None:
        st.caption("Nobody knows what this network was trained on, so there is no set to search.")
        return
    names = look.layers(used.model)
    name = st.selectbox("Layer", names, min(3, len(names) - 1), key=f"{bench.PREFIX}-strong")
    try:
        split = data.prepare(used.spec)
    except SpecError as error:
        controls.explain(error)
        return
    pictures = split.x_train[:2000]
    indices, values = look.most_activating(used.model, pictures, name, k=9)
    channel = st.slider("Channel", 0, max(1, len(indices) - 1), 0, key=f"{bench.PREFIX}-channel")
    channel = min(channel, len(indices) - 1)
    st.image(
        [pictures[i].movedim(0, -1).squeeze(-1).numpy() for i in indices[channel].tolist()],
        caption=[
            f"{split.classes[int(split.y_train[i])]}: {float(v):.3g}"
            for i, v in zip(indices[channel].tolist(), values[channel].tolist(), strict=True)
        ],
        width=96,
        clamp=True,
    )


def _code(spec: looking.Spec, used: looking.Bench) -> None:
    code_panel.show(
        looking.to_code(spec),
        name="looking",
        spec=spec,
        page="cnn",
        prefix=bench.PREFIX,
        files=looking.files(spec),
    )
