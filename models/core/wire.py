"""Snapshots as JSON that a browser reads: arrays as base64 of their bytes, never a NaN in the text."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from models.core import device

# dtypes with a typed array of the same bytes in every browser
_WIRE = {
    "float32": "<f4",
    "float64": "<f8",
    "uint8": "|u1",
    "int8": "|i1",
    "int16": "<i2",
    "int32": "<i4",
}


def dumps(value: Any) -> bytes:
    """JSON text of numbers, texts, lists, dicts, dataclasses, arrays and tensors.

    An array becomes {"dtype", "shape", "data"} with its little-endian bytes in base64, so that
    NaN and infinity survive; a bare float that is not finite becomes null.
    """
    try:
        return _encode(value).encode()
    except (ValueError, TypeError):  # a number that is not finite, or a key that is not text: rare
        return _encode(_plain(value)).encode()


def _plain(value: Any) -> Any:
    """The same nest without what JSON does not know, and with null for numbers that are not finite."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return _plain(_simpler(value))


def _simpler(value: Any) -> Any:
    """What stands in JSON for a value that it does not know."""
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        return value.item()
    if isinstance(value, torch.Tensor):
        value = device.to_numpy(value)
    if isinstance(value, np.ndarray):
        return _array(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a snapshot cannot carry a {type(value).__name__}")


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_simpler).encode


def _array(value: np.ndarray) -> dict[str, Any]:
    name = _wire_name(value)
    raw = np.ascontiguousarray(value, dtype=_WIRE[name]).tobytes()
    return {"dtype": name, "shape": list(value.shape), "data": base64.b64encode(raw).decode()}


def loads(text: bytes) -> Any:
    """The value of JSON text that `dumps` wrote; arrays come back as NumPy arrays."""
    return json.loads(text, object_hook=_unpack)


def _unpack(value: dict[str, Any]) -> Any:
    if value.keys() != {"dtype", "shape", "data"} or value["dtype"] not in _WIRE:
        return value
    raw = base64.b64decode(value["data"])
    return np.frombuffer(raw, _WIRE[value["dtype"]]).reshape(value["shape"])


def _wire_name(value: np.ndarray) -> str:
    """The dtype of a browser that holds every value of this array."""
    name = value.dtype.name
    if value.dtype.kind in "iu" and name not in _WIRE:
        low, high = (int(value.min()), int(value.max())) if value.size else (0, 0)
        if low >= -(2**31) and high < 2**31:
            return "int32"
        if max(-low, high) <= 2**53:  # what a double holds exactly
            return "float64"
        raise TypeError(f"a snapshot cannot carry the whole numbers {low} to {high} exactly")
    name = {"bool": "uint8", "float16": "float32"}.get(name, name)
    if name not in _WIRE:
        raise TypeError(f"a snapshot cannot carry an array of {name}")
    return name
