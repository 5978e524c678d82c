"""What the Autograd page shows is the run's own, and small enough to travel."""

from __future__ import annotations

import pytest

from models import autograd
from models.autograd import PRESETS, Spec, beyond, functions, shown
from models.autograd.language import ProgramError
from models.core.runs import answers


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_arrives_with_its_picture_its_words_and_its_script(preset: str) -> None:
    spec = Spec(preset=preset)
    packed = answers.pack(shown.program(spec))
    seen, result = answers.unpack(packed), autograd.run(spec, jacobians=False)
    assert len(packed) < 4_000_000
    assert len(seen.picture["nodes"]) == len(result.graph.vertices)
    assert seen.code == autograd.to_code(spec)
    assert seen.scalar is (result.value.numel() == 1)
    assert (seen.problem is None) is (result.problem is None)
    assert seen.summary.startswith(f"**{result.name}** = ")


def test_a_refused_line_keeps_its_place() -> None:
    with pytest.raises(ProgramError) as caught:
        shown.program(Spec(program="y = x @ x @ 3"))
    back = answers.error_of(answers.unpack(answers.pack(answers.refusal(caught.value))))
    assert isinstance(back, ProgramError)
    assert (back.line, back.field) == (1, "program")


def test_own_functions_and_derivatives_travel_too() -> None:
    made = answers.unpack(answers.pack(shown.function(functions.Spec())))
    assert not made.passed
    assert made.checks[0].name == "x"
    result, code = answers.unpack(answers.pack(shown.derivatives(beyond.Spec())))
    assert result.your_error < 1e-6
    assert "torch.func" in code or "func." in code
