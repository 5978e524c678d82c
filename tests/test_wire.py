"""What a browser gets is what the tensor held: every bit of a float, no NaN in the text."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch

from models.core import wire


def received(value: object) -> Any:
    """What a browser's JSON.parse makes of it; a NaN in the text is an error there, so it is one here."""

    def refuse(word: str) -> None:
        raise ValueError(f"no browser reads {word}")

    return json.loads(wire.dumps(value), parse_constant=refuse)


def array(sent: dict[str, Any]) -> np.ndarray:
    """The array as `new Float32Array(bytes)` and its kin read it."""
    raw = base64.b64decode(sent["data"])
    return np.frombuffer(raw, np.dtype(sent["dtype"]).newbyteorder("<")).reshape(sent["shape"])


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -3, 2.5, "text", "ü 🔥 </script>", [], {}, [1, [2]], {"a": {"b": None}}],
)
def test_plain_values_arrive_as_they_are(value: object) -> None:
    assert received(value) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_bare_number_that_is_none_arrives_as_null(value: float) -> None:
    assert received({"loss": value}) == {"loss": None}


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.uint8, torch.int8, torch.int16, torch.int32]
)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (2, 0, 3)])
def test_a_tensor_arrives_with_its_dtype_shape_and_values(
    dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    sent = torch.arange(math.prod(shape)).reshape(shape).to(dtype)
    got = array(received(sent))
    assert got.dtype.name == str(dtype).removeprefix("torch.")
    np.testing.assert_array_equal(got, sent.numpy())


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (torch.tensor([True, False]), "uint8"),
        (torch.tensor([1, -1]), "int32"),
        (torch.tensor([2**31 - 1, -(2**31)]), "int32"),
        (torch.tensor([2**31, 0]), "float64"),
        (torch.tensor([-(2**31) - 1]), "float64"),
        (torch.tensor([2**53, -(2**53)]), "float64"),
        (torch.tensor([0.1], dtype=torch.float16), "float32"),
        (torch.tensor([0.1], dtype=torch.bfloat16), "float32"),
        (np.array([65535], dtype=np.uint16), "int32"),
        (np.array([2**32 - 1], dtype=np.uint32), "float64"),
        (np.array([], dtype=np.int64), "int32"),
    ],
)
def test_a_dtype_that_no_browser_has_arrives_in_one_that_holds_its_values(
    sent: Any, name: str
) -> None:
    got = received(sent)
    assert got["dtype"] == name
    expected = sent.double().numpy() if isinstance(sent, torch.Tensor) else sent
    np.testing.assert_array_equal(array(got).astype(np.float64), expected)


@pytest.mark.parametrize(
    "sent", [torch.tensor([2**53 + 1]), torch.tensor([1j]), np.array(["text"]), {1, 2}, object()]
)
def test_what_cannot_arrive_whole_is_refused(sent: object) -> None:
    with pytest.raises(TypeError, match="a snapshot cannot carry"):
        wire.dumps(sent)


def test_every_bit_of_a_float_survives() -> None:
    sent = torch.tensor([math.nan, math.inf, -math.inf, -0.0, 1e-45, 0.1])
    assert array(received(sent)).tobytes() == sent.numpy().tobytes()


def test_memory_order_gradients_and_byte_order_do_not_matter() -> None:
    sent = torch.arange(6.0, requires_grad=True).reshape(2, 3).T
    np.testing.assert_array_equal(array(received(sent)), [[0, 3], [1, 4], [2, 5]])
    big = np.array([1.0, 2.0], dtype=">f4")
    np.testing.assert_array_equal(array(received(big)), [1, 2])


def test_dataclasses_tuples_and_read_only_mappings_arrive_as_objects_and_lists() -> None:
    @dataclass(frozen=True)
    class Point:
        x: float
        rest: Any

    sent = Point(1.0, MappingProxyType({3: (np.int64(4), np.bool_(True))}))
    assert received(sent) == {"x": 1.0, "rest": {"3": [4, True]}}
