"""Laws of the engine's rules: each case shows what it claims, and leaves nothing switched on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.autograd import rules
from models.autograd.rules import CASES, Spec
from models.core import export

LIVE = [name for name, case in CASES.items() if not case.isolated]


def found(name: str) -> dict[str, Any]:
    return dict(rules.run(Spec(case=name)).found)


def test_backward_frees_and_retain_graph_keeps() -> None:
    case = found("retain_graph")
    assert "second time" in case["a second backward"]
    assert case["x.grad after two more"] == pytest.approx(3 * case["x.grad"])


def test_create_graph_gives_all_three_derivatives_of_a_cube() -> None:
    case = found("create_graph")
    assert (case["first"], case["second"], case["third"]) == (12.0, 12.0, 6.0)
    assert case["made by"] == "MulBackward0"
    assert case["third has a graph"] == "False"


def test_leaving_the_graph() -> None:
    case = found("no_grad")
    assert case["x * 2 requires grad"] == "True"
    assert case["under no_grad"] == case["detached"] == "False"
    assert "Inference tensors" in case["an inference tensor in a graph"]
    assert case["x.grad, with y a constant"] == 4.0


def test_the_gradient_argument_is_a_weighted_sum() -> None:
    case = found("non_scalar")
    assert "scalar outputs" in case["backward of three numbers"]
    for i in range(3):
        assert case[f"x.grad[{i}]"] == pytest.approx(case[f"of the weighted sum[{i}]"])


def test_retain_grad_keeps_the_intermediate() -> None:
    case = found("retain_grad")
    assert (case["x.grad (a leaf)"], case["y.grad (retained)"]) == (180.0, 60.0)


def test_hooks_run_in_the_documented_order() -> None:
    case = found("hooks")
    order = [case[str(i)].split(":")[0] for i in range(1, 6)]
    assert order == [
        "tensor hook of y",
        "node prehook of y",
        "node hook of y, after it ran",
        "tensor hook of x",
        "post-accumulate",
    ]
    assert case["x.grad"] == 30.0


def test_version_counters_tell_of_the_write() -> None:
    case = found("who_broke_it")
    assert case["version after a += 1"] == case["version when saved"] + 1
    assert "modified by an inplace operation" in case["backward, naming the victim"]


def test_data_is_silent_and_detach_is_not() -> None:
    case = found("silent_data")
    assert case["wrong, without a word[0]"] == pytest.approx(case["true derivative[0]"] + 1)
    assert case["version of y"] == 0.0
    assert "modified by an inplace operation" in case["with detach"]


def test_a_leaf_is_updated_under_no_grad_only() -> None:
    case = found("leaf_in_place")
    assert "in-place operation" in case["w -= 0.1"]
    assert case["w[1]"] == pytest.approx(1.6)


def test_the_classic_bugs_are_real() -> None:
    assert found("rewrapped")["x.grad"] == "None"
    bug = found("forgotten_zero_grad")
    assert abs(bug["w without zero_grad"]) > 100 * abs(bug["w with zero_grad"])
    assert found("kept_history")["backward nodes kept alive by the tensor"] > 8


def test_anomaly_mode_names_the_line_in_a_process_of_its_own() -> None:
    case = found("anomaly")
    assert case["x.grad[0], without a word"] == "nan"
    assert "SqrtBackward0" in case["with anomaly mode"]
    assert "x.sqrt()" in case["the forward line it points at"]
    assert not torch.is_anomaly_enabled()


@pytest.mark.parametrize("name", LIVE)
def test_every_live_case_shows_numbers_and_its_own_source(name: str) -> None:
    result = rules.run(Spec(case=name))
    assert rules.numbers(result)
    assert rules.code(name).startswith(f"def {CASES[name].run.__name__}(")
    assert torch.is_grad_enabled()


def test_all_cases_as_one_script_print_the_shown_numbers(tmp_path: Path) -> None:
    for name in ("hooks", "silent_data"):
        spec = Spec(case=name)
        printed = export.numbers(export.run(rules.to_code(spec), tmp_path))
        assert printed == pytest.approx(rules.numbers(rules.run(spec)))
