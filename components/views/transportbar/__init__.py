"""Where a run stands: state, epoch, rate, time left; a slider back to any past epoch, moving all its views."""

from __future__ import annotations

from collections.abc import Callable

from components.views import mount


def transportbar(
    run: str | None,
    *,
    key: str,
    seekable: bool = True,
    on_seek: Callable[[float], None] | None = None,
    state: str | None = None,
    on_state: Callable[[str], None] | None = None,
    alt: str = "Progress of the run; the slider shows a past epoch.",
    empty: str = "No run yet.",
) -> float | None:
    """Show the progress of `run`; scrubbing its slider shows the past in every view of that run on the page.

    Args:
        state: how the script knows the run; when it ends, stands still or goes on by itself, `on_state` gets its
            state and the script reruns. None: never.

    Returns:
        The epoch to continue from, when its owner asked for that in this rerun (`seekable`); `on_seek` gets it
        before the rerun.
    """
    told = mount.view(
        "transportbar",
        {"run": run, "seekable": seekable, "state": state, "empty": empty},
        key=key,
        height=None,
        alt=alt,
        events={
            "seek": (lambda v: on_seek(float(v["epoch"]))) if on_seek else None,
            "state": (lambda v: on_state(str(v["state"]))) if on_state else None,
        },
    )
    return float(told["seek"]["epoch"]) if told["seek"] else None
