"""What can be shown of PyTorch's character by running it: eager steps, Python as the program, gradients of any path."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def collatz(n: int) -> list[int]:
    """A loop whose length depends on the numbers: plain Python decides after every tensor operation."""
    x = torch.tensor(n)
    seen = [int(x)]
    while x > 1:  # a tensor decides, so Python can stop here, print, or enter a debugger
        x = x // 2 if x % 2 == 0 else 3 * x + 1
        seen.append(int(x))
    return seen


def branching_gradient(start: float) -> tuple[float, float]:
    """The value and the slope of a function with an if and a loop; autograd records the path that was taken."""
    x = torch.tensor(start, requires_grad=True)
    y = x
    for _ in range(3):
        y = y * y if y < 2 else y + 1
    (slope,) = torch.autograd.grad(y, x)
    return y.item(), slope.item()


def failing_line() -> str:
    """Where an eager error appears: at the very line, with the shapes at hand."""
    weights = torch.ones(3, 4)
    batch = torch.ones(2, 3)
    try:
        hidden = batch @ weights
        return str(hidden @ weights)  # the mistake: (2, 4) @ (3, 4)
    except RuntimeError as error:
        return f"{type(error).__name__}: {error}"


def mixed_devices(other: str) -> str:
    """What PyTorch says when tensors of two devices meet; "meta" stands in where there is no accelerator."""
    try:
        return str(torch.ones(2) + torch.ones(2, device=other))
    except RuntimeError as error:
        return str(error)


def moves(devices: Sequence[str]) -> list[tuple[str, str, str, int]]:
    """What `.to` makes of a tensor on the CPU: (call, where it lives, new or the same, bytes that were written)."""
    a = torch.ones(1000)
    found = []
    for target in (*devices, torch.float64):
        moved = a.to(target)
        call = f'a.to("{target}")' if isinstance(target, str) else f"a.to({target})"
        new = 0 if moved is a or moved.is_meta else moved.numel() * moved.element_size()
        found.append(
            (call, str(moved.device), "the very tensor a" if moved is a else "a new tensor", new)
        )
    return found


# topic → (PyTorch, TensorFlow, source); each claim is one that its source makes
TABLE: tuple[tuple[str, str, str, str], ...] = (
    (
        "How it runs",
        "Eager from the start: every line computes at once. torch.compile turns functions into optimised graphs when asked.",
        "Eager by default since version 2; tf.function traces Python into a graph when asked. Version 1 built a graph first and ran it in a session.",
        "https://www.tensorflow.org/guide/intro_to_graphs",
    ),
    (
        "Dynamic graphs",
        "The graph for gradients is recorded anew in every run, so loops and branches are ordinary Python.",
        "Ordinary Python in eager mode, with gradients from GradientTape; inside tf.function AutoGraph rewrites loops and branches.",
        "https://docs.pytorch.org/docs/stable/notes/autograd.html",
    ),
    (
        "Debugging",
        "print, breakpoint() and tracebacks work at the line that failed; compiled code needs its own tools.",
        "The same in eager mode; in a traced function print runs once, at tracing (tf.print runs each time).",
        "https://www.tensorflow.org/guide/function",
    ),
    (
        "High-level interface",
        "nn.Module and a loop of your own; Lightning and others are separate projects.",
        "Keras: compile and fit. Keras 3 also runs on PyTorch and JAX.",
        "https://keras.io/keras_3/",
    ),
    (
        "Ecosystem",
        "Most published models on the Hugging Face hub come with PyTorch weights; torchvision and torchaudio beside it.",
        "TensorFlow Hub models on Kaggle, TFX for pipelines, TensorBoard (which PyTorch writes too).",
        "https://huggingface.co/docs/transformers/installation",
    ),
    (
        "Deployment",
        "torch.export, ExecuTorch for phones and small devices, ONNX, AOTInductor.",
        "SavedModel with TensorFlow Serving, LiteRT for phones and small devices, TensorFlow.js in browsers.",
        "https://docs.pytorch.org/docs/stable/export.html",
    ),
)
