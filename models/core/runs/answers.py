"""What an evaluator hands back: values, tensors and the settings' own classes, and nothing that runs when it is read.

An evaluator computes what a learner wrote, so its words are not trusted as a program: pickle carries the structure,
but the only names it may ask for are the dataclasses of `models` and a handful of plain types, and tensors and arrays
travel beside it as bytes.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import pickle
from typing import Any

import numpy as np
import torch

from models.core.spec import SpecError

WHOLE = (
    2**18
)  # bytes of a tensor that travels with its numbers; a larger one arrives on the meta device
MOST = 2**26  # bytes of one answer


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A `SpecError` on its way: which class, its message, and its attributes."""

    module: str
    name: str
    message: str
    attributes: dict[str, Any]


def refusal(error: SpecError) -> Refusal:
    """The error as a value."""
    kind = type(error)
    return Refusal(kind.__module__, kind.__qualname__, str(error), dict(vars(error)))


def error_of(refused: Refusal) -> SpecError:
    """The error again, of its own class."""
    kind: Any = None
    if refused.module.startswith("models."):
        kind = getattr(importlib.import_module(refused.module), refused.name, None)
    if not (isinstance(kind, type) and issubclass(kind, SpecError)):
        raise pickle.UnpicklingError(f"{refused.module}.{refused.name} is no refusal")
    error = kind.__new__(kind)
    error.args = (refused.message,)
    vars(error).update(refused.attributes)
    return error


def pack(value: Any) -> bytes:
    """A value as bytes: what dataclasses of `models`, containers, texts, numbers, tensors and arrays make.

    Tensors lose their strides, their graph and what they share; whoever shows those says them in words. One
    that is larger than `WHOLE` keeps its shape and kind and loses its numbers, so that no answer fills the server.
    """
    out = io.BytesIO()
    packer = _Packer(out, protocol=pickle.HIGHEST_PROTOCOL)
    packer.dump(value)
    made = out.getvalue()
    if len(made) > MOST:
        raise SpecError(
            f"The answer takes {len(made) // 2**20} MB, more than the {MOST // 2**20} MB that a page may show. "
            "Use smaller sizes."
        )
    return made


def unpack(data: bytes) -> Any:
    """The value again.

    Raises:
        pickle.UnpicklingError: it asks for something that no answer holds.
    """
    return _Unpacker(io.BytesIO(data)).load()


class _Packer(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, torch.Tensor):
            return _tensor(obj)
        if isinstance(obj, np.ndarray):
            if obj.dtype.kind not in "biufc":
                raise pickle.PicklingError(f"an array of {obj.dtype} is no answer")
            return ("array", id(obj), obj.dtype.str, obj.shape, obj.tobytes())
        if isinstance(obj, np.generic):
            return ("number", obj.item())
        return None


def _tensor(t: torch.Tensor) -> tuple[Any, ...]:
    shape, flag = tuple(t.shape), t.requires_grad
    kind = str(t.dtype).removeprefix("torch.")
    if t.device.type == "meta" or t.numel() * t.element_size() > WHOLE:
        return ("tensor", id(t), kind, shape, flag, None)
    plain = t.detach().cpu()
    if plain.layout != torch.strided:
        plain = plain.to_dense()
    plain = plain.resolve_conj().resolve_neg().contiguous().reshape(-1)
    numbers = plain.view(torch.uint8).numpy().tobytes() if plain.numel() else b""
    return ("tensor", id(t), kind, shape, flag, numbers)


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self._made: dict[int, Any] = {}  # what arrived twice is one thing again

    def persistent_load(self, pid: Any) -> Any:
        kind, *parts = pid
        if kind == "number":
            return parts[0]
        number = parts[0]
        if number not in self._made:
            self._made[number] = (_array if kind == "array" else _rebuilt)(*parts[1:])
        return self._made[number]

    def find_class(self, module_name: str, global_name: str) -> Any:
        if module_name == "torch":
            found = getattr(torch, global_name, None)
            if isinstance(found, torch.dtype) or found in (torch.Size, torch.device):
                return found
        if (module_name, global_name) in _PLAIN:
            return getattr(importlib.import_module(module_name), global_name)
        if module_name.startswith("models."):
            found = getattr(importlib.import_module(module_name), global_name, None)
            if isinstance(found, type) and dataclasses.is_dataclass(found):
                return found
        raise pickle.UnpicklingError(f"{module_name}.{global_name} has no place in an answer")


_PLAIN = {
    ("builtins", "complex"),
    ("builtins", "slice"),
    ("builtins", "range"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("collections", "OrderedDict"),
}


def _array(kind: str, shape: tuple[int, ...], numbers: bytes) -> np.ndarray:
    return np.frombuffer(numbers, np.dtype(kind)).reshape(shape).copy()


def _rebuilt(kind: str, shape: tuple[int, ...], flag: bool, numbers: bytes | None) -> torch.Tensor:
    dtype = getattr(torch, kind)
    if numbers is None:
        return torch.empty(shape, dtype=dtype, device="meta", requires_grad=flag)
    made = torch.empty(shape, dtype=dtype)
    if numbers:
        made = torch.frombuffer(bytearray(numbers), dtype=dtype).reshape(shape)
    return made.requires_grad_(flag)
