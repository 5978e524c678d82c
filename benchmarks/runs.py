"""Runs: how soon a worker shows its first picture, and how soon it obeys."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import psutil

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
        rows: list[tuple[str, list[float], str]] = [
            ("supervisor launch until workers start at once", [time.perf_counter() - begin], "")
        ]
        rows += _waits(client)
        rows.append(("one question to the supervisor (RPC)", _rpc(client), ""))
    finally:
        client.close()
    print(f"{'wait':<52} {'n':>5} {'p50 ms':>9} {'p95 ms':>9} {'limit ms':>9}")
    for name, seconds, limit in rows:
        p50, p95 = statistics.median(seconds), _percentile(seconds, 0.95)
        print(f"{name:<52} {len(seconds):>5} {p50 * 1e3:>9.2f} {p95 * 1e3:>9.2f} {limit:>9}")


def _waits(client: Client) -> list[tuple[str, list[float], str]]:
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
        run = client.start("tests.topics.ticking", Ticking(seconds=60), owner=_OWNER)
        _until(lambda: bool(client.health()["workers"]))
        killed.append(_stop(client, run))
    return [
        ("warm start until the first picture", first, "150"),
        ("pause until the run stands still", pause, "200"),
        ("a command until its reply, paused", reply, ""),
        ("stop until the process is gone, between batches", stop, "200"),
        ("stop until the process is gone, in a batch of 60 s", killed, "200"),
    ]


def _stop(client: Client, run: str) -> float:
    pids = client.health()["workers"]
    begin = time.perf_counter()
    client.stop(run, _OWNER)
    _until(lambda: not any(_runs(pid) for pid in pids))
    return time.perf_counter() - begin


def _runs(pid: int) -> bool:
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


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
