"""A two-layer network trained by hand: raw tensors in ten visible steps, and the same loop in nn and optim beside it."""

# The loops read as a learner writes them; the stubs call every .grad optional.
# pyright: reportOptionalMemberAccess=false, reportOperatorIssue=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.core import export, seeding
from models.core.spec import Spec as _Spec
from models.core.spec import knob


@dataclass(frozen=True)
class Spec(_Spec):
    """Iris, 150 flowers, 4 measures, 3 kinds; full batches."""

    hidden: int = knob(8, "Units of the hidden layer.", minimum=1, maximum=64)
    lr: float = knob(0.1, "Learning rate.", minimum=0.001, maximum=10.0, log=True)
    steps: int = knob(60, "Turns of the loop.", minimum=1, maximum=300)
    zero_grad: bool = knob(
        True, "Set the gradients to zero in every turn; switch it off to see the classic bug."
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
        accuracy: on the 150 flowers after training, 0 to 1.
    """

    steps: tuple[Step, ...]
    hand: Tensor
    module: Tensor
    hand_gradients: tuple[Tensor, ...]
    module_gradients: tuple[Tensor, ...]
    largest_difference: float
    accuracy: float


def load() -> tuple[Tensor, Tensor]:
    """Iris, standardised: (150, 4) and (150,)."""
    from sklearn.datasets import load_iris

    data: Any = load_iris()
    x = torch.tensor(data.data, dtype=torch.float32)
    return (x - x.mean(0)) / x.std(0), torch.tensor(data.target, dtype=torch.int64)


def by_hand(
    x: Tensor, target: Tensor, hidden: int, lr: float, steps: int, zero_grad: bool, seed: int
) -> tuple:
    """Raw tensors. Returns the losses, the first turn's values, its gradients, and the last weights."""
    torch.manual_seed(seed)
    w1 = (torch.randn(4, hidden) / 4**0.5).requires_grad_()
    b1 = torch.zeros(hidden, requires_grad=True)
    w2 = (torch.randn(hidden, 3) / hidden**0.5).requires_grad_()
    b2 = torch.zeros(3, requires_grad=True)
    rows = torch.arange(len(x))
    losses, first, gradients = [], [], []
    for turn in range(steps):
        pre = x @ w1 + b1
        h = torch.tanh(pre)
        logits = h @ w2 + b2
        log_p = logits - logits.logsumexp(dim=1, keepdim=True)
        loss = -log_p[rows, target].mean()
        loss.backward()
        if turn == 0:
            first = [t.detach().clone() for t in (pre, h, logits, log_p, loss)]
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
    x: Tensor, target: Tensor, hidden: int, lr: float, steps: int, zero_grad: bool, seed: int
) -> tuple:
    """The same with nn.Linear, nn.CrossEntropyLoss and optim.SGD, from the same numbers."""
    torch.manual_seed(seed)
    first, last = nn.Linear(4, hidden), nn.Linear(hidden, 3)
    model = nn.Sequential(first, nn.Tanh(), last)
    torch.manual_seed(seed)
    with torch.no_grad():
        first.weight.copy_((torch.randn(4, hidden) / 4**0.5).T)
        last.weight.copy_((torch.randn(hidden, 3) / hidden**0.5).T)
        first.bias.zero_()
        last.bias.zero_()
    loss_fn = nn.CrossEntropyLoss()
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
    accuracy = (model(x).argmax(1) == target).float().mean().item()
    return losses, gradients, [p.detach() for p in model.parameters()], accuracy


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """Train both ways; the network is tiny, so the CPU is always used."""
    x, target = load()
    settings = (spec.hidden, spec.lr, spec.steps, spec.zero_grad, spec.seed)
    with seeding.seeded(spec.seed):
        hand, first, gradients, weights = by_hand(x, target, *settings)
        module, module_gradients, module_weights, accuracy = with_nn(x, target, *settings)
    turned = [g.T if g.dim() == 2 else g for g in module_gradients]  # nn.Linear keeps (out, in)
    back = [w.T if w.dim() == 2 else w for w in module_weights]
    difference = max(
        (a - b).abs().nan_to_num(0.0).max().item() for a, b in zip(weights, back, strict=True)
    )
    return Result(
        _steps(x, spec, first, gradients),
        torch.tensor(hand),
        torch.tensor(module),
        tuple(gradients),
        tuple(turned),
        difference,
        accuracy,
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
    settings = f"hidden={spec.hidden}, lr={spec.lr!r}, steps={spec.steps}, zero_grad={spec.zero_grad}, seed={spec.seed}"
    report = f"""
        x, target = load()
        hand, first, gradients, weights = by_hand(x, target, {settings})
        module, module_gradients, module_weights, accuracy = with_nn(x, target, {settings})
        print("accuracy =", accuracy)
        for name, losses in (("hand", hand), ("module", module)):
            for i, loss in enumerate(torch.tensor(losses).tolist()):
                print(f"{{name}}[{{i}}] = {{loss!r}}")
    """
    return export.script(
        "A network by hand, and with nn and optim",
        [
            "from typing import Any\n\nimport torch\nfrom torch import Tensor, nn",
            export.source(load),
            export.source(by_hand),
            export.source(with_nn),
            report,
        ],
    )


def _steps(x: Tensor, spec: Spec, first: list[Tensor], gradients: list[Tensor]) -> tuple[Step, ...]:
    pre, h, logits, log_p, loss = first
    update = -spec.lr * gradients[0]
    zero = torch.zeros_like(gradients[0]) if spec.zero_grad else gradients[0]
    return (
        Step("take the batch", "x, target", "x, target", x),
        Step("first layer", "pre = x @ w1 + b1", "nn.Linear(4, hidden)", pre),
        Step("bend it", "h = torch.tanh(pre)", "nn.Tanh()", h),
        Step("second layer", "logits = h @ w2 + b2", "nn.Linear(hidden, 3)", logits),
        Step("log-probabilities", "log_p = logits - logits.logsumexp(dim=1, keepdim=True)", "nn.CrossEntropyLoss()", log_p),
        Step("loss: how little the right kind is believed", "loss = -log_p[rows, target].mean()", "loss = loss_fn(model(x), target)", loss),
        Step("backward", "loss.backward()  # shown: w1.grad", "loss.backward()", gradients[0]),
        Step("update under no_grad", "p -= lr * p.grad  # shown: the change of w1", "optimizer.step()", update),
        Step("zero the gradients", "p.grad.zero_()  # shown: w1.grad", "optimizer.zero_grad()", zero),
        Step("and again", "for turn in range(steps):", "for turn in range(steps):", None),
    )  # fmt: skip


VARIATIONS: dict[str, Spec] = {
    "steps": Spec(steps=5),
    "hidden": Spec(hidden=4, steps=5),
    "lr": Spec(lr=0.2, steps=5),
    "seed": Spec(seed=1, steps=5),
    "zero_grad": Spec(zero_grad=False, steps=5),
}
