"""Questions are answered at once, in processes that can be ended; whatever they do, the next one is answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from models.core.runs import Client, Limits, Overrun, RunError
from models.core.runs.client import Unwanted
from models.core.spec import SpecError
from tests.test_runs import until

ASKED = "tests.topics.asked"
PRELOAD = ("torch", "models.core.runs.answers", "models.core.runs.worker", ASKED)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = Client(Limits(evaluators=2), preload=PRELOAD)
    made.warm()
    yield made
    made.close()


def ask(client: Client, name: str, *args: Any, owner: str = "me", **how: Any) -> Any:
    return client.ask(f"{ASKED}:{name}", *args, owner=owner, **how)


def test_an_answer_is_the_value_with_tensors_arrays_and_what_is_the_same_thing_twice(
    client,
) -> None:
    t = torch.tensor([[1.5, float("nan")], [0.0, -0.0]], requires_grad=True)
    value = {"t": t, "again": [t], "n": np.arange(6).reshape(2, 3), "kind": torch.bfloat16, "size": t.shape}  # fmt: skip
    got = ask(client, "echo", value)
    torch.testing.assert_close(got["t"], t, equal_nan=True)
    assert got["t"] is got["again"][0]
    assert got["t"].requires_grad
    assert (got["n"] == value["n"]).all()
    assert got["kind"] is torch.bfloat16
    assert got["size"] == torch.Size((2, 2))


def test_the_same_warm_process_answers_again(client) -> None:
    assert len({ask(client, "pid") for _ in range(5)}) == 1


def test_a_refusal_keeps_its_words_and_its_field(client) -> None:
    with pytest.raises(SpecError, match="Five is too many") as caught:
        ask(client, "refuse")
    assert (caught.value.field, caught.value.detail) == ("count", "the detail")


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("spin", (), "longer than 0.2 seconds"),
        ("sleep", (60.0,), "longer than 0.2 seconds"),
        ("crash", (), "crashed"),
    ],
)
def test_what_does_not_end_or_dies_is_ended_with_a_sentence_and_replaced(client, name, args, words) -> None:  # fmt: skip
    with pytest.raises(Overrun, match=words):
        ask(client, name, *args, seconds=0.2)
    assert ask(client, "echo", 7) == 7


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("eat", (300,), "more than the 100 MB"),
        ("pieces", (10**8,), "more than the 100 MB"),
        ("nested", (100_000,), "nested too deeply"),
        ("fail", (), "error of the program"),
        ("stranger", (), "could not be read"),
    ],
)
def test_a_question_that_fails_inside_its_process_is_a_sentence(client, name, args, words) -> None:
    with pytest.raises((SpecError, RunError), match=words):
        ask(client, name, *args, seconds=20, memory_mb=100)
    assert ask(client, "eat", 50, memory_mb=100) == 50  # the nearest that is allowed


def test_a_large_tensor_arrives_without_its_numbers(client) -> None:
    got = ask(client, "echo", torch.ones(1000, 1000))
    assert got.device.type == "meta"
    assert got.shape == (1000, 1000)


def test_a_question_ends_when_nobody_waits_for_it_any_more(client) -> None:
    before = set(client.health()["evaluators"])
    asked = time.monotonic()
    with pytest.raises(Unwanted):
        ask(client, "spin", seconds=600, wanted=lambda: time.monotonic() < asked + 0.3)
    until(lambda: before - set(client.health()["evaluators"]), "the evaluator to be replaced")
    gone = before - set(client.health()["evaluators"])
    until(lambda: not any(map(psutil.pid_exists, gone)), "its process to be gone")


def test_one_owner_never_holds_every_place_and_questions_wait_for_their_turn(client) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        held = [
            pool.submit(ask, client, "spin", seconds=600, wanted=lambda: not stop.is_set())
            for _ in range(3)
        ]
        until(lambda: len(client.health()["evaluators"]) >= 3, "a process in reserve")
        assert ask(client, "echo", 1, owner="another") == 1
        stop.set()
        for one in held:
            with pytest.raises(Unwanted):
                one.result()


def test_one_owner_may_have_only_so_many_waiting(client) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(12) as pool:
        held = [
            pool.submit(ask, client, "spin", seconds=600, wanted=lambda: not stop.is_set())
            for _ in range(11)
        ]
        refused, _ = wait(held, 60, FIRST_COMPLETED)
        stop.set()
        with pytest.raises(RunError, match="are waiting already"):
            refused.pop().result()

    def answered() -> bool:
        with suppress(RunError):  # the supervisor learns a moment later that nobody waits any more
            return ask(client, "echo", 2) == 2
        return False

    until(answered, "their places")


def test_thirty_learners_are_all_answered(client) -> None:
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda n: ask(client, "echo", n, owner=f"learner {n}"), range(90)))
    assert answers == list(range(90))


def test_evaluators_end_with_their_server() -> None:
    made = Client(Limits(evaluators=2), preload=PRELOAD)
    made.warm()
    ask(made, "echo", 1)
    pids = until(lambda: made.health()["evaluators"], "evaluators")
    made.close()
    until(lambda: not any(map(psutil.pid_exists, pids)), "evaluators to be gone")
