"""Expressions that cost more than they look, and a generator of thousands of others."""

from __future__ import annotations

import random
import resource
import sys

from models import expressions
from models.core.spec import SpecError

# Each took a gigabyte, or longer than 25 s, or the whole server, before it was evaluated in a process of its own.
HEAVY = (
    "torch.zeros(10**9, 0) @ torch.zeros(0, 1)",
    "torch.zeros(1).expand(10**9).max()",
    "torch.zeros(1).expand(10**9).sort()",
    "torch.zeros(1).expand(10**9) + 1",
    "torch.zeros(1).expand(10**9).tolist()",
    "torch.zeros(10**7, 0).unbind()",
    "torch.rand(10**6).unbind()",
    "torch.split(torch.rand(10**6), 1)",
    "torch.rand(10**6).split(1)",
    "torch.rand(10**6).chunk(10**6)",
    "torch.tensor_split(torch.rand(10**6), 10**5)",
    "F.avg_pool1d(torch.rand(1, 1, 10**6), 10**5, stride=1)",
    "F.max_pool1d(torch.rand(1, 1, 10**6), 10**5, stride=1)",
    "F.avg_pool2d(torch.rand(1, 1, 2000, 2000), 500, stride=1)",
    "F.max_pool2d(torch.rand(1, 1, 2000, 2000), 301, stride=1)",
    "torch.ones(2000, 2000, dtype=torch.int64) @ torch.ones(2000, 2000, dtype=torch.int64)",
    "torch.rand(3000, 3000).bfloat16() @ torch.rand(3000, 3000).bfloat16()",
    "torch.rand(3000, 3000).half() @ torch.rand(3000, 3000).half()",
    "torch.diff(torch.rand(10**6), n=10**4)",
    "F.bilinear(torch.rand(100, 400), torch.rand(100, 400), torch.rand(400, 400, 400))",
    "torch.matrix_power(torch.rand(1500, 1500), 10**6)",
    "torch.linalg.svd(torch.rand(2500, 2500))",
    "torch.linalg.eig(torch.rand(1500, 1500))",
    "torch.rand(3000).outer(torch.rand(3000)).outer(torch.rand(9))",
    "torch.kron(torch.rand(500, 500), torch.rand(500, 500))",
    "torch.cdist(torch.rand(5000, 500), torch.rand(5000, 500))",
    "torch.rand(8, 8).repeat(4000, 4000)",
    "torch.rand(10**7).sort().values.sort(descending=True)",
    "F.one_hot(torch.tensor([10**9]))",
    "torch.bincount(torch.tensor([10**10]))",
    "torch.eye(10**6)",
    "torch.arange(10**12)",
    "torch.rand(10**7).unique(return_counts=True)",
    "F.interpolate(torch.rand(1, 1, 9, 9), scale_factor=5000)",
    "F.conv1d(torch.rand(1, 1, 10**6), torch.rand(1, 1, 10**5))",
    "F.unfold(torch.rand(1, 64, 256, 256), 9)",
    "torch.einsum('ij,kl->ijkl', torch.rand(200, 200), torch.rand(200, 200))",
    "torch.einsum('i,j,k,l->ijkl', torch.rand(99), torch.rand(99), torch.rand(99), torch.rand(99))",
    "torch.vander(torch.rand(10**5), 10**5)",
    "torch.cumsum(torch.rand(3 * 10**7), 0).cumsum(0).cumsum(0)",
    "torch.multinomial(torch.ones(10**6), 10**6, True)",
    "torch.histc(torch.rand(10), 10**9)",
    "torch.repeat_interleave(torch.rand(10), 10**8)",
)


def measured(text: str) -> tuple[str, float]:
    """What it came to, and by how many MB it let its process's peak grow; for an evaluator."""
    before = _peak()
    try:
        words = type(expressions.evaluate(text, NAMES()).value).__name__
    except SpecError as error:
        words = str(error)
    return words, _peak() - before


def _peak() -> float:
    """The most MB this process has held so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def NAMES() -> dict:
    """The tensors that generated expressions use."""
    import torch

    return {
        "a": torch.linspace(-1, 1, 6).reshape(2, 3),
        "b": torch.linspace(0.1, 2, 3),
        "q": torch.tensor([[True, False, True], [False, True, True]]),
        "j": torch.tensor([[0, 1, 2], [2, 0, 1]]),
    }


def generated(count: int, seed: int = 0) -> list[str]:
    """Calls of what the box offers, with sizes that are now and then far too large."""
    dice = random.Random(seed)
    names = sorted(expressions.FUNCTIONS)
    methods = sorted(expressions.ATTRIBUTES)

    def size() -> str:
        return dice.choice(["2", "3", "7", "64", "1000", "10**4", "10**6", "10**9"])

    def part(depth: int) -> str:
        roll = dice.random()
        if depth <= 0 or roll < 0.3:
            return dice.choice(["a", "b", "q", "j", "2", "-1", "0.5", f"torch.rand({size()})", f"torch.ones({size()}, {size()})", f"torch.zeros(1).expand({size()})", f"torch.arange({size()})"])  # fmt: skip
        if roll < 0.55:
            inside = ", ".join(part(depth - 1) for _ in range(dice.choice([1, 1, 2, 2, 3])))
            return f"{dice.choice(names)}({inside})"
        if roll < 0.85:
            inside = ", ".join(dice.choice([part(depth - 1), size()]) for _ in range(dice.choice([0, 0, 1, 2])))  # fmt: skip
            return f"({part(depth - 1)}).{dice.choice(methods)}({inside})"
        return f"({part(depth - 1)} {dice.choice(['+', '*', '@', '**', '//', '<', '&'])} {part(depth - 1)})"

    return [part(3)[:900] for _ in range(count)]
