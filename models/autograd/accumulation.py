"""Gradients add up: several backward calls, micro-batches against one big batch, and the bugs that come of it."""

# The loops read as a learner writes them; the stubs call every .grad optional.
# pyright: reportOptionalMemberAccess=false, reportOperatorIssue=false

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.core import export, seeding
from models.core.spec import Spec as _Spec
from models.core.spec import SpecError, knob


@dataclass(frozen=True)
class Spec(_Spec):
    """One gradient computed twice: from the whole batch, and from its parts."""

    batch_size: int = knob(12, "Samples in the whole batch.", minimum=2, maximum=48)
    micro_batches: int = knob(
        3,
        "Parts it is cut into, one backward call each.",
        label="Micro-batches",
        minimum=1,
        maximum=12,
    )
    sizes: str = knob(
        "equal", "How the parts are cut.", label="Sizes of the parts", choices=("equal", "unequal")
    )
    reduction: str = knob(
        "mean",
        "What the loss makes of its samples.",
        label="Reduction of the loss",
        choices=("mean", "sum"),
    )
    scale: str = knob("divide by parts", "What each part's loss is multiplied with.", label="Scale of each loss",
                      choices=("divide by parts", "share of samples", "none"))  # fmt: skip
    zero_grad: str = knob("once before", "When gradients are set to zero.", label="Gradients set to zero",
                          choices=("once before", "before every part", "never"))  # fmt: skip
    batch_norm: bool = knob(
        False,
        "A BatchNorm1d layer, whose statistics are those of the part it sees.",
        label="Batch normalisation",
    )
    seed: int = knob(0, "Seed of the data and the weights.", minimum=0, maximum=9999)

    def check(self) -> None:
        smallest = min(part_sizes(self.batch_size, self.micro_batches, self.sizes))
        if smallest < 1 or (self.batch_norm and smallest < 2):
            least = 2 if self.batch_norm else 1
            raise SpecError(
                f"cutting {self.batch_size} samples into {self.micro_batches} {self.sizes} parts leaves one with {smallest}, "
                f"and each needs at least {least}{' (batch norm cannot normalise one sample)' if least == 2 else ''}. "
                "Use fewer parts or a larger batch."
            )


@dataclass(frozen=True)
class Part:
    """One backward call.

    Attributes:
        samples: in this part; loss: its loss after scaling; added: the norm of the gradient it added;
        before, after: the first layer's `.grad` around the call, (hidden, features); before None: there was none.
    """

    samples: int
    loss: float
    added: float
    before: Tensor | None
    after: Tensor


@dataclass(frozen=True)
class Result:
    """Two ways to one gradient.

    Attributes:
        parts: in order; big: the first layer's gradient from one call on the whole batch, (hidden, features);
        accumulated: the same after all parts; difference: the largest difference over all parameters;
        scale: the largest gradient of the big batch; equal: whether the difference is rounding only;
        why: what the settings do to the gradient, in a sentence each.
    """

    parts: tuple[Part, ...]
    big: Tensor
    accumulated: Tensor
    difference: float
    scale: float
    equal: bool
    why: tuple[str, ...]


def part_sizes(batch_size: int, parts: int, sizes: str) -> list[int]:
    """How many samples each part gets; "unequal" takes half of what is left each time."""
    if sizes == "equal":
        return [batch_size // parts + (i < batch_size % parts) for i in range(parts)]
    found = []
    for i in range(parts):
        left = batch_size - sum(found)
        after = parts - i - 1  # each later part needs a sample too
        found.append(left if not after else min(left - after, (left + 1) // 2))
    return found


def gradients(
    batch_size: int,
    sizes: list[int],
    reduction: str,
    scale: str,
    zero_grad: str,
    batch_norm: bool,
    seed: int,
) -> tuple[list[Tensor], list[list[Tensor]], list[float]]:
    """Gradients of one backward call on the whole batch, those after each part's call, and the parts' losses."""
    torch.manual_seed(seed)
    x, target = torch.randn(batch_size, 3), torch.randn(batch_size, 1)
    norm = [nn.BatchNorm1d(4)] if batch_norm else []
    model = nn.Sequential(nn.Linear(3, 4), *norm, nn.Tanh(), nn.Linear(4, 1))
    loss_fn = nn.MSELoss(reduction=reduction)

    loss_fn(model(x), target).backward()
    big = [p.grad.clone() for p in model.parameters()]

    if zero_grad != "never":  # "never": the gradient of an earlier call is still there
        model.zero_grad()
    after, losses = [], []
    for part, part_target in zip(x.split(sizes), target.split(sizes), strict=True):
        if zero_grad == "before every part":
            model.zero_grad()
        factor = {
            "divide by parts": 1 / len(sizes),
            "share of samples": len(part) / batch_size,
            "none": 1.0,
        }[scale]
        loss = loss_fn(model(part), part_target) * factor
        loss.backward()
        losses.append(loss.item())
        after.append([p.grad.clone() for p in model.parameters()])
    return big, after, losses


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """Compute the gradient both ways; the graph is tiny, so the CPU is always used."""
    sizes = part_sizes(spec.batch_size, spec.micro_batches, spec.sizes)
    with seeding.seeded(spec.seed):
        big, after, losses = gradients(
            spec.batch_size,
            sizes,
            spec.reduction,
            spec.scale,
            spec.zero_grad,
            spec.batch_norm,
            spec.seed,
        )
    difference = max((a - b).abs().max().item() for a, b in zip(after[-1], big, strict=True))
    scale = max(b.abs().max().item() for b in big)
    parts: list[Part] = []
    fresh = spec.zero_grad == "before every part"
    for i, (samples, loss) in enumerate(zip(sizes, losses, strict=True)):
        before = (
            big
            if i == 0 and spec.zero_grad == "never"
            else None
            if i == 0 or fresh
            else after[i - 1]
        )
        change = [
            a if before is None else a - b
            for a, b in zip(after[i], before or after[i], strict=True)
        ]
        added = torch.cat([c.flatten() for c in change]).norm().item()
        parts.append(Part(samples, loss, added, None if before is None else before[0], after[i][0]))
    equal = difference <= 1e-5 * max(scale, 1e-3)
    return Result(
        tuple(parts), big[0], after[-1][0], difference, scale, equal, _why(spec, sizes, equal)
    )


def numbers(result: Result) -> dict[str, float]:
    """The largest difference, and the first layer's two gradients cell by cell."""
    found = {"difference": result.difference}
    for name in ("big", "accumulated"):
        for i, number in enumerate(getattr(result, name).flatten().tolist()):
            found[f"{name}[{i}]"] = number
    return found


def to_code(spec: Spec) -> str:
    """The same comparison as a script."""
    sizes = part_sizes(spec.batch_size, spec.micro_batches, spec.sizes)
    call = f"""
        big, after, losses = gradients(
            batch_size={spec.batch_size}, sizes={sizes}, reduction={spec.reduction!r}, scale={spec.scale!r},
            zero_grad={spec.zero_grad!r}, batch_norm={spec.batch_norm}, seed={spec.seed},
        )
    """
    report = """
        print("difference =", max((a - b).abs().max().item() for a, b in zip(after[-1], big)))
        for name, gradient in (("big", big[0]), ("accumulated", after[-1][0])):
            for i, number in enumerate(gradient.flatten().tolist()):
                print(f"{name}[{i}] = {number!r}")
    """
    return export.script(
        "Gradient accumulation against one big batch",
        ["import torch\nfrom torch import Tensor, nn", export.source(gradients), call, report],
    )


def _why(spec: Spec, sizes: list[int], equal: bool) -> tuple[str, ...]:
    found: list[str] = []
    if spec.zero_grad == "before every part" and len(sizes) > 1:
        found.append(
            f"zero_grad() before every part throws away what the {len(sizes) - 1} parts before the last had added: only the last part counts."
        )
    if spec.zero_grad == "never":
        found.append(
            "zero_grad() was forgotten: the gradient of the earlier backward call is still in .grad, and the new ones were added to it."
        )
    if spec.batch_norm and len(sizes) > 1:
        found.append(
            "batch norm normalises each part with that part's own mean and variance, so the parts are not the function that the whole batch is."
        )
    if spec.reduction == "mean":
        if spec.scale == "none" and len(sizes) > 1:
            found.append(
                f"{len(sizes)} means were added without dividing, so the gradient is about {len(sizes)} times too large: the same as a larger lr."
            )
        if spec.scale == "divide by parts" and len(set(sizes)) > 1:
            found.append(
                f"the parts have {', '.join(map(str, sizes))} samples, but each mean counts the same: "
                "samples of small parts weigh more. Multiply each loss with its share of the samples."
            )
    elif spec.scale != "none" and len(sizes) > 1:
        found.append("sums add up by themselves: multiply nothing when the reduction is sum.")
    if equal and not found:
        found.append(
            "the whole batch's mean is the sum of the parts' means times their shares, and gradients are linear: both ways meet."
            if spec.reduction == "mean"
            else "a sum over the batch is the sum of the sums over its parts: both ways meet."
        )
    return tuple(found)


VARIATIONS: dict[str, Spec] = {
    "batch_norm": Spec(batch_norm=True),
    "batch_size": Spec(batch_size=24),
    "micro_batches": Spec(micro_batches=4),
}
