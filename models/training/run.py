"""One run: the network, its optimizer and where it stands; it can go on, go back and be changed."""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from models.core.seeding import generator, seeded
from models.core.spec import SpecError
from models.training import changes, history, network, optimizers
from models.training.changes import Change, apply_change
from models.training.history import History, State
from models.training.plan import Plan, check_batches, table, thinning
from models.training.spec import RunSpec
from models.training.step import evaluate, train_batch

HISTORY_BYTES = 96 * 2**20
_HISTORY_STEPS = 256  # most batches to repeat on going back, while the budget lasts
_STATISTICS_STEPS = 500  # batches between two looks at gradient and update norms, at most
_STATISTICS_LOOKS = 30  # of a run of few epochs, so many looks at least


class Run:
    """A run between two batches. Everything that happens is a function of the spec, bit for bit on the CPU.

    Attributes:
        spec: the settings, with all changes so far in `spec.changes`.
        plan: what it trains, and on what; data: its splits; chosen: the loss.
        linears: the layers with weight matrices, convolutions included, first to output.
        step, epoch, position: batches done, whole epochs done, batches done in the epoch under way.
        rows: points of the curves since `take_rows`; course: all of them; row: the newest.
        waited: seconds that were spent on answers; rows do not count them.
        reached: the furthest epoch whose rows have been shown.
        after_epoch: called at the end of every epoch, also of one that is repeated on going back; None for nothing.
    """

    def __init__(
        self,
        spec: RunSpec,
        device: str = "cpu",
        budget: int = HISTORY_BYTES,
        plan: Plan | None = None,
    ) -> None:
        """Build everything as the exported script does; without a plan it is a network on a table.

        Raises:
            SpecError: the data and the settings contradict each other.
        """
        self.spec = spec
        self.device = device
        self.plan = plan = plan or table(spec)  # type: ignore[arg-type]  # only a table's spec comes alone
        self.data, self.chosen = plan.data, plan.chosen
        self.layers, self.calls = plan.layers, plan.calls
        n = len(self.data.x_train)
        self.batches = math.ceil(n / spec.batch_size)
        check_batches(spec, plan.batch_norm, n)

        self.dropout = plan.random
        with seeded(spec.seed):
            self.model: Any = plan.build()
            rng = torch.get_rng_state()
        if self.dropout:  # it draws from the default generators, which are a worker's own
            torch.manual_seed(spec.seed)
            torch.set_rng_state(rng)
        self.model.to(device)
        self.linears = network.weighted(self.model)
        self.loss_fn = self.chosen.call.build().to(device)
        self.optimizer: torch.optim.Optimizer = optimizers.optimizer(spec, device).build(
            self.model.parameters()
        )
        scheduler = optimizers.scheduler(spec, self.batches)
        self.scheduler: Any = None if scheduler is None else scheduler.build(self.optimizer)
        self.schedule = "" if scheduler is None else optimizers.SCHEDULERS[spec.scheduler].steps
        self.order_generator = generator(spec.seed)

        def here(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return x.to(device), self.chosen.targets(y).to(device)

        self.x, self.y = here(self.data.x_train, self.data.y_train)
        val_x, val_y = here(self.data.x_val, self.data.y_val)
        k, v = (thinning(rows, plan.evaluated) for rows in (n, len(val_x)))
        self.seen = self.x[::k], self.y[::k]
        self.val = (val_x[::v], val_y[::v]) if len(val_x) else None

        self.step = self.epoch = self.position = 0
        self.order: Tensor | None = None
        self.settings: dict[str, float] = {"l1": spec.l1, "clip": spec.clip, "epochs": spec.epochs}
        self.stop: dict[str, Any] = {"best": math.inf, "best_epoch": 0, "bad": 0, "why": ""}
        self.planned = list(changes.parse(spec.changes))
        for change in self.planned:
            self.check_change(change.name, change.value)
        self.rows: list[dict[str, Any]] = []
        self.course: list[dict[str, Any]] = []
        self._last_order: Tensor | None = None  # of the epoch that the last batch was in
        # the rows in the order of the epoch under way, written anew for each, and its batches: views of them
        self._shuffled = torch.empty_like(self.x), torch.empty_like(self.y)
        self._pairs = list(
            zip(*(part.split(spec.batch_size) for part in self._shuffled), strict=True)
        )
        self.events: list[dict[str, Any]] = []
        self.statistics: dict[str, float] = {}
        looks = min(_STATISTICS_STEPS // self.batches, spec.epochs // _STATISTICS_LOOKS)
        self.every = max(1, looks)  # epochs between two looks at norms
        self.history = History(budget, max(1, _HISTORY_STEPS // self.batches))
        self.shown_step = -1
        self.reached = 0
        self.after_epoch: Callable[[], None] | None = None
        self._quiet = False
        self.row: dict[str, Any] = {}
        self.timed_by(time.perf_counter)
        self._add_row()
        self.history.keep(self.capture())
        self._apply_due()

    # -- going on ------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether there is no next batch: all epochs done, or stopped early."""
        return bool(self.stop["why"]) or (
            self.position == 0 and self.epoch >= self.settings["epochs"]
        )

    @property
    def samples(self) -> int:
        """Training rows seen so far, counted over all epochs."""
        return self.epoch * len(self.x) + self.position * self.spec.batch_size

    def batch(self) -> None:
        """Train on the next batch; after an epoch's last one, measure and keep."""
        if self.position == 0:
            self._begin_epoch(torch.randperm(len(self.x), generator=self.order_generator))
        position = self.position
        x, y = self._pairs[position]
        if self.plan.augment is not None:
            x = self.plan.augment(x, self.order_generator)
        settings = self.settings
        l1, clip = settings["l1"], settings["clip"]
        last = position + 1 == self.batches
        if last and self.epoch % self.every == 0:
            self._measured_batch(x, y, l1, clip)
        else:
            train_batch(self.model, self.loss_fn, self.optimizer, x, y, l1, clip)
        if self.schedule == "batch":
            self.lr = self.optimizer.param_groups[0]["lr"]
            if self.step < self.scheduler.total_steps:
                self.scheduler.step()
        self.step += 1
        self.position = position + 1
        if last:
            self._end_epoch()
        if self.planned:
            self._apply_due()

    def timed_by(self, clock: Callable[[], float]) -> None:
        """From now on the rows' seconds are this clock's, and go on from those of the newest row."""
        self._clock, self.waited = clock, 0.0
        self._since = clock() - float(self.row.get("seconds", 0.0))

    def midway_row(self) -> None:
        """A point of the curves inside a long epoch; takes no part in what happens next."""
        self._add_row()

    def _begin_epoch(self, order: Tensor) -> None:
        self.order = self._last_order = order
        placed = order.to(self.device)
        torch.index_select(self.x, 0, placed, out=self._shuffled[0])
        torch.index_select(self.y, 0, placed, out=self._shuffled[1])

    def _measured_batch(self, x: Tensor, y: Tensor, l1: float, clip: float) -> None:
        weights = [layer.weight for layer in self.linears]
        before = [w.detach().clone() for w in weights]
        # clip = inf multiplies every gradient by exactly 1 and returns the norm
        total: Any = train_batch(
            self.model, self.loss_fn, self.optimizer, x, y, l1, clip or math.inf
        )
        with torch.no_grad():
            moved = [(w - old).norm() for w, old in zip(weights, before, strict=True)]
            sizes = [old.norm() for old in before]
            values = torch.stack([total, *moved, *sizes]).tolist()
        count = len(weights)
        self.statistics = {"grad_norm": values[0]}
        for i in range(count):
            size = values[1 + count + i]
            self.statistics[f"ratio/{i}"] = values[1 + i] / size if size else math.nan

    def _end_epoch(self) -> None:
        self.epoch += 1
        self.position, self.order = 0, None
        row = self._add_row()
        watched = row["val_loss"] if self.val else row["train_loss"]
        metric = row["val_metric"] if self.val else row["train_metric"]
        if self.schedule == "epoch":
            self.scheduler.step()
        elif self.schedule == "loss":
            self.scheduler.step(watched)
        stop = self.stop
        if watched < stop["best"]:
            stop.update(best=watched, best_epoch=self.epoch, bad=0)
        else:
            stop["bad"] += 1
        if not math.isfinite(row["train_loss"]):
            stop["why"] = "nan"
        elif self.spec.stop_at and metric >= self.spec.stop_at:
            stop["why"] = "target"
        elif self.spec.patience and stop["bad"] >= self.spec.patience:
            stop["why"] = "patience"
        if stop["why"]:
            self._say("stop", self._why(row), why=stop["why"])
        if self.history.wants(self.epoch):
            self.history.keep(self.capture())
        if self.after_epoch is not None:
            self.after_epoch()

    def _why(self, row: Mapping[str, Any]) -> str:
        which = "validation" if self.val else "training"
        if self.stop["why"] == "nan":
            return f"Stopped after epoch {self.epoch}: the loss is {row['train_loss']}, no longer a number."
        if self.stop["why"] == "target":
            return (
                f"Stopped after epoch {self.epoch}: the {which} metric reached "
                f"{self.spec.stop_at:g}."
            )
        return (
            f"Stopped after epoch {self.epoch}: the {which} loss has not improved on {self.stop['best']:.4g} "
            f"(epoch {self.stop['best_epoch']}) for {self.spec.patience} epochs."
        )

    def _add_row(self) -> dict[str, Any]:
        parts = (self.model, self.loss_fn, self.chosen.metric)
        train_loss, train_metric = evaluate(*parts, *self.seen)
        val_loss, val_metric = evaluate(*parts, *self.val) if self.val else (None, None)
        row: dict[str, Any] = {
            "epoch": self.epoch + self.position / self.batches if self.position else self.epoch,
            "step": self.step,
            "train_loss": train_loss,
            "val_loss": val_loss,
            "penalty": self._penalty(),
            "train_metric": train_metric,
            "val_metric": val_metric,
            "lr": self.lr if self.schedule == "batch" and self.step else self._group_lr(),
            **self.statistics,
            "seconds": self._clock() - self._since - self.waited,
        }
        self.statistics = {}
        self.row = row
        if self.step > self.shown_step and not self._quiet:
            self.shown_step = self.step
            self.reached = max(self.reached, self.epoch)
            self.rows.append(row)
            self.course.append(row)
        return row

    def _group_lr(self) -> float:
        return self.optimizer.param_groups[0]["lr"]

    def _penalty(self) -> float:
        # what l1 and weight decay add to the loss, were both part of it
        decay = self.optimizer.param_groups[0].get("weight_decay", 0.0)
        l1 = self.settings["l1"]
        with torch.no_grad():
            total = 0.0
            if l1:
                total += l1 * sum(layer.weight.abs().sum().item() for layer in self.linears)
            if decay:
                total += decay / 2 * sum(p.square().sum().item() for p in self.model.parameters())
        return total

    def take_rows(self) -> tuple[dict[str, Any], ...]:
        """New points of the curves since the last call."""
        taken, self.rows = tuple(self.rows), []
        return taken

    def take_events(self) -> tuple[dict[str, Any], ...]:
        """What happened since the last call."""
        taken, self.events = tuple(self.events), []
        return taken

    def _say(self, kind: str, text: str, **more: Any) -> None:
        if not self._quiet:
            self.events.append(
                {"kind": kind, "text": text, "step": self.step, "epoch": self.epoch, **more}
            )

    def last_batch(self) -> Tensor:
        """Rows of the training split in the batch just trained on, (B,) int64; none before the first."""
        if self._last_order is None:
            return torch.empty(0, dtype=torch.int64)
        position = (self.position or self.batches) - 1
        return self._last_order[position * self.spec.batch_size :][: self.spec.batch_size]

    def course_so_far(self) -> list[dict[str, Any]]:
        """The points of the curves up to now, also after going back."""
        end = bisect.bisect_right(self.course, self.step, key=lambda row: row["step"])
        return self.course[:end]

    # -- changes -------------------------------------------------------------------------------

    def change(self, name: str, value: float) -> None:
        """Change a live setting or one weight now, and note it in `spec.changes`.

        What was planned or done after this step no longer happens.

        Raises:
            SpecError: the name cannot change while a run lives, or the value is outside its range.
        """
        self.check_change(name, value)
        value = changes.checked(name, value)
        if name == "epochs" and value < self.epoch + (self.position > 0):
            raise SpecError(
                f"Epoch {self.epoch + 1} has begun, so the run cannot end after {value:g}.",
                "epochs",
            )
        change = Change(self.step, name, value)
        kept = [
            c
            for c in self.planned
            if c.step < self.step or (c.step == self.step and c.name != name)
        ]
        spec = self.spec.replace(changes=changes.text([*kept, change]))
        self.planned, self.spec = [*kept, change], spec
        self.history.forget_after(self.step)
        if self.shown_step > self.step:
            self._say("branch", f"From epoch {self.epoch} on, a new course.")
            self.shown_step, self.reached = self.step, self.epoch
            self.course = self.course_so_far()
            self.rows = [row for row in self.rows if row["step"] <= self.step]
        self._apply(change)

    def check_change(self, name: str, value: float) -> None:
        """Whether `change` would take this; raises its `SpecError`."""
        changes.parse(f"{self.step}:{name}={value}")
        if name.startswith(("weight.", "bias.")):
            kind, layer, *index = name.split(".")
            parts = [getattr(linear, kind) for linear in self.linears]
            shapes = [() if part is None else part.shape for part in parts]
            shape = shapes[int(layer)] if int(layer) < len(shapes) else ()
            inside = len(index) == len(shape) and all(
                int(i) < size for i, size in zip(index, shape, strict=True)
            )
            if not inside:
                raise SpecError(
                    f"There is no {name}: the network's {kind} shapes are "
                    f"{', '.join(str(tuple(s)) for s in shapes)}.",
                    "changes",
                )
        elif name == "momentum":
            optimizers.check(self.spec.replace(momentum=float(value), changes=""))

    def _apply_due(self) -> None:
        for change in self.planned:
            if change.step == self.step:
                self._apply(change)

    def _apply(self, change: Change) -> None:
        apply_change(self.model, self.optimizer, self.settings, change.name, change.value)
        if change.name == "epochs" and self.stop["why"] not in ("", "nan"):
            self.stop.update(why="", bad=0)
        self._say(
            "change", f"{change.name} = {change.value:g}", name=change.name, value=change.value
        )

    # -- going back ----------------------------------------------------------------------------

    def seek(self, epoch: int) -> int:
        """Stand exactly where this epoch ended; returns the epoch, within what has been reached."""
        epoch = max(0, min(int(epoch), self.reached))
        quiet, self._quiet = self._quiet, True
        try:
            self.restore(self.history.nearest(epoch))
            while self.epoch < epoch:
                self.batch()
        finally:
            self._quiet = quiet
        return epoch

    def capture(self) -> State:
        """A copy of everything that decides what happens next."""
        on_device = self.dropout and torch.device(self.device).type != "cpu"
        return State(
            step=self.step,
            epoch=self.epoch,
            position=self.position,
            order=self.order,
            model=history.copied(dict(self.model.state_dict())),
            optimizer=history.copied(self.optimizer.state_dict()),
            scheduler=None
            if self.scheduler is None
            else history.copied(self.scheduler.state_dict()),
            order_rng=self.order_generator.get_state(),
            rng=torch.get_rng_state() if self.dropout else None,
            device_rng=_device_rng(self.device) if on_device else None,
            settings=dict(self.settings),
            stop=dict(self.stop),
            row=self.row,
        )

    def restore(self, state: State, due: bool = True) -> None:
        """Stand where this state was captured; `due` applies the changes planned for its step."""
        self.step, self.epoch, self.position = state.step, state.epoch, state.position
        self.model.load_state_dict(state.model)
        # copied: load_state_dict keeps the very tensors it is given, and steps change them in place
        self.optimizer.load_state_dict(history.copied(dict(state.optimizer)))
        if self.scheduler is not None:
            self.scheduler.load_state_dict(history.copied(state.scheduler))
        self.order_generator.set_state(state.order_rng)
        if state.rng is not None:
            torch.set_rng_state(state.rng)
        if state.device_rng is not None:
            _set_device_rng(self.device, state.device_rng)
        self.settings, self.stop = dict(state.settings), dict(state.stop)
        self.row = dict(state.row)
        self.statistics = {}
        self.lr = self.row["lr"]
        self.order = self._last_order = None
        if state.order is not None:
            self._begin_epoch(state.order)
        if due:
            self._apply_due()

    def resumed(self, rows: list[dict[str, Any]], planned: list[Change]) -> None:
        """Take over the curves and changes of a run that stood where this one was restored to."""
        self.planned = planned
        self.course, self.rows = rows, list(rows)
        self.shown_step, self.reached = self.step, self.epoch
        self.timed_by(self._clock)
        self.history.forget_after(0)
        if self.position == 0 and self.epoch:
            self.history.keep(self.capture())


def _device_rng(device: str) -> Tensor | None:
    module: Any = getattr(torch, torch.device(device).type, None)
    if torch.device(device).type == "mps":
        return module.get_rng_state()
    return module.get_rng_state(device) if hasattr(module, "get_rng_state") else None


def _set_device_rng(device: str, state: Tensor) -> None:
    module: Any = getattr(torch, torch.device(device).type)
    if torch.device(device).type == "mps":
        module.set_rng_state(state)
    else:
        module.set_rng_state(state, device)
