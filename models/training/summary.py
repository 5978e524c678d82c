"""The network of a spec, layer by layer: shapes and parameters (torchinfo), and the code that builds it."""

from __future__ import annotations

from dataclasses import dataclass

from models.core.seeding import seeded
from models.training import network
from models.training.spec import Spec


@dataclass(frozen=True)
class Layer:
    """One module: its constructor call, the shape of what it hands on (batch first), its number of parameters."""

    code: str
    shape: tuple[int, ...]
    parameters: int


def layers(spec: Spec, features: int, outputs: int) -> list[Layer]:
    """Every module of the network, input to output."""
    import torchinfo  # slow to import, only this table needs it

    calls = _calls(spec, features, outputs)
    with seeded(spec.seed):
        model = network.build(calls, spec.init)
    # at least two rows: batch norm refuses one
    size = (max(2, spec.batch_size), features)
    found = torchinfo.summary(model.eval(), input_size=size, verbose=0, device="cpu")
    return [
        Layer(call.code(), (spec.batch_size, *about.output_size[1:]), about.num_params)
        for call, about in zip(calls, found.summary_list[1:], strict=True)
    ]


def code(spec: Spec, features: int, outputs: int) -> str:
    """The source text that builds this network."""
    return network.code(_calls(spec, features, outputs), spec.init)


def _calls(spec: Spec, features: int, outputs: int) -> tuple[network.Call, ...]:
    return network.modules(
        network.parse(spec.layers, spec.activation), features, outputs, spec.loss == "nll"
    )
