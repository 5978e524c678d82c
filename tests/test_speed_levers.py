"""The levers: each measured or explained, all of them in the script, and what they do to the result."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from components.figures import speed as figures
from models import speed
from models.core import export
from models.speed import Spec, footprint, levers, limits, machine, memory, switches
from tests.speed_cases import LEVERS, QUICK, reproduced, told


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def pair(name: str, spec: Spec = QUICK) -> tuple[levers.Call, levers.Call]:
    found = levers.LEVERS[name].pair(levers.start(spec))
    assert not isinstance(found, str), found
    return found


def made(name: str, spec: Spec = QUICK) -> tuple[Any, list[torch.nn.Module]]:
    """The two calls of a lever, and the models that they compute with."""
    start, models = levers.start(spec), []

    def fresh(**changes: Any) -> Any:
        found = start.fresh(**changes)
        models.append(found[0])
        return found

    watched = switches.Start(fresh, start.optimizer, start.dtype)
    return levers.LEVERS[name].pair(watched), models


def test_a_model_that_does_not_run_in_int8_is_explained_and_the_other_levers_go_on() -> None:
    blocks = QUICK.replace(model="attention", size=16)  # its fast path reads the weights themselves
    found = levers._pulled(blocks, levers.LEVERS["int8"], levers.start(blocks))
    assert "does not run this model with dynamic int8" in found["why_not"]
    doubles = QUICK.replace(precision="float64")
    assert isinstance(switches.int8(levers.start(doubles)), str)  # the script says it, too
    assert not isinstance(switches.int8(levers.start(QUICK)), str)


def test_dropout_makes_no_difference_between_two_levers_that_compute_the_same() -> None:
    hiding = QUICK.replace(model="own", layers="64 relu dropout=0.5")
    assert switches.difference(*pair("foreach", hiding)) == pytest.approx(0, abs=1e-6)


def test_the_page_says_which_levers_help_and_which_were_not_tried() -> None:
    def page() -> None:
        import streamlit as st

        from components.speed import levers
        from components.speed.measure import Found
        from models.speed import Spec

        found = Found("run", Spec(part="levers"), st.session_state["told"])
        levers.draw(found)
        levers.more(found)

    at = AppTest.from_function(page)
    at.session_state["told"] = told(LEVERS)
    at.run()
    assert not at.exception
    tried = sum("verdict" in row for row in told(LEVERS)["levers"].values())
    assert f"Of {tried} levers tried here" in at.markdown[0].value
    table = at.dataframe[0].value
    assert len(table) == tried
    changes = dict(zip(table["lever"], table["changes the result by"], strict=True))
    assert changes["pruning 90 % of the weights"].endswith("%")
    assert changes["inference_mode"] in ("nothing", "rounding")
    assert any("CUDA graphs** was not tried" in m.value for m in at.markdown) != machine.has("cuda")
    said = " ".join(m.value for m in at.markdown)
    for ruling in told(LEVERS)["schedule_verdicts"].values():
        assert ruling["text"] in said


def test_every_lever_is_measured_or_says_why_not() -> None:
    found = told(LEVERS)
    assert found["levers"].keys() == levers.LEVERS.keys()
    for name, row in found["levers"].items():
        assert ("verdict" in row) != bool(row.get("why_not")), name
    assert "images" in found["levers"]["channels_last"]["why_not"]
    for name in ("fused", "inference_mode", "workers", "int8", "pruning", "checkpointing"):
        assert found["levers"][name]["with"]["median"] > 0
    shown: Any = figures.levers(found["levers"]).data
    assert sum(len(t.x) for t in shown) == sum("verdict" in r for r in found["levers"].values())


def test_the_script_pulls_every_lever_and_trains_every_schedule() -> None:
    printed = reproduced(LEVERS)
    for name, row in told(LEVERS)["levers"].items():
        if "why_not" in row:
            assert f"{name} was not tried: {row['why_not']}" in printed
        else:
            assert f"\n{name}: without" in printed
    for name in told(LEVERS)["schedules"]:
        assert f"\n{name}: loss" in printed


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float64"])
def test_the_script_is_made_for_any_device_and_kind_of_number(device: str, precision: str) -> None:
    code = speed.to_code(LEVERS.replace(device=device, precision=precision, model="cnn"))
    names = {n.name for n in ast.parse(code).body if isinstance(n, ast.FunctionDef)}
    assert {lever.pair.__name__ for lever in levers.LEVERS.values()} <= names


@pytest.mark.parametrize("name", [n for n, one in levers.LEVERS.items() if one.comparable and not one.lossy])  # fmt: skip
def test_a_lever_that_only_makes_it_faster_leaves_the_result_as_it_is(name: str) -> None:
    image = QUICK.replace(model="cnn", size=16, precision="float64", optimizer="Adam")
    found = levers.LEVERS[name].pair(levers.start(image))
    if isinstance(found, str):  # it takes a GPU
        assert not machine.has("cuda")
        assert "GPU" in found
    else:
        assert switches.difference(*found) == pytest.approx(0, abs=1e-9)


def test_int8_and_pruning_do_change_the_result() -> None:
    rows = told(LEVERS)["levers"]
    assert 1e-4 < rows["int8"]["difference"] < 0.1
    assert 0.1 < rows["pruning"]["difference"] < 2
    (_, thin), (_, model) = made("pruning")
    zeros = [
        (module.weight == 0).double().mean().item()
        for module in model.modules()
        if isinstance(module, torch.nn.Linear)
    ]
    assert zeros == pytest.approx([0.9] * len(zeros), abs=0.01)
    assert thin().shape == (QUICK.batch_size, 10)


def test_checkpointing_holds_less_and_gives_the_same_gradients() -> None:
    spec = QUICK.replace(depth=8, batch_size=64)
    plain, again = (footprint.steady(spec, how=how) for how in ("plain", "checkpointed"))
    assert isinstance(plain, memory.Trace)
    assert again.peak < plain.peak
    calls, (mine, theirs) = made("checkpointing", spec)
    for call in calls:
        call()
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_images_get_the_memory_format_and_the_largest_batch_no_larger_one() -> None:
    image = Spec(model="cnn", width=16, depth=1, size=16, batch_size=2)
    assert len(pair("channels_last", image)) == len(pair("batch", QUICK.replace(batch_size=1024)))
    largest = levers.LEVERS["batch"].pair(levers.start(QUICK.replace(batch_size=1025)))
    assert isinstance(largest, str)


def test_four_times_the_batch_beyond_memory_is_left_out_with_its_estimate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = limits.estimate(LEVERS, LEVERS.replace(batch_size=16))
    monkeypatch.setattr(limits, "available", lambda device: both - 1)
    row = levers._pulled(LEVERS, levers.LEVERS["batch"], levers.start(LEVERS))
    assert "needs about" in row["why_not"]
    monkeypatch.setattr(limits, "available", lambda device: both)
    assert limits.refusal((LEVERS, LEVERS.replace(batch_size=16))) == ""


def test_what_a_device_lacks_is_told_and_the_other_levers_go_on() -> None:
    def broken(start: switches.Start) -> Any:
        raise NotImplementedError("The operator 'aten::x' is not implemented for this device.")

    row = levers._pulled(LEVERS, levers.Lever("t", "a", broken), levers.start(LEVERS))
    assert row["why_not"].startswith("It failed here: The operator 'aten::x'")


def test_sources_of_the_levers_are_those_that_ran() -> None:
    code = speed.to_code(LEVERS)
    for lever in levers.LEVERS.values():
        assert export.source(lever.pair) in code


@pytest.mark.accelerator
def test_what_needs_a_gpu_is_measured_on_one_and_changes_nothing() -> None:
    if machine.has("cuda"):
        found = told(LEVERS.replace(device="cuda"))["levers"]
        for name in ("pinned", "graphs", "fused"):
            assert found[name]["difference"] == pytest.approx(0, abs=1e-5), found[name]
        assert "CPU only" in found["int8"]["why_not"]
