"""Home: a network that has just learned, and the way to every page."""

from pathlib import Path

import streamlit as st

from components import demo, lesson
from components.views.curves import LOSS, METRIC, curves
from components.views.plane import plane
from models.core import device
from models.training import Spec

HERE = Path(__file__).parent
CARDS = {
    "tensors": "Shapes, strides and broadcasting, cell by cell.",
    "autograd": "Walk the graph backward, one gradient at a time.",
    "training": "Watch a network learn your own table or a bundled one, live.",
    "convolution": "Slide a kernel over your own picture and see each sum.",
    "cnn": "Feature maps of a network that classifies what you draw.",
    "datasets": "Your own files through Dataset, transforms and DataLoader.",
    "speed": "Measure what makes PyTorch fast on this machine.",
}
SHOWN = Spec(data="moons", layers="8 tanh, 8 tanh", lr=0.1, epochs=40)

projector = lesson.page(
    "home",
    "PyTorch Playground",
    "See PyTorch work. Everything on screen was computed just now, and every page hands out the code that did it.",
)

picture, words = st.columns([3, 4], gap="large")
run = demo.run("models.training", SHOWN)
with picture:
    plane(run, key="home-plane", square=True, height=400)
with words:
    st.markdown(
        "A network of **2 × 8 neurons** learned these two half moons while the page loaded: "
        "the colours are its answer for every place of the plane."
    )
    curves(run, key="home-curves", panels=(LOSS, METRIC), height=220)
    st.page_link(
        HERE / "training.py",
        label="**Train it yourself, step by step, on your own data**",
        icon=":material/play_arrow:",
        query_params={f"training-{k}": str(v) for k, v in SHOWN.changed().items()},
    )

with lesson.details():
    st.markdown("##### All pages")
    with st.container(horizontal=True, gap="medium"):
        for name, about in CARDS.items():
            with st.container(border=True, width=250):
                st.page_link(HERE / f"{name}.py")
                st.caption(about)
    found = device.available()
    with st.expander(f"This machine: {', '.join(d.name for d in found)}"):
        for one in found:
            memory = f", {one.memory / 2**30:.0f} GiB" if one.memory else ""
            st.markdown(f"- `{one.name}`: {one.title}{memory}")
lesson.footer()
