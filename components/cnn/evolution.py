"""Evolution: what one layer made of one picture, from the first weights until now."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
import torch
from torch import nn

from components import address, controls, lesson, transport
from components.cnn import bench
from components.transport import Followed, Topic
from components.views.maps import maps
from models import cnn
from models.cnn import architecture, data, look, looking
from models.core.runs import RunError
from models.core.spec import SpecError

_SCALES = {"map": "each map", "layer": "each epoch", "network": "all epochs"}
_PICTURES = ("a validation picture", "the picture of Look inside")


def tab(
    topic: Topic[cnn.Spec], run: Followed[cnn.Spec], found: tuple[architecture.LayerInfo, ...]
) -> None:
    """A column per epoch; it follows a run that trains."""
    if not run.mine or not run.status.answering:
        st.caption(
            "The weights of past epochs live with the run's process: press Play to train it."
        )
        return
    key = f"{topic.page}-evolution"
    kinds = {one.name: one.kind for one in found}

    def title(name: str) -> str:
        return f"{int(name) + 1 if name.isdecimal() else name} {kinds[name]}"

    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = st.selectbox("Layer", list(kinds), format_func=title, key=f"{key}-layer", width=220)
        source = st.segmented_control(
            "Picture", _PICTURES, default=_PICTURES[0], required=True, key=f"{key}-picture"
        )
        scale = st.segmented_control(
            "Scale",
            tuple(_SCALES),
            default="network",
            required=True,
            format_func=_SCALES.__getitem__,
            key=f"{key}-scale",
            help="What black and white stand for: the lowest and highest value of each map, of an epoch, or of all.",
        )
    address.every(2.0 if run.status.state == "running" else None)(_columns)(
        run, str(layer), title(str(layer)), source == _PICTURES[1], str(scale), key
    )


def _columns(
    run: Followed[cnn.Spec], layer: str, name: str, own: bool, scale: str, key: str
) -> None:
    try:
        picture = _picture(run.spec).numpy().tobytes() if own else b""
        told = transport.command(run, "evolve", layer=layer, picture=picture)
    except SpecError as error:
        controls.explain(error)
        return
    except RunError as error:
        lesson.problem("No past epochs", str(error))
        return
    values = torch.from_numpy(np.array(told["values"]))
    channels, *cells = told["shape"]
    columns = [
        look.Maps(f"epoch {epoch:.4g}", "", part)
        for epoch, part in zip(told["epochs"], values, strict=True)
    ]
    maps(
        key=key,
        picture=torch.from_numpy(np.array(told["picture"])),
        found=columns,
        scale=scale,
        hint=f"Each column is what {name} makes of the picture after so many epochs.",
        height=400,
        alt=f"The maps of {name} at {len(columns)} epochs from the start until now",
    )
    st.caption(
        _course(told, run.spec)
        + (
            f" The first {len(values[0])} of {channels} channels of {' × '.join(map(str, cells))} cells are shown."
            if len(values[0]) < channels or list(values.shape[2:]) != cells
            else ""
        )
    )


def _course(told: dict[str, Any], spec: cnn.Spec) -> str:
    """What the network said of the picture at each of the epochs."""
    names = data.names(spec)
    said = [
        f"{epoch:.4g}: {names[int(np.argmax(p))]} ({float(np.max(p)):.0%})"
        for epoch, p in zip(told["epochs"], told["probabilities"], strict=True)
    ]
    return f"What the network said of it after each epoch: {', '.join(said)}."


def _picture(spec: cnn.Spec) -> torch.Tensor:
    """The picture on the bench, as this network sees it."""
    panel = controls.panel(looking.Spec, bench.PREFIX)
    seen = looking.Bench(nn.Identity(), spec, spec.image_size, spec.channels, (), False)
    return looking.prepared(panel.spec, seen).contiguous()
