"""Shelves: numbers written out and read back, cells changed, files taken in; guesses; what the comparison runs."""

import math

import numpy as np
import pytest
import torch

from components.figures import tensors as figures
from models import tensor_ops
from models.core.spec import SpecError
from models.data import workspace
from models.tensor_ops import Spec, compare, create, guess


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([[0.1, -2.5], [math.inf, math.nan]]),
        torch.tensor([1, -(2**62)]),
        torch.tensor([True, False]),
        torch.tensor([1.5], dtype=torch.float64),
        torch.tensor([3], dtype=torch.uint8),
        torch.tensor([0.1, 300.0], dtype=torch.bfloat16),
        torch.tensor(7.0),
        torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(0)),
    ],
)
def test_a_tensor_written_out_is_read_back_to_the_bit(tensor: torch.Tensor) -> None:
    back = create.build(f"a = {create.literal(tensor)}")["a"]
    assert back.dtype == tensor.dtype
    assert torch.equal(back.nan_to_num(9e9), tensor.nan_to_num(9e9))


TYPED = {
    "2.5": (torch.zeros(2), 2.5),
    "−3": (torch.zeros(2), -3.0),
    "1e3": (torch.zeros(2), 1000.0),
    "nan": (torch.zeros(2), math.nan),
    "-inf": (torch.zeros(2), -math.inf),
    "7": (torch.zeros(2, dtype=torch.int64), 7),
    "true": (torch.zeros(2, dtype=torch.bool), True),
}


@pytest.mark.parametrize("typed", TYPED)
def test_a_typed_number_replaces_one_cell(typed: str) -> None:
    tensor, want = TYPED[typed]
    text = create.changed("a = torch.zeros(2)\nb = a + 1", "a", tensor, 1, typed)
    shelf = create.build(text)
    assert text.splitlines()[1] == "b = a + 1"
    assert shelf["a"][0] == 0
    assert str(shelf["a"][1].item()) == str(want)


@pytest.mark.parametrize(
    "typed", ["", "x", "1 + ", "a", "[1]", "torch.ones(2)", "__import__('os')"]
)
def test_what_is_no_number_is_refused(typed: str) -> None:
    with pytest.raises(SpecError, match="is no number"):
        create.changed("a = torch.zeros(2)", "a", torch.zeros(2), 0, typed)


def test_a_whole_number_tensor_takes_only_whole_numbers_that_fit() -> None:
    small = torch.zeros(2, dtype=torch.int8)
    with pytest.raises(SpecError, match="whole numbers"):
        create.changed("a = b", "a", small, 0, "2.5")
    with pytest.raises(SpecError, match="does not fit"):
        create.changed("a = b", "a", small, 0, "128")
    assert "127" in create.changed("a = b", "a", small, 0, "127")


@pytest.fixture
def kept(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))

    def keep(content: bytes, name: str) -> str:
        path = tmp_path / "upload"
        path.write_bytes(content)
        return workspace.put(path, name)

    return keep


def npy(array: np.ndarray, tmp_path) -> bytes:
    path = tmp_path / "array.npy"
    np.save(path, array, allow_pickle=True)
    return path.read_bytes()


def test_numpy_files_and_tables_become_lines_of_the_shelf(kept, tmp_path) -> None:
    line = create.line_for(kept(npy(np.arange(6.0).reshape(2, 3), tmp_path), "x.npy"), ("a",))
    assert line.startswith('b = npy("')
    torch.testing.assert_close(
        create.build(line)["b"], torch.arange(6.0, dtype=torch.float64).reshape(2, 3)
    )
    line = create.line_for(kept(b"name,x,y\nann,1,2\nbob,3,4\n", "t.csv"), ())
    torch.testing.assert_close(create.build(line)["a"], torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    for other in (b"x;y\n1;2\n3;4\n", b"\xef\xbb\xbfx\ty\n1\t2\n3\t4\n"):
        again = create.line_for(kept(other, "u.csv"), ())
        torch.testing.assert_close(create.build(again)["a"], create.build(line)["a"])
    alone = create.line_for(kept(b"x\n1\n2\n", "one.csv"), ())
    torch.testing.assert_close(create.build(alone)["a"], torch.tensor([[1.0], [2.0]]))
    script = tensor_ops.to_code(Spec(shelf=line, expression="a + 1"))
    assert 'a = csv("t.csv", 6)' in script


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"\x93NUMPY\x01\x00broken", "x.npy", "no NumPy file"),
        (b"hello", "x.npy", "no NumPy file"),
        (b"words,only\na,b\n", "t.csv", "no column of numbers"),
        (b"", "t.csv", "cannot be read"),
        (b"<svg/>", "x.png", "not an image"),
    ],
)
def test_files_without_numbers_are_refused(kept, content: bytes, name: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        create.line_for(kept(content, name), ())


def test_pickled_objects_and_huge_headers_are_refused_before_anything_is_read(
    kept, tmp_path
) -> None:
    with pytest.raises(SpecError, match="pickled"):
        create.line_for(kept(npy(np.array([{}], dtype=object), tmp_path), "x.npy"), ())
    claimed = npy(np.zeros(3), tmp_path).replace(b"(3,)", b"(9999999999,)")
    claimed = claimed.replace(b" " * 9 + b"\n", b"\n", 1)  # the header keeps its length
    with pytest.raises(SpecError, match="80 GB"):
        create.line_for(kept(claimed, "y.npy"), ())


def test_a_link_to_data_that_is_not_here_says_so_and_the_code_is_still_shown() -> None:
    spec = Spec(shelf=f'a = npy("{"0" * 64}")', expression="a + 1")
    with pytest.raises(SpecError, match="not on this server"):
        tensor_ops.run(spec)
    assert "0" * 64 in tensor_ops.to_code(spec)


OUT = (("result", torch.tensor([[1.5, 2.0], [3.0, 4.0]])),)
GUESSES = [
    ("2, 2", "", OUT, True, "Right"),
    ("(2, 2)", "1.5", OUT, True, "right too"),
    ("2x2", "9", OUT, False, "not 9"),
    ("4", "", OUT, False, "it is (2, 2)"),
    ("error", "", OUT, False, "It works"),
    ("error", "", None, True, "it fails"),
    ("2", "", None, False, "It fails"),
    ("", "", OUT, False, "No guess"),
    ("what", "", OUT, False, "no shape"),
    ("scalar", "3", (("result", torch.tensor(3.0)),), True, "Right"),
    ("2", "true", (("result", torch.tensor([True, False])),), True, "right too"),
    ("1", "nan", (("result", torch.tensor([math.nan])),), True, "right too"),
]


@pytest.mark.parametrize(("shape", "value", "outputs", "right", "words"), GUESSES)
def test_a_guess_is_judged(shape: str, value: str, outputs, right: bool, words: str) -> None:
    first = outputs[0][1].reshape(-1)[0].item() if outputs else None
    verdict = guess.judge(shape, value, outputs, "an error", first)
    assert verdict.right is right
    assert words in verdict.words


def test_what_the_comparison_runs_is_true() -> None:
    assert compare.collatz(6) == [6, 3, 10, 5, 16, 8, 4, 2, 1]
    value, slope = compare.branching_gradient(1.2)
    step = 1e-3
    up, down = compare.branching_gradient(1.2 + step)[0], compare.branching_gradient(1.2 - step)[0]
    assert slope == pytest.approx((up - down) / (2 * step), rel=1e-2)
    assert value > 0
    assert "cannot be multiplied" in compare.failing_line()
    assert "meta" in compare.mixed_devices("meta")
    assert all(row[3].startswith("https://") for row in compare.TABLE)


def test_the_race_is_drawn_with_its_noise() -> None:
    rows = [
        {
            "lane": lane,
            "size": n,
            "median": 1e-3,
            "low": 9e-4,
            "high": 2e-3,
            "transfer": lane * 1e-3,
        }
        for lane in (0, 1)
        for n in (16, 64)
    ]
    fig = figures.race(rows, {"lanes": ["cpu", "cuda:0"], "sizes": [16, 64]})
    drawn = fig.to_dict()["data"]
    assert [t["name"] for t in drawn] == ["cpu", "cuda:0", "cuda:0 with transfer"]
    assert list(drawn[0]["error_y"]["array"]) == pytest.approx([1.0, 1.0])
    assert list(drawn[2]["y"]) == pytest.approx([2.0, 2.0])


def test_a_grid_is_written_to_the_shelf_and_comments_and_other_lines_stay() -> None:
    text = "a = torch.ones(2, 2)  # row, column\nb = a.T"
    new = create.grid(text, "a", [[1.0, 2.0], [3.0, 4.5], [5.0, 6.0]])
    assert new == "a = torch.tensor([[1.0, 2.0], [3.0, 4.5], [5.0, 6.0]])  # row, column\nb = a.T"
    assert create.build(new)["b"].shape == (2, 3)
    assert create.grid(text, "c", [7, 8], torch.int64).endswith("\nc = torch.tensor([7, 8])")
    twice = "a = torch.ones(2)\na = a + 1"
    assert create.grid(twice, "a", [5.0]) == "a = torch.ones(2)\na = torch.tensor([5.0])"


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([[1.0, math.nan]], "row 0, column 1 is empty"),
        ([[1.0], [None]], "row 1, column 0 is empty"),
        ([], "1 to 400 cells, not 0"),
        ([[0.0] * 401], "not 401"),
    ],
)
def test_a_grid_with_a_hole_or_without_a_size_says_so(rows: list, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        create.grid("a = torch.ones(2)", "a", rows)
    assert create.grid("a = torch.ones(2)", "a", [[0.0] * 400])


def test_a_changed_cell_keeps_the_comment_that_names_the_dims() -> None:
    text = "a = torch.zeros(1, 2)  # row, column"
    new = create.changed(text, "a", torch.zeros(1, 2), 1, "3")
    assert new == "a = torch.tensor([[0.0, 3.0]])  # row, column"
    assert create.comment("image('a#b')  # c, d") == "c, d"
    assert create.comment("torch.ones(2)") == ""


def test_to_copies_only_where_it_has_to() -> None:
    same, away, other = compare.moves(["cpu", "meta"])
    assert same == ('a.to("cpu")', "cpu", "the very tensor a", 0)
    assert away[1:] == ("meta", "a new tensor", 0)
    assert other == ("a.to(torch.float64)", "cpu", "a new tensor", 8000)
