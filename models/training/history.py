"""Past states of a run, for going back: as many as fit into a budget, evenly thinned beyond."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class State:
    """Everything that decides how a run goes on, between two batches.

    Attributes:
        step: batches done; epoch: whole epochs done; position: batches done in the epoch under way.
        order: row order of the epoch under way, (N,) int64; None between two epochs.
        model, optimizer, scheduler: copies of their `state_dict`s.
        order_rng: state of the generator that shuffles; rng, device_rng: of the default generators, which
            dropout draws from; None where it does not.
        settings: l1, clip and epochs as they are now.
        stop: best loss, its epoch, and epochs since, for early stopping; why the run stopped, or "".
        row: the newest point of the curves.
    """

    step: int
    epoch: int
    position: int
    order: torch.Tensor | None
    model: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    scheduler: Mapping[str, Any] | None
    order_rng: torch.Tensor
    rng: torch.Tensor | None
    device_rng: torch.Tensor | None
    settings: Mapping[str, float]
    stop: Mapping[str, Any]
    row: Mapping[str, Any]


class History:
    """States at ends of epochs; the nearest one before any epoch is never far."""

    def __init__(self, budget: int, stride: int) -> None:
        """Keep at most `budget` bytes; at first every `stride`th epoch."""
        self.budget = budget
        self.stride = stride
        self.bytes = 0
        self._epochs: list[int] = []  # ascending
        self._states: dict[int, State] = {}

    def __len__(self) -> int:
        return len(self._epochs)

    def wants(self, epoch: int) -> bool:
        """Whether the state at the end of this epoch should be kept."""
        return epoch % self.stride == 0 and epoch not in self._states

    def keep(self, state: State) -> None:
        """Keep this state; beyond the budget, every second one goes and the stride doubles."""
        bisect.insort(self._epochs, state.epoch)
        self._states[state.epoch] = state
        self.bytes += size(state)
        while self.bytes > self.budget and len(self._epochs) > 1:
            self.stride *= 2
            for epoch in [e for e in self._epochs if e % self.stride]:
                self._drop(epoch)
            if len(self._epochs) == 1:
                break

    def nearest(self, epoch: int) -> State:
        """The last kept state at or before the end of this epoch; the start is always kept."""
        return self._states[self._epochs[bisect.bisect_right(self._epochs, epoch) - 1]]

    def forget_after(self, step: int) -> None:
        """Drop the states of a future that will not happen again."""
        for epoch in [e for e in self._epochs if self._states[e].step > step]:
            self._drop(epoch)

    def _drop(self, epoch: int) -> None:
        self._epochs.remove(epoch)
        self.bytes -= size(self._states.pop(epoch))


class Weights:
    """The weights alone at ends of epochs, to look at without training again: at most `most`, evenly thinned."""

    def __init__(self, budget: int, most: int) -> None:
        """Keep at most `most` of them, and at most `budget` bytes; the start is always kept."""
        self.budget, self.most = budget, most
        self.stride = 1
        self._kept: dict[int, tuple[int, Mapping[str, torch.Tensor]]] = {}

    def keep(self, epoch: int, step: int, weights: Mapping[str, torch.Tensor]) -> None:
        """A copy of the weights at the end of this epoch, in place of those of an older course."""
        if epoch % self.stride:
            return
        self._kept[epoch] = step, copied(dict(weights))
        one = _bytes(self._kept[epoch][1])
        while len(self._kept) > max(1, min(self.most, self.budget // max(1, one))):
            self.stride *= 2
            kept = {e: w for e, w in self._kept.items() if e % self.stride == 0}
            if len(kept) == len(self._kept):
                break
            self._kept = kept

    def until(self, step: int) -> dict[int, Mapping[str, torch.Tensor]]:
        """By epoch, ascending, what is kept up to this step."""
        return {e: w for e, (at, w) in sorted(self._kept.items()) if at <= step}


def size(state: State) -> int:
    """Bytes of a state's tensors."""
    parts = (state.order, state.order_rng, state.rng, state.device_rng)
    return _bytes([state.model, state.optimizer, *parts]) + 500


def copied(value: Any) -> Any:
    """The same nest of dicts and lists with every tensor cloned."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied(v) for v in value]
    return value


def _bytes(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, Mapping):
        return sum(map(_bytes, value.values()))
    return sum(map(_bytes, value)) if isinstance(value, (list, tuple)) else 0
