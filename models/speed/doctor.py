"""What a profile says should be changed first, each with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.speed import machine
from models.speed.spec import Spec

SMALL = 10.0  # microseconds of an operation that is mostly the way there and back


@dataclass(frozen=True)
class Finding:
    """One thing to change.

    Attributes:
        gain: share of the step that it is about; findings are sorted by it.
        title: what to change; evidence: the numbers that say so.
        named: whether it names the very line or operator that takes the time: such findings come before general advice.
        try_part, try_field, try_value: where on the page to try it, and what to set; "" for nothing to set.
    """

    gain: float
    title: str
    evidence: str
    try_part: str = "levers"
    try_field: str = ""
    try_value: str = ""
    named: bool = False


def findings(spec: Spec, told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The first three things to change, the largest first."""
    found = [f for rule in _RULES if (f := rule(spec, told)) is not None]
    found += _operators(spec, told)
    return [vars(f) for f in sorted(found, key=lambda f: (not f.named, -f.gain))[:3]]


def shares(told: Mapping[str, Any]) -> dict[str, float]:
    """Each phase's share of the recorded time."""
    times = {name: p["microseconds"] for name, p in told["phases"].items()}
    whole = sum(times.values()) or 1.0
    return {name: t / whole for name, t in times.items()}


def _operators(spec: Spec, told: Mapping[str, Any]) -> list[Finding]:
    """The operators that take most of the step, each with the line that calls it."""
    whole = sum(p["microseconds"] for p in told["phases"].values()) or 1.0
    found = []
    for one in told.get("operators", ()):
        share = one["microseconds"] / whole
        # what loads data and what updates weights has rules of its own
        own = [p for p in told["lines"] if p["operation"] == one["name"] and not p["harness"]]
        inside = any(p["operation"] == one["name"] for p in told["lines"])
        if share < 0.3 or (inside and not own and not _is_backward(told, one["name"])):
            continue
        at = max(own, key=lambda p: p["calls"], default=None)
        where = f" at {_at(at)}" if at is not None else ", called by backward or by PyTorch itself"
        title = f"Look at `{_short(one['name'])}` first: {share:.0%} of the step{where}"
        evidence = f"{one['calls'] / told['steps']:,.0f} calls per step take {one['microseconds'] / told['steps'] / 1e3:.3g} ms."
        found.append(Finding(share, title, evidence, "", named=True))
    return found


def _is_backward(told: Mapping[str, Any], name: str) -> bool:
    """Whether an operator that only the step's own lines call belongs to backward: there is no line of the model for it."""
    texts = [p["text"] for p in told["lines"] if p["operation"] == name]
    return any("backward" in text for text in texts)


def _numbers_out(spec: Spec, told: Mapping[str, Any]) -> Finding | None:
    """`.item()`, `float(…)`, `if tensor`: each waits for the tensor, and on a GPU for everything before it."""
    lines = [p for p in told.get("lines", ()) if not p["harness"]]
    taken = [p for p in lines if p["operation"] == "aten::_local_scalar_dense"]
    calls, whole = sum(p["calls"] for p in taken), sum(p["calls"] for p in told.get("lines", ()))
    if calls < 5 or calls / whole < 0.05:
        return None
    at = max(taken, key=lambda p: p["calls"])
    # what else that line calls serves the number
    line = sum(p["calls"] for p in lines if (p["line"], p["text"]) == (at["line"], at["text"]))
    return Finding(
        line / whole,
        f"Keep numbers in tensors: {_at(at)} takes one out {at['calls']:,} times per step",
        f"Each .item(), float() or if waits until the number is there; {calls:,} of {whole:,} operations of a step do so.",
        "",
        named=True,
    )


def _loop(spec: Spec, told: Mapping[str, Any]) -> Finding | None:
    """A line that runs many small operations, one after another."""
    lines: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    for p in told.get("lines", ()):
        if not p["harness"]:
            lines.setdefault((p["line"], p["text"]), []).append(p)
    whole = sum(p["calls"] for p in told.get("lines", ())) or 1
    if not lines:
        return None
    worst = max(lines.values(), key=lambda ps: sum(p["calls"] for p in ps))
    calls = sum(p["calls"] for p in worst)
    if calls < 50 or calls / whole < 0.3 or worst[0]["layer"].endswith("(Sequential)"):
        return None
    return Finding(
        calls / whole,
        f"Replace the Python loop at {_at(worst[0])} by one operation on the whole tensor",
        f"That line calls {calls:,} of the step's {whole:,} operations.",
        "compile",
        named=True,
    )


def _python(spec: Spec, told: Mapping[str, Any]) -> Finding | None:
    """Python that works while no operation runs."""
    waits = told.get("idle", {})
    phases = {n: p for n, p in told["phases"].items() if n in ("forward", "loss") and waits.get(n)}
    whole = sum(p["microseconds"] for p in told["phases"].values()) or 1.0
    idle = sum(waits[n] for n in phases)
    # between two small operations there is always some
    usual = 10 * SMALL * sum(p["operations"] for p in phases.values())
    lines = [p for p in told.get("lines", ()) if not p["harness"]]
    if idle / whole < 0.4 or idle < usual or not lines:
        return None
    at = max(lines, key=lambda p: p["before"])
    return Finding(
        idle / whole,
        f"Move Python's own work out of the step: it works before {_at(at)}",
        f"During {idle / whole:.0%} of the step no operation of PyTorch runs.",
        "",
        named=True,
    )


def _at(place: Mapping[str, Any]) -> str:
    """The line and, where there is one, the layer."""
    layer = f" in layer {place['layer']}" if place["layer"] else ""
    return f"line {place['line']} of {place['function']}{layer}, `{place['text'][:80]}`"


def _data(spec: Spec, told: Mapping[str, Any]) -> Finding | None:
    share = shares(told)["data"]
    if share < 0.2:
        return None
    return Finding(
        share,
        "Prepare batches elsewhere: DataLoader workers, or the whole set as one tensor",
        f"{share:.0%} of the step waits for its data: {spec.batch_size} samples are fetched and stacked one by one.",
        named=True,
    )


def _optimizer(spec: Spec, told: Mapping[str, Any]) -> Finding | None:
    share = shares(told)["optimizer"]
    if share < 0.15:
        return None
    count = told["phases"]["optimizer"]["operations"] / told["steps"]
    return Finding(
        share,
        f"Let {spec.optimizer} update all weights in one kernel: fused=True",
        f"{share:.0%} of the step is the optimizer, with {count:.0f} small operations per step.",
    )


def _small(spec: Spec, told: Mapping[str, Any]) -> Finding | None:
    rows = [r for r in told["table"] if r["name"].startswith("aten::")]
    calls = sum(r["calls"] for r in rows)
    tiny = [r for r in rows if _cost(r) / r["calls"] < SMALL]
    many = sum(r["calls"] for r in tiny)
    time = sum(_cost(r) for r in tiny)
    whole = sum(_cost(r) for r in rows) or 1.0
    if not calls or many / calls < 0.7 or time / whole < 0.2:
        return None
    bigger = min(4096, 4 * spec.batch_size)
    return Finding(
        time / whole,
        f"Give each operation more to do: a larger batch ({bigger}), or torch.compile to merge them",
        f"{many:,} of {calls:,} operations take less than {SMALL:.0f} µs each, and {time / whole:.0%} of all operations' time.",
        "benchmark",
        "batch_size",
        str(bigger),
    )


def _threads(spec: Spec, told: Mapping[str, Any]) -> Finding | None:
    cores = min(64, machine.cores())
    heavy = [r for r in told["table"] if _cost(r) / r["calls"] > 200]
    share = sum(_cost(r) for r in heavy) / (sum(_cost(r) for r in told["table"]) or 1.0)
    if spec.device != "cpu" or spec.threads >= cores or share < 0.3:
        return None
    gain = share * (1 - spec.threads / cores)
    return Finding(
        gain,
        f"Use more threads: {cores} instead of {spec.threads}",
        f"{share:.0%} of the time is in operations of more than 200 µs, which are large enough to be split.",
        "benchmark",
        "threads",
        str(cores),
    )


def _copies(spec: Spec, told: Mapping[str, Any]) -> Finding | None:
    rows = [r for r in told["table"] if r["name"] in _COPIES]
    share = sum(_cost(r) for r in rows) / (sum(_cost(r) for r in told["table"]) or 1.0)
    if share < 0.1 or not rows:
        return None
    calls = sum(r["calls"] for r in rows)
    how = "" if spec.precision == "float32" else " Autocast converts weights and inputs each time."
    return Finding(
        share,
        "Copy less: keep one dtype and one memory layout from end to end",
        f"{share:.0%} of the time goes into {calls:,} copies ({', '.join(sorted({_short(r['name']) for r in rows}))}).{how}",
    )


def _products(spec: Spec, told: Mapping[str, Any]) -> Finding | None:
    rows = [r for r in told["table"] if any(word in r["name"] for word in _PRODUCTS)]
    share = sum(_cost(r) for r in rows) / (sum(_cost(r) for r in told["table"]) or 1.0)
    if share < 0.5 or spec.precision != "float32":
        return None
    top = max(rows, key=lambda r: _cost(r))
    return Finding(
        share / 2,
        "Compute the products in bfloat16, if this processor is faster in it: measure it first",
        f"{share:.0%} of the time is matrix products and convolutions; the costliest is {_short(top['name'])} ({top['shapes']}).",
        "precision",
    )


def _backward(spec: Spec, told: Mapping[str, Any]) -> Finding | None:
    phase = told["phases"]
    forward, backward = phase["forward"]["microseconds"], phase["backward"]["microseconds"]
    if not forward or backward < 3 * forward:
        return None
    share = (backward - 2 * forward) / sum(p["microseconds"] for p in phase.values())
    return Finding(
        share,
        "Look into backward: it should take about twice as long as forward",
        f"Backward takes {backward / forward:.1f}× as long as forward.",
        "",  # the table below shows it
    )


def _profiler(spec: Spec, told: Mapping[str, Any]) -> Finding | None:
    ratio = told["under"] / told["plain"]["median"] if told["plain"]["median"] else 1.0
    if ratio < 1.5:
        return None
    return Finding(
        0.01,
        "Trust the shares here, not the times",
        f"Under the profiler a step takes {ratio:.1f}× as long as without it.",
        "benchmark",
    )


def _cost(row: Mapping[str, Any]) -> float:
    """Microseconds of an operation's own: issuing it, or computing it on a GPU, whichever is longer."""
    return max(row["self"], row.get("device", 0.0))


def _short(name: str) -> str:
    return name.removeprefix("aten::")


_COPIES = ("aten::copy_", "aten::clone", "aten::contiguous", "aten::_to_copy", "aten::to")
_PRODUCTS = ("mm", "conv", "linear", "attention", "bmm")
_RULES: tuple[Callable[[Spec, Mapping[str, Any]], Finding | None], ...] = (
    _numbers_out,
    _loop,
    _python,
    _data,
    _optimizer,
    _small,
    _threads,
    _copies,
    _products,
    _backward,
    _profiler,
)
