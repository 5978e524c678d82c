"""What is timed, and how: the calls of a training step, and many runs of each in turns."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils import benchmark

from models.core import device as devices
from models.core.control import Snapshot
from models.speed import subject
from models.speed.spec import Spec


def phases(model, x, y, optimizer, dtype=None):
    """What a training step does, in three calls that contain each other; dtype is autocast's."""
    loss_fn = nn.CrossEntropyLoss()

    def forward():
        mixed = torch.autocast(x.device.type, dtype) if dtype else contextlib.nullcontext()
        with mixed:
            return loss_fn(model(x), y)

    def backward():
        optimizer.zero_grad()
        loss = forward()
        loss.backward()
        return loss

    def step():
        loss = backward()
        optimizer.step()
        return loss

    return {"forward": forward, "forward + backward": backward, "full step": step}


def measure(calls, seconds, device="cpu"):
    """Times of each call in seconds; they take turns, so that a busy moment hits all of them."""
    wait = getattr(torch, device).synchronize if device in ("mps", "xpu") else lambda: None
    turns, block = [], seconds / 25
    for name, (call, threads) in calls.items():
        setting = {"call": call, "wait": wait}
        timer = benchmark.Timer("call(); wait()", globals=setting, num_threads=threads)
        once = timer.timeit(1).median
        if once > block:  # perhaps it was only disturbed
            once = min(once, timer.timeit(1).median)
        turns.append((name, timer, round(block / once), seconds / once))
    times, end = {name: [] for name in calls}, time.perf_counter() + 3 * seconds * len(calls)
    for turn in range(25):
        if turn >= 5 and time.perf_counter() > end:  # a busy machine; what there is will do
            break
        for name, timer, number, most in turns:
            if number > 0:
                times[name] += timer.timeit(number).times
            elif turn < max(5, most):  # slow: one call at a time, without another warm-up
                times[name] += timer.blocked_autorange(min_run_time=1e-9).times
    return times


def phases_code(spec: Spec, suffix: str = "") -> str:
    """Source of the optimizer and of the three calls."""
    lr = 0.01 if spec.optimizer == "SGD" else 0.001
    dtype = f", torch.{spec.precision}" if subject.autocast(spec) else ""
    model, x, y, name = (f"{n}{suffix}" for n in ("model", "x", "y", "optimizer"))
    return (
        f"{name} = torch.optim.{spec.optimizer}({model}.parameters(), lr={lr})\n"
        f"calls{suffix} = phases({model}, {x}, {y}, {name}{dtype})"
    )


def optimizer(spec: Spec, model: nn.Module) -> torch.optim.Optimizer:
    lr = 0.01 if spec.optimizer == "SGD" else 0.001
    return getattr(torch.optim, spec.optimizer)(model.parameters(), lr=lr)


def calls(spec: Spec, made: subject.Made) -> dict[str, Callable[[], torch.Tensor]]:
    """The three calls for a subject."""
    return phases(made.model, made.x, made.y, optimizer(spec, made.model), subject.autocast(spec))


def told(step: int, text: str) -> Snapshot:
    """What a measurement does now, in words; step is of 100."""
    return Snapshot(step, step / 100, rows=({"step": step, "text": text},))


def timed(call: Callable[[], Any], device: str) -> tuple[Any, float]:
    """What one call gives, and its seconds."""
    devices.synchronize(device)
    start = time.perf_counter()
    value = call()
    devices.synchronize(device)
    return value, time.perf_counter() - start
