"""
The calendar of a rollout: the one place where a decision asks whether exposure may rise by time.

Only what is about to rise is asked about: a freeze of another ring keeps nobody back. Rule: what brings
back an earlier version is never kept by a calendar, and neither is what an emergency authorised.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from tidegate.domain.calendar.exceptions import CalendarException, describe
from tidegate.domain.calendar.freezes import Freeze, closer
from tidegate.domain.calendar.openings import Closer, closed_at, opens_at
from tidegate.domain.calendar.seen import ALWAYS_OPEN, CalendarSeen
from tidegate.domain.plan.model import TargetSpec
from tidegate.domain.quantities import TargetName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import must_prove_again
from tidegate.ports.store import Transaction
from tidegate.usecases.emergency_records import EMERGENCIES
from tidegate.usecases.freezes import freezes_over, place_of, target_of
from tidegate.usecases.shelves import Shelf
from tidegate.usecases.windows import window_closers, working_day_missing

NUMBER_DIGITS: Final = 8
EXCEPTIONS_READ: Final = 200
"""More than any budget gives in the longest time that one may be counted over."""

EXCEPTIONS: Final = Shelf(
    kind="calendar_exception",
    type=CalendarException,
    id_of=lambda exception: f"{exception.number:0{NUMBER_DIGITS}}",
    at=lambda exception: exception.at,
    is_open=lambda _: True,
    service_of=lambda exception: exception.service,
)


def calendar_seen(transaction: Transaction, rollout: Rollout, now: datetime) -> CalendarSeen:
    """Return what the calendar says to *rollout* at *now*."""
    if rollout.is_return:
        return ALWAYS_OPEN
    if rollout.state is not State.WAITING:
        # An emergency takes time from a plan; a bake of days would give it back.
        return ALWAYS_OPEN if is_emergency(transaction, rollout) else _working_day(rollout, now)
    seen = _seen(rise_closers(transaction, rollout, now), now)
    if seen.is_open:
        return seen
    if is_emergency(transaction, rollout):
        return CalendarSeen(excepted=f"emergency {rollout.emergency_id}")
    exception = exception_for(transaction, rollout, rollout.phase_index, now)
    if exception is None:
        return seen
    left = _seen(rise_closers(transaction, rollout, now, exception), now)
    if left.is_open:
        return replace(left, excepted=describe(exception))
    return replace(left, opens_at=_earlier(left.opens_at, exception, seen.opens_at))


def _earlier(
    excepted: datetime | None, exception: CalendarException, routine: datetime | None
) -> datetime | None:
    """Return when it opens: by *exception* if it lasts until then, else as if there were none."""
    if excepted is None or excepted >= exception.expires_at:
        return routine
    return excepted if routine is None else min(excepted, routine)


def is_emergency(transaction: Transaction, rollout: Rollout) -> bool:
    """
    Return whether *rollout* is carried out under an emergency that two people agreed to and nobody closed.

    Neither window nor freeze keeps it: somebody would lift them, and let everything else through as well.
    What shall keep even an emergency back is a stop order.
    """
    if rollout.emergency_id is None:
        return False
    emergency = EMERGENCIES.get(transaction, rollout.emergency_id)
    return (
        emergency is not None
        and emergency.is_open
        and emergency.authorised_at is not None
        and rollout.id in emergency.rollouts
    )


def exception_for(
    transaction: Transaction, rollout: Rollout, phase_index: int, now: datetime
) -> CalendarException | None:
    """Return the exception that holds for a phase of *rollout* at *now*, None when none does."""
    given = EXCEPTIONS.latest(transaction, service=rollout.service, limit=EXCEPTIONS_READ)
    return next(
        (one for one in given if one.holds(rollout.id, phase_index, rollout.attempt, now)), None
    )


def without_exception(transaction: Transaction, rollout: Rollout, now: datetime) -> str:
    """Return what is closed at *now* that no exception could pass over, in words; "" for nothing."""
    freezes = [one for one in _freezes(transaction, rollout, now) if not one.allows_exceptions]
    return _seen([closer(freeze) for freeze in freezes], now).closed_because


def rise_closers(
    transaction: Transaction,
    rollout: Rollout,
    now: datetime,
    exception: CalendarException | None = None,
) -> tuple[Closer, ...]:
    """
    Return what may close the calendar, from *now* on, to the phase that *rollout* waits for.

    What *exception* passes over is left out.
    """
    freezes = _freezes(transaction, rollout, now)
    if exception is not None:
        return tuple(closer(one) for one in freezes if not exception.passes_over(one))
    return (
        *(closer(freeze) for freeze in freezes),
        *window_closers(rollout.phase.window, _rising(rollout)),
    )


def _rising(rollout: Rollout) -> list[TargetSpec]:
    return [target_of(rollout.targets, name) for name in rising_targets(rollout)]


def _freezes(transaction: Transaction, rollout: Rollout, now: datetime) -> tuple[Freeze, ...]:
    places = [place_of(rollout.service, target) for target in _rising(rollout)]
    return freezes_over(transaction, places, organisation=rollout.organisation, now=now)


def rising_targets(rollout: Rollout) -> tuple[TargetName, ...]:
    """Return where exposure rises when the phase that is waited for begins."""
    if must_prove_again(rollout):
        # Everything was withdrawn: the phase brings back what earlier ones had reached, too.
        within = rollout.plan.exposure_within(rollout.phase_index)
        return tuple(dict.fromkeys(placement.target for placement in within))
    return tuple(dict.fromkeys(move.placement.target for move in rollout.phase.moves))


def _working_day(rollout: Rollout, now: datetime) -> CalendarSeen:
    """Return whether the present bake has had a whole working day, where it must."""
    hours = rollout.phase.working_day
    if hours is None:
        return ALWAYS_OPEN
    moved = dict.fromkeys(move.placement.target for move in rollout.phase.moves)
    targets = [target_of(rollout.targets, name) for name in moved]
    # Since the last hold: a day of which hours weren't watched isn't a whole one.
    since = max(rollout.state_since, rollout.phase_since)
    missing, by = working_day_missing(hours, targets, since, now)
    return CalendarSeen(working_day_missing=missing, working_day_by=by)


def _seen(closers: Sequence[Closer], now: datetime) -> CalendarSeen:
    closed = closed_at(closers, now)
    if not closed:
        return ALWAYS_OPEN
    return CalendarSeen(
        closed_because="; ".join(one.because for one in closed), opens_at=opens_at(closers, now)
    )
