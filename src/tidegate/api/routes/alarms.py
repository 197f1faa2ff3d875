"""
Alarms: what monitoring systems and people say is wrong.

All of it runs in the loop, as a halt does: withdrawing what harms waits behind nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.idempotency import Calling, once
from tidegate.api.shapes import alarms as shapes
from tidegate.api.shapes.alertmanager import AlertmanagerAlert, AlertmanagerMessage
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import RolloutId, ServiceName, TargetName
from tidegate.domain.rollout.alarms import Alarm, AlarmKind, Severity
from tidegate.errors import (
    InvalidRequestError,
    NotFoundError,
    StateMovedError,
    StoreError,
)
from tidegate.usecases.access import access_in
from tidegate.usecases.alarm_commands import RaiseAlarm, ResolveAlarm, Resolved, TakeAlerts
from tidegate.usecases.alarms import Answered, Told
from tidegate.usecases.bus import perform
from tidegate.usecases.reading import sees_alarm

router = APIRouter(tags=["alarms"], route_class=GuardedRoute)

ALERTMANAGER: Final = "alertmanager"
LISTED_AT_MOST: Final = 1_000


@router.get("/v1/alarms", **operation(Permission.READ, StoreError))
def list_alarms(
    outside: World,
    caller: Calls,
    all: Annotated[bool, Query(description="Also those that are resolved.")] = False,
    limit: Annotated[int, Query(ge=1, le=LISTED_AT_MOST)] = 100,
) -> shapes.Alarms:
    """Return the active alarms that you may see, oldest first; with `all` the latest, newest first."""
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        every = transaction.alarms(limit=LISTED_AT_MOST) if all else transaction.active_alarms()
        found = [one for one in every if sees_alarm(transaction, access, one)][:limit]
    return shapes.Alarms(alarms=[show_alarm(alarm) for alarm in found], as_of=outside.clock.now())


@router.post(
    "/v1/alarms",
    status_code=202,
    response_model=shapes.AlarmAnswer,
    **operation(Permission.ALARM, NotFoundError, InvalidRequestError, StateMovedError, StoreError),
)
async def raise_one(said: shapes.RaiseAlarm, call: Calling) -> Response:
    """
    Say that something is wrong with a service.

    A page halts and withdraws what it concerns before this answers; a ticket holds it. Raising what is
    active already changes nothing.
    """

    async def done() -> shapes.AlarmAnswer:
        told = Told(
            kind=AlarmKind(said.kind),
            severity=Severity(said.severity),
            service=ServiceName(said.service),
            target=None if said.target is None else TargetName(said.target),
            summary=said.summary,
            source=said.source,
            fingerprint=said.fingerprint,
            labels=said.labels,
        )
        return show_answer(await perform(call.server.outside, call.caller, RaiseAlarm(told=told)))

    return await once(call, 202, done)


@router.post(
    "/v1/alarms/{alarm}/resolve",
    response_model=shapes.AlarmAnswer,
    **operation(Permission.RESUME, NotFoundError, InvalidRequestError, StoreError),
)
async def resolve_one(alarm: str, said: shapes.ResolveAlarm, call: Calling) -> Response:
    """Say that an alarm is over. What it held goes on; what it halted waits for a person."""

    async def done() -> shapes.AlarmAnswer:
        resolve = ResolveAlarm(alarm=alarm, reason=said.reason)
        return show_answer(await perform(call.server.outside, call.caller, resolve))

    return await once(call, 200, done)


@router.post(
    "/hooks/alertmanager",
    response_model=shapes.AlarmsTaken,
    **operation(Permission.ALARM, NotFoundError, InvalidRequestError, StateMovedError, StoreError),
)
async def alertmanager(
    message: AlertmanagerMessage, outside: World, caller: Calls
) -> shapes.AlarmsTaken:
    """
    Take a message of Prometheus's Alertmanager (webhook, version 4).

    The labels `service` and `target` name what an alert is about, `severity` how much it matters:
    `page` and `critical` are pages, everything else is a ticket. An error is answered once everything
    in the message has been tried, and makes Alertmanager send it again.
    """
    firing = [alert for alert in message.alerts if alert.status == "firing"]
    # Pages first: they withdraw, and nothing in the same message may keep them waiting.
    firing.sort(key=lambda alert: not alert.is_page)
    taken = TakeAlerts(
        source=ALERTMANAGER,
        told=[_told(alert) for alert in firing],
        resolved=[
            Resolved(fingerprint=alert.fingerprint, began_at=alert.startsAt)
            for alert in message.alerts
            if alert.status != "firing"
        ],
    )
    answers = await perform(outside, caller, taken)
    return shapes.AlarmsTaken(
        raised=sum(1 for answer in answers if answer.alarm.is_active),
        resolved=sum(1 for answer in answers if not answer.alarm.is_active),
        halted=_each_once(answer.halted for answer in answers),
        held=_each_once(answer.held for answer in answers),
        released=_each_once(answer.released for answer in answers),
    )


def show_alarm(alarm: Alarm) -> shapes.Alarm:
    """Return *alarm* as it is shown."""
    return shapes.Alarm(
        id=alarm.id,
        kind=alarm.kind.value,
        severity=alarm.severity.value,
        service=alarm.service,
        target=alarm.target,
        summary=alarm.summary,
        source=alarm.source,
        fingerprint=alarm.fingerprint,
        labels=dict(alarm.labels),
        raised_at=alarm.raised_at,
        raised_by=alarm.raised_by,
        resolved_at=alarm.resolved_at,
        resolved_by=alarm.resolved_by,
        resolution=alarm.resolution,
    )


def show_answer(answered: Answered) -> shapes.AlarmAnswer:
    """Return *answered* as it is shown."""
    return shapes.AlarmAnswer(
        alarm=show_alarm(answered.alarm),
        halted=[*answered.halted],
        held=[*answered.held],
        released=[*answered.released],
    )


def _told(alert: AlertmanagerAlert) -> Told:
    service, target = _named(alert.labels, "service"), _named(alert.labels, "target")
    return Told(
        kind=AlarmKind.ALERT,
        severity=Severity.PAGE if alert.is_page else Severity.TICKET,
        service=None if service is None else ServiceName(service),
        target=None if target is None else TargetName(target),
        summary=alert.summary,
        source=ALERTMANAGER,
        fingerprint=alert.fingerprint,
        labels=alert.labels,
        began_at=alert.startsAt,
    )


def _named(labels: Mapping[str, str], label: str) -> str | None:
    return labels.get(label) or None


def _each_once(groups: Iterable[Iterable[RolloutId]]) -> list[str]:
    return list(dict.fromkeys(rollout_id for group in groups for rollout_id in group))
