"""Save a trained network, load it back to go on or to predict, and try it on own rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import controls, lesson, news, reading, session, transport
from components.job import Job
from components.training import data
from components.transport import Followed, Topic
from models.core.runs import RunError
from models.core.spec import SpecError
from models.data import toy, workspace
from models.training import Spec, opening
from models.training.spec import RunSpec


def tab(topic: Topic[Spec], run: Followed[Spec], spec: Spec) -> None:
    """Downloads, uploads, predictions."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("##### Save")
        save(topic.page, run)
        st.markdown("##### Load")
        load(topic, Spec)
    with right:
        st.markdown("##### Predict own rows")
        _predict(topic, run, spec)


def save(page: str, run: Followed[Any]) -> None:
    """Downloads of a run: all of it, to resume, or its weights."""
    if not run.mine or not run.status.answering:
        st.caption(
            "Its process has ended, so this run's weights are gone; press Play to train it again."
            if run.mine
            else "Only the owner of a run can save it."
        )
        return
    st.download_button(
        "Checkpoint (to resume)",
        _blob(run, "checkpoint.pt"),
        f"{page}-checkpoint.pt",
        key=f"{page}-save-checkpoint",
        icon=":material/save:",
        on_click="ignore",
        help="Weights, optimizer, scheduler, random states, settings and curves: a resumed run goes on exactly.",
    )
    st.download_button(
        "Weights (safetensors)",
        _blob(run, "model.safetensors"),
        "model.safetensors",
        key=f"{page}-save-weights",
        icon=":material/download:",
        on_click="ignore",
        help="The state_dict alone, for any PyTorch program.",
    )


def _blob(run: Followed[Any], name: str) -> Callable[[], bytes]:
    """Makes the file when it is asked for; runs outside of the page's script, so the owner is looked up now."""
    client, me, id = session.client(), session.owner(), run.run or ""

    def make() -> bytes:
        client.reply(id, client.send(id, me, "checkpoint"), 30)
        return client.blob(id, name) or b""

    return make


def load(topic: Topic[Any], spec_type: type[RunSpec]) -> None:
    """An uploader for a checkpoint; training stands where it was saved."""
    key = f"{topic.page}-load"

    @session.whole
    def take() -> None:
        file = st.session_state[key]
        st.session_state[f"{key}-error"] = None
        if file is None:
            return
        try:
            _resume(topic, spec_type, file)
        except (SpecError, RunError) as error:
            st.session_state[f"{key}-error"] = error

    st.file_uploader(
        "A checkpoint saved here (.pt)",
        key=key,
        on_change=take,
        max_upload_size=64,
        help="It is read without running anything in it; training stands exactly where it was saved, paused.",
    )
    if error := st.session_state.get(f"{key}-error"):
        lesson.problem("This file was not loaded", str(error), getattr(error, "detail", ""))


def _resume(topic: Topic[Any], spec_type: type[RunSpec], file: Any) -> None:
    kept = f"upload:{workspace.put(file, file.name)}"
    found = reading.check(Job("models.training.opening", opening.Spec(kept, topic.module)))
    if found is None:
        raise SpecError("The checkpoint takes too long to be read. Try again in a minute.")
    start = spec_type(**found["fields"]).replace(changes="")
    epoch, data = found["epoch"], workspace.get(kept.removeprefix("upload:")).read_bytes()
    transport.restart(topic, start, paused=True)
    run = transport.current(topic)
    client, me = session.client(), session.owner()
    number = client.send(run, me, "restore", data=data)
    if client.status(run, me).state == "queued":
        controls.put_spec(topic.page, start)
        transport.say(
            topic,
            f"Loaded: as soon as a place is free, training stands at epoch {epoch:g}, exactly where it was saved.",
        )
        return
    try:
        answer = client.reply(run, number, 30)
    except TimeoutError as error:
        raise RunError(str(error)) from None
    if isinstance(answer, dict) and "error" in answer:
        raise SpecError(answer["error"], answer.get("field", ""))
    controls.put_spec(topic.page, start)
    transport.say(
        topic,
        f"Loaded: training stands at epoch {answer['epoch']}, exactly where it was saved. Press Play to go on.",
    )


def _predict(topic: Topic[Spec], run: Followed[Spec], spec: Spec) -> None:
    known = news.of(run.run) if run.run else None
    if known is None or known.scene is None or not run.mine:
        st.caption("Only the owner of a run can question it.")
        return
    rows = _own_rows(spec, known.scene)
    if rows is None or not len(rows):
        return
    weights = st.file_uploader(
        "Predict with other weights (.safetensors, same layers)",
        key="training-predict-weights",
        max_upload_size=64,
        help="Otherwise the network on screen predicts, as it is now.",
    )
    try:
        answer = transport.command(
            run,
            "predict",
            rows=rows[["x1", "x2"]].to_numpy().tolist() if spec.data in toy.TOYS else rows,
            weights=weights.getvalue() if weights else b"",
        )
    except (RunError, SpecError) as error:
        lesson.problem("No prediction", str(error))
        return
    st.dataframe(_answers(rows, answer, known.scene), hide_index=True, alt="Predictions")


def _answers(rows: pd.DataFrame, answer: dict[str, Any], scene: Mapping[str, Any]) -> pd.DataFrame:
    answers: dict[str, Any] = {"prediction": answer["predictions"]}
    if answer["probabilities"] is not None:
        for i, name in enumerate(scene["classes"]):
            answers[f"p({name})"] = [p[i] for p in answer["probabilities"]]
    return data.beside(answers, rows.reset_index(drop=True))


def _own_rows(spec: Spec, scene: Mapping[str, Any]) -> pd.DataFrame | None:
    source = st.segmented_control(
        "Rows",
        ["typed in", "from a CSV"],
        default="typed in",
        required=True,
        key="training-predict-source",
        label_visibility="collapsed",
    )
    if source == "from a CSV":
        file = st.file_uploader(
            "A CSV with the same columns", key="training-predict-file", max_upload_size=20
        )
        if file is None:
            return None
        try:
            return data.own_rows(spec, file)
        except SpecError as error:
            controls.explain(error)
            return None
    start = data.example_rows(spec, scene)
    return st.data_editor(
        start,
        num_rows="dynamic",
        hide_index=True,
        key=f"training-predict-rows-{spec.data}-{','.join(map(str, start.columns))[:200]}",
    )
