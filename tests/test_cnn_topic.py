"""Laws of training on pictures: the bare loop's numbers, the way back, and honest frames."""

from collections import deque

import pytest
import torch
from torch import nn

from models import cnn
from models.cnn import augment, data, look, network, topic
from models.core.control import Command, Control
from models.core.seeding import generator, seeded
from models.core.spec import SpecError
from models.training.run import Run

SMALL = cnn.Spec(limit=200, image_size=8, epochs=2, batch_size=32)


def test_two_epochs_are_those_of_the_bare_loop():
    run = Run(SMALL, plan=topic.plan(SMALL))
    while not run.over:
        run.batch()
    found = data.prepare(SMALL)
    with seeded(SMALL.seed):
        model = network.build(SMALL)
    optimizer = torch.optim.Adam(model.parameters(), lr=SMALL.lr)
    draw = generator(SMALL.seed)
    for _ in range(2):
        for rows in torch.randperm(len(found.x_train), generator=draw).split(32):
            x = augment.augment(found.x_train[rows], draw, **cnn.augmentation(SMALL))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), found.y_train[rows]).backward()
            optimizer.step()
    for own, bare in zip(run.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(own, bare)


def test_going_back_and_on_again_repeats_every_augmented_picture():
    run = Run(SMALL, plan=topic.plan(SMALL))
    while not run.over:
        run.batch()
    end = [p.clone() for p in run.model.parameters()]
    run.seek(1)
    assert run.epoch == 1
    while not run.over:
        run.batch()
    assert all(torch.equal(a, b) for a, b in zip(end, run.model.parameters(), strict=True))


def test_without_augmentation_the_order_alone_is_drawn():
    plain = SMALL.replace(degrees=0.0, shift=0.0, zoom=0.0)
    assert cnn.augmentation(plain) == {}
    assert topic.plan(plain).augment is None


def test_a_frame_shows_what_the_network_makes_of_the_scenes_picture_now():
    run = Run(SMALL, plan=topic.plan(SMALL))
    pictures = topic.Pictures(run)
    run.batch()
    frame, scene = pictures.frame(), pictures.scene()
    maps = look.feature_maps(run.model, torch.from_numpy(scene["picture"]))
    assert [m["name"] for m in frame["maps"]] == [m.name for m in maps]
    for drawn, true in zip(frame["maps"], maps, strict=True):
        torch.testing.assert_close(torch.from_numpy(drawn["exact"]), true.values)
    assert abs(float(frame["probabilities"].sum()) - 1) < 1e-5
    assert run.model.training


def test_the_evolution_of_a_layer_shows_past_epochs_and_moves_nothing():
    run = Run(SMALL, plan=topic.plan(SMALL))
    pictures, past = topic.Pictures(run), []
    for _ in range(2 * run.batches):
        if run.position == 0:
            past.append(look.feature_maps(run.model, pictures.picture, ["3"])[0].values)
        run.batch()
    before = [p.clone() for p in run.model.parameters()]
    told = pictures.answers["evolve"](layer="3")
    assert told["epochs"] == [0, 1, 2]
    now = look.feature_maps(run.model, pictures.picture, ["3"])[0].values
    for seen, true in zip(told["values"], [*past, now], strict=True):
        torch.testing.assert_close(torch.from_numpy(seen), true)
    assert all(torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))
    assert (run.epoch, run.position) == (2, 0)
    few = pictures.answers["evolve"](layer="0", count=2)
    assert few["epochs"] == [0, 2]
    own = pictures.answers["evolve"](layer="0", picture=torch.zeros(1, 8, 8).numpy().tobytes())
    assert float(own["picture"].max()) == 0
    for layer, picture in (("no", b""), ("0", b"1234")):
        with pytest.raises(SpecError):
            pictures.answers["evolve"](layer=layer, picture=picture)
    run.seek(1)
    assert pictures.answers["evolve"](layer="3")["epochs"] == [0, 1]


def test_a_live_run_answers_for_its_past_epochs():
    class Asks(Control):
        def __init__(self) -> None:
            self.left = [Command("evolve", {"layer": "0"}, 7)]

        def gate(self, epoch_ended: bool = False) -> list[Command]:
            return [self.left.pop()] if epoch_ended and self.left else []

    replies = [s.replies for s in cnn.train(SMALL, control=Asks()) if s.replies]
    assert replies[0][7]["epochs"] == [0, 1]


def test_two_classes_have_an_output_each():
    spec = cnn.Spec(data="photos", image_size=16, epochs=1)
    last = deque(cnn.train(spec), maxlen=1)[0]
    assert last.frame is not None
    assert last.frame["probabilities"].shape == (2,)


def test_small_pictures_train_on_one_thread():
    assert cnn.threads(cnn.Spec()) == 1
    assert cnn.threads(cnn.Spec(network="resnet18", image_size=64)) > 1


NORMED = "conv 8 3 padding=1, batch_norm, relu, max_pool 2, flatten, linear"


@pytest.mark.parametrize("batch_size", [7, 17])
def test_a_last_batch_of_one_picture_trains_with_a_norm_over_its_pixels(batch_size):
    """120 training pictures: 17 batches of 7 and one picture, or 7 of 17 and one."""
    spec = SMALL.replace(network="own list", layers=NORMED, batch_size=batch_size, epochs=1)
    run = Run(spec, plan=topic.plan(spec))
    assert len(run.x) % batch_size == 1
    while not run.over:
        run.batch()
    assert all(p.isfinite().all() for p in run.model.parameters())


@pytest.mark.parametrize(
    "layers",
    [
        "conv 4 8, batch_norm, relu, flatten, linear",
        "flatten, linear 16, batch_norm, relu, linear",
    ],
)
def test_a_norm_that_finds_one_value_per_channel_is_refused_as_pytorch_refuses_it(layers):
    spec = SMALL.replace(network="own list", layers=layers, batch_size=17)
    with pytest.raises(SpecError, match="Batch norm needs at least 2"):
        Run(spec, plan=topic.plan(spec))
    with seeded(0), pytest.raises(ValueError, match="more than 1 value per channel"):
        network.build(spec).train()(torch.zeros(1, 1, 8, 8))
    fits = spec.replace(batch_size=16)
    Run(fits, plan=topic.plan(fits)).batch()
