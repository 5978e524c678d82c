"""Predict, then reveal: is the guess right, and if not, by how much?"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Verdict:
    """Whether a guess was right, and what to say about it."""

    right: bool
    words: str


def judge(
    shape: str,
    value: str,
    outputs: Sequence[tuple[str, torch.Tensor]] | None,
    error: str = "",
    first: float | complex | bool | None = None,
) -> Verdict:
    """Compare a guessed shape ("2, 3", "scalar" or "error") and first value with what happened.

    Args:
        outputs: what came out, or None when the call failed with `error`.
        first: its first cell, None when there is none.
    """
    guessed = shape.strip().lower()
    failed = guessed in ("error", "fails", "fail", "an error", "x")
    if not guessed:
        told = "it fails" if outputs is None else f"shape {_shape(outputs[0][1])}"
        return Verdict(False, f"No guess this time. The answer: {told}.")
    if outputs is None:
        return Verdict(
            failed, "Right: it fails." if failed else "It fails: the message below says why."
        )
    real = tuple(outputs[0][1].shape)
    if failed:
        return Verdict(False, f"It works, and gives shape {_shape(outputs[0][1])}.")
    try:
        sizes = (
            ()
            if guessed in ("scalar", "()", "0-d")
            else tuple(int(n) for n in re.findall(r"-?\d+", guessed))
        )
        if not sizes and guessed not in ("scalar", "()", "0-d"):
            raise ValueError(guessed)
    except ValueError:
        return Verdict(
            False, f"{shape[:30]!r} is no shape: write sizes such as 2, 3. The answer: {real}."
        )
    right = sizes == real
    words = f"Right: shape {real}." if right else f"Not quite: you said {sizes}, it is {real}."
    if value.strip() and first is not None:
        same = _same(value, first)
        words += f" The first value is {_number(first)}" + (
            ": right too." if same else f", not {value.strip()[:20]}."
        )
        right = right and same
    return Verdict(right, words)


def _shape(t: torch.Tensor) -> str:
    return str(tuple(t.shape))


def _same(text: str, real: float | bool | complex) -> bool:
    text = text.strip().lower().replace("−", "-")
    if isinstance(real, bool):
        return text in (("true", "1") if real else ("false", "0"))
    if isinstance(real, complex):
        return False
    try:
        said = float(text)
    except ValueError:
        return False
    if math.isnan(real):
        return math.isnan(said)
    return math.isclose(said, real, rel_tol=0.01, abs_tol=0.005)


def _number(value: float | bool | complex) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
