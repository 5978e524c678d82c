"""Properties, memory, broadcasting, written-out sums, search by shape, and the race between devices."""

import math
import time

import pytest
import torch

from models import tensor_ops
from models.core.spec import SpecError
from models.tensor_ops import OPS, Spec, create, properties, search, sums, timing


def test_properties_are_what_the_tensor_itself_says() -> None:
    a = torch.arange(12, dtype=torch.int16).reshape(3, 4)[:, 1::2]
    told = {p.name: p.value for p in properties.describe(a)}
    assert told["shape"] == str(tuple(a.shape))
    assert told["stride()"] == str(a.stride())
    assert told["storage_offset()"] == "1"
    assert told["is_contiguous()"] == "False"
    assert told["nbytes"] == "12"
    assert "-32768 to 32767" in next(p.means for p in properties.describe(a) if p.name == "dtype")


VIEWS = {
    "a.T": lambda a: a.T,
    "a[:, ::2]": lambda a: a[:, ::2],
    "a[1]": lambda a: a[1],
    "a[:, :1].expand(3, 5)": lambda a: a[:, :1].expand(3, 5),
    "a.unfold(1, 2, 1)": lambda a: a.unfold(1, 2, 1),
    "a.diagonal()": lambda a: a.diagonal(),
    "a[0, 0]": lambda a: a[0, 0],
    "a[:0]": lambda a: a[:0],
}


@pytest.mark.parametrize("text", VIEWS)
def test_the_path_through_memory_reads_exactly_the_views_numbers(text: str) -> None:
    a = torch.arange(12.0).reshape(3, 4)
    view = VIEWS[text](a)
    (storage,) = properties.memory({"a": a, "v": view})
    path = storage.views[1].path
    assert [storage.values[i] for i in path] == view.reshape(-1).tolist()


def test_memory_tells_who_shares_with_whom() -> None:
    shelf = create.build(
        "n = np.array([[1.0, 2.0], [3.0, 4.0]])\na = torch.from_numpy(n)\nb = a.T\nc = b.reshape(-1)\nd = a.reshape(-1)"
    )
    tensors = {k: v for k, v in shelf.items() if isinstance(v, torch.Tensor)}
    found = properties.memory(tensors, {"n": shelf["n"]})
    assert [sorted(v.name for v in s.views) for s in found] == [["a", "b", "d", "n"], ["c"]]
    assert properties.shares(tensors["a"], tensors["b"])
    assert not properties.shares(tensors["a"], tensors["c"])
    assert not properties.shares(tensors["a"][0], tensors["a"][1])


def test_a_summary_counts_every_cell_and_sets_apart_what_is_not_finite() -> None:
    a = torch.tensor([[1.0, 2.0, torch.nan], [torch.inf, 0.0, 5.0]])
    s = properties.summarise(a)
    assert (s.nan, s.inf, s.zeros) == (1, 1, 1)
    assert (s.low, s.high, s.mean) == (0.0, 5.0, 2.0)
    assert s.counts.sum().item() == 4
    assert s.std == pytest.approx(torch.tensor([1.0, 2.0, 0.0, 5.0]).std(correction=0).item())
    for odd in (
        torch.zeros(0),
        torch.tensor([torch.nan]),
        torch.tensor(True),
        torch.tensor([3, 3]),
    ):
        assert properties.summarise(odd).counts.sum().item() == odd.isfinite().sum().item()


def test_a_large_tensor_is_summarised_in_time() -> None:
    a = torch.randn(4096, 4096, generator=torch.Generator().manual_seed(0))
    start = time.process_time()
    s = properties.summarise(a)
    picture = properties.thumbnail(a)
    properties.window(a, 4000, 5000)
    assert time.process_time() - start < 1.5  # 0.15 s of one idle core
    assert s.counts.sum().item() == a.numel()
    assert s.std == pytest.approx(a.std().item(), rel=1e-4)
    torch.testing.assert_close(picture[0, 0], a[:32, :32].mean(), rtol=1e-4, atol=1e-5)


def test_a_window_stays_inside() -> None:
    a = torch.arange(400.0).reshape(20, 20)
    torch.testing.assert_close(properties.window(a, 99, 99, 4), a[16:, 16:])
    torch.testing.assert_close(properties.window(a, -5, 3, 4), a[:4, 3:7])
    assert properties.window(torch.tensor(1.0), 0, 0).shape == (1, 1)


SHAPES = [
    [(2, 3), (3,)], [(2, 1, 3), (5, 1)], [(1,), (4,)], [(), (2, 2)], [(2, 3), (4,)], [(3, 2), (2, 3)],
    [(0, 3), (1, 3)], [(2, 3, 4), (3, 4), (4,)], [(5,), (5,), (6,)], [(2, 2)],
]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES)
def test_alignment_agrees_with_torch(shapes: list[tuple[int, ...]]) -> None:
    found = sums.align(shapes)
    try:
        want = tuple(torch.broadcast_shapes(*shapes))
    except RuntimeError:
        assert found.failed is not None
        sizes = {row[found.failed] for row in found.rows} - {None, 1}
        assert len(sizes) > 1
    else:
        assert found.failed is None
        assert found.result == want


PRODUCTS = {
    "matmul": [(2, 3), (3, 4)], "mm": [(2, 3), (3, 1)], "bmm": [(2, 2, 3), (2, 3, 2)], "mv": [(2, 3), (3,)],
    "dot": [(3,), (3,)], "outer": [(2,), (3,)], "@": [(2, 2, 3), (3, 2)], "einsum": [(2, 3), (3, 4)],
    "tensordot": [(2, 3), (3, 2)],
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_written_terms_add_up_to_the_result_of_torch(name: str) -> None:
    op, shapes = OPS[name], PRODUCTS[name]
    a, b = (torch.arange(math.prod(s)).reshape(s).double() - 2 for s in shapes)
    values = op.values()
    want = tensor_ops.expressions.evaluate(op.code(), {"a": a, "b": b}).value
    found = sums.terms(sums.equation(op, values, shapes), shapes)
    assert found is not None
    product = (
        a.reshape(-1)[found.operands[:, 0].long()] * b.reshape(-1)[found.operands[:, 1].long()]
    )
    total = torch.zeros(want.numel(), dtype=torch.float64).index_add_(
        0, found.output.long(), product
    )
    torch.testing.assert_close(total, want.reshape(-1))
    text = sums.written(found, 0, [a, b])
    assert text.endswith(f"= {want.reshape(-1)[0].item():g}")


def test_sums_with_an_ellipsis_or_too_many_terms_are_not_written_out() -> None:
    assert sums.terms("...ij,jk->...ik", [(2, 3), (3, 4)]) is None
    assert sums.terms("ij,jk->ik", [(64, 64), (64, 64)]) is None
    assert sums.terms("ii->", [(3, 3)]) is not None


FOUND = {
    "2, 3 -> 3, 2": {"reshape", "permute", "transpose", "t", "view"},
    "2,3 ; 3,4 -> 2,4": {"matmul", "mm", "einsum", "@"},
    "2,3 → 2": {"sum", "mean", "max", "argmax", "select"},
    "3 -> 3,1": {"unsqueeze", "reshape"},
    "(2,3), (2,3) -> 4,3": {"cat", "vstack"},
    "1,3 -> 5,3": {"expand", "repeat", "broadcast_to"},
    "2,3 -> scalar": {"sum", "mean", "any"},
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # std of one number and the like
@pytest.mark.parametrize("text", FOUND)
def test_search_by_shape_finds_operations_that_really_give_it(text: str) -> None:
    found = search.find(text)
    assert FOUND[text] <= {op.name for op, _ in found}
    inputs, out = search.parse(text)
    shelf = "\n".join(f"{n} = torch.ones({s})" for n, s in zip("ab", inputs, strict=False))
    for op, params in found:
        value = tensor_ops.run(Spec(op=op.name, shelf=shelf, params=params), links=False).outputs[
            0
        ][1]
        assert tuple(value.shape) == out


@pytest.mark.parametrize("text", ["", "2,3", "a -> b", "2 -> -1", "9999,9999 -> 1", "1;1;1 -> 1"])
def test_a_search_that_cannot_be_read_says_how_to_write_it(text: str) -> None:
    with pytest.raises(SpecError, match=r"arrow|shape"):
        search.find(text)


def test_promotion_is_asked_of_torch() -> None:
    table = properties.promotions()
    assert table["int64", "float16"] == "float16"
    assert table["uint8", "int8"] == "int16"
    assert len(table) == 100


def test_the_race_measures_every_lane_and_size_and_does_not_rank_noise() -> None:
    spec = timing.Spec(op="add", largest=256, seconds=0.05)
    shots = list(timing.train(spec))
    rows = [dict(r) for s in shots for r in s.rows]
    assert shots[-1].final
    assert {r["size"] for r in rows} == {16, 64, 128, 256}
    assert {r["lane"] for r in rows} == set(range(len(timing.lanes())))
    for row in rows:
        assert 0 < row["low"] <= row["median"] <= row["high"]
    clear = [
        {"lane": 0, "size": n, "low": 1.0, "high": 1.1, "median": 1.05, "transfer": 0.0}
        for n in (16, 64)
    ] + [
        {"lane": 1, "size": 16, "low": 0.9, "high": 1.2, "median": 1.0, "transfer": 0.0},
        {"lane": 1, "size": 64, "low": 0.4, "high": 0.5, "median": 0.45, "transfer": 0.7},
    ]
    assert timing.crossover(clear, 0, 1, transfer=False) == 64
    assert timing.crossover(clear, 0, 1, transfer=True) is None
