"""The run that a page shows, and the one bar that steers it: play, pause, step, reset, new seed, speed, scrub."""

from __future__ import annotations

import contextlib
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from components import address, controls, session
from components.views.transportbar import transportbar
from models.core.runs import RunError, Status
from models.core.spec import Spec

S = TypeVar("S", bound=Spec)

SPEEDS = ("0.2/s", "0.5/s", "1/s", "2/s", "5/s", "10/s", "30/s", "100/s", "max")
SPEED = "10/s"  # the eye can follow
_DOUBLE = 0.5  # seconds between the two clicks of one double click
_HEARD = 2.0  # seconds in which a worker has heard an order


@dataclass(frozen=True)
class Topic(Generic[S]):
    """What training on a page is made of.

    Attributes:
        page: the page's word in the address, prefix of its parameters.
        module: the topic that a worker runs.
        live: fields that change while a run lives; anything else starts a new one.
        ignored: fields that say nothing about which run it is (what was changed on the way).
    """

    page: str
    module: str
    live: Sequence[str] = ()
    ignored: Sequence[str] = ("changes",)


@dataclass(frozen=True)
class Followed(Generic[S]):
    """The run on screen.

    Attributes:
        run: its id; None when none could be started.
        status: how it stands; mine: this learner steers it.
        spec: the settings it was started with; live changes since are in the run.
        notes: sentences about what just happened to it (a reset, a link whose run is gone).
    """

    run: str | None
    status: Status
    spec: S
    notes: tuple[str, ...]

    @property
    def mine(self) -> bool:
        return self.status.mine


def follow(topic: Topic[S], spec: S, *, device: str = "cpu") -> Followed[S]:
    """The run for these settings: the one of the link, the one of before, or a new one.

    A change of a live field is sent to the run; any other change starts a new run (in the state the old one
    was in: paused stays paused) and says so. Whoever watches another's run and changes something gets
    an own run with the change.
    """
    found = _follow(topic, spec, device)
    _Mind.of(topic.page).shown = found.run
    return found


def _follow(topic: Topic[S], spec: S, device: str) -> Followed[S]:
    mind = _Mind.of(topic.page)
    client, me = session.client(), session.owner()
    spec = spec.replace(**_plain(topic, spec)) if mind.run else spec
    wanted = address.setting("run", "").value or mind.run
    status = client.status(wanted, me) if wanted else None
    try:
        if wanted is None or status is None:
            _start(topic, mind, spec, device)
        elif not status.known:
            mind.say(
                "That run is not on this server any more (too old, or the server was restarted), so its settings were "
                "trained again."
            )
            _start(topic, mind, spec, device)
        elif wanted != mind.run:
            _adopt(topic, mind, wanted, spec, device)
        elif status.mine and status.device and status.device != device:
            _start(topic, mind, spec, device)
        elif changes := _changes(topic, mind.base, spec):
            _change(topic, mind, status, changes, spec, device)
    except RunError as error:
        mind.say(str(error))
    if mind.run is None:
        return Followed(None, Status("", "failed", known=False), spec, mind.notes)
    address.put("run", mind.run)
    status = client.status(mind.run, me)
    if status.state == "failed" and status.step == 0 and status.known and mind.before:
        old = client.status(mind.before, me)
        if old.known:  # what was on the page stays until something works
            said = (*mind.notes, f"{status.message} What you see is still the run of before.")
            return Followed(mind.before, old, client.spec(mind.before), said)
    return Followed(mind.run, status, client.spec(mind.run) if status.known else spec, mind.notes)


def nothing(spec: S) -> Followed[S]:
    """No run yet: the page first asks what is to be trained, and the address names none."""
    address.put("run", None)
    return Followed(None, Status("", "failed", known=False), spec, ())


def restart(topic: Topic[S], spec: S, *, paused: bool = False, device: str = "cpu") -> None:
    """Start a run with these settings and show it from now on; for callbacks."""
    mind = _Mind.of(topic.page)
    mind.hush()
    try:
        _start(topic, mind, spec, device, paused=paused, played=not paused)
    except RunError as error:
        mind.say(str(error))


def show(topic: Topic[S], run: str, spec: S) -> None:
    """Show an earlier run and its settings from now on; for callbacks."""
    mind = _Mind.of(topic.page)
    plain = spec.replace(**_plain(topic, spec))
    mind.run, mind.base = run, plain
    address.put("run", run)
    controls.put_spec(topic.page, plain)


def current(topic: Topic[Any]) -> str:
    """The id of the run that the page shows.

    Raises:
        RunError: there is none.
    """
    run = _Mind.of(topic.page).run
    if run is None:
        raise RunError("There is no run yet. Press Play.")
    return run


def notes(followed: Followed[Any]) -> None:
    """Draw what just happened to the run. A place of its own: when they go, what stands below does not move up and begin anew."""
    with st.container():
        for note in followed.notes:
            st.info(note, icon=":material/info:")


def say(topic: Topic[Any], sentence: str) -> None:
    """A sentence that the page shows until the next action."""
    _Mind.of(topic.page).say(sentence)


def command(followed: Followed[Any], name: str, timeout: float = 5.0, **args: Any) -> Any:
    """Ask the run something and wait for the reply.

    Raises:
        RunError: it is not this learner's, has ended, or refused; the message is for the learner.
    """
    client, me = session.client(), session.owner()
    if followed.run is None:
        raise RunError("There is no run yet. Press Play.")
    try:
        answer = client.reply(followed.run, client.send(followed.run, me, name, **args), timeout)
    except PermissionError:
        raise RunError(_NOT_MINE) from None
    except TimeoutError as error:
        raise RunError(str(error)) from None
    if isinstance(answer, dict) and "error" in answer:
        raise RunError(answer["error"])
    return answer


@address.fragment
def bar(topic: Topic[Any], spec: Any, *, device: str = "cpu") -> None:
    """Buttons, speed, progress and the way back to past epochs of the run that `follow` found last.

    A fragment, so that steering stays quick.
    """
    mind = _Mind.of(topic.page)
    if mind.moved:  # another run, or the run got into another state: the whole page has to know
        mind.moved = False
        st.rerun()
    client, me = session.client(), session.owner()
    run = mind.shown
    if mind.on_bar and mind.on_bar != run and mind.run == run:
        _end(mind.on_bar)
    mind.on_bar = run
    status = client.status(run, me) if run else Status("", "failed", known=False)
    mine = status.mine or run is None

    # What is pressed is for the run whose pictures are shown: they change before this bar is drawn again.
    def asked() -> Any:
        return spec if mind.base is None else mind.base

    def press(order: Callable[..., Any], *args: Any) -> None:
        if order == client.pause and time.monotonic() - mind.played < _DOUBLE:
            return
        mind.moved = mind.moved or bool(mind.notes)
        mind.hush()
        mind.held = order != client.resume
        try:
            order(mind.shown or "", me, *args)
        except (RunError, PermissionError) as error:
            mind.say(str(error) if isinstance(error, RunError) else _NOT_MINE)
            mind.moved = True

    def play() -> None:
        now = client.status(mind.shown, me) if mind.shown else None
        mind.played = time.monotonic()
        if now is None or now.over or now.state == "done" or not now.known:
            again()
        else:
            change_speed()
            press(client.resume)

    def more() -> None:
        press(lambda id, me: client.send(id, me, "extend", epochs=asked().epochs))
        press(client.resume)

    def again(paused: bool = False) -> None:
        plain = asked().replace(**_plain(topic, spec))
        restart(topic, plain, paused=paused, device=device)
        address.put(f"{topic.page}-changes", None)
        mind.moved = True

    def change_speed() -> None:
        with contextlib.suppress(RunError, PermissionError):
            client.speed(mind.shown or "", me, speed(topic.page))

    def seed() -> None:
        controls.put(topic.page, seed=random.SystemRandom().randrange(1_000_000))
        mind.moved = True

    def seek(epoch: float) -> None:
        mind.hush()
        try:
            client.send(mind.shown or "", me, "seek", epoch=int(epoch))
            mind.say(
                f"Training stands at the end of epoch {epoch:g} again. Change something, then press Play: "
                "from here on it takes a new course."
            )
        except (RunError, PermissionError) as error:
            mind.say(str(error) if isinstance(error, RunError) else _NOT_MINE)
        mind.moved = True

    def turned(state: str) -> None:
        mind.held = state == "paused"
        mind.moved = mind.moved or over or state in ("done", "failed")

    done = status.state == "done" and status.answering
    over = status.state in ("done", "stopped", "failed")
    # a run that was just told to go on may not have heard it yet
    fresh = time.monotonic() - mind.played < _HEARD
    goes = run is not None and not over and not mind.held and (status.state != "paused" or fresh)
    key = f"{topic.page}-transport"
    with st.container(key=key, horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Pause" if goes else "Play",
            key=f"{key}-play",
            icon=":material/pause:" if goes else ":material/play_arrow:",
            type="primary",
            on_click=press if goes else play,
            args=(client.pause,) if goes else (),
            disabled=not mine,
            help=_PLAY if mine else _NOT_MINE,
        )
        for label, icon, action, args, help in (
            ("Batch", "skip_next", press, (client.step_batch,), "Train on one batch, then pause."),
            (
                "Epoch",
                "fast_forward",
                press,
                (client.step_epoch,),
                "Train to the end of the epoch.",
            ),
            ("Reset", "restart_alt", again, (True,), "Back to the same initial weights."),
            ("New seed", "casino", seed, (), "Other initial weights and batch order."),
        ):
            st.button(
                label,
                key=f"{key}-{label.lower().replace(' ', '-')}",
                icon=f":material/{icon}:",
                on_click=action,
                args=args,
                disabled=not mine or (over and label in ("Batch", "Epoch")),
                help=help if mine else _NOT_MINE,
            )
        pace = _pace(topic.page)
        st.selectbox(
            "Speed, epochs per second",
            SPEEDS,
            SPEEDS.index(pace.born),
            key=pace.key,
            on_change=session.whole(change_speed),
            disabled=not mine,
            label_visibility="collapsed",
            help="Epochs per second, from slow motion to as fast as it goes. A finished picture comes as fast as it can.",
            width=130,
        )
        if done:
            st.button(
                f"{spec.epochs} more",
                key=f"{key}-more",
                icon=":material/add:",
                on_click=more,
                disabled=not mine,
                help="Train this network for as many epochs again." if mine else _NOT_MINE,
            )
    controls.say(f"{topic.page}-speed")
    transportbar(
        run,
        key=f"{key}-bar",
        seekable=mine,
        on_seek=seek,
        state=None if not run else status.state if over else "running" if goes else "paused",
        on_state=turned,
    )
    if run and status.known and not mine:
        st.caption(f":material/visibility: {_NOT_MINE}")


def speed(page: str, *, played: bool = True) -> float | None:
    """The chosen speed in epochs per second; None is as fast as it goes.

    Args:
        played: somebody pressed Play. Else a result is wanted, at once, unless a speed was asked for.
    """
    chosen = _pace(page).value
    if chosen == SPEEDS[-1] or (chosen == SPEED and not played):
        return None
    return float(chosen.removesuffix("/s"))


def _pace(page: str) -> address.Setting[str]:
    key = f"{page}-speed"
    return address.setting(key, SPEED, read=address.among(key, SPEEDS))


_PLAY = "From the same initial weights to the last epoch, at the chosen speed; pressed again, it pauses after this batch."
_NOT_MINE = "You are watching someone else's run. Change any setting to get your own."


@dataclass
class _Mind:
    """What a session remembers of the run on one page."""

    run: str | None = None
    shown: str | None = None  # the run on screen: `run`, or `before` where it could not begin
    base: Any = None  # the settings on the page for which `run` was started or taken over
    before: str | None = None  # the run of before, shown again when `run` cannot even begin
    held: bool = False  # the last order was one after which a run stands still
    played: float = -math.inf  # when Play was pressed last, by a clock from any beginning
    watched: bool = False  # it was started by Play, at a speed to look at
    on_bar: str | None = (
        None  # the run that the bar shows, which lags behind when pictures change first
    )
    moved: bool = False  # the bar has to rerun the whole page
    notes: tuple[str, ...] = ()

    @staticmethod
    def of(page: str) -> _Mind:
        return st.session_state.setdefault(f"{page}:run", _Mind())

    def say(self, sentence: str) -> None:
        self.notes = (*self.notes, sentence)

    def hush(self) -> None:
        """Another action: what was said about the last one is over."""
        self.notes = ()


def _plain(topic: Topic[Any], spec: Any) -> dict[str, Any]:
    """The ignored fields at their defaults: what was changed on the way belongs to the old run."""
    names = set(topic.ignored) & set(spec.__dataclass_fields__)
    return {name: spec.__dataclass_fields__[name].default for name in names}


def _changes(topic: Topic[Any], before: Any, after: Any) -> list[str]:
    return [
        name
        for name in after.__dataclass_fields__
        if name not in topic.ignored and getattr(before, name) != getattr(after, name)
    ]


def _start(
    topic: Topic[Any],
    mind: _Mind,
    spec: Any,
    device: str,
    *,
    paused: bool = False,
    played: bool = False,
) -> None:
    client, me = session.client(), session.owner()
    old = mind.run
    mind.run = client.start(
        topic.module,
        spec,
        owner=me,
        device=device,
        paused=paused,
        speed=speed(topic.page, played=played),
    )
    address.put("run", mind.run)
    mind.watched = played
    mind.base = spec
    mind.before, mind.held = old, paused
    if old and old != mind.on_bar:
        _end(old)


def _end(run: str) -> None:
    with contextlib.suppress(RunError, PermissionError):  # it had ended, or is someone else's
        session.client().stop(run, session.owner())


def _adopt(topic: Topic[Any], mind: _Mind, run: str, spec: Any, device: str) -> None:
    """A link brought a run: show it, with its settings on the widgets."""
    theirs = session.client().spec(run)
    if not isinstance(theirs, type(spec)):
        _start(topic, mind, spec, device)
        mind.say("The link names a run of another page, so these settings were trained here.")
        return
    if not spec.changed():  # a link with the run alone
        mind.run, mind.base = run, theirs
        controls.put_spec(topic.page, theirs.replace(**_plain(topic, theirs)))
        st.rerun()
    differing = [n for n in _changes(topic, theirs, spec) if n not in topic.live and n != "epochs"]
    if differing:
        _start(topic, mind, spec, device)
        mind.say(
            f"The link's settings differ from its run's ({', '.join(differing)}), so they were trained anew."
        )
        return
    mind.run, mind.base = run, spec


def _change(
    topic: Topic[Any], mind: _Mind, status: Status, changes: list[str], spec: Any, device: str
) -> None:
    """The learner moved a setting: tell the run, or start another one."""
    mind.hush()
    client, me = session.client(), session.owner()
    under_way = status.mine and status.state in ("running", "paused", "queued")
    if under_way and all(name in topic.live for name in changes):
        client.send(status.id, me, "set", **{name: getattr(spec, name) for name in changes})
        mind.base = spec
        return
    paused = status.mine and (status.state == "paused" or (mind.held and under_way))
    _start(
        topic, mind, spec, device, paused=paused, played=mind.watched and under_way and not paused
    )
    address.put(f"{topic.page}-changes", None)
    if not status.mine:
        mind.say(
            "You changed a setting of someone else's run, so from here on this is your own run."
        )
    elif under_way and status.epoch > 0:
        mind.say(
            f"{', '.join(changes)} cannot change in a trained network, so training began again from new weights. "
            f"The run of before ({status.epoch:g} epochs) is kept in Runs."
        )
