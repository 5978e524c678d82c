"""Each loss gets the targets and the output layer it needs, and pairs with its task only."""

from __future__ import annotations

import pytest
import torch
from sklearn import metrics
from torch.nn import functional

from models.core.spec import SpecError
from models.training import Spec, losses


def choose(key="auto", task="classification", counts=(30, 30, 30), balanced=False, smoothing=0.0):
    return losses.choose(key, task, () if task == "regression" else counts, balanced, smoothing)


def test_auto_follows_the_task():
    assert choose().key == "cross_entropy"
    assert choose(counts=(5, 5)).key == "bce_with_logits"
    assert choose(counts=(5, 5), smoothing=0.1).key == "cross_entropy"
    assert choose(task="regression").key == "mse"


def test_two_classes_have_one_output_or_two():
    assert choose("bce_with_logits", counts=(5, 5)).outputs == 1
    assert choose("cross_entropy", counts=(5, 5)).outputs == 2
    assert choose("nll", counts=(5, 5)).outputs == 2


@pytest.mark.parametrize(
    ("key", "task", "counts", "said"),
    [
        ("mse", "classification", (3, 3), "mse compares numbers"),
        ("huber", "classification", (3, 3), "Choose one of: cross_entropy"),
        ("nll", "regression", (), "nll compares classes"),
        ("bce_with_logits", "classification", (3, 3, 3), "the target has 3"),
    ],
)
def test_a_wrong_pairing_says_what_fits(key, task, counts, said):
    with pytest.raises(SpecError, match=said):
        choose(key, task, counts)


@pytest.mark.parametrize("key", ["nll", "bce_with_logits"])
def test_only_cross_entropy_is_smoothed(key):
    with pytest.raises(SpecError, match="label_smoothing"):
        Spec(data="iris", loss=key, label_smoothing=0.1)
    assert Spec(data="iris", loss="cross_entropy", label_smoothing=0.1).label_smoothing == 0.1


def test_class_weights_make_every_class_count_the_same():
    chosen = choose("cross_entropy", counts=(10, 30), balanced=True)
    loss = chosen.call.build()
    torch.testing.assert_close(loss.weight, torch.tensor([2.0, 2 / 3]))
    assert loss.weight[0] * 10 == pytest.approx((loss.weight[1] * 30).item())
    positive = choose("bce_with_logits", counts=(10, 30), balanced=True).call.build().pos_weight
    torch.testing.assert_close(positive, torch.tensor([1 / 3]))
    assert choose("nll", counts=(10, 0), balanced=True).call.build().weight.isfinite().all()


def test_probabilities_agree_between_one_and_two_outputs():
    logit = torch.tensor([[-2.0], [0.0], [3.0]])
    pair = torch.cat([torch.zeros_like(logit), logit], dim=1)
    one = choose("bce_with_logits", counts=(5, 5)).probabilities(logit)
    torch.testing.assert_close(one, choose("cross_entropy", counts=(5, 5)).probabilities(pair))
    logs = functional.log_softmax(pair, dim=1)
    torch.testing.assert_close(one, choose("nll", counts=(5, 5)).probabilities(logs))


@pytest.mark.parametrize("key", losses.LOSSES)
def test_every_loss_takes_its_own_targets_and_prints_itself(key):
    task = losses.LOSSES[key].task
    chosen = choose(key, task, (6, 6), balanced=task == "classification")
    y = torch.randn(12) if task == "regression" else torch.arange(12) % 2
    output = torch.randn(12, chosen.outputs)
    value = chosen.call.build()(output, chosen.targets(y))
    printed = eval(chosen.call.code(), {"nn": torch.nn, "torch": torch})
    assert value == printed(output, chosen.targets(y))
    assert chosen.metric(output, chosen.targets(y)).isfinite()


def test_metrics_are_scikit_learns():
    torch.manual_seed(0)
    output, y = torch.randn(40, 3), torch.arange(40) % 3
    truth = metrics.accuracy_score(y, output.argmax(1))
    assert losses.accuracy(output, y).item() == pytest.approx(truth)
    logit, sign = torch.randn(40, 1), (torch.arange(40) % 2).float().unsqueeze(1)
    truth = metrics.accuracy_score(sign, logit > 0)
    assert losses.binary_accuracy(logit, sign).item() == pytest.approx(truth)
    a, b = torch.randn(40, 1), torch.randn(40, 1)
    assert losses.r2(a, b).item() == pytest.approx(metrics.r2_score(b, a), rel=1e-4)
