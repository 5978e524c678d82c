"""The live loop: trains, answers commands between two batches, and shows what moved."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import torch

from models.core.control import Command, Control, Snapshot
from models.core.spec import SpecError
from models.training import checkpoint, doctor, evaluation, network, predicting, records
from models.training.frames import Pictures
from models.training.run import Run
from models.training.spec import Spec

MIDWAY_SECONDS = 1.0  # after so long without a point of the curves, the next picture brings one
DOCTOR_SECONDS = 0.5  # shortest time between two examinations


def train(
    spec: Spec, *, device: str = "cpu", control: Control | None = None, resume: bytes = b""
) -> Iterator[Snapshot]:
    """Train as the exported script does, and yield what there is to see.

    The first snapshot holds the scene and the picture before the first step; the final one always
    a frame. Commands (see `ANSWERS`) are answered in the next snapshot by their id; an
    answer to a wrong one is {"error": a sentence, "field": the setting to point at}.

    Args:
        resume: a training checkpoint to go on from; `spec` must be the one it holds.

    Raises:
        SpecError: the settings contradict the data, or the checkpoint is not one of theirs.
    """
    run = Run(spec, device)
    yield from live(run, Pictures(run), control, resume)


def live(
    run: Run, pictures: Any, control: Control | None = None, resume: bytes = b""
) -> Iterator[Snapshot]:
    """The loop of `train` for any run.

    Args:
        pictures: what draws the run: `scene()`, `frame()`, and `looked`, the layers' condition at the last frame;
            and, where it has any, `answers`: further commands by name.
    """
    control = control or Control()
    session = _Session(run, pictures)
    if resume:
        checkpoint.restore(run, checkpoint.read(resume, type(run.spec)))
    yield session.snapshot(picture=True, scene=True)
    run.timed_by(control.clock)  # nothing is trained for this picture
    clock, gate, due, batch = control.clock, control.gate, control.due, run.batch
    ended, over = False, run.over
    last_row = clock()
    while True:
        while commands := gate(ended):
            begun = clock()
            replies = {c.id: session.answer(c) for c in commands}
            yield session.snapshot(picture=due(), replies=replies)
            run.waited += clock() - begun
            over = run.over
        if over:
            return
        for _ in range(control.at_once):
            batch()
            if ended := run.position == 0:
                last_row, over = clock(), run.over
                break
        if over or due():
            if not ended and clock() - last_row > MIDWAY_SECONDS:
                run.midway_row()
                last_row = clock()
            yield session.snapshot(picture=True)


def threads(spec: Spec) -> int:
    """CPU threads worth having: one, but for steps so large that splitting them pays."""
    layers = network.parse(spec.layers, spec.activation)
    widths = [layer.units for layer in layers]
    products = spec.batch_size * sum(a * b for a, b in itertools.pairwise([*widths, 10]))
    return 1 if products < 2**22 else 8


class _Session:
    """A run and the pictures of it, and the answers to commands."""

    def __init__(self, run: Run, pictures: Any) -> None:
        self.run = run
        self.pictures = pictures
        self.counts: tuple[int, ...] = ()  # training rows per class
        if self.run.data.task == "classification":
            classes = len(self.run.data.classes)
            self.counts = tuple(torch.bincount(self.run.data.y_train, minlength=classes).tolist())
        self.next_visit = 0.0  # of the doctor, by time.perf_counter
        self.findings: tuple[doctor.Finding, ...] = ()
        self.scene_is_new = False
        self.blobs: dict[str, bytes] = {}

    def snapshot(
        self, picture: bool, scene: bool = False, replies: Mapping[int, Any] | None = None
    ) -> Snapshot:
        run = self.run
        frame = None
        events = list(run.take_events())
        if picture:
            frame = self.pictures.frame()
            events += self._examine()
        new_scene = self.pictures.scene() if scene or self.scene_is_new else None
        self.scene_is_new = False
        blobs, self.blobs = self.blobs, {}
        return Snapshot(
            step=run.step,
            epoch=run.epoch + run.position / run.batches,
            rows=run.take_rows(),
            scene=new_scene,
            frame=frame,
            events=tuple(events),
            replies=replies or {},
            blobs=blobs,
            final=run.over,
            samples=run.samples,
        )

    def _examine(self) -> list[dict[str, Any]]:
        """The doctor's findings as an event, when they are other ones than before."""
        run, now = self.run, time.perf_counter()
        if now < self.next_visit and not run.over:
            return []
        self.next_visit = now + DOCTOR_SECONDS
        facts = doctor.Facts(
            run.spec.as_it_stands(), self.counts, run.data.classes, self.pictures.looked
        )
        found = doctor.diagnose(run.course_so_far(), facts)
        before, self.findings = self.findings, found
        if [f.name for f in before] == [f.name for f in found]:
            return []
        return [
            {
                "kind": "doctor",
                "text": found[0].text if found else "Nothing is wrong any more.",
                "step": run.step,
                "epoch": run.epoch,
                "findings": [asdict(finding) for finding in found],
            }
        ]

    def answer(self, command: Command) -> Any:
        """What a command gets back, after doing it; a sentence when it cannot be done."""
        own: Mapping[str, Callable[..., Any]] = getattr(self.pictures, "answers", {})
        if command.name not in ANSWERS and command.name not in own:
            return None
        try:
            if command.name in own:
                return own[command.name](**command.args)
            return ANSWERS[command.name](self, **command.args)
        except SpecError as error:
            return {"error": str(error), "field": error.field}
        except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
            return {"error": f"{command.name} was asked wrongly: {error}.", "field": ""}

    # one method per command ---------------------------------------------------------------------

    def set(self, **fields: float) -> Mapping[str, Any]:
        """Live settings: {"lr": 0.01}. Answers with the spec's new `changes`."""
        for name, value in fields.items():  # all or none
            self.run.check_change(name, value)
        for name, value in fields.items():
            self.run.change(name, value)
        return {"changes": self.run.spec.changes}

    def weight(self, layer: int, out: int, value: float, **index: int) -> Mapping[str, Any]:
        """One weight, {"layer", "out", "in", "value"}, layers counted from 0 to the output."""
        self.run.change(f"weight.{int(layer)}.{int(out)}.{int(index['in'])}", value)
        return {"changes": self.run.spec.changes}

    def bias(self, layer: int, out: int, value: float) -> Mapping[str, Any]:
        """One bias, {"layer", "out", "value"}."""
        self.run.change(f"bias.{int(layer)}.{int(out)}", value)
        return {"changes": self.run.spec.changes}

    def extend(self, epochs: int) -> Mapping[str, Any]:
        """So many epochs more."""
        run = self.run
        total = run.epoch + epochs if run.over else int(run.settings["epochs"]) + epochs
        run.change("epochs", total)
        self.scene_is_new = True
        return {"changes": run.spec.changes, "epochs": total}

    def seek(self, epoch: int) -> Mapping[str, Any]:
        """Back (or forward again) to the end of a past epoch; training goes on from there."""
        return {"epoch": self.run.seek(epoch)}

    def peek(self, epoch: int) -> Mapping[str, Any]:
        """The frame of a past epoch; the run stays where it is."""
        now = self.run.capture()
        try:
            self.run.seek(epoch)
            return self.pictures.frame()
        finally:
            self.run.restore(now, due=False)

    def view(self, x: str = "pca", y: str = "pca") -> Mapping[str, Any]:
        """Another plane: two input columns, or "pca" for the two principal components."""
        self.pictures = Pictures(self.run, x, y)
        self.scene_is_new = True
        return {"axes": list(self.pictures.axes)}

    def evaluate(self, split: str = "val") -> Mapping[str, Any]:
        """The evaluation report of "train", "val" or "test"."""
        return evaluation.plain(evaluation.report(self.run, split))

    def predict(self, rows: Any, weights: bytes = b"") -> Mapping[str, Any]:
        """Predictions for own rows: dicts of columns, or [x1, x2] pairs for a made set.

        `weights` is a safetensors file of a network with the same layers, to predict with instead; the
        run itself stays as it is.
        """
        if not weights:
            return predicting.predict(self.run, rows)
        now = self.run.capture()
        try:
            checkpoint.load_weights(self.run, checkpoint.read_weights(weights))
            return predicting.predict(self.run, rows)
        finally:
            self.run.restore(now, due=False)

    def checkpoint(self) -> Mapping[str, Any]:
        """The blobs "checkpoint.pt" (to resume) and "model.safetensors" (weights only)."""
        self.blobs["checkpoint.pt"] = checkpoint.write(self.run)
        self.blobs["model.safetensors"] = checkpoint.weights(self.run)
        return {name: len(data) for name, data in self.blobs.items()}

    def restore(self, data: bytes) -> Mapping[str, Any]:
        """Go on from a checkpoint of the same settings."""
        checkpoint.restore(self.run, checkpoint.read(data, type(self.run.spec)))
        self.scene_is_new = True
        return {"epoch": self.run.epoch, "step": self.run.step, "changes": self.run.spec.changes}

    def export(self, format: str = "csv") -> Mapping[str, Any]:
        """The curves as the blob "curves.csv" or "tensorboard.zip"."""
        name, write = records.FORMATS.get(format, (None, None))
        if name is None or write is None:
            raise SpecError(f"There is no format {format!r}; choose {', '.join(records.FORMATS)}.")
        self.blobs[name] = write(self.run.course_so_far())
        return {"blob": name, "bytes": len(self.blobs[name])}


ANSWERS: Mapping[str, Callable[..., Any]] = {
    "set": _Session.set,
    "weight": _Session.weight,
    "bias": _Session.bias,
    "extend": _Session.extend,
    "seek": _Session.seek,
    "peek": _Session.peek,
    "view": _Session.view,
    "evaluate": _Session.evaluate,
    "predict": _Session.predict,
    "checkpoint": _Session.checkpoint,
    "restore": _Session.restore,
    "export": _Session.export,
}
