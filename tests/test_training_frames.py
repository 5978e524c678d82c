"""A picture shows what the network computes at the centres of its pixels, in the data's own units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from models.core import wire
from models.core.spec import SpecError
from models.training import Spec, frames
from models.training.frames import MAP, PLANE, Pictures
from models.training.run import Run

SEVEN = "x1,x2,x1^2,x2^2,x1x2,sin(x1),sin(x2)"


def draw(spec: Spec, batches: int = 7, x: str = "pca", y: str = "pca") -> tuple[Run, dict, dict]:
    run = Run(spec)
    for _ in range(batches):
        run.batch()
    pictures = Pictures(run, x, y)
    return run, pictures.scene(), pictures.frame()


def pixel(scene: dict[str, Any], row: int, column: int) -> tuple[float, float]:
    x0, x1, y0, y1 = scene["extent"]
    return x0 + (column + 0.5) / PLANE * (x1 - x0), y0 + (row + 0.5) / PLANE * (y1 - y0)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, PLANE - 1), (PLANE - 1, 0), (20, 41)])
def test_a_pixel_of_a_made_set_is_the_networks_output_there(row, column):
    run, scene, frame = draw(Spec(data="spiral", inputs=SEVEN))
    at = torch.tensor([pixel(scene, row, column)])
    with torch.no_grad():
        p = run.model(run.data.transform(at)).sigmoid().item()
    assert frame["plane"]["kind"] == "binary"
    assert frame["plane"]["values"][row, column] == pytest.approx(255 * p, abs=0.51)


def test_a_pixel_of_two_chosen_columns_has_the_others_at_their_mean():
    names = ("petal length (cm)", "petal width (cm)")
    run, scene, frame = draw(Spec(data="iris"), 200, *names)
    assert scene["axes"] == list(names)
    a, b = pixel(scene, 10, 50)
    original = run.data.x_train.mean(0) * run.data.scale + run.data.shift
    original[2], original[3] = a, b
    with torch.no_grad():
        p = run.model((original - run.data.shift) / run.data.scale).softmax(0)
    assert frame["plane"]["values"][10, 50] == p.argmax().item()
    assert frame["plane"]["confidence"][10, 50] == pytest.approx(255 * p.max().item(), abs=0.51)


def test_principal_components_are_those_of_the_covariance():
    run, scene, _ = draw(Spec(data="wine"))
    x = run.data.x_train
    _, _, v = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    projected = (x - x.mean(0)) @ v[:2].T
    shown = torch.from_numpy(scene["points"]["x"][: len(x)])
    torch.testing.assert_close(shown.abs(), projected.abs(), atol=1e-3, rtol=1e-3)


def test_points_stand_in_original_units_with_their_split():
    run, scene, _ = draw(Spec(data="iris"), 1, "sepal length (cm)", "petal width (cm)")
    points = scene["points"]
    n = len(run.data.x_train)
    original = run.data.x_train * run.data.scale + run.data.shift
    np.testing.assert_allclose(points["x"][:n], original[:, [0, 3]].numpy(), rtol=1e-5)
    assert points["split"].tolist() == [0] * n + [1] * 30 + [2] * 30
    assert points["y"].dtype == np.int32


def test_a_regression_is_shown_in_its_targets_units():
    run, scene, frame = draw(Spec(data="diabetes", layers="4 tanh", lr=0.01))
    plane = frame["plane"]
    assert plane["kind"] == "regression"
    truth = run.data.y_train * run.data.target_scale + run.data.target_shift
    assert (plane["lo"], plane["hi"]) == (truth.min().item(), truth.max().item())
    np.testing.assert_allclose(scene["points"]["y"][: len(truth)], truth.numpy(), rtol=1e-5)


def test_the_batch_names_the_points_just_trained_on():
    run, scene, frame = draw(Spec(data="circle", points=100, batch_size=7), 3)
    assert run.order is not None
    assert frame["batch"].tolist() == run.order[14:21].tolist()
    shown = scene["points"]["x"][frame["batch"]]
    assert run.data.points_train is not None
    np.testing.assert_array_equal(shown, run.data.points_train[run.order[14:21]].numpy())
    assert len(draw(Spec(data="iris"), 0)[2]["batch"]) == 0


def test_many_points_are_thinned_and_the_batch_still_fits():
    run, scene, frame = draw(Spec(data="gauss", points=5000, batch_size=512), 1)
    assert len(scene["points"]["x"]) <= frames.POINTS + 3
    assert run.data.points_train is not None
    shown = scene["points"]["x"][frame["batch"]]
    batch = {tuple(p) for p in run.data.points_train[run.last_batch()].tolist()}
    assert len(shown) > 100
    assert all(tuple(p) in batch for p in shown.tolist())


def test_neurons_show_their_own_values():
    run, scene, frame = draw(Spec(data="spiral", inputs=SEVEN))
    assert [m.shape for m in frame["neurons"]] == [(n, MAP, MAP) for n in (7, 8, 8, 1)]
    hidden = frame["neurons"][1]
    x0, x1, y0, y1 = scene["extent"]
    at = torch.tensor([[x0 + 9.5 / MAP * (x1 - x0), y0 + 4.5 / MAP * (y1 - y0)]])
    with torch.no_grad():
        values = run.model[:2](run.data.transform(at))[0]
    top = torch.from_numpy(frame["neuron_ranges"][1][:, 1])
    np.testing.assert_allclose(hidden[:, 4, 9], ((values / top + 1) * 127.5).numpy(), atol=0.51)


def test_large_nets_and_wide_tables_leave_neurons_out():
    assert "neurons" not in draw(Spec(data="iris"))[2]
    assert "weights" in draw(Spec(data="iris"))[2]
    wide = draw(Spec(data="digits", layers="64 relu", batch_size=256), 1)[2]
    assert "weights" not in wide
    assert "neurons" not in wide


def test_one_column_has_a_line_in_place_of_a_plane():
    run, scene, frame = draw(Spec(data="diabetes", features="bmi", layers="4 tanh", lr=0.01))
    assert "plane" not in frame
    assert scene["axes"] == ["bmi", run.data.target]
    line = frame["line"]
    x = (torch.from_numpy(line["x"]).unsqueeze(1) - run.data.shift) / run.data.scale
    with torch.no_grad():
        y = run.model(x) * run.data.target_scale + run.data.target_shift
    np.testing.assert_allclose(line["values"], y.numpy(), rtol=1e-4)


def test_histograms_count_every_finite_weight():
    run, _, frame = draw(Spec(data="iris"))
    weights = frame["histograms"]["weights"]
    assert [h["name"] for h in weights] == ["hidden 1", "hidden 2", "output"]
    assert [int(h["counts"].sum()) for h in weights] == [32, 64, 24]
    hidden = weights[1]
    expected, _ = np.histogram(frame["weights"][1], 40, (hidden["lo"], hidden["hi"]))
    np.testing.assert_array_equal(hidden["counts"], expected)
    assert len(frame["histograms"]["gradients"]) == 3
    assert draw(Spec(data="iris"), 0)[2]["histograms"]["gradients"] == []
    with torch.no_grad():
        run.linears[0].weight[0, 0] = torch.nan
        run.linears[1].weight.fill_(torch.inf)
    counts = [int(h["counts"].sum()) for h in Pictures(run).frame()["histograms"]["weights"]]
    assert counts == [31, 0, 24]


def test_a_network_of_no_numbers_still_has_a_picture():
    run = Run(Spec(data="spiral"))
    with torch.no_grad():
        run.linears[0].weight.fill_(torch.nan)
    wire.dumps(Pictures(run).frame())


def test_the_scene_says_what_a_view_needs():
    _, scene, _ = draw(Spec(data="iris", layers="8 tanh dropout=0.1, 4 relu batch_norm"))
    assert [layer["units"] for layer in scene["layers"]] == [4, 8, 4, 3]
    assert [layer["kind"] for layer in scene["layers"]] == ["input", "hidden", "hidden", "output"]
    assert scene["classes"] == ["setosa", "versicolor", "virginica"]
    assert scene["baseline"]["metric"] == pytest.approx(1 / 3)
    assert scene["batches_per_epoch"] == 9
    assert scene["rows"] == {"train": 90, "val": 30, "test": 30}


def test_drawing_changes_nothing():
    spec = Spec(data="iris", layers="8 tanh dropout=0.5 batch_norm", epochs=2)
    drawn = Run(spec)
    pictures = Pictures(drawn)
    while not drawn.over:
        drawn.batch()
        before, rng = drawn.capture(), torch.get_rng_state()
        pictures.frame()
        after = drawn.capture()
        assert torch.equal(rng, torch.get_rng_state())
        assert all(torch.equal(before.model[name], after.model[name]) for name in before.model)
        assert drawn.model.training


def test_an_unknown_column_is_named():
    with pytest.raises(SpecError, match="no input column 'height'"):
        draw(Spec(data="iris"), 1, "height", "petal width (cm)")
