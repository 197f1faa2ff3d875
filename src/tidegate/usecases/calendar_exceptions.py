"""
Excepting a rollout's next phase from the calendar: a second person's word, counted against a budget.

The record and its ledger entry are written in one transaction, in which the budget is counted too, so
that two who ask at once can't both have the last one.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.approvals.duties import why_not_eligible
from tidegate.domain.calendar.exceptions import LASTS, CalendarException, describe, spent
from tidegate.domain.durations import format_duration
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import ForbiddenError, RefusedError
from tidegate.ports.store import Transaction
from tidegate.usecases.approvals import ground_of
from tidegate.usecases.approve import approved_phase
from tidegate.usecases.bus import Command
from tidegate.usecases.calendar import (
    EXCEPTIONS,
    EXCEPTIONS_READ,
    NUMBER_DIGITS,
    calendar_seen,
    exception_for,
    without_exception,
)
from tidegate.usecases.commands import need_reason
from tidegate.usecases.outside import Outside
from tidegate.usecases.policies import person_behind, policy_in_force
from tidegate.usecases.reading import find_rollout
from tidegate.usecases.record import note_fact
from tidegate.usecases.resources import resource_of_rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionGiven:
    """An exception on record; `phase` is the name of the one it is about, `left` how many there still are."""

    exception: CalendarException
    phase: str
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptFromCalendar(Command[ExceptionGiven]):
    """Let a rollout's next phase begin although a window or freeze is closed."""

    permission: ClassVar[Permission] = Permission.EXCEPT

    rollout: str
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the rollout's targets."""
        return resource_of_rollout(find_rollout(outside, caller, self.rollout))

    async def carry_out(self, outside: Outside, caller: Caller) -> ExceptionGiven:
        """Count, record, and have the rollout looked at again."""
        return except_from_calendar(outside, caller, self.rollout, reason=self.reason)


def except_from_calendar(
    outside: Outside, caller: Caller, name: str, *, reason: str
) -> ExceptionGiven:
    """
    Give an exception for the next phase of the rollout that *name* means.

    Raises:
        NotFoundError: there is no such rollout.
        InvalidRequestError: no reason was given.
        ForbiddenError: it is their own change, or nobody is known to stand behind them or its author.
        RefusedError: no phase is to come, nothing is closed, what is closed allows none, one holds
            already, or the budget is used up.
    """
    why = need_reason(reason, "an exception from the calendar")
    found = find_rollout(outside, caller, name)
    now = outside.clock.now()
    with outside.store.begin() as transaction:
        rollout = transaction.rollout(found.id)
        index = approved_phase(rollout)
        if index is None or rollout.is_return:
            raise RefusedError(
                f"rollout {rollout.id} is {rollout.state.value}: no phase of it waits for a calendar",
                hint="nothing that takes a candidate away ever does",
            )
        person = _second_person(transaction, rollout, index, caller, now)
        _refuse_useless(transaction, rollout, index, now)
        left = _left(transaction, rollout, now)
        exception = CalendarException(
            number=_next_number(transaction),
            rollout=rollout.id,
            service=rollout.service,
            phase_index=index,
            attempt=rollout.attempt,
            reason=why,
            by=caller.name,
            person=person,
            at=now,
            expires_at=now + LASTS,
        )
        EXCEPTIONS.put(transaction, exception)
        note_fact(
            transaction,
            at=now,
            actor=caller.name,
            kind="command",
            rule="except-from-calendar",
            because=f"{rollout.plan.phases[index].name}: {describe(exception)}",
            service=rollout.service,
            rollout_id=rollout.id,
            details={
                "number": exception.number,
                "phase": index + 1,
                "attempt": rollout.attempt,
                "person": person,
                "expires_at": exception.expires_at.isoformat(),
                "left": left - 1,
            },
        )
    outside.wake(rollout.id)
    return ExceptionGiven(exception=exception, phase=rollout.plan.phases[index].name, left=left - 1)


def _second_person(
    transaction: Transaction, rollout: Rollout, index: int, caller: Caller, now: datetime
) -> str:
    """Return the person behind *caller*, who must be another one than those behind the change."""
    person = person_behind(policy_in_force(transaction, rollout.organisation), caller)
    # Who may is a matter of permission here; only that they are somebody else is asked as of an approval.
    ground = replace(ground_of(transaction, rollout, index, now), members=None, editors=frozenset())
    why = why_not_eligible(ground, person, caller.name)
    if why or person is None:
        raise ForbiddenError(
            f"an exception is the word of a second person: {why}",
            hint="somebody else has to say it, under their own name",
        )
    return person


def _refuse_useless(transaction: Transaction, rollout: Rollout, index: int, now: datetime) -> None:
    if exception_for(transaction, rollout, index, now) is not None:
        raise RefusedError(
            f"{rollout.plan.phases[index].name} has an exception already",
            hint="it holds until the phase begins or it expires",
        )
    if rollout.state is not State.WAITING:
        return
    if calendar_seen(transaction, rollout, now).is_open:
        raise RefusedError(
            f"the calendar is open to {rollout.phase.name}",
            hint=f"see what it waits for: tidegate why {rollout.id}",
        )
    closed = without_exception(transaction, rollout, now)
    if closed:
        raise RefusedError(
            f"what is closed allows no exception: {closed}",
            hint="it ends by itself; or lift it, if it shouldn't be there: tidegate freeze lift",
        )


def _left(transaction: Transaction, rollout: Rollout, now: datetime) -> int:
    """Return how many exceptions there are left. Raises RefusedError when there is none."""
    budget = rollout.plan.exceptions
    given = EXCEPTIONS.latest(transaction, service=rollout.service, limit=EXCEPTIONS_READ)
    used = spent(given, budget, now)
    left = budget.count - len(used)
    if left <= 0:
        numbers = ", ".join(str(one.number) for one in used)
        raise RefusedError(
            f"the exceptions of {rollout.service} are used up: {len(used)} of {budget.count} in"
            f" {format_duration(budget.per)}" + (f" ({numbers})" if numbers else ""),
            hint="wait for the window; if harm is being done, declare an emergency",
        )
    return left


def _next_number(transaction: Transaction) -> int:
    latest = EXCEPTIONS.latest(transaction, limit=1)
    number = latest[0].number + 1 if latest else 1
    # The latest by time isn't the latest by number when the clock was set back.
    while EXCEPTIONS.get(transaction, f"{number:0{NUMBER_DIGITS}}") is not None:
        number += 1
    return number
