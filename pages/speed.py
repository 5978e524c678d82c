"""Speed: what makes PyTorch fast on this machine, measured honestly."""

import streamlit as st

from components import code_panel, controls, lesson, session
from components.speed import (
    accelerator,
    benchmark,
    compiling,
    footprint,
    history,
    levers,
    measure,
    precision,
    profile,
    subject,
)
from models.speed import Spec, to_code

projector = lesson.page(
    "speed",
    "Speed",
    "What makes a model fast on this machine? No number without its noise.",
)
PARTS = {
    "benchmark": benchmark,
    "profile": profile,
    "precision": precision,
    "memory": footprint,
    "compile": compiling,
    "levers": levers,
}
if projector:  # the sentence above the picture takes room too
    st.html(
        "<style>.st-key-stage { --stage-height: max(16rem, calc(100vh - 20rem)) !important; }</style>"
    )
panel = controls.panel(Spec, subject.PAGE)
panel.complain()
spec = panel.spec
with lesson.controls():
    subject.draw(panel)
shown = measure.run(spec)
with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    subject.part(panel)
    measure.button(spec, shown)
if refused := session.told("speed:refused"):
    st.info(refused)
found = measure.found(spec, shown)
if found is not None:
    PARTS[spec.part].draw(found)
with lesson.details():
    if found is not None:
        PARTS[spec.part].more(found)
    accelerator.explain(spec.part)
    past = st.expander(
        "History: compare two, export all",
        icon=":material/history:",
        on_change="rerun",
        key="speed-past",
    )
    if past.open:
        with past:
            history.show()
    st.markdown("##### Code")
    code_panel.show(to_code(spec), name="speed", spec=spec, params={"run": shown})
lesson.footer()
