"""Code whose lines light up one by one as a call runs through it, each with the values it left behind."""

from __future__ import annotations

from collections.abc import Sequence

from components.views import mount
from models.datasets.flow import Flow


def lines(
    code: str, flows: Sequence[Flow], *, key: str, first: int = 0, height: int = 520, alt: str
) -> None:
    """Draw the code beside the values; play, step, back and the arrow keys walk through the chosen call.

    Args:
        code: the source that `Step.line` counts in. flows: the calls to choose from. first: the one shown first.
    """
    calls = [
        {
            "call": flow.call,
            "left": flow.left_out,
            "steps": [
                {
                    "line": step.line,
                    "inside": step.inside,
                    "said": step.said,
                    "values": [[v.name, v.text, v.changed] for v in step.values],
                }
                for step in flow.steps
            ],
        }
        for flow in flows
    ]
    mount.view(
        "lines", {"code": code, "calls": calls, "first": first}, key=key, height=height, alt=alt
    )
