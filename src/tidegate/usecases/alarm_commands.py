"""What people and monitoring systems say of alarms, as commands on the bus."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.rollout.alarms import AlarmId
from tidegate.errors import TidegateError
from tidegate.usecases.access import refuse_unless_allowed
from tidegate.usecases.alarms import Answered, Told, raise_alarm, resolve_alarm, resolve_told
from tidegate.usecases.bus import Command
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import find_alarm, readable_ids
from tidegate.usecases.resources import resource_of_named, resource_of_organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseAlarm(Command[Answered]):
    """Say that something is wrong; a page halts what it concerns before this answers."""

    permission: ClassVar[Permission] = Permission.ALARM

    told: Told

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the service that it names."""
        return resource_of_named(outside, caller, self.told.service)

    async def carry_out(self, outside: Outside, caller: Caller) -> Answered:
        """Stop what it concerns, and remember it."""
        answered = await raise_alarm(
            outside, self.told, actor=caller.name, organisation=_whose(caller)
        )
        return as_far_as_seen(outside, caller, answered)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveAlarm(Command[Answered]):
    """Say that an alarm is over: what it held goes on."""

    permission: ClassVar[Permission] = Permission.RESUME

    alarm: str
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the service that the alarm names."""
        return resource_of_named(outside, caller, find_alarm(outside, caller, self.alarm).service)

    async def carry_out(self, outside: Outside, caller: Caller) -> Answered:
        """Record its end."""
        alarm = AlarmId(self.alarm)
        answered = resolve_alarm(outside, alarm, actor=caller.name, reason=self.reason)
        return as_far_as_seen(outside, caller, answered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """That a monitoring system says that what it calls *fingerprint* is over."""

    fingerprint: str
    began_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeAlerts(Command[tuple[Answered, ...]]):
    """
    Take what a monitoring system tells of several alerts at once.

    `told` and `resolved` come from *source*; pages are taken first, and a failure keeps none of the
    others from being tried.
    """

    permission: ClassVar[Permission] = Permission.ALARM

    source: str
    told: Sequence[Told]
    resolved: Sequence[Resolved]

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the whole organisation: alerts name services, or none."""
        return resource_of_organisation(caller)

    async def carry_out(self, outside: Outside, caller: Caller) -> tuple[Answered, ...]:
        """
        Raise and resolve them all.

        Raises:
            TidegateError: the first that failed, once all were tried.
        """
        answers: list[Answered] = []
        failed: list[TidegateError] = []
        for told in self.told:
            try:
                refuse_unless_allowed(
                    outside,
                    caller,
                    self.permission,
                    # Each by itself: one message may name services of several organisations.
                    resource_of_named(outside, caller, told.service),
                )
                raised = await raise_alarm(
                    outside, told, actor=self.source, organisation=_whose(caller)
                )
                answers.append(raised)
            except TidegateError as exc:
                failed.append(exc)
        for over in self.resolved:
            try:
                answer = resolve_told(
                    outside,
                    source=self.source,
                    fingerprint=over.fingerprint,
                    began_at=over.began_at,
                    actor=self.source,
                    organisation=_whose(caller),
                )
            except TidegateError as exc:
                failed.append(exc)
                continue
            if answer is not None:
                answers.append(answer)
        if failed:
            raise failed[0]
        return tuple(as_far_as_seen(outside, caller, one) for one in answers)


def as_far_as_seen(outside: Outside, caller: Caller, answered: Answered) -> Answered:
    """Return *answered* without the rollouts that *caller* may not know of."""
    return replace(
        answered,
        halted=readable_ids(outside, caller, answered.halted),
        held=readable_ids(outside, caller, answered.held),
        released=readable_ids(outside, caller, answered.released),
    )


def _whose(caller: Caller) -> str | None:
    """Return the organisation that what *caller* says can be about; the server's own is about all."""
    return None if caller.is_root else caller.organisation
