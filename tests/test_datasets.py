"""From files to the first batch: what the settings do to it, and what cannot work is said before."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from models import datasets
from models.core import export
from models.core.spec import SpecError
from models.data import image_sets
from models.datasets import Spec, describe
from tests.image_cases import kept, noise


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def uneven(data: dict[str, bytes] | None = None) -> str:
    """20 of one class, 4 of another, one of them twice."""
    files = {f"many/p{i}_1.png": noise(i) for i in range(20)}
    files |= {f"few/q{i}_1.png": noise(100 + i) for i in range(3)} | {"few/copy.png": noise(100)}
    return kept(files | (data or {}))


def test_normalisation_is_measured_on_the_training_pictures_alone() -> None:
    spec = Spec(transforms="ToFloat\nNormalize", shuffle=False, batch_size=256)
    made = datasets.parts(spec)
    pixels = torch.stack([made.data[int(i)][0] for i in made.train]).double() / 255
    torch.testing.assert_close(torch.tensor(made.mean).double(), pixels.mean((0, 2, 3)))
    torch.testing.assert_close(torch.tensor(made.std).double(), pixels.std((0, 2, 3), correction=0))
    x = datasets.run(spec).x
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)


def test_another_size_measures_the_pictures_of_that_size() -> None:
    made = datasets.parts(Spec(side=32))
    pixels = torch.stack([made.data[int(i)][0] for i in made.train]).double() / 255
    torch.testing.assert_close(torch.tensor(made.mean).double(), pixels.mean((0, 2, 3)))


def test_the_same_seed_gives_the_same_batch_and_another_one_does_not() -> None:
    first, again, other = (datasets.run(Spec(seed=seed)).x for seed in (1, 1, 2))
    torch.testing.assert_close(first, again)
    assert not torch.equal(first, other)


def test_weights_bring_rare_classes_as_often_as_common_ones() -> None:
    spec = Spec(data=uneven(), val=0.0, test=0.0, batch_size=256)

    def share(spec: Spec) -> float:
        made = datasets.parts(spec)
        batches = datasets.loader(spec, made)
        rows: list[Tensor] = [y for _ in range(20) for _, y in batches]
        return float((torch.cat(rows) == 0).float().mean())

    assert share(spec) == pytest.approx(4 / 24)
    assert share(spec.replace(weighted=True)) == pytest.approx(0.5, abs=0.08)


def test_copies_stay_in_one_part_unless_told_otherwise() -> None:
    data = uneven()
    spec = Spec(data=data, val=0.4, test=0.0, stratify=False)
    assert all(len(datasets.parts(spec.replace(split_seed=s)).leaked) == 0 for s in range(6))
    loose = spec.replace(group="none")
    assert any(len(datasets.parts(loose.replace(split_seed=s)).leaked) for s in range(6))


def test_groups_by_name_need_names_that_make_groups() -> None:
    files = {
        f"{c}/{p}_{i}.png": noise(hash((c, p, i)) % 9999)
        for c in "ab"
        for p in "xyz"
        for i in range(3)
    }
    made = datasets.parts(Spec(data=kept(files), group="names", val=0.3, test=0.0, stratify=False))
    stems = [{made.data.names[i].split("/")[1][0] for i in part} for part in (made.train, made.val)]
    assert not stems[0] & stems[1]
    alike = kept({f"{c}/img_{i}.png": noise(i + ord(c) * 50) for c in "ab" for i in range(4)})
    with pytest.raises(SpecError, match="there are 1 groups"):
        datasets.parts(Spec(data=alike, group="names"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Spec(rename='{"flower": "", "temple": ""}'), "Every class is left out"),
        (Spec(batch_size=64, drop_last=True), "fill no batch of 64"),
        (Spec(transforms="RandomCrop 20\nToFloat", batch_size=256, rename="{}"), ""),
        (Spec(mix="MixUp", rename='{"flower": "temple"}'), "needs two classes"),
    ],
)
def test_what_gives_no_batch_is_said(spec: Spec, message: str) -> None:
    if not message:  # the nearest that works
        assert datasets.run(spec).x.shape == (56, 3, 20, 20)
        return
    with pytest.raises(SpecError, match=message):
        datasets.run(spec)


@pytest.mark.parametrize("rename", ["[1]", "{", '{"a": 1}', "[" * 9000])
def test_a_renaming_that_is_none_is_explained(rename: str) -> None:
    with pytest.raises(SpecError, match="no JSON object of texts"):
        Spec(rename=rename)


def test_mixed_labels_are_shares_that_sum_to_one() -> None:
    for mix in ("MixUp", "CutMix"):
        y = datasets.run(Spec(mix=mix)).y
        assert y.shape == (8, 2)
        torch.testing.assert_close(y.sum(1), torch.ones(8))


def test_a_script_of_an_own_set_prints_the_same_first_batch(tmp_path: Path) -> None:
    spec = Spec(
        data=uneven(), rename='{"few": "<rare>", "many/p0_1.png": "<rare>"}', side=32, num_workers=1,
        weighted=True, group="names", mix="MixUp", batch_size=4,
    )  # fmt: skip
    (tmp_path / datasets.file_name(spec)).write_bytes(
        image_sets.workspace.get(image_sets.id_of(spec.data)).read_bytes()
    )
    printed = export.numbers(export.run(datasets.to_code(spec), tmp_path))
    assert printed == pytest.approx(datasets.numbers(datasets.run(spec)), rel=1e-6)


def test_the_card_counts_every_picture_once() -> None:
    made = datasets.parts(Spec(data=uneven()))
    counts = describe.balance(made)
    assert {c.name: c.all for c in counts} == {"few": 4, "many": 20}
    assert sum(c.train for c in counts) == len(made.train)
    rows = describe.chosen(made, "few", "all")
    assert rows == [i for i, n in enumerate(made.data.names) if n.startswith("few/")]
    assert sorted(describe.chosen(made, "all", "val")) == made.val.tolist()


def test_stages_end_in_what_the_loader_serves_and_draws_differ() -> None:
    spec = Spec()
    made = datasets.parts(spec)
    after = describe.stages(spec, made, 3, 0)
    assert [s.line for s in after] == ["as it is read", *(s.line for s in spec.steps)]
    drawn = describe.draws(spec, made, 3, 3)
    assert not torch.equal(drawn[0].pixels, drawn[1].pixels)
    torch.testing.assert_close(drawn[0].pixels, after[-1].pixels)
    assert len(describe.to_look_at(spec, made, after)) == len(after)


@pytest.mark.parametrize(("width", "height"), [(400, 100), (90, 300), (8, 8), (3000, 2), (1, 500)])
def test_thumbnails_keep_their_proportions_and_are_small_to_send(width: int, height: int) -> None:
    file = io.BytesIO()
    noisy = torch.randint(256, (height, width, 3), generator=torch.Generator().manual_seed(0))
    Image.fromarray(noisy.to(torch.uint8).numpy()).save(file, "PNG")
    data = kept({"a/x.png": file.getvalue(), "b/y.png": noise(1)})
    (thumbnail,) = describe.thumbnails(data, ("a/x.png",))
    small = Image.open(io.BytesIO(thumbnail)).size
    shrunk = min(1.0, 128 / max(width, height))
    assert small == tuple(max(1, round(length * shrunk)) for length in (width, height))
    assert len(thumbnail) < 16_000  # noise packs worst of all
