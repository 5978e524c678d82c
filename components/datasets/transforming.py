"""The list of transforms at work: one picture after each step, many draws of the same picture, a mixed batch."""

from __future__ import annotations

import streamlit as st

from components import controls, session
from components.views.tiles import Tile, tiles
from models import datasets
from models.core.spec import SpecError
from models.data import image_steps
from models.data.image_steps import Stage
from models.datasets import describe

DRAWS = 8


def settings(panel: controls.Panel[datasets.Spec]) -> None:
    """The list to edit, and a menu that adds a step."""
    one = panel.setting("transforms")
    st.text_area(
        controls.label(datasets.Spec, "transforms"),
        one.born,
        key=one.key,
        height=170,
        help="One transform of torchvision.transforms.v2 a line, with its arguments: RandomCrop 56 padding=4",
    )
    panel.problems("transforms")

    def add() -> None:
        chosen = st.session_state.get("datasets:add")
        if chosen:
            lines = str(panel.values["transforms"]).splitlines()
            ends = [
                i
                for i, line in enumerate(lines)
                if line.split()[:1] in (["ToFloat"], ["Normalize"])
            ]
            lines.insert(ends[0] if ends else len(lines), image_steps.STEPS[chosen].example)
            controls.put(panel.prefix, transforms="\n".join(lines))
            st.session_state["datasets:add"] = None

    st.selectbox(
        "Add a step",
        list(image_steps.STEPS),
        index=None,
        key="datasets:add",
        on_change=session.whole(add),
        format_func=lambda name: f"{name}: {image_steps.STEPS[name].about}",
        placeholder="Choose a transform",
    )
    panel.draw("mix", "side", "seed")


def show(spec: datasets.Spec, made: datasets.Parts) -> None:
    """After each step; then draws."""
    row = st.session_state.get("datasets:picture", 0)
    row = row if row < len(made.train) else 0
    index = int(made.train[row])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        row = st.number_input(
            "Training picture", 0, len(made.train) - 1, row, key="datasets:picture", width=160
        )
        index = int(made.train[int(row)])
        draw = st.number_input(
            "Draw",
            0,
            999,
            0,
            key="datasets:draw",
            width=140,
            help="Another draw of the random steps.",
        )
    after = describe.stages(spec, made, index, spec.seed + int(draw))
    pngs = describe.to_look_at(spec, made, after)
    tiles(
        [_tile(png, stage) for png, stage in zip(pngs, after, strict=True)],
        key="datasets-stages",
        size=124,
        arrows=True,
        alt="The picture after each transform, with its shape, type and range of values.",
    )
    st.markdown(
        f"**{DRAWS} draws of the same picture**: what the network sees of it in {DRAWS} epochs"
    )
    again = describe.draws(spec, made, index, DRAWS)
    pngs = describe.to_look_at(spec, made, again)
    tiles(
        [Tile(png, f"seed {spec.seed + n}") for n, png in enumerate(pngs)],
        key="datasets-draws",
        size=104,
        alt=f"{DRAWS} random outcomes of the whole list for one picture.",
    )
    if spec.mix != "none":
        _mixed(spec, made)


def _mixed(spec: datasets.Spec, made: datasets.Parts) -> None:
    st.markdown(f"**A batch after {spec.mix}**: labels become shares of classes")
    try:
        pngs, words = describe.mixed(spec, made, DRAWS)
    except SpecError as error:
        controls.explain(error)
        return
    tiles(
        [Tile(png, text) for png, text in zip(pngs, words, strict=True)],
        key="datasets-mixed",
        size=124,
        alt="Pictures of a mixed batch with the share of each class.",
    )


def _tile(png: bytes, stage: Stage) -> Tile:
    dtype = str(stage.pixels.dtype).removeprefix("torch.")
    shape = " × ".join(map(str, stage.pixels.shape))
    return Tile(png, stage.line, (f"{dtype} {shape}", f"{stage.low:.3g} to {stage.high:.3g}"))
