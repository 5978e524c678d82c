"""The network as a table of layers and as the code that builds it; and the settings of a run as it really went."""

from __future__ import annotations

from typing import TypeVar

import streamlit as st

from components import news
from components.transport import Followed, Topic
from models.training import Spec, summary
from models.training.spec import RunSpec

S = TypeVar("S", bound=RunSpec)


def as_it_ran(run: Followed[S]) -> S:
    """The run's settings with everything that was changed on the way, so that the script repeats it."""
    known = news.of(run.run) if run.run else None
    if known is None or known.frame is None:
        return run.spec
    return run.spec.replace(changes=str(known.frame.get("changes", "")))


def tab(topic: Topic[Spec], run: Followed[Spec], spec: Spec) -> None:
    """Layers with their shapes and numbers of parameters, and their code."""
    known = news.of(run.run) if run.run else None
    if known is None or known.scene is None:
        st.caption("The network is being built.")
        return
    features, outputs = len(known.scene["features"]), known.scene["layers"][-1]["units"]
    layers = summary.layers(run.spec, features, outputs)
    st.dataframe(
        [
            {
                "layer": one.code,
                "output shape": " × ".join(map(str, one.shape)),
                "parameters": one.parameters,
            }
            for one in layers
        ],
        hide_index=True,
        alt="Layers of the network with output shapes and numbers of parameters",
    )
    total = sum(one.parameters for one in layers)
    st.caption(
        f"{total:,} parameters. The first number of each shape is the batch, {spec.batch_size} rows. Initial weights: {spec.init}."
    )
    st.code(summary.code(run.spec, features, outputs), language="python")
