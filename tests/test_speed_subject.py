"""Every subject: runs, is repeatable, and is the same model in the script."""

from __future__ import annotations

import pytest
import torch

from models.core.spec import SpecError
from models.speed import Spec, limits, subject

SMALL = {name: Spec(model=name, width=16, depth=1, batch_size=2) for name in subject.SUBJECTS}
every_subject = pytest.mark.parametrize("name", subject.SUBJECTS)


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
