"""Speed: what a model costs on this machine, measured in a worker of its own, never without the noise."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from models.core import wire
from models.core.control import Control, Snapshot
from models.core.spec import SpecError
from models.speed import (
    benchmark,
    compiling,
    footprint,
    levers,
    limits,
    machine,
    precision,
    profile,
)
from models.speed.spec import PARTS, Spec

__all__ = ["PARTS", "Spec", "numbers", "threads", "to_code", "train"]


def train(spec: Spec, *, device: str = "cpu", control: Control | None = None) -> Iterator[Snapshot]:
    """Measure what `spec.part` asks; the last snapshot carries the blob "result" (JSON of models.core.wire).

    `spec.device` says where; the harness's own `device` is the place of topics without such a setting.

    Raises:
        SpecError: this machine has no such device, or the models do not fit into memory, before or meanwhile.
    """
    if not machine.has(spec.device):
        raise SpecError(
            f"This machine has no {spec.device} device. Choose cpu, or open the link on a machine with one.",
            "device",
        )
    part = _MODULES[spec.part]
    limits.check(part.together(spec) if hasattr(part, "together") else spec)
    try:
        for snapshot in part.train(spec):
            (control or Control()).gate()  # where a worker is stopped
            yield snapshot
    except (MemoryError, RuntimeError) as error:
        if not limits.is_memory(error):
            raise
        raise limits.ran_out(spec, error) from error


def threads(spec: Spec) -> int:
    """The threads the harness may give; each measurement then sets exactly `spec.threads`."""
    return spec.threads


def numbers(snapshot: Snapshot) -> dict[str, float]:
    """What does not depend on the clock: what the script prints too."""
    told = wire.loads(snapshot.blobs["result"])
    return _MODULES[told["part"]].numbers(told)


def to_code(spec: Spec) -> str:
    """The measurement as a script."""
    return _MODULES[spec.part].to_code(spec)


_MODULES: dict[str, ModuleType] = {
    "benchmark": benchmark,
    "profile": profile,
    "precision": precision,
    "memory": footprint,
    "compile": compiling,
    "levers": levers,
}


def __getattr__(name: str) -> dict[str, Spec]:
    """VARIATIONS, made when asked for: checking a layer list imports PyTorch's compiler, for which no page should wait."""
    if name != "VARIATIONS":
        raise AttributeError(name)
    # a setting of one part, or of one subject, has an effect there only; narrow, as a wide one takes minutes to measure
    return {
        "layers": Spec(model="own", layers="16 relu"),
        "features": Spec(model="own", features=5),
        "picture_layers": Spec(model="own_cnn", picture_layers="conv 4 3, relu, flatten, linear"),
        "channels": Spec(model="own_cnn", channels=1),
        "steps": Spec(part="profile", steps=4),
        "train_steps": Spec(part="precision", train_steps=9),
        "program": Spec(part="compile", program="print"),
        "size": Spec(model="cnn", width=16, depth=1, size=64),
        "channels_last": Spec(model="cnn", width=16, depth=1, channels_last=True),
    }
