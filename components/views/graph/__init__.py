"""The graph of a recorded program: zoom, search, fold, and step through the real backward pass in the browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.views import mount


def graph(
    picture: Mapping[str, Any], *, key: str, height: int = 570, problem_line: int = 0
) -> None:
    """Draw what `models.autograd.picture.picture` made; everything after that happens in the browser.

    Args:
        problem_line: a line of the program to underline, 0 for none.
    """
    nodes, steps = len(picture["nodes"]), len(picture["steps"])
    mount.view(
        "graph",
        {**picture, "problem": {"line": problem_line}},
        key=key,
        height=height,
        alt=f"The graph of the program: {nodes} boxes from leaves on the left to the result on the right, "
        f"and {steps} backward steps from right to left.",
    )
