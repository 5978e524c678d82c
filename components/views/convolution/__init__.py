"""A kernel that slides over cells: point at an output, an input or a weight and see what belongs together."""

from __future__ import annotations

from components.views import mount
from models import convolution as topic


def convolution(
    spec: topic.Spec, result: topic.Result, *, key: str, height: int = 460, alt: str = ""
) -> None:
    """Draw the input with its padding, the kernel and the output; everything that moves happens in the browser.

    Pointing at an output cell shows the cells it reads and the written-out sum, at an input cell every output
    it reaches, at a weight everything it multiplies. A click pins; arrow keys move; play walks through the output.
    """
    down, across = result.axes
    conv = spec.op == "conv"
    mount.view(
        "convolution",
        {
            "op": spec.op,
            "groups": spec.groups,
            "x": result.x,
            "weight": result.weight,
            "bias": result.bias,
            "y": result.y,
            "windows": [topic.windows(spec, axis) for axis in result.axes],
            "sources": [topic.sources(spec, axis) for axis in result.axes],
            "dropped": [topic.dropped(spec, axis) for axis in result.axes],
            "before": [down.before, across.before] if conv or "pool" in spec.op else [0, 0],
            "padValue": "−∞" if result.pad_value else "0",
            "countPad": spec.count_include_pad,
            "oneRow": spec.dims == 1,
        },
        key=key,
        height=height,
        alt=alt or _sentence(result),
    )


def _sentence(result: topic.Result) -> str:
    def size(x) -> str:
        return " × ".join(map(str, x.shape))

    kernel = f", weights {size(result.weight)}" if result.weight is not None else ""
    return f"Input {size(result.x)}{kernel}, output {size(result.y)}, cell by cell."
