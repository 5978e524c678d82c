"""Of a table the column that is meant is proposed, with a reason, whatever hides it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.data import proposal, tables

N = 60
RANDOM = np.random.default_rng(0)


def words(*choices: str, lack: float = 0.0) -> pd.Series:
    """A column of words, each in its turn; a share of the rows lacks it."""
    column = pd.Series([choices[i * i % 7 % len(choices)] for i in range(N)], dtype="object")
    column[RANDOM.random(N) < lack] = None
    return column.astype("category")


def amounts(low: float = 0.0, high: float = 90.0, lack: float = 0.0) -> pd.Series:
    values = RANDOM.uniform(low, high, N).astype("float32")
    values[RANDOM.random(N) < lack] = np.nan
    return pd.Series(values)


def whole(n: int) -> pd.Series:
    return pd.Series([i * i % 11 % n for i in range(N)], dtype="float32")


def counter() -> pd.Series:
    return pd.Series(np.arange(1, N + 1, dtype="float32"))


def names() -> pd.Series:
    return pd.Series([f"Person {chr(65 + i % 26)}{i}" for i in range(N)], dtype="category")


CLASS = ("yes", "no")
TITANIC = {
    "PassengerId": counter(),
    "Survived": whole(2),
    "Pclass": whole(3),
    "Name": names(),
    "Sex": words("male", "female"),
    "Age": amounts(1, 80, lack=0.2),
    "SibSp": whole(4),
    "Ticket": pd.Series([f"A/{i % 50}" for i in range(N)], dtype="category"),
    "Fare": amounts(5, 500),
    "Cabin": words("C85", "B42", "E12", lack=0.77),
    "Embarked": words("S", "C", "Q", lack=0.02),
}


def found(table: dict[str, pd.Series]) -> proposal.Proposal:
    return proposal.propose(tables.describe(pd.DataFrame(table)))


def test_a_titanic_like_table_proposes_survived_and_says_why() -> None:
    order = list(TITANIC)
    for place in range(len(order)):
        rest = [name for name in order if name != "Survived"]
        rest.insert(place, "Survived")
        proposed = found({name: TITANIC[name] for name in rest})
        assert (proposed.target, proposed.task) == ("Survived", "classification")
        assert proposed.why == "its name is one that answers often have"
        assert proposed.features == tuple(
            n for n in rest if n in ("Pclass", "Sex", "Age", "SibSp", "Fare", "Embarked")
        )
    assert proposed.left_out["PassengerId"] == "it counts the rows from 1 to 60"
    assert proposed.left_out["Name"].startswith("every row has another word, such as 'Person")
    assert proposed.left_out["Ticket"] == "its 50 different texts hardly ever come twice"
    assert "of its 60 cells are missing" in proposed.left_out["Cabin"]


@pytest.mark.parametrize(
    "name",
    [
        "target",
        "label",
        "Class",
        "y",
        "Outcome",
        "y_true",
        "survived",
        "Überlebt",
        "Zielgröße",
        "ziel_spalte",
        "étiquette",
        "cible",
        "Résultat",
        "objetivo",
        "etiqueta",
        "clase",
        "sobrevivió",
        "Klasse",
        "is_fraud",
        "fraudFlag",
        "churn_label",
        "obiettivo",
        "classe",
        "alvo",
        "цель",
        "класс",
        "标签",
        "目标",
        "是否流失",
        "ラベル",
        "DIAGNOSIS",
        "sentiment",
        "species",
        "class_label",
        "target_variable",
        "gekündigt",
    ],
)
def test_a_name_that_says_so_is_found_at_any_place(name: str) -> None:
    others = {"height": amounts(), "colour": words("red", "blue", "green"), "size": amounts()}
    for place in range(4):
        table = list(others.items())
        table.insert(place, (name, words(*CLASS)))
        assert found(dict(table)).target == name


@pytest.mark.parametrize("name", ["SalePrice", "Kaufpreis", "price_usd", "prix", "Salary", "mpg"])
def test_an_amount_by_its_name_is_a_regression(name: str) -> None:
    for place in range(3):
        table = [("rooms", whole(5)), ("area", amounts())]
        table.insert(place, (name, amounts(100, 900)))
        proposed = found(dict(table))
        assert (proposed.target, proposed.task) == (name, "regression")


@pytest.mark.parametrize(
    ("behind", "also"),
    [
        ({"id": counter()}, {}),
        ({"constant": pd.Series(np.full(N, 3, "float32"))}, {}),
        ({"note": words("a", "b", lack=0.95)}, {}),
        (
            {
                "nr": counter(),
                "unit": words("cm"),
                "remark": words("x", "y", lack=0.9),
                "void": pd.Series(np.full(N, np.nan, "float32")),
            },
            {"who": names()},
        ),
    ],
)
def test_a_class_is_found_behind_ids_constants_and_what_is_almost_empty(
    behind: dict[str, pd.Series], also: dict[str, pd.Series]
) -> None:
    table = {**also, "a": amounts(), "b": amounts(), "group": words("p", "q", "r"), **behind}
    proposed = found(table)
    assert proposed.target == "group"
    assert proposed.features == ("a", "b")
    assert set(proposed.left_out) == {*behind, *also}


def test_without_a_hint_the_last_column_or_the_only_classes_are_proposed() -> None:
    assert found({"a": amounts(), "b": amounts(), "c": amounts()}).target == "c"
    assert found({"a": amounts(), "b": amounts(), "c": amounts()}).why == "it stands last"
    only = found({"kindness": words("p", "q"), "b": amounts(), "c": amounts()})
    assert (only.target, only.why) == ("kindness", "it is the only column of a few classes")
    assert found({"x": amounts(), "y": amounts(), "shape": words("p", "q")}).target == "shape"
    assert found({"x": amounts(), "y": amounts()}).target == "y"
    assert found({"sex": words("f", "m"), "height": amounts(), "weight": amounts()}).target != "sex"


def test_only_two_columns_of_counting_numbers_still_make_a_proposal() -> None:
    hours = found({"hours": counter(), "marks": amounts()})
    assert (hours.target, hours.features, hours.left_out) == ("marks", ("hours",), {})
    nothing = found({"id": counter(), "name": names()})
    assert nothing.target in ("id", "name")
    assert "no column suits better" in nothing.why


def test_whole_numbers_are_classes_only_where_they_repeat() -> None:
    few = pd.DataFrame({"marks": np.arange(2, 12, dtype="float32")})
    assert proposal.task_of(tables.describe(few)[0])[0] == "regression"
    twice = pd.DataFrame({"marks": np.arange(20, dtype="float32") // 2})
    assert proposal.task_of(tables.describe(twice)[0])[0] == "classification"
    two = pd.DataFrame({"won": np.array([0, 1], "float32")})
    assert proposal.task_of(tables.describe(two)[0])[0] == "classification"


def test_reasons_are_the_right_ones() -> None:
    stamps = pd.DataFrame({"t": np.float32(1.7e9) + np.arange(9, dtype="float32")})
    (about,) = tables.describe(stamps)
    assert about.distinct == 1
    assert "as float32, which keeps 7 digits, all its numbers are 1.7e+09" in proposal.constant_reason(about)  # fmt: skip
    (same,) = tables.describe(pd.DataFrame({"t": np.full(9, 3, "float32")}))
    assert proposal.constant_reason(same) == "it never changes"
    prices = pd.Series([f"{i}.{i % 10}0 €" for i in range(9)], dtype="category")
    (price,) = tables.describe(pd.DataFrame({"price": prices}))
    assert price.kind == "id"
    assert proposal.id_reason(price).endswith("if they are numbers, set its kind to number")
    (by_hand,) = [tables.describe_column("size", whole(4), "id")]
    assert proposal.id_reason(by_hand) == "its kind is set to id"
