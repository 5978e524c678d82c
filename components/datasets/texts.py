"""Texts on their way to a network: every stage of one text, a padded batch, and a classifier that learns from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from torch import Tensor

from components import address, code_panel, controls, demo, lesson, news, session
from components.datasets.pictures import plain
from components.datasets.taking import Intake
from components.figures import datasets as figures
from components.views.curves import LOSS, METRIC, curves
from components.views.figure import figure
from models.core import runs
from models.core.spec import SpecError
from models.data import ingest, ingest_texts, text_steps, workspace
from models.datasets import text
from models.datasets.text import DOCS, Spec

ENDINGS = ["txt", "jsonl", "json", "ndjson", "csv", "tsv", "zip", "tar", "gz", "tgz", "bz2", "xz"]
PREFIX = "texts"
INTAKE = Intake(PREFIX, "models.data.ingest_texts", "Taking in texts")


def page() -> None:
    """The whole view: settings at the side, stages and batch as the picture, the classifier below."""
    panel = controls.panel(Spec, PREFIX)
    with lesson.controls():
        _source(panel)
        panel.draw("lower", "accents", "tokens", "vocabulary", "min_count", "max_length")
        st.markdown("**Batches**")
        panel.draw("batch_size", "by_length", "val", "split_seed")
        st.markdown("**Classifier**")
        panel.draw("dim", "lr", "epochs", "seed")
    panel.complain()
    spec = panel.spec
    try:
        made = text.parts(spec)
    except SpecError as error:
        lesson.problem("These texts cannot be shown", str(error), error.detail)
        return
    with lesson.stage():
        _stages(spec, made)
    with lesson.details():
        _batch(spec, made)
        _classifier(spec, made)
        _card(spec)
        st.markdown("##### Code")
        files = (
            {text.file_name(spec): workspace.get(spec.data.removeprefix("upload:"))}
            if spec.data != DOCS
            else {}
        )
        code_panel.show(
            text.to_code(spec), name=PREFIX, page="datasets", prefix=PREFIX, spec=spec, files=files,
        )  # fmt: skip


def _source(panel: controls.Panel[Spec]) -> None:
    own = {
        f"upload:{u.id}": u.name
        for u in workspace.listing(session.owner())
        if ingest_texts.is_set(u.id)
    }
    chosen = str(panel.values["data"])
    if chosen != DOCS:
        own.setdefault(chosen, INTAKE.name(chosen))
    one, options = panel.setting("data"), [DOCS, *own]
    st.selectbox(
        "Texts",
        options,
        options.index(one.among(options)),
        format_func=lambda v: (
            "Documentation of three libraries" if v == DOCS else workspace.display_name(own[v])
        ),
        key=one.key,
    )
    panel.problems("data")
    INTAKE.news()
    with st.expander("Your own texts", icon=":material/upload_file:"):
        left, right = st.columns(2)
        left.text_input(
            "Text field",
            key="texts:text",
            placeholder="found out",
            help="Of JSON lines or a table.",
        )
        right.text_input("Label field", key="texts:label", placeholder="found out")
        st.file_uploader(
            "Text (a line each), JSON lines, a table, several of them, or a zip of class folders",
            type=ENDINGS,
            accept_multiple_files=True,
            key="texts:file",
            on_change=_take,
            help='Such as lines of {"text": "…", "label": "…"}. It stays on this server.',
        )


@session.whole
def _take() -> None:
    files = st.session_state.get("texts:file") or []
    if not files:
        return
    fields = {n: str(st.session_state.get(f"texts:{n}") or "").strip() for n in ("text", "label")}
    try:
        if len(files) == 1:
            id = workspace.put(files[0], files[0].name, session.owner())
        else:
            with ingest.packed((f.name, f) for f in files) as path:
                id = workspace.put(path, f"{len(files)} files.zip", session.owner())
        INTAKE.begin(ingest_texts.Spec(f"upload:{id}", **fields))
    except SpecError as error:
        INTAKE.fail(error)


def _stages(spec: Spec, made: text.Parts) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        index = st.number_input(
            "Text number", 0, len(made.rows) - 1, 0, key="texts:index", width=160
        )
        typed = st.text_input(
            "… or write one", key="texts:typed", max_chars=2000, placeholder="Write anything"
        )
    body, label = made.rows[int(index)]
    found = text.stages(spec, made, typed or body)
    lines = [
        ("Text", found.raw[:600]),
        ("Normalised", found.normal[:600]),
        (f"{len(found.tokens)} tokens", " · ".join(found.tokens[:160])),
        ("Numbers in the vocabulary", " ".join(map(str, found.ids[:160]))),
    ]
    for title, shown in lines:
        st.markdown(
            f"**{title}**"
            + (f" of class {plain(label)}" if title == "Text" and label and not typed else "")
        )
        st.code(shown or " ", language=None, wrap_lines=True)
    unknown = found.ids.count(1)
    said = (
        [f"{unknown} of {len(found.ids)} tokens are not in the vocabulary and become [UNK]."]
        if unknown
        else []
    )
    said += [f"{found.cut} tokens beyond max_length are cut."] if found.cut else []
    said += [
        f"The vocabulary has {made.tokenizer.get_vocab_size():,} tokens, learned from the {len(made.train):,} training texts alone."
    ]
    st.caption(" ".join(said))


def _batch(spec: Spec, made: text.Parts) -> None:
    """The first batch padded, its mask, and the same packed, each as a picture and as its first numbers."""
    ids, mask, _ = next(iter(text.loader(spec, made)))
    packed = text.packed(ids, mask)
    wasted = text_steps.waste([mask])
    st.markdown("##### The first batch: padded, masked, packed")
    words = [[made.tokenizer.id_to_token(int(i)) or "" for i in row] for row in ids]
    order = [int(i) for i in packed.sorted_indices]  # type: ignore[union-attr]  # not enforce_sorted
    height = min(340, 110 + 14 * len(ids))
    parts = (
        (
            "pad",
            figures.padded(words, mask.numpy()),
            f"`ids {tuple(ids.shape)}` filled up with 0, the number of [PAD]: **{wasted:.0%} is padding**.",
            f"ids[0] = {_numbers(ids[0])}\nids[{order[-1]}] = {_numbers(ids[order[-1]])}  # the shortest",
            f"A batch of {len(ids)} texts, each filled up to {ids.shape[1]} tokens; {wasted:.0%} of the cells are padding.",
        ),
        (
            "mask",
            figures.mask(mask.numpy()),
            f"`mask {tuple(mask.shape)}` is True at the {int(mask.sum()):,} tokens, so that attention and means leave "
            "padding out.",
            f"mask[0] = {_numbers(mask[0].int())}\nmask[{order[-1]}] = {_numbers(mask[order[-1]].int())}",
            f"True at {int(mask.sum())} of {mask.numel()} cells.",
        ),
        (
            "pack",
            figures.packed([words[i] for i in order], order, packed.batch_sizes.tolist()),
            f"`data ({len(packed.data):,},)` place by place, the longest text first: a recurrent layer takes "
            "`batch_sizes[t]` texts at place t, and no padding.",
            f"data = {_numbers(packed.data)}\nbatch_sizes = {_numbers(packed.batch_sizes)}",
            f"The {len(packed.data)} tokens alone, the texts in order of their length.",
        ),
    )
    for column, (name, picture, said, code, alt) in zip(st.columns(3), parts, strict=True):
        with column:
            st.markdown(f"**{name}**: {said}")
            figure(picture, key=f"texts-{name}", height=height, alt=alt, modebar=False)
            st.code(code, language="python", wrap_lines=True)
    for by_length in (False, True):
        batches = text.loader(spec.replace(by_length=by_length), made)
        whole = text_steps.waste([m for _, m, _ in batches])
        st.markdown(
            f"- Batches {'of like length' if by_length else 'in random order'}: {whole:.0%} of an epoch's cells are padding."
        )


def _numbers(values: Tensor, most: int = 24) -> str:
    """A row of whole numbers, cut where it gets long."""
    shown = ", ".join(map(str, values[:most].tolist()))
    return f"[{shown}{', …' if len(values) > most else ''}]"


def _classifier(spec: Spec, made: text.Parts) -> None:
    st.markdown("##### A bag of embeddings learns the classes")
    if len(made.classes) < 2:
        st.info("These texts have no labels, or all the same one: there is nothing to tell apart.")
        return
    try:
        run = demo.run("models.datasets.text", spec)
    except runs.RunError as error:
        lesson.problem("Training could not start", str(error))
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        curves(run, key="texts-curves", panels=(LOSS, METRIC), height=230)
    with right:
        _learned(run, spec, made)


@address.every(1.0)
def _learned(run: str, spec: Spec, made: text.Parts) -> None:
    frame = news.of(run).frame
    status = session.client().status(run)
    if status.state == "failed":
        lesson.problem("Training ended", status.message, status.detail)
        return
    if frame is None:
        st.caption("It is learning.")
        return
    asked = st.text_input(
        "Ask it", key="texts:ask", max_chars=2000, placeholder="Computes the mean of each column"
    )
    body = asked or made.rows[0][0]
    found = text.stages(spec, made, body)
    logits, parts = text.logits(dict(frame), list(found.ids))
    chance = logits.softmax(0)
    best = int(chance.argmax())
    st.markdown(
        f"**{plain(frame['classes'][best])}** ({chance[best]:.0%}), because of these tokens:"
    )
    added = [round(float(v), 3) for v in parts[:, best]]
    pairs = sorted(zip(found.tokens, added, strict=False), key=lambda pair: -abs(pair[1]))
    st.dataframe(
        pd.DataFrame(pairs, columns=["token", "adds to its logit"]),
        hide_index=True,
        height=210,
        alt="What each token adds to the logit of the class",
    )


def _card(spec: Spec) -> None:
    if spec.data == DOCS:
        return
    card: dict[str, Any] = ingest_texts.card(spec.data)
    st.markdown("##### The file")
    with st.container(horizontal=True):
        st.metric("Texts", f"{card['texts']:,}")
        st.metric("Classes", len([name for name in card["labels"] if name]))
        st.metric("Copies", card["duplicates"])
        st.metric("Left out", card["refused_count"])
    for note in card["notes"]:
        st.markdown(f"- {plain(note)}")
    figure(
        figures.lengths(card["lengths"]), key="texts-lengths", height=240, modebar=False,
        alt="How many texts have how many characters.",
    )  # fmt: skip
    if any(card["labels"]):
        st.dataframe(
            pd.DataFrame(card["labels"].items(), columns=["class", "texts"]),
            hide_index=True,
            alt="Texts of each class",
        )
    if card["refused"]:
        with st.expander(
            f"{card['refused_count']} records left out, with the reason", icon=":material/block:"
        ):
            st.dataframe(
                pd.DataFrame(card["refused"], columns=["where", "why"]),
                hide_index=True,
                alt="Records left out",
            )
    INTAKE.manage(spec.data, Path(text.file_name(spec)).name, "application/jsonl")
