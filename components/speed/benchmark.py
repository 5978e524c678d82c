"""The Benchmark part: times with their noise, a verdict, and the ceilings of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import lesson
from components.figures import speed as figures
from components.speed import measure
from components.speed.measure import Found
from components.views.figure import figure
from models.speed import Spec, flops, verdict

PHASES = ("forward", "forward + backward", "full step")


def draw(found: Found) -> None:
    """The sentence and the two pictures."""
    told, samples = found.told, found.told["samples"]
    _headline(samples, told, told["verdict"])
    with lesson.stage():
        left, right = st.columns([3, 2], gap="medium")
        with left:
            named = {**samples, "B": told["b"]}
            figure(
                figures.times(_per_call(told), named),
                key="speed-times",
                height=380,
                alt="Times of forward, forward and backward, and the full step: every run, the middle half, the median and the first call.",
            )
        with right:
            figure(
                figures.roofline(told["ceilings"], _points(samples, told)),
                key="speed-roofline",
                height=380,
                alt="Roofline: what this machine can reach by operations per byte, and what the model reaches.",
            )


def more(found: Found) -> None:
    """The numbers behind the pictures."""
    spec, told, samples = found.spec, found.told, found.told["samples"]
    if told["sweep"]:
        _sweep(spec, told["sweep"])
    st.dataframe(_table(spec, samples, told), hide_index=True)
    top = told["ceilings"]
    st.markdown(
        f"**Ceilings, measured right after:** {verdict.quantity(top['flops'], 'FLOP/s')} "
        f"(a square matrix product) and {verdict.quantity(top['bytes'], 'B/s')} (a copy). "
        "Bytes are those of all tensors that operations read and write; caches save some of them, "
        "so a point may lie above the slanted line."
    )
    if told["uncounted"]:
        left_out = ", ".join(
            f"`{name.removeprefix('aten.')}` ×{count}" for name, count in told["uncounted"].items()
        )
        st.caption(f"Not counted as FLOPs, for want of a formula: {left_out}.")


def _headline(
    samples: Mapping[str, Any], told: Mapping[str, Any], ruling: Mapping[str, Any]
) -> None:
    step, forward = samples["full step"], samples["forward"]
    share = step["median"] / forward["median"]
    st.markdown(
        f"A full step takes **{verdict.duration(step['median'])}**, {share:.3g}× a forward pass; "
        f"its first call took {verdict.duration(step['first'])}. **{ruling['text']}**"
    )
    measure.busy(told)
    if missing := flops.left_out(told["uncounted"]):
        st.caption(missing)


def _per_call(told: Mapping[str, Any]) -> dict[str, list[float]]:
    times = {name: list(runs) for name, runs in told["times"].items()}
    factor = told["b"]["median"] / verdict.sample(times["B"]).median  # B for as many samples as A
    times["B"] = [t * factor for t in times["B"]]
    return times


def _points(samples: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    return {
        name: (told["flops"][name] / told["moved"][name], told["flops"][name] / one["median"])
        for name, one in samples.items()
        if told["flops"][name] and told["moved"][name]
    }


def _table(spec: Spec, samples: Mapping[str, Any], told: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for name, one in samples.items():
        work, moved = told["flops"][name], told["moved"][name]
        rows.append(
            {
                "what": name,
                "median": verdict.duration(one["median"]),
                "middle half": f"{verdict.duration(one['low'])} to {verdict.duration(one['high'])}",
                "blocks": one["count"],
                "first call": verdict.duration(one["first"]),
                "samples/s": f"{spec.batch_size / one['median']:,.0f}",
                "FLOPs": verdict.quantity(work, ""),
                "FLOP/s": verdict.quantity(work / one["median"], "FLOP/s"),
                "of the ceiling": f"{work / one['median'] / told['ceilings']['flops']:.1%}",
                "bytes/s": verdict.quantity(moved / one["median"], "B/s"),
            }
        )
    return pd.DataFrame(rows)


def _sweep(spec: Spec, points: list[Mapping[str, Any]]) -> None:
    name = "memory format: channels last" if spec.sweep == "channels_last" else spec.sweep
    for refused in (p for p in points if "why_not" in p):
        st.caption(
            f":material/block: {name} = {refused['value']} was left out: {refused['why_not']}"
        )
    points = [p for p in points if "why_not" not in p]
    if not points:
        return
    figure(
        figures.sweep(points, name),
        key="speed-swept",
        height=300,
        alt=f"Samples per second over {name}, with the middle half of the runs as bars.",
    )
    per_sample = [
        verdict.Sample(
            *(p[k] / p["batch_size"] for k in ("median", "low", "high")), count=p["count"]
        )
        for p in points
    ]
    best = min(range(len(points)), key=lambda i: per_sample[i].median)
    first = per_sample[0]
    if best:
        ruling = verdict.compare(
            first,
            per_sample[best],
            f"{name} = {points[0]['value']}",
            f"{name} = {points[best]['value']}",
        )
        st.markdown(f"Per sample: {ruling.text}")
    else:
        st.markdown(f"Nothing beats {name} = {points[0]['value']} per sample.")
