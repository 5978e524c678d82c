"""Training: a network learns a table while you watch, steer and question it."""

import streamlit as st

from components import code_panel, controls, lesson, transport
from components.training import card, charts, data, doctor, evaluate, files, model, steer, table
from models.data import tabular
from models.training import Spec, to_code
from models.training.changes import LIVE

TOPIC = transport.Topic[Spec]("training", "models.training", live=(*LIVE, "epochs"))

projector = lesson.page(
    TOPIC.page, "Training", "Watch a network learn. Change anything while it runs."
)
panel, spec, run = steer.now(TOPIC)
waiting = card.due(spec)  # an own table: first its card, then the training
if not waiting:
    transport.notes(run)
    transport.bar(TOPIC, spec, device=steer.device(TOPIC.page))
    data.line(panel)
stage = st.container(key="training-stage")
turn = st.session_state[f"{TOPIC.page}:turn"] = st.session_state.get(f"{TOPIC.page}:turn", 0) + 1
with lesson.controls():
    steer.data(TOPIC, turn, panel, spec, run, stage, projector)
    steer.layers(panel)
    steer.live(TOPIC, turn, panel, run)
    steer.learning(panel)

if waiting:
    lesson.footer()
    st.stop()
with lesson.details():
    doctor.findings(TOPIC, run)
    tabs = controls.tabs(
        ("Curves", "Data", "Model", "Evaluate", "Runs", "Save and load", "Code"),
        key=f"{TOPIC.page}-tab",
    )
    draw = (charts.curves_tab, data.tab, model.tab, evaluate.tab, table.tab, files.tab)
    for tab, body in zip(tabs, draw, strict=False):
        if tab.open:
            with tab:
                body(TOPIC, run, spec)
    if tabs[-1].open and run.run:
        with tabs[-1]:
            ran = model.as_it_ran(run)
            code_panel.show(
                to_code(ran),
                name=TOPIC.page,
                spec=ran,
                params={"run": run.run},
                files=tabular.files(ran),
            )
lesson.footer()
