"""
The calendar of a rollout: the one place where a decision asks whether exposure may rise by time.

Only what is about to rise is asked about: a freeze of another ring keeps nobody back. Rule: what brings
back an earlier version is never kept by a calendar.
"""

from collections.abc import Sequence
from datetime import datetime

from tidegate.domain.calendar.freezes import Freeze, Place, closer
from tidegate.domain.calendar.openings import Closer, closed_at, opens_at
from tidegate.domain.calendar.seen import ALWAYS_OPEN, CalendarSeen
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import must_prove_again
from tidegate.ports.store import Transaction
from tidegate.usecases.freezes import freezes_over, places_of


def calendar_seen(transaction: Transaction, rollout: Rollout, now: datetime) -> CalendarSeen:
    """Return what the calendar says to *rollout* at *now*."""
    if rollout.is_return or rollout.state is not State.WAITING:
        return ALWAYS_OPEN
    places = rising_places(rollout)
    freezes = freezes_over(transaction, places, organisation=rollout.organisation, now=now)
    return _seen(_closers(freezes), now)


def rising_places(rollout: Rollout) -> tuple[Place, ...]:
    """Return where exposure rises when the phase that is waited for begins."""
    if must_prove_again(rollout):
        # Everything was withdrawn: the phase brings back what earlier ones had reached, too.
        rising = {one.target for one in rollout.plan.exposure_within(rollout.phase_index)}
    else:
        rising = {move.placement.target for move in rollout.phase.moves}
    return tuple(place for place in places_of(rollout) if place.target in rising)


def _closers(freezes: Sequence[Freeze]) -> tuple[Closer, ...]:
    return tuple(closer(freeze) for freeze in freezes)


def _seen(closers: Sequence[Closer], now: datetime) -> CalendarSeen:
    closed = closed_at(closers, now)
    if not closed:
        return ALWAYS_OPEN
    return CalendarSeen(
        closed_because="; ".join(one.because for one in closed), opens_at=opens_at(closers, now)
    )
