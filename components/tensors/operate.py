"""One operation on the shelf: the picture, the guess, the steps and the code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from components import address, code_panel, controls, evaluate, lesson
from components.tensors import shelf
from components.views.cells import Edit, Pan, Shown, cells
from models import tensor_ops
from models.core.spec import SpecError
from models.tensor_ops import Spec, dims, guess, sums
from models.tensor_ops.look import At, Look

_LOOK = "models.tensor_ops.look"


def show(projector: bool) -> None:
    """The Operate part of the page."""
    made = shelf.panel()
    with lesson.controls():
        widgets = st.container()  # filled last: the picture does not wait for them
        one = address.setting("tensors-guess", False)
        guessing = st.toggle(
            "Guess first",
            one.born,
            key=one.key,
            help="Cover the result until you have guessed its shape.",
        )
    made.complain()
    spec = made.spec
    result, error = _run(spec)
    covered = guessing and st.session_state.get("tensors:revealed") != _named(spec)
    if guessing:
        _guess(spec, result, error, covered)
    if error is not None and not covered:
        controls.explain(error)
    for note in result.notes if result is not None and not covered else ():
        st.info(controls.plain(note), icon=":material/lightbulb:")
    with lesson.stage():
        _picture(spec, result, error, covered, projector)
    _code_line(spec)
    with widgets:
        shelf.draw(made)
    with lesson.details():
        if result is not None and not covered:
            _outputs(result)
            _steps(result)
        st.markdown("##### Code")
        code_panel.show(tensor_ops.to_code(spec), name="tensors", spec=spec)


def _run(spec: Spec) -> tuple[Look | None, SpecError | None]:
    try:
        return _kept(spec, tuple(_windows().items())), None
    except SpecError as error:
        return None, error


@st.cache_resource(max_entries=64, ttl=600, show_spinner=False)
def _kept(spec: Spec, windows: tuple[tuple[str, At], ...]) -> Look:
    return evaluate.ask(f"{_LOOK}:look", spec, dict(windows), field="expression")


def _windows() -> dict[str, At]:
    """Where the windows of large tensors begin, by name."""
    return st.session_state.get("tensors:window", {})


def _named(spec: Spec) -> str:
    return f"{spec.code}\n{spec.shelf_text}\n{spec.seed}"


def _guess(spec: Spec, result: Look | None, error: SpecError | None, covered: bool) -> None:
    with (
        st.form("tensors:guess", border=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.markdown(f"What does `{spec.code}` give?")
        shape = st.text_input(
            "Shape of the result",
            key="tensors:guess-shape",
            placeholder="2, 3   or   error",
            width=220,
        )
        value = st.text_input(
            "First value (if you like)", key="tensors:guess-value", placeholder="7", width=180
        )
        if st.form_submit_button("Reveal", key="tensors:reveal", type="primary") and covered:
            st.session_state["tensors:revealed"] = _named(spec)
            st.rerun()
    if not covered:
        outputs = None if result is None else result.outputs
        verdict = guess.judge(
            shape, value, outputs, str(error or ""), None if result is None else result.first
        )
        (st.success if verdict.right else st.info)(verdict.words, icon=":material/lightbulb:")


def _picture(
    spec: Spec,
    result: Look | None,
    error: SpecError | None,
    covered: bool,
    projector: bool,
) -> None:
    names = tensor_ops.used(spec)
    look = result
    if look is None:
        try:
            look = evaluate.ask(f"{_LOOK}:shelf", spec, _windows(), field="shelf")
        except SpecError:
            return  # the message above says which line
    inputs = look.inputs
    called = dims.given(spec.shelf_text, inputs)

    def drawn(name: str, tensor: Any, role: str = "output", **how: Any) -> Shown:
        return Shown(name, tensor, role, seen=look.seen.get(name), **how)

    shown = [drawn(n, inputs[n], "input", dims=called.get(n, ())) for n in names if n in inputs]
    used = {n: called[n] for n in names if n in called}
    made = dims.carried(used, inputs, look.outputs, look.links)
    shown += [drawn(label, t, dims=made.get(label, ())) for label, t in look.outputs]
    shown += [drawn(name, t, changed=True) for name, t in look.after.items()]
    parts = tensor_ops.broadcast(spec, inputs)
    alignment = sums.align([inputs[n].shape for n in parts]) if parts else None
    if alignment is not None and alignment.failed is None and error is not None:
        alignment = None
    if alignment is not None and not (alignment.failed is not None or any(alignment.stretched)):
        alignment = None  # equal shapes: nothing to stretch
    factors, terms = (), None
    if result is not None:
        factors, terms = tensor_ops.products(spec, inputs)
    cells(
        shown,
        result.links if result is not None else {},
        key="tensors-cells",
        sign=_named(spec) if result is not None else f"{_named(spec)} error",
        height=max(280, min(520, 250 + max((_lines(s.tensor.shape) for s in shown), default=1))),
        alignment=alignment,
        aligned=parts,
        terms=terms,
        factors=factors,
        editable=[n for n, t in inputs.items() if t.numel() <= 200 and not t.is_complex()],
        hidden=covered,
        note="This call fails: the message above says why." if error and not covered else "",
        on_edit=lambda e: _edit(e, spec),
        on_pan=_pan,
    )


def _lines(shape: tuple[int, ...]) -> int:
    """How many pixels a picture of this shape may grow by: rows of cells, and of planes."""
    rows = shape[-2] if len(shape) > 1 else 1
    planes = math.prod(shape[:-3])
    return 12 * rows * planes * (1 if math.prod(shape) < 64 else 2)


def _edit(edit: Edit, spec: Spec) -> None:
    try:
        text = evaluate.ask(f"{_LOOK}:changed", spec, edit.name, edit.cell, edit.text)
        controls.put(shelf.PREFIX, shelf=text)
    except SpecError as error:
        st.session_state["tensors:complaint"] = error


def _pan(pan: Pan) -> None:
    st.session_state["tensors:window"] = _windows() | {pan.name: (pan.row, pan.column)}


def _code_line(spec: Spec) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"`{spec.code}`")
        if not spec.expression:
            st.button(
                "A call that fails",
                key="tensors:fails",
                on_click=shelf.failing_example,
                args=(spec.op,),
                icon=":material/error:",
                type="tertiary",
            )


def _outputs(result: Look) -> None:
    st.markdown(_table(result.table))
    if result.changed:
        st.info(
            f"In place: the numbers of {', '.join(result.changed)} changed, because they share this memory.",
            icon=":material/warning:",
        )


def _steps(result: Look) -> None:
    if len(result.steps) < 2:
        return
    st.markdown("##### Every step")
    st.markdown(_table(result.steps))


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    """A small table as text, which costs a tenth of a data frame; `code` keeps every sign as it is."""
    head = list(rows[0])
    lines = [head, ["---"] * len(head)] + [
        [f"`{r[c].replace('|', '¦')}`" if r[c] and c in ("step", "value") else r[c] for c in head]
        for r in rows
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
