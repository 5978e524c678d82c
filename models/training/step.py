"""The two functions every run repeats: one step of training, and one look at how good the model is.

They run in the app and stand unchanged in exported scripts.
"""

from __future__ import annotations

import torch
from torch import nn


def train_batch(model, loss_fn, optimizer, x, y, l1=0.0, clip=0.0):
    """One step: predict, measure, backward, update. Returns the gradient's norm when it is clipped."""
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    if l1:
        layers = [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
        loss = loss + l1 * sum(m.weight.abs().sum() for m in layers)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), clip) if clip else None
    optimizer.step()
    return norm


def evaluate(model, loss_fn, metric, x, y):
    """Loss (without penalties) and metric on whole rows, with dropout off and batch norm's running statistics."""
    model.eval()
    with torch.no_grad():
        output = model(x)
        loss, score = loss_fn(output, y).item(), metric(output, y).item()
    model.train()
    return loss, score
