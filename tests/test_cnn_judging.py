"""Laws of judging: the numbers agree with each other and lead back to their pictures."""

import numpy as np
import pytest
import torch

from models.cnn import data, judging, looking
from models.core import export
from models.core.spec import SpecError


@pytest.fixture(scope="module")
def used():
    return looking.bench(looking.Spec())


@pytest.fixture(scope="module")
def report(used):
    return judging.report(used, "train")


def test_top_1_is_the_accuracy_and_top_k_grows_to_1(report):
    assert judging.top(report, 1) == pytest.approx(report["accuracy"])
    shares = [judging.top(report, k) for k in range(1, 11)]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_the_bins_of_calibration_hold_every_picture(report):
    confidence, right, count = judging.calibration(report)
    assert count.sum() == len(report["rows"])
    total = (right * count).sum() / count.sum()
    assert total == pytest.approx(report["accuracy"])
    assert (confidence * count).sum() / count.sum() == pytest.approx(report["confidence"].mean())


def test_a_network_that_is_right_as_often_as_it_says_has_no_calibration_error():
    n = 1000
    truth = np.arange(n) % 2
    report = {"confidence": np.full(n, 0.5), "truth": truth, "predicted": np.zeros(n, int)}
    assert judging.calibration_error(report) == pytest.approx(0)
    sure = report | {"confidence": np.full(n, 0.95)}
    assert judging.calibration_error(sure) == pytest.approx(0.45)


def test_the_worst_mistakes_are_mistakes_the_surest_first(report):
    at = {int(row): i for i, row in enumerate(report["rows"])}
    found = [at[int(row)] for row in judging.worst(report)]
    assert found
    assert all(report["truth"][i] != report["predicted"][i] for i in found)
    sure = [report["confidence"][i] for i in found]
    assert sure == sorted(sure, reverse=True)


def test_every_row_leads_to_its_picture(used, report):
    for i in (0, 7):
        row = int(report["rows"][i])
        x = looking.picture_of(used, row)
        assert torch.equal(x, data.digits(16)[0][row])
        with torch.no_grad():
            assert int(used.model(x[None]).argmax()) == report["predicted"][i]


def test_a_network_of_unknown_origin_is_not_judged():
    with pytest.raises(SpecError, match="Nobody knows"):
        judging.report(looking.bench(looking.Spec(network="LeNet-5")), "val")


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_script_judges_the_same_network_on_the_same_pictures(split, tmp_path):
    spec = looking.Spec()
    for name, path in judging.files(spec).items():
        (tmp_path / name).write_bytes(path.read_bytes())
    printed = export.numbers(export.run(judging.to_code(spec, split, 2), tmp_path))
    told = judging.report(looking.bench(spec), split)
    assert printed == pytest.approx(judging.numbers(told, 2), rel=1e-5)
