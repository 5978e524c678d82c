"""Evaluate: the network on the bench, judged on pictures; every number leads to the pictures behind it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from components import address, controls, image_picker, lesson
from components.cnn import bench
from components.figures import evaluation as figures
from components.training import evaluate
from components.transport import Topic
from components.views.figure import figure
from models.cnn import judging, looking
from models.core.spec import SpecError
from models.data import images

_SPLITS = {"validation": "val", "training": "train", "test": "test"}
_SHOWN = 24


def show(topic: Topic) -> None:
    """Numbers, confusion matrix, calibration, mistakes; a picture leads to its maps or its explanation."""
    panel = bench.panel()
    with lesson.controls():
        st.markdown("**Network**")
        bench.network(panel, topic)
    panel.complain()
    chosen = st.segmented_control(
        "Pictures",
        list(_SPLITS),
        default="validation",
        required=True,
        key=f"{topic.page}-split",
        bind="query-params",
    )
    try:
        used = looking.bench(panel.spec)
        if chosen == "test" and not _asked(topic, panel.spec):
            return
        report = judging.report(used, _SPLITS[str(chosen)])
    except SpecError as error:
        controls.explain(error)
        return
    k = min(3, len(report["names"]) - 1)
    more = {
        f"top-{k}": f"{judging.top(report, k):.4f}",
        "calibration error": f"{judging.calibration_error(report):.4f}",
    }
    with lesson.stage():
        evaluate.classes(
            topic.page, report, lambda r, rows: _pictures(topic, used, r, rows[:_SHOWN]), more
        )
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("##### Worst mistakes")
        wrong = judging.worst(report)
        if len(wrong):
            _pictures(topic, used, report, wrong, "worst")
        else:
            st.caption("It makes no mistake here.")
    with right:
        st.markdown("##### Does it know what it knows?")
        figure(
            figures.reliability(*judging.calibration(report)),
            key=f"{topic.page}-calibration",
            height=280,
            alt="Share of right answers against confidence; on the diagonal both agree",
        )


def _asked(topic: Topic, spec: looking.Spec) -> bool:
    """Whether the learner has asked to see the test pictures for this network."""
    asked: set[looking.Spec] = st.session_state.setdefault(f"{topic.page}:tests", set())
    network = looking.Spec(network=spec.network, weights=spec.weights, seed=spec.seed)
    if network in asked:
        return True
    st.markdown(
        "The test pictures took no part in training or in any choice. Look at them once, when you are done choosing."
    )
    st.button(
        "Look at the test pictures, once",
        key=f"{topic.page}-test",
        icon=":material/gavel:",
        on_click=asked.add,
        args=(network,),
    )
    return False


def _pictures(
    topic: Topic, used: looking.Bench, report: dict[str, Any], rows: Any, key: str = "cell"
) -> None:
    """Pictures with truth, answer and confidence; one can be opened in the other views."""
    at = {int(row): i for i, row in enumerate(report["rows"])}
    names = report["names"]
    try:
        tiles = [judging.picture_of(used, int(row)) for row in rows]
    except SpecError as error:
        controls.explain(error)
        return
    with st.container(horizontal=True, gap="small"):
        for number, (row, x) in enumerate(zip(rows, tiles, strict=True)):
            i = at[int(row)]
            said, true = names[int(report["predicted"][i])], names[int(report["truth"][i])]
            with st.container(width=104, gap=None):
                st.image(
                    x.movedim(0, -1).squeeze(-1).numpy(),
                    width=96,
                    clamp=True,
                    caption=f"{said}, {float(report['confidence'][i]):.1%}"
                    + (f" (is {true})" if said != true else ""),
                )
                with st.popover("Closer", key=f"{topic.page}-open-{key}-{number}"):
                    for view in ("Look inside", "Explain"):
                        st.button(
                            view,
                            key=f"{topic.page}-{key}-{number}-{view}",
                            on_click=_open,
                            args=(used, int(row), view),
                        )


def _open(used: looking.Bench, row: int, view: str) -> None:
    """Put this picture on the bench and go to a view; for callbacks."""
    digit = judging.digit_row(used, row)
    key = f"{bench.PREFIX}-image"
    if digit is not None:
        address.put(f"{bench.PREFIX}-row", digit)
        address.put(key, looking.DIGITS)
        st.session_state[f"{bench.PREFIX}-source"] = "digit"
    else:
        image_picker.keep(key, images.to_png(judging.picture_of(used, row)), f"picture {row}.png")
        address.put(f"{bench.PREFIX}-crop", False)
        st.session_state[f"{bench.PREFIX}-source"] = "picture"
    address.put("cnn-view", view)
