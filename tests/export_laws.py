"""What every topic's exported code owes the learner, as functions that name what breaks the law."""

from __future__ import annotations

import ast
import importlib
import json
import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from models.core import export
from models.core.spec import Spec, SpecError, Value, knobs
from tests.conftest import ROOT


def topics(root: Path = ROOT) -> dict[str, Any]:
    """Every topic below models/ (a module with `Spec` and `to_code`), found by its source, by dotted name.

    Of a folder whose parts pass the same `Spec` around, only the folder itself counts.
    """
    found: dict[str, Any] = {}
    for path in sorted((root / "models").rglob("*.py"), key=lambda p: (_depth(p), p)):
        if "to_code" not in path.read_text(encoding="utf-8") or path.stem == "__main__":
            continue
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        module = importlib.import_module(name)
        spec_type = getattr(module, "Spec", None)
        if not (hasattr(module, "to_code") and isinstance(spec_type, type)):
            continue
        if issubclass(spec_type, Spec) and spec_type not in [m.Spec for m in found.values()]:
            found[name] = module
    return found


def reproduced(topic: Any, folder: Path) -> None:
    """The default's script, in a fresh interpreter, prints the numbers that the app shows.

    Raises:
        AssertionError: a name or a number differs.
    """
    spec = topic.Spec()
    shown = topic.numbers(result(topic, spec))
    for name, path in getattr(topic, "files", lambda spec: {})(spec).items():
        shutil.copy(path, folder / name)  # what the script reads from its own folder
    printed = export.numbers(export.run(topic.to_code(spec), folder))
    assert shown, "the topic shows no numbers, so its export proves nothing"
    assert set(shown) <= set(printed), (
        f"the script does not print {sorted(set(shown) - set(printed))}"
    )
    torch.testing.assert_close(
        {name: torch.tensor(value) for name, value in printed.items()},
        {name: torch.tensor(float(value)) for name, value in shown.items()},
        equal_nan=True,
    )


def variations_reproduced(topic: Any, folder: Path) -> None:
    """So does the script of every variation of the topic, one after another in one fresh interpreter.

    Raises:
        AssertionError: a name or a number differs; it says in which variation.
    """
    specs: dict[str, Spec] = {}
    shown: dict[str, dict[str, float]] = {}
    for field, varied in getattr(topic, "VARIATIONS", {}).items():
        spec = _shorter(varied, field)
        try:
            shown[field], specs[field] = topic.numbers(result(topic, spec)), spec
        except SpecError:  # it names data that is on no server, to be printed only
            continue
    driver = "import contextlib, io, json, warnings\nprinted = {}\n"
    for field, spec in specs.items():
        for name, path in getattr(topic, "files", lambda spec: {})(spec).items():
            shutil.copy(path, folder / name)
        driver += (
            f"with contextlib.redirect_stdout(io.StringIO()) as out:\n"
            f"    exec(compile({topic.to_code(spec)!r}, {field!r}, 'exec'), {{'__name__': '__main__'}})\n"
            f"printed[{field!r}] = out.getvalue()\n"
        )
    driver += "from pathlib import Path\nPath('printed.json').write_text(json.dumps(printed))"
    export.run(driver, folder, timeout=600)
    for field, text in json.loads((folder / "printed.json").read_text()).items():
        printed = export.numbers(text)
        unprinted = shown[field].keys() - printed.keys()
        assert not unprinted, f"{field}: the script does not print {sorted(unprinted)}"
        for name, value in shown[field].items():
            torch.testing.assert_close(
                torch.tensor(printed[name]),
                torch.tensor(float(value)),
                equal_nan=True,
                msg=lambda text, at=f"{field}: {name}": f"{at}: {text}",
            )


def _shorter(spec: Spec, field: str) -> Spec:
    """The same with fewer epochs and pictures, where those are not what is varied: a shorter run proves as much."""
    few = {"epochs": 8, "limit": 200}
    try:
        return spec.replace(
            **{n: v for n, v in few.items() if n != field and n in knobs(type(spec))}
        )
    except SpecError:  # a schedule that needs its epochs
        return spec


def result(topic: Any, spec: Spec) -> Any:
    """What the app shows in the end: the result of `run`, or the last snapshot of `train`."""
    if hasattr(topic, "train"):
        return deque(topic.train(spec), maxlen=1)[0]
    return topic.run(spec)


def without_effect(topic: Any) -> list[str]:
    """The fields of which no value that was tried changes the exported code.

    One value is enough: others may be a second name of the default, such as "auto" and what it stands for.
    """
    return [
        field
        for field in knobs(topic.Spec)
        if not any(
            topic.to_code(changed) != topic.to_code(base)
            for base, changed in neighbours(topic, field)
        )
    ]


def never_changed(topic: Any) -> list[str]:
    """The fields for which no other valid value was found: each needs an entry in the topic's VARIATIONS."""
    return [field for field in knobs(topic.Spec) if not any(neighbours(topic, field))]


def neighbours(topic: Any, field: str) -> Iterator[tuple[Spec, Spec]]:
    """Pairs of valid specs that differ in this field: the topic's own VARIATIONS first, else around the default."""
    default = topic.Spec()
    own = getattr(topic, "VARIATIONS", {}).get(field)
    if own is not None:
        alone = _exportable(topic, own, field, getattr(default, field))
        yield alone or default, own  # where the field cannot go back alone, the default it is
        return
    for value in other_values(default, field):
        if changed := _exportable(topic, default, field, value):
            yield default, changed


def _exportable(topic: Any, base: Spec, field: str, value: Value) -> Spec | None:
    """`base` with one field changed, or None where the topic refuses that: some rules only its data knows."""
    try:
        changed = base.replace(**{field: value})
        topic.to_code(changed)
    except SpecError:
        return None
    return changed


def other_values(spec: Spec, field: str) -> list[Value]:
    """Values worth trying in place of a field's own: every choice, or the ends of its range and a step aside."""
    about, now = knobs(type(spec))[field], getattr(spec, field)
    if about.choices:
        tried: list[Any] = list(about.choices)
    elif isinstance(now, bool):
        tried = [not now]
    elif isinstance(now, str):
        tried = []  # a free text has a meaning that only the topic knows
    else:
        step = about.step or 1
        ends = [about.minimum, about.maximum, now + step, now - step]
        tried = [type(now)(end) for end in ends if end is not None]
    return [value for value in dict.fromkeys(tried) if value != now]


def notebook_matches(code: str) -> None:
    """The notebook is valid and its code cells, joined, are the script's.

    Raises:
        AssertionError: it is not, or they are not.
    """
    import nbformat

    text = export.notebook(code)
    nbformat.validate(nbformat.reads(text, as_version=4))
    cells = ["".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    head, *parts = code.split("# %%\n")
    assert cells == [part.strip() for part in parts]
    assert cells, "a script without a `# %%` line gives an empty notebook"
    docstring_only = ast.parse(head).body
    assert len(docstring_only) == 1, "what stands above the first `# %%` is lost to the notebook"
    assert isinstance(docstring_only[0], ast.Expr)
    for cell in cells:
        ast.parse(cell)


def _depth(path: Path) -> tuple[int, bool]:
    return len(path.parts) - (path.stem == "__init__"), path.stem != "__init__"
