"""Every subject: runs, is repeatable, and is the same model in the script."""

from __future__ import annotations

import pytest
import torch

from models.core.spec import SpecError
from models.speed import Spec, limits, subject

SMALL = {name: Spec(model=name, width=16, depth=1, batch_size=2) for name in subject.SUBJECTS}
LARGE = (
    "vgg16",
    "resnet50",
)  # made by the same function as ResNet-18, and slow to fill with weights
every_subject = pytest.mark.parametrize("name", [n for n in SMALL if n not in LARGE])


@every_subject
def test_a_subject_gives_ten_class_scores_per_sample_and_trains(name: str) -> None:
    made = subject.make(SMALL[name])
    out = made.model(made.x)
    assert out.shape == (2, 10)
    torch.nn.functional.cross_entropy(out, made.y).backward()
    assert all(p.grad is not None for p in made.model.parameters())


@every_subject
def test_the_script_makes_the_very_same_model_and_batch(name: str) -> None:
    made = subject.make(SMALL[name])
    there: dict = {}
    threads = torch.get_num_threads()
    state = torch.random.get_rng_state()
    for cell in subject.cells(SMALL[name]):
        exec(cell, there)
    torch.set_num_threads(threads)
    torch.random.set_rng_state(state)
    torch.testing.assert_close(there["x"], made.x)
    torch.testing.assert_close(there["y"], made.y)
    for mine, theirs in zip(made.model.parameters(), there["model"].parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)


def test_dropout_hides_the_same_units_in_the_app_and_in_the_script() -> None:
    spec = Spec(model="own", layers="64 relu dropout=0.5", batch_size=8)
    there: dict = {}
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    made = subject.make(spec)
    mine = made.model(made.x)
    for cell in subject.cells(spec):
        exec(cell, there)
    theirs = there["model"](there["x"])
    torch.set_num_threads(threads)
    torch.random.set_rng_state(state)
    assert made.model.training
    torch.testing.assert_close(theirs, mine)


@pytest.mark.parametrize("wanted", [True, False])
def test_channels_last_changes_the_layout_and_nothing_else(wanted: bool) -> None:
    spec = SMALL["cnn"].replace(channels_last=wanted)
    made = subject.make(spec)
    plain = subject.make(SMALL["cnn"])
    assert made.x.is_contiguous(memory_format=torch.channels_last) is wanted
    torch.testing.assert_close(made.x, plain.x)
    torch.testing.assert_close(made.model(made.x), plain.model(plain.x), rtol=1e-4, atol=1e-4)


def test_float64_is_everywhere_and_autocast_keeps_float32() -> None:
    wide = subject.make(Spec(precision="float64"))
    assert {p.dtype for p in wide.model.parameters()} | {wide.x.dtype} == {torch.float64}
    mixed = subject.make(Spec(precision="bfloat16"))
    assert {p.dtype for p in mixed.model.parameters()} | {mixed.x.dtype} == {torch.float32}


def test_a_picture_too_small_for_a_known_network_is_refused_and_the_next_size_is_not() -> None:
    with pytest.raises(SpecError, match="leave nothing"):
        Spec(model="resnet18", size=16)
    assert Spec(model="resnet18", size=32).size == 32
    assert Spec(model="cnn", size=16).size == 16


def test_a_comparison_that_changes_nothing_about_the_model_is_refused() -> None:
    with pytest.raises(SpecError, match="ResNet-18 has no width"):
        Spec(model="resnet18", sweep="width")
    with pytest.raises(SpecError, match="MLP reads no images"):
        Spec(sweep="channels_last")
    with pytest.raises(SpecError, match="Attention blocks reads no images"):
        Spec(model="attention", rival="channels_last")
    assert Spec(sweep="width").sweep == Spec(model="attention", sweep="width").sweep
    assert Spec(model="resnet18", sweep="channels_last", rival="channels_last").rival
    assert Spec(part="memory", model="resnet18", sweep="width").sweep  # not asked there


def test_a_model_beyond_memory_is_refused_with_the_estimate() -> None:
    spec = Spec(model="attention", width=2048, depth=12, size=224, batch_size=4096)
    with pytest.raises(SpecError, match=r"needs about .*TB.*Make batch_size"):
        limits.check(spec)
    limits.check(Spec())


def test_the_estimate_is_the_line_between_allowed_and_refused() -> None:
    spec = Spec(width=64)
    needed = limits.estimate(spec)
    limits.check(spec, needed)
    with pytest.raises(SpecError):
        limits.check(spec, needed - 1)


def test_the_meta_subject_allocates_nothing() -> None:
    made = subject.make(Spec(width=2048, depth=12, batch_size=4096), "meta")
    assert made.x.is_meta
    assert all(p.is_meta for p in made.model.parameters())
    assert made.model(made.x).is_meta


@pytest.mark.parametrize("name", LARGE)
def test_a_large_known_network_has_its_shape_too(name: str) -> None:
    made = subject.make(SMALL[name], "meta")
    assert made.model(made.x).shape == (2, 10)
    assert f"known('{name}')" in subject.setup(SMALL[name])


def test_an_own_cnn_is_the_layer_list_of_the_cnn_page() -> None:
    spec = Spec(model="own_cnn", picture_layers="conv 4 3, relu, flatten, linear", channels=1, size=16, batch_size=2)  # fmt: skip
    made = subject.make(spec)
    assert made.x.shape == (2, 1, 16, 16)
    assert [type(m).__name__ for m in made.model.children()] == [
        "Conv2d",
        "ReLU",
        "Flatten",
        "Linear",
    ]


@pytest.mark.parametrize(
    ("layers", "word"),
    [
        ("conv 4 3, flatten, linear 7", "10 classes"),
        ("conv 4 3, relu", "10 classes"),
        ("conv 4 3, linear", "Put flatten before it"),
        ("convolve 4", "no layer"),
    ],
)
def test_a_layer_list_that_does_not_fit_is_explained(layers: str, word: str) -> None:
    with pytest.raises(SpecError, match=word):
        Spec(model="own_cnn", picture_layers=layers)
    assert Spec(picture_layers=layers).model == "mlp"  # of another subject it is no matter


def test_batch_norm_of_a_single_value_is_explained_and_two_samples_are_not() -> None:
    alone = Spec(model="resnet18", size=32, batch_size=1)
    with pytest.raises(SpecError, match="Make batch_size 2 or more"):
        limits.check(alone)
    limits.check(alone.replace(batch_size=2))


def test_models_that_live_together_add_up() -> None:
    one, two = Spec(width=64), Spec(width=128)
    together = limits.estimate(one, two)
    assert max(limits.estimate(one), limits.estimate(two)) < together
    assert together < limits.estimate(one) + limits.estimate(two)
    limits.check((one, two), together)
    with pytest.raises(SpecError, match="2 models in turns"):
        limits.check((one, two), together - 1)


def test_the_own_cnn_begins_as_the_cnn_pages_smallest() -> None:
    from models.cnn import architecture

    assert Spec().picture_layers == architecture.KNOWN["tiny"].replace("\n", ", ")
