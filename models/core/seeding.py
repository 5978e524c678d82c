"""Randomness that is repeatable and never shared between learners."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_LOCK = threading.Lock()


def generator(seed: int) -> torch.Generator:
    """A generator of its own on the CPU; draw there and move, so that every device gets the same numbers."""
    return torch.Generator().manual_seed(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The default generator with this seed, for what takes no generator (`nn.Linear`'s initial weights).

    One thread at a time; the generator's earlier state comes back at the end.
    """
    with _LOCK, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
