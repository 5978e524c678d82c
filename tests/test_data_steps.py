"""The steps from a table to tensors agree with scikit-learn, on training rows only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import LabelEncoder, MinMaxScaler, OneHotEncoder, StandardScaler

from models.data import steps

NAN = float("nan")


def some(rows: int = 40, columns: int = 3) -> torch.Tensor:
    return 5 + 3 * torch.randn(rows, columns, generator=torch.Generator().manual_seed(1))


def test_standard_is_scikit_learns() -> None:
    x = some()
    shift, scale = steps.standard(x)
    expected = StandardScaler().fit_transform(x.double().numpy())
    torch.testing.assert_close(
        (x - shift) / scale, torch.tensor(expected).float(), atol=1e-5, rtol=1e-5
    )


def test_min_max_is_scikit_learns() -> None:
    x = some()
    low, width = steps.min_max(x)
    torch.testing.assert_close(
        (x - low) / width, torch.tensor(MinMaxScaler().fit_transform(x.numpy()))
    )


@pytest.mark.parametrize("fit", [steps.standard, steps.min_max])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e30])
def test_a_column_that_never_changes_becomes_zero(fit, value: float) -> None:
    x = torch.full((1000, 1), value)
    shift, scale = fit(x)
    torch.testing.assert_close((x - shift) / scale, torch.zeros_like(x))


def test_gaps_are_filled_as_scikit_learn_fills_them() -> None:
    x = some()
    x[::3, 0] = NAN
    x[1::2, 2] = NAN
    filled = steps.filled(x, steps.mean_fill(x))
    expected = SimpleImputer(strategy="mean").fit_transform(x.double().numpy())
    torch.testing.assert_close(filled, torch.tensor(expected).float())
    odd = torch.tensor([[3.0], [1.0], [NAN], [2.0]])  # an odd number of values has one middle
    assert steps.median_fill(odd) == 2
    assert steps.mean_fill(torch.tensor([[NAN]])) == steps.median_fill(torch.tensor([[NAN]])) == 0


def test_gaps_are_marked_as_scikit_learn_marks_them() -> None:
    x = some()
    x[::3, 0] = NAN
    x[1::2, 2] = NAN
    gaps = steps.gaps_in(x)
    assert gaps == [0, 2]
    marked = steps.filled(steps.mark_gaps(x, gaps), torch.zeros(5))
    expected = SimpleImputer(strategy="constant", fill_value=0, add_indicator=True).fit_transform(x)
    torch.testing.assert_close(marked, torch.tensor(expected))
    assert steps.column_names(["a", "b", "c"], {}, gaps)[3:] == ["a was missing", "c was missing"]
    whole = some()
    assert torch.equal(steps.mark_gaps(whole, steps.gaps_in(whole)), whole)


def test_one_hot_is_scikit_learns() -> None:
    column = pd.Series(["b", "a", "c", "a", None], dtype="category")
    table = pd.DataFrame({"w": column, "n": np.array([1, 2, NAN, 4, 5], "float32")})
    values = steps.common_values(table.loc[:, ["w"]], torch.arange(5), 10)
    assert values == {"w": ["a", "b", "c"]}
    encoded = steps.encode(table, values)
    words = column.astype("object").to_numpy()[:4].reshape(-1, 1)
    expected = torch.tensor(OneHotEncoder(sparse_output=False).fit_transform(words)).float()
    torch.testing.assert_close(encoded[:4, :3], expected)
    assert encoded[4, :3].tolist() == [0, 0, 0]
    torch.testing.assert_close(encoded[:, 3], torch.tensor([1, 2, NAN, 4, 5]), equal_nan=True)


def test_only_the_most_frequent_words_get_a_column_and_ties_go_by_alphabet() -> None:
    table = pd.DataFrame({"w": list("ddccbba")})
    rows = torch.arange(7)
    assert steps.common_values(table, rows, 2) == {"w": ["b", "c"]}
    assert steps.common_values(table, rows, 3) == {"w": ["b", "c", "d"]}
    assert steps.common_values(table.astype("category"), rows, 2) == {"w": ["b", "c"]}
    assert steps.common_values(table.astype("category"), rows[4:], 9) == {"w": ["a", "b"]}


@given(st.lists(st.sampled_from(["yes", "no", "Zürich", "zz"]), min_size=1))
def test_classes_are_numbered_as_scikit_learn_does(words: list[str]) -> None:
    encoder = LabelEncoder()
    expected = np.asarray(encoder.fit_transform(words))
    for kind in ("object", "category", "str"):
        names, y = steps.class_numbers(pd.Series(words, dtype=kind))
        assert names == np.asarray(encoder.classes_).tolist()
        assert y.tolist() == expected.tolist()


def test_numbers_as_classes_keep_their_names() -> None:
    names, y = steps.class_numbers(pd.Series([3, 1.5, 3, -2], dtype="float32"))
    assert names == ["-2", "1.5", "3"]
    assert y.tolist() == [2, 1, 2, 0]


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=200),
    st.floats(0, 0.45),
    st.floats(0, 0.45),
    st.integers(0, 2**31 - 1),
)
def test_a_split_has_every_row_once_and_every_group_its_share(
    groups: list[int], val: float, test: float, seed: int
) -> None:
    labels = torch.tensor(groups)
    parts = steps.split(labels, val, test, seed)
    assert torch.cat(parts).sort().values.tolist() == list(range(len(groups)))
    assert all(torch.equal(part, part.sort().values) for part in parts)
    for group in labels.unique():
        size = int((labels == group).sum())
        assert abs(int((labels[parts[1]] == group).sum()) - val * size) <= 0.5
        assert abs(int((labels[parts[2]] == group).sum()) - test * size) <= 0.5


def test_a_split_repeats_with_its_seed_and_differs_with_another() -> None:
    groups = torch.zeros(100)
    first, again, other = (steps.split(groups, 0.2, 0.2, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_an_added_row_moves_at_most_one_row_between_any_two_parts() -> None:
    before, after = (set(steps.split(torch.zeros(n), 0.2, 0.2, 0)[0].tolist()) for n in (100, 101))
    assert len(before ^ after) <= 3


def test_rows_removed_leave_all_others_where_they_were() -> None:
    parts = steps.split(torch.zeros(50), 0.2, 0.2, 0)
    left = steps.without([3, 40], *parts)
    assert [set(p.tolist()) - {3, 40} for p in parts] == [set(p.tolist()) for p in left]


def test_added_points_stand_behind_and_keep_the_types() -> None:
    points, y = steps.append_points(torch.zeros(2, 2), torch.tensor([0, 1]), [(0.5, -1, 1)])
    assert points.tolist() == [[0, 0], [0, 0], [0.5, -1]]
    assert (y.tolist(), y.dtype) == ([0, 1, 1], torch.int64)
    y = steps.append_points(torch.zeros(1, 2), torch.tensor([0.5]), [(0, 0, -0.25)])[1]
    assert y.tolist() == [0.5, -0.25]
