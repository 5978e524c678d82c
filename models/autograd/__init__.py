"""Autograd seen at work: run a program of yours, then step through the backward pass that PyTorch really makes."""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.autograd import language, stepping, why
from models.autograd.language import ProgramError
from models.autograd.presets import PRESETS, Preset
from models.autograd.recording import Graph, Lost, Recorder
from models.autograd.stepping import Backward
from models.autograd.why import Why
from models.core import export, seeding
from models.core.spec import Spec as _Spec
from models.core.spec import SpecError, knob


@dataclass(frozen=True)
class Spec(_Spec):
    """A program and its leaves; empty texts mean the preset's own."""

    preset: str = knob("chain", "A program to start from.", label="Start from", choices=tuple(PRESETS),
                       names={k: p.title for k, p in PRESETS.items()})  # fmt: skip
    leaves: str = knob(
        "",
        "Leaf tensors, one assignment per line; empty: the preset's.",
        label="Leaf tensors",
        max_chars=8000,
    )
    program: str = knob("", "The program; empty: the preset's.", max_chars=4000)
    gradient: str = knob("", "The gradient argument of backward, for a result that is not a scalar.", label="Gradient of the result",
                         max_chars=1000)  # fmt: skip
    order: int = knob(
        1,
        "1: gradients; 2: gradients of the gradients' sum (double backward).",
        label="Order of the derivative",
        choices=(1, 2),
    )
    seed: int = knob(0, "Seed of everything random.", minimum=0, maximum=9999)

    def check(self) -> None:
        language.parse(self.leaves_text, "leaves")
        language.parse(self.program_text)
        if self.gradient_text:
            language.parse(f"gradient = {self.gradient_text}", "gradient")

    @property
    def chosen(self) -> Preset:
        return PRESETS[self.preset]

    @property
    def own(self) -> bool:
        """Whether the program is the learner's, no longer the preset's; its leaves may take any value."""
        return bool(_tidy(self.program))

    @property
    def title(self) -> str:
        return "a program of your own" if self.own else self.chosen.title

    @property
    def leaves_text(self) -> str:
        return _tidy(self.leaves) or self.chosen.leaves

    @property
    def program_text(self) -> str:
        return _tidy(self.program) or self.chosen.program

    @property
    def gradient_text(self) -> str:
        return self.gradient.strip() or ("" if self.own else self.chosen.gradient)


@dataclass(frozen=True)
class Problem:
    """Why there are no (or strange) gradients: what happened, the numbers, what to change.

    Attributes:
        line: the learner's line it is about, 0 for the backward pass itself; detail: PyTorch's own message.
    """

    message: str
    line: int = 0
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Result:
    """A recorded run.

    Attributes:
        leaves: the named leaf tensors; `.grad` holds their gradients.
        source: the program's result; argument: what backward was called with, as written ("": nothing).
        name, value: what the last backward starts from (the program's result, except for order 2).
        graph: what ran; backward: what the engine did, with no steps when there was nothing to do.
        problem: what went wrong or deserves a warning, None when all is well.
        hints: what is allowed and seldom meant; why: reasons for gradients that are None or zero.
    """

    leaves: Mapping[str, Tensor]
    source: str
    argument: str
    name: str
    value: Tensor
    graph: Graph
    backward: Backward
    problem: Problem | None
    hints: tuple[Problem, ...]
    why: Why


@dataclass(frozen=True)
class Leaf:
    """One line of the leaves' text, in parts for a form: `name = call(values, requires_grad=…)`."""

    name: str
    values: str
    requires_grad: bool
    line: int

    def text(self) -> str:
        """The line again; plain numbers and lists become `torch.tensor(…)`."""
        values = self.values.strip()
        flag = ", requires_grad=True" if self.requires_grad else ""
        if values.startswith(("torch.", "F.")) and values.endswith(")"):
            return f"{self.name} = {values[:-1]}{flag})"
        return f"{self.name} = torch.tensor({values}{flag})"


def run(spec: Spec, *, device: str = "cpu", jacobians: bool = True) -> Result:
    """Run the program on its leaves, then the backward pass, and write down both.

    Raises:
        ProgramError: a line that cannot run; its `line` and `field` say where.
    """
    leaves_program = language.parse(spec.leaves_text, "leaves")
    program = language.parse(spec.program_text)
    preset = spec.chosen
    random = leaves_program.random or program.random or bool(preset.preamble)
    with seeding.seeded(spec.seed) if random else nullcontext(), _on(device):
        functions = preset.functions()
        leaves = language.Interpreter().run(leaves_program, "leaves")
        _check_leaves(leaves, leaves_program)
        module = next((f for f in functions.values() if isinstance(f, nn.Module)), None)
        recorder = Recorder(where=lambda: interpreter.line, leaves=leaves, module=module)
        interpreter = language.Interpreter(
            leaves,
            functions=functions,
            started=recorder.begin_line,
            named=recorder.name,
            bytes_kept=lambda: recorder.bytes,
        )
        with recorder:
            names = interpreter.run(program)
            # a later line may have given the name to a number
            made = (
                label
                for label, *_ in reversed(recorder.names)
                if isinstance(names.get(label), Tensor)
            )
            name = "loss" if isinstance(names.get("loss"), Tensor) else next(made, "")
            if not name:
                raise ProgramError(
                    "no line assigns a tensor; write one, such as loss = x.sum().", 1
                )
            source, value = name, names[name]
            # a preset's own argument is for results that are not scalars
            argument = "" if value.numel() == 1 and not spec.gradient else spec.gradient_text
            gradient = _gradient(argument, names, value, name)
            if spec.order == 2:
                value, gradient = _second_order(recorder, leaves, value, gradient, name), None
                source, name = name, SECOND
                recorder.name(name, value)
        graph = recorder.graph(value)
        unchanged = _unchanged(graph, value, gradient, leaves)
        backward, problem = _backward(graph, name, value, gradient, jacobians, module is None)
    tensors = {k: v for k, v in leaves.items() if isinstance(v, Tensor)}
    reasons = why.second(tensors) if spec.order == 2 else why.explain(graph, backward, tensors)
    if not value.requires_grad:
        problem = _unreached(name, tensors, reasons)
    problem = problem or _behind(graph, unchanged) or _strange(graph, backward, tensors)
    hints = tuple(map(_lost, graph.lost))
    hints += tuple(
        Problem(f"line {line}: {note}", line) for note, line in interpreter.notes.items()
    )
    return Result(tensors, source, argument, name, value, graph, backward, problem, hints, reasons)


def leaves(text: str) -> list[Leaf]:
    """The leaves' text in parts; a line that is no `name = call(…)` or literal keeps its right side whole."""
    program = language.parse(text, "leaves")
    found: list[Leaf] = []
    for statement in program.body:
        if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
            raise ProgramError(
                "each leaf is one line: name = torch.tensor(…).", statement.lineno, field="leaves"
            )
        value, name = statement.value, statement.targets[0].id
        tracked = False
        if isinstance(value, ast.Call):
            for keyword in list(value.keywords):
                if keyword.arg == "requires_grad" and isinstance(keyword.value, ast.Constant):
                    tracked = bool(keyword.value.value)
                    value.keywords.remove(keyword)
        shown = ast.unparse(value)
        plain = isinstance(value, ast.Call) and shown.startswith("torch.tensor(")
        if plain and isinstance(value, ast.Call) and len(value.args) == 1 and not value.keywords:
            shown = ast.unparse(value.args[0])
        found.append(Leaf(name, shown, tracked, statement.lineno))
    return found


def numbers(result: Result) -> dict[str, float]:
    """The result and every leaf gradient, cell by cell, under the names the exported script prints."""
    found: dict[str, float] = {}
    tensors = {result.name: result.value} | {
        f"{name}.grad": leaf.grad for name, leaf in result.leaves.items() if leaf.grad is not None
    }
    for name, tensor in tensors.items():
        parts = torch.view_as_real(tensor) if tensor.is_complex() else tensor
        for i, number in enumerate(parts.detach().double().flatten().tolist()):
            found[f"{name}[{i}]"] = number
    return found


def to_code(spec: Spec, result: Result | None = None) -> str:
    """The same run as a script without this project: leaves, program, backward, gradients.

    Args:
        result: of this very spec, where it is known already; how the pass ended decides a line of the script.
    """
    result = result or run(spec, jacobians=False)
    preset = spec.chosen
    # the program may use any name, also one of those that the script needs after it
    taken = {*result.leaves, *language.parse(spec.program_text).assigned}
    kept, parts, first, asked = (_unused(n, taken) for n in ("leaves", "parts", "grads", "result"))
    named = ", ".join(f'"{n}": {n}' for n in result.leaves)
    start = [
        "import math\n\nimport torch\nimport torch.nn.functional as F",
        f"torch.manual_seed({spec.seed})\n{preset.preamble}".strip(),
        f"{spec.leaves_text}\n{kept} = {{{named}}}",
        spec.program_text,
    ]
    hidden = sorted(taken & {"enumerate", "print", "sum"})
    source, gradient, lines = result.source, result.argument, []
    if source in hidden:
        lines.append(f"{asked} = {source}")
        source = asked
    if hidden:
        lines.append(f"from builtins import {', '.join(hidden)}")
    if spec.order == 2:
        lines += [
            f"{first} = [t for t in {kept}.values() if t.requires_grad]",
            f"{first} = torch.autograd.grad({source}, {first}, {gradient or None}, create_graph=True, allow_unused=True)",
            f"{SECOND} = sum(g.sum() for g in {first} if g is not None)",
        ]
        source, gradient = SECOND, ""
    call = f"{source}.backward({gradient})"
    if not result.backward.steps and result.problem is not None:
        call = f"# no backward pass: {' '.join(result.problem.message.split())}"
    elif result.backward.failure is not None:
        call = (
            f'try:\n    {call}\nexcept RuntimeError as error:\n    print("PyTorch refused:", error)'
        )
    shown = [result.value, *(t.grad for t in result.leaves.values() if t.grad is not None)]
    cells = "tensor.detach()"
    if any(t.is_complex() for t in shown):
        cells = "(torch.view_as_real(tensor) if tensor.is_complex() else tensor).detach()"
    report = f"""
        {parts} = {{"{result.name}": {source}}}
        {parts} |= {{f"{{name}}.grad": leaf.grad for name, leaf in {kept}.items() if leaf.grad is not None}}
        for name, tensor in {parts}.items():
            for i, number in enumerate({cells}.double().flatten().tolist()):
                print(f"{{name}}[{{i}}] = {{number!r}}")
    """
    backward = "\n".join([*lines, call])
    return export.script(f"Autograd: {spec.title}", [*start, backward, report])


def _unused(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _second_order(
    recorder: Recorder,
    leaves: Mapping[str, object],
    value: Tensor,
    gradient: Tensor | None,
    name: str,
) -> Tensor:
    """The sum of all gradients' cells, with the graph that their computation left."""
    tracked = [t for t in leaves.values() if isinstance(t, Tensor) and t.requires_grad]
    if not value.requires_grad or not tracked or (value.numel() != 1 and gradient is None):
        raise SpecError(
            f"A second derivative needs a first one: {name} must be a scalar that depends on a leaf with requires_grad.",
            "order",
        )
    with recorder.first_order(value):
        try:
            grads = torch.autograd.grad(
                value, tracked, gradient, create_graph=True, allow_unused=True
            )
        except RuntimeError as error:
            raise SpecError(
                f"The first backward pass fails already: {str(error).splitlines()[0]}",
                "order",
                str(error),
            ) from None
    sums = [g.sum() for g in grads if g is not None]
    if not sums:
        raise SpecError(
            f"A second derivative needs a first one: {name} depends on none of the leaves with requires_grad.",
            "order",
        )
    return stepping.sum_terms(sums)


def _backward(
    graph: Graph, name: str, value: Tensor, gradient: Tensor | None, jacobians: bool, whole: bool
) -> tuple[Backward, Problem | None]:
    nothing = Backward((), None, 0.0)
    if not value.requires_grad:
        return nothing, None
    if gradient is None and value.numel() != 1:
        return nothing, Problem(
            f"The result {name} has {value.numel()} elements (shape {tuple(value.shape)}), and backward starts from one number. "
            f"Reduce it with {name}.sum() or {name}.mean(), or fill in the gradient argument with a tensor of that shape.",
            detail="grad can be implicitly created only for scalar outputs",
        )
    try:
        backward = stepping.backward(graph, value, gradient, jacobians=jacobians and whole)
    except RuntimeError as error:
        return nothing, Problem(f"backward could not start: {error}", detail=str(error))
    return backward, _failure(graph, backward)


def _unreached(name: str, leaves: Mapping[str, Tensor], reasons: Why) -> Problem:
    """Why the result has no graph at all."""
    detail = "element 0 of tensors does not require grad and does not have a grad_fn"
    if name == SECOND:
        return Problem(
            "The first derivatives are the same everywhere: they do not depend on any leaf, so the second ones are 0.",
            detail=detail,
        )
    start = f"The result {name} does not depend on any leaf that requires grad, so there is nothing to differentiate."
    if not any(leaf.requires_grad for leaf in leaves.values()):
        return Problem(
            f"{start} No leaf has requires_grad: switch requires_grad on for one.", detail=detail
        )
    # what was cut says more than what no line uses
    first = sorted(reasons.leaves.values(), key=lambda r: r.endswith(why.UNUSED))
    return Problem(f"{start} {' '.join(first[:3])}".strip(), reasons.line, detail=detail)


def _unchanged(
    graph: Graph, value: Tensor, gradient: Tensor | None, leaves: Mapping[str, object]
) -> dict[str, tuple[Tensor | None, Tensor | None]]:
    """Each leaf's gradient as it will be, and with the numbers that writes through .data have replaced.

    Empty where there were none, or where no backward pass can tell.
    """
    tracked = {n: t for n, t in leaves.items() if isinstance(t, Tensor) and t.requires_grad}
    if not graph.behind or not value.requires_grad or not tracked:
        return {}

    def gradients() -> tuple[Tensor | None, ...]:
        return torch.autograd.grad(
            value, list(tracked.values()), gradient, retain_graph=True, allow_unused=True
        )

    try:
        now = gradients()
        for write in reversed(graph.behind):
            write.tensor.data.copy_(write.before)
        before = gradients()
    except RuntimeError:
        return {}
    finally:
        for write in graph.behind:
            write.tensor.data.copy_(write.after)
    return dict(zip(tracked, zip(now, before, strict=True), strict=True))


def _behind(
    graph: Graph, unchanged: Mapping[str, tuple[Tensor | None, Tensor | None]]
) -> Problem | None:
    """Numbers that were changed behind autograd's back, and the gradients that would have been right."""
    other = {
        name: before
        for name, (now, before) in unchanged.items()
        if now is not None and before is not None and not torch.equal(now, before)
    }
    for write in graph.behind:
        if write.leaf and not other:
            continue  # an update of a leaf that no backward formula had kept
        what = write.op.removeprefix("aten.").split(".")[0]
        of = write.label or "a tensor"
        unseen = "no version counter noticed it, and " if write.how == ".data" else ""
        start = f"line {write.line} ({what}) changed {of} behind autograd's back, through {write.how}: {unseen}the graph does not know this line"
        if not other:
            return Problem(
                f"{start}. The gradients are those of the program without it. Make a new tensor there instead.",
                write.line,
            )
        victims = " and ".join(
            f"{graph.vertices[v].name} (line {graph.vertices[v].line})" for v in write.saved[:2]
        )
        right = ", ".join(f"{name}.grad would have been {_numbers(g)}" for name, g in other.items())
        return Problem(
            f"{start}. {victims} had kept these numbers for the backward pass and computed with the new ones: "
            f"with the old, {right}. Make a new tensor there instead.",
            write.line,
        )
    return None


def _lost(write: Lost) -> Problem:
    of = f" of {write.of}" if write.of else ""
    into = f"{write.label}, a copy{of}" if write.label else f"a copy{of}"
    unchanged = f"{write.of} is not changed by it" if write.of else "it changes nothing"
    return Problem(
        f"line {write.line} writes into {into} (made by {write.copy}), and nothing uses that copy afterwards: {unchanged}. "
        "Write in one step, with one pair of brackets: y[mask] = 17.",
        write.line,
    )


def _numbers(tensor: Tensor, most: int = 6) -> str:
    cells = tensor.detach().flatten()
    shown = ", ".join(f"{v:.6g}" for v in cells[:most].tolist())
    return shown if not tensor.dim() else f"[{shown}{', …' if len(cells) > most else ''}]"


def _failure(graph: Graph, backward: Backward) -> Problem | None:
    failure = backward.failure
    if failure is None:
        return None
    if not failure.culprits:
        first = failure.message.split("\n")[0]
        return Problem(
            f"the backward pass stopped after {len(backward.steps)} steps: {first}",
            detail=failure.message,
        )
    victim, culprit = graph.vertices[failure.victim], failure.culprits[0]
    what = culprit.op.removeprefix("aten.").split(".")[0]
    of = f" of {culprit.label}" if culprit.label else ""
    return Problem(
        f"line {culprit.line} ({what}) wrote over a tensor that {victim.name} (line {victim.line}) had kept for its backward: "
        f"the version counter{of} went from {culprit.before} to {culprit.after}. "
        f"Make a new tensor there (a = a + 1 in place of a += 1), or clone() before line {culprit.line}.",
        culprit.line,
        failure.message,
    )


def _strange(graph: Graph, backward: Backward, leaves: Mapping[str, Tensor]) -> Problem | None:
    """NaN and infinite gradients, and where the first one came up."""
    if all(t.grad is None or bool(t.grad.isfinite().all()) for t in leaves.values()):
        return None
    for number, step in enumerate(backward.steps):
        for out in step.outgoing:
            if out.grad is None or bool(out.grad.isfinite().all()):
                continue
            vertex = graph.vertices[step.vertex] if step.vertex >= 0 else None
            bad = out.grad[~out.grad.isfinite()].flatten()[0].item()
            came = all(bool(i.total.isfinite().all()) for i in step.incoming)
            where = f" (line {vertex.line})" if vertex is not None and vertex.line else ""
            cause = (
                f"its incoming gradient is finite, so its own local derivative is infinite or undefined here{why.infinite(graph, step, out)}"
                if came
                else "it came in with the gradient"
            )
            return Problem(
                f"a gradient is {bad}: it first appears in step {number + 1}, at {step.name}{where}; {cause}. "
                "Keep the input of that operation away from the bad place (clamp it before, not after).",
                vertex.line if vertex is not None else 0,
            )
    return None


def _gradient(text: str, names: Mapping[str, object], value: Tensor, name: str) -> Tensor | None:
    if not text:
        return None
    program = language.parse(f"gradient = {text}", "gradient")
    gradient = language.Interpreter(names).run(program, "gradient").get("gradient")
    if not isinstance(gradient, Tensor):
        raise SpecError("gradient must be a tensor: torch.tensor([…]).", "gradient")
    if gradient.shape != value.shape:
        raise SpecError(
            f"gradient has shape {tuple(gradient.shape)}, but {name} has shape {tuple(value.shape)}. They must be equal.",
            "gradient",
        )
    # as the engine does: between complex dtypes it refuses
    return gradient if value.is_complex() else gradient.to(value.dtype)


def _check_leaves(leaves: Mapping[str, object], program: language.Program) -> None:
    lines = {s.targets[0].id: s.lineno for s in program.body  # type: ignore[attr-defined]  # filtered on the next line
             if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name)}  # fmt: skip
    for name, value in leaves.items():
        if not isinstance(value, Tensor):
            raise ProgramError(f"{name} is a {type(value).__name__}, not a tensor: write {name} = torch.tensor({value}).",
                               lines.get(name, 1), field="leaves")  # fmt: skip
        if value.requires_grad and not value.is_leaf:
            raise ProgramError(
                _computed(name, value, program, lines.get(name, 1)),
                lines.get(name, 1),
                field="leaves",
            )


def _computed(name: str, value: Tensor, program: language.Program, line: int) -> str:
    """Why a leaf's line makes no leaf: an operation came after requires_grad."""
    used = [
        n.id for s in program.body if s.lineno == line for n in ast.walk(s)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id in program.assigned
    ]  # fmt: skip
    if used:
        return f"{name} is computed from {' and '.join(dict.fromkeys(used))}, so it is no leaf itself. Move the line to the program."
    made = why.said(why.kind(value.grad_fn.name())) if value.grad_fn is not None else "an operation"
    instead = ""
    if value.numel() <= 12:
        cells = json.dumps(
            json.loads(json.dumps(value.tolist()), parse_float=lambda t: float(f"{float(t):.6g}"))
        )
        instead = f" or write the result itself, {name} = torch.tensor({cells}, requires_grad=True)"
    return (
        f"{name} is the result of {made}, which ran after requires_grad: the tensor inside is the leaf, and {name} gets no .grad. "
        f"Make the inner tensor the leaf and move that operation to the program{instead}."
    )


def _on(device: str):
    return nullcontext() if device == "cpu" else torch.device(device)


def _tidy(text: str) -> str:
    return text.replace("\r\n", "\n").strip("\n").rstrip()


SECOND = "gradient_sum"

VARIATIONS: dict[str, Spec] = {
    "leaves": Spec(leaves=PRESETS["chain"].leaves.replace("0.5", "0.7")),
    "program": Spec(program="loss = (w * x + b).sigmoid()"),
    "gradient": Spec(gradient="torch.tensor(2.0)"),
    "order": Spec(order=2),
    "seed": Spec(preset="conv", seed=1),
}
