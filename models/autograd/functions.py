"""Functions of one's own: forward and backward as a few lines each, drawn, run, and checked by gradcheck."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.autograd import language, stepping
from models.autograd.language import Interpreter, Program, ProgramError
from models.autograd.recording import Graph, Recorder
from models.autograd.stepping import Backward
from models.core import export
from models.core.spec import Spec as _Spec
from models.core.spec import knob


@dataclass(frozen=True)
class Preset:
    """A Function to start from: its inputs, its two bodies, and what to think about."""

    title: str
    inputs: str
    forward: str
    backward: str
    about: str


PRESETS: dict[str, Preset] = {
    "clamped-relu": Preset(
        "Clamped ReLU",
        "x = [-0.5, 0.3, 0.8, 1.7]",
        "y = x.clamp(0, 1)",
        "grad_x = grad_y * (x > 0) * (x < 1)",
        "Flat below 0 and above 1: no gradient passes there.",
    ),
    "straight-through": Preset(
        "Straight-through estimator",
        "x = [-0.7, 0.2, 1.4]",
        "y = x.round()",
        "grad_x = grad_y",
        "Rounding has slope 0 almost everywhere; the estimator pretends that it is 1. gradcheck says no, and is right: "
        "this backward is useful, but it is not the derivative.",
    ),
    "wrong": Preset(
        "A wrong backward to repair",
        "x = [1.0, 2.0, -1.5]",
        "y = x ** 3",
        "grad_x = grad_y * 2 * x ** 2",
        "PyTorch believes whatever backward returns. Compare the two Jacobians, and repair the factor.",
    ),
    "logsumexp": Preset(
        "Numerically stable log-sum-exp",
        "x = [1.0, 2.0, 0.5]",
        "largest = x.max()\ny = largest + (x - largest).exp().sum().log()",
        "grad_x = grad_y * (x - y).exp()",
        "exp of large numbers overflows; subtracting the largest first keeps it finite. The gradient is the softmax. Try 1000.",
    ),
    "reversal": Preset(
        "Gradient reversal",
        "x = [0.5, -1.0]",
        "y = x * 1",
        "grad_x = -grad_y",
        "Forward does nothing, backward turns the sign: what helps the loss downstream hurts it upstream (domain-adversarial training). "
        "gradcheck fails on purpose.",
    ),
    "product": Preset(
        "Two inputs",
        "a = [1.0, -2.0]\nb = [0.5, 1.2]",
        "y = (a * b).sin()",
        "grad_a = grad_y * y.asin().cos() * b\ngrad_b = grad_y * (a * b).cos() * a",
        "One gradient for each input. One of them is wrong for some values: asin undoes sin only between −π/2 and π/2.",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Spec(_Spec):
    """An autograd.Function in the small language; empty texts mean the preset's own."""

    preset: str = knob("wrong", "A Function to start from.", label="Start from", choices=tuple(PRESETS),
                       names={k: p.title for k, p in PRESETS.items()})  # fmt: skip
    inputs: str = knob("", "One input per line: name = numbers.")
    forward: str = knob("", "Body of forward: assigns y from the inputs.")
    backward: str = knob("", "Body of backward: assigns grad_<input> for every input, from grad_y and what forward made.")  # fmt: skip
    eps: float = knob(
        1e-6,
        "Half the step of the finite differences.",
        label="Half a step",
        minimum=1e-9,
        maximum=1e-1,
        log=True,
    )

    def check(self) -> None:
        inputs = language.parse(self.inputs_text, "inputs")
        language.parse(self.forward_text, "forward")
        backward = language.parse(self.backward_text, "backward")
        for name in inputs.assigned:
            if f"grad_{name}" not in backward.assigned:
                raise ProgramError(
                    f"backward returns no gradient for {name}. Add a line grad_{name} = …, with a tensor of {name}'s shape.",
                    0, field="backward",
                )  # fmt: skip

    @property
    def own(self) -> bool:
        """Whether a body is the learner's, no longer the preset's; its inputs may take any value."""
        return any(text.strip("\n") for text in (self.forward, self.backward))

    @property
    def inputs_text(self) -> str:
        return self.inputs.strip("\n") or PRESETS[self.preset].inputs

    @property
    def forward_text(self) -> str:
        return self.forward.strip("\n") or PRESETS[self.preset].forward

    @property
    def backward_text(self) -> str:
        return self.backward.strip("\n") or PRESETS[self.preset].backward


@dataclass(frozen=True)
class Check:
    """gradcheck of one input.

    Attributes:
        name: of the input; analytical, numerical: (outputs, inputs), in float64; difference: the largest |a − n|.
    """

    name: str
    analytical: Tensor
    numerical: Tensor
    difference: float


@dataclass(frozen=True, eq=False)
class Result:
    """A Function that ran.

    Attributes:
        inputs, value: tensors in and out; graph, backward: as for any program, with y.sum() as the loss.
        checks: Jacobians per input; passed: what `torch.autograd.gradcheck` says; message: its words when it fails.
        code: the class as Python.
    """

    inputs: Mapping[str, Tensor]
    value: Tensor
    graph: Graph
    backward: Backward
    checks: tuple[Check, ...]
    passed: bool
    message: str
    code: str


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """Run the Function forward and backward, and compare its Jacobian with finite differences.

    Raises:
        ProgramError: a line that cannot run, with its `field`.
    """
    inputs = _inputs(spec)
    function = _function(spec, tuple(inputs))
    leaves = {n: t.to(device).requires_grad_() for n, t in inputs.items()}
    with Recorder(leaves=leaves) as recorder:
        value = function(*leaves.values())
        recorder.name("y", value)
        loss = value.sum()
    graph = recorder.graph(loss)
    backward = stepping.backward(graph, loss)
    if backward.failure is not None:
        words = backward.failure.message.split("\n")[0]
        raise ProgramError(
            f"PyTorch refused what backward returned: {words}. Each grad_<input> needs that input's shape.",
            0, detail=backward.failure.message, field="backward",
        )  # fmt: skip
    doubles = [t.detach().double().requires_grad_() for t in inputs.values()]
    checks = []
    for i, name in enumerate(inputs):
        analytical = _analytical(function, doubles, i)
        numerical = _numerical(function, doubles, i, spec.eps)
        difference = (analytical - numerical).abs().max().item() if analytical.numel() else 0.0
        checks.append(Check(name, analytical, numerical, difference))
    try:
        torch.autograd.gradcheck(function, doubles, eps=spec.eps)
        passed, message = True, ""
    except (RuntimeError, ValueError) as error:
        passed, message = False, str(error).strip()
    return Result(leaves, value, graph, backward, tuple(checks), passed, message, class_code(spec))


def numbers(result: Result) -> dict[str, float]:
    """Every cell of both Jacobians, and whether gradcheck passed (1) or not (0)."""
    found = {"passed": float(result.passed)}
    for check in result.checks:
        for kind in ("analytical", "numerical"):
            for i, number in enumerate(getattr(check, kind).flatten().tolist()):
                found[f"{kind}/{check.name}[{i}]"] = number
    return found


def class_code(spec: Spec) -> str:
    """The Function as the Python class it stands for."""
    inputs = language.parse(spec.inputs_text, "inputs").assigned
    kept = _kept(spec, inputs)
    names = ", ".join(inputs)
    saved = ", ".join(kept)
    unpack = f"{saved}{',' if len(kept) == 1 else ''} = ctx.saved_tensors\n" if kept else ""
    save = f"ctx.save_for_backward({saved})\n" if kept else ""
    forward = textwrap.indent(f"{spec.forward_text}\n{save}return y", " " * 8)
    grads = ", ".join(f"grad_{n}" for n in inputs)
    backward = textwrap.indent(f"{unpack}{spec.backward_text}\nreturn {grads}", " " * 8)
    return (
        "class MyFunction(torch.autograd.Function):\n"
        f"    @staticmethod\n    def forward(ctx, {names}):\n{forward}\n\n"
        f"    @staticmethod\n    def backward(ctx, grad_y):\n{backward}\n"
    )


def to_code(spec: Spec) -> str:
    """The class, its gradcheck, and both Jacobians as a script."""
    inputs = _inputs(spec)
    names = list(inputs)
    doubles = "\n".join(
        f"{n} = torch.tensor({t.tolist()}, dtype=torch.float64, requires_grad=True)"
        for n, t in inputs.items()
    )
    check = f"""
        inputs = [{", ".join(names)}]
        try:
            passed = torch.autograd.gradcheck(MyFunction.apply, inputs, eps={spec.eps!r})
        except (RuntimeError, ValueError) as error:
            passed = False
            print(error)
        print("passed =", float(passed))
    """
    report = f"""
        for i, name in enumerate({names!r}):
            for kind, jacobian in (("analytical", _analytical(MyFunction.apply, inputs, i)),
                                   ("numerical", _numerical(MyFunction.apply, inputs, i, {spec.eps!r}))):
                for j, number in enumerate(jacobian.flatten().tolist()):
                    print(f"{{kind}}/{{name}}[{{j}}] = {{number!r}}")
    """
    return export.script(
        "An autograd.Function of one's own"
        + (f": {PRESETS[spec.preset].title}" if not spec.own else ""),
        [
            "import math\nfrom typing import Any\n\nimport torch\nimport torch.nn.functional as F\nfrom torch import Tensor",
            class_code(spec),
            doubles,
            check,
            export.source(_analytical, _numerical),
            report,
        ],
    )


def _analytical(function: Any, inputs: list[Tensor], which: int) -> Tensor:
    """(outputs, inputs): row i is what backward returns for the i-th unit vector."""
    value = function(*inputs)
    rows = []
    for unit in torch.eye(value.numel(), dtype=value.dtype):
        (row,) = torch.autograd.grad(
            value, inputs[which], unit.reshape(value.shape), retain_graph=True
        )
        rows.append(row.flatten())
    return torch.stack(rows)


def _numerical(function: Any, inputs: list[Tensor], which: int, eps: float) -> Tensor:
    """(outputs, inputs): column j is (f(x + eps) − f(x − eps)) / 2 eps, with only cell j moved."""
    columns = []
    for j in range(inputs[which].numel()):
        values = []
        for step in (eps, -eps):
            moved = [t.detach().clone() for t in inputs]
            moved[which].view(-1)[j] += step
            values.append(function(*moved).detach().flatten())
        columns.append((values[0] - values[1]) / (2 * eps))
    return torch.stack(columns, dim=1)


MAX_NUMBERS = 24  # per input: gradcheck and the heat maps need every cell of (outputs × inputs)


def _inputs(spec: Spec) -> dict[str, Tensor]:
    program = language.parse(spec.inputs_text, "inputs")
    found: dict[str, Tensor] = {}
    for name, value in Interpreter().run(program, "inputs").items():
        try:
            tensor = value.detach() if isinstance(value, Tensor) else torch.tensor(value)
        except (TypeError, ValueError) as error:
            raise ProgramError(f"{name} must be numbers or lists of numbers of equal length.", 1, detail=str(error), field="inputs") from None  # fmt: skip
        if not 0 < tensor.numel() <= MAX_NUMBERS:
            raise ProgramError(
                f"{name} holds {tensor.numel()} numbers; gradcheck here takes 1 to {MAX_NUMBERS}.", 1, field="inputs"
            )  # fmt: skip
        found[name] = tensor.float()
    if not found:
        raise ProgramError("give at least one input: x = [1.0, 2.0].", 1, field="inputs")
    return found


def _kept(spec: Spec, inputs: tuple[str, ...]) -> list[str]:
    """What backward reads of forward's names, in a fixed order."""
    forward = language.parse(spec.forward_text, "forward")
    backward = language.parse(spec.backward_text, "backward")
    used = {
        n.id for statement in backward.body for n in ast.walk(statement)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }  # fmt: skip
    return [n for n in dict.fromkeys([*inputs, *forward.assigned]) if n in used]


def _function(spec: Spec, inputs: tuple[str, ...]) -> Any:
    """The autograd.Function that runs both bodies in the small language."""
    forward_body = language.parse(spec.forward_text, "forward")
    backward_body = language.parse(spec.backward_text, "backward")
    kept = _kept(spec, inputs)

    class MyFunction(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *args: Tensor) -> Tensor:
            names = Interpreter(dict(zip(inputs, args, strict=True))).run(forward_body, "forward")
            value = _tensor(names, "y", "forward", forward_body)
            ctx.save_for_backward(*(_tensor(names, n, "forward", forward_body) for n in kept))
            return value

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> Any:
            given = dict(zip(kept, ctx.saved_tensors, strict=True)) | {"grad_y": grads[0]}
            names = Interpreter(given).run(backward_body, "backward")
            return tuple(_tensor(names, f"grad_{n}", "backward", backward_body) for n in inputs)

    return MyFunction.apply


def _tensor(names: Mapping[str, Any], name: str, field: str, program: Program) -> Tensor:
    value = names.get(name)
    if not isinstance(value, Tensor):
        what = f"{name} is a {type(value).__name__}" if name in names else f"no line assigns {name}"
        raise ProgramError(
            f"{what}; {field} must make {name} a tensor.", len(program.lines), field=field
        )
    return value


VARIATIONS: dict[str, Spec] = {
    "inputs": Spec(inputs="x = [1.0, 2.5]"),
    "forward": Spec(forward="y = x ** 2"),
    "backward": Spec(backward="grad_x = grad_y * 3 * x ** 2"),
}
