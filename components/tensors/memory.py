"""What the tensors are besides their numbers: properties, the line of memory, and who shares it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from components import code_panel, controls, evaluate, lesson
from components.tensors import shelf
from components.views.memory import memory as line
from models.core.spec import SpecError
from models.tensor_ops import properties

_EXAMPLES = {
    "transpose": "a = torch.arange(6.0).reshape(2, 3)\nb = a.T",
    "every second": "a = torch.arange(12.0).reshape(3, 4)\nb = a[:, ::2]",
    "expand": "a = torch.tensor([[1.0], [2.0]])\nb = a.expand(2, 4)",
    "reshape copies": "a = torch.arange(6.0).reshape(2, 3)\nb = a.T\nc = b.reshape(6)\nd = a.reshape(6)",
    "NumPy": "n = np.array([[1.0, 2.0], [3.0, 4.0]])\na = torch.from_numpy(n)\nb = a[0]",
    "windows": "a = torch.arange(6.0)\nb = a.unfold(0, 3, 1)",
}


def show(projector: bool) -> None:
    """The Memory part of the page."""
    made = shelf.panel()
    example = "" if made.spec.changed() else _EXAMPLES["transpose"]  # two tensors that share
    with lesson.controls():
        shelf.draw(made, example)
    made.complain()
    spec = made.spec.replace(shelf=example) if example else made.spec
    with st.container(key="detail-memory-examples", horizontal=True, vertical_alignment="center"):
        st.markdown("Look at")
        for name, text in _EXAMPLES.items():
            st.button(
                name,
                key=f"tensors:memory:{name}",
                on_click=controls.put,
                args=(shelf.PREFIX,),
                kwargs={"shelf": text, "params": ""},
            )
    try:
        seen = evaluate.ask("models.tensor_ops.look:memory", spec, field="shelf")
    except SpecError as error:
        controls.explain(error)
        return
    storages = seen.storages
    with lesson.stage():
        for n, storage in enumerate(storages[:3]):
            names = " and ".join(f"`{v.name}`" for v in storage.views)
            shared = len(storage.views) > 1
            st.markdown(
                f"{names} {'share' if shared else 'has'} {storage.cells} memory cells of {storage.itemsize} bytes"
                + (": writing through one is seen in the others." if shared else ", its own.")
            )
            line(
                storage,
                key=f"tensors-memory-{n}",
                height=min(330, 120 + 40 * len(storage.views) + 40 * (storage.cells // 24)),
            )
    with lesson.details():
        name = st.segmented_control(
            "Properties of",
            list(seen.properties),
            default=next(iter(seen.properties)),
            required=True,
            key="tensors:properties",
        )
        if name in seen.properties:
            found = seen.properties[name]
            st.dataframe(
                pd.DataFrame(
                    [(p.name, p.value, p.means) for p in found],
                    columns=["property", "value", "what it says"],
                ),
                hide_index=True,
                height=36 * len(found) + 38,
            )
        _promotions()
        st.markdown("##### Code")
        code_panel.show(seen.code, name="memory", spec=spec, page="tensors", prefix=shelf.PREFIX)


@st.cache_data(show_spinner=False)
def _promotion_table() -> pd.DataFrame:
    found = properties.promotions()
    kinds = list(dict.fromkeys(a for a, _ in found))
    return pd.DataFrame([[found[a, b] for b in kinds] for a in kinds], kinds, kinds)


def _promotions() -> None:
    part = st.expander(
        "Which kind of number does a + b have? (dtype promotion)",
        on_change="rerun",
        key="tensors:promotions",
    )
    if part.open:
        with part:
            st.markdown("The kind that holds both, asked of PyTorch for every pair of tensors:")
            st.dataframe(_promotion_table())
