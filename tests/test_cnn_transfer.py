"""Laws of transfer: what is frozen stays, what is new is new, stages follow each other, few are part of many."""

import copy
import io

import pytest
import torch
from torch import nn

from models.cnn import judging, looking, network, pretrain, transfer
from models.core.spec import SpecError
from models.data import workspace
from tests import image_cases

BASE = pretrain.load(transfer.PART)


def after(way: str, epochs: int = 2, **more) -> nn.Module:
    torch.manual_seed(0)
    model, head = transfer.prepared(copy.deepcopy(BASE), 5, way)
    x, y = torch.rand(20, 1, 16, 16), torch.arange(20) % 5
    how = {"epochs": epochs, "lr": 0.01, "body": 0.5, "every": 1, "batch_size": 8} | more
    transfer.learn(model, head, way, x, y, x, y, **how)
    return model


def moved(model: nn.Module, names=("0", "3")) -> list[bool]:
    return [
        not torch.equal(model.get_parameter(f"{n}.weight"), BASE.get_parameter(f"{n}.weight"))
        for n in names
    ]


def test_each_way_moves_what_it_may():
    assert moved(after("frozen")) == [False, False]
    assert moved(after("fine_tuned")) == [True, True]
    assert moved(after("staged", epochs=1)) == [False, False]
    assert moved(after("staged", epochs=2)) == [False, True]  # the last learned layer first
    assert moved(after("staged", epochs=3)) == [True, True]
    assert moved(after("scratch", epochs=0)) == [True, True]


def test_the_head_is_new_and_has_its_own_rate():
    torch.manual_seed(0)
    model, head = transfer.prepared(copy.deepcopy(BASE), 3, "frozen")
    assert model.get_submodule("7") is head
    assert head.weight.shape == (3, 256)
    still = after("fine_tuned", body=1e-9)
    torch.testing.assert_close(still.get_parameter("0.weight"), BASE.get_parameter("0.weight"))


def test_frozen_batch_norm_keeps_its_statistics():
    base = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    model, head = transfer.prepared(copy.deepcopy(base), 2, "frozen")
    x, y = torch.rand(6, 1, 4, 4), torch.arange(6) % 2
    transfer.learn(model, head, "frozen", x, y, x, y, 2, 0.1, 1.0, 1, 4)
    assert torch.equal(model.get_buffer("1.running_mean"), base.get_buffer("1.running_mean"))


def test_fewer_pictures_are_part_of_more_and_of_every_class():
    y = torch.tensor([0, 1, 2] * 10)
    order = torch.randperm(30)
    few, many = (set(transfer.some_of_each(y, order, n).tolist()) for n in (2, 5))
    assert few < many
    assert torch.bincount(y[list(many)]).tolist() == [5, 5, 5]


def test_the_comparison_tells_every_number_and_keeps_the_network():
    spec = transfer.Spec(sizes="1, 2", epochs=1)
    snapshots = list(transfer.train(spec))
    rows = [row for s in snapshots for row in s.rows]
    assert [row["step"] for row in rows] == [1, 2]
    assert all(0 <= row[way] <= 1 for row in rows for way in transfer.WAYS)
    file = snapshots[-1].blobs["transferred.safetensors"]
    own = looking.spec_of(file)
    assert own.data == spec.target
    pretrain.with_weights(own, file)


def test_the_shipped_network_is_transferred_to_own_pictures():
    own = image_cases.kept(
        {f"{name}/{i}.png": image_cases.noise(100 * k + i) for k, name in enumerate("ab") for i in range(8)}
    )  # fmt: skip
    *_, last = transfer.train(transfer.Spec(target=own, sizes="1, 2", epochs=1))
    used = looking.spec_of(last.blobs["transferred.safetensors"])
    assert (used.data, used.channels, used.outputs) == (own, 1, 2)


def test_a_network_of_torchvision_is_transferred_and_judged_in_its_own_scale():
    torch.manual_seed(1)
    state = network.known("mobilenet_v3_small", 3, 7, 224).state_dict()
    out = io.BytesIO()
    torch.save(state, out)
    weights = f"upload:{workspace.put(out.getvalue(), 'mobile.pth')}"
    spec = transfer.Spec(
        base="mobilenet_v3_small", weights=weights, target="photos", sizes="1, 2", epochs=1
    )
    *_, last = transfer.train(spec)
    file = last.blobs["transferred.safetensors"]
    own = looking.Spec(
        network=looking.OWN, weights=f"upload:{workspace.put(file, 'new.safetensors')}"
    )
    used = looking.bench(own)
    assert used.imagenet
    assert (used.size, used.channels, len(used.classes)) == (64, 3, 2)
    report = judging.report(used, "val")
    assert report["accuracy"] == pytest.approx((last.frame or {})["row"]["fine_tuned"], abs=1e-6)
    assert "x = imagenet(x)" in looking.to_code(own)
    again = transfer.Spec(base=looking.OWN, weights=own.weights, target="digits", sizes="1, 2")
    assert "imagenet" in transfer.to_code(again)


@pytest.mark.parametrize("sizes", ["", "5", "1, 1", "0, 5", "a, b", "1,2,3,4,5,6,7,8,9"])
def test_sizes_that_are_none_are_explained(sizes):
    with pytest.raises(SpecError, match="sizes"):
        transfer.Spec(sizes=sizes)
    assert transfer.Spec(sizes="1, 2").counts() == (1, 2)


def test_more_pictures_than_a_class_has_are_left_out_or_explained():
    with pytest.raises(SpecError, match="smallest class"):
        list(transfer.train(transfer.Spec(sizes="5, 9000")))
    with pytest.raises(SpecError, match="nothing to transfer"):
        transfer.Spec(base="resnet18")
