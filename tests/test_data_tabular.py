"""From a named table to tensors: the script rebuilds them bit by bit, and every decision is said."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from models.core import export
from models.core.spec import SpecError, knobs
from models.data import bundled, example, rows, tables, tabular, toy, workspace
from models.data.tabular import TableSpec, prepare

NAMES = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")


def upload(text: str | bytes, name: str = "mine.csv", **changes: Any) -> TableSpec:
    """A spec of a table in the workspace."""
    content = text.encode() if isinstance(text, str) else text
    return TableSpec(data="upload:" + workspace.put(content, name), **changes)


MESSY = "Name;Preis;Tag;Ort;Ort;ok\n" + "".join(
    f"P{i};{'?' if i == 4 else 'inf' if i == 9 else f'{i},{i % 7}'};{'' if i == 3 else f'{i % 28 + 1:02d}.03.2024'};"
    f"{'Zürich' if i % 3 else 'Épinal'};{'x' if i % 2 else ''};{'ja' if i % 5 < 2 else 'nein'}\n"
    for i in range(40)
)
PLAIN = "".join(f"{i % 6}.5,{i * i % 11},{'a' if i % 2 else 'b'},{i % 3}\n" for i in range(60))

SPECS = {
    "iris": TableSpec(),
    "iris two columns, plain split": TableSpec(
        features="petal length (cm),petal width (cm)",
        stratify=False,
        normalise="min-max",
        data_seed=3,
    ),
    "iris regression": TableSpec(target="petal width (cm)", task="regression", max_categories=2),
    "wine raw": TableSpec(data="wine", normalise="none", test_fraction=0.0),
    "breast cancer filled": TableSpec(data="breast_cancer", missing="mean"),
    "digits": TableSpec(data="digits", missing="median"),
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
    "messy": upload(MESSY.encode("cp1252"), "../Pr <eise>.csv", missing="mean"),
    "messy, filled": upload(MESSY.encode("cp1252"), "../Pr <eise>.csv"),
    "messy, not marked": upload(MESSY.encode("cp1252"), "../Pr <eise>.csv", was_missing=False),
    "messy, dropped": upload(
        MESSY.encode("cp1252"), "../Pr <eise>.csv", features="Preis,Tag,Ort", missing="drop"
    ),
    "messy, price": upload(MESSY.encode("utf-16"), "wide.txt", target="Preis", missing="median"),
    "messy, kinds": upload(
        MESSY.encode("utf-8-sig"),
        "kinds.csv",
        column_kinds="Preis=category,Tag=category",
        max_categories=5,
        missing="mean",
    ),
    "no header": upload(PLAIN, "plain.data"),
    "no header, class of words": upload(
        PLAIN, "plain.data", target="column 3", features="column 2,column 4"
    ),
    "planets": TableSpec(data=example.DATA),
    "planets' moons": TableSpec(
        data=example.DATA, target="moons", task="regression", missing="median"
    ),
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
        for file, path in tabular.files(spec).items():
            (folder / file).write_bytes(path.read_bytes())
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
def test_the_split_does_not_follow_the_places_of_made_points(name: str, seed: int) -> None:
    data = tabular.prepare(TableSpec(data=name, data_seed=seed))
    assert data.points_train is not None
    assert data.points_test is not None
    spread = data.points_train.std(dim=0)
    away = (data.points_train.mean(dim=0) - data.points_test.mean(dim=0)).abs()
    assert (away < 0.35 * spread).all()  # 100 test points: 0.1 spreads are one standard error


def test_every_setting_reaches_the_script() -> None:
    default = TableSpec()
    for field, about in knobs(TableSpec).items():
        changes = tabular.VARIATIONS.get(field)
        if changes is not None:
            pairs = [TableSpec(**changes)]
        elif about.choices:
            pairs = [
                default.replace(**{field: c}) for c in about.choices if c != getattr(default, field)
            ]
        elif isinstance(getattr(default, field), bool):
            pairs = [default.replace(**{field: not getattr(default, field)})]
        else:
            pairs = [default.replace(**{field: getattr(default, field) + (about.step or 1)})]
        assert pairs
        for changed in pairs:
            base = changed.replace(**{field: getattr(default, field)})
            assert tabular.to_cells(changed) != tabular.to_cells(base), field


# ---- what the tensors are


def test_statistics_come_from_training_rows_only() -> None:
    data, table = prepare(TableSpec(data="wine")), bundled.table("wine")
    scaler = StandardScaler().fit(table.iloc[data.rows_train.numpy(), :-1].to_numpy("float64"))
    torch.testing.assert_close(data.shift, torch.tensor(scaler.mean_).float())
    torch.testing.assert_close(data.scale, torch.tensor(scaler.scale_).float())
    for x, places in ((data.x_val, data.rows_val), (data.x_test, data.rows_test)):
        expected = scaler.transform(table.iloc[places.numpy(), :-1].to_numpy("float64"))
        torch.testing.assert_close(x, torch.tensor(expected).float(), atol=1e-4, rtol=1e-4)


def test_gaps_are_filled_from_training_rows_only() -> None:
    text = "x,y\n" + "".join(f"{'' if i % 4 == 0 else i * i},{i % 2}\n" for i in range(40))
    data = prepare(upload(text, missing="mean", normalise="none"))
    values = [float(r * r) for r in data.rows_train.tolist() if r % 4]
    torch.testing.assert_close(data.fill[0], torch.tensor(np.mean(values)).float())
    assert data.features == ("x", "x was missing")
    gap = data.rows_test % 4 == 0
    assert gap.any()
    torch.testing.assert_close(data.x_test[gap, 0], data.fill[0].expand(int(gap.sum())))
    assert torch.equal(data.x_test[:, 1], gap.float())
    unmarked = prepare(upload(text, missing="mean", normalise="none", was_missing=False))
    assert torch.equal(unmarked.x_train, data.x_train[:, :1])


LONELY = "h,w,tree\n" + "".join(
    f"{i % 7}.5,{i % 11}.25,{'yew' if i == 59 else 'oak' if i % 2 else 'elm'}\n" for i in range(60)
)


def test_a_class_of_one_row_is_said_to_be_in_training_alone() -> None:
    said = prepare(upload(LONELY)).decisions
    assert not any("same share" in s for s in said), said
    for part in ("validation", "test"):
        assert any(f"no {part} row is of class 'yew'" in s for s in said), said
    said = prepare(upload(LONELY.replace("yew", "oak"))).decisions
    assert any("every class has the same share" in s for s in said)
    assert not any("row is of class" in s for s in said)


def test_a_target_that_never_changes_in_a_part_is_said_beside_its_r2() -> None:
    chosen = prepare(upload("x,y\n" + "".join(f"{i % 9}.5,{i}.5\n" for i in range(60))))
    test = set(chosen.rows_test.tolist())
    assert not any("R²" in s for s in chosen.decisions)
    text = "x,y\n" + "".join(f"{i % 9}.5,{i if i in test else 7}.5\n" for i in range(60))
    said = prepare(upload(text, task="regression")).decisions
    assert any(s.startswith("every training row has the same 'y', 7.5: R²") for s in said), said
    assert any(s.startswith("every validation row has the same 'y', 7.5") for s in said)
    assert not any("every test row" in s for s in said)


def test_new_rows_take_the_very_way_of_the_training_rows() -> None:
    for spec in (SPECS["messy"], SPECS["planets"], TableSpec(data="diabetes", normalise="min-max")):
        data = prepare(spec)
        again = data.transform(rows.original(spec, data.rows_test.tolist()))
        torch.testing.assert_close(again, data.x_test)
    made = prepare(TableSpec(data="circle", inputs="x1^2,sin(x2)"))
    assert made.points_val is not None
    torch.testing.assert_close(made.transform(made.points_val), made.x_val)
    frame = pd.DataFrame(made.points_val.numpy(), columns=["x1", "x2"])
    torch.testing.assert_close(made.transform(frame), made.x_val)


def test_new_rows_may_lack_values_and_bring_new_words_but_not_lack_columns() -> None:
    data = prepare(upload("x,w,y\n" + "1,a,no\n3,b,yes\n" * 10, missing="mean", normalise="none"))
    assert data.features == ("x", "w=a", "w=b")
    x = data.transform(pd.DataFrame({"x": ["7", None], "w": ["b", "new"]}))
    assert x[0].tolist() == [7, 0, 1]
    trained = [1.0 + 2 * (row % 2) for row in data.rows_train.tolist()]
    torch.testing.assert_close(x[1], torch.tensor([np.mean(trained), 0, 0]).float())
    with pytest.raises(SpecError, match="lacks 1 column the model was trained on: 'w'"):
        data.transform(pd.DataFrame({"x": [1]}))
    with pytest.raises(SpecError, match="'x' holds numbers, but row 2 says 'two'"):
        data.transform(pd.DataFrame({"x": ["1", "two"], "w": ["a", "a"]}))


def test_new_dates_are_read_as_the_file_wrote_them() -> None:
    text = "day,y\n" + "".join(f"{i + 1:02d}.02.1970,{i % 2}\n" for i in range(20))
    data = prepare(upload(text, normalise="none", missing="drop"))
    x = data.transform(pd.DataFrame({"day": ["03.01.1970", None]}))
    assert x[0].item() == 2
    assert x[1].isnan()  # incomplete rows were dropped, so nothing stands in
    with pytest.raises(
        SpecError, match=r"holds dates such as 31\.12\.2024, but row 1 says '1970-01-03'"
    ):
        data.transform(pd.DataFrame({"day": ["1970-01-03"]}))


def test_targets_of_a_regression_come_back_in_their_units() -> None:
    data = prepare(TableSpec(data="diabetes"))
    back = data.y_test * data.target_scale + data.target_shift
    original = bundled.table("diabetes")["progression"].iloc[data.rows_test.numpy()]
    torch.testing.assert_close(back, torch.tensor(original.to_numpy(copy=True)))
    assert abs(float(data.y_train.mean())) < 1e-5


def test_points_edited_by_hand_leave_the_rest_in_place() -> None:
    before, after = (prepare(TableSpec(data="xor", edits=e)) for e in ("", "-3;-7"))
    assert set(before.rows_train.tolist()) - {3, 7} == set(after.rows_train.tolist())
    added = prepare(TableSpec(data="xor", edits="+9,9,1;+8,8,0;-501"))
    every = torch.cat([added.rows_train, added.rows_val, added.rows_test])
    assert len(every) == 501
    assert 500 in every
    assert 501 not in every


# ---- what is said


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (SPECS["messy"], "column 'Name' left out: every row has another word, such as 'P0'"),
        (
            SPECS["messy"],
            "'Preis': 1 of 40 cells with no number in them counts as missing: '?' in row 5",
        ),
        (SPECS["messy"], "'Preis': 1 infinite value, the first in row 10"),
        (SPECS["messy"], "several columns are called 'Ort'; column 5 is now 'Ort (2)'"),
        (SPECS["messy"], "column 'Preis': 2 missing values became"),
        (SPECS["messy"], "24 rows for training, 8 for validation, 8 for the test"),
        (
            SPECS["messy, dropped"],
            "3 of 40 rows dropped for a missing value: 'Preis' 2, 'Tag' 1",
        ),
        (SPECS["messy, filled"], "2 missing values became 25.4, the median of the training rows, "),
        (SPECS["planets"], "column 'discovered' left out: 6 of its 12 cells are missing"),
        (SPECS["iris"], "target 'species' has 3 different values, so the task is classification"),
        (SPECS["edited spiral"], "2 points removed by hand"),
    ],
)
def test_every_decision_is_said_with_its_numbers(spec: TableSpec, sentence: str) -> None:
    said = prepare(spec).decisions
    assert any(sentence in s for s in said), said


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({}, ["none of 40 rows is dropped", "'Preis': 2 missing values filled with the median"]),
        ({"missing": "mean", "was_missing": False}, ["filled with the mean of the training rows"]),
        ({"missing": "drop"}, ["lacks one of these is dropped: 'Preis' 2, 'Tag' 1"]),
        ({"features": "Ort"}, ["all of 40 rows are used"]),
        ({"target": "Preis"}, ["2 of 40 rows dropped: 'Preis' is missing there", "'Tag': 1 miss"]),
        ({"features": "Ort (2)"}, ["'Ort (2)': 20 rows without a word, 0 in all its columns"]),
    ],
)
def test_rows_lost_are_told_before_the_table_is_read(
    changes: dict[str, Any], sentences: list[str]
) -> None:
    spec = upload(MESSY.encode("cp1252"), "../Pr <eise>.csv", **changes)
    said = tabular.rows_lost(spec, tabular.plan(spec))
    for sentence in sentences:
        assert any(sentence in s for s in said), said
    lost = 40 - sum(
        len(getattr(prepare(spec), f"rows_{part}")) for part in ("train", "val", "test")
    )
    assert bool(lost) == any("dropped" in s and "none" not in s for s in said)


def test_ten_thousand_categories_are_limited_and_their_share_is_said() -> None:
    text = "c,x,y\n" + "".join(
        f"{'common' if i % 2 else f'v{i % 20_000}'},{i + 0.5},{i % 3 == 0}\n" for i in range(40_000)
    )
    data = prepare(upload(text))
    assert len(data.features) == 21
    assert any(
        "only the 20 most frequent of" in s and "% of the training rows" in s
        for s in data.decisions
    )


def test_too_many_cells_are_refused_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular, "MAX_CELLS", 150 * 4)
    assert prepare(TableSpec()).task == "classification"
    monkeypatch.setattr(tabular, "MAX_CELLS", 150 * 4 - 1)
    with pytest.raises(SpecError, match="150 rows of 4 input columns are 600 numbers"):
        prepare(TableSpec())


ROWS = "".join(f"{i},{i % 5 * 2},{'yes' if i % 2 else 'no'}\n" for i in range(20))

REFUSED = {
    "one column": ("a\n" + "1\n2\n" * 9, {}, "a single column, 'a'"),
    "one class": (
        "a,b\n" + "1,x\n2,x\n" * 9,
        {"target": "b"},
        "Every row of the target 'b' says 'x'",
    ),
    "one number": (
        "a,b\n" + "1,5\n2,5\n" * 9,
        {"target": "b"},
        "Every row of the target 'b' says '5'",
    ),
    "constant inputs": ("a,b\n" + "1,x\n1,y\n" * 9, {}, "column 'a' left out: it never changes"),
    "empty target": (
        "a,b\n" + "1,\n2,\n" * 9,
        {"target": "b"},
        "Every cell of the target 'b' is empty",
    ),
    "empty inputs": ("a,b\n" + ",x\n,y\n" * 9, {}, "'a' left out: all its cells are empty"),
    "unknown target": (
        "a,b,c\n" + ROWS,
        {"target": "d"},
        "no column called 'd'. The columns are: 'a', 'b', 'c'",
    ),
    "unknown feature": ("a,b,c\n" + ROWS, {"features": "a,d"}, "no column called 'd'"),
    "default target as input": (
        "a,b,c\n" + ROWS,
        {"features": "a,c"},
        "'c' is the target, so it cannot be an input too",
    ),
    "amounts as classes": (
        "a,b\n" + "".join(f"{i},{i}.5\n" for i in range(101)),
        {"task": "classification"},
        "101 different values, and a classification takes 100",
    ),
    "words as numbers": ("a,b,c\n" + ROWS, {"task": "regression"}, "holds words such as 'no'"),
    "gaps everywhere": (
        "a,b,c\n" + "1,,x\n,2,y\n" * 9,
        {"features": "a,b", "missing": "drop"},
        "Only 0 of 18 rows",
    ),
    "too few": ("a,b\n1,x\n2,y\n3,x\n4,y\n", {}, "0.2 of 4 rows is less than one row of any class"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_learned_is_explained(name: str) -> None:
    text, changes, sentence = REFUSED[name]
    spec = upload(text, **changes)
    with pytest.raises(SpecError) as caught:
        prepare(spec)
    assert sentence in str(caught.value)
    with pytest.raises(SpecError):
        tabular.to_cells(spec.replace(data="upload:" + "0" * 64))


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("a,b\n" + "1,x\n2,y\n" * 9, {"target": "b"}),
        (
            "a,b\n" + "".join(f"{i % 100},{i % 100}.5\n" for i in range(400)),
            {"task": "classification"},
        ),
        ("a,b,c\n" + "1,,x\n,2,y\n1,2,x\n3,4,y\n" * 9, {"features": "a,b", "missing": "drop"}),
        ("a,b\n" + "1,x\n2,y\n3,x\n" * 2, {"val_fraction": 0.5, "test_fraction": 0.0}),
        ("x,y\n" + "".join(f"{i},{i * 2.5}\n" for i in range(100)), {}),
    ],
)
def test_the_nearest_table_that_can_be_learned_is(text: str, changes: dict[str, Any]) -> None:
    assert len(prepare(upload(text, **changes)).x_train) >= 2


def test_a_link_whose_data_is_elsewhere_says_so() -> None:
    spec = TableSpec(data="upload:" + "ab" * 32)
    for use in (prepare, tabular.plan, tabular.to_cells, tabular.files):
        with pytest.raises(SpecError, match="not on this server"):
            use(spec)


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": "nowhere"},
        {"data": "upload:" + "A" * 64},
        {"data": "upload:../../etc/passwd"},
        {"val_fraction": 0.5, "test_fraction": 0.45},
        {"target": "a", "features": "b,a"},
        {"data": "circle", "task": "regression"},
        {"data": "circle", "inputs": "x3"},
        {"data": "circle", "inputs": ""},
        {"data": "circle", "inputs": "x1,x1"},
        {"data": "circle", "edits": "+1,1,2"},
        {"data": "circle", "edits": "-500"},
        {"data": "circle", "edits": "nonsense"},
        {"data": "circle", "edits": "+1,nan,1"},
        {"column_kinds": "a=colour"},
    ],
)
def test_contradictions_are_explained_without_reading_a_file(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        TableSpec(**wrong)


@pytest.mark.parametrize(
    "right",
    [
        {"val_fraction": 0.5, "test_fraction": 0.4},
        {"target": "a", "features": "b,c"},
        {"data": "circle", "task": "classification"},
        {"data": "circle", "inputs": "x1"},
        {"data": "circle", "edits": "+1,1,1;-499"},
        {"data": "circle", "edits": "+1,1,1;-500"},
        {"column_kinds": "a=category"},
    ],
)
def test_the_nearest_settings_are_taken(right: dict[str, Any]) -> None:
    assert TableSpec(**right).data


@given(
    st.lists(
        st.tuples(*[st.integers(-600, 600).map(lambda v: v / 100)] * 2, st.sampled_from([0.0, 1.0]))
    ),
    st.sets(st.integers(0, 499)),
)
def test_edits_survive_as_text(added: list[tuple[float, float, float]], removed: set[int]) -> None:
    assert tabular.parse_edits(tabular.edits_text(added, sorted(removed))) == (
        added,
        sorted(removed),
    )


def test_hostile_column_names_are_data_in_the_script() -> None:
    names = ["<script>", "a'b\"c", "x\u202ey", "n" * 500, "new\nline", "{i}", "\\N{DEGREE SIGN}"]
    cells = [
        [i * (k + 1) % 7 for k in range(len(names))] + ["yes" if i % 2 else "no"] for i in range(20)
    ]
    lines = [
        tables.comma_text([*names, "__import__('os')"]),
        *(",".join(map(str, r)) for r in cells),
    ]
    spec = upload("\n".join(lines), features=tables.comma_text(names[:3] + names[4:]))
    code = export.script("hostile", tabular.to_cells(spec))
    assert "\u202e" not in code
    found: dict[str, Any] = {}
    (path,) = tabular.files(spec).values()
    exec(compile(code.replace(repr("mine.csv"), repr(str(path))), "script", "exec"), found)
    assert torch.equal(found["x_train"], prepare(spec).x_train)
    assert json.dumps(found["features"])


def test_a_large_table_is_not_ready_before_it_was_profiled(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(tabular.ready(TableSpec(data=d)) for d in ("iris", "circle", example.DATA))
    spec = upload("a,b\n" + "1,x\n2,y\n" * 7, "ready.csv")
    assert tabular.ready(spec)
    monkeypatch.setattr(tabular, "READ_AT_ONCE", 10)
    assert not tabular.ready(spec)
    tabular.plan(spec)
    assert tabular.ready(spec)
    assert not tabular.ready(spec.replace(header="no"))
