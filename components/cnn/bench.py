"""Which network looks at which picture: the controls that Look inside and Explain share, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from torch import Tensor

from components import address, controls, image_picker, reading, session
from components.cnn import jobs
from components.controls import Panel
from components.job import Job
from components.transport import Topic
from components.views.drawpad import drawpad
from components.views.tiles import Tile, tiles
from models.cnn import architecture, data, looking, opening, pretrained
from models.core.runs import RunError
from models.core.spec import SpecError, defaults
from models.data import images, workspace

PREFIX = "look"
SOURCES = ("digit", "draw", "picture")
_BY_ROW = {looking.SET: "set", looking.DIGITS: "digit"}  # pictures that are named by their row
_SOURCE = f"{PREFIX}-source"  # which of them is open: follows from the picture, and is no setting
_LARGE = 64  # pixels per side from which on running a network takes a while
_SAYS = {"set": "Validation", "digit": "A digit", "draw": "Draw", "picture": "My picture"}
_SHOWN = 12  # pictures of a class on one page of the picker


def network(panel: Panel[looking.Spec], topic: Topic) -> None:
    """The network, the file it may come from, and the way to take over the page's own run."""
    panel.draw("network")
    chosen = str(panel.values["network"])
    if error := session.told(f"{PREFIX}:error"):
        controls.explain(error)
    if chosen not in (looking.SHIPPED, looking.OWN) and panel.values["image"] == looking.SET:
        # chosen on purpose: neither the run's weights nor its pictures belong to this network
        for name in ("image", "row", "weights"):
            address.put(f"{PREFIX}-{name}", None)
        st.rerun()
    run = address.value("run") or st.session_state.get(f"{topic.page}:last")
    taken = st.session_state.get(_TAKEN)
    if run and taken and (panel.values["weights"], run) == taken[:2]:
        st.caption(f"The network of your run, taken at step {taken[2]:,}.")
    if run:
        st.button(
            "Take the network of my run, as it is now",
            key=f"{PREFIX}-take",
            icon=":material/move_to_inbox:",
            on_click=_take_run,
            args=(topic, str(run)),
        )
    if chosen != looking.SHIPPED:
        st.file_uploader(
            "Weights file (.safetensors or .pth)",
            key=f"{PREFIX}-file",
            on_change=_take_file,
            help="Read with weights_only=True: nothing in it is run. Files saved on this page know their network; for "
            "others choose the network first.",
        )
    if panel.values["weights"] and chosen not in (looking.SHIPPED, looking.OWN):
        st.button("Random weights again", key=f"{PREFIX}-drop", on_click=_drop)
    if chosen in architecture.TORCHVISION and not panel.values["weights"]:
        download(chosen)
    if not panel.values["weights"] and chosen != looking.SHIPPED:
        panel.draw("seed")


def download(name: str) -> None:
    """Fetch ImageNet weights through torchvision, in a worker, with its progress."""
    job = f"{PREFIX}-download"

    def done(frame: Mapping[str, Any]) -> None:
        workspace.claim(frame["weights"], "weights.pth", session.owner())
        address.put(f"{PREFIX}-weights", f"upload:{frame['weights']}")

    jobs.offer(
        job,
        "Download ImageNet weights",
        "models.cnn.pretrained",
        pretrained.Spec(network=name),
        doing="Downloading the weights",
        done=done,
        help=f"{pretrained.megabytes(name):.0f} MB from download.pytorch.org, through torchvision, once. "
        "Without a network the page goes on with random weights.",
    )
    if error := jobs.failed(job):
        controls.explain(error)


def picture(panel: Panel[looking.Spec]) -> None:
    """A picture of the network's own set, a digit, a drawing, or an own picture."""
    own = panel.values["network"] == looking.OWN or panel.values["image"] == looking.SET
    now, by_row = address.value(_SOURCE), _BY_ROW.get(str(panel.values["image"]))
    kept = now if now in ("draw", "picture") else "picture"
    one = address.mirror(_SOURCE, by_row if by_row and now != "draw" else kept)
    offered = ("set", *SOURCES) if own else SOURCES
    source = st.segmented_control(
        "Picture",
        offered,
        default=one.among(offered),
        required=True,
        format_func=_SAYS.__getitem__,
        key=one.key,
        on_change=session.whole(_turned),
        width="stretch",
    )
    if source == "set":
        _of_set(panel)
    elif source == "digit":
        panel.draw("row")
    elif source == "draw":
        drawpad(key=f"{PREFIX}-pad", on_draw=_drawn, height=250, alt="Draw a digit.")
        st.caption("The answer follows while you draw.")
    else:
        image_picker.pick(panel)
    if source in ("draw", "picture"):
        panel.draw("crop", "invert")


def _of_set(panel: Panel[looking.Spec]) -> None:
    """The validation pictures of the network's set, by class; a click puts one on the bench."""
    try:
        used = looking.bench(panel.spec)
        rows, labels = looking.validation(used)
    except SpecError as error:
        controls.explain(error)
        return
    here = int(panel.values["row"])
    of_here = labels[rows == here].tolist()
    label = st.selectbox(
        "Class",
        range(len(used.classes)),
        of_here[0] if of_here else 0,
        format_func=lambda c: used.classes[c],
        key=f"{PREFIX}-set-class:{panel.values['weights']}:{here}",
        help="Validation pictures of this class: the network has not learned from them.",
    )
    of_class = rows[labels == label].tolist()
    pages = max(1, -(-len(of_class) // _SHOWN))
    page = 1
    if pages > 1:
        page = st.number_input(
            f"Page of {pages}",
            1,
            pages,
            1 + (of_class.index(here) // _SHOWN if here in of_class else 0),
            key=f"{PREFIX}-set-page:{panel.values['weights']}:{here}:{label}",
        )
    some = of_class[(int(page) - 1) * _SHOWN :][:_SHOWN]
    picked = tiles(
        [Tile(images.to_png(looking.picture_of(used, row)), f"{row}") for row in some],
        key=f"{PREFIX}-set",
        alt=f"Validation pictures of {used.classes[int(label or 0)]}; click one to look at it",
        size=52,
        picked=some.index(here) if here in some else None,
        pickable=True,
    )
    if picked is not None and picked < len(some) and some[picked] != here:
        address.put(f"{PREFIX}-row", some[picked])
        st.rerun()


def put_row(row: int, *, own: bool) -> None:
    """Put a picture of the network's set on the bench by its row; for callbacks.

    `own`: of a set that the learner trained on; else one of the digits.
    """
    address.put(f"{PREFIX}-row", row)
    address.put(f"{PREFIX}-image", looking.SET if own else looking.DIGITS)
    address.put(_SOURCE, "set" if own else "digit")


def _turned() -> None:
    """Another source: a digit at once, a drawing once there is one, a bundled picture until an own one is given."""
    source = address.value(_SOURCE)
    if source == "set":
        address.put(f"{PREFIX}-row", _first_row())
    elif source == "digit" and controls.read(looking.Spec, PREFIX)["image"] == looking.SET:
        address.put(f"{PREFIX}-row", _DEFAULTS["row"])
    made = st.session_state.get(f"{PREFIX}-image:drawings")
    kept = made[-1] if made else None
    image = {
        "set": looking.SET,
        "digit": looking.DIGITS,
        "picture": "digit",
        "draw": f"upload:{kept}" if kept else None,
    }
    if image[source]:
        address.put(f"{PREFIX}-image", image[source])


def _drawn(data_: bytes) -> None:
    image_picker.drawn(f"{PREFIX}-image", data_)


def _first_row(weights: str = "") -> int:
    """The first validation picture of the bench's set."""
    known = controls.read(looking.Spec, PREFIX)
    spec = looking.Spec(network=looking.OWN, weights=weights or str(known["weights"]))
    rows, _ = looking.validation(looking.bench(spec))
    return int(rows[0])


def expect(topic: Topic, run: str, step: int) -> None:
    """Remember the run that was just looked at: the views of the bench show it next, unless they do already."""
    st.session_state[f"{topic.page}:last"] = run
    taken = st.session_state.get(_TAKEN)
    if taken is None or (run, step) != taken[1:]:
        st.session_state[_DUE] = run


def panel(topic: Topic) -> Panel[looking.Spec]:
    """The settings of the bench.

    After a training these are the learner's run and its validation pictures; what comes with the app is chosen on
    purpose, by the menu or a link.
    """
    linked = address.says(PREFIX)
    run = st.session_state.pop(_DUE, None)
    if run is None and _MET not in st.session_state and not linked:
        run = address.value("run") or None  # a link to a run
    st.session_state[_MET] = True
    if run:
        _take_run(topic, run)
    return controls.panel(looking.Spec, PREFIX)


def look(spec: looking.Spec) -> tuple[looking.Bench, looking.Result] | None:
    """What the network makes of the picture; None after saying why there is nothing (yet)."""
    try:
        used = network_of(spec)
        if used is None:
            return None
        gray = used.channels == 1
        own = spec.image not in (looking.DIGITS, looking.SET)
        pixels = reading.picture(spec.image, gray, looking.LONGEST) if own else None
        if own and pixels is None:
            return None
        return used, _kept(spec, pixels) if used.size > _LARGE else looking.run(spec, pixels=pixels)
    except SpecError as error:
        controls.explain(error)
        return None


def network_of(spec: looking.Spec) -> looking.Bench | None:
    """The network of these settings; None while a worker opens its weights file.

    Raises:
        SpecError: the weights are not on this server, are none, or another network's.
    """
    if spec.weights and not looking.opened(spec.weights):
        network = "" if spec.network == looking.OWN else spec.network
        job = Job("models.cnn.opening", opening.Spec(spec.weights, network))
        if job.frame(patience=2.0) is None:
            job.watch("The weights are being read")
            return None
    return looking.bench(spec)


@st.cache_resource(max_entries=3, show_spinner="Running the network")
def _kept(spec: looking.Spec, _pixels: Tensor | None) -> looking.Result:
    """A large network's maps, kept while single numbers of them are asked for; shared, never changed in place."""
    return looking.run(spec, pixels=_pixels)


def truth(spec: looking.Spec) -> str:
    """What the picture is, where it is one of a set."""
    if spec.image == looking.SET:
        used = looking.bench(spec)
        return looking.label_of(used, spec.row)
    if spec.image != looking.DIGITS:
        return ""
    return str(int(data.all_digits(8)[1][spec.row]))


def take(file: bytes, name: str, **more: str) -> None:
    """Keep a weights file in the workspace and put its network on the bench; for callbacks.

    With it comes the first validation picture of the set it was trained on, where that is known.
    """
    _put_on(f"upload:{workspace.put(file, name, session.owner())}", **more)


def _put_on(kept: str, **more: str) -> None:
    if more.get("network") == looking.OWN:
        put_row(_first_row(kept), own=True)
    address.put(f"{PREFIX}-weights", kept)
    for field, value in more.items():
        address.put(f"{PREFIX}-{field}", value)


@session.whole
def _take_file() -> None:
    file = st.session_state.get(f"{PREFIX}-file")
    if file is None:
        return
    chosen = str(address.value(f"{PREFIX}-network", looking.OWN))
    # the file itself says whose weights it holds
    unknown = chosen in (looking.OWN, looking.SHIPPED)
    try:
        kept = f"upload:{workspace.put(file, file.name, session.owner())}"
        reading.check(Job("models.cnn.opening", opening.Spec(kept, "" if unknown else chosen)))
        _put_on(kept, **({"network": looking.OWN} if unknown else {}))
    except SpecError as error:
        st.session_state[f"{PREFIX}:error"] = error


@session.whole
def _take_run(topic: Topic, run: str) -> None:
    client, me = session.client(), session.owner()
    try:
        step = client.status(run, me).step
        client.reply(run, client.send(run, me, "checkpoint"), 30)
        file = client.blob(run, "model.safetensors") or b""
        take(file, "my run.safetensors", network=looking.OWN)
        st.session_state[_TAKEN] = (address.value(f"{PREFIX}-weights"), run, step)
    except (RunError, PermissionError, TimeoutError, SpecError) as error:
        st.session_state[f"{PREFIX}:error"] = SpecError(
            "The run's weights could not be had: only its owner can ask, and only while its process lives. Press "
            "Play under Build and train once more. What you see is another network.",
            detail=str(error),
        )


def _drop() -> None:
    address.put(f"{PREFIX}-weights", None)


_TAKEN = f"{PREFIX}:taken"  # (weights, run, step) of the run that was taken last
_DUE = f"{PREFIX}:due"  # a run to take when the bench is drawn next
_MET = f"{PREFIX}:met"  # the bench has been drawn in this session
_DEFAULTS = defaults(looking.Spec)
