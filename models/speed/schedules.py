"""Learning rates and clipping compared by the loss they reach in the same time, from several beginnings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from models.speed.timing import phases

REPEATS = 6  # beginnings; by chance, all six agree about two equals once in 32 times


def constant(passed):
    return 1.0


def cosine(passed):
    return 0.5 * (1 + math.cos(math.pi * passed))


def warm_up_then_linear(passed):
    return min(1.0, passed / 0.1) * (1 - passed)


def tenfold(passed):
    return 10.0


def train_for(seconds, fresh, optimizer, seed, rate, clip, dtype=None):
    """Train so long from the weights of this seed: loss before, loss after, steps; a diverged loss is infinite."""
    model, x, y = fresh(seed=seed)
    rule = optimizer(model)
    forward = phases(model, x, y, rule, dtype)["forward"]
    base = rule.param_groups[0]["lr"]
    first, steps, start = forward().item(), 0, time.perf_counter()
    while (passed := (time.perf_counter() - start) / seconds) < 1:
        rule.param_groups[0]["lr"] = base * rate(passed)
        rule.zero_grad()
        loss = forward()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        rule.step()
        loss.item()  # a GPU has to be waited for, else only launches are timed
        steps += 1
    last = forward().item()
    return first, last if math.isfinite(last) else math.inf, steps


def equal_time(schedules, seeds, seconds, fresh, optimizer, dtype=None):
    """Every schedule from every seed, in turns: name → [loss before, loss after, steps] per seed."""
    train_for(
        seconds / 10, fresh, optimizer, seeds[0], constant, 0.0, dtype
    )  # first calls are slow
    found = {name: [] for name in schedules}
    for turn, seed in enumerate(seeds):
        names = list(schedules)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            rate, clip = schedules[name]
            row = train_for(seconds, fresh, optimizer, seed, rate, clip, dtype)
            found[name].append(list(row))
    return found


@dataclass(frozen=True)
class Schedule:
    """The learning rate's factor by the share of the time that has passed, and the longest gradient (0: any)."""

    rate: Callable[[float], float]
    clip: float = 0.0


SOURCE = (constant, cosine, warm_up_then_linear, tenfold, train_for, equal_time)
SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule(constant),
    "cosine": Schedule(cosine),
    "warm-up, then linear": Schedule(warm_up_then_linear),
    "ten times the rate": Schedule(tenfold),
    "ten times the rate, clipped to 1": Schedule(tenfold, clip=1.0),
}
