"""Laws of training on pictures: the bare loop's numbers, the way back, and honest frames."""

from collections import deque

import torch
from torch import nn

from models import cnn
from models.cnn import augment, data, look, network, topic
from models.core.seeding import generator, seeded
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


def test_two_classes_have_an_output_each():
    spec = cnn.Spec(data="photos", image_size=16, epochs=1)
    last = deque(cnn.train(spec), maxlen=1)[0]
    assert last.frame is not None
    assert last.frame["probabilities"].shape == (2,)


def test_small_pictures_train_on_one_thread():
    assert cnn.threads(cnn.Spec()) == 1
    assert cnn.threads(cnn.Spec(network="resnet18", image_size=64)) > 1
