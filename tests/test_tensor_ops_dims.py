"""Names of dims: read from comments, and carried by who made which cell."""

import pytest
import torch

from models import tensor_ops
from models.tensor_ops import Spec, dims


def named(spec: Spec) -> dict[str, tuple[str, ...]]:
    result = tensor_ops.run(spec)
    given = dims.given(spec.shelf_text, result.before)
    return dims.carried(given, result.before, result.outputs, result.links)


CUBE = "a = torch.arange(24.0).reshape(2, 3, 4)  # batch, row, column"


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("a.permute(2, 0, 1)", ("column", "batch", "row")),
        ("a.transpose(1, 2)", ("batch", "column", "row")),
        ("a.sum(1)", ("batch", "column")),
        ("a.sum(1, keepdim=True)", ("batch", "", "column")),
        ("a.softmax(dim=2)", ("batch", "row", "column")),
        ("a.flip(1)", ("batch", "row", "column")),
        ("a.cumsum(dim=0)", ("batch", "row", "column")),
        ("a[1]", ("row", "column")),
        ("a.unsqueeze(0) * 2", ("", "batch", "row", "column")),
        ("a.flatten(1)", ("batch", "")),
        ("a @ a.transpose(1, 2)", ("batch", "", "")),  # row with row: neither is the dim of a alone
        ("a[:, 1:, ::2]", ("batch", "row", "column")),
        ("a.reshape(6, 4)", ("", "column")),
        ("a.repeat(1, 2, 1)", ("batch", "", "column")),
    ],
)
def test_an_output_dim_has_the_name_of_the_dim_it_moves_with(
    expression: str, names: tuple[str, ...]
) -> None:
    assert named(Spec(shelf=CUBE, expression=expression)) == {"result": names}


def test_a_square_matrix_is_told_by_its_cells_and_not_by_its_shape() -> None:
    spec = Spec(shelf="a = torch.arange(9.0).reshape(3, 3)  # row, column", expression="a.T")
    assert named(spec) == {"result": ("column", "row")}


def test_names_of_both_factors_meet_in_a_product() -> None:
    shelf = "a = torch.rand(2, 3)  # sample, feature\nb = torch.rand(3, 4)  # feature, unit"
    assert named(Spec(shelf=shelf, expression="a @ b")) == {"result": ("sample", "unit")}


def test_every_output_of_a_split_and_of_a_sort_is_named() -> None:
    shelf = "a = torch.rand(4, 2)  # row, column"
    assert named(Spec(shelf=shelf, expression="a.split(2)")) == {
        "result[0]": ("row", "column"),
        "result[1]": ("row", "column"),
    }
    assert named(Spec(shelf=shelf, expression="a.sort(dim=0)")) == {
        "values": ("row", "column"),
        "indices": ("row", "column"),
    }


@pytest.mark.parametrize(
    "note",
    ["", "  # row", "  # row, column, depth", "  # row, row", "  # 1, 2", "  # a remark of mine, see page 7 (x)"],
)  # fmt: skip
def test_a_comment_that_does_not_name_every_dim_is_a_comment(note: str) -> None:
    shelf = f"a = torch.ones(2, 3){note}"
    assert dims.given(shelf, {"a": torch.ones(2, 3)}) == {}
    assert dims.given("a = torch.ones(2, 3)  # row, column", {"a": torch.ones(2, 3)})


def test_large_tensors_keep_names_where_the_shape_is_the_same() -> None:
    spec = Spec(op="relu", shelf="a = torch.ones(100, 100)  # row, column")
    assert tensor_ops.run(spec).links is None
    assert named(spec) == {"result": ("row", "column")}
    assert named(Spec(op="relu", shelf="a = torch.tensor(1.0)")) == {}
