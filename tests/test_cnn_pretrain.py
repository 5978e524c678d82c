"""The shipped networks: small, as good as they say, and made by the script that says it made them."""

import pytest
import torch

from models import cnn
from models.cnn import data, pretrain
from models.core.spec import SpecError


@pytest.mark.parametrize("name", list(pretrain.SHIPPED))
def test_a_shipped_network_is_small_and_as_good_as_it_says(name):
    assert pretrain.weights_file(name).stat().st_size < 200_000
    told = pretrain.about(name)
    assert cnn.Spec(**told["spec"]) == pretrain.SHIPPED[name]
    found = data.prepare(pretrain.SHIPPED[name])
    with torch.no_grad():
        right = pretrain.load(name)(found.x_val).argmax(1) == found.y_val
    assert abs(float(right.float().mean()) - told["numbers"]["val_metric"]) < 1e-6
    assert told["numbers"]["val_metric"] > 0.97


def test_the_script_makes_it_again():
    _, made = pretrain.make(pretrain.SHIPPED["digits 0-4"])
    told = pretrain.about("digits 0-4")["numbers"]
    assert made["numbers"]["step"] == told["step"]
    assert (
        abs(made["numbers"]["val_metric"] - told["val_metric"]) < 0.02
    )  # rounding differs by machine


def test_weights_of_another_network_are_refused():
    file = pretrain.weights_file().read_bytes()
    with pytest.raises(SpecError, match="the same layers"):
        pretrain.with_weights(cnn.Spec(network="LeNet-5"), file)
    with pytest.raises(SpecError, match="no safetensors file"):
        pretrain.with_weights(cnn.Spec(), b"PK\x03\x04 nothing")
