"""Compile and the other levers: the arithmetic of break-even, breaks at their line, honest refusals."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from components.figures import speed as figures
from models import speed
from models.core import wire
from models.speed import Spec, compiling, levers, machine, subject
from tests.test_speed import reproduced

QUICK = Spec(part="levers", width=16, depth=1, batch_size=4, seconds=0.1)


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@functools.cache
def quick() -> dict[str, Any]:
    return told(QUICK)


def told(spec: Spec) -> dict[str, Any]:
    *_, last = speed.train(spec)
    return wire.loads(last.blobs["result"])


# ---- compile ----


def test_breaking_even_is_where_both_have_spent_the_same() -> None:
    calls = compiling.break_even(extra=10.0, eager=0.003, compiled=0.001)
    assert calls is not None
    assert calls == pytest.approx(5000)
    assert calls * 0.003 == pytest.approx(10 + calls * 0.001)
    assert compiling.break_even(10.0, 0.001, 0.001) is None
    assert compiling.break_even(10.0, 0.001, 0.002) is None


@pytest.mark.parametrize(
    ("program", "count", "line"),
    [
        ("whole", 0, ""),
        ("print", 1, 'print("forward saw", tuple(x.shape))'),
        ("item", 1, "scale = x.abs().max().item()"),
        ("branch", 1, "if x.mean() > 0:"),
    ],
)
def test_graph_breaks_are_found_at_the_line_that_causes_them(
    program: str, count: int, line: str
) -> None:
    spec = QUICK.replace(program=program)
    made = subject.make(spec)
    graphs, found = compiling.breaks(compiling.wrapped(spec, made.model), made.x)
    assert len(found) == count
    assert graphs == count + 1 or program == "print"  # before the print there is hardly anything
    if count:
        assert found[0][1] == line


def test_where_nothing_compiles_the_reason_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: Any) -> Any:
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", refuse)
    found = told(QUICK.replace(part="compile"))
    assert "Install g++" in found["problem"]
    assert "No working C++" in found["detail"]
    assert found["graphs"] == 1
    assert compiling.numbers(found)["loss"] == found["loss"]


def test_a_model_that_compiles_to_itself_never_breaks_even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda model: model)
    found = told(QUICK.replace(part="compile"))
    assert found["problem"] == ""
    assert found["difference"] == 0
    assert found["verdict"]["kind"] == "same" or found["break_even"] is None or found["extra"] > 0
    samples = found["samples"]
    drawn: Any = figures.break_even(
        found["firsts"], samples["eager"]["median"], samples["compiled"]["median"]
    ).data
    assert drawn[1].y[0] == pytest.approx(found["firsts"][0])


def test_the_break_even_chart_crosses_where_the_arithmetic_says() -> None:
    fig: Any = figures.break_even([8.0, 0.001, 0.001, 0.001], 0.003, 0.001)
    eager, compiled = fig.data
    cross = fig.layout.shapes[0].x0
    assert cross == pytest.approx((8.003 - 0.004) / 0.002)
    for n, slow, fast in zip(eager.x, eager.y, compiled.y, strict=True):
        if n > 4:
            assert (slow > fast) == (n > cross)


@pytest.mark.parametrize("program", compiling.PROGRAMS)
def test_the_compile_script_holds_the_program_that_ran(program: str) -> None:
    code = speed.to_code(Spec(part="compile", program=program))
    ast.parse(code)
    kind = compiling.PROGRAMS[program]
    assert kind is None or f"model = {kind.__name__}(model)" in code


# ---- levers ----


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
    at.session_state["told"] = quick()
    at.run()
    assert not at.exception
    tried = sum("verdict" in row for row in quick()["levers"].values())
    assert f"Of {tried} levers tried here" in at.markdown[0].value
    assert len(at.dataframe[0].value) == tried
    assert any("CUDA graphs** was not tried" in m.value for m in at.markdown) != machine.has("cuda")


def test_every_lever_is_measured_or_says_why_not(tmp_path: Path) -> None:
    found = quick()
    assert found["levers"].keys() == levers.LEVERS.keys()
    for name, row in found["levers"].items():
        assert ("verdict" in row) != bool(row.get("why_not")), name
    assert "images" in found["levers"]["channels_last"]["why_not"]
    for name in ("fused", "inference_mode", "workers", "int8", "pruning"):
        assert found["levers"][name]["with"]["median"] > 0
    shown: Any = figures.levers(found["levers"]).data
    assert sum(len(t.x) for t in shown) == sum("verdict" in r for r in found["levers"].values())
    for row in found["schedules"].values():
        assert row["first"] == found["loss"]  # the same weights
        assert row["steps"] > 0
    reproduced(QUICK, tmp_path, found)


def test_images_get_the_memory_format_and_the_largest_batch_no_larger_one() -> None:
    image = Spec(model="cnn", width=16, depth=1, size=16, batch_size=2)
    assert not isinstance(levers.LEVERS["channels_last"].pair(image), str)
    assert isinstance(levers.LEVERS["batch"].pair(QUICK.replace(batch_size=4096)), str)


def test_a_schedule_ends_where_its_name_says() -> None:
    rates = {name: [s.rate(t) for t in (0.0, 0.5, 1.0)] for name, s in levers.SCHEDULES.items()}
    assert rates["constant"] == [1, 1, 1]
    assert rates["cosine"] == pytest.approx([1, 0.5, 0])
    assert rates["warm-up, then linear"] == pytest.approx([0, 0.5, 0])


@pytest.mark.accelerator
def test_what_needs_a_gpu_is_measured_on_one() -> None:
    spec = QUICK.replace(device="cuda" if machine.has("cuda") else "cpu")
    for name in ("pinned", "graphs"):
        assert not isinstance(levers.LEVERS[name].pair(spec), str)
