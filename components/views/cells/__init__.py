"""Tensors as planes of cells: point at one to see who made it, with which weight, and whom it reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from components.views import mount
from models.expressions import show_bytes
from models.tensor_ops import properties
from models.tensor_ops.provenance import Links
from models.tensor_ops.sums import Alignment, Terms

MOST_CELLS = properties.MOST_CELLS


@dataclass(frozen=True)
class Shown:
    """One tensor of the picture.

    Attributes:
        role: "input" or "output". changed: an in-place operation wrote into it.
        at: row and column where the window of a large tensor begins; seen: what there is to see of one, where it
            is known already (its numbers need not be here then).
        dims: a name for every dim; none, or "", where it has only its number.
    """

    name: str
    tensor: torch.Tensor
    role: str = "input"
    changed: bool = False
    at: tuple[int, int] = (0, 0)
    dims: tuple[str, ...] = ()
    seen: properties.Seen | None = None


@dataclass(frozen=True)
class Edit:
    """A cell that was given a new value: the tensor's name, the flat cell, what was typed."""

    name: str
    cell: int
    text: str


@dataclass(frozen=True)
class Pan:
    """Where the window of a large tensor shall begin."""

    name: str
    row: int
    column: int


def cells(
    tensors: Sequence[Shown],
    links: Mapping[str, Links] | None,
    *,
    key: str,
    sign: str,
    height: int = 420,
    alignment: Alignment | None = None,
    aligned: Sequence[str] = (),
    terms: Terms | None = None,
    factors: Sequence[str] = (),
    editable: Sequence[str] = (),
    hidden: bool = False,
    note: str = "",
    on_edit: Callable[[Edit], None] | None = None,
    on_pan: Callable[[Pan], None] | None = None,
) -> None:
    """Draw tensors and their links; pointing, pinning and stepping happen in the browser.

    Args:
        links: by input name, over all outputs laid end to end; None when there are too many.
        sign: the code that ran; another one starts the walk anew.
        alignment: how `aligned` (names) broadcast, for the stepped picture.
        terms: of the written-out sums over `factors` (names).
        editable: names whose cells a double-click changes.
        hidden: cover the outputs (a guess comes first).
        note: what to say while nothing is pointed at.
    """
    names = [t.name if t.role == "input" else "" for t in tensors]
    mount.view(
        "cells",
        {
            "tensors": [_plain(t) for t in tensors],
            "links": [
                {
                    "tensor": names.index(name),
                    "output": one.output,
                    "input": one.input,
                    "weight": one.weight,
                }
                for name, one in (links or {}).items()
            ],
            "linked": links is not None,
            "sign": sign,
            "align": None
            if alignment is None
            else {
                "rows": alignment.rows,
                "result": alignment.result,
                "failed": alignment.failed,
                "names": list(aligned),
                "tensors": [names.index(n) if n in names else -1 for n in aligned],
            },
            "terms": None
            if terms is None
            else {
                "output": terms.output,
                "operands": terms.operands,
                "tensors": [names.index(n) for n in factors],
            },
            "editable": list(editable),
            "hidden": hidden,
            "note": note,
        },
        key=key,
        height=height,
        alt=_sentence(tensors, hidden),
        events={
            "edit": (lambda v: on_edit(Edit(str(v["name"]), int(v["cell"]), str(v["text"]))))
            if on_edit
            else None,
            "pan": (lambda v: on_pan(Pan(str(v["name"]), int(v["row"]), int(v["column"]))))
            if on_pan
            else None,
        },
    )


def _plain(shown: Shown) -> dict[str, Any]:
    t = shown.tensor.detach()
    made: dict[str, Any] = {
        "name": shown.name,
        "role": shown.role,
        "shape": list(t.shape),
        "dtype": str(t.dtype).removeprefix("torch.") + (", sizes" if t.is_complex() else ""),
        "changed": shown.changed,
        "dims": list(shown.dims),
    }
    if t.numel() <= MOST_CELLS:
        return made | {"values": (t.abs() if t.is_complex() else t).double().reshape(-1)}
    seen = shown.seen or properties.see(t, shown.at)
    about = seen.summary
    return made | {
        "values": [],
        "large": {
            "thumb": seen.thumb,
            "window": seen.window,
            "at": list(seen.at),
            "plane": list(t.shape[-2:] if t.dim() > 1 else (1, t.shape[0])),
            "counts": about.counts.float(),
            "low": about.low,
            "high": about.high,
            "text": f"{t.numel():,} cells, {show_bytes(about.bytes)}, mean {about.mean:.4g}, std {about.std:.4g}, "
            f"min {about.low:.4g}, max {about.high:.4g}, {about.nan:,} NaN, {about.inf:,} inf, {about.zeros:,} zeros. "
            "Click into the picture to move the window.",
        },
    }


def _sentence(tensors: Sequence[Shown], hidden: bool) -> str:
    def sizes(role: str) -> str:
        return ", ".join(
            f"{t.name} of shape {tuple(t.tensor.shape)}" for t in tensors if t.role == role
        )

    made = "a covered result" if hidden else sizes("output") or "no result"
    return f"Tensors {sizes('input')} and {made}, cell by cell."
