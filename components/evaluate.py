"""What a learner wrote, computed where it can be ended: never in this process."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from components import session
from models.core.runs import Overrun, RunError
from models.core.runs.client import Unwanted
from models.core.spec import SpecError

EXPRESSION = 2.0  # seconds that one expression may compute
PROGRAM = 8.0  # … and a program


def ask(function: str, *args: Any, seconds: float = EXPRESSION, field: str = "") -> Any:
    """What `"models.topic:function"` answers to these arguments.

    Args:
        field: the setting to point at when the question had to be ended.

    Raises:
        SpecError: the function's own refusal, or a sentence about time, memory or a crash.
    """
    owner, context = session.owner(), get_script_run_ctx()

    def wanted() -> bool:
        # the page was closed; Streamlit has no public word for it
        requests = getattr(context, "script_requests", None)
        return getattr(getattr(requests, "_state", None), "name", "") != "STOP"

    try:
        return session.client().ask(function, *args, owner=owner, seconds=seconds, wanted=wanted)
    except Unwanted:
        st.stop()
    except (Overrun, RunError) as error:
        raise SpecError(str(error), field) from None
