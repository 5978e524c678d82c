"""One constructor call that is both run and printed, so that code on screen cannot drift from code that ran."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, init=False)
class Call:
    """`Call("nn.Linear", 2, 8)`: `build()` makes the object, `code()` is its source text.

    `name` is a dotted path below `torch` (`nn.Linear`, `optim.SGD`, `optim.lr_scheduler.StepLR`),
    written by this project, never by a learner.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...]

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "args", args)
        object.__setattr__(self, "kwargs", tuple(kwargs.items()))

    def build(self, *first: Any) -> Any:
        """The object itself; `first` are leading positional arguments such as `model.parameters()`."""
        target: Any = torch
        for part in self.name.split("."):
            target = getattr(target, part)
        args = [_built(a) for a in self.args]
        kwargs = {k: _built(v) for k, v in self.kwargs}
        return target(*first, *args, **kwargs)

    def code(self, *first: str) -> str:
        """The same call as source text, under `import torch` and `from torch import nn`."""
        shown = [_code(a) for a in self.args] + [f"{k}={_code(v)}" for k, v in self.kwargs]
        prefix = "" if self.name.startswith("nn.") else "torch."
        return f"{prefix}{self.name}({', '.join([*first, *shown])})"


def _built(value: Any) -> Any:
    if isinstance(value, Call):
        return value.build()
    if type(value) in (list, tuple):
        return type(value)(_built(v) for v in value)
    if type(value) is dict:
        return {k: _built(v) for k, v in value.items()}
    return value


def _code(value: Any) -> str:
    if isinstance(value, Call):
        return value.code()
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'  # repr would be a name that no script has
    if type(value) is list:
        return f"[{', '.join(map(_code, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(_code, value))}{',' if len(value) == 1 else ''})"
    if type(value) is dict:
        return "{" + ", ".join(f"{k!r}: {_code(v)}" for k, v in value.items()) + "}"
    return repr(value)
