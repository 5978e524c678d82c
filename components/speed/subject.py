"""The widgets that say what is measured, where, and how long."""

from __future__ import annotations

from typing import Any

import streamlit as st

from components import controls, session
from components.controls import Panel
from models.core import runs
from models.core.spec import knobs
from models.speed import PARTS, Spec, machine
from models.speed.subject import SUBJECTS

PAGE = "speed"
_OWN = {
    "benchmark": ("rival", "sweep", "seconds"),
    "profile": ("steps",),
    "precision": ("train_steps", "seconds"),
    "memory": ("seconds",),
    "compile": ("program", "seconds"),
    "levers": ("seconds",),
}


def part(panel: Panel[Spec]) -> None:
    """The tabs of the page."""
    one = panel.setting("part")
    st.segmented_control(
        "What is asked about the model",
        tuple(PARTS),
        default=one.born,
        required=True,
        format_func=PARTS.__getitem__,
        key=one.key,
        label_visibility="collapsed",
        width="content",
    )
    panel.problems("part")


def draw(panel: Panel[Spec]) -> None:
    """The sidebar's widgets; only those that change something for this subject and part."""
    values: Any = panel.values
    about = SUBJECTS[values["model"]]
    panel.draw("model")
    if values["model"] in ("own", "own_cnn", "small_resnet"):
        _last_run(panel)
    panel.draw(*about.needs, "batch_size")
    panel.draw("precision", disabled=values["part"] == "precision", why=_ALL_PRECISIONS)
    cores = machine.cores()
    panel.draw("threads")
    if values["threads"] > cores:
        st.caption(f"This machine has {cores} cores: more threads only wait for each other.")
    panel.draw("optimizer")
    if "size" in about.needs and values["model"] != "attention":  # pictures
        panel.draw("channels_last")
    alone = not any(machine.has(name) for name in ("cuda", "mps", "xpu"))
    panel.draw("device", disabled=alone and values["device"] == "cpu", why=_ALONE if alone else "")
    panel.draw(*_OWN[values["part"]])
    panel.draw("seed")


_ALL_PRECISIONS = "The Mixed precision part compares all of them, so this one is not asked there."
_ALONE = (
    "This machine has only its CPU. On one with a GPU this moves model and batch there; "
    "times are then taken after the GPU has finished."
)


def _last_run(panel: Panel[Spec]) -> None:
    """Take over the network that was trained last on the Training or the CNN page."""
    me = session.owner()
    mine = [s for s in session.client().runs(me) if s.module in ("models.training", "models.cnn")]
    st.button(
        "Take my last trained network",
        key=f"{PAGE}-take",
        icon=":material/model_training:",
        disabled=not mine,
        help=None if mine else "Train one on the Training or the CNN page first.",
        on_click=_take,
        args=(mine[-1].id if mine else "",),
        width="stretch",
    )


def _take(run: str) -> None:
    try:
        spec: Any = session.client().spec(run)
        status = session.client().status(run)
        layers = (session.client().history(run).get("scene") or {}).get("layers") or []
    except runs.RunError:
        return
    batch_size = min(spec.batch_size, 4096)
    if status.module == "models.cnn":
        sizes = knobs(Spec)["size"].choices
        size = min(sizes, key=lambda size: abs(int(size) - spec.image_size))
        changes = {"size": size, "batch_size": batch_size}
        if spec.list:
            text = spec.list.replace("\n", ", ")
            changes |= {"model": "own_cnn", "picture_layers": text, "channels": spec.channels}
        elif spec.network in SUBJECTS:  # torchvision's, for colours
            changes |= {"model": spec.network}
        else:
            changes |= {"model": "small_resnet", "channels": spec.channels}
        controls.put(PAGE, **changes)
        return
    features = next((int(layer["units"]) for layer in layers if layer["kind"] == "input"), 2)
    controls.put(
        PAGE,
        model="own",
        layers=spec.layers,
        features=min(max(features, 1), 4096),
        batch_size=batch_size,
    )
