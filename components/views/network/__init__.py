"""The network drawn: a node per unit with its own map, a line per weight; click a line to change the number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from components.views import mount


@dataclass(frozen=True)
class Weight:
    """A weight that the learner wrote over.

    Attributes:
        layer: number of the linear layer, 0 for the first. out: the unit it leads to.
        input: the unit it comes from; None for the bias of `out`.
    """

    layer: int
    out: int
    input: int | None
    value: float


def network(
    run: str | None = None,
    *,
    key: str,
    scene: Mapping[str, Any] | None = None,
    frame: Mapping[str, Any] | None = None,
    editable: bool = False,
    on_weight: Callable[[Weight], None] | None = None,
    height: int = 420,
    alt: str = "The network: a node for each unit, a line for each weight, thicker for larger, dashed for negative.",
    empty: str = "Waiting for the first picture.",
) -> Weight | None:
    """Draw the network of a live `run`, or of one `scene` and `frame` (as in the training frames).

    `scene`: "layers", "features", "classes". `frame`: "weights" [(out, in) per linear layer], "biases", and
    where the data has two columns "neurons" [uint8 (units, m, m) per layer] with "neuron_ranges" [(units, 2)].
    Up to 8 linear layers of 16 units; larger ones are said to be too large.

    Returns:
        The weight changed in this rerun, if `editable` and one was; `on_weight` gets it before the rerun.
    """

    def read(value: Mapping[str, Any]) -> Weight:
        return Weight(value["layer"], value["out"], value["in"], value["value"])

    told = mount.view(
        "network",
        {"run": run, "scene": scene, "frame": frame, "editable": editable, "empty": empty},
        key=key,
        height=height,
        alt=alt,
        events={"weight": (lambda v: on_weight(read(v))) if on_weight else None},
    )
    return read(told["weight"]) if told["weight"] else None
