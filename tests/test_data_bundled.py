"""Bundled sets are scikit-learn's own, value by value."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import datasets

from models.data import bundled


@pytest.mark.parametrize("name", bundled.BUNDLED)
def test_a_bundled_table_is_the_original(name: str) -> None:
    about, table = bundled.BUNDLED[name], bundled.table(name)
    options = {} if name != "diabetes" else {"scaled": False}
    raw = getattr(datasets, about.loader)(**options)
    inputs = table.drop(columns=about.target)
    assert np.array_equal(inputs.to_numpy(), raw.data.astype("float32"))
    assert list(inputs.columns) == [str(n) for n in raw.feature_names]
    target = table[about.target]
    if about.task == "classification":
        assert list(target.astype(str)) == [str(raw.target_names[i]) for i in raw.target]
    else:
        assert np.array_equal(target.to_numpy(), raw.target.astype("float32"))
    assert str(len(table)) in about.about
