"""Training: a network learns a table while you watch, steer and question it."""

import streamlit as st

from components import code_panel, controls, dataset_picker, lesson, transport
from components.training import charts, data, doctor, evaluate, files, model, steer, table
from models.data import tabular
from models.training import Spec, to_code
from models.training.changes import LIVE

TOPIC = transport.Topic[Spec]("training", "models.training", live=(*LIVE, "epochs"))

projector = lesson.page(
    TOPIC.page, "Training", "Watch a network learn. Change anything while it runs."
)
panel = controls.panel(Spec, TOPIC.page, choices=steer.fitting(TOPIC.page))
panel.complain()
spec = dataset_picker.ready(panel, panel.spec)
device = steer.device(TOPIC.page)

# Pictures first, the many widgets after them: the browser shows elements in the order in which they are sent.
run = transport.follow(TOPIC, spec, device=device)
for note in run.notes:
    st.info(note, icon=":material/info:")
transport.bar(TOPIC, run, spec, device=device)
charts.pictures(TOPIC, run, spec, projector)
with lesson.controls():
    steer.sidebar(panel, beside_data=lambda: charts.axes(TOPIC, run, spec))

with lesson.details():
    doctor.findings(TOPIC, run)
    tabs = st.tabs(
        ["Curves", "Data", "Model", "Evaluate", "Runs", "Save and load", "Code"],
        key=f"{TOPIC.page}-tab",
        on_change="rerun",
        bind="query-params",
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
