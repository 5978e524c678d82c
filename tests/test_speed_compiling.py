"""Compile: the arithmetic of break-even, breaks at their line, a real compilation, and none where no compiler is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from components.figures import speed as figures
from models import speed
from models.speed import Spec, compiling, subject
from tests.speed_cases import COMPILE, QUICK, reproduced, told


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


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


def test_without_a_compiler_the_reason_is_a_sentence_and_nothing_stays_on_the_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = told(COMPILE)
    assert "Install g++" in found["problem"]
    assert "no-such-compiler" in found["detail"]
    assert [line for _, line in found["breaks"]] == ["if x.mean() > 0:"]
    assert list(tmp_path.iterdir()) == []
    printed = reproduced(COMPILE)  # its interpreter has no compiler either
    assert "torch.compile does not work here" in printed
    assert "at: if x.mean() > 0:" in printed


def test_missing_headers_and_anything_else_have_their_own_sentence() -> None:
    headers = compiling._problem(RuntimeError("fatal error: Python.h: No such file"))
    assert "python3-dev" in headers
    assert "gave up" in compiling._problem(RuntimeError("something else"))


def test_memory_that_runs_out_while_compiling_is_no_problem_of_the_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(model: Any) -> Any:
        return torch.empty(2**60, dtype=torch.uint8)  # an exabyte

    monkeypatch.setattr(torch, "compile", full)
    with pytest.raises(speed.SpecError, match="memory ran out"):
        list(speed.train(QUICK.replace(part="compile")))


def test_a_model_that_compiles_to_itself_never_breaks_even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda model: model)
    found = told(QUICK.replace(part="compile"))
    assert found["problem"] == ""
    assert found["difference"] == 0
    assert found["verdict"]["kind"] == "same" or found["break_even"] is None or found["extra"] > 0
    samples = found["samples"]
    drawn: Any = figures.break_even(
        found["firsts"], samples["eager"]["median"], samples["compiled"]["median"], None
    ).data
    assert drawn[1].y[0] == pytest.approx(found["firsts"][0])


def test_the_break_even_chart_crosses_where_the_arithmetic_says() -> None:
    paid = compiling.break_even(8.003 - 0.004, 0.003, 0.001)
    fig: Any = figures.break_even([8.0, 0.001, 0.001, 0.001], 0.003, 0.001, paid)
    eager, compiled = fig.data
    cross = fig.layout.shapes[0].x0
    assert cross == pytest.approx((8.003 - 0.004) / 0.002)
    for n, slow, fast in zip(eager.x, eager.y, compiled.y, strict=True):
        if n > 4:
            assert (slow > fast) == (n > cross)
    hidden: Any = figures.break_even([8.0, 0.001, 0.001, 0.001], 0.003, 0.001, None)
    assert (
        not hidden.layout.shapes
    )  # where the noise is larger than the gain, no line says otherwise


@pytest.mark.parametrize("program", compiling.PROGRAMS)
def test_the_compile_script_holds_the_program_that_ran(program: str) -> None:
    code = speed.to_code(Spec(part="compile", program=program))
    ast.parse(code)
    kind = compiling.PROGRAMS[program]
    assert kind is None or f"model = {kind.__name__}(model)" in code
