"""The network that a spec names: built, and written as source text."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.cnn import architecture
from models.cnn.spec import Spec
from models.core import export
from models.core.calls import Call
from models.core.spec import SpecError
from models.training.network import INITS


def build(spec: Spec) -> nn.Module:
    """The network on the CPU, its weights drawn from the default generator: seed that before.

    Raises:
        SpecError: a layer does not fit what comes before it; the message is that layer's.
    """
    model = bare(spec)
    found = architecture.describe(model, (spec.channels, *spec.size))
    if found[-1].error:
        raise SpecError(f"Layer {len(found)} ({found[-1].code}): {found[-1].error}", "layers")
    if found[-1].out != (spec.outputs,):
        raise SpecError(
            f"The network ends with {' × '.join(map(str, found[-1].out))} numbers for a picture, but there "
            f"are {spec.outputs} classes. End it with flatten and linear.",
            "layers",
        )
    weight = INITS[spec.init]
    if weight is not None:
        initialise(model, weight.build)
    return model


def needs_two(model: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether a training step on one picture of this (C, H, W) fails: a batch norm that finds one value per channel.

    Asked of PyTorch itself, on the meta device; the model stays there. BatchNorm2d averages over the pixels of a
    single picture, too, so only maps of 1 × 1 and BatchNorm1d need a second one.
    """
    if not any(isinstance(layer, _BatchNorm) for layer in model.modules()):
        return False
    try:
        model.to("meta").train()(torch.empty(1, *shape, device="meta"))
    except ValueError:  # Expected more than 1 value per channel when training
        return True
    return False


def bare(spec: Spec) -> nn.Module:
    """The network as its constructors make it, whether its layers fit together or not."""
    found = calls(spec)
    if found:
        return of_calls(found)
    return known(spec.network, spec.channels, spec.outputs, spec.image_size)


def of_calls(found: tuple[Call, ...]) -> nn.Sequential:
    """A network of these layers, one after the other."""
    return nn.Sequential(*[call.build() for call in found])


def known(name: str, channels: int, classes: int, size: int) -> nn.Module:
    """A known network by its name, its weights drawn from the default generator."""
    if name in architecture.KNOWN:
        return of_calls(listed(name, "", channels, size, classes))
    if name in architecture.TORCHVISION:
        return from_torchvision(name, channels, classes)
    return architecture.small_resnet(channels, classes)


def calls(spec: Spec) -> tuple[Call, ...]:
    """The constructor calls of a layer list; () for a network that is none."""
    return listed(spec.network, spec.layers, spec.channels, spec.image_size, spec.outputs)


def listed(name: str, layers: str, channels: int, size: int, outputs: int) -> tuple[Call, ...]:
    """The constructor calls of "own list" or of a known layer list; () for any other network."""
    text = layers if name == "own list" else architecture.KNOWN.get(name, "")
    return architecture.parse(text, channels, (size, size), outputs) if text else ()


def from_torchvision(name, channels, classes):
    """A torchvision network without trained weights, its first layer made for these channels."""
    from torchvision import models

    model = getattr(models, name)(weights=None, num_classes=classes)
    for parent in list(model.modules()):
        for key, layer in parent.named_children():
            if isinstance(layer, nn.Conv2d):
                if layer.in_channels != channels:
                    options = {k: getattr(layer, k) for k in ("kernel_size", "stride", "padding")}
                    bias = layer.bias is not None
                    first = nn.Conv2d(channels, layer.out_channels, bias=bias, **options)
                    setattr(parent, key, first)
                return model
    return model


def initialise(model, draw):
    """Every weight matrix drawn anew by `draw`, every bias 0."""
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            draw(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def code(spec: Spec) -> str:
    """What `build` does, as source text under `import torch` and `from torch import nn`."""
    if spec.list:
        text = _listed(calls(spec))
    else:
        text = known_code(spec.network, str(spec.channels), str(spec.outputs), spec.image_size)
    weight = INITS[spec.init]
    if weight is not None:
        draw = weight.code("weight")
        text += f"\n\n\n{inspect.getsource(initialise)}\n\ninitialise(model, lambda weight: {draw})"
    return text


def known_code(name: str, channels: str, classes: str, size: int) -> str:
    """What `known` does, as source text; channels and classes are expressions."""
    if name in architecture.KNOWN:
        inputs = int(channels) if channels.isdigit() else 3
        outputs = int(classes) if classes.isdigit() else 10
        return _listed(architecture.parse(architecture.KNOWN[name], inputs, (size, size), outputs))
    if name in architecture.TORCHVISION:
        call = f"model = from_torchvision({name!r}, {channels}, {classes})"
        return f"{inspect.getsource(from_torchvision)}\n\n{call}"
    made: Any = (architecture.Residual, architecture.small_resnet)
    return f"{export.source(*made)}\n\n\nmodel = small_resnet({channels}, {classes})"


def _listed(found: tuple[Call, ...]) -> str:
    lines = "\n".join(f"    {call.code()}," for call in found)
    return f"model = nn.Sequential(\n{lines}\n)"
