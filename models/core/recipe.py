"""A recipe: calls that the app carries out and the exported script prints, so that neither can drift from the other."""

from __future__ import annotations

import pprint
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH = 96


@dataclass(frozen=True)
class Name:
    """A value that an earlier step left behind: `Name("table")["age"]` is `table["age"]`, now and in the script."""

    text: str
    keys: tuple[Any, ...] = ()

    def __getitem__(self, key: Any) -> Name:
        return Name(self.text, (*self.keys, key))

    def value(self, known: Mapping[str, Any]) -> Any:
        """What the name stands for."""
        found = known[self.text]
        for key in self.keys:
            found = found[key.value(known) if isinstance(key, Name) else key]
        return found

    def code(self) -> str:
        """Its source text."""
        return self.text + "".join(f"[{_code(key)}]" for key in self.keys)


@dataclass(frozen=True, init=False)
class Step:
    """`Step("x, y", make, 3, seed=0)` is the line `x, y = make(3, seed=0)`.

    Arguments are names of earlier values, or plain values with a source text (numbers, texts, lists of them).
    `why` becomes the line's comment.
    """

    to: str
    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...]
    why: str

    def __init__(
        self, to: str, call: Callable[..., Any], *args: Any, why: str = "", **kwargs: Any
    ) -> None:
        for name, value in {
            "to": to,
            "call": call,
            "args": args,
            "kwargs": tuple(kwargs.items()),
            "why": why,
        }.items():
            object.__setattr__(self, name, value)

    def code(self) -> str:
        """The step as source text; one argument a line where a single line would be too long."""
        shown = [_code(a) for a in self.args] + [f"{k}={_code(v)}" for k, v in self.kwargs]
        head = f"{self.to} = {self.call.__name__}("
        flat = f"{head}{', '.join(shown)})"
        if len(flat) <= _WIDTH and "\n" not in flat:
            return flat + (f"  # {self.why}" if self.why else "")
        arguments = "".join(f"    {text.replace(chr(10), chr(10) + '    ')},\n" for text in shown)
        return head + (f"  # {self.why}" if self.why else "") + "\n" + arguments + ")"


@dataclass(frozen=True)
class Given:
    """`Given("names", ["a", "b"])` is the line `names = ['a', 'b']`."""

    to: str
    value: Any

    def code(self) -> str:
        """The line of the script."""
        return f"{self.to} = {_code(self.value)}"


Recipe = Sequence[Step | Given]


def carry_out(steps: Recipe, **known: Any) -> dict[str, Any]:
    """All values by name after the steps were taken in order, those that were known before included."""
    for step in steps:
        if isinstance(step, Given):
            known[step.to] = step.value
            continue
        args = [_value(a, known) for a in step.args]
        made = step.call(*args, **{k: _value(v, known) for k, v in step.kwargs})
        names = step.to.split(", ")
        known.update(zip(names, made, strict=True) if len(names) > 1 else [(step.to, made)])
    return known


def lines(steps: Recipe) -> list[str]:
    """The steps as lines of a script."""
    return [step.code() for step in steps]


def functions(steps: Recipe) -> list[Callable[..., Any]]:
    """What the steps call, each once, in the order of their first use: the script needs their source."""
    return list(dict.fromkeys(step.call for step in steps if isinstance(step, Step)))


def _value(argument: Any, known: Mapping[str, Any]) -> Any:
    return argument.value(known) if isinstance(argument, Name) else argument


def _code(argument: Any) -> str:
    if isinstance(argument, Name):
        return argument.code()
    return pprint.pformat(argument, width=_WIDTH - 8, compact=True, sort_dicts=False)
