"""A server that shows every view: the modules' routes and made-up runs that move on at each poll."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - the root must be on the path first
import streamlit as st  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import FileResponse, Response  # noqa: E402
from starlette.routing import Route  # noqa: E402

from app import routes  # noqa: E402
from app.middleware import SecurityHeaders  # noqa: E402
from models.core import wire  # noqa: E402

EPOCHS = 60
polls: dict[str, int] = {}


def grid(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the cells of the plane [-6, 6]², row 0 at the bottom."""
    axis = np.linspace(-6, 6, n)
    return np.meshgrid(axis, axis)


def scene(task: str = "classification", classes: int = 2) -> dict:
    rng = np.random.default_rng(0)
    xy = rng.uniform(-5.5, 5.5, (240, 2)).astype("float32")
    if task == "regression":
        y = (xy[:, 0] * 0.5 + np.sin(xy[:, 1])).astype("float32")
    elif classes == 2:
        y = (np.hypot(*xy.T) < 3.2).astype("int32")
    else:
        y = (np.floor((np.arctan2(xy[:, 1], xy[:, 0]) + math.pi) / (2 * math.pi) * classes)).astype(
            "int32"
        ) % classes
    return {
        "task": task,
        "classes": ["versicolor", "setosa", "virginica", "a fourth"][:classes]
        if task == "classification"
        else [],
        "features": ["petal length (cm)", "petal width (cm)", "sepal length (cm)"],
        "layers": [
            {"name": "input", "kind": "input", "units": 3},
            {"name": "hidden 1", "kind": "hidden", "units": 4, "activation": "Tanh"},
            {"name": "hidden 2", "kind": "hidden", "units": 2, "activation": "ReLU"},
            {"name": "output", "kind": "output", "units": 1},
        ],
        "points": {
            "x": xy,
            "y": y,
            "split": (np.arange(240) % 5 // 3 * (1 + np.arange(240) % 2)).astype("uint8"),
        },
        "axes": ["petal length (cm)", "petal width (cm)"],
        "extent": [-6.0, 6.0, -6.0, 6.0],
        "metric": "accuracy",
        "epochs": EPOCHS,
        "batches_per_epoch": 24,
        "range": [-3.7, 3.7],
        "target": "progression",
    }


def frame(epoch: float, task: str = "classification", classes: int = 2) -> dict:
    u, v = grid()
    grow = min(1.0, epoch / 30)
    if task == "regression":
        value = grow * (u * 0.5 + np.sin(v))
        plane = {
            "kind": "regression",
            "lo": -4.0,
            "hi": 4.0,
            "values": ((value + 4) / 8 * 255).clip(0, 255),
        }
    elif classes == 2:
        plane = {
            "kind": "binary",
            "lo": 0.0,
            "hi": 1.0,
            "values": 255 / (1 + np.exp((np.hypot(u, v) - 3.2) * 2 * grow)),
        }
    else:
        angle = (np.arctan2(v, u) + math.pi) / (2 * math.pi) * classes
        sure = 1 - np.abs((angle % 1) - 0.5)
        plane = {
            "kind": "classes",
            "values": np.floor(angle) % classes,
            "confidence": (sure * 255).astype("uint8"),
        }
    plane["values"] = plane["values"].astype("uint8")
    rng = np.random.default_rng(1)
    sizes = [3, 4, 2, 1]
    weights = [
        rng.normal(0, 1, (o, i)).astype("float32") * (0.3 + grow)
        for i, o in itertools.pairwise(sizes)
    ]
    biases = [rng.normal(0, 0.5, o).astype("float32") for o in sizes[1:]]
    small = np.linspace(-1, 1, 20)
    su, sv = np.meshgrid(small, small)
    maps = [
        np.stack(
            [
                127 + 120 * np.tanh((su * math.cos(k + i) + sv * math.sin(k * 2 + i)) * (1 + k))
                for k in range(n)
            ]
        ).astype("uint8")
        for i, n in enumerate(sizes)
    ]
    counts = (400 * np.exp(-(np.linspace(-2, 2, 40) ** 2) * (1 + 2 * grow))).astype("int32")
    bars = [
        {"name": f"layer {i + 1}.weight", "lo": -1.5 - i, "hi": 1.5 + i, "counts": counts}
        for i in range(3)
    ]
    return {
        "epoch": epoch,
        "step": int(epoch * 24),
        "batch": ((np.arange(10) * 7 + int(epoch)) % 240).astype("int32"),
        "plane": plane,
        "neurons": maps,
        "neuron_ranges": [
            np.stack([np.full(n, -1.0), np.full(n, 1.0)], 1).astype("float32") for n in sizes
        ],
        "weights": weights,
        "biases": biases,
        "histograms": {
            "weights": bars,
            "gradients": [b | {"lo": b["lo"] / 1e4, "hi": b["hi"] / 1e4} for b in bars],
        },
    }


def row(epoch: int) -> dict:
    wobble = 0.05 * math.sin(epoch * 1.7)
    return {
        "epoch": epoch,
        "step": epoch * 24,
        "train_loss": 0.7 * math.exp(-epoch / 15) + 0.02 + 0.1 * wobble**2,
        "val_loss": 0.75 * math.exp(-epoch / 18) + 0.06 + wobble / 4,
        "train_metric": 1 - 0.5 * math.exp(-epoch / 10),
        "val_metric": 0.97 - 0.5 * math.exp(-epoch / 12) + wobble / 4,
        "penalty": 0.01 * (1 - math.exp(-epoch / 20)),
        "lr": 0.03 * (0.5 + 0.5 * math.cos(epoch / EPOCHS * math.pi)),
        "grad_norm": math.exp(-epoch / 12) + 0.01,
        "ratio/0": 0.003 * math.exp(-epoch / 20),
        "ratio/1": 0.002 * math.exp(-epoch / 25) + 1e-4,
        "seconds": epoch * 0.05,
    }


def kind_of(run: str) -> tuple[str, int]:
    if "regression" in run:
        return "regression", 0
    return "classification", 4 if "classes" in run else 2


async def poll(request: Request) -> Response:
    run = request.path_params["run"]
    since = int(request.query_params["since"] or 0)
    if run.startswith("gone"):
        return Response(status_code=404)
    polls[run] = polls.get(run, 0) + 1
    if run.startswith("shaky") and 6 < polls[run] < 11:
        return Response(status_code=503)
    now = min(EPOCHS, max(since, polls[run] * 2))
    if run.startswith("still"):
        now = 12
    state = "done" if now == EPOCHS else "paused" if run.startswith("still") else "running"
    body = {
        "state": state,
        "position": None,
        "message": "",
        "mine": not run.endswith("theirs"),
        "cursor": now,
        "reset": since == 0,
        "step": now * 24,
        "epoch": now,
        "rate": {"epochs_per_second": 20.0, "samples_per_second": 4800.0},
        "rows": [row(e) for e in range(since + 1, now + 1)],
        "events": [],
        "frames": list(range(0, now, 5)),
    }
    if since == 0:
        body["scene"] = scene(*kind_of(run))
    if now > since:
        body["frame"] = frame(now, *kind_of(run))
    return Response(wire.dumps(body), media_type="application/json")


async def past(request: Request) -> Response:
    epoch = float(request.query_params["epoch"])
    return Response(
        wire.dumps(frame(epoch, *kind_of(request.path_params["run"]))),
        media_type="application/json",
    )


async def laws(request: Request) -> Response:
    return FileResponse(
        ROOT / "tests" / "js" / request.path_params["name"], media_type="text/javascript"
    )


app = st.App(
    Path(__file__).parent / "views_page.py",
    routes=[
        Route("/assets/plotly.min.js", routes.plotly_js),
        Route("/assets/views/{path:path}", routes.view),
        Route("/api/runs/{run}/frame", past),
        Route("/api/runs/{run}", poll),
        Route("/laws/{name}", laws),
    ],
    middleware=[Middleware(SecurityHeaders)],
)
