"""Every registered operation against torch: its result, who made which cell, its export, and its failing call."""

import contextlib
import io
import math
import random

import pytest
import torch
from torch.nn import functional as F

from models import expressions, tensor_ops
from models.core import export
from models.core.spec import SpecError
from models.tensor_ops import OPS, Spec, registry

EVERY = sorted(OPS)
RESULTS = {name: tensor_ops.run(Spec(op=name)) for name in EVERY}


def python(spec: Spec) -> object:
    """The same shelf and operation by Python itself."""
    names = {"torch": torch, "F": F, "math": math}
    for line in spec.shelf_text.splitlines():
        exec(line, names)
    return eval(spec.code, names)


def test_the_registry_holds_at_least_120_operations_of_every_family() -> None:
    assert len(OPS) >= 120
    assert {len(ops) > 2 for ops in registry.families().values()} == {True}
    for op in OPS.values():
        assert op.sentence[-1] in ".?"
        assert op.docs.startswith("https://docs.pytorch.org/")


@pytest.mark.parametrize(
    "name", [n for n in EVERY if n != "index"]
)  # brackets have no page of their own
def test_the_documentation_that_is_linked_is_of_a_function_that_pytorch_documents(
    name: str,
) -> None:
    path = OPS[name].docs.removeprefix("https://docs.pytorch.org/docs/stable/generated/")
    found: object = torch
    for part in path.removesuffix(".html").split(".")[1:]:
        found = getattr(found, part)
    assert len((found.__doc__ or "").strip()) > 20


@pytest.mark.parametrize("name", EVERY)
def test_the_result_is_what_python_gets_from_the_same_code(name: str) -> None:
    mine, theirs = RESULTS[name].value, python(Spec(op=name))
    if isinstance(theirs, (tuple, list)):
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, equal_nan=True)
    else:
        torch.testing.assert_close(mine, theirs, equal_nan=True)


@pytest.mark.parametrize("name", EVERY)
def test_the_failing_call_is_explained_in_a_sentence_and_the_example_beside_it_works(
    name: str,
) -> None:
    op = OPS[name]
    with pytest.raises(SpecError) as caught:
        tensor_ops.run(tensor_ops.failing(op))
    assert op.fails.says in str(caught.value)
    assert RESULTS[name].outputs


@pytest.mark.parametrize("name", EVERY)
def test_the_export_prints_the_numbers_of_the_page(name: str) -> None:
    spec = Spec(op=name)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tensor_ops.to_code(spec), name, "exec"), {"__name__": "__main__"})
    want = tensor_ops.numbers(RESULTS[name])
    got = export.numbers(printed.getvalue())
    assert want.keys() == got.keys()
    torch.testing.assert_close(
        torch.tensor(list(got.values())), torch.tensor(list(want.values())), equal_nan=True
    )


def flat(value: object) -> torch.Tensor:
    parts = [t.detach().double().reshape(-1) for _, t in tensor_ops._outputs(value)]
    return torch.cat(parts)


def runner(name: str):
    call = expressions.function(RESULTS[name].code)
    op = OPS[name]

    def run(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        given = {n: t.clone() for n, t in tensors.items()}
        if op.triangle:  # torch reads the lower triangle only
            given = {n: t.tril() + t.tril(-1).mT for n, t in given.items()}
        return flat(call(given))

    return run


@pytest.mark.parametrize("name", EVERY)
def test_cells_that_are_not_linked_never_change_the_output(name: str) -> None:
    """Soundness, by other changes than those the links were found with."""
    result, run = RESULTS[name], runner(name)
    assert result.links is not None
    dice = random.Random(name)
    base = run(dict(result.before))
    for tensor, links in result.links.items():
        for cell in range(result.before[tensor].numel()):
            linked = set(links.output[links.input == cell].tolist())
            for _ in range(3):
                changed = result.before[tensor].clone().contiguous()
                at = changed.view(-1)
                if changed.dtype == torch.bool:
                    at[cell] = not at[cell]
                elif changed.is_floating_point():
                    at[cell] = dice.uniform(-3, 3)
                else:
                    at[cell] = dice.randint(0, 2)
                try:
                    after = run({**result.before, tensor: changed})
                except (RuntimeError, IndexError):
                    continue
                if after.shape != base.shape or name in MOVES:
                    continue  # a change that moves other cells' places; see the next test
                moved = ((after - base).abs() > 1e-6) | (after.isnan() != base.isnan())
                assert set(moved.nonzero().reshape(-1).tolist()) <= linked


# operations where another value of one cell writes or shows another place: their links are told exactly below
MOVES = {
    "scatter", "scatter_add", "scatter_reduce", "index_add", "index_copy", "index_fill", "bincount", "histc",
    "nonzero", "unique", "mask", "masked_select",
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in EVERY if OPS[n].family != "dtypes"])
def test_weights_are_the_slopes_that_finite_differences_measure(name: str) -> None:
    result, run = RESULTS[name], runner(name)
    assert result.links is not None
    decimals = {
        n: t.double().contiguous() if t.is_floating_point() else t for n, t in result.before.items()
    }
    step = 1e-6
    middle = run(decimals)
    for tensor, links in result.links.items():
        if not decimals[tensor].is_floating_point():
            continue
        for cell in range(decimals[tensor].numel()):
            up, down = decimals[tensor].contiguous().clone(), decimals[tensor].contiguous().clone()
            up.view(-1)[cell] += step
            down.view(-1)[cell] -= step
            try:
                right = (run({**decimals, tensor: up}) - middle) / step
                left = (middle - run({**decimals, tensor: down})) / step
            except RuntimeError:
                continue
            if right.shape != left.shape:
                continue
            smooth = ((right - left).abs() < 1e-3 * (1 + right.abs())) & (right.abs() < 1e4)
            weight = torch.zeros_like(middle)
            mine = links.input == cell
            weight[links.output[mine].long()] = links.weight[mine].double()
            told = smooth & ~weight.isnan() & ~right.isnan()
            torch.testing.assert_close(
                weight[told], (right[told] + left[told]) / 2, rtol=2e-3, atol=2e-3
            )


ELEMENTWISE = ["arithmetic", "maths", "comparison", "rounding", "logic"]


@pytest.mark.parametrize(
    "name",
    [n for n in EVERY if OPS[n].family in ELEMENTWISE and n not in ("equal", "isin", "where")],
)
def test_cell_by_cell_operations_link_exactly_the_broadcast_cells(name: str) -> None:
    result = RESULTS[name]
    assert result.links is not None
    out = result.outputs[0][1]
    for tensor, links in result.links.items():
        source = result.before[tensor]
        cells = torch.arange(source.numel()).reshape(source.shape).expand(out.shape).reshape(-1)
        assert links.output.tolist() == list(range(out.numel()))
        assert links.input.tolist() == cells.tolist()


@pytest.mark.parametrize(
    "name",
    [n for n in EVERY if OPS[n].family in ("reductions",) and n not in ("equal", "quantile")],
)
def test_reductions_link_exactly_the_cells_of_their_slice(name: str) -> None:
    result = RESULTS[name]
    assert result.links is not None
    a = result.before["a"]
    dim = int(OPS[name].values()["dim"] or -1)
    cells = torch.arange(a.numel()).reshape(a.shape).movedim(dim, -1).reshape(-1, a.shape[dim])
    links = result.links["a"]
    for out in range(sum(t.numel() for _, t in result.outputs)):
        want = cells[out % len(cells)].tolist()
        assert links.input[links.output == out].tolist() == sorted(want)


@pytest.mark.parametrize(
    "name", [n for n in EVERY if OPS[n].family == "shape" and n not in ("tril", "triu", "diag")]
)
def test_moved_cells_show_the_very_number_of_the_one_cell_they_came_from(name: str) -> None:
    result = RESULTS[name]
    assert result.links is not None
    ((tensor, links),) = result.links.items()
    out = flat(result.value)
    assert links.output.tolist() == list(range(out.numel()))
    assert (links.weight == 1).all()
    torch.testing.assert_close(out, result.before[tensor].double().reshape(-1)[links.input.long()])


def pairs(name: str, tensor: str) -> set[tuple[int, int]]:
    found = RESULTS[name].links
    assert found is not None
    return set(zip(found[tensor].output.tolist(), found[tensor].input.tolist(), strict=True))


def test_matrix_products_link_row_and_column_with_the_other_factor_as_weight() -> None:
    result = RESULTS["matmul"]
    assert result.links is not None
    a, b = result.before["a"], result.before["b"]
    assert pairs("matmul", "a") == {
        (i * 2 + j, i * 3 + k) for i in range(2) for j in range(2) for k in range(3)
    }
    links = result.links["a"]
    for out, cell, weight in zip(
        links.output.tolist(), links.input.tolist(), links.weight.tolist(), strict=True
    ):
        assert weight == pytest.approx(b[cell % 3, out % 2].item())  # a zero factor keeps its link
    assert pairs("matmul", "b") == {
        (i * 2 + j, k * 2 + j) for i in range(2) for j in range(2) for k in range(3)
    }
    assert a.numel() == 6


def test_selections_link_the_cell_that_was_taken_and_the_one_that_chose_it() -> None:
    b = RESULTS["gather"].before["b"]
    assert pairs("gather", "a") == {(o, (o // 2) * 3 + int(b.view(-1)[o])) for o in range(4)}
    assert pairs("gather", "b") == {(o, o) for o in range(4)}
    m = RESULTS["where"].before["m"].reshape(-1).tolist()
    assert pairs("where", "a") == {(o, o) for o in range(6) if m[o]}
    assert pairs("where", "b") == {(o, o % 3) for o in range(6) if not m[o]}
    assert pairs("where", "m") == {(o, o) for o in range(6)}
    taken = RESULTS["mask"].before["m"].reshape(-1).nonzero().reshape(-1).tolist()
    assert pairs("mask", "a") == pairs("mask", "m") == set(enumerate(taken))
    filled = RESULTS["masked_fill"].before["m"].reshape(-1).tolist()
    assert pairs("masked_fill", "a") == {(o, o) for o in range(6) if not filled[o]}


def test_sorting_gives_weight_one_to_the_cell_that_moved_and_none_to_those_compared() -> None:
    result = RESULTS["sort"]
    assert result.links is not None
    links, order = result.links["a"], result.value.indices
    for out in range(6):
        mine = links.output == out
        row = out // 3
        assert links.input[mine].tolist() == [row * 3, row * 3 + 1, row * 3 + 2]
        moved = links.input[mine][links.weight[mine] == 1].tolist()
        assert moved == [row * 3 + int(order.view(-1)[out])]
    places = links.weight[links.output >= 6]
    assert places.isnan().all()


def test_written_places_counts_and_unique_values_name_their_cells() -> None:
    assert pairs("scatter", "b") == {(0, 0), (2, 1), (4, 2), (3, 3)} == pairs("scatter", "c")
    assert (
        pairs("scatter_add", "b") == {(0, 0), (2, 1), (4, 2), (4, 3)} == pairs("scatter_add", "c")
    )
    assert pairs("index_fill", "b") == {(0, 0), (3, 0), (2, 1), (5, 1)}
    assert pairs("bincount", "a") == {(0, 0), (1, 1), (1, 2), (1, 4), (3, 3)}
    assert pairs("unique", "a") == {(0, 1), (0, 4), (0, 5), (1, 3), (2, 0), (2, 2)}
    assert pairs("nonzero", "a") == {(0, 1), (1, 1), (2, 2), (3, 2), (4, 5), (5, 5)}
    assert len(pairs("histc", "a")) == 6


def test_a_view_chain_and_several_steps_are_linked_too() -> None:
    spec = Spec(shelf="a = torch.arange(6.0).reshape(2, 3)\nb = a.T", expression="(a @ b).sum(0)")
    result = tensor_ops.run(spec)
    assert result.links is not None
    assert [s.text for s in result.steps] == ["a", "b", "a @ b", "(a @ b).sum(0)"]
    assert set(result.links) == {"a", "b"}


def test_in_place_operations_name_everyone_who_saw_the_change() -> None:
    assert RESULTS["add_"].changed == ("a", "b")
    assert RESULTS["mul_"].changed == ("a", "b")
    assert RESULTS["add"].changed == ()
    torch.testing.assert_close(RESULTS["add_"].before["a"], torch.arange(1.0, 7.0).reshape(2, 3))


def test_the_export_runs_in_a_fresh_interpreter(tmp_path) -> None:
    shelf = "n = np.array([[1.0, 2.0], [3.0, 4.0]])\na = torch.from_numpy(n)\nb = torch.empty(2)\nc = torch.rand(2, 2) + table('iris', 2)[:, :2]"
    spec = Spec(
        shelf=shelf,
        expression="(a.float() @ c).softmax(dim=-1) + F.relu(b).nan_to_num(0.5)",
        seed=3,
    )
    got = export.numbers(export.run(tensor_ops.to_code(spec), tmp_path))
    want = tensor_ops.numbers(tensor_ops.run(spec))
    assert got.keys() == want.keys()
    for key, number in want.items():
        assert got[key] == pytest.approx(number, rel=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning")  # std of one number and the like
@pytest.mark.parametrize(
    "shelf",
    [
        "x = torch.tensor(2.0)",
        "x = torch.zeros(0, 3)\ny = torch.ones(3)",
        "x = torch.arange(6).reshape(2, 3)\nz = torch.tensor([[True, False, True], [False, True, False]])",
        "x = torch.tensor([1 + 2j, 3j])",
        "x = torch.ones(1, 1, 1, 1, 1)",
        "x = torch.tensor([200, 3], dtype=torch.uint8)\ny = torch.tensor([2, 0], dtype=torch.uint8)",
        "x = torch.tensor([-128, 5], dtype=torch.int8)\ny = torch.tensor([1.5, 6e4], dtype=torch.float16)",
    ],
)
def test_any_operation_on_any_shelf_gives_a_result_or_a_sentence(shelf: str) -> None:
    worked = 0
    for name in EVERY:
        with contextlib.suppress(SpecError):  # anything else fails the test
            tensor_ops.numbers(tensor_ops.run(Spec(op=name, shelf=shelf)))
            worked += 1
    assert worked > 20


BAD_SHELVES = {
    "a": "name = expression",
    "A = torch.ones(2)": "cannot be a tensor's name",
    "torch = torch.ones(2)": "taken",
    "# nothing": "empty",
    "a = open('x')": "not offered here",
    "a = 'text'": "not a tensor",
    "a = torch.zeros(10**12)": "4 TB",
    "a = b": "no name",
    "\n".join(f"a{i} = torch.ones(1)" for i in range(9)): "most is 8",
    "a = digit(5000)": "1796",
    "a = photo('/etc/passwd')": "china",
    "a = np.zeros(10**12)": "million",
    "a = np.load('x')": "not offered here",
    "a = np.ones(3).tofile('x')": "no method",
}


@pytest.mark.parametrize("shelf", BAD_SHELVES)
def test_a_shelf_that_cannot_be_made_says_why(shelf: str) -> None:
    with pytest.raises(SpecError) as caught:
        tensor_ops.run(Spec(shelf=shelf, expression="1 + 1"))
    assert BAD_SHELVES[shelf] in str(caught.value)
    assert tensor_ops.run(Spec(shelf="a = torch.ones(2)", expression="a + 1")).outputs


def test_a_shelf_of_ones_own_keeps_the_example_parameters_that_fit() -> None:
    assert (
        Spec(op="gather", shelf="x = torch.ones(2, 2)\ny = torch.zeros(2, 2).long()").code
        == "torch.gather(x, dim=1, index=y)"
    )
    assert Spec(op="softmax", shelf="x = torch.ones(2, 2)").code == "torch.softmax(x, dim=1)"
    assert (
        Spec(op="cat", shelf="x = torch.ones(2, 2)\ny = torch.ones(2, 2)").code
        == "torch.cat([x, y])"
    )
    assert Spec(op="index", shelf="x = torch.ones(2, 2)").code == "x[1:, ::2]"


def test_unknown_parameters_are_named() -> None:
    with pytest.raises(SpecError, match="no parameter 'axis'"):
        Spec(op="sum", params="axis=1")
    with pytest.raises(SpecError, match="need their names"):
        Spec(op="sum", params="1")
    assert Spec(op="sum", params="dim=0, keepdim=True").code == "torch.sum(a, dim=0, keepdim=True)"


def test_search_finds_operations_by_name_and_by_meaning() -> None:
    assert registry.find("softmax")[0].name == "softmax"
    assert "gather" in [op.name for op in registry.find("index")]
    assert registry.find("zzzz") == ()
    assert len(registry.find("")) == len(OPS)
