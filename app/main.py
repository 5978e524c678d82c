"""What `streamlit run app/main.py` serves: the pages, the routes beside them, and what surrounds both."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # `streamlit run` puts only app/ there
    sys.path.insert(0, str(ROOT))
os.environ.setdefault(
    "PYTHONPATH", str(ROOT)
)  # else edits in components/ and models/ are not noticed

import asyncio  # noqa: E402 - the path comes first
import logging  # noqa: E402 - the path comes first
from collections.abc import AsyncIterator  # noqa: E402 - the path comes first
from contextlib import asynccontextmanager  # noqa: E402 - the path comes first
from functools import partial  # noqa: E402 - the path comes first

import streamlit as st  # noqa: E402 - the path comes first
from starlette.middleware import Middleware  # noqa: E402 - the path comes first

from app.middleware import DeepLinks, Look, Owner, SecurityHeaders  # noqa: E402 - the path comes first
from app.routes import ROUTES  # noqa: E402 - the path comes first
from app.warm import import_pages  # noqa: E402 - the path comes first
from models.core import runs  # noqa: E402 - the path comes first
from models.core.spec import SpecError  # noqa: E402 - the path comes first
from models.data import workspace  # noqa: E402 - the path comes first

_LOG = logging.getLogger("playground")


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Workers get ready while the first page loads, and end with the server."""
    workspace.settle()  # first: workers keep the folder that they start with
    client = runs.client()
    loop = asyncio.get_running_loop()
    warming = [loop.run_in_executor(None, job) for job in (partial(_warm, client), import_pages)]
    try:
        yield
    finally:
        client.close()
        await asyncio.gather(*warming)


def _warm(client: runs.Client) -> None:
    try:
        client.warm()
    except runs.RunError:  # closed again before it was ready
        return


def explain(error: Exception) -> bool:
    """What a learner sees instead of a traceback, which goes to the server's log."""
    _LOG.error("A page met an error.", exc_info=error)
    if isinstance(error, (SpecError, runs.RunError, PermissionError)):
        st.error(str(error))
    else:
        st.error(
            "This page met an error of the program and could not be drawn to its end. "
            "Your settings are still in the address: reload the page, or change the setting that you "
            "touched last. The details are in the server's log."
        )
    return True


app = st.App(
    ROOT / "app" / "ui.py",
    routes=ROUTES,
    middleware=[
        Middleware(SecurityHeaders),
        Middleware(DeepLinks),
        Middleware(Owner),
        Middleware(Look),
    ],
    lifespan=lifespan,
    on_script_error=explain,
)
