"""Memory by category against what can be added up by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.speed import Spec, footprint, memory, subject, timing

N, D = 32, 64


def traced(optimizer: str = "SGD", device: str | None = None) -> tuple[memory.Trace, nn.Module]:
    spec = Spec(width=D, depth=2, batch_size=N, optimizer=optimizer)
    made = subject.make(spec, device)
    rule = timing.optimizer(spec, made.model)
    step = timing.phases(made.model, made.x, made.y, rule)["full step"]
    return memory.trace(step, made.model, (made.x, made.y), rule), made.model


def test_parameters_gradients_state_and_inputs_are_their_exact_bytes() -> None:
    found, model = traced("Adam")
    weights = sum(p.numel() for p in model.parameters()) * 4
    last = {name: line[-1] for name, line in found.lines.items()}
    assert last["parameters"] == weights
    assert last["gradients"] == weights
    # Adam keeps two numbers per weight and one step count per tensor
    assert last["optimizer state"] == 2 * weights + 4 * len(list(model.parameters()))
    assert last["inputs"] == N * D * 4 + N * 8
    assert traced("SGD")[0].lines["optimizer state"][-1] == 0


def test_activations_are_what_backward_still_needs() -> None:
    layer = nn.Linear(D, D, bias=False)
    x = torch.randn(N, D)

    def call() -> torch.Tensor:
        hidden = torch.tanh(layer(x))  # tanh keeps its output, not its input
        return hidden.sum()

    found = memory.trace(lambda: call().backward(), layer, (x,))
    assert max(found.lines["activations"]) >= N * D * 4
    assert max(found.lines["activations"]) < 2 * N * D * 4
    assert found.lines["activations"][-1] == 0
    assert max(found.lines["temporaries"]) >= N * D * 4


@pytest.mark.parametrize(
    ("count", "parts"), [(1, 1), (3, 1), (4, 2), (5, 2), (7, 3), (8, 4), (64, 4)]
)
def test_a_batch_is_accumulated_in_parts_that_batch_norm_takes(count: int, parts: int) -> None:
    layers = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 10))
    seen: list[int] = []
    layers.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    x, y = torch.randn(count, 4), torch.zeros(count, dtype=torch.long)
    rule = torch.optim.SGD(layers.parameters())
    if count > 1:
        footprint.trade_offs(layers, x, y, rule)["accumulated"]()
        assert (len(seen), sum(seen)) == (parts, count)
        assert min(seen) >= 2
    else:
        with pytest.raises(ValueError, match="more than 1 value"):  # batch norm's own refusal
            footprint.trade_offs(layers, x, y, rule)["accumulated"]()


def test_the_peak_is_the_highest_sum_of_all_lines() -> None:
    found, _ = traced()
    totals = [sum(column) for column in zip(*found.lines.values(), strict=True)]
    assert found.peak == max(totals) == totals[found.at]
    assert found.peak == sum(found.by_category.values())
    assert len(totals) == len(found.operations) + 1


def test_no_line_is_ever_negative() -> None:
    found, _ = traced("AdamW")
    assert min(min(line) for line in found.lines.values()) == 0


def test_the_prediction_on_meta_is_the_measurement() -> None:
    assert traced("Adam", "meta")[0].by_category == traced("Adam")[0].by_category


def test_without_gradients_nothing_is_kept() -> None:
    layer, x = nn.Sequential(nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D)), torch.randn(N, D)
    with torch.no_grad():
        found = memory.trace(lambda: layer(x).sum(), layer, (x,))
    assert max(found.lines["activations"]) <= 4  # the sum itself, which is returned
