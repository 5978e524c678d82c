"""Another version of every training picture, each time it is seen: turned, moved, scaled, mirrored, noisy."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F


def augment(x, generator, degrees=0.0, shift=0.0, zoom=0.0, flip=False, noise=0.0):
    """Each picture with its own random rotation (±degrees), shift (±share of its side) and scale (1 ± zoom).

    Shape: x (N, C, H, W) in [0, 1]; returns the same. What comes in from beyond the border is 0.
    """
    n = len(x)

    def draw():  # (N,) from -1 to 1, on the CPU, so that every device draws the same
        return torch.rand(n, generator=generator) * 2 - 1

    if degrees or shift or zoom or flip:
        angle, dx, dy, factor, side = (draw() for _ in range(5))
        angle, factor = angle * math.radians(degrees), 1 / (1 + factor * zoom)
        mirror = torch.where(side > 0, -1.0, 1.0) if flip else torch.ones(n)
        cos, sin = angle.cos() * factor, angle.sin() * factor
        theta = torch.stack(
            [cos * mirror, -sin, 2 * shift * dx, sin * mirror, cos, 2 * shift * dy], 1
        )
        grid = F.affine_grid(
            theta.reshape(n, 2, 3).to(x.device), list(x.shape), align_corners=False
        )
        x = F.grid_sample(x, grid, align_corners=False)
    if noise:
        drawn = torch.randn(x.shape, generator=generator)
        x = (x + noise * drawn.to(x.device)).clamp(0, 1)
    return x
