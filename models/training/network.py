"""The network from a readable layer list: "8 tanh, 16 relu dropout=0.2 batch_norm" becomes an `nn.Sequential`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from models.core.calls import Call
from models.core.spec import SpecError

MAX_LAYERS = 8
MAX_UNITS = 512


@dataclass(frozen=True)
class Layer:
    """One hidden layer: `units` neurons, then batch norm (if asked), the activation, dropout (if p > 0)."""

    units: int
    activation: str
    dropout: float = 0.0
    batch_norm: bool = False

    def text(self) -> str:
        """The layer as a learner writes it."""
        words = [str(self.units), self.activation.lower()]
        words += [f"dropout={self.dropout:g}"] if self.dropout else []
        words += ["batch_norm"] if self.batch_norm else []
        return " ".join(words)


def parse(text: str, activation: str = "ReLU") -> tuple[Layer, ...]:
    """The hidden layers that a text describes; an empty text is no hidden layer (a linear model).

    Layers are separated by commas or lines. Each is a number of units, then, in any order, an
    activation (`activation` where none is named), `dropout=p` and `batch_norm`.

    Raises:
        SpecError: a layer cannot be read, or is outside 1 to 512 units, or there are more than 8.
    """
    parts = [part.strip() for part in re.split(r"[,;]\s*|\n\s*", text.strip())]
    if len(parts) > 1 and not parts[-1]:
        parts.pop()  # a comma at the end
    if parts == [""]:
        return ()
    if len(parts) > MAX_LAYERS:
        raise SpecError(
            f"There are {len(parts)} hidden layers; the most is {MAX_LAYERS}. Remove some.",
            "layers",
        )
    return tuple(_layer(i + 1, part, activation) for i, part in enumerate(parts))


def _layer(number: int, text: str, activation: str) -> Layer:
    where = f"Layer {number} ({text[:40]!r})"
    if not text:
        raise SpecError(
            f"Layer {number} is empty. Write its number of units, or remove a comma.", "layers"
        )
    head, *words = text.lower().split()
    if not re.fullmatch(r"\d{1,9}", head):
        raise SpecError(f'{where} must begin with a number of units, such as "8 tanh".', "layers")
    units = int(head)
    if not 1 <= units <= MAX_UNITS:
        raise SpecError(
            f"{where} has {units} units; a layer takes 1 to {MAX_UNITS}. Change the number.",
            "layers",
        )
    dropout, batch_norm, named = 0.0, False, ""
    for word in words:
        name = word.replace("_", "").replace("-", "")
        if name in _SPELLED:
            if named:
                raise SpecError(
                    f"{where} names two activations, {named} and {_SPELLED[name]}. Keep one.",
                    "layers",
                )
            named = _SPELLED[name]
        elif name == "batchnorm":
            batch_norm = True
        elif word.startswith("dropout="):
            dropout = _dropout(where, word.removeprefix("dropout="))
        else:
            known = ", ".join(a.lower() for a in ACTIVATIONS)
            raise SpecError(
                f"{where} holds {word!r}, which is none of: {known}, dropout=0.2, batch_norm.",
                "layers",
            )
    return Layer(units, named or activation, dropout, batch_norm)


def _dropout(where: str, text: str) -> float:
    try:
        p = float(text)
    except ValueError:
        p = -1.0
    if not 0 <= p < 1:
        raise SpecError(
            f"{where} has dropout={text[:20]}; it is the share of units to silence, from 0 to below 1.",
            "layers",
        )
    return p


def modules(
    layers: tuple[Layer, ...], features: int, outputs: int, log_softmax: bool = False
) -> tuple[Call, ...]:
    """The constructor calls of the whole network, input to output, in order."""
    calls: list[Call] = []
    width = features
    for layer in layers:
        calls.append(Call("nn.Linear", width, layer.units))
        if layer.batch_norm:
            calls.append(Call("nn.BatchNorm1d", layer.units))
        calls.append(ACTIVATIONS[layer.activation])
        if layer.dropout:
            calls.append(Call("nn.Dropout", layer.dropout))
        width = layer.units
    calls.append(Call("nn.Linear", width, outputs))
    if log_softmax:
        calls.append(Call("nn.LogSoftmax", dim=1))
    return tuple(calls)


def build(calls: tuple[Call, ...], init: str) -> nn.Sequential:
    """The network on the CPU, its weights drawn from the default generator: seed that before."""
    model = nn.Sequential(*(call.build() for call in calls))
    weight = INITS[init]
    if weight is not None:
        for layer in linears(model):
            weight.build(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def code(calls: tuple[Call, ...], init: str) -> str:
    """What `build` does, as source text."""
    lines = "\n".join(f"    {call.code()}," for call in calls)
    text = f"model = nn.Sequential(\n{lines}\n)"
    weight = INITS[init]
    if weight is not None:
        text += (
            "\nfor layer in model:\n    if isinstance(layer, nn.Linear):\n"
            f"        {weight.code('layer.weight')}\n        nn.init.zeros_(layer.bias)"
        )
    return text


def linears(model: nn.Sequential) -> list[nn.Linear]:
    """The layers with weights, first to output."""
    return [layer for layer in model if isinstance(layer, nn.Linear)]


def weighted(model: nn.Module) -> list[Any]:
    """The layers with weight matrices anywhere in a network, first to output."""
    return [layer for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]


def activations(model: nn.Sequential, x: torch.Tensor) -> list[torch.Tensor]:
    """What each layer hands to the next: one (N, units) tensor per hidden layer, then the output.

    The model's mode is the caller's business; a hidden layer's value is the one after its
    batch norm, activation and dropout.
    """
    found: list[torch.Tensor] = []
    for i, module in enumerate(model):
        if isinstance(module, nn.Linear) and i:
            found.append(x)
        x = module(x)
    return [*found, x]


ACTIVATIONS: Mapping[str, Call] = {
    "ReLU": Call("nn.ReLU"),
    "LeakyReLU": Call("nn.LeakyReLU"),
    "GELU": Call("nn.GELU"),
    "Tanh": Call("nn.Tanh"),
    "Sigmoid": Call("nn.Sigmoid"),
    "SiLU": Call("nn.SiLU"),
    "Identity": Call("nn.Identity"),
}
_SPELLED = {name.lower(): name for name in ACTIVATIONS} | {"linear": "Identity", "swish": "SiLU"}

# None keeps what nn.Linear draws itself: uniform in ±1/sqrt(in_features), biases too
INITS: Mapping[str, Call | None] = {
    "default": None,
    "xavier_uniform": Call("nn.init.xavier_uniform_"),
    "xavier_normal": Call("nn.init.xavier_normal_"),
    "kaiming_uniform": Call("nn.init.kaiming_uniform_", nonlinearity="relu"),
    "kaiming_normal": Call("nn.init.kaiming_normal_", nonlinearity="relu"),
    "orthogonal": Call("nn.init.orthogonal_"),
    "small": Call("nn.init.normal_", std=0.01),
    "zeros": Call("nn.init.zeros_"),
}
