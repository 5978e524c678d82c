"""The rules of the engine, each as a small case that runs now: what is freed, what is kept, who hears of it, who broke it."""

# The cases read as a learner writes them; the stubs call every .grad and .grad_fn optional.
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false, reportAttributeAccessIssue=false, reportOperatorIssue=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from models.core import export
from models.core.spec import Spec as _Spec
from models.core.spec import knob


def retain_graph() -> dict[str, Any]:
    x = torch.tensor(3.0, requires_grad=True)
    y = x.exp()
    y.backward()  # frees what exp had saved
    found: dict[str, Any] = {"x.grad": x.grad.item()}
    try:
        y.backward()
    except RuntimeError as error:
        found["a second backward"] = str(error)
    z = x.exp()
    z.backward(retain_graph=True)  # keeps it
    z.backward()
    found["x.grad after two more"] = x.grad.item()
    return found


def create_graph() -> dict[str, Any]:
    x = torch.tensor(2.0, requires_grad=True)
    y = x**3
    (first,) = torch.autograd.grad(y, x, create_graph=True)  # 3 x², itself with a graph
    (second,) = torch.autograd.grad(first, x, create_graph=True)  # 6 x
    (third,) = torch.autograd.grad(second, x)  # 6
    return {
        "first": first.item(),
        "made by": first.grad_fn.name(),
        "second": second.item(),
        "third": third.item(),
        "third has a graph": str(third.requires_grad),
    }


def no_grad() -> dict[str, Any]:
    x = torch.tensor(2.0, requires_grad=True)
    found: dict[str, Any] = {"x * 2 requires grad": str((x * 2).requires_grad)}
    with torch.no_grad():
        y = x * 2
    found["under no_grad"] = str(y.requires_grad)
    found["detached"] = str(x.detach().requires_grad)
    found["detached shares x's memory"] = str(x.detach().data_ptr() == x.data_ptr())
    with torch.inference_mode():
        z = x * 2
    found["under inference_mode, is_inference"] = str(z.is_inference())
    try:
        (x * z).backward()
    except RuntimeError as error:
        found["an inference tensor in a graph"] = str(error)
    (x * y).backward()
    found["x.grad, with y a constant"] = x.grad.item()
    return found


def non_scalar() -> dict[str, Any]:
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x**2
    found: dict[str, Any] = {}
    try:
        y.backward()
    except RuntimeError as error:
        found["backward of three numbers"] = str(error)
    v = torch.tensor([1.0, 0.1, 0.01])
    y.backward(v, retain_graph=True)  # the row vᵀ J
    found |= {f"x.grad[{i}]": g for i, g in enumerate(x.grad.tolist())}
    x.grad = None
    (y * v).sum().backward()  # the same as a weighted sum
    found |= {f"of the weighted sum[{i}]": g for i, g in enumerate(x.grad.tolist())}
    return found


def retain_grad() -> dict[str, Any]:
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    z = y * y
    y.retain_grad()
    (z * 5).backward()
    return {
        "x.grad (a leaf)": x.grad.item(),
        "y.grad (retained)": y.grad.item(),
        "z.retains_grad": str(z.retains_grad),
        "y.is_leaf": str(y.is_leaf),
    }


def hooks() -> dict[str, Any]:
    order = []
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    x.register_post_accumulate_grad_hook(
        lambda leaf: order.append(f"post-accumulate: x.grad is {leaf.grad.item()}")
    )
    x.register_hook(lambda grad: order.append(f"tensor hook of x: {grad.item()}"))
    y.grad_fn.register_hook(
        lambda grad_inputs, grad_outputs: order.append("node hook of y, after it ran")
    )
    y.grad_fn.register_prehook(
        lambda grad_outputs: order.append(f"node prehook of y: {grad_outputs[0].item()}")
    )

    def ten_times(grad):
        order.append(f"tensor hook of y: {grad.item()} becomes {grad.item() * 10}")
        return grad * 10

    y.register_hook(ten_times)
    y.backward()
    return {str(i + 1): what for i, what in enumerate(order)} | {"x.grad": x.grad.item()}


def who_broke_it() -> dict[str, Any]:
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    a = x.exp()  # saves its result: d exp(x) = exp(x)
    found: dict[str, Any] = {"version when saved": float(a._version)}
    a += 1  # the culprit
    found["version after a += 1"] = float(a._version)
    try:
        a.sum().backward()
    except RuntimeError as error:
        found["backward, naming the victim"] = str(error)
    b = x.exp()
    b = b + 1  # a new tensor; the saved one stays as it was
    b.sum().backward()
    return found | {f"repaired x.grad[{i}]": g for i, g in enumerate(x.grad.tolist())}


def silent_data() -> dict[str, Any]:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    y.data += 1  # .data hides the write from the version counter
    y.sum().backward()
    found = {f"wrong, without a word[{i}]": g for i, g in enumerate(x.grad.tolist())}
    found |= {f"true derivative[{i}]": g for i, g in enumerate(x.detach().exp().tolist())}
    found["version of y"] = float(y._version)
    z = x.exp()
    try:
        z.detach().add_(1)  # detach shares the counter, so PyTorch notices
        z.sum().backward()
    except RuntimeError as error:
        found["with detach"] = str(error)
    return found


def leaf_in_place() -> dict[str, Any]:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    found: dict[str, Any] = {}
    try:
        w -= 0.1
    except RuntimeError as error:
        found["w -= 0.1"] = str(error)
    (w * w).sum().backward()
    with torch.no_grad():
        w -= 0.1 * w.grad  # an update is no part of the function
    return found | {f"w[{i}]": v for i, v in enumerate(w.tolist())} | {"w.is_leaf": str(w.is_leaf)}


def rewrapped() -> dict[str, Any]:
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    cut = torch.tensor(y.item(), requires_grad=True)  # a new leaf: the way back to x is gone
    (cut * cut).backward()
    found: dict[str, Any] = {"cut.grad": cut.grad.item(), "x.grad": str(x.grad)}
    (y * y).backward()
    found["x.grad without the cut"] = x.grad.item()
    return found


def forgotten_zero_grad() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for clear in (False, True):
        w = torch.tensor(5.0, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.3)
        for _ in range(6):
            if clear:
                optimizer.zero_grad()
            (w * w).backward()
            optimizer.step()
        found["w with zero_grad" if clear else "w without zero_grad"] = w.item()
    return found


def kept_history() -> dict[str, Any]:
    w = torch.tensor(1.0, requires_grad=True)
    kept, plain = torch.tensor(0.0), 0.0
    for step in range(4):
        loss = (w * step) ** 2
        kept = kept + loss  # every step's graph hangs on this sum
        plain += loss.item()
    nodes, stack = set(), [kept.grad_fn]
    while stack:
        node = stack.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            stack += [following for following, _ in node.next_functions]
    return {
        "total": plain,
        "backward nodes kept alive by the tensor": float(len(nodes)),
        "by the number": 0.0,
    }


def anomaly() -> dict[str, Any]:
    import traceback
    import warnings

    x = torch.tensor([0.0, 1.0], requires_grad=True)
    found: dict[str, Any] = {}
    y = torch.where(x > 0, x.sqrt(), torch.zeros(2))
    y.sum().backward()
    found["x.grad[0], without a word"] = str(x.grad[0].item())
    with warnings.catch_warnings(record=True) as caught, torch.autograd.set_detect_anomaly(True):
        warnings.simplefilter("always")
        try:
            y = torch.where(x > 0, x.sqrt(), torch.zeros(2))
            y.sum().backward()
        except RuntimeError as error:
            found["with anomaly mode"] = str(error)
    trace = [line for w in caught for line in str(w.message).splitlines() if "x.sqrt()" in line]
    found["the forward line it points at"] = (
        trace[-1].strip() if trace else "".join(traceback.format_stack()[-1:])
    )
    found["x.grad[1]"] = x.grad[1].item()
    return found


@dataclass(frozen=True)
class Case:
    """One rule: its function (whose source is what the screen shows), and what to take home.

    `isolated` cases switch something that PyTorch shares between all threads, so they run in a process of their own.
    """

    title: str
    run: Callable[[], dict[str, Any]]
    about: str
    isolated: bool = False


CASES: dict[str, Case] = {
    "retain_graph": Case("retain_graph", retain_graph, "backward frees the saved tensors as it goes. Ask for them to be kept when a second pass is meant."),
    "create_graph": Case("create_graph: a derivative of a derivative", create_graph, "With create_graph=True the gradient has a graph of its own, so it can be differentiated again."),
    "no_grad": Case("no_grad, inference_mode, detach", no_grad, "Three ways to leave the graph: no_grad for a stretch of code, detach for one tensor, inference_mode for good."),
    "non_scalar": Case("backward of a non-scalar", non_scalar, "backward computes vᵀJ; for one number v is 1, otherwise you choose it."),
    "retain_grad": Case("retain_grad on non-leaves", retain_grad, "Only leaves keep a .grad. retain_grad asks an intermediate to keep its own."),
    "hooks": Case("Hooks and their order", hooks, "A tensor's hook may change the gradient before its node sees it; leaves report after accumulation."),
    "who_broke_it": Case("Who broke it: version counters", who_broke_it, "Every in-place write raises a tensor's version. backward compares it with the version at saving time."),
    "silent_data": Case(".data, a wrong gradient in silence", silent_data, "Never write through .data: PyTorch cannot notice. detach() under no_grad is checked."),
    "leaf_in_place": Case("Changing a leaf in place", leaf_in_place, "A leaf that requires grad cannot be written to while recording; an update belongs under no_grad."),
    "rewrapped": Case("A graph cut by torch.tensor(…)", rewrapped, "item(), tolist() and torch.tensor(…) leave the graph: nothing beyond them gets a gradient."),
    "forgotten_zero_grad": Case("A forgotten zero_grad", forgotten_zero_grad, "Old gradients act like a momentum that never fades: the same loop runs away."),
    "kept_history": Case("total = total + loss keeps every graph", kept_history, "Sum numbers (loss.item()), not tensors, or memory grows with every step."),
    "anomaly": Case("Anomaly mode", anomaly, "It finds the forward line of the first NaN gradient, at a price: slow, and on for every thread of the process.", isolated=True),
}  # fmt: skip


@dataclass(frozen=True)
class Spec(_Spec):
    """Which rule to see."""

    case: str = knob("retain_graph", "A rule of the engine.", label="Rule", choices=tuple(CASES),
                     names={k: c.title for k, c in CASES.items()})  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What the case found, by name: numbers, and PyTorch's own words."""

    case: Case
    found: Mapping[str, float | str]


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """Run the case now. An isolated one runs in a fresh interpreter (2 s or so)."""
    case = CASES[spec.case]
    if not case.isolated:
        return Result(case, case.run())
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        printed = export.run(to_code(spec), Path(folder))
    found: dict[str, float | str] = {}
    for line in printed.splitlines():
        name, separator, value = line.partition(" = ")
        if not separator:
            continue
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = value
    for name in [n for n, v in found.items() if isinstance(v, float) and v != v]:
        found[name] = "nan"
    return Result(case, found)


def numbers(result: Result) -> dict[str, float]:
    """The numbers among what was found."""
    return {name: value for name, value in result.found.items() if isinstance(value, float)}


def code(case: str) -> str:
    """The case's own source."""
    return export.source(CASES[case].run)


def to_code(spec: Spec) -> str:
    """The case as a script."""
    report = f"""
        for name, value in {CASES[spec.case].run.__name__}().items():
            print(f"{{name}} = {{str(value).splitlines()[0]}}")
    """
    return export.script(
        f"Autograd: {CASES[spec.case].title}",
        ["from typing import Any\n\nimport torch", code(spec.case), report],
    )
