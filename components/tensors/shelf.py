"""The controls of the Tensors page: find an operation, set its parameters, fill the shelf."""

from __future__ import annotations

import pandas as pd
import streamlit as st
import torch

from components import controls, evaluate, session
from models import tensor_ops
from models.core.spec import SpecError
from models.data import workspace
from models.tensor_ops import OPS, Spec, create, registry, search
from models.tensor_ops.registry import Op, Param

PREFIX = "tensors"
_FOUND = 10  # hits shown


def panel() -> controls.Panel[Spec]:
    """The settings of the page as they stand."""
    return controls.panel(Spec, PREFIX)


def draw(made: controls.Panel[Spec], example: str = "") -> None:
    """Every widget of the sidebar; `example` stands on an empty shelf in place of the operation's own."""
    _find()
    op = OPS[str(made.values["op"])]
    free = not str(made.values["expression"]).strip()
    one = made.setting("op")
    st.selectbox(
        "Operation",
        tuple(OPS),
        tuple(OPS).index(one.born),
        key=one.key,
        on_change=session.whole(_new_operation),
        help=f"{len(OPS)} operations; type to search by name.",
        disabled=not free,
    )
    made.problems("op")
    if free:
        st.markdown(f"{op.sentence} [Documentation]({op.docs})")
        _params(op, made)
    _shelf(made, example)
    made.draw("expression")
    if made.error is None and tensor_ops.is_random(made.spec):
        made.draw("seed")


def _new_operation() -> None:
    controls.put(PREFIX, params="")


def choose(name: str, params: str = "", shelf: str | None = None) -> None:
    """Take an operation over; a button's callback."""
    changes = {"op": name, "params": params, "expression": ""}
    controls.put(PREFIX, **(changes if shelf is None else changes | {"shelf": shelf}))


def _find() -> None:
    words = st.text_input(
        "Find",
        key="tensors:find",
        placeholder="largest   or   2, 3 -> 3, 2",
        help="A word of an operation, or the shapes before and after: 2, 3 ; 3, 4 -> 2, 4",
    ).strip()
    if not words:
        return
    if "->" in words or "→" in words:
        try:
            inputs, _ = search.parse(words)
            found = [(OPS[n], p) for n, p in evaluate.ask("models.tensor_ops.look:found", words)]
        except SpecError as error:
            controls.explain(error)
            return
        shelf = "\n".join(
            f"{n} = torch.arange({_count(s)}.0).reshape({s})"
            for n, s in zip("ab", inputs, strict=False)
        )
    else:
        found, shelf = [(op, "") for op in registry.find(words)], None
    if not found:
        st.caption("Nothing found. Try another word, or other shapes.")
    with st.container(horizontal=True, gap="small"):
        for op, params in found[:_FOUND]:
            st.button(
                op.name,
                key=f"tensors:found:{op.name}",
                help=op.sentence,
                on_click=choose,
                args=(op.name, params, shelf),
            )
    if len(found) > _FOUND:
        st.caption(f"and {len(found) - _FOUND} more")


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _params(op: Op, made: controls.Panel[Spec]) -> None:
    """One widget per parameter of the operation's signature."""
    try:
        spec = made.spec if made.error else Spec(**dict(made.values))  # type: ignore[arg-type]  # the panel's own values
        names = spec.names
        given = str(made.values["params"])
        text = spec.fitted if spec.op == op.name else given
        values = op.values(text, names)
    except SpecError:
        values, names = op.values(), registry.shelf_names(op.shelf)
    columns = st.columns(2, gap="small") if len(op.params) > 2 else [st.container()]
    for i, p in enumerate(op.params):
        with columns[i % len(columns)]:
            _param(op, p, values[p.name], names)


def _param(op: Op, p: Param, value: str, names: tuple[str, ...]) -> None:
    key = f"tensors:param:{op.name}:{p.name}"
    label = controls.named(p.title, p.name)
    how = {"key": key, "help": p.help, "on_change": _set, "args": (op.name, p.name, key)}
    if p.kind == "bool" and value in ("True", "False"):
        st.session_state[key] = value == "True"
        st.toggle(label, **how)
        return
    st.session_state[key] = value
    options = {
        "tensor": names,
        "dim": (*(("None",) if p.default == "None" else ()), "0", "1", "2", "-1", "-2"),
        "dtype": p.choices,
        "choice": p.choices,
    }.get(p.kind)
    if options is None:
        st.text_input(label, **how)
        return
    if value not in options:
        options = (*options, value)
    st.selectbox(label, options, accept_new_options=p.kind in ("tensor", "dim"), **how)


def _set(op: str, name: str, key: str) -> None:
    value = st.session_state[key]
    text = str(value) if value is not None else ""
    given = registry.parse_params(str(controls.read(Spec, PREFIX)["params"]))
    try:
        registry.parse_params(registry.join_params({name: text}))
    except SpecError as error:
        st.session_state["tensors:complaint"] = error
        return
    given[name] = text
    example = registry.parse_params(OPS[op].example)
    kept = {n: v for n, v in given.items() if v != example.get(n)}
    controls.put(PREFIX, params=registry.join_params(kept))


def _shelf(made: controls.Panel[Spec], example: str) -> None:
    own = str(made.values["shelf"])
    example = example or OPS[str(made.values["op"])].shelf
    key = "tensors:lines"
    st.session_state[key] = own or example
    st.text_area(
        "Shelf",
        key=key,
        height=110,
        max_chars=4000,
        on_change=session.whole(_write_shelf),
        args=(example,),
        help="One tensor per line. A line may use the names above it: b = a.T shares a's memory. "
        "A comment may name the dims: a = torch.rand(2, 3, 4)  # channel, row, column",
    )
    if error := session.told("tensors:complaint"):
        controls.explain(error)
    if made.error is not None and made.error.field in ("shelf", "params", "op"):
        controls.explain(made.error)  # these fields have widgets of this page's own
    if own:
        st.button(
            "Example's tensors",
            key="tensors:example",
            on_click=controls.put,
            args=(PREFIX,),
            kwargs={"shelf": "", "params": ""},
        )
    part = st.expander(
        "Create a tensor", icon=":material/add:", on_change="rerun", key="tensors:create"
    )
    if part.open:
        with part:
            _create(own or example, made.spec)


def _write_shelf(example: str) -> None:
    text = st.session_state["tensors:lines"]
    controls.put(PREFIX, shelf="" if text.strip() == example.strip() else text)


def _create(text: str, spec: Spec) -> None:
    way = st.selectbox(
        "How",
        tuple(create.WAYS),
        key="tensors:way",
        help="Every way adds one line to the shelf, which you can change there.",
    )
    line, says = create.WAYS[way]
    st.markdown(f"`{line}`: {says}.")
    st.button(
        "Add to the shelf", key="tensors:add", on_click=_add_line, args=(text, line), type="primary"
    )
    st.file_uploader(
        "Or a file: picture, CSV or .npy",
        key="tensors:file",
        type=["png", "jpg", "jpeg", "webp", "gif", "bmp", "csv", "tsv", "txt", "npy"],
        on_change=_add_file,
        args=(text,),
        help="Pickled objects in .npy files are refused.",
    )
    _grid(text, spec)
    own = [u for u in workspace.listing(session.owner()) if not u.name.lower().endswith(".pt")]
    if own:
        st.selectbox(
            "Uploaded before",
            [u.id for u in own],
            index=None,
            format_func=lambda i: next(workspace.display_name(u.name) for u in own if u.id == i),
            key="tensors:before",
            on_change=_add_upload,
            args=(text,),
        )


_NEW = "a new tensor"


def _grid(text: str, spec: Spec) -> None:
    """Numbers typed into a grid: of a new tensor, or of one on the shelf."""
    try:
        tensors = evaluate.ask("models.tensor_ops.look:shelf", spec).inputs
    except SpecError:
        tensors = {}
    able = {
        n: t
        for n, t in tensors.items()
        if t.dim() in (1, 2) and 0 < t.numel() <= create.MAX_GRID and not t.is_complex()
        if t.isfinite().all()
    }
    chosen = st.selectbox("Or type into a grid", (_NEW, *able), key="tensors:grid-of")
    if chosen in able:
        tensor, name = able[chosen], chosen
    else:
        wide = st.number_input("Columns", 1, 12, 3, key="tensors:grid-wide")
        tensor, name = torch.zeros(2, int(wide)), create.free_name(_names(text))
    flat = tensor.dim() == 1
    shown = (tensor[None] if flat else tensor).tolist()
    typed = st.data_editor(
        pd.DataFrame(shown, columns=[str(j) for j in range(tensor.shape[-1])]),
        key=f"tensors:grid:{chosen}:{tensor.shape[-1]}",
        num_rows="fixed" if flat else "dynamic",
        height=180,
    )
    rows = typed.to_numpy().tolist()
    # no callback: it would be handed the grid of the last run, without the cell that was typed just now
    if st.button(f"Write {name} to the shelf", key="tensors:grid-add"):
        try:
            new = create.grid(text, name, rows[0] if flat else rows, tensor.dtype)
            controls.put(PREFIX, shelf=new)
        except SpecError as error:
            st.session_state["tensors:complaint"] = error
        st.rerun()


def _names(text: str) -> tuple[str, ...]:
    try:
        return tuple(name for name, _ in create.lines(text))
    except SpecError:
        return ()


def _add_line(text: str, line: str) -> None:
    controls.put(
        PREFIX, shelf=f"{text.rstrip()}\n{create.free_name(_names(text))} = {line}".lstrip()
    )


@session.whole
def _add_file(text: str) -> None:
    file = st.session_state.get("tensors:file")
    if file is not None:
        try:
            _take(workspace.put(file.getvalue(), file.name, session.owner()), text)
        except SpecError as error:
            st.session_state["tensors:complaint"] = error


@session.whole
def _add_upload(text: str) -> None:
    chosen = st.session_state.get("tensors:before")
    if chosen:
        try:
            _take(chosen, text)
        except SpecError as error:
            st.session_state["tensors:complaint"] = error
        st.session_state["tensors:before"] = None  # the same file can be chosen again


def _take(id: str, text: str) -> None:
    line = evaluate.ask("models.tensor_ops.create:line_for", id, _names(text), field="shelf")
    controls.put(PREFIX, shelf=f"{text.rstrip()}\n{line}".lstrip())


def failing_example(op: str) -> None:
    """Put the call that fails onto the page; a button's callback."""
    controls.put_spec(PREFIX, tensor_ops.failing(OPS[op]))
