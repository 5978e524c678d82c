"""The levers themselves, in plain PyTorch as a script runs them: each gives a call without it and a call with it."""

from __future__ import annotations

import contextlib
import copy
import multiprocessing
import warnings

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from models.speed.footprint import trade_offs
from models.speed.timing import phases


class Start:
    """What every lever starts from: fresh models with a batch, optimizers for them, and autocast's dtype."""

    def __init__(self, fresh, optimizer, dtype=None):
        self.fresh, self.optimizer, self.dtype = fresh, optimizer, dtype

    def step(self, how=None, **changes):
        """A full training step; `how` goes to the optimizer, `changes` to the model and its batch."""
        model, x, y = self.fresh(**changes)
        return phases(model, x, y, self.optimizer(model, **(how or {})), self.dtype)["full step"]

    def forward(self, change=lambda model: model, inside=torch.inference_mode):
        """A forward pass of the evaluated model, after `change`, inside a context."""
        model, x, _ = self.fresh()
        model = change(model.eval())
        kind = x.device.type

        def call():
            mixed = torch.autocast(kind, self.dtype) if self.dtype else contextlib.nullcontext()
            with inside(), mixed:
                return model(x)

        return call


def foreach(start):
    return start.step({"foreach": False}), start.step({"foreach": True})


def fused(start):
    try:
        return start.step({"foreach": False}), start.step({"fused": True})
    except (RuntimeError, TypeError, ValueError) as error:
        return f"This PyTorch has no fused form of this optimizer for this device: {error}"


def set_to_none(start):
    def step(forget):
        model, x, y = start.fresh()
        optimizer = start.optimizer(model)
        forward = phases(model, x, y, optimizer, start.dtype)["forward"]

        def call():
            optimizer.zero_grad(set_to_none=forget)
            loss = forward()
            loss.backward()
            optimizer.step()
            return loss

        return call

    return step(False), step(True)


def inference_mode(start):
    return start.forward(inside=contextlib.nullcontext), start.forward()


def threads(start):
    return start.step(), start.step()


def channels_last(start):
    if start.fresh()[1].dim() != 4:
        return "The memory format is about images (N, C, H, W); choose a CNN or one of torchvision's networks."
    return start.step(channels_last=False), start.step(channels_last=True)


def four_times_the_batch(start):
    if 4 * len(start.fresh()[1]) > 4096:
        return "The batch is as large as it gets here; make it smaller to compare with four times as many."
    return start.step(), start.step(times=4)


def pinned(start):
    model, x, y = start.fresh()
    if x.device.type != "cuda":
        return (
            "Pinned memory stays where it is, so a GPU can fetch the next batch by itself (non_blocking=True) "
            "while it computes this one. On the CPU there is nothing to fetch."
        )
    step = phases(model, x, y, start.optimizer(model), start.dtype)["full step"]
    pageable, lying_still = x.cpu(), x.cpu().pin_memory()
    following, side = torch.empty_like(x), torch.cuda.Stream()

    def waiting():
        following.copy_(pageable)
        return step()

    def ahead():
        with torch.cuda.stream(side):
            following.copy_(lying_still, non_blocking=True)
        loss = step()
        torch.cuda.current_stream().wait_stream(side)
        return loss

    return waiting, ahead


def collected(rows):
    """A batch with some work per sample, as decoding and augmenting pictures is."""
    return torch.stack([torch.fft.ifft(torch.fft.fft(row[0].flatten())).real for row in rows])


def workers(start):
    x = start.fresh()[1].cpu()
    data = TensorDataset(torch.randn(min(256, 4 * len(x)), *x.shape[1:]))
    # where there is no fork, a worker imports this program again
    how = "fork" if "fork" in multiprocessing.get_all_start_methods() else None

    def epoch(count):
        more = {"persistent_workers": True, "multiprocessing_context": how} if count else {}
        size = min(64, len(x))
        loader = DataLoader(data, size, num_workers=count, collate_fn=collected, **more)
        return lambda: torch.tensor(sum(len(batch) for batch in loader))

    return epoch(0), epoch(2)


def int8(start):
    model, x, _ = start.fresh()
    if x.device.type != "cpu":
        return "Dynamic int8 runs on the CPU only; choose cpu."
    if not any(isinstance(module, nn.Linear) for module in model.modules()):
        return "There is no linear layer to quantise."

    def smaller(model):
        return torch.ao.quantization.quantize_dynamic(copy.deepcopy(model), {nn.Linear})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it moves to another package in some later version
        try:
            quantised = start.forward(smaller)
            quantised()  # a fused layer that reads its weights itself does not know them as int8
        except (AttributeError, RuntimeError) as error:
            return f"PyTorch does not run this model with dynamic int8: {error}"
        return start.forward(), quantised


def pruning(start):
    from torch.nn.utils import prune

    def thinned(model):
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                prune.l1_unstructured(module, "weight", amount=0.9)
                prune.remove(module, "weight")
        return model

    return start.forward(), start.forward(thinned)


def checkpointing(start):
    def step(name):
        model, x, y = start.fresh()
        return trade_offs(model, x, y, start.optimizer(model), start.dtype)[name]

    return step("plain"), step("checkpointed")


def graphs(start):
    _, x, _ = start.fresh()
    if x.device.type != "cuda":
        return (
            "A CUDA graph records the kernels of a pass once and launches them all together, which saves the time "
            "between them. It needs an NVIDIA GPU."
        )
    plain = start.forward()
    aside = torch.cuda.Stream()  # a capture wants its warm-up on another stream
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            plain()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = plain()

    def replay():
        graph.replay()
        return out

    return plain, replay


def result_of(call):
    """What a later call gives: a training step shows there what an earlier one did to the weights."""
    call()
    value = call()
    return None if value is None else value.detach().cpu().double()


def difference(without, with_it):
    """How far the results are apart, as a share of their size."""
    found = []
    for call in (without, with_it):
        torch.manual_seed(0)  # dropout hides the same units in both
        found.append(result_of(call))
    a, b = found
    return None if a is None or b is None else ((a - b).norm() / a.norm()).item()


# what a script needs of this module besides the levers
SOURCE = (Start, collected, result_of, difference)
