"""Evaluate: the network on the bench, judged on pictures; every number leads to the pictures behind it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from components import address, code_panel, controls, lesson
from components.cnn import bench
from components.figures import evaluation as figures
from components.training import evaluate
from components.transport import Topic
from components.views.figure import figure
from components.views.maps import maps
from components.views.tiles import Tile, tiles
from models.cnn import explain, judging, look, looking
from models.core.spec import SpecError
from models.data import images

_SPLITS = {"validation": "val", "training": "train", "test": "test"}
_SHOWN = 24


def show(topic: Topic) -> None:
    """Numbers, confusion matrix, calibration, mistakes; a picture leads to its maps or its explanation."""
    panel = bench.panel(topic)
    with lesson.controls():
        st.markdown("**Network**")
        bench.network(panel, topic)
    panel.complain()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = controls.one_of(
            "Pictures", tuple(_SPLITS), default="validation", key=f"{topic.page}-split"
        )
        one = address.setting(f"{topic.page}-k", 3, read=_k)
        k = st.number_input(
            "Best guesses that count (top-k)",
            1,
            10,
            one.born,
            key=one.key,
            width=140,
            help="top-k: the share of pictures whose true class is among the k likeliest.",
        )
    try:
        used = bench.network_of(panel.spec)
        if used is None:
            return
        if chosen == "test" and not _asked(topic, panel.spec):
            return
        report = judging.report(used, _SPLITS[chosen])
    except SpecError as error:
        controls.explain(error)
        return
    k = min(int(k), len(report["names"]))
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

    with lesson.details():
        st.markdown("##### Code")
        code_panel.show(
            judging.to_code(panel.spec, _SPLITS[chosen], k),
            name="judging",
            spec=panel.spec,
            page="cnn",
            prefix=bench.PREFIX,
            files=judging.files(panel.spec),
        )


def _k(text: str) -> int:
    return int(address.among("k", range(1, 11))(text))


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
    """Pictures with answer, truth and confidence; a click on one shows its maps and where the network looked."""
    at = {int(row): i for i, row in enumerate(report["rows"])}
    names = report["names"]
    try:
        shown = [looking.picture_of(used, int(row)) for row in rows]
    except SpecError as error:
        controls.explain(error)
        return
    kept = f"{topic.page}:closer-{key}"
    numbers = [int(row) for row in rows]
    here = st.session_state.get(kept)
    made = []
    for row, x in zip(numbers, shown, strict=True):
        i = at[row]
        said, true = (names[int(report[what][i])] for what in ("predicted", "truth"))
        confidence = f"{float(report['confidence'][i]):.1%}"
        made.append(Tile(images.to_png(x), f"{said}, {confidence}", (f"is {true}",)))
    picked = tiles(
        made,
        key=f"{topic.page}-tiles-{key}",
        alt="Pictures with what the network says, how sure it is, and what is true; click one for its maps and Grad-CAM",
        size=84,
        picked=numbers.index(here) if here in numbers else None,
        pickable=True,
    )
    if picked is not None and picked < len(numbers) and numbers[picked] != here:
        st.session_state[kept] = numbers[picked]
        st.rerun()  # the mark moves
    if here in numbers:
        _closer(topic, used, report, here, at[here], key)


def _closer(
    topic: Topic, used: looking.Bench, report: dict[str, Any], row: int, i: int, key: str
) -> None:
    """One picture: what every layer makes of it, and where the network looked for its answer and for the truth."""
    names = report["names"]
    said, true = (int(report[what][i]) for what in ("predicted", "truth"))
    x = looking.picture_of(used, row)
    seen = looking.imagenet(x) if used.imagenet else x
    found, logits = look.seen(used.model, seen)
    cams = [Tile(images.to_png(x), "picture", (f"is {names[true]}",))]
    for label in dict.fromkeys((said, true)):
        try:
            heat = explain.attribute("grad_cam", used.model, seen, label).values
        except SpecError as error:
            controls.explain(error)
            break
        cams.append(Tile(images.to_png(explain.lit(x, heat)), f"why {names[label]}", ("Grad-CAM",)))
    maps(
        key=f"{topic.page}-closer-maps-{key}",
        picture=x,
        input=seen if used.imagenet else None,
        found=found,
        classes=names,
        probabilities=logits.softmax(0),
        weights=look.multiplied(used.model, found),
        height=330,
        alt=f"What every layer makes of this picture of {names[true]}",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="content"):
            tiles(
                cams,
                key=f"{topic.page}-closer-cams-{key}",
                alt="The picture, lit where Grad-CAM says the network looked",
                size=110,
            )
        for view in ("Look inside", "Explain"):
            st.button(
                f"Open in {view}",
                key=f"{topic.page}-{key}-{view}",
                on_click=_open,
                args=(row, view),
            )


def _open(row: int, view: str) -> None:
    """Put this picture on the bench and go to a view; for callbacks."""
    bench.put_row(row, own=controls.read(looking.Spec, bench.PREFIX)["network"] != looking.SHIPPED)
    address.put("cnn-view", view)
