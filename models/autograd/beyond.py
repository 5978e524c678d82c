"""Beyond reverse mode: torch.func on an expression of yours, against finite differences and your own formula."""

from __future__ import annotations

import ast
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, func

from models import expressions, torch_errors
from models.core import export
from models.core.spec import Spec as _Spec
from models.core.spec import SpecError, knob

PRESETS: dict[str, tuple[str, str, str]] = {  # name → expression, point, derivative of its sum
    "sine and square": ("x.sin() * x ** 2", "[0.5, 1.0, -2.0]", "x.cos() * x ** 2 + 2 * x * x.sin()"),
    "softmax": ("x.softmax(dim=0)", "[1.0, 2.0, 0.5]", "0 * x"),
    "log-sum-exp": ("x.logsumexp(dim=0)", "[1.0, 2.0, 0.5]", "x.softmax(dim=0)"),
    "quadratic form": (
        "x @ torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=x.dtype) @ x", "[1.0, -1.0]",
        "2 * torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=x.dtype) @ x",
    ),
    "abs": ("x.abs()", "[-1.0, 0.0, 2.0]", "x.sign()"),
}  # fmt: skip


@dataclass(frozen=True)
class Spec(_Spec):
    """A function of x, where to look, and what you think its derivative is; empty texts mean the preset's own."""

    preset: str = knob(
        "sine and square", "A function to start from.", label="Start from", choices=tuple(PRESETS)
    )
    expression: str = knob("", "A function of x.", label="Function of x", max_chars=500)
    point: str = knob("", "Where: the numbers of x.", label="Point x", max_chars=500)
    derivative: str = knob(
        "", "Your formula for the gradient of its sum.", label="Your derivative", max_chars=500
    )
    eps: float = knob(
        1e-6,
        "Half the step of the finite differences.",
        label="Half a step",
        minimum=1e-12,
        maximum=1.0,
        log=True,
    )

    def check(self) -> None:
        for name in ("expression", "point", "derivative"):
            try:
                tree = expressions.parse(self.text(name))
            except SpecError as error:
                raise SpecError(str(error), name, error.detail) from None
            if any(
                isinstance(n, ast.Attribute) and n.attr in expressions.RANDOM
                for n in ast.walk(tree)
            ):
                raise SpecError(
                    "A function that draws random numbers has another value at every call, so no derivative.",
                    name,
                )

    def text(self, name: str) -> str:
        """One of the three texts, the preset's where the learner's is empty."""
        own = getattr(self, name).strip()
        return own or PRESETS[self.preset][("expression", "point", "derivative").index(name)]


@dataclass(frozen=True)
class Way:
    """One way to a Jacobian or gradient.

    Attributes:
        name: the call; value: in float64; seconds: the median of five calls after a warm-up; note: "" or why it has no value.
    """

    name: str
    value: Tensor | None
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Result:
    """Everything about one function at one point, in float64.

    Attributes:
        x: (n,) or any shape; value: f(x);
        gradients: ways to d sum(f) / dx, in x's shape; jacobians: ways to the (outputs…, inputs…) Jacobian;
        hessian: of sum(f), (inputs…, inputs…), None where it fails;
        mapped, looped: f over five points beside x at once and one by one;
        yours: your formula's value; your_error: its largest distance from autograd's.
    """

    x: Tensor
    value: Tensor
    gradients: tuple[Way, ...]
    jacobians: tuple[Way, ...]
    hessian: Way
    mapped: Way
    looped: Way
    yours: Tensor
    your_error: float


MAX_NUMBERS = 16  # of x, and of f(x): every cell of every matrix is shown


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """Differentiate the function in every way torch offers.

    Raises:
        SpecError: the function, point or formula cannot be evaluated; `field` says which.
    """
    x = _tensor(spec, "point", {}).double().to(device)
    if not 0 < x.numel() <= MAX_NUMBERS:
        raise SpecError(
            f"x holds {x.numel()} numbers; use 1 to {MAX_NUMBERS}, so that every cell can be shown.",
            "point",
        )

    def f(x: Tensor) -> Tensor:
        return _tensor(spec, "expression", {"x": x})

    value = f(x)
    if not value.is_floating_point():
        raise SpecError(
            f"f(x) holds {value.dtype} numbers, which have no derivative.", "expression"
        )
    if value.numel() > MAX_NUMBERS:
        raise SpecError(
            f"f(x) holds {value.numel()} numbers; the most is {MAX_NUMBERS}. Reduce it.",
            "expression",
        )
    total: Callable[[Tensor], Tensor] = lambda t: f(t).sum()  # noqa: E731  # a name for the sum, nothing more
    gradients = (
        _way("torch.autograd.grad", lambda: _reverse(f, x)),
        _way("torch.func.grad", lambda: func.grad(total)(x)),
        _way(
            "finite differences",
            lambda: numerical(f, x, spec.eps).reshape(-1, x.numel()).sum(0).reshape(x.shape),
        ),
    )
    jacobians = (
        _way("torch.func.jacrev", lambda: func.jacrev(f)(x)),
        _way("torch.func.jacfwd", lambda: func.jacfwd(f)(x)),
        _way("finite differences", lambda: numerical(f, x, spec.eps)),
    )
    points = neighbours(x)
    yours = _tensor(spec, "derivative", {"x": x}).to(x.dtype)
    truth = gradients[0].value
    try:
        error = (yours - (truth if truth is not None else x)).abs().max().item()
    except RuntimeError:
        raise SpecError(
            f"your derivative has shape {tuple(yours.shape)}, but x has {tuple(x.shape)}.",
            "derivative",
        ) from None
    return Result(
        x,
        value,
        gradients,
        jacobians,
        _way("torch.func.hessian", lambda: func.hessian(total)(x)),
        _way("torch.func.vmap", lambda: func.vmap(f)(points)),
        _way("a loop", lambda: torch.stack([f(p) for p in points])),
        yours,
        error,
    )


def neighbours(x: Tensor) -> Tensor:
    """Five points on a line through x: (5, *x.shape)."""
    shifts = torch.linspace(-1, 1, 5, dtype=x.dtype)
    return x + shifts.reshape(-1, *[1] * x.dim())


def numerical(f: Any, x: Tensor, eps: float) -> Tensor:
    """The Jacobian (outputs…, inputs…) by central differences, one input cell at a time."""
    columns = []
    for j in range(x.numel()):
        step = torch.zeros(x.numel(), dtype=x.dtype)
        step[j] = eps
        step = step.reshape(x.shape)
        columns.append((f(x + step) - f(x - step)) / (2 * eps))
    return torch.stack(columns, dim=-1).reshape(*f(x).shape, *x.shape)


def numbers(result: Result) -> dict[str, float]:
    """f(x), its gradient, Jacobian and Hessian, and your formula's distance."""
    found = {"your_error": result.your_error}
    tensors = {"value": result.value, "gradient": result.gradients[0].value}
    tensors |= {"jacobian": result.jacobians[0].value, "hessian": result.hessian.value}
    for name, tensor in tensors.items():
        if tensor is not None:
            for i, number in enumerate(tensor.flatten().tolist()):
                found[f"{name}[{i}]"] = number
    return found


def to_code(spec: Spec) -> str:
    """The same derivatives as a script."""
    x = _tensor(spec, "point", {}).double()
    make = f"""
        def f(x):
            return {spec.text("expression")}


        x = torch.tensor({x.tolist()!r}, dtype=torch.float64)
    """
    report = f"""
        gradient = func.grad(lambda x: f(x).sum())(x)
        tensors = {{"value": f(x), "gradient": gradient, "jacobian": func.jacrev(f)(x),
                   "hessian": func.hessian(lambda x: f(x).sum())(x)}}
        print("finite differences:", numerical(f, x, {spec.eps!r}))
        yours = {spec.text("derivative")}
        print("your_error =", (yours - gradient).abs().max().item())
        for name, tensor in tensors.items():
            for i, number in enumerate(tensor.flatten().tolist()):
                print(f"{{name}}[{{i}}] = {{number!r}}")
    """
    return export.script(
        "Derivatives in every way torch offers",
        [
            "import math\nfrom typing import Any\n\nimport torch\nimport torch.nn.functional as F\nfrom torch import Tensor, func",
            make,
            export.source(numerical),
            report,
        ],
    )


def _reverse(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    leaf = x.detach().requires_grad_()
    total = f(leaf).sum()
    if not total.requires_grad:
        raise RuntimeError("f(x) does not depend on x")
    return torch.autograd.grad(total, leaf)[0]


def _way(name: str, call: Callable[[], Tensor]) -> Way:
    try:
        value = call()
        times = []
        for _ in range(5):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        return Way(name, value.detach(), statistics.median(times))
    except SpecError as error:
        return Way(name, None, 0.0, str(error))
    except (RuntimeError, TypeError, ValueError) as error:
        return Way(name, None, 0.0, torch_errors.explain(error))


def _tensor(spec: Spec, field: str, names: dict[str, Any]) -> Tensor:
    try:
        value = expressions.evaluate(spec.text(field), names, trace=False, seed=None).value
        if isinstance(value, Tensor):
            return value.double() if field == "point" else value
        return torch.tensor(value, dtype=torch.float64)
    except SpecError as error:
        raise SpecError(str(error), field, error.detail) from None
    except (TypeError, ValueError) as error:
        raise SpecError(
            "this must be numbers, lists of equal length or a tensor.", field, str(error)
        ) from None


VARIATIONS: dict[str, Spec] = {
    "expression": Spec(expression="x.exp()"),
    "point": Spec(point="[0.1, 0.2]"),
    "derivative": Spec(derivative="2 * x"),
}
