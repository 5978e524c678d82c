"""Where tensors can live, and how they come home."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.core import device


def test_the_cpu_comes_first_and_names_what_it_is() -> None:
    first = device.available()[0]
    assert first.name == "cpu"
    assert first.title
    assert first.memory >= 0


def test_every_device_that_is_offered_can_compute() -> None:
    for found in device.available():
        ones = torch.ones(3, device=found.name)
        device.synchronize(found.name)
        assert device.to_numpy(ones).sum() == 3


def test_the_best_device_is_the_first_accelerator_or_the_cpu() -> None:
    names = [found.name for found in device.available()]
    assert device.best() == (names[1] if len(names) > 1 else "cpu")


def test_hidden_accelerators_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("PLAYGROUND_CPU", "1")
    assert [found.name for found in device.available()] == ["cpu"]
    assert device.best() == "cpu"


def test_every_accelerator_of_a_machine_is_offered_by_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Card:
        name = "Card"
        total_memory = 8

    monkeypatch.delenv("PLAYGROUND_CPU", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: Card)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert [found.name for found in device.available()][:3] == ["cpu", "cuda:0", "cuda:1"]
    assert device.best() == "cuda:0"


@pytest.mark.parametrize(
    ("tensor", "dtype"),
    [
        (torch.ones(2, requires_grad=True) * 3, np.float32),
        (torch.full((2,), 3.0, dtype=torch.bfloat16), np.float32),
        (torch.full((2,), 3.0).to(torch.float8_e4m3fn), np.float32),
        (torch.full((2,), 3.0, dtype=torch.float16), np.float16),
        (torch.full((2,), 3.0, dtype=torch.float64), np.float64),
        (torch.full((2,), 3, dtype=torch.int64), np.int64),
        (torch.tensor([3 + 1j, 3 - 1j]).conj(), np.complex64),
        (torch.tensor([3 - 1j, 3 + 1j]).conj().imag * 3, np.float32),
    ],
)
def test_every_kind_of_tensor_comes_home(tensor: torch.Tensor, dtype: type) -> None:
    home = device.to_numpy(tensor)
    assert home.dtype == dtype
    expected = tensor.detach().to(torch.complex64).resolve_conj().resolve_neg().tolist()
    assert home.astype(np.complex64).tolist() == expected


@pytest.mark.parametrize("shape", [(), (0,), (1, 1)])
def test_shapes_at_the_edge_come_home(shape: tuple[int, ...]) -> None:
    assert device.to_numpy(torch.zeros(shape)).shape == shape


@pytest.mark.accelerator
def test_a_tensor_on_an_accelerator_comes_home_with_the_same_values() -> None:
    there = torch.arange(6.0, device=device.best(), dtype=torch.bfloat16).reshape(2, 3).T
    assert device.to_numpy(there).tolist() == [[0, 3], [1, 4], [2, 5]]


def test_small_work_has_one_thread_and_leaves_the_others_as_they_were():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with device.one_thread():
            assert torch.get_num_threads() == 1
            with device.one_thread():
                assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), device.one_thread():
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
