"""Laws of attributions: on a network whose reasons are known, every method finds them."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.cnn import explain, looking
from models.core import export
from models.core.spec import SpecError


class Corner(nn.Module):
    """Class 1 is the brightness of the upper left quarter; nothing else counts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        with torch.no_grad():
            self.conv.weight.fill_(1)

    def forward(self, x):
        seen = self.relu(self.conv(x))[:, 0, :6, :6].sum((1, 2))
        return torch.stack([torch.zeros_like(seen), seen], 1)


class Functional(nn.Module):
    """The same two layers, the ReLU called as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x):
        return F.relu(self.conv(x)).sum((2, 3))


@pytest.mark.parametrize("method", [m for m in explain.METHODS if m != "grad_cam"])
def test_what_counts_is_found_and_nothing_else(method):
    torch.manual_seed(0)
    x = torch.rand(1, 12, 12) + 0.5
    values = explain.attribute(method, Corner(), x, 1).values
    assert values.shape == (12, 12)
    inside = values[:6, :6].abs().mean()
    outside = values[8:, 8:].abs().mean()
    assert inside > 10 * outside


def test_grad_cam_lights_where_the_maps_of_the_class_are_strong():
    x = torch.zeros(1, 12, 12)
    x[:, 2:5, 2:5] = 1
    values = explain.attribute("grad_cam", Corner(), x, 1).values
    assert float(values[3, 3]) == float(values.max()) > 0
    assert float(values.min()) >= 0


def test_integrated_gradients_sum_to_the_change_of_the_score():
    x = torch.rand(1, 12, 12)
    model = Corner().eval()
    found = explain.attribute("integrated_gradients", model, x, 1)
    change = float(model(x[None])[0, 1] - model(torch.zeros(1, 1, 12, 12))[0, 1])
    assert found.delta is not None
    assert abs(float(found.values.sum()) - change) <= found.delta + 1e-4


def test_guided_backprop_is_the_plain_gradient_when_relu_is_a_function_and_says_so():
    torch.manual_seed(1)
    x, model = torch.randn(1, 8, 8), Functional()
    found = explain.attribute("guided_backprop", model, x, 0)
    leaf = x[None].clone().requires_grad_()
    (grad,) = torch.autograd.grad(model(leaf)[0, 0], leaf)
    torch.testing.assert_close(found.values, grad[0, 0])
    assert "plain gradient" in found.note
    assert "plain gradient" not in explain.attribute("guided_backprop", Corner(), x, 1).note


def test_deleting_what_counts_first_lowers_the_score_faster_than_deleting_the_rest_first():
    torch.manual_seed(0)
    x = torch.rand(1, 12, 12) * 0.01
    x[:, :6, :6] += 0.1
    model = Corner()
    values = explain.attribute("saliency", model, x, 1).values
    shares, right = explain.deletion(model, x, 1, values)
    _, wrong = explain.deletion(model, x, 1, -values)
    assert shares[0] == 0
    assert right[0] == wrong[0]
    assert right.mean() < wrong.mean()


def test_a_network_without_convolution_has_no_grad_cam():
    with pytest.raises(SpecError, match="has none"):
        explain.attribute(
            "grad_cam", nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.ones(1, 2, 2), 0
        )


def test_explaining_is_repeatable_and_leaves_the_model_alone():
    model = Corner().train()
    x = torch.rand(1, 12, 12)
    first, second = (explain.attribute("smoothgrad", model, x, 1).values for _ in range(2))
    assert torch.equal(first, second)
    assert model.training
    assert model.relu.inplace


def test_a_picture_is_lit_where_the_attribution_is_high():
    picture, values = torch.full((1, 4, 4), 0.5), torch.zeros(4, 4)
    values[1, 2] = 3.0
    lit = explain.lit(picture, values)
    assert lit.shape == (3, 4, 4)
    assert bool((lit[:, 1, 2] >= 0.5).all())
    torch.testing.assert_close(lit[:, 0, 0], torch.full((3,), 0.1))
    assert torch.equal(explain.lit(picture, torch.zeros(4, 4)), torch.full((3, 4, 4), 0.1))


def test_the_script_explains_the_same_picture_with_the_same_numbers(tmp_path):
    spec = looking.Spec(row=4)
    used, seen = looking.bench(spec), looking.run(spec)
    found = {name: explain.attribute(name, used.model, seen.x, 4) for name in explain.METHODS}
    for name, path in looking.files(spec).items():
        (tmp_path / name).write_bytes(path.read_bytes())
    code = explain.to_code(looking.subject_cells(spec), 4, tuple(found))
    printed = export.numbers(export.run(code, tmp_path))
    assert printed == pytest.approx(explain.numbers(found), rel=1e-4, abs=1e-6)
