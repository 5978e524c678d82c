"""Made points: seeded, balanced, and true to the question that they pose."""

from __future__ import annotations

import pytest
import torch

from models.data import toy

every_toy = pytest.mark.parametrize("name", toy.TOYS)


@every_toy
@pytest.mark.parametrize("n", [10, 11, 5000])
def test_sizes_and_types_are_as_said(name: str, n: int) -> None:
    x, y = toy.TOYS[name].make(n, 0.1, 0)
    assert (x.shape, x.dtype, y.shape) == ((n, 2), torch.float32, (n,))
    assert y.dtype == (torch.int64 if toy.TOYS[name].task == "classification" else torch.float32)
    assert x.isfinite().all()
    assert x.abs().max() < 10


@every_toy
def test_a_seed_repeats_and_another_differs_and_nobody_elses_numbers_move(name: str) -> None:
    make = toy.TOYS[name].make
    before = torch.get_rng_state()
    (x, y), (x_again, y_again), (x_other, _) = make(50, 0.2, 5), make(50, 0.2, 5), make(50, 0.2, 6)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(x, x_again)
    assert torch.equal(y, y_again)
    assert not torch.equal(x, x_other)


@every_toy
def test_noise_moves_the_points_or_the_targets(name: str) -> None:
    (x, y), (x_clean, y_clean) = toy.TOYS[name].make(50, 0.3, 1), toy.TOYS[name].make(50, 0.0, 1)
    assert not (torch.equal(x, x_clean) and torch.equal(y, y_clean))


@pytest.mark.parametrize("name", [n for n, t in toy.TOYS.items() if t.task == "classification"])
def test_both_classes_have_their_half(name: str) -> None:
    y = toy.TOYS[name].make(1000, 0.0, 0)[1]
    assert set(y.tolist()) == {0, 1}
    assert abs(y.float().mean() - 0.5) < 0.06


def test_a_circle_is_parted_by_the_squared_radius() -> None:
    x, y = toy.circle(1000, 0.0, 0)
    assert torch.equal((x.square().sum(dim=1) < 9).long(), y)


def test_xor_is_parted_by_the_product() -> None:
    x, y = toy.xor(1000, 0.0, 0)
    assert torch.equal((x.prod(dim=1) > 0).long(), y)


def test_the_arms_of_a_spiral_are_each_other_turned_by_half() -> None:
    x, y = toy.spiral(100, 0.0, 0)
    torch.testing.assert_close(x[y == 1], -x[y == 0])


def test_a_plane_without_noise_is_exactly_linear() -> None:
    x, y = toy.reg_plane(100, 0.0, 0)
    torch.testing.assert_close(y, (x[:, 0] + x[:, 1]) / 10)


def test_hills_are_one_high_at_their_top_and_flat_far_away() -> None:
    x, y = toy.reg_gauss(5000, 0.0, 0)
    assert 0.9 < y.max() <= 1
    assert -1 <= y.min() < -0.9
    assert (y[x[:, 1].abs() < 0.4] == 0).all()


def test_every_input_is_what_its_name_says() -> None:
    points = torch.tensor([[2.0, -3.0], [0.5, 0.0]])
    x1, x2 = points.T
    expected = torch.stack([x1, x2, x1 * x1, x2 * x2, x1 * x2, torch.sin(x1), torch.sin(x2)], dim=1)
    torch.testing.assert_close(toy.expand(points, list(toy.INPUTS)), expected)
    torch.testing.assert_close(toy.expand(points, ["x1x2", "x1"]), expected[:, [4, 0]])
