"""Build and train: any network on any pictures, with the Training page's own bar, curves, doctor and files."""

from __future__ import annotations

from typing import Any

import streamlit as st

from components import address, code_panel, controls, lesson, news, session, transport
from components.cnn import inside
from components.controls import Panel
from components.training import charts, doctor, files, model, steer, table
from components.transport import Followed, Topic
from components.views.curves import LOSS, METRIC, curves
from components.views.maps import maps
from models import cnn
from models.cnn import architecture, augment, data, network, programs
from models.core.seeding import generator
from models.core.spec import SpecError, defaults
from models.data import image_sets, ingest, workspace

_TITLES = {
    "digits": "Digits, 8 × 8 (scikit-learn)",
    "digits 0-4": "Digits 0 to 4",
    "digits 5-9": "Digits 5 to 9",
    image_sets.PHOTOS: "Two photographs, cut up",
    "MNIST": "MNIST (downloaded once)",
    "FashionMNIST": "FashionMNIST (downloaded once)",
    "CIFAR10": "CIFAR-10 (downloaded once)",
}


def show(topic: Topic[cnn.Spec], projector: bool) -> None:
    """The network as it learns, and everything that steers it."""
    panel = controls.panel(cnn.Spec, topic.page)
    with lesson.controls():
        pictures(panel)
        _network(panel)
        steer.live_widgets(panel)
        _augmentation(panel)
        steer.learning(panel, "classification")
    panel.complain()
    spec = panel.spec
    found, fits = described(spec)
    if not fits:  # what comes before the misfit is still shown
        st.markdown("##### The layers, up to the one that does not fit")
        inside.layer_table(found)
        return
    device = steer.device(topic.page)
    run = transport.follow(topic, spec, device=device)
    if run.run:
        st.session_state[f"{topic.page}:last"] = run.run
    for note in run.notes:
        st.info(note, icon=":material/info:")
    transport.bar(topic, run, spec, device=device)
    with lesson.stage():
        _pictures(topic, run, spec, projector)
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


@st.cache_data(max_entries=64, show_spinner=False)
def _described(
    name: str, layers: str, channels: int, size: int, outputs: int
) -> tuple[architecture.LayerInfo, ...]:
    calls = network.listed(name, layers, channels, size, outputs)
    made = network.of_calls(calls) if calls else network.known(name, channels, outputs, size)
    return architecture.describe(made, (channels, size, size))


def pictures(panel: Panel[Any], name: str = "data") -> None:
    """The menu of picture sets: bundled ones, own ones, and those that are downloaded."""
    key = f"{panel.prefix}-{name}"
    own = {f"upload:{u.id}": u.name for u in image_sets.listing(session.owner())}
    default = str(defaults(panel.spec_type)[name])
    chosen = str(panel.values[name])
    if chosen not in _TITLES:
        own.setdefault(chosen, _name(chosen))
    st.selectbox(
        "Pictures",
        options := [*_TITLES, *own],
        options.index(default),
        format_func=lambda v: _TITLES.get(str(v)) or workspace.display_name(own[str(v)]),
        key=key,
        on_change=address.follow(key, default),
        help="An own set is a zip of class folders, taken in on the Datasets page or with the uploader here.",
    )
    if panel.error is not None and panel.error.field == name:
        controls.explain(panel.error)
    own_set(key)


def own_set(key: str) -> None:
    """An uploader for a zip of class folders; a worker checks every picture, then the set is chosen."""
    job = f"{key}:ingest"
    if error := session.told(f"{key}:error"):
        controls.explain(error)
    if job in st.session_state:
        _taking_in(key, job)
        return

    @session.whole
    def take() -> None:
        file = st.session_state.get(f"{key}-zip")
        if file is None:
            return
        try:
            id = workspace.put(file, file.name, session.owner())
            client = session.client()
            st.session_state[job] = client.start(
                "models.data.ingest", ingest.Spec(f"upload:{id}"), owner=session.owner()
            )
        except (SpecError, RuntimeError) as problem:
            st.session_state[f"{key}:error"] = (
                problem if isinstance(problem, SpecError) else SpecError(str(problem))
            )

    with st.expander("Your own pictures (zip)", icon=":material/upload_file:"):
        st.file_uploader(
            "A zip or tar of class folders",
            key=f"{key}-zip",
            type=["zip", "tar", "gz", "tgz", "bz2", "xz"],
            on_change=take,
            help="One folder per class, with at least 5 pictures each. It stays on this server.",
        )


@address.every(0.5)
def _taking_in(key: str, job: str) -> None:
    client, run = session.client(), st.session_state.get(job)
    if run is None:
        return
    status = client.status(run, session.owner())
    if status.state in ("queued", "running"):
        st.progress(min(1.0, max(0.0, status.epoch)), f"Taking in pictures: {status.step} done")
        return
    frame = news.of(run).frame
    if status.state == "done" and frame:
        kept = str(frame["dataset"])
        workspace.claim(kept, f"{frame['report']['name']} (images).zip", session.owner())
        address.put_next({key: f"upload:{kept}"})
    else:
        st.session_state[f"{key}:error"] = SpecError(status.message, "data", status.detail)
    st.session_state.pop(job, None)  # last: a run cut short before begins again
    st.rerun()


def _name(data_: str) -> str:
    try:
        return workspace.about(data_.removeprefix("upload:")).name
    except SpecError:
        return "not on this server"


def _network(panel: Panel[cnn.Spec]) -> None:
    st.markdown("**Network**")
    panel.draw("network")
    if panel.values["network"] == "own list":
        panel.draw("layers")
        st.caption(f"Layers: {', '.join(architecture.LAYERS)}.")
    panel.draw("image_size")
    with st.expander("Channels, initial weights, splits"):
        panel.draw("colours", "init", "seed", "limit", "data_seed")


def _augmentation(panel: Panel[cnn.Spec]) -> None:
    st.markdown("**Augmentation**")
    panel.draw("degrees", "shift", "zoom", "flip", "pixel_noise")


def _pictures(
    topic: Topic[cnn.Spec], run: Followed[cnn.Spec], spec: cnn.Spec, projector: bool
) -> None:
    known = news.of(run.run) if run.run else None
    small = known is None or known.frame is None or bool(known.frame["maps"])
    tall = 330 if small else 240
    left, right = st.columns((3, 2) if small else (1, 1), gap="small")
    if small:
        with left:
            maps(
                run=run.run,
                key=f"{topic.page}-live-maps",
                height=tall,
                alt="What every layer makes of one validation picture, while it learns.",
            )
    with right if small else left:
        curves(
            run.run,
            key=f"{topic.page}-curves",
            panels=(LOSS, METRIC),
            height=tall,
            min_width=600 if small else 260,
        )


def _tabs(
    topic: Topic[cnn.Spec],
    run: Followed[cnn.Spec],
    spec: cnn.Spec,
    found: tuple[architecture.LayerInfo, ...],
) -> None:
    names = ["Layers", "Augmentation", "Curves", "Runs", "Save and load", "Code"]
    tabs = st.tabs(names, key=f"{topic.page}-tab", on_change="rerun", bind="query-params")
    if tabs[0].open:
        with tabs[0]:
            inside.layer_table(found)
    if tabs[1].open:
        with tabs[1]:
            preview(spec)
    for tab, body in zip(tabs[2:4], (charts.curves_tab, table.tab), strict=True):
        if tab.open:
            with tab:
                body(topic, run, spec)
    if tabs[4].open:
        with tabs[4]:
            _files(topic, run)
    if tabs[5].open and run.run:
        with tabs[5]:
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
                params={"run": run.run, "cnn-view": "Build and train"},
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
