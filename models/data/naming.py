"""Names that are still free, found in one look however often the same one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class FreeNames:
    """Hands out names that differ: the wanted one, or the first of its numbered ones that nobody has.

    A wanted name goes on counting where it stopped, so n equal names take n steps and not n².

    Args:
        taken: names that are given already. key: what makes two names the same, such as `str.lower`.
    """

    def __init__(self, taken: Iterable[str] = (), key: Callable[[str], str] = str) -> None:
        self._key = key
        self._taken = {key(name) for name in taken}
        self._next: dict[str, int] = {}

    def take(self, name: str, numbered: Callable[[int], str]) -> str:
        """`name`, or `numbered(2)`, `numbered(3)`, … where that is taken; it is taken from now on.

        `numbered` gives names of their own for every number, the same ones whenever `name` is the same.
        """
        chosen, start = name, self._key(name)
        number = self._next.get(start, 2)
        while self._key(chosen) in self._taken:
            chosen, number = numbered(number), number + 1
        self._next[start] = number
        self._taken.add(self._key(chosen))
        return chosen
