"""Which network looks at which picture: the controls that Look inside and Explain share, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from torch import Tensor

from components import address, controls, image_picker, session
from components.cnn import jobs
from components.controls import Panel
from components.transport import Topic
from components.views.drawpad import drawpad
from models.cnn import architecture, data, looking, pretrained
from models.core.runs import RunError
from models.core.spec import SpecError
from models.data import workspace

PREFIX = "look"
SOURCES = ("digit", "draw", "picture")
_LARGE = 64  # pixels per side from which on running a network takes a while
_SAYS = {"digit": "A digit", "draw": "Draw", "picture": "My picture"}


def network(panel: Panel[looking.Spec], topic: Topic) -> None:
    """The network, the file it may come from, and the way to take over the page's own run."""
    panel.draw("network")
    chosen = str(panel.values["network"])
    if error := session.told(f"{PREFIX}:error"):
        controls.explain(error)
    run = st.query_params.get("run") or st.session_state.get(f"{topic.page}:last")
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
        address.put_next({f"{PREFIX}-weights": f"upload:{frame['weights']}"})

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
    """A digit of the set, a drawing, or an own picture."""
    source = st.segmented_control(
        "Picture",
        SOURCES,
        default=SOURCES[0],
        required=True,
        format_func=_SAYS.__getitem__,
        key=f"{PREFIX}-source",
        on_change=session.whole(_turned),
        width="stretch",
    )
    if source == "digit":
        panel.draw("row")
    elif source == "draw":
        drawpad(key=f"{PREFIX}-pad", on_draw=_drawn, height=250, alt="Draw a digit.")
        st.caption("The answer follows while you draw.")
    else:
        image_picker.pick(f"{PREFIX}-image", str(panel.values["image"]), first=looking.DIGITS)
    if source != "digit":
        panel.draw("crop", "invert")


def _turned() -> None:
    """Another source: a digit at once, a drawing once there is one, a bundled picture until an own one is given."""
    source = st.session_state[f"{PREFIX}-source"]
    made = st.session_state.get(f"{PREFIX}-image:drawings")
    kept = made[-1] if made else None
    image = {
        "digit": looking.DIGITS,
        "picture": "digit",
        "draw": f"upload:{kept}" if kept else None,
    }
    if image[source]:
        address.put(f"{PREFIX}-image", image[source])


def _drawn(data_: bytes) -> None:
    image_picker.drawn(f"{PREFIX}-image", data_)


def panel() -> Panel[looking.Spec]:
    """The settings of the bench; what a link holds decides which source of pictures is open."""
    made = controls.panel(looking.Spec, PREFIX)
    if f"{PREFIX}-source" not in st.session_state:
        image = made.spec.image
        st.session_state[f"{PREFIX}-source"] = "digit" if image == looking.DIGITS else "picture"
    return made


def look(spec: looking.Spec) -> tuple[looking.Bench, looking.Result] | None:
    """What the network makes of the picture; None after saying why there is nothing."""
    try:
        used = looking.bench(spec)
        if used.size > _LARGE:
            return used, _kept(spec)
        return used, looking.run(spec, pixels=_pixels(spec.image, used.channels == 1))
    except SpecError as error:
        controls.explain(error)
        return None


@st.cache_resource(max_entries=3, show_spinner="Running the network")
def _kept(spec: looking.Spec) -> looking.Result:
    """A large network's maps, kept while single numbers of them are asked for; shared, never changed in place."""
    used = looking.bench(spec)
    return looking.run(spec, pixels=_pixels(spec.image, used.channels == 1))


def _pixels(image: str, gray: bool) -> Tensor | None:
    """An own picture, decoded once: photographs take longer to decode than to look at."""
    return None if image == looking.DIGITS else _decoded(image, gray)


@st.cache_data(max_entries=16, show_spinner=False)
def _decoded(image: str, gray: bool) -> Tensor:
    return looking.picture(looking.Spec(image=image), gray)


def truth(spec: looking.Spec) -> str:
    """What the digit is, where the picture is one of the set."""
    if spec.image != looking.DIGITS:
        return ""
    return str(int(data.all_digits(8)[1][spec.row]))


def take(file: bytes, name: str, **more: str) -> None:
    """Keep a weights file in the workspace and put its network on the bench; for callbacks."""
    kept = workspace.put(file, name, session.owner())
    address.put(f"{PREFIX}-weights", f"upload:{kept}")
    for field, value in more.items():
        address.put(f"{PREFIX}-{field}", value)


@session.whole
def _take_file() -> None:
    file = st.session_state.get(f"{PREFIX}-file")
    if file is None:
        return
    data_ = file.getvalue()
    chosen = str(st.session_state.get(f"{PREFIX}-network", looking.OWN))
    try:
        if chosen in (looking.OWN, looking.SHIPPED):
            looking.spec_of(data_)  # says so when it is not a file of this page
            take(data_, file.name, network=looking.OWN)
        else:
            looking.state_dict(data_)
            take(data_, file.name)
    except SpecError as error:
        st.session_state[f"{PREFIX}:error"] = error


@session.whole
def _take_run(topic: Topic, run: str) -> None:
    client, me = session.client(), session.owner()
    try:
        client.reply(run, client.send(run, me, "checkpoint"), 30)
        file = client.blob(run, "model.safetensors") or b""
        take(file, "my run.safetensors", network=looking.OWN)
    except (RunError, PermissionError, TimeoutError, SpecError) as error:
        st.session_state[f"{PREFIX}:error"] = SpecError(
            "The run's weights could not be had: only its owner can ask, and only while its process lives. Press "
            "Play under Train once more.",
            detail=str(error),
        )


def _drop() -> None:
    address.put(f"{PREFIX}-weights", None)
