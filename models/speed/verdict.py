"""What times allow one to say: a ranking only where the middle halves do not overlap, else that there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 5  # runs without which nothing is ranked
FEWEST_PAIRS = 6  # all of them agree about two equals only once in 32 times
NOISY = (
    0.1  # the middle half is wider than this share of the median: torch.utils.benchmark's own limit
)


@dataclass(frozen=True)
class Sample:
    """Many times of one thing, in seconds: the median, the quartiles around it, how many, and the first call."""

    median: float
    low: float
    high: float
    count: int
    first: float = float("nan")

    @property
    def spread(self) -> float:
        """Width of the middle half, as a share of the median."""
        return (self.high - self.low) / self.median if self.median else 0.0

    @property
    def noisy(self) -> bool:
        return self.spread > NOISY


@dataclass(frozen=True)
class Verdict:
    """How B compares with A.

    Attributes:
        kind: "faster", "slower" ("better", "worse" of what is no time), or "same" when nothing can be said.
        ratio: time of A over time of B; above 1: B is faster. Of pairs: the middle difference.
        low, high: the same ratio at the unfavourable and the favourable ends of both middle halves.
        text: a sentence.
    """

    kind: str
    ratio: float
    low: float
    high: float
    text: str


def sample(times: Sequence[float] | np.ndarray, first: float = float("nan")) -> Sample:
    """Median and quartiles of measured times.

    Raises:
        ValueError: there are no times.
    """
    if not len(times):
        raise ValueError("no times to summarise")
    low, median, high = (float(v) for v in np.quantile(np.asarray(times, float), (0.25, 0.5, 0.75)))
    return Sample(median, low, high, len(times), first)


def compare(a: Sample, b: Sample, one: str = "A", other: str = "B") -> Verdict:
    """What A and B allow one to say about B; the times have to be of the same work."""
    ratio = a.median / b.median if b.median else float("inf")
    low = a.low / b.high if b.high else float("inf")
    high = a.high / b.low if b.low else float("inf")
    few = min(a.count, b.count)
    if few < FEWEST:
        text = f"Too few runs for a verdict: {few}; it takes {FEWEST}. Measure longer."
        return Verdict("same", ratio, low, high, text)
    if low <= 1 <= high:
        text = (
            f"{one} and {other} are not distinguishable here: the middle halves of their runs overlap "
            f"({duration(a.low)} to {duration(a.high)}, and {duration(b.low)} to {duration(b.high)})."
        )
        return Verdict("same", ratio, low, high, text)
    if ratio > 1:
        span = f"{low:.3g} to {high:.3g}"
        return Verdict(
            "faster", ratio, low, high, f"{other} is {ratio:.3g}× faster than {one} ({span})."
        )
    span = f"{1 / high:.3g} to {1 / low:.3g}"
    return Verdict(
        "slower", ratio, low, high, f"{other} is {1 / ratio:.3g}× slower than {one} ({span})."
    )


def paired(
    a: Sequence[float], b: Sequence[float], one: str = "A", other: str = "B", what: str = "loss"
) -> Verdict:
    """Which of two ends lower, judged pair by pair: only where every single pair says the same.

    Args:
        a, b: what each reached from the same beginnings, in the same order; infinite where it diverged.

    Raises:
        ValueError: they are not equally many, or none.
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(f"{len(a)} and {len(b)} values do not make pairs")
    count, lower = len(a), sum(y < x for x, y in zip(a, b, strict=True))
    higher = sum(y > x for x, y in zip(a, b, strict=True))
    ends = f"median {_middle(b):.3g} against {_middle(a):.3g}"
    apart = [0.0 if x == y else y - x for x, y in zip(a, b, strict=True)]
    span = min(apart), float(np.median(apart)), max(apart)
    lost = sum(not np.isfinite(y) for y in b)
    if count < FEWEST_PAIRS:
        text = f"Too few repeats for a verdict: {count}; it takes {FEWEST_PAIRS}."
        return Verdict("same", span[1], span[0], span[2], text)
    if lower == count:
        text = f"{other} ends at a lower {what} than {one} in all {count} repeats ({ends})."
        return Verdict("better", span[1], span[0], span[2], text)
    if higher == count:
        text = f"{other} ends at a higher {what} than {one} in all {count} repeats ({ends})."
        if lost:
            text = f"{other} diverged in {lost} of {count} repeats, and ended higher than {one} in all."
        return Verdict("worse", span[1], span[0], span[2], text)
    text = f"{other} and {one} are not distinguishable here: the {what} is lower in {lower} of {count} repeats ({ends})."
    if lost:
        text += f" It diverged in {lost}."
    return Verdict("same", span[1], span[0], span[2], text)


def _middle(values: Sequence[float]) -> float:
    ranked = sorted(values)
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) / 2


def noise(named: dict[str, Sample]) -> str:
    """What to think of the noise, or "" when there is little."""
    loud = {name: s for name, s in named.items() if s.noisy}
    if not loud:
        return ""
    name, worst = max(loud.items(), key=lambda item: item[1].spread)
    return (
        f"The machine was busy: the middle half of the runs of {name} spreads over "
        f"{worst.spread:.0%} of the median. Measure again, or longer, before you believe small differences."
    )


def duration(seconds: float) -> str:
    """Seconds as a person says them, three digits: "216 µs", "1.25 ms", "3.4 s"."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if abs(seconds) >= scale * 0.9995:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def quantity(value: float, unit: str) -> str:
    """A number with a decimal prefix: "12.3 GFLOP/s"."""
    for scale, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= scale * 0.9995:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def size(count: float) -> str:
    """Bytes as a person says them: "12.3 MB"."""
    return quantity(count, "B")
