"""Why the network said so: attributions by Captum, side by side, and a test of whether they are right."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import captum.attr
import torch
from torch import Tensor, nn

from models.cnn import look
from models.core import export
from models.core.seeding import seeded
from models.core.spec import SpecError


@dataclass(frozen=True)
class Attribution:
    """How much each pixel counted for one class.

    Shape: values (H, W), summed over channels; positive speaks for the class.
    Attributes:
        delta: for integrated gradients, how far the sum is from the change of the logit it explains; else None.
        note: what to keep in mind when reading it.
    """

    method: str
    values: Tensor
    delta: float | None = None
    note: str = ""


def attribute(method: str, model: nn.Module, x: Tensor, target: int, seed: int = 0) -> Attribution:
    """One method's attribution for one picture and class. Shape: x (C, H, W).

    Raises:
        SpecError: the method does not fit this network.
    """
    model = _without_inplace(model)
    with warnings.catch_warnings(), look.evaluating(model), seeded(seed):
        warnings.simplefilter("ignore")  # captum warns that it sets hooks and requires_grad
        return METHODS[method](model, x[None].clone().requires_grad_(), target)


def last_convolution(model: nn.Module) -> str:
    """The name of the last convolution, whose maps Grad-CAM weighs.

    Raises:
        SpecError: the network has none.
    """
    names = [name for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)]
    if not names:
        raise SpecError(
            "Grad-CAM weighs the maps of a convolution, and this network has none. Add a conv layer."
        )
    return names[-1]


def lit(picture: Tensor, values: Tensor) -> Tensor:
    """The picture, dimmed to a fifth where the attribution is lowest and as it is where it is highest.

    Shape: picture (C, H, W) in [0, 1]; values (H, W); returns (3, H, W).
    """
    span = (values - values.min()) / (values.max() - values.min()).clamp_min(1e-12)
    glow = (
        torch.tensor([0.25, 0.12, 0.0])[:, None, None] * span
    )  # so that black places show it, too
    return (picture.expand(3, -1, -1) * (0.2 + 0.8 * span) + glow).clamp(0, 1)


def deletion(
    model: nn.Module, x: Tensor, target: int, values: Tensor, steps: int = 20
) -> tuple[Tensor, Tensor]:
    """A check of an attribution: the class's probability while the pixels it ranks highest turn grey first.

    A good attribution makes it fall faster than a random order does.

    Shape: x (C, H, W); values (H, W); returns the share deleted and the probability, (steps + 1,) each.
    """
    shares = torch.linspace(0, 1, steps + 1)
    order = values.flatten().argsort(descending=True)
    grey = x.mean((1, 2))[:, None]
    pictures = []
    for share in shares:
        picture = x.flatten(1).clone()
        picture[:, order[: round(float(share) * len(order))]] = grey
        pictures.append(picture.reshape(x.shape))
    with look.evaluating(model), torch.no_grad():
        probability = model(torch.stack(pictures)).softmax(1)[:, target]
    return shares, probability.cpu()


def _saliency(model: nn.Module, x: Tensor, target: int) -> Attribution:
    values = captum.attr.Saliency(model).attribute(x, target=target, abs=True)
    return _made(
        "saliency", values, note="The gradient's size: which pixels the score is sensitive to."
    )


def _smoothgrad(model: nn.Module, x: Tensor, target: int) -> Attribution:
    spread = 0.15 * float(x.detach().max() - x.detach().min())
    tunnel = captum.attr.NoiseTunnel(captum.attr.Saliency(model))
    values = tunnel.attribute(x, target=target, nt_type="smoothgrad", nt_samples=16, stdevs=spread)
    return _made(
        "smoothgrad", values, note="The mean of 16 saliency maps of the picture with noise."
    )


def _integrated(model: nn.Module, x: Tensor, target: int) -> Attribution:
    method = captum.attr.IntegratedGradients(model)
    black = torch.zeros_like(x)
    values = _only(method.attribute(x, black, target=target, n_steps=64))
    delta = method.compute_convergence_delta(values, black, x, target=target)
    return _made(
        "integrated_gradients", values, float(delta.abs().max()),
        "Gradients along the way from a black picture; they sum to the change of the score, but for the delta.",
    )  # fmt: skip


def _gradcam(model: nn.Module, x: Tensor, target: int) -> Attribution:
    layer = dict(model.named_modules())[last_convolution(model)]
    cam = captum.attr.LayerGradCam(model, layer)
    # without relu_attributions captum leaves out the method's own final ReLU
    coarse = _only(cam.attribute(x, target=target, relu_attributions=True))
    values = captum.attr.LayerAttribution.interpolate(coarse, tuple(x.shape[2:]), "bilinear")
    return _made(
        "grad_cam", values, note=f"Maps of {coarse.shape[2]} × {coarse.shape[3]} cells, enlarged."
    )


def _occlusion(model: nn.Module, x: Tensor, target: int) -> Attribution:
    side = max(1, min(x.shape[2:]) // 6)
    step = max(1, side // 2)
    values = captum.attr.Occlusion(model).attribute(
        x.detach(), (x.shape[1], side, side), (x.shape[1], step, step),
        target=target, baselines=float(x.detach().mean()), perturbations_per_eval=32,
    )  # fmt: skip
    return _made(
        "occlusion",
        values,
        note=f"How the score falls when a grey patch of {side} × {side} hides the place.",
    )


def _guided(model: nn.Module, x: Tensor, target: int) -> Attribution:
    values = captum.attr.GuidedBackprop(model).attribute(x, target=target)
    relus = sum(isinstance(m, nn.ReLU) for m in model.modules())
    note = "Gradients that pass only where both signal and gradient are positive."
    if not relus:
        note = (
            "This network has no nn.ReLU module (torch.relu in forward is invisible to the method), so this is "
            "the plain gradient under another name."
        )
    return _made("guided_backprop", values, note=note)


def _made(method: str, values: Any, delta: float | None = None, note: str = "") -> Attribution:
    return Attribution(method, _only(values).detach()[0].sum(0).cpu(), delta, note)


def _only(values: Any) -> Tensor:
    """Captum answers one input with a tensor, several with a tuple."""
    return values if isinstance(values, Tensor) else values[0]


def _without_inplace(model: nn.Module) -> nn.Module:
    """A copy whose activations keep their inputs, which attribution hooks need."""
    model = copy.deepcopy(model)
    for layer in model.modules():
        if hasattr(layer, "inplace"):
            layer.inplace = False  # type: ignore[assignment]  # a bool where it exists
    return model


@dataclass(frozen=True)
class Trap:
    """Guided backprop of the same weights behind `nn.ReLU` modules and behind `torch.relu`.

    Shape: modules, functional (H, W).
    Attributes:
        apart: largest difference between both; from_gradient: of `functional` from the plain gradient.
    """

    modules: Tensor
    functional: Tensor
    apart: float
    from_gradient: float


def functional_trap(model: nn.Module, x: Tensor, target: int) -> Trap:
    """What Guided Backprop says of a network, and of the same network with its ReLUs called as functions.

    Raises:
        SpecError: the network has no ReLU module.
    """
    if not any(isinstance(m, nn.ReLU) for m in model.modules()):
        raise SpecError("This network has no nn.ReLU, so guided backprop has nothing to guide.")
    hidden = copy.deepcopy(model)
    for parent in list(hidden.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.ReLU):
                setattr(parent, name, Called())
    modules = attribute("guided_backprop", model, x, target).values
    functional = attribute("guided_backprop", hidden, x, target).values
    leaf = x[None].clone().requires_grad_()
    with look.evaluating(model):
        (gradient,) = torch.autograd.grad(model(leaf)[0, target], leaf)
    plain = gradient[0].sum(0)
    return Trap(
        modules,
        functional,
        float((modules - functional).abs().max()),
        float((functional - plain).abs().max()),
    )


class Called(nn.Module):
    """The function torch.relu where a network had the module nn.ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


METHODS: Mapping[str, Callable[[nn.Module, Tensor, int], Attribution]] = {
    "saliency": _saliency,
    "smoothgrad": _smoothgrad,
    "integrated_gradients": _integrated,
    "grad_cam": _gradcam,
    "occlusion": _occlusion,
    "guided_backprop": _guided,
}


def numbers(found: Mapping[str, Attribution]) -> dict[str, float]:
    """What the script prints."""
    return {
        f"{name}_{word}": float(value)
        for name, one in found.items()
        for word, value in (("lowest", one.values.min()), ("highest", one.values.max()))
    }


def to_code(cells: list[str], target: int, methods: Sequence[str]) -> str:
    """A script that explains one class of one picture by these methods; `cells` make `model` and `x`."""
    head, *subject = cells
    functions = {name: METHODS[name] for name in methods}
    helpers = [Attribution, _only, _made, _without_inplace]
    helpers += [last_convolution] if "grad_cam" in methods else []
    listed = "".join(f"    {name!r}: {f.__name__},\n" for name, f in functions.items())
    return export.script(
        "Which pixels counted",
        [
            "from __future__ import annotations\n\nimport copy\nfrom dataclasses import dataclass\nfrom typing import Any\n\n"
            f"import captum.attr\n{head}\nfrom torch import Tensor\n\nSpecError = ValueError",
            *subject,
            export.source(*helpers, *functions.values()),
            f"methods = {{\n{listed}}}\nmodel = _without_inplace(model.eval())\nfor name, method in methods.items():\n"
            "    torch.manual_seed(0)  # for those that draw\n"
            f"    values = method(model, x[None].clone().requires_grad_(), {target}).values  # (H, W)\n"
            '    print(f"{name}_lowest = {values.min().item()}")\n'
            '    print(f"{name}_highest = {values.max().item()}")',
        ],
    )
