"""What a recipe prints does what carrying it out does."""

from __future__ import annotations

import random
from typing import Any

import pytest

from models.core import recipe
from models.core.recipe import Given, Name, Step


def both(a: int, b: int = 1) -> tuple[int, int]:
    """Sum and product."""
    return a + b, a * b


def joined(words: list[str], more: dict[str, Any] | None = None) -> str:
    return "/".join(words) + repr(more)


LONG = [f"column {i} {'x' * (i % 30)}" for i in range(40)]
RECIPES: dict[str, recipe.Recipe] = {
    "two values": [Step("a, b", both, 3, b=4), Step("c, d", both, Name("a"), Name("b"))],
    "an item of an earlier value": [
        Given("t", {"k": [5, 6]}),
        Given("i", 1),
        Step("a, b", both, Name("t")["k"][Name("i")], Name("t")["k"][0], why="the second of k"),
    ],
    "texts that are source": [
        Given("names", ["a'b", "\n", "\\", '"', "{x}", "\u202e", "'); import os"]),
        Step("t", joined, Name("names"), {"x": None, "y": 1.5}),
    ],
    "longer than a line": [Step("t", joined, LONG, {n: n for n in LONG}, why="long")],
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_printed_lines_leave_what_the_app_computed(name: str) -> None:
    steps = RECIPES[name]
    printed: dict[str, Any] = {f.__name__: f for f in recipe.functions(steps)}
    code = "\n".join(recipe.lines(steps))
    exec(compile(code, name, "exec"), printed)
    made = recipe.carry_out(steps)
    assert made == {k: printed[k] for k in made}
    assert all(len(line) <= 110 for line in code.splitlines())


def test_comments_and_functions_stand_once() -> None:
    steps = RECIPES["two values"]
    assert recipe.functions(steps) == [both]
    assert "# the second of k" in recipe.lines(RECIPES["an item of an earlier value"])[-1]


def test_what_was_known_before_is_used_and_kept() -> None:
    start = random.Random(0).randrange(100)
    made = recipe.carry_out([Step("b, c", both, Name("a"))], a=start)
    assert made == {"a": start, "b": start + 1, "c": start}


def test_a_step_that_makes_another_number_of_values_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        recipe.carry_out([Step("a, b, c", both, 1)])
