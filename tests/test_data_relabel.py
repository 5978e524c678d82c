"""New classes written down: the same pictures, the classes the page showed, and everything known of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from models import datasets
from models.core.spec import SpecError
from models.data import image_sets, relabel
from models.datasets import Spec
from tests.image_cases import kept, noise


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))


def test_what_was_renamed_merged_dropped_and_moved_is_a_set_of_its_own() -> None:
    files = {f"{c}/{i}.png": noise(10 * k + i) for k, c in enumerate("abcd") for i in range(5)}
    data = kept(files | {"b/0 again.png": noise(10)})
    rename = json.dumps({"a": "b", "c": "", "d": "<i>d", "d/1.png": "b"})
    *_, last = relabel.train(relabel.Spec(data, rename))
    frame = last.frame or {}
    assert frame["keep"]
    new = f"upload:{frame['dataset']}"
    card = image_sets.card(new)
    assert card.classes == {"_i_d": 4, "b": 12}
    assert card.duplicates == 1
    shown, written = (
        datasets.parts(s)
        for s in (Spec(data=data, rename=rename, side=64), Spec(data=new, side=64))
    )

    def pixels(made: datasets.Parts) -> torch.Tensor:
        return torch.stack([x for x, _ in made.data]).flatten(1).sum(1).sort().values  # type: ignore[attr-defined]  # a map

    assert torch.equal(pixels(shown), pixels(written))
    means, _ = image_sets.moments(new, written.data.names)
    torch.testing.assert_close(
        means[3], written.data[3][0].double().mean((1, 2)) / 255, atol=1e-6, rtol=0
    )
    assert len(image_sets.sizes(new)) == 16


def test_nothing_left_is_explained() -> None:
    with pytest.raises(SpecError, match="Every class is left out"):
        list(relabel.train(relabel.Spec(rename='{"flower": "", "temple": ""}')))
