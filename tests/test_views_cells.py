"""What the cells view is sent, and its layout's laws in Node; tests/browser/test_tensors.py runs the same laws in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from components.views import cells, memory
from models import tensor_ops
from models.core import wire
from models.tensor_ops import Spec, properties, sums
from tests.node import NODE, broken

if NODE:  # the browser test holds the same laws on machines without Node

    def test_layout_holds_its_laws(tmp_path: Path) -> None:
        assert broken("cells_laws", "cells", tmp_path) == ""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What the views hand to the browser."""
    seen: list[dict] = []

    def view(name, data, **how):
        seen.append({"name": name, **data, **how, "bytes": len(wire.dumps(data))})
        return {}

    monkeypatch.setattr("components.views.mount.view", view)
    return seen


def test_links_and_terms_name_the_tensors_as_they_are_drawn(sent: list[dict]) -> None:
    spec = Spec(op="matmul")
    result = tensor_ops.run(spec)
    names, terms = tensor_ops.products(spec, result.before)
    shown = [cells.Shown(n, t) for n, t in result.before.items()]
    shown += [cells.Shown(n, t, "output") for n, t in result.outputs]
    cells.cells(shown, result.links, key="k", sign="s", terms=terms, factors=names)
    (data,) = sent
    assert [t["name"] for t in data["tensors"]] == ["a", "b", "result"]
    assert {link["tensor"] for link in data["links"]} == {0, 1}
    assert data["terms"]["tensors"] == [0, 1]
    assert "a of shape (2, 3)" in data["alt"]
    assert "covered" not in data["alt"]


def test_the_failing_dim_reaches_the_picture(sent: list[dict]) -> None:
    shapes = {"a": torch.ones(2, 3), "b": torch.ones(4)}
    cells.cells(
        [cells.Shown(n, t) for n, t in shapes.items()], {}, key="k", sign="s",
        alignment=sums.align([t.shape for t in shapes.values()]), aligned=("a", "b"),
    )  # fmt: skip
    assert sent[0]["align"]["failed"] == 1
    assert sent[0]["align"]["tensors"] == [0, 1]


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(4096, 4096, generator=torch.Generator().manual_seed(0)),
        torch.full((3, 50, 50), torch.nan),
        torch.arange(5000),
        torch.zeros(2000, dtype=torch.bool),
        torch.zeros(40, 40, 2, dtype=torch.complex64),
    ],
)
def test_a_large_tensor_travels_as_its_summary(sent: list[dict], tensor: torch.Tensor) -> None:
    cells.cells([cells.Shown("a", tensor, at=(4090, 99999))], None, key="k", sign="s")
    large = sent[0]["tensors"][0]["large"]
    assert sent[0]["tensors"][0]["values"] == []
    assert sent[0]["bytes"] < 100_000
    assert f"{tensor.numel():,} cells" in large["text"]
    rows, columns = large["window"].shape
    assert 0 <= large["at"][0] <= large["plane"][0] - rows
    assert 0 <= large["at"][1] <= large["plane"][1] - columns


def test_nan_infinity_and_large_whole_numbers_arrive_as_they_are(sent: list[dict]) -> None:
    odd = torch.tensor([torch.nan, torch.inf, 2.0**53])
    cells.cells([cells.Shown("a", odd)], None, key="k", sign="s")
    got = sent[0]["tensors"][0]["values"]
    assert got.dtype == torch.float64
    torch.testing.assert_close(got, odd.double(), equal_nan=True)


def test_the_memory_view_is_sent_every_path(sent: list[dict]) -> None:
    a = torch.arange(6.0).reshape(2, 3)
    (storage,) = properties.memory({"a": a, "b": a.T})
    memory.memory(storage, key="k")
    assert [v["path"] for v in sent[0]["views"]] == [[0, 1, 2, 3, 4, 5], [0, 3, 1, 4, 2, 5]]
    assert sent[0]["values"] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
