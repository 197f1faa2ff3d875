"""
Raising and resolving alarms: what others say is wrong stops what it concerns, at once.

A halt goes the way of every halt: withdrawn first, recorded second. The alarm itself is recorded after
that, and is then an input of every step, so that nothing depends on this process having lived to the
end. Saying the same again changes nothing, whoever says it and in whatever order it arrives.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from tidegate.domain.plan.model import Effect
from tidegate.domain.quantities import RolloutId, ServiceName, TargetName
from tidegate.domain.rollout.alarms import Alarm, AlarmId, AlarmKind, Severity, describe
from tidegate.domain.rollout.model import HaltCause, Rollout
from tidegate.domain.rollout.seen import alarm_effect
from tidegate.errors import InvalidRequestError
from tidegate.ports.store import Transaction
from tidegate.usecases.commands import need_reason
from tidegate.usecases.emergency_records import is_to_mend
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.outside import Outside, unknown_service
from tidegate.usecases.record import note_command

ID_LENGTH: Final = 10
"""Hexadecimal digits of an alarm's id: a million alarms share none with a chance of 0.9999995."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """
    What somebody says is wrong.

    `fingerprint` is what *source* calls it by; None makes it something of its own. `began_at` is when
    it began by the source, None is now.
    """

    kind: AlarmKind
    severity: Severity
    service: ServiceName | None
    target: TargetName | None
    summary: str
    source: str
    fingerprint: str | None = None
    labels: Mapping[str, str] | None = None
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An alarm as it is on record now, and what saying it did: rollouts halted, held, or let go on."""

    alarm: Alarm
    halted: tuple[RolloutId, ...] = ()
    held: tuple[RolloutId, ...] = ()
    released: tuple[RolloutId, ...] = ()


async def raise_alarm(
    outside: Outside, told: Told, *, actor: str, organisation: str | None = None
) -> Answered:
    """
    Stop what *told* concerns, and remember it until it is resolved.

    With *organisation* it concerns nothing of another one, whatever labels it has.

    An alarm that its source has resolved since it began stays resolved: the message was late. One
    that is active is made worse by a worse severity, and never better.

    Raises:
        InvalidRequestError: it says nothing, or names nothing by which it could concern a rollout.
        NotFoundError: a person reports a service that isn't known: a slip of the pen stops nothing,
            and nobody would notice.
        StoreError, StateMovedError: something couldn't be recorded. What could be withdrawn is
            withdrawn all the same; say it again.
    """
    _check(told)
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        _check_known(transaction, told)
        alarm, is_late = _place(transaction, told, organisation, actor=actor, now=now)
        effects = {
            rollout.id: _effect(transaction, rollout, alarm) for rollout in transaction.watched()
        }
    if is_late:
        return Answered(alarm=alarm)
    halted = tuple(found for found, effect in effects.items() if effect is Effect.HALT)
    held = tuple(found for found, effect in effects.items() if effect is Effect.HOLD)
    stops = await asyncio.gather(
        *(
            halt_rollout(outside, found, actor=actor, reason=describe(alarm), cause=HaltCause.ALARM)
            for found in halted
        ),
        return_exceptions=True,
    )
    _record(outside, told, held, organisation, actor=actor, now=now)
    for stop in stops:
        if isinstance(stop, BaseException):
            # Raised only now: one stop that can't be recorded must not keep the others from being.
            raise stop
    return Answered(alarm=alarm, halted=halted, held=held)


def resolve_alarm(outside: Outside, alarm_id: AlarmId, *, actor: str, reason: str) -> Answered:
    """
    Say that an alarm is over. What it held goes on by itself; what it halted waits for a person.

    Resolving what is resolved changes nothing.

    Raises:
        NotFoundError: there is no such alarm.
        InvalidRequestError: no reason was given.
    """
    why = need_reason(reason, "resolve")
    with outside.store.begin() as transaction:
        alarm = transaction.alarm(alarm_id)
        answered = _resolve(transaction, alarm, actor=actor, why=why, now=outside.clock.now())
    _wake(outside, answered.released)
    return answered


def resolve_told(
    outside: Outside,
    *,
    source: str,
    fingerprint: str,
    began_at: datetime,
    actor: str,
    organisation: str | None = None,
) -> Answered | None:
    """
    Take *source*'s word that what it calls *fingerprint*, begun at *began_at*, is over.

    Returns:
        What was resolved; None when nothing of it is known, or only something that began later: then
        the message is older than that.
    """
    with outside.store.begin() as transaction:
        alarm = transaction.latest_alarm(source, fingerprint, organisation=organisation)
        if alarm is None or alarm.raised_at > began_at:
            return None
        why = f"{source} says that it is over"
        answered = _resolve(transaction, alarm, actor=actor, why=why, now=outside.clock.now())
    _wake(outside, answered.released)
    return answered


def alarms_for(transaction: Transaction, rollout: Rollout) -> tuple[Alarm, ...]:
    """Return the active alarms that do something to *rollout*, oldest first."""
    return tuple(
        alarm
        for alarm in transaction.active_alarms()
        if _effect(transaction, rollout, alarm) is not Effect.IGNORE
    )


def _effect(transaction: Transaction, rollout: Rollout, alarm: Alarm) -> Effect:
    """Return what *alarm* does to *rollout*: nothing to one that was started to mend it."""
    if is_to_mend(transaction, rollout, alarm):
        return Effect.IGNORE
    return alarm_effect(rollout, alarm)


# --- raising ---------------------------------------------------------------------------------


def _check(told: Told) -> None:
    if not told.summary.strip():
        raise InvalidRequestError(
            "an alarm says what is wrong, got an empty summary",
            hint='say it: --reason "orders fail at checkout"',
        )
    if told.service is None and not told.labels:
        raise InvalidRequestError(
            "an alarm names a service or has labels, this one has neither",
            hint="give it the label service=NAME, the service's name in tidegate.yaml",
        )


def _check_known(transaction: Transaction, told: Told) -> None:
    if told.kind is not AlarmKind.REPORT or told.service is None:
        return
    if transaction.service(told.service) is None:
        raise unknown_service(told.service)


def _place(
    transaction: Transaction,
    told: Told,
    organisation: str | None,
    *,
    actor: str,
    now: datetime,
) -> tuple[Alarm, bool]:
    """Return *told* as the alarm that it is, and whether it was over before it arrived."""
    began_at = told.began_at or now
    fingerprint = told.fingerprint
    known = (
        None
        if fingerprint is None
        else transaction.latest_alarm(told.source, fingerprint, organisation=organisation)
    )
    if known is not None and known.is_active:
        worse = Severity.PAGE if told.severity is Severity.PAGE else known.severity
        return replace(known, severity=worse), False
    if known is not None and known.raised_at >= began_at:
        return known, True
    fingerprint = fingerprint or _own_fingerprint(told, actor, began_at)
    return (
        Alarm(
            id=_id(told.source, fingerprint, began_at, organisation),
            kind=told.kind,
            severity=told.severity,
            service=told.service,
            target=told.target,
            summary=told.summary.strip(),
            source=told.source,
            fingerprint=fingerprint,
            labels=tuple(sorted((told.labels or {}).items())),
            raised_at=began_at,
            raised_by=actor,
            organisation=organisation,
        ),
        False,
    )


def _record(
    outside: Outside,
    told: Told,
    held: Sequence[RolloutId],
    organisation: str | None,
    *,
    actor: str,
    now: datetime,
) -> None:
    with outside.store.begin() as transaction:
        # Looked up again: another message about it may have been quicker.
        alarm, is_late = _place(transaction, told, organisation, actor=actor, now=now)
        if is_late:
            return
        known = transaction.latest_alarm(alarm.source, alarm.fingerprint, organisation=organisation)
        if known != alarm:
            transaction.put_alarm(alarm)
            _note(transaction, held, actor=actor, verb="alarm", why=describe(alarm), now=now)
    _wake(outside, held)


def _own_fingerprint(told: Told, actor: str, began_at: datetime) -> str:
    said = (told.kind, told.severity, told.service, told.target, told.summary, actor, began_at)
    return hashlib.sha256(repr([str(part) for part in said]).encode()).hexdigest()[:ID_LENGTH]


def _id(source: str, fingerprint: str, began_at: datetime, organisation: str | None) -> AlarmId:
    """The same alarm gets the same id on every server, so that two can't both record it."""
    whose = [] if organisation is None else [organisation]
    text = repr([source, fingerprint, began_at.isoformat(), *whose])
    return AlarmId(f"a-{hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]}")


# --- resolving -------------------------------------------------------------------------------


def _resolve(
    transaction: Transaction, alarm: Alarm, *, actor: str, why: str, now: datetime
) -> Answered:
    if not alarm.is_active:
        return Answered(alarm=alarm)
    released = tuple(
        rollout.id
        for rollout in transaction.watched()
        if _effect(transaction, rollout, alarm) is not Effect.IGNORE
    )
    over = replace(alarm, resolved_at=now, resolved_by=actor, resolution=why)
    transaction.put_alarm(over)
    _note(transaction, released, actor=actor, verb="resolve-alarm", why=why, now=now)
    return Answered(alarm=over, released=released)


def _note(
    transaction: Transaction,
    rollout_ids: Sequence[RolloutId],
    *,
    actor: str,
    verb: str,
    why: str,
    now: datetime,
) -> None:
    """Write into the ledger of each rollout what it was told."""
    for rollout_id in rollout_ids:
        rollout = transaction.rollout(rollout_id)
        note_command(transaction, rollout, rollout, actor=actor, verb=verb, reason=why, at=now)


def _wake(outside: Outside, rollout_ids: Sequence[RolloutId]) -> None:
    for rollout_id in rollout_ids:
        outside.wake(rollout_id)
