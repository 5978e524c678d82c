"""Backward as Python: the operations that forward and backward run, written out by torch.fx."""

from __future__ import annotations

import re
import threading
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from models import torch_errors
from models.autograd import Spec, language
from models.core import seeding
from models.core.spec import SpecError

_LOCK = threading.Lock()  # make_fx keeps its current tracer in a global


def backward_code(spec: Spec) -> str:
    """A Python function of the leaves that computes the loss and every gradient, traced from the real run.

    Raises:
        SpecError: the program asks for a value while it is traced (an `if` or `while` on a tensor), or has no gradient.
    """
    from torch.fx.experimental.proxy_tensor import make_fx  # 1 s to import

    leaves_program = language.parse(spec.leaves_text, "leaves")
    program = language.parse(spec.program_text)
    if spec.chosen.preamble:
        raise SpecError(
            "A whole network is too long to be written out here. Choose a smaller program.",
            "preset",
        )
    random = leaves_program.random or program.random
    with _LOCK, seeding.seeded(spec.seed) if random else nullcontext():
        leaves = language.Interpreter().run(leaves_program, "leaves")
        tracked = [n for n, t in leaves.items() if isinstance(t, Tensor) and t.requires_grad]

        def forward_and_backward(*values: Tensor) -> Any:
            given = dict(zip(leaves, values, strict=True))
            interpreter = language.Interpreter(given)
            names = interpreter.run(program)
            result = names.get("loss", names.get(interpreter.last))
            if not isinstance(result, Tensor) or not result.requires_grad or result.numel() != 1:
                raise SpecError(
                    "Only a scalar result that depends on a leaf with requires_grad can be written out."
                )
            wanted = [given[n] for n in tracked]
            return result, *torch.autograd.grad(result, wanted, allow_unused=True)

        try:
            traced = make_fx(forward_and_backward)(*leaves.values())
        except language.ProgramError as error:
            if "tracing" in error.detail or "data-dependent" in error.detail:
                raise SpecError(_VALUE.format(line=error.line), "program", error.detail) from None
            raise
        except RuntimeError as error:
            raise SpecError(torch_errors.explain(error), "program", str(error)) from None
    constants = {n: t for n, t in vars(traced).get("_buffers", {}).items() if isinstance(t, Tensor)}
    constants |= {n: t for n, t in vars(traced).items() if isinstance(t, Tensor)}
    return _readable(traced.code, list(leaves), tracked, constants)


_VALUE = (
    "Line {line} asks for a tensor's value while the program is traced: what happens next depends on it, "
    "so no single list of operations stands for this program."
)


def _readable(
    code: str, leaves: list[str], tracked: list[str], constants: dict[str, Tensor]
) -> str:
    """The traced code as a function that runs on its own: leaves by their names, constants written out."""
    code = re.sub(
        r";\s+\w+(?: = \w+)* = None", "", code
    )  # fx frees names early; that is noise here
    code = code.replace(", pin_memory = False, memory_format = torch.preserve_format", "")
    for i, name in enumerate(leaves):
        code = re.sub(
            rf"(?<![.\w]){re.escape(name)}(?!\w)", f"{name}_value", code
        )  # a traced name like a leaf's
        code = re.sub(rf"\barg{i}_1\b", name, code)
    for name, value in constants.items():
        code = code.replace(f"self.{name}", f"torch.tensor({value.tolist()}, dtype={value.dtype})")
    lines = [line for line in code.strip().splitlines() if line.strip()]
    lines[0] = f"def forward_and_backward({', '.join(leaves)}):"
    returned = ", ".join(["loss", *(f"d_{n}" for n in tracked)])
    return "\n".join([*lines[:-1], f"{lines[-1]}  # {returned}"])
