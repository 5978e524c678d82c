"""Figures of the Speed page: every time with its noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from components.figures import theme


def times(
    runs: Mapping[str, Sequence[float]], samples: Mapping[str, Mapping[str, Any]]
) -> go.Figure:
    """Every run as a point, the middle half as a bar around the median; the first call is a mark of its own."""
    fig = go.Figure()
    names = list(runs)
    for number, name in enumerate(names):
        color = _color(number)
        one = samples[name]
        fig.add_bar(
            y=[name],
            x=[(one["high"] - one["low"]) * 1e3],
            base=[one["low"] * 1e3],
            orientation="h",
            width=0.55,
            marker={"color": color, "opacity": 0.35},
            showlegend=False,
            hovertemplate=f"middle half: {one['low'] * 1e3:.4g} to {one['high'] * 1e3:.4g} ms<extra></extra>",
        )
        fig.add_scatter(
            x=[t * 1e3 for t in runs[name]],
            y=[name] * len(runs[name]),
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 12, "color": color},
            showlegend=False,
            hovertemplate="one block of runs: %{x:.4g} ms<extra></extra>",
        )
    fig.add_scatter(
        x=[samples[n]["median"] * 1e3 for n in names],
        y=names,
        mode="markers+text",
        text=[f"{samples[n]['median'] * 1e3:.3g} ms" for n in names],
        textposition="top center",
        marker={"symbol": "diamond", "size": 11, "color": "#777777"},
        name="median",
        hovertemplate="median %{x:.4g} ms<extra></extra>",
    )
    firsts = {n: samples[n]["first"] for n in names if samples[n].get("first")}
    fig.add_scatter(
        x=[v * 1e3 for v in firsts.values()],
        y=list(firsts),
        mode="markers",
        marker={"symbol": "star-open", "size": 13, "color": "#777777"},
        name="first call",
        hovertemplate="first call %{x:.4g} ms<extra></extra>",
    )
    shown = [t * 1e3 for n in names for t in (*runs[n], firsts.get(n, runs[n][0]))]
    fig.update_xaxes(
        type="log",
        title="milliseconds per call (logarithmic)",
        tickvals=_stops(min(shown), max(shown)),
    )
    fig.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=names)
    fig.update_layout(barmode="overlay")
    return fig


def roofline(ceilings: Mapping[str, float], points: Mapping[str, tuple[float, float]]) -> go.Figure:
    """What this machine can reach at each intensity, and what was reached.

    Args:
        ceilings: "flops" and "bytes", per second.
        points: name → (operations per byte, operations per second).
    """
    ridge = ceilings["flops"] / ceilings["bytes"]
    every = [x for x, _ in points.values()] + [ridge]
    low, high = min(every) / 4, max(every) * 8
    fig = go.Figure()
    fig.add_scatter(
        x=[low, ridge, high],
        y=[low * ceilings["bytes"] / 1e9, ceilings["flops"] / 1e9, ceilings["flops"] / 1e9],
        mode="lines",
        name="measured ceilings",
        line={"color": "#777777"},
        hovertemplate="%{x:.3g} FLOP/byte: at most %{y:.4g} GFLOP/s<extra></extra>",
    )
    for number, (name, (x, y)) in enumerate(points.items()):
        fig.add_scatter(
            x=[x],
            y=[y / 1e9],
            mode="markers",
            name=name,
            marker={
                "symbol": theme.symbol(number),
                "size": 13,
                "color": theme.categorical(number),
            },
            hovertemplate="%{x:.3g} FLOP/byte, %{y:.4g} GFLOP/s<extra>" + name + "</extra>",
        )
    reached = [y / 1e9 for _, y in points.values()] + [low * ceilings["bytes"] / 1e9]
    fig.update_xaxes(
        type="log", title="operations per byte read or written", tickvals=_stops(low, high)
    )
    fig.update_yaxes(
        type="log", title="GFLOP/s", tickvals=_stops(min(reached), ceilings["flops"] / 1e9)
    )
    return fig


def memory(trace: Mapping[str, Any]) -> go.Figure:
    """Megabytes after each operation of a step, one layer per category."""
    fig = go.Figure()
    for number, (name, line) in enumerate(trace["lines"].items()):
        fig.add_scatter(
            x=trace["steps"],
            y=[v / 1e6 for v in line],
            name=name,
            stackgroup="all",
            mode="lines",
            line={"width": 1, "color": _color(number), "shape": "hv"},
            text=trace["operations"],
            hovertemplate="after %{text}: %{y:.4g} MB of " + name + "<extra></extra>",
        )
    fig.update_xaxes(title="operations of the step, in order")
    fig.update_yaxes(title="MB")
    return fig


def trade(peaks: Mapping[str, float], samples: Mapping[str, Mapping[str, Any]]) -> go.Figure:
    """Peak memory against time, the middle half as a bar: what is bought and what it costs."""
    fig = go.Figure()
    for number, (name, one) in enumerate(samples.items()):
        fig.add_scatter(
            x=[one["median"] * 1e3],
            y=[peaks[name] / 1e6],
            name=name,
            mode="markers",
            marker={"symbol": theme.symbol(number), "size": 14, "color": theme.categorical(number)},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [(one["high"] - one["median"]) * 1e3],
                "arrayminus": [(one["median"] - one["low"]) * 1e3],
            },
            hovertemplate="%{x:.4g} ms, peak %{y:.4g} MB<extra>" + name + "</extra>",
        )
    fig.update_xaxes(title="milliseconds per step", rangemode="tozero")
    fig.update_yaxes(title="MB at the peak", rangemode="tozero")
    return fig


def shares(parts: Mapping[str, float]) -> go.Figure:
    """One bar per phase, in order, with its share of the whole."""
    fig = go.Figure(
        go.Bar(
            x=list(parts.values()),
            y=list(parts),
            orientation="h",
            text=[f"{v:.0%}" for v in parts.values()],
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        )
    )
    fig.update_xaxes(title="share of the recorded time", tickformat=".0%")
    fig.update_yaxes(autorange="reversed")
    return fig


def modules(times: Mapping[str, Mapping[str, float]], steps: int) -> go.Figure:
    """Milliseconds per step of the layers that take most, forward and backward."""
    order = sorted(times, key=lambda name: -sum(times[name].values()))[:12]
    fig = go.Figure()
    for number, way in enumerate(("forward", "backward")):
        fig.add_bar(
            x=[times[name][way] / 1e3 / steps for name in order],
            y=order,
            name=way,
            orientation="h",
            marker={"color": theme.categorical(number), "pattern": {"shape": ("", "/")[number]}},
            hovertemplate="%{y}, " + way + ": %{x:.3g} ms<extra></extra>",
        )
    fig.update_layout(barmode="stack")
    fig.update_xaxes(title="milliseconds per step")
    fig.update_yaxes(autorange="reversed")
    return fig


def scaler(rows: Sequence[Sequence[float]]) -> go.Figure:
    """The loss scale over the steps: it halves at each skipped step and doubles after three good ones."""
    steps = list(range(1, len(rows) + 1))
    fig = go.Figure(
        go.Scatter(
            x=steps,
            y=[row[0] for row in rows],
            mode="lines",
            name="scale",
            line={"shape": "hv", "color": theme.categorical(0)},
            hovertemplate="step %{x}: scale %{y:,.0f}<extra></extra>",
        )
    )
    for skipped, name, symbol, number in (
        (False, "step taken", "circle", 2),
        (True, "inf: step skipped", "x", 1),
    ):
        chosen = [(n, row) for n, row in zip(steps, rows, strict=True) if bool(row[2]) is skipped]
        fig.add_scatter(
            x=[n for n, _ in chosen],
            y=[row[0] for _, row in chosen],
            mode="markers",
            name=name,
            marker={"symbol": symbol, "size": 12, "color": theme.categorical(number)},
            customdata=[f"{row[1]:,.0f}" if row[1] is not None else "inf" for _, row in chosen],
            hovertemplate="step %{x}: largest scaled gradient %{customdata}<extra>"
            + name
            + "</extra>",
        )
    low, high = (f([row[0] for row in rows]) for f in (min, max))
    powers = range(round(math.log2(low)), round(math.log2(high)) + 1)
    fig.update_xaxes(title="step")
    fig.update_yaxes(
        title="loss scale",
        type="log",
        tickvals=[2**p for p in powers],
        ticktext=[f"2^{p}" for p in powers],
    )
    return fig


def losses(lines: Mapping[str, Sequence[float]]) -> go.Figure:
    """Training losses from the same weights, one line per precision."""
    fig = go.Figure()
    for number, (name, values) in enumerate(lines.items()):
        fig.add_scatter(
            x=list(range(1, len(values) + 1)),
            y=list(values),
            name=name,
            mode="lines",
            line={"dash": theme.dash(number), "color": theme.categorical(number)},
        )
    fig.update_xaxes(title="step")
    fig.update_yaxes(title="loss")
    return fig


def break_even(
    firsts: Sequence[float], eager: float, compiled: float, paid: float | None
) -> go.Figure:
    """Time spent after so many calls: compiling starts late and may overtake.

    Args:
        firsts: seconds of the first compiled calls; eager, compiled: seconds of a later call.
        paid: the number of calls after which both have spent the same; None where the noise hides it.
    """
    start = sum(firsts)
    most = max(10.0 * start / max(eager, 1e-9), 4 * (paid or 0.0), 100.0)
    calls = [10 ** (k / 12 * math.log10(most)) for k in range(13)]
    calls = sorted({*(max(1, round(n)) for n in calls), *range(1, len(firsts) + 1)})
    fig = go.Figure()
    late = [
        sum(firsts[:n]) if n <= len(firsts) else start + (n - len(firsts)) * compiled for n in calls
    ]
    for number, (name, y) in enumerate((("eager", [n * eager for n in calls]), ("compiled", late))):
        fig.add_scatter(
            x=calls,
            y=y,
            name=name,
            mode="lines+markers",
            marker={"symbol": theme.symbol(number), "size": 7},
            line={"color": theme.categorical(number), "dash": theme.dash(number)},
            hovertemplate="%{x:,} calls: %{y:.3g} s<extra>" + name + "</extra>",
        )
    if paid:
        fig.add_vline(x=paid, line={"dash": "dot", "color": "#777777"})
    fig.update_xaxes(type="log", title="calls so far", tickvals=_powers(1, max(calls)))
    fig.update_yaxes(
        type="log",
        title="seconds spent so far",
        tickvals=_powers(min(late[0], eager), max(*late, calls[-1] * eager)),
    )
    return fig


def levers(rows: Mapping[str, Mapping[str, Any]]) -> go.Figure:
    """How many times faster each lever makes it, with the range that the noise allows; 1 is no effect."""
    shown = {n: r for n, r in rows.items() if "verdict" in r}
    looks = {
        "faster": ("triangle-right", 2),
        "same": ("circle-open", None),
        "slower": ("triangle-left", 1),
    }
    fig = go.Figure()
    for kind, (symbol, number) in looks.items():
        mine = [r for r in shown.values() if r["verdict"]["kind"] == kind]
        fig.add_scatter(
            x=[r["verdict"]["ratio"] for r in mine],
            y=[r["title"] for r in mine],
            name={"faster": "faster", "same": "not distinguishable", "slower": "slower"}[kind],
            mode="markers",
            marker={
                "symbol": symbol,
                "size": 14,
                "color": "#888888" if number is None else theme.categorical(number),
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [r["verdict"]["high"] - r["verdict"]["ratio"] for r in mine],
                "arrayminus": [r["verdict"]["ratio"] - r["verdict"]["low"] for r in mine],
            },
            hovertemplate="%{y}: %{x:.3g}×<extra></extra>",
        )
    ends = [v for r in shown.values() for v in (r["verdict"]["low"], r["verdict"]["high"])]
    fig.add_vline(x=1, line={"color": "#777777", "dash": "dot"})
    fig.update_xaxes(
        type="log",
        title="times as fast with it",
        tickvals=_stops(min(ends, default=0.5), max(ends, default=2)),
    )
    fig.update_yaxes(
        autorange="reversed",
        categoryorder="array",
        categoryarray=[r["title"] for r in shown.values()],
    )
    return fig


def equal_time(losses: Mapping[str, Sequence[float | None]]) -> go.Figure:
    """Where each schedule ended: every repeat a mark, the median a diamond; what diverged is left out and said."""
    fig = go.Figure()
    names, middles, shown = [], [], []
    for number, (name, ends) in enumerate(losses.items()):
        finite = sorted(v for v in ends if v is not None and v > 0)
        lost = len(ends) - len(finite)
        title = f"{name} ({lost} diverged)" if lost else name
        fig.add_scatter(
            x=finite,
            y=[title] * len(finite),
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 16, "color": _color(number)},
            showlegend=False,
            hovertemplate="one repeat: loss %{x:.4g}<extra></extra>",
        )
        names.append(title)
        middles.append(statistics.median(finite) if finite else None)
        shown += finite
    fig.add_scatter(
        x=middles,
        y=names,
        mode="markers+text",
        text=[f"{m:.3g}" if m is not None else "" for m in middles],
        textposition="top center",
        marker={"symbol": "diamond", "size": 11, "color": "#777777"},
        name="median",
        hovertemplate="median %{x:.4g}<extra></extra>",
    )
    fig.update_xaxes(
        type="log",
        title="loss after the same time (logarithmic)",
        tickvals=_stops(min(shown, default=0.1), max(shown, default=1.0)),
    )
    fig.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=names)
    return fig


def _color(number: int) -> str:
    """The colours that are seen on a light and on a dark page."""
    return theme.categorical(_SEEN[number % len(_SEEN)])


_SEEN = (0, 1, 2, 4, 7, 9)


def _powers(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    step = max(1, round((last - first) / 6))
    return [10.0**e for e in range(first, last + 1, step)]


def _stops(low: float, high: float) -> list[float]:
    """Powers of ten in a range of positive numbers, with 2s and 5s when there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    digits = (1,) if last - first > 4 else (1, 3) if last - first > 2 else (1, 2, 5)
    return [float(f"{d}e{e}") for e in range(first, last + 1) for d in digits]


def sweep(points: Sequence[Mapping[str, Any]], name: str) -> go.Figure:
    """Samples per second over the values of one setting, the middle half as bars."""
    x = [str(p["value"]) for p in points]
    rate = [p["batch_size"] / p["median"] for p in points]
    fig = go.Figure(
        go.Scatter(
            x=x,
            y=rate,
            mode="lines+markers",
            name="full step",
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [
                    p["batch_size"] / p["low"] - r for p, r in zip(points, rate, strict=True)
                ],
                "arrayminus": [
                    r - p["batch_size"] / p["high"] for p, r in zip(points, rate, strict=True)
                ],
            },
            hovertemplate="%{x}: %{y:.4g} samples per second<extra></extra>",
        )
    )
    fig.update_xaxes(title=name, type="category")
    fig.update_yaxes(title="samples per second", type="log")
    return fig
