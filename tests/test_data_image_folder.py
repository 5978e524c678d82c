"""The Dataset classes: all of them serve the same pictures; splits keep groups together and classes in proportion."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from models.data import image_folder, image_sets
from models.data.image_folder import leaked, same_beginning, split_images
from tests.image_cases import kept, noise

NAMES = {f"{'ab'[i % 2]}/{i:02}.png": noise(i) for i in range(9)}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    return kept(NAMES)


def test_every_way_of_storing_serves_the_same_pictures(data: str) -> None:
    lazy = image_sets.opened(data, 32)
    labels = lazy.labels
    others: list[Dataset] = [
        image_folder.EagerImages(image_sets.opened(data, 32)),
        image_folder.MappedImages(image_sets.decoded(data, 32), labels),
        image_folder.FileImages(image_sets.unpacked(data), lazy.names, labels, 32),
        image_folder.ParquetImages(image_sets.in_parquet(data, rows=4), labels, 32),
    ]
    for other in others:
        again = pickle.loads(pickle.dumps(other))  # as it travels to a worker
        for served in (other, again):
            assert len(served) == len(lazy)  # type: ignore[arg-type]  # map-style
            for i in (0, 8, 3):
                torch.testing.assert_close(served[i][0], lazy[i][0])
                assert served[i][1] == lazy[i][1]
    stream = DataLoader(image_folder.StreamedImages(lazy, len(lazy)), batch_size=None)
    torch.testing.assert_close(torch.stack([x for x, _ in stream]), others[0].pixels)  # type: ignore[attr-defined]


def test_a_class_is_renamed_merged_or_left_out_and_one_file_can_differ(data: str) -> None:
    assert image_sets.opened(data, 32, {"a": "x", "b": "x"}).classes == ["x"]
    only = image_sets.opened(data, 32, {"a": ""})
    assert (only.classes, len(only)) == (["b"], 4)
    one = image_sets.opened(data, 32, {"a/00.png": "b", "b/01.png": ""})
    assert len(one) == 8
    assert one.classes[int(one.labels[one.names.index("a/00.png")])] == "b"


def test_the_whole_set_in_memory_is_what_the_dataset_serves_also_when_classes_are_left_out(
    data: str,
) -> None:
    for rename in (None, {"a": ""}, {"b": "x"}):
        x, known = image_sets.pictures(data, 32, rename)
        assert len(x) == len(known)
        torch.testing.assert_close(x, torch.stack([known[i][0] for i in range(len(known))]))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=60),
    st.floats(0, 0.5),
    st.floats(0, 0.3),
    st.integers(0, 99),
    st.booleans(),
)
def test_every_picture_is_in_one_part_and_a_group_is_never_parted(
    rows: list[tuple[int, int]], val: float, test: float, seed: int, stratify: bool
) -> None:
    labels = torch.tensor([label for label, _ in rows])
    first: dict[int, int] = {}
    group = torch.tensor([first.setdefault(g, i) for i, (_, g) in enumerate(rows)])
    parts = split_images(labels, group, val, test, seed, stratify)
    assert torch.cat(parts).sort().values.tolist() == list(range(len(rows)))
    where = {int(row): number for number, part in enumerate(parts) for row in part}
    assert all(where[i] == where[int(group[i])] for i in range(len(rows)))
    assert leaked(parts[0], torch.cat(parts[1:]), group).tolist() == []
    again = split_images(labels, group, val, test, seed, stratify)
    assert all(torch.equal(a, b) for a, b in zip(parts, again, strict=True))


def test_each_class_gives_the_same_share_when_stratified() -> None:
    labels = torch.tensor([0] * 80 + [1] * 20)
    train, val, test = split_images(labels, torch.arange(100), 0.2, 0.1, 0, True)
    assert [labels[part].bincount().tolist() for part in (train, val, test)] == [
        [56, 14],
        [16, 4],
        [8, 2],
    ]


def test_copies_that_are_split_apart_are_reported() -> None:
    copies = torch.tensor([0, 1, 0, 3])
    assert leaked(torch.tensor([0, 1]), torch.tensor([2, 3]), copies).tolist() == [2]
    assert leaked(torch.tensor([0, 2]), torch.tensor([1, 3]), copies).tolist() == []


def test_files_whose_names_begin_alike_are_a_group() -> None:
    names = ["x/anna_1.jpg", "y/anna_2.jpg", "x/ben-1.jpg", "x/07.jpg", "x/anna_b_1.jpg"]
    assert same_beginning(names).tolist() == [0, 0, 2, 3, 4]
