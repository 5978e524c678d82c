"""Hundreds of listed and generated expressions, each in an evaluator: the longest, the hungriest, and what was ended."""

from __future__ import annotations

import os
import time

import psutil

from benchmarks import table
from models.core.runs import Client, Limits, Overrun
from tests.expression_cases import HEAVY, generated

COUNT = 560  # generated ones


def main() -> None:
    """None over 2 s, none over 512 MB, and the server does not grow."""
    client = Client(Limits())
    client.warm()
    me = psutil.Process(os.getpid())
    for text in generated(20, seed=1):  # whatever is imported once
        _asked(client, text)
    before, rows = me.memory_info().rss, []
    for text in [*HEAVY, *generated(COUNT)]:
        rows.append((text, *_asked(client, text)))
    grown = (me.memory_info().rss - before) / 2**20
    client.close()
    rows.sort(key=lambda row: -row[1])
    table.show(
        ["expression", "s", "MB", "came to"], [[t[:60], s, m, w[:60]] for t, s, m, w in rows[:15]]
    )
    table.show(
        ["of", "over 2 s", "over 512 MB", "ended", "this process grew by, MB"],
        [[
            len(rows), sum(r[1] > 2.2 for r in rows), sum(r[2] > 512 for r in rows),
            sum(r[3].startswith("ended") for r in rows), grown,
        ]],
    )  # fmt: skip


def _asked(client: Client, text: str) -> tuple[float, float, str]:
    start = time.perf_counter()
    try:
        words, grown = client.ask("tests.expression_cases:measured", text, owner="me")
    except Overrun as error:
        return time.perf_counter() - start, 0.0, f"ended: {error}"
    return time.perf_counter() - start, grown, words


if __name__ == "__main__":
    main()
