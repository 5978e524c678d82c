"""What a table is good for, proposed from its columns alone: which one to predict, from which others, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from models.data import tables
from models.data.tables import Column
from models.data.wording import count, shown

MAX_CLASSES = 100
_FEW = 20  # different whole numbers that are taken for classes


@dataclass(frozen=True)
class Proposal:
    """A target and its features.

    Attributes:
        target, why: the column to predict, and a clause that says why this one.
        task, why_task: "classification" or "regression", and why.
        features: the columns to predict it from, in the table's order.
        left_out: every other column, and why it is no feature.
    """

    target: str
    why: str
    task: str
    why_task: str
    features: tuple[str, ...]
    left_out: Mapping[str, str]


def propose(columns: Sequence[Column]) -> Proposal:
    """The proposal for a table of two columns or more."""
    target, why = target_of(columns)
    about = next(c for c in columns if c.name == target)
    task, why_task = task_of(about)
    left_out = useless(columns, target)
    features = tuple(c.name for c in columns if c.name != target and c.name not in left_out)
    return Proposal(target, why, task, why_task, features, left_out)


def target_of(columns: Sequence[Column]) -> tuple[str, str]:
    """The column that is most likely meant to be predicted, and a clause that says why.

    A name that answers usually have counts most, then being the only column of a few classes, then standing last.
    Ids, texts, constants and columns that are mostly empty are passed over, while there is another one.
    """
    fit = [c for c in columns if _can_be_predicted(c)]
    passed = ""
    if not fit:
        fit = [c for c in columns if c.distinct > 1] or list(columns)
        passed = ", though it is no good one: no column suits better"
    classes = [c for c in fit if _looks_like_classes(c)]
    sure = [c for c in classes if not c.is_number or c.distinct == 2]
    names = {c.name for c in fit}
    points: dict[str, tuple[float, str]] = {}
    for place, about in enumerate(fit):
        named = _named_like_an_answer(about, names, place == len(fit) - 1)
        reasons = [(named, "its name is one that answers often have")]
        if sure == [about]:
            reasons.append((19.0, "it is the only column of a few classes"))
        elif about in classes:
            few = f"it has {count(about.distinct, 'different value')}"
            reasons.append((12.0 if about in sure else 4.0, few))
        if place == len(fit) - 1:
            behind = [c.name for c in columns[columns.index(about) + 1 :]]
            last = "it stands last" if not behind else _last_but(behind)
            reasons.append((15.0, last))
        if place == 0:
            reasons.append((1.0, "it stands first"))
        total = sum(score for score, _ in reasons) - _doubts(about)
        points[about.name] = total, max(reasons)[1]
    # of equals the last one
    best = max(reversed(fit), key=lambda c: points[c.name][0]).name
    return best, points[best][1] + passed


def task_of(about: Column) -> tuple[str, str]:
    """Whether a target is a class or a number, and why."""
    if not about.is_number:
        return "classification", f"its {count(about.distinct, 'different word')} are classes"
    repeated = about.distinct == 2 or 2 * about.distinct <= about.rows - about.missing
    if about.whole and about.distinct <= _FEW and repeated:
        return (
            "classification",
            f"its {count(about.distinct, 'different whole number')} are taken for classes",
        )
    return "regression", f"its {count(about.distinct, 'different number')} are taken for amounts"


def useless(columns: Sequence[Column], target: str) -> dict[str, str]:
    """Why columns are no features unless they are chosen by hand.

    Numbers that only count the rows are kept where nothing else is left to learn from.
    """
    found = {c.name: why for c in columns if c.name != target and (why := _useless(c))}
    if len(found) == len(columns) - 1:
        return {
            c.name: found[c.name]
            for c in columns
            if c.name in found and not (c.kind == "id" and c.is_number)
        }
    return found


def _useless(about: Column) -> str:
    lacking = about.missing + about.infinite
    if about.kind == "empty":
        return "all its cells are empty"
    if about.kind == "id":
        return id_reason(about)
    if about.distinct < 2:
        return constant_reason(about)
    if 2 * lacking >= about.rows:
        return f"{lacking} of its {about.rows} cells are missing"
    if about.kind == "text":
        return f"its {count(about.distinct, 'different text')} hardly ever come twice"
    return ""


def id_reason(about: Column) -> str:
    """What makes an id of this column, with its numbers."""
    if not about.is_number:
        example = shown(about.examples[0]) if about.examples else ""
        if about.distinct < about.rows - about.missing:
            return "its kind is set to id"
        numbers = [word.lstrip("€$£¥+-( ")[:1].isdigit() for word in about.examples]
        hint = "; if they are numbers, set its kind to number" if all(numbers) else ""
        return f"every row has another word, such as {example}, so it names the rows{hint}"
    if about.high - about.low == about.rows - 1 and about.distinct == about.rows:
        return f"it counts the rows from {about.low:g} to {about.high:g}"
    if about.distinct == about.rows - about.missing:
        return "every row has another whole number, and its name says that it numbers rows"
    return (
        "its name says that it numbers rows"
        if tables.is_id_name(about.name)
        else "its kind is set to id"
    )


def constant_reason(about: Column) -> str:
    """That a column never changes, as far as float32 tells."""
    largest = max(abs(about.low), abs(about.high)) if about.is_number else 0.0
    if about.is_number and (largest >= 2**24 or not about.whole):
        return f"as float32, which keeps 7 digits, all its numbers are {about.low:.8g}"
    return "it never changes"


def _can_be_predicted(about: Column) -> bool:
    if about.distinct < 2 or about.kind in ("id", "text", "empty", "date"):
        return False
    if 2 * (about.missing + about.infinite) >= about.rows:
        return False
    return about.is_number or about.distinct <= MAX_CLASSES


def _looks_like_classes(about: Column) -> bool:
    return task_of(about)[0] == "classification" and about.distinct <= _FEW


def _doubts(about: Column) -> float:
    """What speaks against a target: gaps, words that hardly repeat, a name that properties have."""
    present = about.rows - about.missing
    points = 30 * about.missing / max(1, about.rows)
    points += 10 if not about.is_number and 2 * about.distinct > present else 0
    words = tables.name_words(about.name)
    return points + (15 if words and words[-1] in _property_words() else 0)


def _named_like_an_answer(about: Column, names: set[str], last: bool) -> float:
    words = tables.name_words(about.name)
    if not words:
        return 0.0
    if words[0] == "y" and len(words) <= 2:  # y, y1, y_true; beside an x it may be a place
        return 80.0 if last or not {"x", "X"} & names else 0.0
    whole, best = "".join(words), 0.0
    for word, points in _answer_words().items():
        if word == whole:
            share = 1.0
        elif len(word) <= 3 and word.isascii():
            continue
        elif word == words[-1]:
            share = 0.85
        elif word in words:
            share = 0.8 if word == words[0] else 0.6
        elif not _LATIN.fullmatch(word):
            share = 0.8 if word in whole else 0.0
        else:  # words written together: Zielspalte, Kaufpreis
            joined = (
                len(word) >= 5
                and points != _CLASS
                and (whole.endswith(word) or whole.startswith(word))
            )
            share = 0.9 if joined else 0.0
        best = max(best, share * points)
    return best


def _last_but(behind: list[str]) -> str:
    few = ", ".join(map(shown, behind[:3])) + (
        f" and {len(behind) - 3} more" if len(behind) > 3 else ""
    )
    return (
        f"it is the last that can be predicted: {few} cannot"
        if len(behind) > 1
        else f"it is the last that can be predicted: {few} cannot be"
    )


@cache
def _answer_words() -> dict[str, float]:
    return {"".join(tables.name_words(w)): p for p, text in _ANSWERS.items() for w in text.split()}


@cache
def _property_words() -> frozenset[str]:
    return frozenset(w for word in _PROPERTIES.split() for w in tables.name_words(word))


_LATIN = re.compile(r"[a-z]+")
_CLASS = 78.0

# Words of answers in several languages, by how much they say; written without regard to capitals and accents.
_ANSWERS: Mapping[float, str] = {
    100.0: """target targets label labels outcome groundtruth response dependent
        ziel zielgröße zielvariable zielspalte ergebnis cible étiquette résultat objetivo etiqueta resultado respuesta
        obiettivo etichetta esito alvo rótulo desfecho doel doelvariabele uitkomst cel etykieta wynik mål utfall hedef
        etiket sonuç цель метка целевая результат 目标 标签 结果 目的変数 ラベル 正解 目標 타겟 라벨 결과""",
    90.0: """survived survival survivor churn churned exited attrition fraud fraudulent spam default defaulted diagnosis
        disease stroke deceased died death mortality readmitted purchased bought converted conversion clicked subscribed
        approved accepted rejected admitted passed failed failure sentiment species malignant infected defect anomaly
        toxic hired promoted cancelled canceled winner
        überlebt überlebte gerettet gekündigt kündigung abgewandert betrug ausfall spezies diagnose verstorben gestorben
        erkrankt krankheit bestanden gekauft befund defekt
        survécu survivant fraude décès décédé espèce diagnostic maladie malade acheté réussi résilié
        sobrevivió superviviente especie diagnóstico fallecido enfermedad comprado aprobado abandono
        sopravvissuto frode specie diagnosi malattia deceduto acquistato
        sobreviveu espécie óbito doença overleefd ziekte przeżył gatunek выжил выживание диагноз вид
        存活 生存 幸存 流失 欺诈 违约 诊断""",
    _CLASS: "class classes klasse klassen classe clase klass klasa класс 类别 分类 クラス",
    24.0: """price prices preis prix precio prezzo preço prijs cena цена 价格 価格 가격 salary gehalt lohn salaire salario
        wage income einkommen cost costs charges kosten coût costo sales umsatz revenue ventes ventas vendas profit gewinn
        demand consumption verbrauch yield ertrag mpg strength score punkte grade marks rating bewertung quality qualität
        qualité calidad rent miete loyer alquiler medv fare""",
    14.0: """type typ kind category kategorie catégorie categoría variety sorte cultivar genre decision verdict result
        status risk level art soort gattung rasse""",
}
_PROPERTIES = """id date time year month day name age sex gender city country zip latitude longitude
    datum zeit jahr monat tag alter geschlecht stadt land ort plz année âge sexe ville pays fecha año edad sexo ciudad"""
