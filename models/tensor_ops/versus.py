"""What is run beside the comparison with TensorFlow: a loop and a branch whose way a tensor decides."""

from __future__ import annotations

from dataclasses import dataclass

from models.core import export
from models.core.spec import Spec as BaseSpec
from models.core.spec import knob
from models.tensor_ops import compare


@dataclass(frozen=True)
class Spec(BaseSpec):
    """What the two programs begin with."""

    start: int = knob(
        7, "The number that the loop begins with.", label="First number", minimum=2, maximum=40
    )
    x: float = knob(
        1.2,
        "Where the value and the slope are taken.",
        label="Point `x`",
        minimum=0.5,
        maximum=3.0,
        step=0.1,
    )


@dataclass(frozen=True)
class Result:
    """`seen`: the numbers of the loop, the first one included; `y`, `slope`: of the branching function at `x`."""

    seen: tuple[int, ...]
    y: float
    slope: float


def run(spec: Spec, *, device: str = "cpu") -> Result:
    """Both programs."""
    return Result(tuple(compare.collatz(spec.start)), *compare.branching_gradient(spec.x))


def numbers(result: Result) -> dict[str, float]:
    """What the exported script prints."""
    return {
        "steps": len(result.seen) - 1,
        "highest": max(result.seen),
        "y": result.y,
        "slope": result.slope,
    }


def to_code(spec: Spec) -> str:
    """The functions that ran, and the error that appears at its line."""
    return export.script(
        "Eager PyTorch: Python decides",
        [
            "import torch",
            f"{export.source(compare.collatz)}\n\n\nseen = collatz({spec.start})\nprint(*seen)",
            f"{export.source(compare.branching_gradient)}\n\n\ny, slope = branching_gradient({spec.x})",
            f"{export.source(compare.failing_line)}\n\n\nprint(failing_line())",
            'print(f"steps = {len(seen) - 1}")\nprint(f"highest = {max(seen)}")\n'
            'print(f"y = {y}")\nprint(f"slope = {slope}")',
        ],
    )
