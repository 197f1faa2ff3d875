"""
Alarms of systems that sign what they send, instead of holding a token.

Runs in the loop, as every alarm does: withdrawing what harms waits behind nothing.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Header, Path

from tidegate.api.access import Calls, operation
from tidegate.api.hooks import SignedRoute
from tidegate.api.routes.alarms import alertmanager, show_answer
from tidegate.api.shapes import alarms as shapes
from tidegate.api.shapes.alertmanager import AlertmanagerMessage
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import ServiceName, TargetName
from tidegate.domain.rollout.alarms import AlarmKind, Severity
from tidegate.errors import (
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    StateMovedError,
    StoreError,
)
from tidegate.usecases.alarm_commands import RaiseAlarm
from tidegate.usecases.alarms import Told
from tidegate.usecases.bus import perform

router = APIRouter(tags=["hooks"], route_class=SignedRoute)

_ERRORS: Final = (NotFoundError, InvalidRequestError, RefusedError, StateMovedError, StoreError)

Hook = Annotated[str, Path(max_length=63, description="The hook, by the name of its secret.")]
Signature = Annotated[
    str | None,
    Header(
        alias="Tidegate-Signature",
        description="t=SECONDS,v1=HMAC-SHA256 over SECONDS.DELIVERY.BODY in hexadecimal.",
    ),
]
DeliveryName = Annotated[
    str | None,
    Header(alias="Tidegate-Delivery", description="The sender's name for this message, once only."),
]


@router.post(
    "/hooks/{name}/alarms",
    status_code=202,
    **operation(Permission.ALARM, *_ERRORS),
)
async def take_alarm(
    said: shapes.RaiseAlarm,
    outside: World,
    caller: Calls,
    name: Hook,
    signature: Signature = None,
    delivery: DeliveryName = None,
) -> shapes.AlarmAnswer:
    """
    Say that something is wrong with a service, in a signed message.

    Signed by the hook's secret, sent within five minutes, and taken once. A page halts and withdraws
    what it concerns before this answers.
    """
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
    return show_answer(await perform(outside, caller, RaiseAlarm(told=told)))


@router.post("/hooks/{name}/alertmanager", **operation(Permission.ALARM, *_ERRORS))
async def take_alertmanager(
    message: AlertmanagerMessage,
    outside: World,
    caller: Calls,
    name: Hook,
    signature: Signature = None,
    delivery: DeliveryName = None,
) -> shapes.AlarmsTaken:
    """Take a message of Alertmanager that a relay has signed."""
    return await alertmanager(message, outside, caller)
