"""Transfer: four ways to use a trained network for other pictures, compared in one chart as they train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from components import address, code_panel, controls, lesson, news, reading, session
from components.cnn import bench, sets
from components.figures import evaluation as figures
from components.job import Job
from components.transport import Topic
from components.views.figure import figure
from models.cnn import looking, opening, transfer
from models.core.runs import RunError
from models.core.spec import SpecError
from models.data import workspace

PREFIX = "transfer"
_SAYS = {
    "scratch": "from scratch",
    "frozen": "frozen, new head",
    "staged": "unfrozen in stages",
    "fine_tuned": "fine-tuned",
}


def show(topic: Topic) -> None:
    """Accuracy against the number of pictures, and the courses of the largest number."""
    panel = controls.panel(transfer.Spec, PREFIX)
    with lesson.controls():
        st.markdown("**From**")
        panel.draw("base")
        _weights(panel)
        st.markdown("**To**")
        sets.pick(panel, "target")
        panel.draw("sizes")
        st.markdown("**How**")
        panel.draw("epochs", "lr", "body", "every", "batch_size", "seed")
    panel.complain()
    spec = panel.spec
    if sets.missing(spec.target):
        return
    run = _run(spec)
    if run is None:
        return
    with lesson.stage():
        moving = session.client().status(run, session.owner()).state in ("running", "queued")
        address.every(0.5 if moving else None)(_charts)(run, moving)
    with lesson.details():
        st.markdown(
            "**From scratch**: new random weights everywhere. **Frozen**: the learned layers stay as they are, only a new last "
            "layer learns. **In stages**: as frozen, then one more layer after every few epochs, from the last to the "
            "first. **Fine-tuned**: everything learns, the learned layers at their own, smaller rate."
        )
        with st.container(horizontal=True):
            st.button(
                "Put the fine-tuned network on the bench",
                key=f"{PREFIX}-take",
                icon=":material/move_to_inbox:",
                on_click=_take,
                args=(run,),
                help="Then Look inside, Evaluate and Explain show it.",
            )
        if error := session.told(f"{PREFIX}:error"):
            controls.explain(error)
        st.markdown("##### Code")
        try:
            code = transfer.to_code(spec)
        except SpecError as error:
            controls.explain(error)
            return
        code_panel.show(
            code,
            name=PREFIX,
            spec=spec,
            page="cnn",
            prefix=PREFIX,
            files=transfer.files(spec),
        )


def _weights(panel: controls.Panel[transfer.Spec]) -> None:
    if panel.values["base"] == transfer.PART:
        return
    key = f"{PREFIX}-file"

    @session.whole
    def take() -> None:
        file = st.session_state.get(key)
        if file is None:
            return
        try:
            kept = f"upload:{workspace.put(file, file.name, session.owner())}"
            reading.check(Job("models.cnn.opening", opening.Spec(kept, str(panel.values["base"]))))
            controls.put(PREFIX, weights=kept)
        except SpecError as error:
            st.session_state[f"{PREFIX}:error"] = error

    st.file_uploader(
        "Its weights (.safetensors or .pth)",
        key=key,
        on_change=take,
        help="Read with weights_only=True. ImageNet weights can be downloaded under Look inside, where the network allows.",
    )
    on_bench = controls.read(looking.Spec, bench.PREFIX)
    if on_bench["network"] == panel.values["base"] and on_bench["weights"]:
        st.button(
            "Use the bench's weights",
            key=f"{PREFIX}-bench",
            on_click=lambda: controls.put(PREFIX, weights=on_bench["weights"]),
        )


def _run(spec: transfer.Spec) -> str | None:
    """The comparison with these settings, started when there is none yet."""
    client, me = session.client(), session.owner()
    key = f"{PREFIX}:runs"
    if key not in st.session_state:
        st.session_state[key] = session.started("models.cnn.transfer")
    kept: dict[transfer.Spec, str] = st.session_state[key]
    run = kept.get(spec)
    if run is not None and client.status(run, me).known:
        return run
    for other in kept.values():  # one comparison at a time
        if client.status(other, me).state in ("running", "queued"):
            client.stop(other, me)
    try:
        kept[spec] = client.start("models.cnn.transfer", spec, owner=me)
    except RunError as error:
        lesson.problem("No comparison", str(error))
        return None
    return kept[spec]


def _charts(run: str, moving: bool) -> None:
    status = session.client().status(run, session.owner())
    if moving and status.state not in ("running", "queued"):
        st.rerun()
    if status.state == "failed":
        lesson.problem("No comparison", status.message, status.detail)
        return
    known = news.of(run)
    frame: Mapping[str, Any] = known.frame or {}
    left, right = st.columns((3, 2), gap="medium")
    with left:
        st.markdown(
            "**Accuracy on validation pictures it never saw, by training pictures per class**"
        )
        counts = np.array([row["step"] for row in known.rows])
        columns = {
            title: (counts, np.array([row[way] for row in known.rows]))
            for way, title in _SAYS.items()
        }
        figure(
            figures.lines(columns, "training pictures per class", "accuracy", log_x=True),
            key=f"{PREFIX}-chart-sizes",
            height=360,
            alt="Accuracy against the number of training pictures, for four ways to train",
        )
    with right:
        courses = frame.get("courses", {})
        count = frame.get("count")
        st.markdown(f"**Course with {count} per class**" if count else "**Course**")
        figure(
            figures.lines(
                {
                    _SAYS[way]: (np.arange(1, len(course) + 1), np.array(course))
                    for way, course in courses.items()
                },
                "epoch",
                "accuracy",
            ),
            key=f"{PREFIX}-chart-courses",
            height=360,
            alt="Accuracy against epochs with the largest number of training pictures so far",
        )
    if known.rows:
        row = known.rows[0 if len(known.rows) < 4 else len(known.rows) // 2]
        best = max(_SAYS, key=lambda way: row[way])
        scene = known.scene or {}
        st.markdown(
            f"With {row['step']} {'picture' if row['step'] == 1 else 'pictures'} per class: "
            + ", ".join(f"{title} **{row[way]:.1%}**" for way, title in _SAYS.items())
            + f". Best: {_SAYS[best]}."
            + (
                f" The new head has {scene['head']:,} of {scene['parameters']:,} parameters."
                if scene
                else ""
            )
        )


@session.whole
def _take(run: str) -> None:
    file = session.client().blob(run, "transferred.safetensors")
    if not file:
        st.session_state[f"{PREFIX}:error"] = SpecError(
            "The comparison has not come to its last network yet, or that has more than "
            f"{transfer.KEPT_BYTES >> 20} MB (VGG16): too much to hand over."
        )
        return
    bench.take(file, "transferred.safetensors", network=looking.OWN)
