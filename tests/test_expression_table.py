"""Whatever stands in a link: no expression takes longer than 2 s or more than 512 MB, and the server pays for none."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psutil
import pytest

from models.core.runs import Client, Limits, Overrun
from tests.expression_cases import HEAVY, generated

PRELOAD = (
    "torch",
    "torch._dynamo",
    "torch.utils.flop_counter",
    "models.core.runs.answers",
    "models.core.runs.worker",
    "models.expressions",
)
CASES = "tests.expression_cases:measured"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = Client(Limits(evaluators=2), preload=PRELOAD)
    made.warm()
    made.ask(CASES, "torch.rand(300, 300) @ torch.rand(300, 300)", owner="me", seconds=60)
    yield made
    made.close()


def asked(client: Client, text: str) -> tuple[str, float]:
    """What it came to, and by how many MB its process grew."""
    try:
        return client.ask(CASES, text, owner="me")
    except Overrun as error:
        return f"ended: {error}", 0.0


# a third of them, and few generated ones, so that the suite stays quick: `benchmarks expressions` tries all
SOME = HEAVY[::3]


@pytest.mark.parametrize("text", SOME)
def test_a_heavy_expression_is_refused_or_answered_in_time_and_memory(client: Client, text: str) -> None:  # fmt: skip
    before = psutil.Process(os.getpid()).memory_info().rss
    words, grown = asked(client, text)
    assert words
    assert grown < 512
    if words.startswith("ended"):
        assert "MB of memory" in words or "2 seconds" in words
    assert psutil.Process(os.getpid()).memory_info().rss - before < 20 * 2**20


def test_most_heavy_ones_are_refused_before_anything_is_computed(client: Client) -> None:
    ended = [text for text in SOME if asked(client, text)[0].startswith("ended")]
    assert len(ended) <= len(SOME) // 5, ended


def test_generated_expressions_end_in_time_and_memory(client: Client) -> None:
    for text in generated(20):
        assert asked(client, text)[1] < 512, text
