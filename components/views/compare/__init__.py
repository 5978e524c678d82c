"""Two pictures of the same place, one over the other, with a divider to drag."""

from __future__ import annotations

import base64

import numpy as np
from torch import Tensor

from components.views import mount
from models.core import device


def compare(
    before: bytes,
    after: bytes,
    *,
    key: str,
    alt: str,
    values: Tensor | None = None,
    labels: tuple[str, str] = ("before", "after"),
    height: int = 460,
) -> None:
    """Draw two PNG files over each other; the divider follows the pointer's drag or the arrow keys.

    Args:
        values: (C, H, W), the numbers behind `after`; pointing reads them where they are few enough to send.
    """
    small = values is not None and values.numel() <= 60_000
    mount.view(
        "compare",
        {
            "before": base64.b64encode(before).decode(),
            "after": base64.b64encode(after).decode(),
            "labels": list(labels),
            "values": device.to_numpy(values).astype(np.float32)
            if values is not None and small
            else None,
        },
        key=key,
        height=height,
        alt=alt,
    )
