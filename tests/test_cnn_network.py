"""Laws of building a network from a spec: what runs is what is written, what does not fit is said at its layer."""

import pytest
import torch

from models import cnn
from models.cnn import architecture, network
from models.core.spec import SpecError


@pytest.mark.parametrize("name", [*architecture.KNOWN, "small ResNet", "resnet18"])
@pytest.mark.parametrize("channels", [1, 3])
def test_known_networks_take_their_channels_and_give_a_number_per_class(name, channels):
    model = network.known(name, channels, 7, 32).eval()
    assert model(torch.rand(2, channels, 32, 32)).shape == (2, 7)


def test_the_written_code_builds_the_same_network():
    for spec in (cnn.Spec(), cnn.Spec(network="small ResNet", init="xavier_uniform")):
        torch.manual_seed(3)
        built = network.build(spec).state_dict()
        scope: dict = {"torch": torch, "nn": torch.nn}
        torch.manual_seed(3)
        exec(network.code(spec), scope)
        made = scope["model"].state_dict()
        assert built.keys() == made.keys()
        for name in built:
            torch.testing.assert_close(built[name], made[name])


def test_a_layer_that_does_not_fit_is_named_with_its_number():
    spec = cnn.Spec(network="own list", layers="conv 4 3, relu, linear")
    with pytest.raises(SpecError, match=r"Layer 3 .*Put flatten before it"):
        network.build(spec)
    network.build(cnn.Spec(network="own list", layers="conv 4 3, relu, flatten, linear"))


def test_the_last_layer_must_have_a_number_per_class():
    with pytest.raises(SpecError, match="gives 9 numbers"):
        cnn.Spec(network="own list", layers="flatten, linear 9")
    cnn.Spec(network="own list", layers="flatten, linear 10")
    with pytest.raises(SpecError, match="Set it to 32"):
        cnn.Spec(network="resnet18", image_size=31)
    cnn.Spec(network="resnet18", image_size=32)


def test_dead_units_can_be_given_a_leak_where_the_network_is_a_list():
    fixed = cnn.Spec().replace(**cnn.Spec().leaky())
    assert any(isinstance(m, torch.nn.LeakyReLU) for m in network.build(fixed).modules())
    assert not any(type(m) is torch.nn.ReLU for m in network.build(fixed).modules())
    assert cnn.Spec(network="small ResNet").leaky() == {}
