"""
Freezes: announcing one, ending one early, and which of them cover what is about to rise.

A freeze is read with every decision while a rollout waits, and once more in the transaction that records
a rise. Whoever wants to stop what is happening right now gives a stop order instead.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.access.model import Caller
from tidegate.domain.calendar.freezes import (
    Freeze,
    FreezeScope,
    Place,
    covered,
    covering,
    describe,
)
from tidegate.domain.plan.model import TargetSpec
from tidegate.domain.quantities import Environment, RolloutId, ServiceName, TargetName
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.errors import InvalidRequestError, NotFoundError, RefusedError
from tidegate.ports.store import Transaction
from tidegate.usecases.commands import need_reason
from tidegate.usecases.outside import Outside, unknown_service
from tidegate.usecases.record import note_fact
from tidegate.usecases.shelves import Shelf

NUMBER_DIGITS: Final = 8
LATEST_NUMBER: Final = 10**NUMBER_DIGITS - 1

LONGEST_FREEZE: Final = timedelta(days=366)
"""What is closed for longer isn't frozen but given up, or the year was mistyped."""

FURTHEST_AHEAD: Final = timedelta(days=3 * 366)

FREEZES: Final = Shelf(
    kind="freeze",
    type=Freeze,
    id_of=lambda freeze: _id(freeze.number),
    at=lambda freeze: freeze.at,
    # One that has ended by itself stays open here: whoever reads it knows what time it is.
    is_open=lambda freeze: not freeze.is_lifted,
    service_of=lambda _: None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeAdded:
    """A freeze on record. `waiting` are the unfinished rollouts whose next rise it would keep back."""

    freeze: Freeze
    waiting: tuple[RolloutId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeLifted:
    """A freeze that is over. `released` are the rollouts that waited for the calendar under it."""

    freeze: Freeze
    released: tuple[RolloutId, ...]


def freezes_over(
    transaction: Transaction, places: Iterable[Place], *, organisation: str, now: datetime
) -> tuple[Freeze, ...]:
    """Return the freezes that close any of *places* at *now* or later, in the order they were made."""
    known = [freeze for freeze in FREEZES.open(transaction) if now < freeze.until]
    return covering(known, places, organisation=organisation)


def places_of(rollout: Rollout) -> tuple[Place, ...]:
    """Return every place that the plan of *rollout* moves."""
    moved = dict.fromkeys(placement.target for placement in rollout.plan.placements())
    return tuple(place_of(rollout.service, target_of(rollout.targets, name)) for name in moved)


def place_of(service: ServiceName, target: TargetSpec) -> Place:
    """Return *target* as a place of *service*."""
    return Place(
        service=service, target=target.name, ring=target.ring, environment=target.environment
    )


def target_of(targets: Iterable[TargetSpec], name: TargetName) -> TargetSpec:
    """Return what is known of the target *name*; what isn't known is taken for production."""
    unknown = TargetSpec(name=name, ring="", environment=Environment.PRODUCTION, settings_json="{}")
    return next((target for target in targets if target.name == name), unknown)


async def add_freeze(
    outside: Outside,
    caller: Caller,
    *,
    scope: FreezeScope,
    name: str,
    since: datetime | None,
    until: datetime,
    reason: str,
    allows_exceptions: bool | None,
) -> FreezeAdded:
    """
    Announce a freeze.

    Args:
        outside: The world.
        caller: Who announces it. One who isn't the server's own freezes only their organisation.
        scope: How much it covers.
        name: The service, ring or environment; empty for everything.
        since: When it begins; None for at once.
        until: When it ends by itself.
        reason: Why.
        allows_exceptions: Whether a budgeted exception lets a rollout through; None takes the default:
            not for one of everything, yes for a narrower one.

    Raises:
        InvalidRequestError: *name* doesn't fit *scope*, the times don't fit, or there is no reason.
        NotFoundError: there is no such service; nothing was frozen.
        StoreError: it couldn't be recorded; it isn't in force.
    """
    _check_name(scope, name)
    why = need_reason(reason, "a freeze")
    now = outside.clock.now()
    begins = now if since is None else since
    _check_times(begins, until, now)
    with outside.store.begin() as transaction:
        if scope is FreezeScope.SERVICE and transaction.service(ServiceName(name)) is None:
            raise unknown_service(ServiceName(name))
        freeze = Freeze(
            number=_next_number(transaction),
            scope=scope,
            name=name,
            since=begins,
            until=until,
            reason=why,
            by=caller.name,
            at=now,
            allows_exceptions=scope is not FreezeScope.EVERYTHING
            if allows_exceptions is None
            else allows_exceptions,
            organisation=None if caller.is_root else caller.organisation,
        )
        FREEZES.put(transaction, freeze)
        note_fact(
            transaction,
            at=now,
            actor=caller.name,
            kind="command",
            rule="add-freeze",
            because=describe(freeze),
            service=name if scope is FreezeScope.SERVICE else "",
            details={
                "number": freeze.number,
                "scope": scope.value,
                "since": begins.isoformat(),
                "until": until.isoformat(),
                "allows_exceptions": freeze.allows_exceptions,
                "organisation": freeze.organisation,
            },
        )
    return FreezeAdded(freeze=freeze, waiting=await asyncio.to_thread(_wake, outside, freeze))


async def lift_freeze(
    outside: Outside, caller: Caller, number: int, *, reason: str
) -> FreezeLifted:
    """
    End a freeze before its time. Lifting what is lifted changes nothing.

    Raises:
        NotFoundError: there is no such freeze.
        InvalidRequestError: no reason was given.
        RefusedError: it has ended by itself.
    """
    why = need_reason(reason, "lifting a freeze")
    now = outside.clock.now()
    with outside.store.begin() as transaction:
        freeze = find_freeze(transaction, number)
        if freeze.is_lifted:
            return FreezeLifted(freeze=freeze, released=())
        if freeze.until <= now:
            raise RefusedError(
                f"freeze {number} ended by itself at {freeze.until.isoformat()}",
                hint="there is nothing to lift; `tidegate freeze list` shows what is in force",
            )
        freeze = replace(freeze, lifted_at=now, lifted_by=caller.name, lift_reason=why)
        FREEZES.put(transaction, freeze)
        note_fact(
            transaction,
            at=now,
            actor=caller.name,
            kind="command",
            rule="lift-freeze",
            because=f"freeze {number} of {covered(freeze)}: {why}",
            service=freeze.name if freeze.scope is FreezeScope.SERVICE else "",
            details={"number": number, "organisation": freeze.organisation},
        )
    return FreezeLifted(freeze=freeze, released=await asyncio.to_thread(_wake, outside, freeze))


def find_freeze(transaction: Transaction, number: int) -> Freeze:
    """Return the freeze *number*. Raises NotFoundError when there is none."""
    known = 1 <= number <= LATEST_NUMBER
    freeze = FREEZES.get(transaction, _id(number)) if known else None
    if freeze is None:
        raise no_such_freeze(number)
    return freeze


def no_such_freeze(number: int) -> NotFoundError:
    """Return the error for a freeze that isn't there."""
    return NotFoundError(
        f"there is no freeze {number}", hint="`tidegate freeze list --all` lists them"
    )


def _id(number: int) -> str:
    return f"{number:0{NUMBER_DIGITS}}"


def _check_name(scope: FreezeScope, name: str) -> None:
    if (scope is FreezeScope.EVERYTHING) == bool(name):
        raise InvalidRequestError(
            f"a freeze of {scope.value} names {name or 'nothing'!r}",
            hint="name the service, ring or environment to freeze; everything has no name",
        )
    if scope is FreezeScope.ENVIRONMENT and name not in {one.value for one in Environment}:
        raise InvalidRequestError(
            f"there is no environment {name!r}",
            hint=f"it is one of: {', '.join(one.value for one in Environment)}",
        )


def _check_times(since: datetime, until: datetime, now: datetime) -> None:
    if until <= since or until <= now:
        raise InvalidRequestError(
            f"a freeze from {since.isoformat()} until {until.isoformat()} closes nothing",
            hint="it has to end after it begins, and after now",
        )
    if until - since > LONGEST_FREEZE or since - now > FURTHEST_AHEAD:
        raise InvalidRequestError(
            f"a freeze from {since.isoformat()} until {until.isoformat()} is too long or too far off",
            hint=f"it lasts at most {LONGEST_FREEZE.days} days; what must stop for longer, or until"
            " somebody says so, is a stop order: tidegate halt --all",
        )


def _next_number(transaction: Transaction) -> int:
    latest = FREEZES.latest(transaction, limit=1)
    number = latest[0].number + 1 if latest else 1
    # The latest by time isn't the latest by number when the clock was set back.
    while FREEZES.get(transaction, _id(number)) is not None:
        number += 1
    return number


def _wake(outside: Outside, freeze: Freeze) -> tuple[RolloutId, ...]:
    """Have what the freeze covers looked at again; return what waits for the calendar or would."""
    with outside.store.begin(read_only=True) as transaction:
        unfinished = transaction.unfinished()
    found = [
        rollout
        for rollout in unfinished
        if not (rollout.is_return or rollout.is_final)
        and covering([freeze], places_of(rollout), organisation=rollout.organisation)
    ]
    for rollout in found:
        outside.wake(rollout.id)
    return tuple(
        rollout.id
        for rollout in found
        if not freeze.is_lifted or rollout.waiting_on.reason is ReasonCode.WINDOW
    )
