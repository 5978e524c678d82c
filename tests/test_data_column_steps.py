"""Transforms of columns: measured on training rows alone, and the same for every other row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from models.data import column_steps
from models.data.column_steps import (
    Common,
    Embedding,
    Fill,
    Log,
    Mean,
    Median,
    MinMax,
    OneHot,
    SignedLog,
    Standardise,
)

VALUES = pd.Series([3.0, 1.0, 4.0, 1.0, 5.0, 900.0], name="x")
TRAIN = np.array([0, 1, 2, 3])


@pytest.mark.parametrize(
    ("step", "theirs"), [(Standardise(), StandardScaler()), (MinMax(), MinMaxScaler())]
)
def test_scaling_is_that_of_scikit_learn_fitted_on_the_training_rows(step, theirs):
    *_, ours = column_steps.through(VALUES, [step], TRAIN)
    rows = VALUES.to_numpy()[:, None]
    np.testing.assert_allclose(ours, theirs.fit(rows[TRAIN]).transform(rows)[:, 0])


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=3, max_size=12),
    st.floats(-1e9, 1e9),
)
def test_rows_outside_of_training_change_nothing_in_it(values: list[float], other: float):
    table = pd.DataFrame({"x": [*values, 0.0]})
    changed = pd.DataFrame({"x": [*values, other]})
    train = np.arange(len(values))
    for chain in ([Median(), Standardise()], [Mean(), MinMax()], [Common(), SignedLog()]):
        first, _, _ = column_steps.prepared(table, {"x": chain}, train)
        again, _, _ = column_steps.prepared(changed, {"x": chain}, train)
        torch.testing.assert_close(first[train], again[train])
        assert not first[train].isnan().any()


def test_missing_values_become_what_training_says():
    column = pd.Series([1.0, np.nan, 2.0, 6.0, np.nan, 100.0])
    train = np.array([0, 1, 2, 3])
    filled = {
        type(step).__name__: list(column_steps.through(column, [step], train))[-1].iloc[4]
        for step in (Mean(), Median(), Common(), Fill(7.0))
    }
    assert filled == {"Mean": 3.0, "Median": 2.0, "Common": 1.0, "Fill": 7.0}
    words = pd.Series(["a", None, "b", "b", None], dtype="object")
    *_, last = column_steps.through(words, [Common()], np.arange(4))
    assert list(last) == ["a", "b", "b", "b", "b"]


def test_a_column_without_any_training_value_becomes_zero():
    column = pd.Series([np.nan, np.nan, 5.0])
    for chain in ([Mean(), Standardise()], [Median(), MinMax()]):
        *_, last = column_steps.through(column, chain, np.array([0, 1]))
        assert list(last[:2]) == [0.0, 0.0]


def test_the_logarithms_and_what_they_undo():
    column = pd.Series([1.0, np.e, 1e6])
    np.testing.assert_allclose(Log().fit(column)(column), [0.0, 1.0, np.log(1e6)])
    both = pd.Series([-3.0, 0.0, 3.0])
    signed = SignedLog().fit(both)(both)
    np.testing.assert_allclose(signed, [-np.log(4), 0.0, np.log(4)])


def test_one_hot_and_embedding_know_only_the_words_of_training():
    column = pd.Series(["b", "a", "b", "c", None, "zebra"], dtype="category")
    train = np.array([0, 1, 2, 3])
    *_, hot = column_steps.through(column, [OneHot(2)], train)
    assert list(hot) == ["a", "b"]  # the two most frequent; of equally frequent ones the first
    assert hot.to_numpy().tolist() == [[0, 1], [1, 0], [0, 1], [0, 0], [0, 0], [0, 0]]
    *_, index = column_steps.through(column, [Embedding(3)], train)
    assert index.tolist() == [2, 1, 2, 3, 0, 0]


def test_numbers_as_words_lose_their_needless_zero():
    column = pd.Series([1.0, 2.5, np.nan], dtype="float32")
    assert column_steps.as_words(column).tolist()[:2] == ["1", "2.5"]
    assert column_steps.as_words(column).isna().tolist() == [False, False, True]


def test_a_network_sees_numbers_and_behind_them_the_vector_of_each_index():
    table = pd.DataFrame({"n": [1.0, 2.0], "w": ["x", "y"]})
    x, index, names = column_steps.prepared(table, {"n": [], "w": [Embedding(2)]}, np.arange(2))
    vectors = torch.nn.Embedding(3, 2)
    seen = column_steps.with_vectors(x, index, [vectors])
    assert names == ["n"]
    torch.testing.assert_close(seen, torch.cat([x, vectors.weight[index[:, 0]]], 1))
