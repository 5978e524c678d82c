"""Autograd: run a few lines of your own, then step PyTorch's own backward pass forwards and back."""

from typing import Any

import streamlit as st

from components import code_panel, controls, dataset_picker, evaluate, lesson, session
from components.figures import autograd as figures
from components.views.figure import figure
from components.views.graph import graph
from models import autograd
from models.autograd import (
    accumulation,
    beyond,
    by_hand,
    free,
    functions,
    rules,
    shown,
)
from models.core.spec import SpecError
from models.data import tabular

lesson.page(
    "autograd",
    "Autograd",
    "Edit a leaf or a line, then step through the backward pass that PyTorch really makes.",
)
st.html(
    "<style>[class*='-edit-'] textarea { font-family: monospace; }"
    "[class*='st-key-autograd-grad-'] [data-testid=stTooltipIcon] { display: none; }</style>"
)


def _last_good(
    name: str, question: str, panel: controls.Panel[Any]
) -> tuple[Any, Any, SpecError | None]:
    """The settings that run, what they give, and why it is not what was asked for."""
    memory = f"{name}:good"
    try:
        result = _asked(question, panel.spec)
    except SpecError as error:
        spec = st.session_state.get(memory, type(panel.spec)())
        return spec, _asked(question, spec), panel.error or error
    st.session_state[memory] = panel.spec
    return panel.spec, result, panel.error


def _asked(question: str, spec: Any) -> Any:
    """What a learner wrote, run where it can be ended."""
    return evaluate.ask(f"models.autograd.{question}", spec, seconds=evaluate.PROGRAM)


# ---- a program and its graph ------------------------------------------------------------------------------------


def show_graph() -> None:
    panel = controls.panel(autograd.Spec, "autograd")
    _follow_preset(panel.spec.preset)
    spec, result, error = _last_good("autograd", "shown:program", panel)
    with lesson.controls():
        panel.draw("preset")
        st.caption(_about(spec.own, spec.chosen.title, spec.chosen.about))
        _edit_leaves(panel.values)
        _complain(error, "leaves")
        _edit_program(panel.values)
        _complain(error, "program", "preset")
        with st.expander("More", expanded=not result.scalar or spec.order == 2):
            panel.draw("order", "gradient", "seed")
    if error is not None:
        if error.field in ("order", "gradient", "seed", ""):
            controls.explain(error)
        st.caption("The picture below is still the last program that worked.")
    if result.problem is not None:
        st.warning(
            controls.plain(_capital(result.problem.message)),
            icon=":material/report:",
            title=result.headline,
        )
    for hint in result.hints:
        st.info(controls.plain(_capital(hint.message)), icon=":material/lightbulb:")
    with lesson.stage():
        graph(
            result.picture,
            key="autograd-graph",
            problem_line=result.problem.line if result.problem is not None else 0,
        )
    with lesson.details():
        st.markdown(result.summary)
        for reason in result.reasons:
            st.caption(controls.plain(reason))
        if result.problem is not None and result.problem.detail:
            with st.expander("What PyTorch says"):
                st.code(result.problem.detail, language=None, wrap_lines=True)
        python = st.expander(
            "Backward as Python: the same operations, written out",
            on_change="rerun",
            key="autograd-python",
        )
        if python.open:
            with python:
                try:
                    st.code(_asked("tracing:backward_code", spec), language="python")
                except SpecError as found:
                    st.info(controls.plain(str(found)))
        st.markdown("##### Code")
        code_panel.show(result.code, name="autograd", spec=spec)


def _follow_preset(preset: str) -> None:
    """Another program of the menu starts with its own texts; a link's own texts stay."""
    before = st.session_state.get("autograd:preset", preset)
    st.session_state["autograd:preset"] = preset
    if before != preset:
        controls.put("autograd", leaves="", program="", gradient="")
        st.rerun()


def _edit_program(values) -> None:
    own = autograd.PRESETS[values["preset"]].program
    text = values["program"].strip("\n") or own
    key = "autograd-edit-program"
    _take(key, text)

    def changed() -> None:
        typed = st.session_state[key].strip("\n")
        st.session_state[f"{key}:seen"] = typed or own
        controls.put("autograd", program="" if typed.strip() in ("", own) else typed)

    st.text_area(
        "Program",
        key=key,
        on_change=session.whole(changed),
        height=34 + 24 * max(3, min(12, text.count("\n") + 2)),
        help="Assignments, arithmetic, @, torch and F functions, tensor methods, indexing, if, for … in range, while, "
        "with torch.no_grad(). The result is `loss`, or whatever was assigned last. Ctrl+Enter runs it.",
        max_chars=4000,
    )


def _edit_leaves(values) -> None:
    own = autograd.PRESETS[values["preset"]].leaves
    text = values["leaves"].strip("\n") or own
    memory = "autograd:rows"
    try:
        st.session_state[memory] = rows = autograd.leaves(text)
    except SpecError:
        rows = st.session_state.get(memory, [])  # what was typed stays in its box
    fresh = st.session_state.get("autograd:leaves-seen") != text
    st.session_state["autograd:leaves-seen"] = text

    def put(new: str) -> None:
        st.session_state["autograd:leaves-seen"] = new
        controls.put("autograd", leaves="" if new.strip() in ("", own) else new)

    def changed() -> None:
        lines = [
            autograd.Leaf(
                row.name,
                st.session_state[f"autograd-leaf-{row.name}"],
                st.session_state[f"autograd-grad-{row.name}"],
                row.line,
            ).text()
            for row in rows
        ]
        put("\n".join(lines))

    st.markdown("**Leaves**")
    for row in rows:
        value, tracked = f"autograd-leaf-{row.name}", f"autograd-grad-{row.name}"
        if fresh or value not in st.session_state:
            st.session_state[value], st.session_state[tracked] = row.values, row.requires_grad
        left, right = st.columns([5, 3], vertical_alignment="bottom", gap="small")
        left.text_input(row.name, key=value, on_change=session.whole(changed), max_chars=4000)
        right.checkbox(
            f"{controls.plain(row.name)}.grad",
            key=tracked,
            on_change=session.whole(changed),
            help=f"requires_grad of {row.name}",
        )
    with st.expander("Add or remove leaves"):
        key = "autograd-edit-leaves"
        _take(key, text)
        st.text_area(
            "One per line: name = torch.tensor(…, requires_grad=True)",
            key=key,
            on_change=session.whole(lambda: put(st.session_state[key].strip("\n"))),
            height=140,
            max_chars=8000,
        )


def _take(key: str, text: str) -> None:
    """Show `text` in the box `key` when it changed elsewhere: another preset, a link, another box."""
    if st.session_state.get(f"{key}:seen") != text or key not in st.session_state:
        st.session_state[key] = text
        st.session_state[f"{key}:seen"] = text


def _complain(error: SpecError | None, *fields: str) -> None:
    if error is not None and error.field in fields:
        controls.explain(error)


def _about(own: bool, title: str, words: str) -> str:
    """What there is to see in a preset, as long as it is one: a text of the learner's own only started from it."""
    return f"Your own text now; it started from “{title}”." if own else words


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# ---- accumulation -----------------------------------------------------------------------------------------------


def show_accumulation() -> None:
    with lesson.controls():
        spec = controls.edit(accumulation.Spec, "accumulate")
    result = accumulation.run(spec)
    parts = len(result.parts)
    with lesson.stage():
        columns = st.columns(3)
        pictures = (
            ("one big batch", result.big),
            ("accumulated", result.accumulated),
            ("difference", result.accumulated - result.big),
        )
        for column, (title, values) in zip(columns, pictures, strict=True):
            with column:
                figure(
                    figures.jacobian(values, title, float(result.big.abs().max())),
                    key=f"accumulate-{title}",
                    height=300,
                    modebar=False,
                    alt=f"Gradient of the first layer's weight, {title}, {tuple(values.shape)}.",
                )
    say = st.success if result.equal else st.warning
    say(
        f"One backward call on {spec.batch_size} samples and {parts} {'call' if parts == 1 else 'calls'} on parts of it: "
        f"the largest difference of any gradient is **{result.difference:.3g}**, beside gradients up to {result.scale:.3g}.",
        title="The same gradient" if result.equal else "Another gradient",
    )
    for sentence in result.why:
        st.markdown(f"- {_capital(sentence)}")
    st.markdown("##### Call by call")
    st.dataframe(
        [
            {
                "call": i + 1,
                "samples": part.samples,
                "loss × scale": part.loss,
                "first weight's .grad before": "None"
                if part.before is None
                else f"{part.before[0, 0].item():.5g}",
                "after": f"{part.after[0, 0].item():.5g}",
                "norm of what was added": part.added,
            }
            for i, part in enumerate(result.parts)
        ],
        hide_index=True,
    )
    with lesson.details():
        st.markdown("##### Code")
        code_panel.show(
            accumulation.to_code(spec),
            name="accumulation",
            spec=spec,
            page="autograd",
            prefix="accumulate",
        )


# ---- rules of the engine ----------------------------------------------------------------------------------------


def show_rules() -> None:
    panel = controls.panel(rules.Spec, "rules")
    with lesson.controls():
        panel.draw("case")
    panel.complain()
    spec = panel.spec
    case = rules.CASES[spec.case]
    st.markdown(f"##### {case.title}")
    st.markdown(case.about)
    with lesson.stage():
        left, right = st.columns([3, 2])
        with left:
            st.code(rules.code(spec.case), language="python")
        with right:
            result = _isolated(spec) if case.isolated else rules.run(spec)
            for name, value in result.found.items():
                if not isinstance(value, str):
                    st.markdown(f"**{name}** = {value:.6g}")
                elif len(value) > 60:
                    st.markdown(f"**{name}**")
                    st.code(value, language=None, wrap_lines=True)
                else:
                    st.markdown(f"**{name}**: {value}")
    with lesson.details():
        st.markdown("##### Code")
        code_panel.show(
            rules.to_code(spec),
            name="rules",
            spec=spec,
            page="autograd",
            prefix="rules",
        )


@st.cache_data(
    max_entries=8, show_spinner="Running in a process of its own", hash_funcs={rules.Spec: repr}
)
def _isolated(spec: rules.Spec) -> rules.Result:
    """Anomaly mode is a switch of the whole process, so it is never thrown in this one."""
    return rules.run(spec)


# ---- own Functions ----------------------------------------------------------------------------------------------


def show_function() -> None:
    panel = controls.panel(functions.Spec, "function")
    before = st.session_state.get("function:preset", panel.values["preset"])
    st.session_state["function:preset"] = panel.values["preset"]
    if before != panel.values["preset"]:
        controls.put("function", inputs="", forward="", backward="")
        st.rerun()
    spec, result, error = _last_good("function", "shown:function", panel)
    with lesson.controls():
        panel.draw("preset")
        preset = functions.PRESETS[spec.preset]
        st.caption(_about(spec.own, preset.title, preset.about))
        for name, label in (
            ("inputs", "Inputs"),
            ("forward", "Forward"),
            ("backward", "Backward"),
        ):
            _edit_body(panel.values, name, label)
            _complain(error, name)
        panel.draw("eps")
    if error is not None:
        if error.field not in ("inputs", "forward", "backward", "eps"):
            controls.explain(error)
        st.caption("What you see below is still the last Function that worked.")
    worst = max(c.difference for c in result.checks)
    if result.passed:
        st.success(
            f"gradcheck passes: backward is the derivative of forward (largest difference {worst:.2g})."
        )
    else:
        st.error(
            f"gradcheck fails: backward is not the derivative of forward (largest difference {worst:.3g})."
        )
        with st.expander("What PyTorch says"):
            st.code(result.message, language=None)
    for check in result.checks:
        columns = st.columns(3)
        pictures = (
            (f"analytical, d y / d {check.name}", check.analytical),
            ("numerical (finite differences)", check.numerical),
            ("difference", check.analytical - check.numerical),
        )
        for column, (title, values) in zip(columns, pictures, strict=True):
            with column:
                figure(
                    figures.jacobian(values, title, float(check.numerical.abs().max())),
                    key=f"function-{check.name}-{title.split(',')[0]}",
                    height=280,
                    modebar=False,
                    alt=f"Jacobian {title}: {tuple(values.shape)} numbers.",
                )
    with lesson.stage():
        graph(result.picture, key="function-graph", height=520)
    with lesson.details():
        _free_python(result.code)
        st.markdown("##### Code")
        code_panel.show(
            result.code,
            name="function",
            spec=spec,
            page="autograd",
            prefix="function",
        )


def _edit_body(values, name: str, label: str) -> None:
    own = getattr(functions.PRESETS[values["preset"]], name)
    text = values[name].strip("\n") or own
    key = f"function-edit-{name}"
    _take(key, text)

    def changed() -> None:
        typed = st.session_state[key].strip("\n")
        st.session_state[f"{key}:seen"] = typed or own
        controls.put("function", **{name: "" if typed.strip() in ("", own) else typed})

    st.text_area(
        label,
        key=key,
        on_change=session.whole(changed),
        height=68 + 24 * min(6, text.count("\n")),
        max_chars=2000,
    )


def _free_python(code: str) -> None:
    if not free.allowed():
        st.caption(
            f"Free Python is switched off on this server; the small language above works everywhere. Who owns the server can "
            f"set {free.SWITCH}=1: a script then runs in a process of its own, with limits on time and memory."
        )
        return
    with st.expander("Free Python: any Function, in a process of its own"):
        with st.form("function-free", border=False):
            typed = st.text_area("Script", code, key="function-edit-free", height=320)
            asked = st.form_submit_button("Run the script", icon=":material/play_arrow:")
        if asked:
            try:
                output = free.run(typed)
            except SpecError as error:
                controls.explain(error)
                return
            st.code(output.printed or "(it printed nothing)", language=None)
            if output.error:
                st.error("The script did not finish.")
                st.code(output.error, language=None)
            st.caption(f"{output.seconds:.1f} s, of at most {free.SECONDS:g}")


# ---- by hand ----------------------------------------------------------------------------------------------------


def show_by_hand() -> None:
    panel = controls.panel(by_hand.Spec, "hand")
    with lesson.controls():
        dataset_picker.pick(panel)
        panel.draw("hidden", "lr", "steps", "zero_grad", "seed")
    panel.complain()
    spec = dataset_picker.ready(panel, panel.spec)
    result = by_hand.run(spec)
    score = (
        "of the rows are named rightly" if result.data.classes else "is the R² of the prediction"
    )
    st.markdown(
        f"{result.rows} training rows, {len(result.data.features)} inputs, to predict {result.data.target}. "
        f"After {spec.steps} turns the loss is **{result.hand[-1]:.5f}** by hand and **{result.module[-1]:.5f}** with nn and "
        f"optim; the weights differ by {result.largest_difference:.2g} at most. "
        f"{result.accuracy:{'.1%' if result.data.classes else '.3f'}} {score}."
    )
    left, right = st.columns(2)
    with left, lesson.stage():
        figure(
            figures.losses(result),
            key="hand-losses",
            height=330,
            alt=f"Loss per turn, by hand and with nn: from {result.hand[0]:.3f} to {result.hand[-1]:.3f}, on top of each other.",
        )
    with right:
        titles = [f"{i + 1}. {s.title}" for i, s in enumerate(result.steps)]
        chosen = st.select_slider("Step of a turn", titles, titles[6], key="hand-step")
        step = result.steps[titles.index(chosen)]
        st.code(f"{step.code}\n\n# with nn and optim\n{step.nn_code}", language="python")
        if step.value is None:
            st.markdown("The loop starts over with the next turn.")
        elif step.value.dim() == 0:
            st.metric("value in the first turn", f"{step.value.item():.5f}")
        else:
            rows = step.value[:12]
            figure(
                figures.jacobian(
                    rows,
                    f"first turn, {tuple(step.value.shape)}"
                    + (", first 12 rows" if len(step.value) > 12 else ""),
                ),
                key="hand-value",
                height=300,
                modebar=False,
                alt=f"Numbers after step {chosen}: {tuple(step.value.shape)}.",
            )
    with lesson.details():
        st.dataframe(
            [
                {"step": t, "by hand": s.code, "with nn and optim": s.nn_code}
                for t, s in zip(titles, result.steps, strict=True)
            ],
            hide_index=True,
        )
        names = ("w1", "b1", "w2", "b2")
        pairs = zip(names, result.hand_gradients, result.module_gradients, strict=True)
        st.markdown(
            "Gradients of the first turn, largest difference between the two loops: "
            + " · ".join(f"{n} {(a - b).abs().max().item():.2g}" for n, a, b in pairs)
        )
        st.markdown("##### Code")
        code_panel.show(
            by_hand.to_code(spec),
            name="by_hand",
            spec=spec,
            files=tabular.files(spec),
            page="autograd",
            prefix="hand",
        )


# ---- beyond reverse mode ----------------------------------------------------------------------------------------


def show_beyond() -> None:
    panel = controls.panel(beyond.Spec, "beyond")
    before = st.session_state.get("beyond:preset", panel.values["preset"])
    st.session_state["beyond:preset"] = panel.values["preset"]
    if before != panel.values["preset"]:
        controls.put("beyond", expression="", point="", derivative="")
        st.rerun()
    spec, (result, code), error = _last_good("beyond", "shown:derivatives", panel)
    with lesson.controls():
        panel.draw("preset")
        for name, label in (
            ("expression", "Function f(x)"),
            ("point", "Point x"),
            ("derivative", "Your derivative of f(x).sum()"),
        ):
            key = f"beyond-edit-{name}"
            _take(key, panel.spec.text(name))
            st.text_input(
                label, key=key, on_change=session.whole(_put_text), args=(name,), max_chars=500
            )
            _complain(error, name)
        panel.draw("eps")
    if error is not None:
        if error.field not in ("expression", "point", "derivative", "eps"):
            controls.explain(error)
        st.caption("What you see below is still the last function that worked.")
    right = result.your_error < 1e-6
    (st.success if right else st.warning)(
        f"Your formula is {'right' if right else 'off'}: its largest distance from autograd is {result.your_error:.3g}."
    )
    with lesson.stage():
        st.dataframe(
            [
                {
                    "way": way.name,
                    "of": kind,
                    "value": "–" if way.value is None else shown.short(way.value),
                    "largest distance from reverse mode": ""
                    if way.value is None or ways[0].value is None
                    else f"{float((way.value - ways[0].value).abs().max()):.2g}",
                    "µs, median of 5": round(way.seconds * 1e6),
                    "note": way.note,
                }
                for kind, ways in (
                    ("gradient of the sum", result.gradients),
                    ("Jacobian", result.jacobians),
                    ("Hessian of the sum", (result.hessian,)),
                    ("f at five points", (result.looped, result.mapped)),
                )
                for way in ways
            ],
            hide_index=True,
        )
        columns = st.columns(2)
        for column, (title, way) in zip(
            columns, (("Jacobian", result.jacobians[0]), ("Hessian", result.hessian)), strict=True
        ):
            with column:
                if way.value is None:
                    st.info(controls.plain(way.note))
                else:
                    figure(
                        figures.jacobian(way.value, title),
                        key=f"beyond-{title}",
                        height=320,
                        modebar=False,
                        alt=f"{title}, {tuple(way.value.shape)}.",
                    )
    with lesson.details():
        st.markdown("##### Code")
        code_panel.show(
            code,
            name="beyond",
            spec=spec,
            page="autograd",
            prefix="beyond",
        )


def _put_text(name: str) -> None:
    typed = st.session_state[f"beyond-edit-{name}"].strip()
    preset = st.session_state.get("beyond-preset", beyond.Spec().preset)
    own = beyond.Spec(preset=preset).text(name)
    st.session_state[f"beyond-edit-{name}:seen"] = typed or own
    controls.put("beyond", **{name: "" if typed in ("", own) else typed})


VIEWS = {
    "Graph": show_graph,
    "Accumulation": show_accumulation,
    "Rules": show_rules,
    "Own Function": show_function,
    "By hand": show_by_hand,
    "Beyond reverse mode": show_beyond,
}
view = lesson.views("autograd", tuple(VIEWS))
VIEWS[view]()
lesson.footer()
