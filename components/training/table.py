"""All runs of this learner: settings, curves, what changed between two, a race of several, exports."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import Any

import pandas as pd
import streamlit as st

from components import controls, lesson, news, session, transport
from components.training import charts
from components.transport import Followed, Topic
from components.views.curves import LOSS, Overlay, curves
from components.views.plane import plane
from components.views.transportbar import transportbar
from models.core.runs import RunError, Status
from models.core.spec import SpecError, defaults, from_text, knobs, to_text
from models.training import Spec, records
from models.training.spec import RunSpec

_OVERLAID = 6


@dataclasses.dataclass(frozen=True)
class Kept:
    """One run of the table: its number (1 = the first), how it stands, its settings and its news."""

    number: int
    status: Status
    spec: RunSpec
    known: news.News

    @property
    def name(self) -> str:
        return f"run {self.number}"


def tab(topic: Topic[Any], run: Followed[Any], spec: RunSpec) -> None:
    """The table, and what can be done with one, two or several of its rows."""
    kept = _kept(topic)
    if not kept:
        st.caption("No run of yours is kept yet.")
        return
    picked = st.dataframe(
        _table(kept, run.run),
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"{topic.page}-runs",
        column_config={
            "training loss": st.column_config.LineChartColumn(width="small"),
            "val loss": st.column_config.NumberColumn(format="%.4g"),
            "val metric": st.column_config.NumberColumn(format="%.4g"),
            "seconds": st.column_config.NumberColumn(format="%.2f"),
        },
        alt="Your runs with their settings and results; select some to compare them",
    )
    rows = picked["selection"]["rows"]
    chosen = [kept[len(kept) - 1 - i] for i in rows if i < len(kept)]
    if not chosen:
        st.caption(
            "Select runs to overlay their curves, compare two, take settings over, or export."
        )
    else:
        _compare(topic, run, chosen)
    st.markdown("##### Race")
    _race(topic, spec)


def _kept(topic: Topic[Any]) -> list[Kept]:
    client = session.client()
    found = []
    for number, status in enumerate(client.runs(session.owner()), 1):
        if status.module != topic.module:
            continue
        try:
            spec = client.spec(status.id)
        except RunError:  # dropped in the meantime
            continue
        found.append(Kept(number, status, spec, news.of(status.id)))
    return found


def _table(kept: list[Kept], current: str | None) -> pd.DataFrame:
    rows = []
    for one in reversed(kept):
        last = one.known.rows[-1] if one.known.rows else {}
        rows.append(
            {
                "run": f"{one.number}{' (shown)' if one.status.id == current else ''}",
                "started": time.strftime("%H:%M:%S", time.localtime(one.status.created)),
                "state": one.status.state,
                "epochs": round(one.status.epoch, 1),
                "val loss": last.get("val_loss"),
                "val metric": last.get("val_metric"),
                "training loss": _thinned(one),
                "seconds": round(one.status.seconds, 2),
                "settings": ", ".join(f"{k}={to_text(v)}" for k, v in one.spec.changed().items())
                or "all defaults",
            }
        )
    return pd.DataFrame(rows)


def _thinned(one: Kept) -> list[float]:
    """The training loss at some 100 epochs of the whole run; what is no number is left out."""
    losses = [row["train_loss"] for row in one.known.rows if row["train_loss"] is not None]
    return losses[:: max(1, len(losses) // 100)]


def _compare(topic: Topic[Any], run: Followed[Any], chosen: list[Kept]) -> None:
    overlays = [Overlay(one.name, _columns(one)) for one in chosen[1:_OVERLAID]]
    first = chosen[0]
    curves(
        key=f"{topic.page}-compare",
        columns=_columns(first),
        overlays=overlays,
        label=first.name,
        panels=(LOSS, charts.metric(first.known.scene)),
        height=300,
        alt="Curves of the selected runs",
    )
    if len(chosen) == 2:
        _difference(*chosen)
    with st.container(horizontal=True):
        if len(chosen) == 1:
            st.button(
                "Show this run",
                key=f"{topic.page}-show-run",
                icon=":material/visibility:",
                on_click=_show,
                args=(topic, first),
            )
            st.button(
                "Use these settings",
                key=f"{topic.page}-use-settings",
                icon=":material/tune:",
                on_click=_use,
                args=(topic, first.spec),
            )
        st.download_button(
            "Curves (CSV)",
            lambda: _csv(chosen),
            "runs.csv",
            "text/csv",
            key=f"{topic.page}-csv",
            on_click="ignore",
            icon=":material/table:",
        )
        st.download_button(
            "TensorBoard event files (zip)",
            lambda: records.tensorboard_runs({one.name: one.known.rows for one in chosen}),
            "tensorboard.zip",
            "application/zip",
            key=f"{topic.page}-tensorboard",
            on_click="ignore",
            icon=":material/monitoring:",
        )


def _columns(one: Kept) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in one.known.rows for name in row)
    return {name: [row.get(name) for row in one.known.rows] for name in names}


def _csv(chosen: list[Kept]) -> bytes:
    rows = [{"run": one.number, **row} for one in chosen for row in one.known.rows]
    return records.to_csv(rows)


def _difference(a: Kept, b: Kept) -> None:
    differing = {
        name: (getattr(a.spec, name), getattr(b.spec, name))
        for name in knobs(type(a.spec))
        if getattr(a.spec, name) != getattr(b.spec, name)
    }
    if not differing:
        st.info(f"{a.name} and {b.name} have the same settings, so they have the same numbers.")
        return
    st.markdown(f"What changed from {a.name} to {b.name}:")
    table = pd.DataFrame(
        [
            {"setting": name, a.name: to_text(x), b.name: to_text(y)}
            for name, (x, y) in differing.items()
        ]
    )
    st.dataframe(table, hide_index=True, alt="Settings that differ between the two runs")


def _use(topic: Topic[Any], spec: RunSpec) -> None:
    controls.put_spec(topic.page, spec.replace(changes=""))


def _show(topic: Topic[Any], one: Kept) -> None:
    transport.show(topic, one.status.id, one.spec)


def _race(topic: Topic[Any], spec: RunSpec) -> None:
    """Two to four values of one setting, trained at the same time from the same initial weights."""
    names = [name for name in knobs(type(spec)) if name not in ("changes", "data", "edits")]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Setting", names, names.index("lr"), key=f"{topic.page}-race-setting")
        values, proposal = f"{topic.page}-race-values-{name}", _proposal(spec, name)
        st.text_input("Two to four values, separated by ;", key=values, value=proposal)
        race: dict[str, dict[str, str]] = st.session_state.setdefault(f"{topic.page}:race", {})

        @session.whole
        def start() -> None:
            try:
                _start_race(topic, spec, name, st.session_state.get(values, proposal), race)
            except (SpecError, RunError) as error:
                st.session_state[f"{topic.page}:race-error"] = str(error)

        st.button("Race", key=f"{topic.page}-race", icon=":material/sports_score:", on_click=start)
    if text := session.told(f"{topic.page}:race-error"):
        lesson.problem("No race", text)
    lanes = race.get("lanes", {})
    if not lanes:
        return
    for (label, id), column in zip(lanes.items(), st.columns(len(lanes)), strict=True):
        with column:
            st.markdown(f"**{label}**")
            transportbar(id, key=f"race-bar-{id}", seekable=False)
            if isinstance(spec, Spec):
                plane(id, key=f"race-plane-{id}", height=240)
            curves(id, key=f"race-curves-{id}", panels=(LOSS,), height=180, min_width=160)


def _proposal(spec: RunSpec, name: str) -> str:
    about, value = knobs(type(spec))[name], getattr(spec, name)
    if isinstance(value, bool):
        return "false; true"
    if about.choices:
        others = [v for v in about.choices if v not in (value, "auto")]
        return "; ".join(map(to_text, [value, *others][:3]))
    if about.log:
        return f"{value / 10:g}; {value:g}; {value * 10:g}"
    if isinstance(value, int):
        return f"{max(1, value // 2)}; {value or 1}; {2 * value or 2}"
    return to_text(defaults(type(spec))[name])


def _start_race(
    topic: Topic[Any], spec: RunSpec, name: str, texts: str, race: dict[str, dict[str, str]]
) -> None:
    """Start the runs, then put them in place all at once: another run of the page may be drawing at the same time."""
    values = list(dict.fromkeys(t.strip() for t in texts.split(";") if t.strip()))
    if not 2 <= len(values) <= 4:
        raise SpecError(
            f"A race takes two to four different values, separated by ;. These are {len(values)}."
        )
    client, me = session.client(), session.owner()
    speed = transport.speed(topic.page, played=False)
    specs = {
        f"{name} = {t}": spec.replace(**{name: from_text(type(spec), name, t)}) for t in values
    }
    lanes = {
        label: client.start(topic.module, one, owner=me, speed=speed)
        for label, one in specs.items()
    }
    before, race["lanes"] = race.get("lanes", {}), lanes
    for id in before.values():
        with contextlib.suppress(RunError, PermissionError):  # it has ended, or is gone
            client.stop(id, me)
