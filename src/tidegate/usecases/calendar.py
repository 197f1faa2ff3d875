"""
The calendar of a rollout: the one place where a decision asks whether exposure may rise by time.

Only what is about to rise is asked about: a freeze of another ring keeps nobody back. Rule: what brings
back an earlier version is never kept by a calendar, and neither is what an emergency authorised.
"""

from collections.abc import Sequence
from datetime import datetime

from tidegate.domain.calendar.freezes import closer
from tidegate.domain.calendar.openings import Closer, closed_at, opens_at
from tidegate.domain.calendar.seen import ALWAYS_OPEN, CalendarSeen
from tidegate.domain.quantities import TargetName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import must_prove_again
from tidegate.ports.store import Transaction
from tidegate.usecases.freezes import freezes_over, place_of, target_of
from tidegate.usecases.windows import window_closers


def calendar_seen(transaction: Transaction, rollout: Rollout, now: datetime) -> CalendarSeen:
    """Return what the calendar says to *rollout* at *now*."""
    if rollout.is_return or rollout.state is not State.WAITING:
        return ALWAYS_OPEN
    if rollout.emergency_id is not None:
        # Two people said that it can't wait; stop orders hold it all the same.
        return ALWAYS_OPEN
    return _seen(rise_closers(transaction, rollout, now), now)


def rise_closers(transaction: Transaction, rollout: Rollout, now: datetime) -> tuple[Closer, ...]:
    """Return what may close the calendar, from *now* on, to the phase that *rollout* waits for."""
    targets = [target_of(rollout.targets, name) for name in rising_targets(rollout)]
    places = [place_of(rollout.service, target) for target in targets]
    freezes = freezes_over(transaction, places, organisation=rollout.organisation, now=now)
    return (
        *(closer(freeze) for freeze in freezes),
        *window_closers(rollout.phase.window, targets),
    )


def rising_targets(rollout: Rollout) -> tuple[TargetName, ...]:
    """Return where exposure rises when the phase that is waited for begins."""
    if must_prove_again(rollout):
        # Everything was withdrawn: the phase brings back what earlier ones had reached, too.
        within = rollout.plan.exposure_within(rollout.phase_index)
        return tuple(dict.fromkeys(placement.target for placement in within))
    return tuple(dict.fromkeys(move.placement.target for move in rollout.phase.moves))


def _seen(closers: Sequence[Closer], now: datetime) -> CalendarSeen:
    closed = closed_at(closers, now)
    if not closed:
        return ALWAYS_OPEN
    return CalendarSeen(
        closed_because="; ".join(one.because for one in closed), opens_at=opens_at(closers, now)
    )
