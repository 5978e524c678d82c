"""No cell is claimed that made nothing: every link held against changing one cell at a time, for what takes an index."""

from __future__ import annotations

import itertools

import pytest
import torch

from models import expressions, tensor_ops
from models.tensor_ops import Spec, create

SHELF = """a = torch.tensor([[1.5, -2.25, 3.5], [4.75, 5.5, -6.5], [7.25, 8.5, 9.75]])
b = torch.tensor([[10.0, 20.0, 30.0], [40.0, 50.0, 60.0], [70.0, 80.0, 90.0]])
j = torch.tensor([[0, 1, 1], [2, 0, 1]])
k = torch.tensor([0, 2, 2])
q = torch.tensor([[True, False, True], [False, True, True], [False, False, True]])
w = torch.tensor([0.5, 1.5, 2.5])"""

CORE = (
    "{d}.gather(0, j)", "{d}.gather(1, j)", "torch.gather({d}, 0, j)", "{d}.take(j)", "torch.take({d}, k)",
    "{d}.take_along_dim(j, 0)", "{d}.index_select(0, k)", "{d}.index_select(1, k)", "torch.index_select({d}, 0, k)",
    "{d}.scatter(0, j, b)", "{d}.scatter_add(0, j, b)", "torch.scatter_add({d}, 1, j, b)",
    "{d}.scatter_reduce(0, j, b, 'sum')", "{d}.index_add(0, k, b)", "{d}.index_add(1, k, b)", "{d}.index_copy(0, k, b)",
    "{d}.index_fill(0, k, 7.0)", "{d}.masked_fill(q, 0.0)", "torch.masked_fill({d}, q, 9.0)", "torch.where(q, {d}, b)",
    "{d}.where(q, b)", "torch.where(q, b, {d})", "F.embedding(k, {d})", "{d}[k]", "{d}[:, k]", "{d}[j[:, 0], j[:, 1]]",
    "{d}[k, k]", "{d}[q]", "{d}.masked_select(q)", "F.cross_entropy({d}, k)", "F.nll_loss({d}, k)",
    "{d}.index_put((k,), b[0])",
)  # fmt: skip
DATA = ("a", "(a * 2)", "a.T", "(a - b / 10)", "a.sigmoid()")
AFTER = ("", ".sum(0)", " * 3")
CASES = [f"{core.format(d=d)}{after}" for core, d, after in itertools.product(CORE, DATA, AFTER)]


@pytest.mark.parametrize("text", CASES)
def test_data_cells_are_claimed_where_a_change_of_one_is_seen_and_nowhere_else(text: str) -> None:
    """A decimal cell belongs to the output cells that change when it alone is changed."""
    links = tensor_ops.run(Spec(shelf=SHELF, expression=text)).links
    assert links is not None
    # in float64, where no change is lost beside a larger number
    tensors = {
        n: t.double() if t.is_floating_point() else t for n, t in create.build(SHELF).items()
    }
    before = expressions.evaluate(text, tensors).value.reshape(-1)
    for name in {"a", "b"} & set(links):
        claimed = {
            (int(o), int(i)) for o, i in zip(links[name].output, links[name].input, strict=True)
        }
        seen = set()
        for cell in range(tensors[name].numel()):
            for step in (0.37, -0.29):
                moved = tensors[name].clone()
                moved.view(-1)[cell] += step
                after = expressions.evaluate(text, {**tensors, name: moved}).value.reshape(-1)
                seen |= {(int(o), cell) for o in (after != before).nonzero()}
        assert claimed == seen
        assert not links[name].weight.isnan().any()


INDEX = {  # expression → by name, (output, input) cells that an index or mask cell decides
    "a.gather(0, j)": {"j": {(i, i) for i in range(6)}},
    "a.take(j)": {"j": {(i, i) for i in range(6)}},
    "(a * 2).take_along_dim(j, 0)": {"j": {(i, i) for i in range(6)}},
    "a[k]": {"k": {(3 * i + c, i) for i in range(3) for c in range(3)}},
    "F.embedding(k, a)": {"k": {(3 * i + c, i) for i in range(3) for c in range(3)}},
    "a[j[:, 0], j[:, 1]]": {"j": {(0, 0), (0, 1), (1, 3), (1, 4)}},
    "a.masked_fill(q, 0.0)": {"q": {(i, i) for i in range(9)}},
    "torch.where(q, a, b)": {"q": {(i, i) for i in range(9)}},
    "torch.bincount(k, w)": {"k": {(0, 0), (2, 1), (2, 2)}, "w": {(0, 0), (2, 1), (2, 2)}},
    "a.index_add(0, k, b)": {"k": {(r * 3 + c, i) for i, r in enumerate((0, 2, 2)) for c in range(3)}},
    "torch.unique(k, return_counts=True)": {"k": {(0, 0), (1, 1), (1, 2), (2, 0), (3, 1), (3, 2)}},
    "torch.unique(k, return_inverse=True)": {"k": {(0, 0), (1, 1), (1, 2), (2, 0), (3, 1), (4, 2)}},
}  # fmt: skip


@pytest.mark.parametrize("text", INDEX)
def test_an_index_cell_belongs_to_the_places_that_it_decides(text: str) -> None:
    links = tensor_ops.run(Spec(shelf=SHELF, expression=text)).links
    assert links is not None
    for name, cells in INDEX[text].items():
        found = zip(links[name].output.tolist(), links[name].input.tolist(), strict=True)
        assert set(found) == cells


def test_weights_are_exact_where_autograd_has_no_rule_for_the_shapes() -> None:
    links = tensor_ops.run(Spec(shelf=SHELF, expression="a.scatter_add(0, j, b)")).links
    assert links is not None
    assert torch.equal(links["b"].weight, torch.ones_like(links["b"].weight))
