"""A plain loop is never paused, and a snapshot is a value."""

from __future__ import annotations

import dataclasses

import pytest

from models.core.control import Command, Control, Snapshot


def test_a_plain_loop_is_never_paused_commanded_or_asked_for_a_picture() -> None:
    control = Control()
    assert [control.gate(), control.gate(epoch_ended=True)] == [[], []]
    assert control.due() is False


def test_snapshots_and_commands_cannot_be_changed_and_share_nothing() -> None:
    one, other = Snapshot(0, 0.0), Snapshot(0, 0.0)
    assert one == other
    assert one.replies is not other.replies
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.step = 1  # type: ignore[misc]  # that is the point
    assert Command("set").args == {}
