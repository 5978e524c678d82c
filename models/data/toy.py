"""Points in a plane, made on the spot: each set poses one question a network can be asked.

Every function is complete in itself (torch and math only), because exported scripts carry its source.
All sets fill about -6 to 6 in both directions; `noise` runs from 0 (clean) to 1 (hopeless).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


def circle(n: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """A disc inside a ring: no straight line parts them, x1² + x2² does.

    Shape:
        points (n, 2) float32, classes (n,) int64 of 0 and 1, n // 2 of them 1.
    """
    g = torch.Generator().manual_seed(seed)
    y = (torch.arange(n) < n // 2).long()
    share = torch.rand(n, generator=g)
    radius = torch.where(y == 1, 2.5 * share, 3.5 + 1.5 * share)
    angle = 2 * math.pi * torch.rand(n, generator=g)
    x = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return x + 3 * noise * (2 * torch.rand(n, 2, generator=g) - 1), y


def xor(n: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Four corners, opposite ones alike: the set a single layer cannot learn (Minsky and Papert 1969).

    Shape:
        points (n, 2) float32, classes (n,) int64 of 0 and 1; 1 where x1 and x2 have the same sign.
    """
    g = torch.Generator().manual_seed(seed)
    x = 10 * torch.rand(n, 2, generator=g) - 5
    y = (x[:, 0] * x[:, 1] >= 0).long()
    x = x + 0.3 * x.sign()  # a gap along the axes
    return x + 3 * noise * (2 * torch.rand(n, 2, generator=g) - 1), y


def gauss(n: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Two round clouds: one straight line is enough, more only memorises the overlap.

    Shape:
        points (n, 2) float32, classes (n,) int64 of 0 and 1, n // 2 of them 1.
    """
    g = torch.Generator().manual_seed(seed)
    y = (torch.arange(n) < n // 2).long()
    center = torch.where(y == 1, 2.0, -2.0).unsqueeze(1)  # (n, 1): both coordinates
    return center + (0.7 + 3 * noise) * torch.randn(n, 2, generator=g), y


def spiral(n: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Two arms wound around each other: needs depth, width or sin(x1) and sin(x2).

    Shape:
        points (n, 2) float32, classes (n,) int64 of 0 and 1, n // 2 of them 1.
    """
    g = torch.Generator().manual_seed(seed)
    y = (torch.arange(n) < n // 2).long()
    along = torch.where(
        y == 1, torch.arange(n) / (n // 2), (torch.arange(n) - n // 2) / (n - n // 2)
    )
    angle = 1.75 * 2 * math.pi * along + torch.where(y == 1, 0.0, math.pi)
    x = 5 * along.unsqueeze(1) * torch.stack([angle.sin(), angle.cos()], dim=1)
    return x + 2 * noise * (2 * torch.rand(n, 2, generator=g) - 1), y


def moons(n: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Two half circles hooked into each other: one bend of the boundary parts them.

    Shape:
        points (n, 2) float32, classes (n,) int64 of 0 and 1, n // 2 of them 1.
    """
    g = torch.Generator().manual_seed(seed)
    y = (torch.arange(n) < n // 2).long()
    angle = math.pi * torch.rand(n, generator=g)
    up = torch.stack([angle.cos() - 0.5, angle.sin() - 0.25], dim=1)
    x = 3.3 * torch.where(y.unsqueeze(1) == 1, -up, up)
    return x + 2 * noise * torch.randn(n, 2, generator=g), y


def reg_plane(n: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """A tilted plane, y = (x1 + x2) / 10: one linear layer is exact.

    Shape:
        points (n, 2) float32, targets (n,) float32 in about -1.2 to 1.2.
    """
    g = torch.Generator().manual_seed(seed)
    x = 12 * torch.rand(n, 2, generator=g) - 6
    return x, x.sum(dim=1) / 10 + noise * (2 * torch.rand(n, generator=g) - 1)


def reg_gauss(n: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Three hills and three valleys on a flat ground: needs a hidden layer.

    Shape:
        points (n, 2) float32, targets (n,) float32 in about -1 to 1.
    """
    g = torch.Generator().manual_seed(seed)
    x = 12 * torch.rand(n, 2, generator=g) - 6
    tops = torch.tensor(
        [[-4.0, 2.5], [0.0, 2.5], [4.0, 2.5], [-4.0, -2.5], [0.0, -2.5], [4.0, -2.5]]
    )
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    distance = torch.cdist(x, tops, compute_mode="donot_use_mm_for_euclid_dist")  # (n, 6)
    y = ((1 - distance / 2).clamp(min=0) * signs).sum(dim=1)
    return x, y + noise * (2 * torch.rand(n, generator=g) - 1)


def expand(points: Tensor, inputs: list[str]) -> Tensor:
    """The chosen input columns, computed from the two coordinates.

    Shape:
        points (N, 2); returns (N, len(inputs)).
    """
    x1, x2 = points[:, 0], points[:, 1]
    columns = {
        "x1": x1,
        "x2": x2,
        "x1^2": x1**2,
        "x2^2": x2**2,
        "x1x2": x1 * x2,
        "sin(x1)": x1.sin(),
        "sin(x2)": x2.sin(),
    }
    return torch.stack([columns[name] for name in inputs], dim=1)


INPUTS = ("x1", "x2", "x1^2", "x2^2", "x1x2", "sin(x1)", "sin(x2)")


@dataclass(frozen=True)
class Toy:
    """A made set: its function, the word on the menu, the task it poses."""

    make: Callable[[int, float, int], tuple[Tensor, Tensor]]
    title: str
    task: str


TOYS: dict[str, Toy] = {
    "circle": Toy(circle, "Circle", "classification"),
    "xor": Toy(xor, "XOR", "classification"),
    "gauss": Toy(gauss, "Two clouds", "classification"),
    "spiral": Toy(spiral, "Spiral", "classification"),
    "moons": Toy(moons, "Moons", "classification"),
    "reg_plane": Toy(reg_plane, "Plane (regression)", "regression"),
    "reg_gauss": Toy(reg_gauss, "Hills (regression)", "regression"),
}
