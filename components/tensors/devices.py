"""Where tensors can live, what happens when two places meet, and where it pays to move."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from components import address, code_panel, controls, demo, lesson, session
from components.figures import tensors as figures
from components.views.figure import figure
from models.core import device as machine
from models.expressions import show_bytes
from models.tensor_ops import compare, timing

_TOPIC = "models.tensor_ops.timing"


def show(projector: bool) -> None:
    """The Devices part of the page."""
    with lesson.controls():
        spec = controls.edit(timing.Spec, "timing", fields=("op", "largest"))
    found = machine.available()
    alone = len(found) == 1
    run_id = demo.run(_TOPIC, spec)
    moving = session.client().status(run_id).state in ("queued", "running")
    with lesson.stage():
        address.every(1.0 if moving else None)(_race)(run_id, alone, moving)
    if alone:
        st.markdown(
            "This machine has no accelerator, so the race is between CPU thread counts and kinds of number. "
            "With a GPU it is between devices, with the way there and back measured apart."
        )
    with lesson.details():
        st.markdown("##### What this machine has")
        st.dataframe(
            pd.DataFrame(
                [(d.name, d.title, show_bytes(d.memory) if d.memory else "unknown") for d in found],
                columns=["device", "what it is", "memory"],
            ),
            hide_index=True,
        )
        other = found[-1].name if not alone else "meta"
        st.markdown("##### Moving a tensor")
        st.code("a = torch.ones(1000)\na.to(device)", language="python")
        rows = [
            f"| `{call}` | {where} | {made} | {show_bytes(new)} |"
            for call, where, made, new in compare.moves(
                [*(d.name for d in found), *([other] * alone)]
            )
        ]
        st.markdown(
            "\n".join(["| call | device of the result | what it is | bytes written |", "| --- | --- | --- | --- |", *rows])
        )  # fmt: skip
        st.markdown(
            "`.to` copies only where it has to: asked for the place and the kind of number that a tensor has, "
            "it hands back the same tensor, and writing into one writes into the other."
        )
        st.markdown("##### Two devices meet")
        st.code(f'a = torch.ones(2)\nb = torch.ones(2, device="{other}")\na + b', language="python")
        st.error(controls.plain(compare.mixed_devices(other)), icon=":material/error:")
        st.markdown(
            "An operation needs all its tensors in one place. Move one: "
            f'`a + b.to("cpu")` or `a.to("{other}") + b`.'
            + (
                " There is no second device here, so `meta` stands in: a device of shapes without numbers, "
                "from which nothing can come back."
                if alone
                else ""
            )
        )
        _code(spec)


def _code(spec: timing.Spec) -> None:
    st.markdown("##### Code")
    code_panel.show(
        timing.to_code(spec),
        name="timing",
        spec=spec,
        page="tensors",
        prefix="timing",
    )


def _race(run_id: str, alone: bool, moving: bool) -> None:
    status = session.client().status(run_id)
    told = session.client().history(run_id)
    rows, scene = told.get("rows", []), told.get("scene") or {}
    if status.message and not rows:
        st.info(status.message)
    if not rows:
        st.caption("Measuring…")
    figure(
        figures.race(rows, scene),
        key="tensors-race",
        height=380,
        alt="Time of the operation by matrix size, one line per lane, with the middle half of the runs as bars.",
    )
    if rows:
        st.markdown(timing.verdict(rows, scene, alone) + (" Still measuring." if moving else ""))
    if moving and status.state not in ("queued", "running"):
        st.rerun()  # once more, without the clock
