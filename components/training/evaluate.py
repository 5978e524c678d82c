"""How good the network is on validation rows and, once, on the test rows: numbers, and the rows behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import controls, lesson, transport
from components.figures import evaluation as figures
from components.figures import matrix
from components.training import data
from components.transport import Followed, Topic
from components.views.figure import Point, figure
from models.core.runs import RunError
from models.core.spec import SpecError
from models.data import rows as data_rows
from models.training import Spec

_MOST_ROWS = 200
RowsOf = Callable[[dict[str, Any], Any], None]  # draws rows of a report, by their numbers


def tab(topic: Topic[Spec], run: Followed[Spec], spec: Spec) -> None:
    """The report of validation; the test rows stay unseen until they are asked for on purpose."""

    def rows_of(report: dict[str, Any], numbers: Any) -> None:
        _rows(spec, report, numbers)

    reports: dict[tuple[str | None, str], Any] = st.session_state.setdefault("training:tests", {})
    tested = (run.run, "test") in reports
    split = controls.one_of("Rows", ("validation", "training", "test"), key=f"{topic.page}-split")
    if split == "test":
        if not tested:
            _ask_for_test(topic, run, reports)
            return
        st.info(
            "This is the verdict, taken once, at "
            f"epoch {reports[run.run, 'test'][0]:g}. Whatever you change now because of it is no longer judged "
            "honestly by these rows.",
            icon=":material/gavel:",
        )
        _show(topic, reports[run.run, "test"][1], rows_of)
        return
    if not run.mine:
        st.caption(
            "Only the owner of a run can question it. Change any setting to get your own run."
        )
        return
    try:
        report = transport.command(run, "evaluate", split=_SPLITS[split])
        if run.status.state == "running":
            st.caption(
                "The run goes on; these numbers are of the moment when this page was drawn last."
            )
        _show(topic, report, rows_of)
    except RunError as error:
        lesson.problem("Nothing to evaluate", str(error))


def _ask_for_test(
    topic: Topic[Spec], run: Followed[Spec], reports: dict[tuple[str | None, str], Any]
) -> None:
    st.markdown(
        "The test rows have taken no part in anything so far: not in training, and not in any choice you made. "
        "Look at them once, when you are done choosing; that number is the honest one."
    )

    def look() -> None:
        try:
            answer = transport.command(run, "evaluate", split="test")
            reports[run.run, "test"] = (run.status.epoch, answer)
        except RunError as error:
            transport.say(topic, str(error))

    st.button(
        "Look at the test rows, once",
        key=f"{topic.page}-test",
        icon=":material/gavel:",
        on_click=look,
        disabled=not run.mine,
    )


def _show(topic: Topic[Spec], report: dict[str, Any], rows_of: RowsOf) -> None:
    if report["task"] == "classification":
        classes(topic.page, report, rows_of)
    else:
        _numbers(report, rows_of)


def classes(
    page: str,
    report: dict[str, Any],
    rows_of: RowsOf,
    more: Mapping[str, str] | None = None,
) -> None:
    """The report of a classifier; a click on a cell of its confusion matrix shows what lies behind, by `rows_of`.

    Args:
        more: further numbers by their names.
    """
    with st.container(horizontal=True):
        st.metric("accuracy", f"{report['accuracy']:.4f}", width="content")
        st.metric("macro F1", f"{report['macro_f1']:.4f}", width="content")
        st.metric("loss", f"{report['loss']:.4g}", width="content")
        for label, value in (more or {}).items():
            st.metric(label, value, width="content")
        st.metric("rows", len(report["rows"]), width="content")
    left, right = st.columns(2, gap="medium")
    names = report["names"]
    with left:
        point = figure(
            matrix.confusion(report["confusion"], names),
            key=f"{page}-confusion-{report['split']}",
            height=380,
            clickable=True,
            alt="Confusion matrix: rows are the true classes, columns the predictions; click a cell for its rows",
        )
        chosen = _remember(f"{page}:cell", point)
    with right:
        table = pd.DataFrame(
            {
                "class": names,
                "precision": report["precision"],
                "recall": report["recall"],
                "F1": report["f1"],
                "rows": report["support"],
            }
        )
        st.dataframe(
            table,
            hide_index=True,
            column_config={
                c: st.column_config.NumberColumn(format="%.4f")
                for c in ("precision", "recall", "F1")
            },
            alt="Precision, recall and F1 of each class",
        )
        if report["roc"] is not None:
            kind = st.segmented_control(
                "Curve",
                ["ROC", "precision and recall"],
                default="ROC",
                required=True,
                key=f"{page}-roc-kind",
                label_visibility="collapsed",
            )
            curve = report["roc"] if kind == "ROC" else report["pr"]
            figure(
                figures.threshold_curve(curve, kind == "ROC", names[1]),
                key=f"{page}-roc",
                height=300,
                alt=f"{kind} of class {names[1]} over all thresholds, area {curve['area']:.4f}",
            )
    if chosen is not None and chosen[0] < len(names) and chosen[1] < len(names):
        _cell(report, *chosen, rows_of)
    else:
        st.caption("Click a cell of the confusion matrix to see its rows.")


def _remember(key: str, point: Point | None) -> tuple[int, int] | None:
    if point is not None and isinstance(point.index, tuple):
        st.session_state[key] = point.index
    return st.session_state.get(key)


def _cell(report: dict[str, Any], truth: int, predicted: int, rows_of: RowsOf) -> None:
    names, cells = report["names"], report["cells"]
    numbers = cells.get(f"{truth},{predicted}", ())
    what = f"**{names[truth]}** taken for **{names[predicted]}**"
    if truth == predicted:
        what = f"**{names[truth]}** recognised"
    if not len(numbers):
        st.markdown(f"No row: {what}.")
        return
    more = f", the first {_MOST_ROWS} of" if len(numbers) > _MOST_ROWS else ":"
    st.markdown(f"{what}{more} {len(numbers)} rows")
    rows_of(report, numbers[:_MOST_ROWS])


def _rows(spec: Spec, report: dict[str, Any], numbers: Any) -> None:
    try:
        table = data_rows.original(spec, numbers)
    except SpecError as error:
        st.warning(str(error))
        return
    at = {int(row): i for i, row in enumerate(report["rows"])}
    where = [at[int(row)] for row in numbers]
    if report["task"] == "classification":
        answers = {
            "predicted": [report["names"][int(report["predicted"][i])] for i in where],
            "confidence": [float(report["confidence"][i]) for i in where],
        }
    else:
        answers = {
            "predicted": [float(report["predicted"][i]) for i in where],
            "residual": [float(report["residuals"][i]) for i in where],
        }
    st.dataframe(data.beside(answers, table), alt="The rows, with what the network predicted")


def _numbers(report: dict[str, Any], rows_of: RowsOf) -> None:
    with st.container(horizontal=True):
        for label, name in (("MAE", "mae"), ("RMSE", "rmse"), ("R²", "r2")):
            value = report[name]
            st.metric(label, "–" if value is None else f"{value:.4f}", width="content")
        st.metric("rows", len(report["rows"]), width="content")
    left, right = st.columns(2, gap="medium")
    with left:
        figure(
            figures.predictions(report["truth"], report["predicted"], report["rows"]),
            key="training-predicted",
            height=380,
            alt="Predictions against true values; on the diagonal they agree",
        )
    with right:
        figure(
            figures.residuals(report["predicted"], report["residuals"], report["rows"]),
            key="training-residuals",
            height=380,
            alt="Residuals, truth minus prediction, against predictions",
        )
    st.markdown("The rows it misses most:")
    worst = sorted(range(len(report["rows"])), key=lambda i: -abs(report["residuals"][i]))[:20]
    rows_of(report, [int(report["rows"][i]) for i in worst])


_SPLITS = {"validation": "val", "training": "train", "test": "test"}
