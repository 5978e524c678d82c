"""An index followed through the Dataset classes: the lines that ran, in their order, with the values that were there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from models import datasets
from models.datasets import flow
from tests.image_cases import kept, noise


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def spec() -> datasets.Spec:
    files = {f"{'cat' if i % 2 else 'dog'}/{i}.png": noise(i) for i in range(8)}
    return datasets.Spec(data=kept(files), side=32)


def words(one: flow.Flow, style: str) -> list[str]:
    code = flow.source(style).split("\n")
    return [code[step.line].strip() for step in one.steps]


def value(step: flow.Step, name: str) -> str:
    return next(v.text for v in step.values if v.name == name)


def test_an_index_lights_the_lines_of_getitem_and_decode_in_the_order_they_ran(spec: datasets.Spec):
    _, length, first, again = flow.flows("lazy", spec, 5)
    ran = words(first, "lazy")
    assert ran[:4] == [
        "def __getitem__(self, index: int) -> tuple[Tensor, int]:",
        "process = os.getpid()",
        "if process not in self.opened:  # every worker opens the file for itself",
        "self.opened = {process: zipfile.ZipFile(self.path)}",
    ]
    assert ran[4] == "def decode(data: bytes, side: int) -> Tensor:"
    assert ran[-1].startswith("return self.transform(pixels)")
    assert ran[3] not in words(again, "lazy")  # open already
    assert length.steps[-1].said == "returns 8"


def test_the_values_are_those_of_the_class_itself(spec: datasets.Spec):
    made = datasets.parts(spec)
    _, _, first, _ = flow.flows("lazy", spec.replace(transforms=""), 5)
    pixels, label = made.data[5]
    said = f"uint8 (3, 32, 32), {int(pixels.min())} to {int(pixels.max())}"
    assert value(first.steps[-1], "pixels") == said
    assert first.steps[-1].said == f"returns ({said}, {label})"
    read = next(s for s in first.steps if s.inside == "decode")
    assert value(read, "data").startswith(f"{len(noise(5)):,} bytes: 89 50 4e 47")


def test_only_what_a_line_changes_is_marked(spec: datasets.Spec):
    _, _, first, _ = flow.flows("lazy", spec, 0)
    opened = first.steps[3]
    assert [v.name for v in opened.values if v.changed] == ["self.opened"]
    assert not [v for v in first.steps[2].values if v.changed]  # an `if` changes nothing


@pytest.mark.parametrize("style", flow.STYLES)
def test_every_class_is_followed_to_what_it_serves(style: str, spec: datasets.Spec):
    rows = flow.source(style).split("\n")
    made, length, first, _ = flow.flows(style, spec, 3)
    assert made.call.startswith("data = ")
    assert all(0 <= step.line < len(rows) for step in (*made.steps, *first.steps))
    assert "float32 (3, 32, 32)" in first.steps[-1].said
    if style == "iterable":
        assert "has no len()" in length.steps[-1].said
        assert first.steps[-1].said.startswith("yields")
    else:
        assert length.steps[-1].said == "returns 8"


def test_a_class_that_reads_everything_gets_a_part_of_a_large_set(
    spec: datasets.Spec, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(flow, "MOST_READ", 4)
    _, length, first, _ = flow.flows("eager", spec.replace(transforms=""), 7)
    assert length.steps[-1].said == "returns 4"
    assert first.call == "data[3]"  # the last of those four, as it was of the eight
    pixels, label = datasets.parts(spec).data[7]
    assert f"{int(pixels.min())} to {int(pixels.max())}, {label})" in first.steps[-1].said


def test_what_a_call_raises_is_its_end_and_tracing_is_over_afterwards():
    def half(n: int) -> int:
        small = n // 2
        raise ValueError(f"no {small}")

    before = sys.gettrace()
    result, found = flow.traced(
        lambda: half(6), "half(6)", {half.__code__: -half.__code__.co_firstlineno}
    )
    assert result is None
    assert sys.gettrace() is before
    assert [s.line for s in found.steps] == [0, 1, 2]
    assert found.steps[1].values[-1] == flow.Value("small", "3", True)
    assert found.steps[-1].said == "raises ValueError: no 3"


def test_a_long_loop_keeps_its_first_rounds_and_counts_the_others():
    def total(n: int) -> int:
        found = 0
        for i in range(n):
            found += i
        return found

    places = {total.__code__: -total.__code__.co_firstlineno}
    result, found = flow.traced(lambda: total(100), "total(100)", places)
    assert result == 4950
    assert found.steps[-1].said == "returns 4950"
    assert len(found.steps) + found.left_out == 1 + 1 + 101 + 100 + 1
    assert len(found.steps) < 12


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (torch.zeros(2, 3), "float32 (2, 3), 0 to 0"),
        (torch.zeros(0), "float32 (0,)"),
        ("/somewhere/secret/content", "'…/content'"),
        ("x" * 500, "'" + "x" * 59 + " … " + "x" * 19 + "'"),
        ({"a": 1, "b": 2, "c": 3}, "3 entries {'a': 1, 'b': 2, …}"),
        (b"", "0 bytes:  …"),
    ],
)
def test_values_are_said_in_few_words_and_without_places_of_the_server(given: object, words: str):
    assert flow.described(given) == words
