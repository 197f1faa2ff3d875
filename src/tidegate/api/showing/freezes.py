"""Freezes as they are shown."""

from datetime import datetime
from typing import Literal

from tidegate.api.shapes import freezes as shapes
from tidegate.domain.calendar.freezes import Freeze
from tidegate.usecases.calendar_exceptions import ExceptionGiven
from tidegate.usecases.freezes import FreezeAdded, FreezeLifted


def show_freeze(freeze: Freeze, *, now: datetime) -> shapes.Freeze:
    """Return *freeze* as it is shown at *now*."""
    return shapes.Freeze(
        number=freeze.number,
        scope=freeze.scope.value,
        name=freeze.name,
        since=freeze.since,
        until=freeze.until,
        reason=freeze.reason,
        by=freeze.by,
        at=freeze.at,
        allows_exceptions=freeze.allows_exceptions,
        organisation=freeze.organisation,
        lifted_at=freeze.lifted_at,
        lifted_by=freeze.lifted_by,
        lift_reason=freeze.lift_reason,
        state=_state(freeze, now),
    )


def show_added(added: FreezeAdded, *, now: datetime) -> shapes.FreezeAdded:
    """Return a freeze that was announced, with what it covers."""
    return shapes.FreezeAdded(
        freeze=show_freeze(added.freeze, now=now), waiting=[*added.waiting], as_of=now
    )


def show_lifted(lifted: FreezeLifted, *, now: datetime) -> shapes.FreezeLifted:
    """Return a freeze that was ended, with what it let go."""
    return shapes.FreezeLifted(
        freeze=show_freeze(lifted.freeze, now=now), released=[*lifted.released], as_of=now
    )


def show_exception(given: ExceptionGiven, *, now: datetime) -> shapes.ExceptionGiven:
    """Return an exception that was given."""
    return shapes.ExceptionGiven(
        number=given.exception.number,
        rollout=given.exception.rollout,
        phase=given.phase,
        reason=given.exception.reason,
        by=given.exception.by,
        at=given.exception.at,
        expires_at=given.exception.expires_at,
        left=given.left,
        as_of=now,
    )


def _state(freeze: Freeze, now: datetime) -> Literal["ahead", "in_force", "over", "lifted"]:
    if freeze.is_lifted:
        return "lifted"
    if freeze.until <= now:
        return "over"
    return "in_force" if freeze.is_in_force(now) else "ahead"
