"""Explain: which pixels counted, by six methods side by side, and a test of who is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
import torch

from components import code_panel, controls, lesson
from components.cnn import bench
from components.figures import evaluation as figures
from components.transport import Topic
from components.views.compare import compare
from components.views.figure import figure
from models.cnn import explain, looking
from models.core.seeding import generator
from models.core.spec import SpecError
from models.data import images

_TITLES = {
    "saliency": "Saliency",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "Integrated gradients",
    "grad_cam": "Grad-CAM",
    "occlusion": "Occlusion",
    "guided_backprop": "Guided backprop",
}


def show(topic: Topic) -> None:
    """The picture, each method's map over it, and the probability while the highest ranked pixels disappear."""
    panel = bench.panel(topic)
    with lesson.controls():
        bench.picture(panel)
        st.markdown("**Network**")
        bench.network(panel, topic)
    panel.complain()
    seen = bench.look(panel.spec)
    if seen is None:
        return
    used, result = seen
    order = result.probabilities.argsort(descending=True).tolist()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Explain the class",
            order[:50],
            format_func=lambda c: f"{result.classes[c]} ({float(result.probabilities[c]):.1%})",
            key=f"{bench.PREFIX}-target-{panel.spec.image}-{panel.spec.row}",
            width=260,
            help="The likeliest comes first.",
        )
        methods = st.pills(
            "Methods",
            list(_TITLES),
            default=["saliency", "integrated_gradients", "grad_cam", "occlusion"]
            if result.x.numel() > 20_000
            else list(_TITLES),
            selection_mode="multi",
            format_func=_TITLES.__getitem__,
            key=f"{bench.PREFIX}-methods",
        )
    target = order[0] if chosen is None else chosen
    found, problems = _attributions(panel.spec, used, result, target, tuple(methods))
    picture = looking.shown(used, result.x)
    with lesson.stage():
        _side_by_side(picture, result.classes[target], found)
    for name, error in problems.items():
        st.warning(f"{_TITLES[name]}: {error}")
    with lesson.details():
        left, right = st.columns((3, 2), gap="medium")
        with left:
            _deletion(used, result, target, found)
        with right:
            _trap(used, result, target)
        st.markdown("##### Code")
        code_panel.show(
            explain.to_code(looking.subject_cells(panel.spec), target, tuple(found)),
            name="explaining",
            spec=panel.spec,
            page="cnn",
            prefix=bench.PREFIX,
            files=looking.files(panel.spec),
        )


def _attributions(
    spec: looking.Spec,
    used: looking.Bench,
    result: looking.Result,
    target: int,
    methods: tuple[str, ...],
) -> tuple[dict[str, explain.Attribution], dict[str, str]]:
    """What each method says; kept for as long as picture, network and class stay the same."""
    memory: dict[Any, Any] = st.session_state.setdefault(f"{bench.PREFIX}:explained", {})
    if memory.get("for") != (spec, target):
        memory.clear()
        memory["for"] = (spec, target)
    found, problems = {}, {}
    for name in methods:
        if name not in memory:
            try:
                memory[name] = explain.attribute(name, used.model, result.x, target)
            except SpecError as error:
                memory[name] = str(error)
        kept = memory[name]
        if isinstance(kept, str):
            problems[name] = kept
        else:
            found[name] = kept
    return found, problems


def _side_by_side(picture: torch.Tensor, name: str, found: dict[str, explain.Attribution]) -> None:
    columns = st.columns(max(3, len(found) + 1), gap="small")
    with columns[0]:
        st.image(picture.movedim(0, -1).squeeze(-1).numpy(), width="stretch", clamp=True)
        st.markdown("**Picture**")
        st.caption(f"Bright places speak for {name}.")
    for column, (method, one) in zip(columns[1:], found.items(), strict=False):
        with column:
            low, high = float(one.values.min()), float(one.values.max())
            st.image(images.spread(one.values).numpy(), width="stretch", clamp=True)
            st.markdown(f"**{_TITLES[method]}**")
            delta = "" if one.delta is None else f" Convergence delta {one.delta:.2g}."
            st.caption(f"{low:.2g} to {high:.2g}.{delta} {one.note}")


def _deletion(
    used: looking.Bench,
    result: looking.Result,
    target: int,
    found: dict[str, explain.Attribution],
) -> None:
    st.markdown("##### Who is right? Delete the pixels it ranks highest")
    order = torch.rand(result.x.shape[1:], generator=generator(0))
    ranked = {_TITLES[name]: one.values for name, one in found.items()} | {"random": order}
    shares = np.empty(0)
    lines = {}
    for name, values in ranked.items():
        x, y = explain.deletion(used.model, result.x, target, values)
        shares, lines[name] = x.numpy(), y.numpy()
    figure(
        figures.deletion(shares, lines),
        key=f"{bench.PREFIX}-deletion",
        height=330,
        alt="Probability of the class while pixels are deleted in the order of each explanation",
    )
    st.caption(
        "A good explanation names the pixels that the network needs, so its line falls early (a small area). One that "
        "falls no faster than random names the wrong pixels."
    )


def _trap(used: looking.Bench, result: looking.Result, target: int) -> None:
    st.markdown("##### A trap: functional ReLU")
    try:
        trap = explain.functional_trap(used.model, result.x, target)
    except SpecError as error:
        controls.explain(error)
        return
    st.markdown(
        "Guided backprop replaces the gradient of every `nn.ReLU` module. The same network that calls `torch.relu` "
        "instead has no module to hook, so the method silently returns the plain gradient:"
    )
    compare(
        images.to_png(images.spread(trap.modules)[None]),
        images.to_png(images.spread(trap.functional)[None]),
        key=f"{bench.PREFIX}-trap",
        labels=("nn.ReLU", "torch.relu"),
        height=190,
        alt="Guided backprop of the same weights with nn.ReLU and with torch.relu",
    )
    st.markdown(
        f"Largest difference between both: **{trap.apart:.3g}**. Between the one with `torch.relu` and the plain "
        f"gradient: **{trap.from_gradient:.3g}**."
    )
