"""Pictures of a run: what it decides over a plane of the data, its neurons, weights and gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.core.device import to_numpy
from models.core.spec import SpecError
from models.training import doctor, network
from models.training.run import Run

PLANE = 64  # pixels per side of the decision plane
MAP = 32  # pixels per side of a neuron's own map
POINTS = 2000  # most points drawn
_SMALL_UNITS = 100  # a network drawn neuron by neuron has at most as many, inputs included
_SMALL_PARAMETERS = 10_000
_BINS = 40
_LOOKED_AT = 256  # training rows that activations are looked at on


class Pictures:
    """Draws frames of one run; holds what does not change between them: the plane's grid and the points."""

    def __init__(self, run: Run, x: str = "pca", y: str = "pca") -> None:
        """The plane of two input columns, or of the two principal components ("pca").

        Raises:
            SpecError: there is no such column.
        """
        self.run = run
        data = run.data
        self.made = data.points_train is not None
        self.flat = self.made or len(data.features) == 2
        names = data.features
        if not self.made and "pca" not in (x, y):
            for name in (x, y):
                if name not in names:
                    raise SpecError(
                        f"There is no input column {name[:60]!r}. Choose one of: {', '.join(names)[:400]}.",
                        "view",
                    )
        self.stride = max(1, math.ceil(_rows(run) / POINTS))
        self._place(x, y)
        units = sum(layer.units for layer in run.layers) + len(names) + run.chosen.outputs
        parameters = sum(p.numel() for p in run.model.parameters())
        self.drawn = units <= _SMALL_UNITS and parameters <= _SMALL_PARAMETERS
        k = max(1, len(run.x) // _LOOKED_AT)
        self._sample = run.x[::k][:_LOOKED_AT]
        self.looked: tuple[doctor.Look, ...] = ()  # at the last frame

    # -- what stays the same -------------------------------------------------------------------

    def _place(self, x: str, y: str) -> None:
        """Axes, points in their coordinates, and the grid's inputs."""
        data = self.run.data
        splits = [data.x_train, data.x_val, data.x_test]
        k = self.stride
        self.basis: Tensor | None = None
        if self.made:
            made = [data.points_train, data.points_val, data.points_test]
            points = [p[::k] for p in made if p is not None]
            self.axes = ("x1", "x2")
        elif len(data.features) == 1:
            self.axes = (data.features[0], data.target)
            targets = [data.y_train, data.y_val, data.y_test]
            points = [
                torch.stack([self._original(v[::k])[:, 0], self._target(t[::k])], dim=1)
                for v, t in zip(splits, targets, strict=True)
            ]
        elif "pca" in (x, y) and len(data.features) > 2:
            self.axes = ("principal component 1", "principal component 2")
            self.basis = _components(data.x_train)  # (F, 2)
            mean = data.x_train.mean(dim=0)
            points = [(v[::k] - mean) @ self.basis for v in splits]
        else:
            columns = (0, 1) if "pca" in (x, y) else tuple(map(data.features.index, (x, y)))
            self.axes = tuple(data.features[c] for c in columns)
            points = [self._original(v[::k])[:, list(columns)] for v in splits]
        self.points = torch.cat(points).float()
        self.split = torch.cat([torch.full((len(p),), i) for i, p in enumerate(points)]).byte()
        self.extent = _extent(self.points, square=self.made)
        self.grid = self._grid(PLANE).to(self.run.device)
        self.coarse = self._grid(MAP).to(self.run.device)

    def _original(self, x: Tensor) -> Tensor:
        return x * self.run.data.scale + self.run.data.shift

    def _target(self, y: Tensor) -> Tensor:
        return y * self.run.data.target_scale + self.run.data.target_shift

    def _grid(self, side: int) -> Tensor:
        """Inputs at the centres of the plane's pixels, bottom row first: (side², F), or (side, 1)."""
        data = self.run.data
        x0, x1, y0, y1 = self.extent
        xs = x0 + (torch.arange(side) + 0.5) / side * (x1 - x0)
        ys = y0 + (torch.arange(side) + 0.5) / side * (y1 - y0)
        if not self.made and len(data.features) == 1:
            return ((xs - data.shift[0]) / data.scale[0]).unsqueeze(1)
        at = torch.cartesian_prod(ys, xs).flip(1)  # (side², 2): x fastest
        if self.made:
            return data.transform(at).float()
        mean = data.x_train.mean(dim=0)
        if self.basis is not None:
            return mean + at @ self.basis.T
        grid = mean.repeat(len(at), 1)
        for i, name in enumerate(self.axes):
            c = data.features.index(name)
            grid[:, c] = (at[:, i] - data.shift[c]) / data.scale[c]
        return grid

    def scene(self) -> dict[str, Any]:
        """What a view has to know once."""
        run, data = self.run, self.run.data
        regression = data.task == "regression"
        y = torch.cat([t[:: self.stride] for t in (data.y_train, data.y_val, data.y_test)])
        values = self._target(y).float() if regression else y.int()
        rows = torch.cat(
            [r[:: self.stride] for r in (data.rows_train, data.rows_val, data.rows_test)]
        )
        return {
            "task": data.task,
            "target": data.target,
            "classes": list(data.classes),
            "features": list(data.features),
            "layers": self._layers(),
            "points": {
                "x": to_numpy(self.points),
                "y": to_numpy(values),
                "split": to_numpy(self.split),
                "row": to_numpy(rows.int()),
            },
            "axes": list(self.axes),
            "extent": list(self.extent),
            "metric": "r2" if regression else "accuracy",
            "loss": run.chosen.key,
            "epochs": int(run.settings["epochs"]),
            "batches_per_epoch": run.batches,
            "rows": {"train": len(data.x_train), "val": len(data.x_val), "test": len(data.x_test)},
            "parameters": sum(p.numel() for p in run.model.parameters()),
            "baseline": _baseline(run),
            "decisions": list(data.decisions),
        }

    def _layers(self) -> list[dict[str, Any]]:
        run = self.run
        hidden = [
            {
                "name": f"hidden {i + 1}",
                "kind": "hidden",
                "units": layer.units,
                "activation": layer.activation,
                "dropout": layer.dropout,
                "batch_norm": layer.batch_norm,
            }
            for i, layer in enumerate(run.layers)
        ]
        first = {"name": "input", "kind": "input", "units": len(run.data.features)}
        return [first, *hidden, {"name": "output", "kind": "output", "units": run.chosen.outputs}]

    # -- what moves ----------------------------------------------------------------------------

    def frame(self) -> dict[str, Any]:
        """The picture of now."""
        run = self.run
        frame: dict[str, Any] = {
            "epoch": run.row["epoch"]
            if run.position == 0
            else run.epoch + run.position / run.batches,
            "step": run.step,
            "row": run.row,
            "changes": run.spec.changes,
            "batch": self._batch(),
            "histograms": self._histograms(),
        }
        run.model.eval()
        with torch.no_grad():
            output = run.model(self.grid)
            self.looked = self._looks()
            units = network.activations(run.model, self.coarse) if self.drawn and self.flat else []
            frame["activations"] = [
                {"name": look.name, "dead": look.dead, "saturated": look.saturated}
                for look in self.looked
            ]
        run.model.train()
        if len(self.grid) == PLANE:
            frame["line"] = self._line(output)
        else:
            frame["plane"] = self._plane(output)
        if self.drawn:
            frame["weights"] = [to_numpy(layer.weight).copy() for layer in run.linears]
            frame["biases"] = [to_numpy(layer.bias).copy() for layer in run.linears]
            if self.flat:
                frame["neurons"], frame["neuron_ranges"] = self._neurons(units)
        return frame

    def _looks(self) -> tuple[doctor.Look, ...]:
        """How many units of each hidden layer are dead or saturated on training rows."""
        run = self.run
        values = network.activations(run.model, self._sample)
        return tuple(
            doctor.look(f"hidden {i + 1}", layer.activation, value)
            for i, (layer, value) in enumerate(zip(run.layers, values, strict=False))
        )

    def _batch(self) -> np.ndarray:
        """Points of the batch just trained on, as indices into the drawn ones."""
        rows = self.run.last_batch()
        if self.stride > 1:
            rows = rows[rows % self.stride == 0] // self.stride
        return to_numpy(rows.int())

    def _plane(self, output: Tensor) -> dict[str, Any]:
        run = self.run
        if run.data.task == "regression":
            value = self._target(output[:, 0])
            lo, hi = self._range()
            return {"kind": "regression", "lo": lo, "hi": hi, "values": _bytes(value, lo, hi)}
        p = run.chosen.probabilities(output)
        if p.shape[1] == 2:
            return {"kind": "binary", "lo": 0.0, "hi": 1.0, "values": _bytes(p[:, 1], 0.0, 1.0)}
        best = p.T.contiguous().max(dim=0)  # along rows, where it is several times faster
        return {
            "kind": "classes",
            "lo": 0,
            "hi": p.shape[1] - 1,
            "values": to_numpy(best.indices.byte().reshape(PLANE, PLANE)),
            "confidence": _bytes(best.values, 0.0, 1.0),
        }

    def _range(self) -> tuple[float, float]:
        y = self._target(self.run.data.y_train)
        lo, hi = y.min().item(), y.max().item()
        return (lo, hi) if hi > lo else (lo - 0.5, hi + 0.5)

    def _line(self, output: Tensor) -> dict[str, Any]:
        x0, x1, _, _ = self.extent
        run = self.run
        if run.data.task == "regression":
            values = self._target(output)
        else:
            values = run.chosen.probabilities(output)
        at = x0 + (np.arange(PLANE, dtype=np.float32) + 0.5) / PLANE * (x1 - x0)
        return {"x": at.astype(np.float32), "values": to_numpy(values)}

    def _neurons(self, layers: list[Tensor]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Each unit's value over the plane, symmetric about 0, so that its sign can be seen."""
        values = torch.cat([layer.T for layer in (self.coarse, *layers)])  # (units, m²), a copy
        low, high = values.nan_to_num_(0.0, 0.0, 0.0).aminmax(dim=1, keepdim=True)
        top = torch.maximum(-low, high).clamp_min_(1e-12)
        images = values.mul_(127.5 / top).add_(127.5).round_().byte().reshape(-1, MAP, MAP)
        units = [layer.shape[1] for layer in (self.coarse, *layers)]
        maps = [to_numpy(part).copy() for part in images.split(units)]
        ranges = [to_numpy(part) for part in torch.cat([-top, top], dim=1).split(units)]
        return maps, ranges

    def _histograms(self) -> dict[str, list[dict[str, Any]]]:
        return histograms(self.run.linears, [layer["name"] for layer in self._layers()[1:]])


def histograms(layers: Sequence[Any], names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Histograms of the weights of layers, and of their gradients where they have some."""
    found: dict[str, list[dict[str, Any]]] = {"weights": [], "gradients": []}
    for name, layer in zip(names, layers, strict=True):
        found["weights"].append({"name": name, **_histogram(layer.weight.detach())})
        if layer.weight.grad is not None:
            found["gradients"].append({"name": name, **_histogram(layer.weight.grad)})
    return found


def _rows(run: Run) -> int:
    return sum(map(len, (run.data.x_train, run.data.x_val, run.data.x_test)))


def _components(x: Tensor) -> Tensor:
    """The two directions of largest variance, (F, 2); each one's largest entry is positive."""
    x = x[:: max(1, len(x) // 100_000)]  # of a huge table, a part that tells the same
    covariance = torch.cov(x.double().T)  # (F, F)
    basis = torch.linalg.eigh(covariance).eigenvectors[:, -2:].flip(1)
    largest = basis.abs().argmax(dim=0)
    return (basis * basis[largest, torch.arange(2)].sign()).float()


def _extent(points: Tensor, square: bool) -> tuple[float, float, float, float]:
    """A box a little larger than the points: (x0, x1, y0, y1)."""
    low, high = points.amin(dim=0), points.amax(dim=0)
    if square:  # made sets fill about -6 to 6
        half = max(6.0, points.abs().max().item() * 1.02)
        return (-half, half, -half, half)
    margin = torch.where(high > low, 0.06 * (high - low), 0.5)
    (x0, y0), (x1, y1) = (low - margin).tolist(), (high + margin).tolist()
    return (x0, x1, y0, y1)


def _bytes(values: Tensor, lo: float, hi: float) -> np.ndarray:
    scaled = (values - lo).mul_(255 / (hi - lo)).nan_to_num_(0.0).clamp_(0, 255).round_()
    return to_numpy(scaled.byte().reshape(PLANE, PLANE))


def _histogram(values: Tensor) -> dict[str, Any]:
    flat = to_numpy(values).ravel()
    lo, hi = float(flat.min()), float(flat.max())
    if not math.isfinite(lo + hi):
        flat = flat[np.isfinite(flat)]
        lo, hi = (float(flat.min()), float(flat.max())) if len(flat) else (0.0, 0.0)
    bins = ((flat - lo) * (_BINS / (hi - lo)) if hi > lo else np.zeros_like(flat)).astype(np.int64)
    counts = np.bincount(bins.clip(max=_BINS - 1), minlength=_BINS)
    return {"lo": lo, "hi": hi, "counts": counts.astype(np.int32)}


def _baseline(run: Run) -> Mapping[str, Any]:
    """What guessing without looking reaches: always the commonest class, or always the mean."""
    if run.data.task == "regression":
        return {"metric": 0.0, "text": "always predicting the mean"}
    counts = torch.bincount(run.data.y_train, minlength=len(run.data.classes))
    most = int(counts.argmax())
    share = counts[most].item() / max(int(counts.sum()), 1)
    return {"metric": share, "text": f"always predicting {run.data.classes[most]}"}
