"""Histograms of each layer's weights and gradients, moving with the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.views import mount


def histograms(
    run: str | None = None,
    *,
    key: str,
    frame: Mapping[str, Any] | None = None,
    height: int = 360,
    alt: str = "How the weights of each layer, and their gradients, are spread.",
    empty: str = "Waiting for the first picture.",
) -> None:
    """Draw the histograms of a live `run`, or of one `frame`.

    `frame["histograms"]`: {kind: [{"name", "lo", "hi", "counts": (bins,)}, …]}; one row (or more) of small
    charts for each kind, such as "weights" and "gradients".
    """
    mount.view(
        "histograms",
        {"run": run, "frame": frame, "empty": empty},
        key=key,
        height=height,
        alt=alt,
    )
