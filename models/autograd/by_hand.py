"""A two-layer network trained by hand: raw tensors in ten visible steps, and the same loop in nn and optim beside it."""

# The loops read as a learner writes them; the stubs call every .grad optional.
# pyright: reportOptionalMemberAccess=false, reportOperatorIssue=false

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.core import export, seeding
from models.core.spec import knob
from models.data import tabular
from models.data.tabular import TableSpec


@dataclass(frozen=True)
class Spec(TableSpec):
    """Any table, at most ROWS of its training rows in one full batch; classes or a number to predict."""

    hidden: int = knob(8, "Units of the hidden layer.", label="Hidden units", minimum=1, maximum=64)
    lr: float = knob(
        0.1, "Learning rate.", label="Learning rate", minimum=0.001, maximum=10.0, log=True
    )
    steps: int = knob(60, "Turns of the loop.", label="Turns of the loop", minimum=1, maximum=300)
    zero_grad: bool = knob(
        True,
        "Set the gradients to zero in every turn; switch it off to see the classic bug.",
        label="Gradients set to zero",
    )
    seed: int = knob(0, "Seed of the initial weights.", minimum=0, maximum=9999)


@dataclass(frozen=True)
class Step:
    """One of the ten steps of a turn.

    Attributes:
        title: what it does; code: its line by hand; nn_code: the same with nn and optim;
        value: what the first turn made there, None for a step that makes nothing new.
    """

    title: str
    code: str
    nn_code: str
    value: Tensor | None


@dataclass(frozen=True)
class Result:
    """Both trainings.

    Attributes:
        steps: the ten steps with the values of the first turn;
        hand, module: the loss before every update, (steps,);
        hand_gradients, module_gradients: of w1, b1, w2, b2 in the first turn; largest_difference: over all weights after the last turn;
        accuracy: after training, on the rows trained on: share named rightly, or R² of a regression;
        data, rows: what was trained on.
    """

    steps: tuple[Step, ...]
    hand: Tensor
    module: Tensor
    hand_gradients: tuple[Tensor, ...]
    module_gradients: tuple[Tensor, ...]
    largest_difference: float
    accuracy: float
    data: tabular.Prepared
    rows: int


def by_hand(
    x: Tensor,
    y: Tensor,
    classes: int,
    hidden: int,
    lr: float,
    steps: int,
    zero_grad: bool,
    seed: int,
) -> tuple:
    """Raw tensors. Returns the losses, the first turn's values, its gradients, and the last weights."""
    torch.manual_seed(seed)
    features, outputs = x.shape[1], classes or 1  # no classes: a number to predict
    w1 = (torch.randn(features, hidden) / features**0.5).requires_grad_()
    b1 = torch.zeros(hidden, requires_grad=True)
    w2 = (torch.randn(hidden, outputs) / hidden**0.5).requires_grad_()
    b2 = torch.zeros(outputs, requires_grad=True)
    rows = torch.arange(len(x))
    losses, first, gradients = [], [], []
    for turn in range(steps):
        pre = x @ w1 + b1
        h = torch.tanh(pre)
        out = h @ w2 + b2
        if classes:
            error = -(out - out.logsumexp(dim=1, keepdim=True))[rows, y]
        else:
            error = (out[:, 0] - y) ** 2
        loss = error.mean()
        loss.backward()
        if turn == 0:
            first = [t.detach().clone() for t in (pre, h, out, error, loss)]
            gradients = [p.grad.clone() for p in (w1, b1, w2, b2)]
        with torch.no_grad():
            for p in (w1, b1, w2, b2):
                p -= lr * p.grad
        if zero_grad:
            for p in (w1, b1, w2, b2):
                p.grad.zero_()
        losses.append(loss.item())
    return losses, first, gradients, [p.detach() for p in (w1, b1, w2, b2)]


def with_nn(
    x: Tensor,
    y: Tensor,
    classes: int,
    hidden: int,
    lr: float,
    steps: int,
    zero_grad: bool,
    seed: int,
) -> tuple:
    """The same with nn.Linear, a loss of nn and optim.SGD, from the same numbers."""
    torch.manual_seed(seed)
    features, outputs = x.shape[1], classes or 1
    first, last = nn.Linear(features, hidden), nn.Linear(hidden, outputs)
    model = nn.Sequential(first, nn.Tanh(), last)
    torch.manual_seed(seed)
    with torch.no_grad():
        first.weight.copy_((torch.randn(features, hidden) / features**0.5).T)
        last.weight.copy_((torch.randn(hidden, outputs) / hidden**0.5).T)
        first.bias.zero_()
        last.bias.zero_()
    loss_fn = nn.CrossEntropyLoss() if classes else nn.MSELoss()
    target = y if classes else y[:, None]
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses, gradients = [], []
    for turn in range(steps):
        loss = loss_fn(model(x), target)
        if zero_grad:
            optimizer.zero_grad()
        loss.backward()
        if turn == 0:
            gradients = [p.grad.clone() for p in model.parameters()]
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        out = model(x)
        if classes:
            accuracy = (out.argmax(1) == y).float().mean().item()
        else:
            accuracy = 1 - ((out - target) ** 2).mean().item() / target.var(unbiased=False).item()
    return losses, gradients, [p.detach() for p in model.parameters()], accuracy


ROWS = 500  # of the training rows, so that a turn stays a moment


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """Train both ways; the network is tiny, so the CPU is always used.

    Raises:
        SpecError: the data cannot be learned from as asked.
    """
    data = tabular.prepare(spec)
    x, y = data.x_train[:ROWS], data.y_train[:ROWS]
    settings = (len(data.classes), spec.hidden, spec.lr, spec.steps, spec.zero_grad, spec.seed)
    with seeding.seeded(spec.seed):
        hand, first, gradients, weights = by_hand(x, y, *settings)
        module, module_gradients, module_weights, accuracy = with_nn(x, y, *settings)
    turned = [g.T if g.dim() == 2 else g for g in module_gradients]  # nn.Linear keeps (out, in)
    back = [w.T if w.dim() == 2 else w for w in module_weights]
    difference = max(
        (a - b).abs().nan_to_num(0.0).max().item() for a, b in zip(weights, back, strict=True)
    )
    return Result(
        _steps(x, spec, len(data.classes), first, gradients),
        torch.tensor(hand),
        torch.tensor(module),
        tuple(gradients),
        tuple(turned),
        difference,
        accuracy,
        data,
        len(x),
    )


def numbers(result: Result) -> dict[str, float]:
    """Both losses per turn, and the accuracy at the end."""
    found = {"accuracy": result.accuracy}
    for name in ("hand", "module"):
        for i, loss in enumerate(getattr(result, name).tolist()):
            found[f"{name}[{i}]"] = loss
    return found


def to_code(spec: Spec) -> str:
    """Both loops as a script."""
    task = tabular.task_of(spec)
    classes = "len(classes)" if task == "classification" else "0"
    settings = f"{classes}, hidden={spec.hidden}, lr={spec.lr!r}, steps={spec.steps}, zero_grad={spec.zero_grad}, seed={spec.seed}"
    report = f"""
        x, y = x_train[:{ROWS}], y_train[:{ROWS}]
        hand, first, gradients, weights = by_hand(x, y, {settings})
        module, module_gradients, module_weights, accuracy = with_nn(x, y, {settings})
        print("accuracy =", accuracy)
        for name, losses in (("hand", hand), ("module", module)):
            for i, loss in enumerate(torch.tensor(losses).tolist()):
                print(f"{{name}}[{{i}}] = {{loss!r}}")
    """
    return export.script(
        "A network by hand, and with nn and optim",
        [
            *tabular.to_cells(spec),
            "from torch import nn",
            export.source(by_hand),
            export.source(with_nn),
            report,
        ],
    )


def _steps(
    x: Tensor, spec: Spec, classes: int, first: list[Tensor], gradients: list[Tensor]
) -> tuple[Step, ...]:
    pre, h, out, error, loss = first
    update = -spec.lr * gradients[0]
    zero = torch.zeros_like(gradients[0]) if spec.zero_grad else gradients[0]
    if classes:
        wrong = "error = -(out - out.logsumexp(dim=1, keepdim=True))[rows, y]"
        says, loss_fn = "how little each right class is believed", "nn.CrossEntropyLoss()"
    else:
        wrong, says, loss_fn = (
            "error = (out[:, 0] - y) ** 2",
            "how far each number is off",
            "nn.MSELoss()",
        )
    return (
        Step("take the batch", "x, y", "x, y", x),
        Step("first layer", "pre = x @ w1 + b1", "nn.Linear(features, hidden)", pre),
        Step("bend it", "h = torch.tanh(pre)", "nn.Tanh()", h),
        Step("second layer", "out = h @ w2 + b2", "nn.Linear(hidden, outputs)", out),
        Step(says, wrong, loss_fn, error),
        Step("loss", "loss = error.mean()", "loss = loss_fn(model(x), target)", loss),
        Step("backward", "loss.backward()  # shown: w1.grad", "loss.backward()", gradients[0]),
        Step("update under no_grad", "p -= lr * p.grad  # shown: the change of w1", "optimizer.step()", update),
        Step("zero the gradients", "p.grad.zero_()  # shown: w1.grad", "optimizer.zero_grad()", zero),
        Step("and again", "for turn in range(steps):", "for turn in range(steps):", None),
    )  # fmt: skip


files = tabular.files

VARIATIONS: dict[str, Spec] = {
    "steps": Spec(steps=5),
    "hidden": Spec(hidden=4, steps=5),
    "lr": Spec(lr=0.2, steps=5),
    "seed": Spec(seed=1, steps=5),
    "zero_grad": Spec(zero_grad=False, steps=5),
    **{name: Spec(**changed) for name, changed in tabular.VARIATIONS.items()},
}
