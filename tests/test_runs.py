"""Runs: isolated, steered by their owner only, watched by anyone with the link, never left behind."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.core import control as control_module
from models.core import wire
from models.core.control import Command, Control, Snapshot
from models.core.runs import Client, Limits, RunError, Status, messages, worker
from models.core.runs.fairness import FairQueue
from models.core.runs.history import History
from models.core.runs.worker import WorkerControl
from tests.topics import answering, ticking
from tests.topics.answering import Answering
from tests.topics.ticking import Ticking

ROOT = Path(__file__).resolve().parents[1]
TICKING = "tests.topics.ticking"
PRELOAD = ("torch", "models.core.wire", "models.core.runs.worker")


def until(holds: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Ask again and again until it holds; its value."""
    deadline = time.monotonic() + seconds
    while not (value := holds()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s for {what}")
        time.sleep(0.005)
    return value


def make(**limits: Any) -> Client:
    made = Client(Limits(modules=("tests.topics.",), **limits), preload=PRELOAD)
    made.warm()
    return made


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Runs with plenty of room."""
    made = make(per_server=40, memory_mb=500, peeks_per_second=5)
    yield made
    made.close()


@pytest.fixture(scope="module")
def tight() -> Iterator[Client]:
    """Runs with room for two, little time, and an owner who is soon missed."""
    made = make(per_server=2, per_owner=2, queued_per_owner=3, wall_seconds=1.5, idle_seconds=3)
    yield made
    made.close()


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> str:
    return request.node.name


def begin(client: Client, owner: str, spec: Any = None, **options: Any) -> str:
    return client.start(TICKING, spec or Ticking(), owner=owner, **options)


def shown(client: Client, run: str, owner: str | None = None) -> dict[str, Any]:
    """Wait for the first picture; everything there is by then."""

    def look() -> dict[str, Any] | None:
        news = wire.loads(client.poll(run, "", owner))
        return news if "frame" in news or news["state"] in ("failed", "stopped") else None

    return until(look, "the first picture")


def ended(client: Client, run: str) -> Status:
    def look() -> Status | None:
        status = client.status(run)
        return status if status.state in ("done", "failed", "stopped") else None

    return until(look, "the end of the run")


def moved(client: Client, run: str, beyond: int, owner: str | None = None) -> int:
    def look() -> int:
        step = client.status(run, owner).step
        return step if step > beyond else 0

    return until(look, f"a step beyond {beyond}")


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# ---- a run from its first picture to its end ----


def test_a_run_shows_its_first_picture_and_moves_on(client: Client, owner: str) -> None:
    run = begin(client, owner)
    first = shown(client, run, owner)
    assert first["state"] == "running"
    assert first["mine"] is True
    assert first["scene"]["pid"] not in (os.getpid(), client.supervisor_pid)
    assert list(first["frame"]["values"]) == [first["frame"]["step"]] * 3
    assert moved(client, run, first["step"]) > first["step"]
    client.stop(run, owner)


def test_a_finished_run_answers_until_it_is_stopped_and_its_history_stays(
    client: Client, owner: str
) -> None:
    run = begin(client, owner, Ticking(epochs=5, seconds=0.0))
    status = ended(client, run)
    assert (status.state, status.step, status.epoch) == ("done", 50, 5.0)
    assert status.answering
    assert client.reply(run, client.send(run, owner, "peek", epoch=2), 30)["step"] == 20
    assert client.blob(run, "checkpoint") == b"50"
    assert client.blob(run, "no such name") is None
    client.stop(run, owner)
    assert client.status(run).state == "done"
    assert client.status(run).over
    with pytest.raises(RunError, match="over"):
        client.send(run, owner, "peek", epoch=2)
    with pytest.raises(RunError, match="over"):
        client.resume(run, owner)
    assert [row["step"] for row in client.history(run)["rows"]] == [10, 20, 30, 40, 50]


def test_a_finished_run_goes_on_when_a_command_adds_epochs(client: Client, owner: str) -> None:
    run = begin(client, owner, Ticking(epochs=2, seconds=0.0))
    assert ended(client, run).step == 20
    client.send(run, owner, "set", epochs=4)
    until(lambda: client.status(run).state == "paused", "the finished run to open again")
    client.resume(run, owner)
    until(lambda: client.status(run).step == 40, "the added epochs")
    assert ended(client, run).state == "done"
    client.stop(run, owner)


def test_a_topic_without_a_loop_gives_its_result_and_its_bytes(client: Client, owner: str) -> None:
    run = client.start("tests.topics.answering", Answering(size=4), owner=owner)
    status = ended(client, run)
    assert status.state == "done"
    result = client.history(run)["frame"]["result"]
    np.testing.assert_array_equal(result["values"], answering.run(Answering(size=4)).values)
    assert "archive" not in result
    assert client.blob(run, "archive") == b"kept apart"
    until(lambda: not client.status(run).answering, "the process to end")


def test_a_run_knows_the_spec_it_was_started_with(client: Client, owner: str) -> None:
    spec = Ticking(epochs=7, batches=3)
    run = begin(client, owner, spec, paused=True)
    assert client.spec(run) == spec
    assert [status.id for status in client.runs(owner)] == [run]
    client.stop(run, owner)


def test_only_topics_may_run(client: Client, owner: str) -> None:
    with pytest.raises(RunError, match="no topic"):
        client.start("os", Ticking(), owner=owner)
    assert Limits().modules == ("models.",)


# ---- pause, step, speed, commands ----


def test_a_paused_run_does_not_move_and_a_step_moves_it_by_one(client: Client, owner: str) -> None:
    run = begin(client, owner)
    shown(client, run)
    status = client.pause(run, owner)
    assert (status.state, status.message) == ("paused", "")
    still = client.status(run).step
    assert client.reply(run, client.send(run, owner, "peek", epoch=0), 30)["step"] == 0
    assert client.status(run).step == still
    for step in (still + 1, still + 2):
        client.step_batch(run, owner)
        assert moved(client, run, step - 1) == step
        assert client.history(run)["frame"]["step"] == step
    client.step_epoch(run, owner)
    end = (still + 2) // 10 * 10 + 10
    until(lambda: client.history(run)["frame"]["step"] == end, "the end of the epoch")
    assert client.pause(run, owner).step == end
    client.resume(run, owner)
    assert client.status(run).state == "running"
    moved(client, run, end)
    client.stop(run, owner)


def test_a_run_may_start_paused_at_its_first_picture(client: Client, owner: str) -> None:
    run = begin(client, owner, paused=True)
    first = shown(client, run)
    assert (first["state"], first["frame"]["step"]) == ("paused", 0)
    assert client.pause(run, owner).step == 0
    client.stop(run, owner)


def test_a_paused_run_answers_at_once(client: Client, owner: str) -> None:
    run = begin(client, owner, paused=True)
    assert client.reply(run, client.send(run, owner, "set", value=3.5), 30) == 3.5
    assert client.reply(run, client.send(run, owner, "peek", epoch=1.5), 30)["step"] == 15
    assert client.reply(run, client.send(run, owner, "no such word"), 30) is None
    assert client.status(run).step == 0
    client.stop(run, owner)


def test_stop_ends_the_process_even_inside_a_long_batch(client: Client, owner: str) -> None:
    run = begin(client, owner, Ticking(seconds=0.0), paused=True)
    pid = shown(client, run)["scene"]["pid"]
    assert client.stop(run, owner).state == "stopped"
    until(lambda: not alive(pid), "the end of the process")
    slow = begin(client, owner, Ticking(seconds=1000))
    pids = until(lambda: client.health()["workers"], "the slow process")
    status = client.stop(slow, owner)
    assert (status.state, status.message) == ("stopped", "Stopped.")
    until(lambda: not any(map(alive, pids)), "the end of the process inside its batch", 20)
    assert client.status(slow).state == "stopped"


def test_speed_is_a_limit_in_epochs_per_second(client: Client, owner: str) -> None:
    run = begin(client, owner, Ticking(seconds=0.0, batches=5), speed=20)
    first = shown(client, run)
    moved(client, run, 40)
    status = client.pause(run, owner)
    epochs, seconds = status.epoch - first["epoch"], time.time() - status.created
    assert epochs <= 20 * seconds + 3
    client.speed(run, owner, None)
    client.resume(run, owner)
    moved(client, run, 2000)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(RunError, match="speed"):
            client.speed(run, owner, wrong)
    client.stop(run, owner)


def test_a_missing_reply_is_a_timeout_not_a_hang(client: Client, owner: str) -> None:
    run = begin(client, owner, Ticking(seconds=0.5))
    number = client.send(run, owner, "set", value=2.0)
    with pytest.raises(TimeoutError, match="not answered"):
        client.reply(run, number, 0.001)
    assert client.reply(run, number, 30) == 2.0
    client.stop(run, owner)
    with pytest.raises(RunError, match="over"):
        client.reply(run, number + 1, 5)


# ---- the owner and the others ----


def test_only_the_owner_steers_and_everyone_with_the_link_watches(
    client: Client, owner: str
) -> None:
    run = begin(client, owner, paused=True)
    shown(client, run)
    for steer in (
        client.pause,
        client.resume,
        client.stop,
        client.step_batch,
        client.step_epoch,
        lambda run, owner: client.speed(run, owner, 1),
        lambda run, owner: client.send(run, owner, "set", value=1),
    ):
        with pytest.raises(PermissionError, match="Only the one who started"):
            steer(run, "somebody else")
    theirs, mine = (json.loads(client.poll(run, "", who)) for who in ("somebody else", owner))
    assert (theirs["mine"], mine["mine"]) == (False, True)
    assert {**theirs, "mine": True, "seconds": 0} == {**mine, "seconds": 0}
    assert client.runs("somebody else") == []
    client.stop(run, owner)


def test_two_viewers_with_their_own_cursors_see_the_same(client: Client, owner: str) -> None:
    run = begin(client, owner, Ticking(epochs=60, seconds=0.002))
    quick: list[dict] = []
    slow: list[dict] = []
    cursors = {"quick": "", "slow": ""}

    def look(name: str, rows: list[dict]) -> bool:
        news = json.loads(client.poll(run, cursors[name]))
        assert news["reset"] == (cursors[name] == "")
        cursors[name] = news["cursor"]
        rows += news["rows"]
        return news["state"] == "done"

    turns = itertools.count()

    def both() -> bool:
        if next(turns) % 7 == 0:
            look("slow", slow)
        return look("quick", quick)

    until(both, "the end of the run")
    look("quick", quick)
    look("slow", slow)
    assert [row["epoch"] for row in quick] == list(range(1, 61))
    assert slow == quick == client.history(run)["rows"]
    client.stop(run, owner)


def test_a_past_picture_is_exact_while_the_run_answers_and_the_nearest_kept_one_after(
    client: Client, owner: str
) -> None:
    run = begin(client, owner, Ticking(epochs=30, seconds=0.001))
    ended(client, run)
    kept = client.history(run)["frames"]
    epoch = next(e / 10 for e in range(1, 300) if e / 10 not in kept)
    picture = client.frame(run, epoch, 30)
    assert picture is not None
    assert wire.loads(picture)["epoch"] == epoch
    client.stop(run, owner)
    picture = client.frame(run, epoch)
    assert picture is not None
    nearest = wire.loads(picture)["epoch"]
    assert nearest in kept
    assert abs(nearest - epoch) == min(abs(k - epoch) for k in kept)


def test_asking_for_pictures_faster_than_allowed_does_not_reach_the_run(
    client: Client, owner: str
) -> None:
    run = begin(client, owner, paused=True)
    shown(client, run)
    client.step_epoch(run, owner)
    until(lambda: client.history(run)["frame"]["step"] == 10, "an epoch")
    asked = [client.frame(run, epoch / 7, 30) for epoch in range(1, 60)]
    exact = [f for e, f in zip(range(1, 60), asked, strict=True) if f and _epoch_is(f, e / 7)]
    assert 0 < len(exact) < len(asked)
    assert all(asked)
    client.stop(run, owner)


def _epoch_is(frame: bytes, epoch: float) -> bool:
    return wire.loads(frame)["step"] == round(10 * epoch) and wire.loads(frame)["step"] not in (
        0,
        10,
    )


def test_a_run_of_another_server_is_explained_not_raised(client: Client) -> None:
    status = client.status("no-such-run", "me")
    assert (status.state, status.known) == ("failed", False)
    assert "Press Play" in status.message
    news = json.loads(client.poll("no-such-run"))
    assert (news["known"], news["rows"]) == (False, [])
    with pytest.raises(RunError, match="not on the server"):
        client.pause("no-such-run", "me")


def test_many_threads_share_a_client(client: Client, owner: str) -> None:
    run = begin(client, owner)
    shown(client, run)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: client.status(run, owner), range(400)))
    assert {answer.id for answer in answers} == {run}
    client.stop(run, owner)


# ---- what goes wrong stays in its run ----


def test_a_killed_worker_ends_only_its_own_run(client: Client, owner: str) -> None:
    victim, other = begin(client, owner), begin(client, owner)
    pid, before = shown(client, victim)["scene"]["pid"], shown(client, other)["step"]
    os.kill(pid, signal.SIGKILL)
    status = ended(client, victim)
    assert (status.state, status.detail) == ("failed", "SIGKILL")
    assert "killed" in status.message
    moved(client, other, before)
    assert client.history(victim)["frame"]
    client.stop(other, owner)


@pytest.mark.parametrize(
    ("trouble", "message", "detail"),
    [
        ("spec", "The tick is 20, but the tock is 19. Make the tock larger.", ""),
        ("error", "ended with an error", "ZeroDivisionError: division by a tock of zero"),
        ("memory", "the most a run may hold here is 500 MB", ""),
    ],
)
def test_trouble_is_told_in_plain_words(
    client: Client, owner: str, trouble: str, message: str, detail: str
) -> None:
    status = ended(client, begin(client, owner, Ticking(trouble=trouble)))
    assert status.state == "failed"
    assert message in status.message
    assert status.detail == detail
    assert "Traceback" not in status.message + status.detail


def test_what_a_topic_prints_blocks_nothing(client: Client, owner: str) -> None:
    run = begin(client, owner, Ticking(trouble="print", seconds=0.0))
    moved(client, run, 1000)
    client.stop(run, owner)


def test_a_run_that_computes_too_long_is_stopped_and_kept(tight: Client, owner: str) -> None:
    run = begin(tight, owner)
    status = until(
        lambda: s if (s := tight.status(run, owner)).state == "stopped" else None, "the limit"
    )
    assert "1.5 seconds" in status.message
    assert tight.history(run)["frame"]["step"] > 0


def test_pauses_do_not_count_as_computing(tight: Client, owner: str) -> None:
    run = begin(tight, owner, paused=True)
    shown(tight, run, owner)
    start = time.monotonic()
    until(
        lambda: tight.status(run, owner) and time.monotonic() - start > 1.7, "more than the limit"
    )
    assert tight.status(run, owner).state == "paused"
    tight.stop(run, owner)


# ---- the queue ----


def test_waiting_runs_have_a_position_and_owners_take_turns(tight: Client) -> None:
    live = [begin(tight, "greedy", paused=True) for _ in range(2)]
    waiting = [begin(tight, "greedy", paused=True) for _ in range(2)]
    modest = begin(tight, "modest", paused=True)

    def positions() -> list[int]:
        return [tight.status(run).position for run in (*waiting, modest)]

    assert positions() == [1, 3, 2]
    assert "2 of 3" in tight.status(modest).message
    begin(tight, "greedy")
    with pytest.raises(RunError, match="waiting already"):
        begin(tight, "greedy")
    told = tight.send(modest, "modest", "set", value=7.0)
    with pytest.raises(RunError, match="waiting for its turn"):
        tight.reply(modest, told)
    tight.stop(live[0], "greedy")
    tight.stop(live[1], "greedy")
    for run in (waiting[0], modest):
        until(lambda run=run: tight.status(run).state == "paused", "the next in turn")
    assert tight.reply(modest, told, 30) == 7.0  # what a waiting run is told, it does once it runs
    assert tight.status(waiting[1]).position == 1
    for status in (*tight.runs("greedy"), *tight.runs("modest")):
        tight.stop(status.id, "modest" if status.id == modest else "greedy")
    assert tight.health()["queued"] == 0


def test_a_waiting_run_keeps_a_hundred_orders_and_steps_as_told(tight: Client, owner: str) -> None:
    live = [begin(tight, owner, paused=True) for _ in range(2)]
    waiting = begin(tight, owner, paused=True)
    for n in range(99):
        told = tight.send(waiting, owner, "set", value=float(n))
    assert tight.step_batch(waiting, owner).state == "queued"
    with pytest.raises(RunError, match="last 100 orders"):
        tight.send(waiting, owner, "set", value=100.0)
    with pytest.raises(RunError, match="last 100 orders"):
        tight.resume(waiting, owner)
    tight.stop(live[0], owner)
    assert tight.reply(waiting, told, 30) == 98.0
    until(lambda: tight.status(waiting).step == 1, "the step it was told while it waited")
    assert tight.status(waiting).state == "paused"
    for run in (live[1], waiting):
        tight.stop(run, owner)


def test_a_finished_run_gives_its_place_to_a_waiting_one(tight: Client, owner: str) -> None:
    finished = begin(tight, owner, Ticking(epochs=1, seconds=0.0))
    assert ended(tight, finished).answering
    others = [begin(tight, owner, paused=True) for _ in range(2)]
    for other in others:
        assert shown(tight, other, owner)["state"] == "paused"
    assert tight.status(finished).state == "done"
    assert not tight.status(finished).answering
    assert tight.history(finished)["rows"]
    for other in others:
        tight.stop(other, owner)


def test_files_are_opened_although_every_place_is_taken(owner: str) -> None:
    client = make(per_owner=1, reading=("tests.topics.answering",), reading_per_owner=1)
    busy = begin(client, owner, paused=True)
    waiting = begin(client, owner, paused=True)
    opened = [client.start("tests.topics.answering", Answering(), owner=owner) for _ in range(3)]
    for run in opened:
        assert ended(client, run).state == "done"
        assert client.blob(run, "archive") == b"kept apart"
        until(lambda run=run: not client.status(run).answering, "the end of its process")
    assert client.status(busy).answering
    assert client.status(waiting).position == 1
    client.close()


def test_a_file_that_takes_too_long_to_open_is_given_up_with_its_reason(owner: str) -> None:
    client = make(reading=(TICKING,), reading_seconds=0.3)
    status = ended(client, begin(client, owner))
    assert (status.state, "Keep a part of it" in status.message) == ("failed", True)
    client.close()


def test_measurements_run_one_at_a_time_at_full_priority_while_other_runs_go_on(owner: str) -> None:
    client = make(exclusive=(TICKING,), per_server=40, per_owner=40)
    quick = Ticking(epochs=20, seconds=0.001)
    asked = [begin(client, f"{owner}{n % 2}", quick) for n in range(8)]
    last = client.status(asked[-1])
    assert (last.state, last.position) == ("queued", 7)
    assert "one at a time" in last.message
    other = client.start("tests.topics.answering", Answering(), owner=owner)  # no measurement
    until(lambda: client.status(other).state != "queued", "a run that need not wait")
    most = 0

    def over() -> bool:
        nonlocal most
        states = [client.status(run) for run in asked]
        running = [s for s in states if s.state == "running"]
        most = max(most, len(running))
        for status in states:
            if (
                status.state == "done" and status.answering
            ):  # its place, as a topic without commands gives it
                client.stop(status.id, f"{owner}{asked.index(status.id) % 2}")
        return all(s.state == "done" for s in states)

    until(over, "the end of all measurements")
    assert most == 1
    client.close()


def test_a_stopped_measurement_makes_room_for_the_next(owner: str) -> None:
    client = make(exclusive=(TICKING,))
    first, second = begin(client, owner), begin(client, owner)
    waiting = begin(client, owner)
    pid = shown(client, first)["scene"]["pid"]
    assert psutil.Process(pid).nice() == os.nice(0)
    client.stop(waiting, owner)  # out of the line
    client.stop(first, owner)
    until(lambda: client.status(second).state == "running", "the next measurement")
    assert not alive(pid)
    client.close()


# ---- nothing is left behind ----


def test_no_worker_outlives_its_owner_by_more_than_the_idle_limit(
    tight: Client, owner: str
) -> None:
    run, watched = begin(tight, owner, paused=True), begin(tight, "present", paused=True)
    pid = shown(tight, run)["scene"]["pid"]

    def look() -> bool:
        tight.status(watched, "present")
        return (
            tight.status(run).state == "stopped"
        )  # a look without the owner's name keeps nothing alive

    until(look, "the end of the abandoned run")
    assert "away for 3 seconds" in tight.status(run).message
    until(lambda: not alive(pid), "the end of the process")
    assert tight.status(watched, "present").state == "paused"
    tight.stop(watched, "present")


def test_workers_end_with_their_supervisor_and_the_next_call_starts_a_new_one(owner: str) -> None:
    client = make()
    run = begin(client, owner)
    pids = [shown(client, run)["scene"]["pid"], client.supervisor_pid]
    children = psutil.Process(client.supervisor_pid).children(recursive=True)
    os.kill(pids[1] or 0, signal.SIGKILL)
    until(lambda: not any(map(alive, pids + [c.pid for c in children])), "the end of all processes")
    assert not client.status(run).known
    assert client.supervisor_pid not in pids
    again = begin(client, owner)
    shown(client, again)
    client.close()
    with pytest.raises(RunError, match="shutting down"):
        client.status(again)


_SERVER = """
import json, sys, time
from tests.test_runs import begin, make, shown
client = make()
run = begin(client, "me")
pid = shown(client, run)["scene"]["pid"]
print(json.dumps([client.supervisor_pid, pid]), flush=True)
time.sleep(600)
"""


def test_a_killed_supervisor_takes_its_fork_server_and_a_frozen_worker_along(owner: str) -> None:
    client = make()
    run = begin(client, owner, paused=True)
    worker = psutil.Process(shown(client, run)["scene"]["pid"])
    family = psutil.Process(client.supervisor_pid).children(recursive=True)
    assert worker in family
    worker.suspend()  # it holds the pipe open by whose end the fork server would know
    os.kill(client.supervisor_pid or 0, signal.SIGKILL)
    until(lambda: not any(alive(p.pid) for p in family), "the end of them all", seconds=5)
    client.close()


def test_a_killed_server_leaves_no_process_behind() -> None:
    server = subprocess.Popen([sys.executable, "-c", _SERVER], cwd=ROOT, stdout=subprocess.PIPE)
    with server:
        assert server.stdout is not None
        pids = json.loads(server.stdout.readline())
        family = [c.pid for c in psutil.Process(server.pid).children(recursive=True)]
        assert set(pids) <= set(family)
        server.kill()
    until(lambda: not any(map(alive, family)), "the end of supervisor and workers")


def test_the_supervisor_never_imports_torch() -> None:
    code = "import sys, models.core.runs.supervisor; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


# ---- the gate, without processes ----


class Script:
    """A learner who gives the next order whenever the run stands still or has answered."""

    def __init__(self, *orders: Callable[[WorkerControl], None]) -> None:
        self.orders = list(orders)
        self.control = WorkerControl(self.announce)
        self.steps: list[int] = []
        self.snapshots: list[Snapshot] = []

    def announce(self, parked: bool, orders: int) -> None:
        if parked:
            self.steps.append(self.snapshots[-1].step if self.snapshots else 0)
            self.order()

    def order(self) -> None:
        (self.orders.pop(0) if self.orders else WorkerControl.stop)(self.control)

    def play(self, spec: Ticking) -> list[Snapshot]:
        try:
            for snapshot in ticking.train(spec, control=self.control):
                self.snapshots.append(snapshot)
                self.control.sent(snapshot)
                if snapshot.replies:
                    self.order()
        except control_module.Stopped:
            return self.snapshots
        return self.snapshots


def test_stepping_shows_each_stop_once_and_stands_where_it_says() -> None:
    script = Script(WorkerControl.step_batch, WorkerControl.step_epoch, WorkerControl.step_epoch)
    script.control.pause()
    script.play(Ticking(batches=4, seconds=0.0))
    assert script.steps == [0, 1, 4, 8]
    pictures = [s.frame["step"] for s in script.snapshots if s.frame]
    assert len(pictures) == len(set(pictures))
    assert {0, 1, 4, 8} <= set(pictures)


def test_commands_are_answered_while_paused_without_a_batch() -> None:
    script = Script(
        lambda control: control.command(Command("peek", {"epoch": 2}, 1)),
        lambda control: control.command(Command("set", {"value": 5.0}, 2)),
    )
    script.control.pause()
    snapshots = script.play(Ticking(seconds=0.0))
    replies = {number: value for s in snapshots for number, value in s.replies.items()}
    assert replies[1]["step"] == 20
    assert replies[2] == 5.0
    assert {s.step for s in snapshots} == {0}


def test_unanswered_commands_are_told_apart() -> None:
    control = WorkerControl()
    control.command(Command("unknown", {}, 7))
    control.command(Command("set", {}, 8))
    assert [command.id for command in control.gate()] == [7, 8]
    assert control.sent(Snapshot(0, 0.0, replies={8: None})) == {7}


def test_a_plain_loop_runs_to_its_end_without_a_worker() -> None:
    snapshots = list(ticking.train(Ticking(epochs=3, seconds=0.0), control=Control()))
    assert [s.step for s in snapshots] == [30]
    assert snapshots[0].final


def test_pictures_cost_at_most_a_twentieth_of_the_time() -> None:
    now = [0.0]
    control = WorkerControl(clock=lambda: now[0])
    drawn, drawing, steps = 0, 0.02, 2000
    for step in range(steps):
        control.gate()
        now[0] += 0.001
        if control.due():
            now[0] += drawing
            drawn += 1
            control.sent(Snapshot(step, step / 10, frame={}))
    assert drawn >= 4
    assert drawn * drawing <= 0.06 * now[0] + drawing


def test_the_clock_stands_still_while_the_run_waits_at_the_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1.0]
    control = WorkerControl(clock=lambda: now[0])

    def wait(seconds: float | None) -> None:
        now[0] += 5
        control.resume()

    monkeypatch.setattr(control._changed, "wait", wait)
    control.gate()
    now[0] += 2
    before = control.clock()
    control.sent(Snapshot(1, 1.0, frame={}))
    control.pause()
    assert control.gate() == []
    assert now[0] == 8
    assert control.clock() == before


@pytest.mark.parametrize(
    ("batch", "fewest", "most"), [(1e-6, 64, 64), (200e-6, 5, 15), (2e-3, 1, 1), (0.5, 1, 1)]
)
def test_short_batches_run_several_at_once_for_some_milliseconds(
    batch: float, fewest: int, most: int
) -> None:
    now = [0.0]
    control = WorkerControl(clock=lambda: now[0])
    for _ in range(40):
        assert control.gate() == []
        now[0] += batch * control.at_once
        control.due()
    assert fewest <= control.at_once <= most


@pytest.mark.parametrize(
    "order",
    [
        WorkerControl.pause,
        WorkerControl.step_batch,
        WorkerControl.step_epoch,
        lambda control: control.speed(1000.0),
        lambda control: control.command(Command("set", {"lr": 1.0}, 1)),
    ],
)
def test_whoever_is_steered_is_asked_before_every_batch(
    order: Callable[[WorkerControl], None],
) -> None:
    now = [0.0]
    control = WorkerControl(clock=lambda: now[0])
    for _ in range(9):
        control.gate()
        control.due()
    assert control.at_once > 1
    order(control)
    control.due()
    assert control.at_once == 1


@pytest.mark.parametrize("limit", [0.5, 4.0, 1000.0])
def test_the_speed_limit_holds_on_average(limit: float) -> None:
    now = [0.0]
    control = WorkerControl(clock=lambda: now[0])
    control._wait = lambda seconds: now.__setitem__(0, now[0] + (seconds or 0))  # type: ignore[method-assign]  # time passes at once
    control.speed(limit)
    for step in range(1, 401):
        control.gate(step % 10 == 1)
        if control.due():
            control.sent(Snapshot(step, step / 10, frame={}))
    assert now[0] == pytest.approx(40 / limit, rel=0.1)


@pytest.mark.parametrize(("limit", "shown"), [(0.5, 0.5), (4.0, 4.0), (1000.0, 10.0)])
def test_the_pace_that_is_shown_is_the_one_of_slow_motion(
    monkeypatch: pytest.MonkeyPatch, limit: float, shown: float
) -> None:
    now = [0.0]
    control = WorkerControl(clock=lambda: now[0])
    monkeypatch.setattr(
        control._changed, "wait", lambda seconds: now.__setitem__(0, now[0] + seconds)
    )
    control.speed(limit)
    for step in range(1, 201):
        control.gate(step % 10 == 1)
        now[0] += 0.01  # a batch; an epoch has ten of three samples
        if control.due():
            control.sent(Snapshot(step, step / 10, frame={}, samples=3 * step))
    assert control.rate() == pytest.approx((shown, 30 * shown), rel=0.05)


def test_an_edited_topic_is_imported_afresh(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("models.edited", "models.core.control", "models.core.runs.worker"):
        made = types.ModuleType(name)
        made.__file__ = str(tmp_path / "edited.py")
        monkeypatch.setitem(sys.modules, name, made)
    (tmp_path / "edited.py").touch()
    others = {name: m for name, m in sys.modules.items() if name.startswith("models.")}
    written = os.path.getmtime(tmp_path / "edited.py")
    try:
        monkeypatch.setattr(worker, "_IMPORTED", written)
        worker.forget_edited()
        assert "models.edited" in sys.modules
        monkeypatch.setattr(worker, "_IMPORTED", written - 1)
        worker.forget_edited()
        assert "models.edited" not in sys.modules
        assert "models.core.control" in sys.modules
        assert "models.core.runs.worker" in sys.modules
    finally:
        sys.modules.update(others)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), "not enough memory"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "not enough memory",
        ),
        (KeyError("secret"), "ended with an error"),
    ],
)
def test_errors_are_explained_without_their_innards(error: Exception, sentence: str) -> None:
    assert sentence in worker.explain(error)
    assert "secret" not in worker.explain(error)


# ---- what is kept of a run ----


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=30))
def test_polling_with_cursors_gives_the_whole_history_each_row_once(plan: list) -> None:
    history, cursor, seen = History(rows=1000), "", []
    step = 0
    for rows, polls in plan:
        for _ in range(rows):
            step += 1
            history.add_rows([(step, b"%d" % step)])
        for _ in range(polls):
            news = history.news(cursor)
            seen = news.rows if news.reset else seen + news.rows
            cursor = news.cursor
    news = history.news(cursor)
    seen = news.rows if news.reset else seen + news.rows
    assert seen == [b"%d" % i for i in range(1, step + 1)]
    assert history.news(news.cursor).rows == []


@given(st.lists(st.integers(0, 12), max_size=40), st.integers(0, 40))
def test_a_viewer_sees_a_rewound_history_as_it_now_is(steps: list[int], looked: int) -> None:
    history = History(rows=8)
    cursor, seen = "", []
    for i, step in enumerate(steps):
        history.add_rows([(step, b"%d:%d" % (i, step))])
        if i == looked:
            news = history.news(cursor)
            cursor, seen = news.cursor, news.rows
    news = history.news(cursor)
    seen = news.rows if news.reset else seen + news.rows
    assert seen == history.news("").rows
    numbers = [int(row.split(b":")[1]) for row in seen]
    assert numbers == sorted(set(numbers))
    assert not steps or numbers[-1] == steps[-1]


def test_scene_and_picture_come_once_and_again_only_when_they_change() -> None:
    history = History()
    history.set_scene(0, b"{}")
    history.set_frame(0, 0.0, b'{"step":0}')
    first = history.news("")
    assert (first.scene, first.frame, first.reset) == (b"{}", b'{"step":0}', True)
    second = history.news(first.cursor)
    assert (second.scene, second.frame, second.reset) == (None, None, False)
    history.set_frame(1, 0.1, b'{"step":1}')
    third = history.news(second.cursor)
    assert (third.scene, third.frame) == (None, b'{"step":1}')
    history.set_scene(0, b'{"new":1}')
    fourth = history.news(third.cursor)
    assert (fourth.reset, fourth.scene, fourth.frame) == (True, b'{"new":1}', None)


@pytest.mark.parametrize(
    "cursor", ["", "nonsense", "1.2.3", "9.9.9.9.9", "-1.0.0.0.0", "0.0.0.0.x"]
)
def test_an_unreadable_cursor_means_everything(cursor: str) -> None:
    history = History()
    history.add_rows([(1, b"1"), (2, b"2")])
    news = history.news(cursor)
    assert news.reset
    assert news.rows == [b"1", b"2"]


def test_kept_pictures_are_bounded_and_spread_over_the_whole_run() -> None:
    history = History(frames=20)
    for step in range(1000):
        history.set_frame(step, step / 10, b"x" * 100)
    epochs = history.epochs
    assert 10 <= len(epochs) <= 20
    assert epochs[0] == 0
    gaps = [b - a for a, b in itertools.pairwise(epochs)]
    assert max(gaps) <= 2 * min(gaps)
    small = History(frames=20, frames_mb=0.001)
    for step in range(100):
        small.set_frame(step, step / 10, b"x" * 400)
    assert len(small.epochs) <= 2


def test_rows_events_and_blobs_are_bounded() -> None:
    history = History(rows=10, events=3, blobs_mb=0.001)
    history.add_rows((step, b"%d" % step) for step in range(1, 101))
    kept = [int(row) for row in history.news("").rows]
    assert len(kept) <= 10
    assert kept[-1] == 100
    for i in range(10):
        history.add_event(b"%d" % i)
    assert history.news("").events == [b"7", b"8", b"9"]
    assert history.set_blobs({"small": b"x" * 100}) == []
    assert history.set_blobs({"large": b"x" * 2000}) == ["large"]
    assert list(history.blobs) == ["small"]


def test_a_viewer_gets_every_event_once() -> None:
    history, cursor, seen = History(events=3), "", []
    for i in range(20):
        history.add_event(b"%d" % i)
        if i % 2:
            news = history.news(cursor)
            cursor, seen = news.cursor, seen + news.events
    assert seen == [b"%d" % i for i in range(20)]


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_messages_come_out_as_they_went_in(parts: list[bytes]) -> None:
    head = {"step": 3, "rows": [[1, 0]], "text": "é"}
    assert messages.unpack(messages.pack(head, parts)) == (head, parts)


# ---- fairness ----


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_no_owner_is_served_twice_while_another_waits(arrivals: list[str]) -> None:
    line = FairQueue()
    for i, owner in enumerate(arrivals):
        line.put(owner, f"{owner}{i}")
    expected = list(line.order())
    assert sorted(expected) == sorted(f"{o}{i}" for i, o in enumerate(arrivals))
    assert [line.position(run) for run in expected] == list(range(1, len(expected) + 1))
    served = [line.take(lambda owner: True) for _ in arrivals]
    assert served == expected
    owners = [str(run)[0] for run in served]
    for i, j in itertools.combinations(range(len(owners)), 2):
        if owners[i] == owners[j] and j == i + 1:
            assert set(owners[j:]) == {owners[i]}
    assert line.take(lambda owner: True) is None


def test_an_owner_who_may_not_start_is_passed_over() -> None:
    line = FairQueue()
    for owner in "aab":
        line.put(owner, f"{owner}{len(line)}")
    assert line.take(lambda owner: owner == "b") == "b2"
    assert line.take(lambda owner: owner == "b") is None
    line.remove("a0")
    assert list(line.order()) == ["a1"]
    line.remove("a1")
    assert (len(line), line.position("a1"), line.waiting("a")) == (0, 0, 0)


# ---- limits ----


def test_the_environment_overrides_a_limit() -> None:
    assert Limits.from_environment({"PLAYGROUND_PER_SERVER": "3"}).per_server == 3
    assert Limits.from_environment({"PLAYGROUND_IDLE_SECONDS": "2.5"}).idle_seconds == 2.5
    assert Limits.from_environment({}) == Limits()
    for text in ("many", "0", "-1", "2.5"):
        with pytest.raises(ValueError, match="PLAYGROUND_PER_SERVER"):
            Limits.from_environment({"PLAYGROUND_PER_SERVER": text})
