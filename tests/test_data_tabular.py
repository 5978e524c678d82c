"""From a named table to tensors: the script rebuilds them bit by bit, and every decision is said."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models.core import export
from models.data import tabular, toy
from models.data.tabular import TableSpec, prepare

NAMES = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")

SPECS = {
    "iris": TableSpec(),
    "iris two columns, plain split": TableSpec(
        features="petal length (cm),petal width (cm)",
        stratify=False,
        normalise="min-max",
        data_seed=3,
    ),
    "iris regression": TableSpec(
        target="petal width (cm)", categories="one-hot", task="regression", max_categories=2
    ),
    "wine raw": TableSpec(data="wine", normalise="none", test_fraction=0.0),
    "breast cancer filled": TableSpec(data="breast_cancer", missing="mean"),
    "digits": TableSpec(data="digits", features="", missing="median"),
    "diabetes": TableSpec(data="diabetes"),
    "diabetes, raw target": TableSpec(data="diabetes", normalise_target=False, val_fraction=0.0),
    **{name: TableSpec(data=name) for name in toy.TOYS},
    "edited spiral": TableSpec(
        data="spiral",
        inputs="x1,x2,x1^2,x2^2,x1x2,sin(x1),sin(x2)",
        edits="+0.5,-0.2,1;-3;-500",
        noise=0.25,
    ),
    "edited hills": TableSpec(data="reg_gauss", edits="+1,2,-0.75", normalise="min-max", points=10),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What every script leaves behind, all run in one fresh interpreter that knows nothing of this repository."""
    folder = tmp_path_factory.mktemp("exported")
    driver = "import json, torch\nfound = {}\n"
    for name, spec in SPECS.items():
        code = export.script("data", tabular.to_cells(spec))
        driver += (
            f"names = {{'__name__': 'script'}}\nexec(compile({code!r}, {name!r}, 'exec'), names)\n"
        )
        driver += (
            f"found[{name!r}] = {{k: names.get(k) for k in {[*NAMES, 'features', 'classes']}}}\n"
        )
    export.run(driver + "torch.save(found, 'found.pt')", folder)
    return torch.load(folder / "found.pt", weights_only=True)


@pytest.mark.parametrize("name", SPECS)
def test_the_script_leaves_the_very_tensors_of_the_app(name: str, exported: dict[str, Any]) -> None:
    here, there = prepare(SPECS[name]), exported[name]
    for part in NAMES:
        assert torch.equal(getattr(here, part), there[part]), part
    assert list(here.features) == there["features"]
    assert list(here.classes) == (there["classes"] or [])


@pytest.mark.parametrize("name", sorted(toy.TOYS))
@pytest.mark.parametrize("seed", [0, 7])
def test_the_split_does_not_follow_the_places_of_made_points(name, seed):
    data = tabular.prepare(TableSpec(data=name, data_seed=seed))
    assert data.points_train is not None
    assert data.points_test is not None
    spread = data.points_train.std(dim=0)
    away = (data.points_train.mean(dim=0) - data.points_test.mean(dim=0)).abs()
    assert (away < 0.35 * spread).all()  # 100 test points: 0.1 spreads are one standard error
