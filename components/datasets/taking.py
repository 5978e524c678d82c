"""How an upload becomes a data set: a worker takes it in, its progress is shown, and the address follows."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import streamlit as st

from components import address, controls, session
from models.core import runs
from models.core.spec import Spec, SpecError
from models.data import workspace


@dataclass(frozen=True)
class Intake:
    """One kind of data.

    Attributes:
        prefix: of its page's parameters; `<prefix>-data` names the set.
        module: the topic that takes uploads in; its last frame holds {"dataset", "name"}, and perhaps "also", further
            sets of the same upload as (id, name), and "keep" where the upload itself stays.
        doing: what the progress bar says.
        cleared: settings that concern only the set before.
    """

    prefix: str
    module: str
    doing: str
    cleared: tuple[str, ...] = ()

    def begin(self, spec: Spec) -> None:
        """Start a worker on an upload; call from a callback."""
        try:
            run = session.client().start(self.module, spec, owner=session.owner())
        except runs.RunError as error:
            self.fail(SpecError(str(error)))
            return
        st.session_state[f"{self.prefix}:intake"] = (*self._under_way(), run)

    def fail(self, error: SpecError) -> None:
        """Have the next run of the page say it."""
        st.session_state[f"{self.prefix}:intake-error"] = error

    def news(self) -> None:
        """How far it is, or why it failed; draw it where the set is chosen."""
        if error := session.told(f"{self.prefix}:intake-error"):
            controls.explain(error)
        if waiting := self._under_way():
            self._progress(waiting[0])
            if len(waiting) > 1:
                st.caption(f"{len(waiting) - 1} more to come.")

    def _under_way(self) -> tuple[str, ...]:
        """The runs that take uploads in, the first one first."""
        return st.session_state.get(f"{self.prefix}:intake", ())

    def name(self, data: str) -> str:
        """The uploader's word for a set, also when it is gone."""
        try:
            return workspace.about(data.removeprefix("upload:")).name
        except SpecError:
            return "not on this server"

    def manage(self, data: str, file: str, mime: str, own: bool = True, with_it: str = "") -> None:
        """Download or delete an own set, and the upload `with_it` that it was made of."""
        id = data.removeprefix("upload:")
        with st.container(horizontal=True):
            st.download_button(
                "Download",
                workspace.get(id).read_bytes,
                file,
                mime,
                key=f"{self.prefix}-download",
                icon=":material/download:",
                on_click="ignore",
                help="What was taken in, cleaned. The script reads this file.",
            )
            if own:
                st.button(
                    "Delete",
                    icon=":material/delete:",
                    key=f"{self.prefix}-delete",
                    on_click=self._delete,
                    args=(id, with_it),
                    help="Take this set out of your list; nobody else's is touched.",
                )

    def _delete(self, *ids: str) -> None:
        for id in filter(None, ids):
            with suppress(SpecError):  # gone already
                workspace.forget(id, session.owner())
        address.put(f"{self.prefix}-data", None)

    @address.every(0.5)
    def _progress(self, run: str) -> None:
        client, me = session.client(), session.owner()
        status = client.status(run, me)
        if status.state in ("queued", "running"):
            share = min(1.0, max(0.0, status.epoch))
            st.progress(share, f"{self.doing}: {status.step} done ({share:.0%})")
            return
        if run not in self._under_way():
            return
        if status.state == "done":
            frame = client.history(run)["frame"]
            spec, dataset = client.spec(run), str(frame["dataset"])
            original = str(getattr(spec, "data", "")).removeprefix("upload:")
            also = [(str(id), str(name)) for id, name in frame.get("also", ())]
            for id, name in ((dataset, str(frame["name"])), *also):
                workspace.claim(id, name, me)
            if original not in (dataset, *(id for id, _ in also)) and not frame.get("keep"):
                with suppress(SpecError):  # gone: an earlier run was cut short after this
                    workspace.forget(original, me)  # everything good of it is in the clean file
            settings = {"data": f"upload:{dataset}", **dict.fromkeys(self.cleared, "")}
            for name, value in settings.items():
                address.put(f"{self.prefix}-{name}", value)
        else:
            self.fail(SpecError(status.message, "data", status.detail))
        left = tuple(r for r in self._under_way() if r != run)
        # last: a run cut short before begins again
        st.session_state[f"{self.prefix}:intake"] = left
        st.rerun()
