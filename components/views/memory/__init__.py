"""The line of memory behind tensors, and how each of them walks through it."""

from __future__ import annotations

from components.views import mount
from models.tensor_ops.properties import Storage


def memory(storage: Storage, *, key: str, height: int = 300) -> None:
    """Draw one storage as a line of cells and every view's path over it; play walks in reading order."""
    names = ", ".join(v.name for v in storage.views)
    mount.view(
        "memory",
        {
            "cells": storage.cells,
            "values": list(storage.values),
            "dtype": storage.dtype.removeprefix("torch."),
            "itemsize": storage.itemsize,
            "views": [
                {
                    "name": v.name,
                    "shape": list(v.shape),
                    "stride": list(v.stride),
                    "offset": v.offset,
                    "path": list(v.path),
                    "kind": v.kind,
                }
                for v in storage.views
            ],
        },
        key=key,
        height=height,
        alt=f"{storage.cells} memory cells seen by {names}; each tensor's path through them.",
    )
