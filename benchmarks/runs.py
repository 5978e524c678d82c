"""Runs: how soon a worker shows its first picture, and how soon it obeys."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import psutil

from benchmarks.table import percentile, show
from models.core.runs import Client, Limits
from tests.topics.ticking import Ticking

_STARTS = 20
_OWNER = "benchmark"


def main() -> None:
    """Print one table: each wait, how often it was measured, its median and 95th percentile, and its limit."""
    client = Client(Limits(modules=("tests.topics.",), per_owner=40))
    try:
        begin = time.perf_counter()
        client.warm()
        waits = {"supervisor launch until workers start at once": [time.perf_counter() - begin]}
        waits |= _waits(client) | {"one question to the supervisor": _rpc(client)}
    finally:
        client.close()
    show(
        ("wait", "n", "p50 ms", "p95 ms", "limit ms"),
        [
            (
                name,
                len(seconds),
                1e3 * statistics.median(seconds),
                1e3 * percentile(seconds, 0.95),
                _LIMITS.get(name, ""),
            )
            for name, seconds in waits.items()
        ],
    )


_LIMITS = {
    "warm start until the first picture": "150",
    "pause until the run stands still": "200",
    "stop between batches until the process is gone": "200",
    "stop in a batch of 60 s until the process is gone": "200",
}


def _waits(client: Client) -> dict[str, list[float]]:
    first, pause, reply, stop, killed = [], [], [], [], []
    for _ in range(_STARTS):
        begin = time.perf_counter()
        run = client.start("tests.topics.ticking", Ticking(), owner=_OWNER)
        _until(lambda run=run: b'"frame":{' in client.poll(run, "", _OWNER))
        first.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        client.pause(run, _OWNER)
        pause.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        client.reply(run, client.send(run, _OWNER, "peek", epoch=0))
        reply.append(time.perf_counter() - begin)
        stop.append(_stop(client, run))
    for _ in range(_STARTS // 2):
        run = client.start("tests.topics.ticking", Ticking(seconds=60), owner=_OWNER, paused=True)
        _until(lambda run=run: b'"frame":{' in client.poll(run, "", _OWNER))
        client.pause(run, _OWNER)
        client.step_batch(run, _OWNER)
        _until(lambda run=run: "after this batch" in client.status(run).message)
        killed.append(_stop(client, run))
    return {
        "warm start until the first picture": first,
        "pause until the run stands still": pause,
        "a command until its reply, paused": reply,
        "stop between batches until the process is gone": stop,
        "stop in a batch of 60 s until the process is gone": killed,
    }


def _stop(client: Client, run: str) -> float:
    pids = client.health()["workers"]
    begin = time.perf_counter()
    client.stop(run, _OWNER)
    _until(lambda: not any(_lives(pid) for pid in pids))
    return time.perf_counter() - begin


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _rpc(client: Client) -> list[float]:
    seconds = []
    for _ in range(2000):
        begin = time.perf_counter()
        client.status("none")
        seconds.append(time.perf_counter() - begin)
    return seconds


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.0005)
