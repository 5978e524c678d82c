"""Reports are scikit-learn's numbers on exactly the rows of one split."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics

from models.core.spec import SpecError
from models.training import Spec, evaluation
from models.training.evaluation import Classes, Numbers
from models.training.run import Run


def trained(spec: Spec) -> Run:
    run = Run(spec)
    while not run.over:
        run.batch()
    return run


@pytest.fixture(scope="module")
def iris() -> Run:
    return trained(Spec(data="iris", epochs=10))


@pytest.mark.parametrize("split", evaluation.SPLITS)
def test_a_classifiers_report_equals_scikit_learn(iris, split):
    found = evaluation.report(iris, split)
    assert isinstance(found, Classes)
    x, y = getattr(iris.data, f"x_{split}"), getattr(iris.data, f"y_{split}")
    with torch.no_grad():
        output = iris.model.eval()(x)
    iris.model.train()
    predicted = output.argmax(1)
    assert found.accuracy == metrics.accuracy_score(y, predicted)
    assert found.loss == pytest.approx(torch.nn.functional.cross_entropy(output, y).item())
    scores = metrics.precision_recall_fscore_support(y, predicted)
    np.testing.assert_allclose([found.precision, found.recall, found.f1], scores[:3])
    np.testing.assert_array_equal(found.confusion, metrics.confusion_matrix(y, predicted))
    assert found.macro_f1 == pytest.approx(metrics.f1_score(y, predicted, average="macro"))


def test_validation_agrees_with_the_curve(iris):
    found = evaluation.report(iris, "val")
    assert isinstance(found, Classes)
    assert found.loss == pytest.approx(iris.row["val_loss"])
    assert found.accuracy == pytest.approx(iris.row["val_metric"])


def test_every_row_is_behind_exactly_one_cell(iris):
    found = evaluation.report(iris, "train")
    assert isinstance(found, Classes)
    behind = np.concatenate(list(found.cells.values()))
    assert sorted(behind.tolist()) == sorted(iris.data.rows_train.tolist())
    for cell, rows in found.cells.items():
        truth, predicted = map(int, cell.split(","))
        assert len(rows) == found.confusion[truth, predicted] > 0


def test_two_classes_have_curves_and_more_have_none(iris):
    assert evaluation.report(iris, "val").roc is None  # type: ignore[union-attr]  # a classifier
    run = trained(Spec(data="breast_cancer", epochs=1))
    found = evaluation.report(run, "val")
    assert isinstance(found, Classes)
    assert found.roc is not None
    assert found.pr is not None
    score = run.model(run.data.x_val).sigmoid().detach().flatten()
    assert found.roc.area == pytest.approx(metrics.roc_auc_score(run.data.y_val, score))
    assert (found.roc.x[0], found.roc.y[0], found.roc.x[-1], found.roc.y[-1]) == (0, 0, 1, 1)
    assert found.pr.area == pytest.approx(metrics.average_precision_score(run.data.y_val, score))
    assert np.isfinite(found.roc.thresholds).all()
    assert len(found.pr.x) == len(found.pr.y) == len(found.pr.thresholds)


def test_a_class_that_never_occurs_has_no_curve_and_no_warning(recwarn):
    p = np.array([[0.9, 0.1], [0.4, 0.6]])
    rows = np.arange(2)
    found = evaluation.classes_report("val", 0.5, rows, np.array([0, 0]), p, ("a", "b"))
    assert found.roc is None
    assert found.support.tolist() == [2, 0]
    assert found.recall.tolist() == [0.5, 0]
    assert not recwarn.list


def test_a_regressions_report_is_in_the_targets_units():
    run = trained(Spec(data="diabetes", layers="4 tanh", lr=0.01, epochs=5))
    found = evaluation.report(run, "test")
    assert isinstance(found, Numbers)
    np.testing.assert_allclose(found.residuals, found.truth - found.predicted)
    assert found.mae == pytest.approx(np.abs(found.residuals).mean())
    assert found.rmse == pytest.approx(math.sqrt(np.square(found.residuals).mean()))
    assert found.r2 == pytest.approx(metrics.r2_score(found.truth, found.predicted))
    assert 25 <= found.truth.min() < found.truth.max() <= 346  # disease progression, as published
    assert len(found.rows) == 88


def test_one_row_has_no_r2():
    one = np.array([1.0])
    assert math.isnan(evaluation.numbers_report("val", 0.0, np.array([0]), one, one).r2)


def test_a_missing_split_says_what_to_change():
    run = Run(Spec(data="iris", test_fraction=0.0))
    with pytest.raises(SpecError, match="no rows"):
        evaluation.report(run, "test")
    with pytest.raises(SpecError, match="train, val, test"):
        evaluation.report(run, "everything")
