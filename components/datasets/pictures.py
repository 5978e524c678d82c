"""The data card: what the set holds, how it is split, which files were left out, and the pictures themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import streamlit as st

from components import controls
from components.cnn import sets
from components.datasets import source
from components.figures import datasets as figures
from components.views.figure import figure
from components.views.tiles import Tile, tiles
from models import datasets
from models.core.spec import to_text
from models.data import image_sets
from models.datasets import describe, handover

PER_PAGE = 20
_CNN = Path(__file__).resolve().parents[2] / "pages" / "cnn.py"
_PICKED = "datasets:picked"  # name of the picture whose class can be changed


def show(panel: controls.Panel[datasets.Spec], spec: datasets.Spec, made: datasets.Parts) -> None:
    """The numbers, then the pictures, then what to change."""
    card = image_sets.card(spec.data)
    counts = describe.balance(made)
    with st.container(horizontal=True):
        st.metric("Pictures", f"{len(made.data):,}")
        st.metric("Classes", len(made.data.classes))
        st.metric("Train / val / test", f"{len(made.train)} / {len(made.val)} / {len(made.test)}")
        st.metric(
            "Copies",
            card.duplicates,
            help="Pictures with the very same bytes as another one.",
        )
        st.metric(
            "Leaked",
            len(made.leaked),
            help="Pictures of validation and test of which training holds a copy: results on them flatter.",
        )
        st.metric("Left out", card.refused_count)
        if spec.rename:
            st.button(
                "Keep these classes",
                icon=":material/save:",
                key="datasets:relabelled",
                on_click=source.relabel,
                args=(spec,),
                help="Writes the new classes down as a set of its own, which can then be trained on.",
            )
        else:
            _train_on(spec)
    if len(made.leaked):
        st.info(
            f"{len(made.leaked)} pictures outside of training are copies of training pictures. Group by copies.",
            icon=":material/content_copy:",
        )
    left, right = st.columns([3, 2], gap="large")
    with left:
        _gallery(panel, spec, made)
    with right:
        figure(
            figures.balance(counts),
            key="datasets-balance",
            height=min(420, 110 + 34 * min(len(counts), figures.MOST_CLASSES)),
            alt="Pictures of each class, stacked by their part of the split.",
        )
        _statistics(made, card)


def _train_on(spec: datasets.Spec) -> None:
    """The way to the CNN page, with everything that is set here; that page says what it does otherwise."""
    found, otherwise = handover.settings(spec)
    st.session_state[sets.HANDED] = (spec.data, otherwise)
    params = {f"cnn-{name}": to_text(value) for name, value in found.items()}
    st.page_link(
        _CNN,
        label="**Train on these**",
        icon=":material/play_arrow:",
        query_params={"cnn-view": "Build and train", **params},
        help="As squares of the same size, with the same seed and those of the transforms that the CNN page has.",
    )


def _gallery(
    panel: controls.Panel[datasets.Spec], spec: datasets.Spec, made: datasets.Parts
) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox("Class", ["all", *made.data.classes], key="datasets:class", width=180)
        part = st.selectbox("Part", ["all", "train", "val", "test"], key="datasets:part", width=120)
        rows = describe.chosen(made, str(label), str(part))
        pages = max(1, -(-len(rows) // PER_PAGE))
        page = st.number_input(
            f"Page of {pages}",
            1,
            max(1, pages),
            1,
            key=f"datasets:page:{label}:{part}:{pages}",
            width=140,
        )
    if not rows:
        st.caption("No picture is of this class in this part.")
        return
    start = (int(page) - 1) * PER_PAGE
    some = rows[start : start + PER_PAGE]
    parts = describe.part_of(made)
    pictures = _thumbnails(spec.data, tuple(made.data.names[i] for i in some))
    shown = [made.data.names[i] for i in some]
    before = st.session_state.get(_PICKED)
    clicked = tiles(
        [
            Tile(picture, made.data.classes[int(made.data.labels[i])], (f"{i} · {parts[i]}",))
            for picture, i in zip(pictures, some, strict=True)
        ],
        key="datasets-gallery",
        size=92,
        picked=shown.index(before) if before in shown else None,
        pickable=True,
        alt=f"Pictures {start + 1} to {start + len(some)} of {len(rows)}, each with its class, index and part. "
        "One that is clicked can be given another class.",
    )
    if clicked is not None and clicked < len(shown):
        picked = shown[clicked] if shown[clicked] != before else None
        st.session_state[_PICKED] = picked
        st.rerun()
    if before in shown:
        _relabel(panel, spec, made, before)


def _relabel(
    panel: controls.Panel[datasets.Spec], spec: datasets.Spec, made: datasets.Parts, name: str
) -> None:
    """Another class for the one picture that was clicked."""
    now = made.data.classes[int(made.data.labels[made.data.names.index(name)])]
    key = f"datasets:relabel:{name}"

    def apply(label: str) -> None:
        folder = name.split("/")[0]
        known = {n: v for n, v in datasets.names(spec).items() if n != name}
        if known.get(folder, folder) != label:
            known[name] = label
        controls.put(panel.prefix, rename=json.dumps(known, ensure_ascii=False) if known else "")
        st.session_state[_PICKED] = None

    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox(
            f"Class of {plain(name)}",
            made.data.classes,
            made.data.classes.index(now),
            accept_new_options=True,
            key=key,
            width=260,
            help="Choose another class, or write a new one.",
        )
        st.button("Set class", key=f"{key}:set", on_click=apply, args=(str(label or now),))
        st.button("Leave it out", key=f"{key}:drop", on_click=apply, args=("",))


@st.cache_data(max_entries=64, show_spinner=False)
def _thumbnails(data: str, names: tuple[str, ...]) -> list[bytes]:
    return describe.thumbnails(data, names)


def _statistics(made: datasets.Parts, card: image_sets.Card) -> None:
    table = pd.DataFrame(
        {
            "channel": ["red", "green", "blue"],
            "mean": [round(v, 4) for v in made.mean],
            "std": [round(v, 4) for v in made.std],
        }
    )
    st.markdown(f"Of the {len(made.train)} **training** pictures alone, as Normalize uses them:")
    st.dataframe(table, hide_index=True, alt="Mean and standard deviation of each channel")
    modes = ", ".join(f"{n} × {mode}" for mode, n in card.modes.items())
    st.caption(f"Classes from: {plain(card.layout)} · colour modes in the files: {modes}")


def details(panel: controls.Panel[datasets.Spec], spec: datasets.Spec) -> None:
    """Files left out, and the classes to rename, merge or drop."""
    card = image_sets.card(spec.data)
    for note in card.notes:
        st.markdown(f"- {plain(note)}")
    if card.empty:
        st.markdown("- Classes without a usable picture: " + ", ".join(map(plain, card.empty)))
    if card.refused:
        with st.expander(
            f"{card.refused_count} files left out, with the reason",
            icon=":material/block:",
            expanded=card.refused_count < 12,
        ):
            st.dataframe(
                pd.DataFrame(list(card.refused), columns=["file", "why"]),
                hide_index=True,
                alt="Files that were left out, and why",
            )
            if card.refused_count > len(card.refused):
                st.caption(f"The first {len(card.refused):,} are listed.")
    with st.expander("Rename, merge or drop classes", icon=":material/label:"):
        _classes(panel, spec, card)
    with st.expander("Sizes of the files' pictures", icon=":material/aspect_ratio:"):
        known = image_sets.sizes(spec.data)[:5000]
        figure(
            figures.sizes(known[:, 0].tolist(), known[:, 1].tolist()),
            key="datasets-sizes",
            height=320,
            alt="Width and height of every picture.",
        )


def _classes(
    panel: controls.Panel[datasets.Spec], spec: datasets.Spec, card: image_sets.Card
) -> None:
    st.caption(
        "The same name for two classes merges them. Nothing in the files changes: the names are part of the link."
    )
    now = datasets.names(spec)
    table = pd.DataFrame(
        {
            "class": list(card.classes),
            "pictures": list(card.classes.values()),
            "name": [now.get(name) or name for name in card.classes],
            "keep": [now.get(name, name) != "" for name in card.classes],
        }
    )
    edited = st.data_editor(
        table,
        hide_index=True,
        disabled=["class", "pictures"],
        key=f"datasets:classes:{spec.data}:{spec.rename}",
    )
    new = {
        old: str(name).strip() if keep else ""
        for old, name, keep in zip(edited["class"], edited["name"], edited["keep"], strict=True)
    }
    single = {old: name for old, name in now.items() if old not in card.classes}
    changed = {old: name for old, name in new.items() if name != old} | single
    text = json.dumps(changed, ensure_ascii=False) if changed else ""
    st.button(
        "Apply",
        key="datasets:classes-apply",
        disabled=text == spec.rename,
        on_click=controls.put,
        args=(panel.prefix,),
        kwargs={"rename": text},
    )
    if panel.error is not None and panel.error.field == "rename":
        controls.explain(panel.error)


def plain(text: str) -> str:
    """A learner's words as Markdown that shows them as they are."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#$|~:" else c for c in text)
