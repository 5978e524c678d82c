"""Laws of the ways to a derivative: they agree where the function is smooth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.autograd import beyond
from models.autograd.beyond import PRESETS, Spec
from models.core import export
from models.core.spec import SpecError


@pytest.mark.parametrize("name", PRESETS)
def test_every_way_gives_the_same_derivative(name: str) -> None:
    result = beyond.run(Spec(preset=name))
    for ways in (result.gradients, result.jacobians):
        for way in ways:
            assert way.note == ""
            assert way.value is not None
            torch.testing.assert_close(way.value, ways[0].value, atol=1e-6, rtol=1e-6)
    assert result.your_error < 1e-6


def test_vmap_equals_the_loop() -> None:
    result = beyond.run(Spec(preset="softmax"))
    torch.testing.assert_close(result.mapped.value, result.looped.value)
    assert result.mapped.value is not None
    assert result.mapped.value.shape == (5, 3)


def test_the_hessian_of_a_quadratic_form_is_twice_its_symmetric_matrix() -> None:
    hessian = beyond.run(Spec(preset="quadratic form")).hessian.value
    torch.testing.assert_close(hessian, torch.tensor([[4.0, 2.0], [2.0, 6.0]]).double())


def test_a_wrong_formula_is_measured() -> None:
    result = beyond.run(Spec(expression="x ** 3", point="[1.0, 2.0]", derivative="2 * x ** 2"))
    assert result.your_error == pytest.approx(4.0)


def test_too_small_a_step_drowns_in_rounding() -> None:
    fine, coarse = (beyond.run(Spec(eps=e)).gradients for e in (1e-6, 1e-12))
    truth = fine[0].value
    assert truth is not None
    errors = [(w[2].value - truth).abs().max().item() for w in (fine, coarse)]  # type: ignore[operator]  # both have one
    assert errors[1] > 100 * errors[0]


def test_vmap_says_why_it_cannot_follow_a_value() -> None:
    result = beyond.run(Spec(expression="x * x.sum().item()", derivative="0 * x"))
    assert result.mapped.value is None
    assert "vmap" in result.mapped.note
    assert result.looped.value is not None


BAD: dict[str, dict[str, Any]] = {
    "expression": {"expression": "x.__class__"},
    "point": {"point": "[1.0, 'a']"},
    "derivative": {"derivative": "torch.ones(2, 7)"},
}


@pytest.mark.parametrize("field", BAD)
def test_bad_texts_are_told_at_their_field(field: str) -> None:
    with pytest.raises(SpecError) as caught:
        beyond.run(Spec(**BAD[field]))
    assert caught.value.field == field


def test_sizes_are_bounded_and_their_edge_works() -> None:
    beyond.run(Spec(expression="x * 2", point="torch.ones(16)", derivative="x * 0 + 2"))
    with pytest.raises(SpecError, match="17 numbers"):
        beyond.run(Spec(expression="x * 2", point="torch.ones(17)", derivative="x"))
    with pytest.raises(SpecError, match="random"):
        Spec(expression="x + torch.randn(3)")
    with pytest.raises(SpecError, match="no derivative"):
        beyond.run(Spec(expression="x > 0", derivative="x"))


def test_the_export_prints_the_shown_numbers(tmp_path: Path) -> None:
    spec = Spec(preset="quadratic form")
    printed = export.numbers(export.run(beyond.to_code(spec), tmp_path))
    assert printed == pytest.approx(beyond.numbers(beyond.run(spec)))
