"""Own rows, in the data's own units, get the network's own words."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from models.core.spec import SpecError
from models.training import Spec, predicting
from models.training.run import Run


def trained(spec: Spec) -> Run:
    run = Run(spec)
    for _ in range(30):
        run.batch()
    return run


def test_a_table_and_its_rows_as_dicts_agree_with_the_network():
    run = trained(Spec(data="iris"))
    original = run.data.x_val * run.data.scale + run.data.shift
    table = pd.DataFrame(original.numpy(), columns=list(run.data.features))
    found = predicting.predict(run, table)
    with torch.no_grad():
        expected = run.model.eval()(run.data.x_val).softmax(1)
    torch.testing.assert_close(torch.tensor(found["probabilities"]), expected, atol=1e-4, rtol=1e-3)
    assert found["predictions"] == [run.data.classes[i] for i in expected.argmax(1)]
    assert predicting.predict(run, table.to_dict("records")) == found


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no row"),
        ([3], "dict"),
        ([{"sepal length (cm)": 1.0}], "lack the column"),
        ([dict.fromkeys(Run(Spec(data="iris")).data.features, "tall")], "tall"),
        ([{}] * (predicting.MAX_ROWS + 1), "too many"),
    ],
)
def test_rows_that_do_not_fit_get_a_sentence(rows, said):
    with pytest.raises(SpecError, match=said):
        predicting.predict(trained(Spec(data="iris")), rows)


@pytest.mark.parametrize(
    "rows", [[[1.0]], [[1.0, 2.0, 3.0]], ["a"], [[1.0, "b"]], [[1.0], [1.0, 2.0]]]
)
def test_a_point_has_two_numbers(rows):
    with pytest.raises(SpecError, match="two numbers"):
        predicting.predict(trained(Spec(data="circle")), rows)
    assert predicting.predict(trained(Spec(data="circle")), [[1.0, 2.0]])["predictions"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused_for_points(value):
    with pytest.raises(SpecError, match="Row 2"):
        predicting.predict(trained(Spec(data="circle")), [[1.0, 2.0], [value, 1.0]])
