"""
What else happened while a rollout was under way: to its service, and to what that needs.

Whoever asks "was it this change?" looks here first. Only what the caller may read is told. Nothing is
accused: who is suspected, and by which evidence, is said by `blame`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.access.model import Caller
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.alarms import Alarm
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import Transaction
from tidegate.usecases.access import access_in
from tidegate.usecases.reading import sees_alarm, sees_rollout

ROLLOUTS_LOOKED_AT: Final = 20
"""How many of each service's latest rollouts are looked through."""

ALARMS_LOOKED_AT: Final = 200

SHOWS_LATE: Final = timedelta(hours=1)
"""So long before it began another change still counts as at the same time: harm may show late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Other rollouts and alarms of the same time, newest first. `needs` are the services it needs."""

    rollouts: tuple[Rollout, ...]
    alarms: tuple[Alarm, ...]
    needs: tuple[ServiceName, ...]


def happened_beside(
    transaction: Transaction, rollout: Rollout, caller: Caller, now: datetime
) -> Beside:
    """Return what else happened on the service of *rollout* and on what it needs, while it ran."""
    access = access_in(transaction, caller, now)
    needs = needed_services(transaction, rollout)
    since, until = rollout.created_at - SHOWS_LATE, rollout.finished_at or now
    rollouts = [
        other
        for service in (rollout.service, *needs)
        for other in transaction.rollouts(service=service, limit=ROLLOUTS_LOOKED_AT)
        if other.id != rollout.id
        and other.created_at <= until
        and (other.finished_at or now) >= since
        and sees_rollout(access, other)
    ]
    concerned = {rollout.service, *needs}
    alarms = [
        alarm
        for alarm in transaction.alarms(limit=ALARMS_LOOKED_AT)
        if alarm.service in concerned
        and alarm.raised_at <= until
        and (alarm.resolved_at or now) >= since
        and sees_alarm(transaction, access, alarm)
    ]
    rollouts.sort(key=lambda one: one.created_at, reverse=True)
    alarms.sort(key=lambda one: one.raised_at, reverse=True)
    return Beside(rollouts=tuple(rollouts), alarms=tuple(alarms), needs=needs)


def needed_services(transaction: Transaction, rollout: Rollout) -> tuple[ServiceName, ...]:
    """Return the services of this system that the health model of *rollout* names, in its order."""
    named = dict.fromkeys(
        name
        for node in rollout.plan.health.nodes
        for name in (node.name, *(dependency.node for dependency in node.needs))
        if name != rollout.service
    )
    known = [ServiceName(name) for name in named]
    return tuple(name for name in known if transaction.service(name) is not None)
