"""Who is next: runs wait in one line per owner, and the owners take turns."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator


class FairQueue:
    """A queue of run ids that serves owners round robin, each owner's runs in order of arrival."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[str]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def waiting(self, owner: str) -> int:
        """How many runs this owner has in the queue."""
        return len(self._lines.get(owner, ()))

    def put(self, owner: str, run: str) -> None:
        self._lines.setdefault(owner, deque()).append(run)

    def remove(self, run: str) -> None:
        """Take a run out of the queue; nothing happens when it is not there."""
        for owner, line in list(self._lines.items()):
            if run in line:
                line.remove(run)
                if not line:
                    del self._lines[owner]

    def take(self, allowed: Callable[[str], bool]) -> str | None:
        """The next run of the first owner who is allowed one; that owner goes to the end of the turn."""
        for owner, line in self._lines.items():
            if allowed(owner):
                run = line.popleft()
                del self._lines[owner]
                if line:
                    self._lines[owner] = line
                return run
        return None

    def order(self) -> Iterator[str]:
        """The runs in the order in which they would be served."""
        lines = [list(line) for line in self._lines.values()]
        for turn in range(max(map(len, lines), default=0)):
            yield from (line[turn] for line in lines if turn < len(line))

    def position(self, run: str) -> int:
        """1 for the run that is served next; 0 when it does not wait."""
        return next((i for i, other in enumerate(self.order(), 1) if other == run), 0)
