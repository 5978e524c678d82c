"""Build and train: any network on any pictures, with the Training page's own bar, curves, doctor and files."""

from __future__ import annotations

import math

import streamlit as st

from components import code_panel, controls, lesson, news, session, transport
from components.cnn import bench, evolution, inside, sets
from components.controls import Panel
from components.training import charts, doctor, files, model, steer, table
from components.transport import Followed, Topic
from components.views.curves import LOSS, METRIC, curves
from components.views.maps import maps
from models import cnn
from models.cnn import architecture, augment, data, look, network, programs
from models.core.seeding import generator, seeded
from models.core.spec import SpecError


def show(topic: Topic[cnn.Spec]) -> None:
    """The network as it learns, and everything that steers it."""
    panel = controls.panel(cnn.Spec, topic.page)
    with lesson.controls():
        sets.pick(panel)
        _otherwise(str(panel.values["data"]))
        _network(panel)
        steer.live_widgets(panel)
        _augmentation(panel)
        steer.learning(panel, "classification")
    with st.container():  # in one place: what stands below does not move when a complaint goes
        panel.complain()
    spec = panel.spec
    if sets.missing(spec.data):
        return
    found, fits = described(spec)
    if not fits:  # what comes before the misfit is still shown
        _until_the_misfit(topic, spec, found)
        return
    device = steer.device(topic.page)
    run = transport.follow(topic, spec, device=device)
    if run.run:
        bench.expect(topic, run.run, run.status.step)
    transport.notes(run)
    transport.bar(topic, spec, device=device)
    with lesson.stage():
        _pictures(topic, run, found)
    with lesson.details():
        doctor.findings(topic, run)
        _tabs(topic, run, spec, found)


def described(spec: cnn.Spec) -> tuple[tuple[architecture.LayerInfo, ...], bool]:
    """The layers as they run, and whether all of them fit."""
    try:
        found = _described(spec.network, spec.layers, spec.channels, spec.image_size, spec.outputs)
    except SpecError as error:
        controls.explain(error)
        return (), False
    return found, not found[-1].error


def _until_the_misfit(
    topic: Topic[cnn.Spec], spec: cnn.Spec, found: tuple[architecture.LayerInfo, ...]
) -> None:
    """What the layers that fit make of a picture, the misfit in its place, and their table."""
    if not found:
        return
    st.markdown("##### The layers, up to the one that does not fit")
    try:
        picture = data.prepare(spec).x_val[0]
        with seeded(spec.seed):
            fitting = network.of_calls(network.calls(spec)[: len(found) - 1])
        seen = look.feature_maps(fitting, picture)
    except SpecError as error:
        controls.explain(error)
        seen, picture = (), None
    if picture is not None:
        with lesson.stage():
            maps(
                key=f"{topic.page}-misfit-maps",
                picture=picture,
                found=seen,
                weights=look.multiplied(fitting, seen),
                misfit=(f"{len(found)} {found[-1].kind}", found[-1].error),
                height=330,
                alt=f"What each layer makes of a picture, up to layer {len(found)}, which does not fit",
            )
    inside.layer_table(found)


@st.cache_data(max_entries=64, show_spinner=False)
def _described(
    name: str, layers: str, channels: int, size: int, outputs: int
) -> tuple[architecture.LayerInfo, ...]:
    calls = network.listed(name, layers, channels, size, outputs)
    made = network.of_calls(calls) if calls else network.known(name, channels, outputs, size)
    return architecture.describe(made, (channels, size, size))


def _network(panel: Panel[cnn.Spec]) -> None:
    st.markdown("**Network**")
    panel.draw("network")
    if panel.values["network"] == "own list":
        panel.draw("layers")
        st.caption(f"Layers: {', '.join(architecture.LAYERS)}.")
    panel.draw("image_size")
    with st.expander("Channels, initial weights, splits"):
        panel.draw("colours", "init", "seed", "limit", "data_seed")


def _otherwise(name: str) -> None:
    """What Datasets was set to and is not so here, where the set came from there."""
    data_, said = st.session_state.get(sets.HANDED, ("", ()))
    if data_ == name and said:
        st.caption("As set on Datasets, but for this: " + " ".join(map(controls.plain, said)))


def _augmentation(panel: Panel[cnn.Spec]) -> None:
    st.markdown("**Augmentation**")
    panel.draw("degrees", "shift", "zoom", "flip", "pixel_noise")


def _pictures(
    topic: Topic[cnn.Spec], run: Followed[cnn.Spec], found: tuple[architecture.LayerInfo, ...]
) -> None:
    """Maps and curves side by side; a network whose maps are too many to follow leaves the whole width to its curves."""
    known = news.of(run.run) if run.run else None
    frame = known.frame if known else None
    values = sum(math.prod(layer.out) for layer in found)  # of all maps, before the first frame
    small = bool(frame["maps"]) if frame else values <= cnn.SHOWN_MAPS
    places = list(st.columns((3, 2), gap="small")) if small else [st.container()]
    if small:
        with places.pop(0):
            maps(
                run=run.run,
                key=f"{topic.page}-live-maps",
                height=330,
                alt="What every layer makes of one validation picture, while it learns.",
            )
    with places.pop(0):
        curves(
            run.run,
            key=f"{topic.page}-curves",
            panels=(LOSS, METRIC),
            height=330,
            min_width=600 if small else 260,
        )


def _tabs(
    topic: Topic[cnn.Spec],
    run: Followed[cnn.Spec],
    spec: cnn.Spec,
    found: tuple[architecture.LayerInfo, ...],
) -> None:
    names = ["Layers", "Evolution", "Augmentation", "Curves", "Runs", "Save and load", "Code"]
    tabs = controls.tabs(names, key=f"{topic.page}-tab")
    if tabs[0].open:
        with tabs[0]:
            inside.layer_table(found)
    if tabs[1].open:
        with tabs[1]:
            evolution.tab(topic, run, found)
    if tabs[2].open:
        with tabs[2]:
            preview(spec)
    for tab, body in zip(tabs[3:5], (charts.curves_tab, table.tab), strict=True):
        if tab.open:
            with tab:
                body(topic, run, spec)
    if tabs[5].open:
        with tabs[5]:
            _files(topic, run)
    if tabs[6].open and run.run:
        with tabs[6]:
            ran = model.as_it_ran(run)
            try:
                code = cnn.to_code(ran)
            except SpecError as error:
                controls.explain(error)
                return
            code_panel.show(
                code,
                name=topic.page,
                spec=ran,
                params={"run": run.run},
                files=cnn.files(ran),
            )


def _files(topic: Topic[cnn.Spec], run: Followed[cnn.Spec]) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("##### Save")
        files.save(topic.page, run)
        exported(topic, run)
    with right:
        st.markdown("##### Load")
        files.load(topic, cnn.Spec)
        st.caption("Weights alone go onto the bench under Look inside.")


def exported(topic: Topic[cnn.Spec], run: Followed[cnn.Spec]) -> None:
    """The network as a program of its own: torch.export, and ONNX where its exporter is installed."""
    if not run.mine or not run.status.answering:
        return
    client, me, id, spec = session.client(), session.owner(), run.run or "", run.spec

    def weights() -> bytes:
        client.reply(id, client.send(id, me, "checkpoint"), 30)
        return client.blob(id, "model.safetensors") or b""

    st.download_button(
        "torch.export program (.pt2)",
        lambda: programs.exported(spec, weights()),
        "model.pt2",
        key=f"{topic.page}-save-pt2",
        icon=":material/deployed_code:",
        on_click="ignore",
        help="The graph with its weights: torch.export.load runs it without this network's Python code.",
    )
    reason = programs.no_onnx()
    st.download_button(
        "ONNX",
        lambda: programs.onnx(spec, weights()),
        "model.onnx",
        key=f"{topic.page}-save-onnx",
        icon=":material/deployed_code:",
        on_click="ignore",
        disabled=bool(reason),
        help=reason or "For other runtimes.",
    )


def preview(spec: cnn.Spec) -> None:
    """Some training pictures as they are, and three other versions of each."""
    try:
        split = data.prepare(spec)
    except SpecError as error:
        controls.explain(error)
        return
    amount = cnn.augmentation(spec)
    x = split.x_train[:8]
    rows = [("as they are", x)]
    draw = generator(spec.seed)
    if amount:
        rows += [(f"epoch {n}", augment.augment(x, draw, **amount)) for n in (1, 2, 3)]
    else:
        st.caption("No augmentation is switched on: every epoch sees the same pictures.")
    for title, batch in rows:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"`{title}`", width=120)
            st.image(
                [one.movedim(0, -1).squeeze(-1).numpy() for one in batch], width=72, clamp=True
            )
