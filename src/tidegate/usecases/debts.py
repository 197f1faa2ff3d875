"""
Debts of emergencies: which of them keep a rollout from rising, and what their gates' answers make of them.

Level-triggered: `keep_debts` looks at what is unpaid and at what its gates said last, so that it doesn't
matter which of them was recorded first, or whether this process lived through it. That an overdue debt
blocks depends on the time alone and waits for nobody.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from tidegate.domain.emergency.debts import after_evidence
from tidegate.domain.emergency.model import Debt, DebtState
from tidegate.domain.gates.model import GateEvidence
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.alarms import AlarmKind, Severity
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.ports.store import Transaction
from tidegate.usecases.alarms import Told, raise_alarm, resolve_told
from tidegate.usecases.gate_records import standing_evidence
from tidegate.usecases.outside import Outside
from tidegate.usecases.record import ENGINE, note_fact
from tidegate.usecases.shelves import DEBTS

ALARM_SOURCE: Final = "tidegate-debts"
"""The source of alarms about debts that failed when their rollout was over."""

OVERDUE: Final = "dev.tidegate.debt.overdue"


def blocking_debts(transaction: Transaction, rollout: Rollout, now: datetime) -> tuple[Debt, ...]:
    """Return the overdue debts of the project of *rollout*; an emergency isn't kept by them."""
    if rollout.is_return or rollout.emergency_id is not None:
        return ()
    return tuple(
        debt
        for debt in DEBTS.open(transaction)
        if (debt.organisation, debt.project) == (rollout.organisation, rollout.project)
        and debt.is_overdue(now)
    )


async def keep_debts(outside: Outside) -> tuple[Debt, ...]:
    """
    Settle or fail what is owed by the latest answers, say what is overdue, and raise the alarms due.

    Returns the debts that changed. Doing it twice, or in two processes, changes nothing more.

    Raises:
        StoreError: something couldn't be read or recorded; do it again.
    """
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        owed = DEBTS.open(transaction)
        moves = any(_after(transaction, debt, now) != debt for debt in owed)
        due = _due_alarms(transaction)
    changed: tuple[Debt, ...] = ()
    if moves:
        with outside.store.begin() as transaction:
            changed = tuple(_keep(transaction, now))
            due = _due_alarms(transaction)
    for debt in due:
        await _alarm(outside, debt, now)
    for debt in changed:
        if debt.state is DebtState.SETTLED and debt.alarmed_at is not None:
            quieten(outside, debt)
    if any(not debt.is_unpaid for debt in changed):
        wake_blocked(outside)
    return changed


def quieten(outside: Outside, debt: Debt) -> None:
    """Resolve the alarm that was raised about *debt*."""
    resolve_told(
        outside,
        source=ALARM_SOURCE,
        fingerprint=debt.id,
        began_at=outside.clock.now(),
        actor=ENGINE,
    )


def wake_blocked(outside: Outside) -> None:
    """Have those looked at that wait for debts."""
    with outside.store.begin(read_only=True) as transaction:
        waiting = [
            rollout.id
            for rollout in transaction.unfinished()
            if rollout.waiting_on.reason is ReasonCode.DEBT
        ]
    for rollout_id in waiting:
        outside.wake(rollout_id)


def _after(transaction: Transaction, debt: Debt, now: datetime) -> Debt:
    """Return *debt* as it stands at *now*."""
    after = after_evidence(debt, _answer(transaction, debt), now)
    if after.is_overdue(now) and after.reminded_at is None:
        return replace(after, reminded_at=now)
    return after


def _answer(transaction: Transaction, debt: Debt) -> GateEvidence | None:
    """Return what the gate of *debt* said last, to the very question of its rollout."""
    if debt.rollout_id is None or debt.spec is None:
        return None
    return standing_evidence(transaction, transaction.rollout(debt.rollout_id), debt.spec)


def _keep(transaction: Transaction, now: datetime) -> Iterable[Debt]:
    for debt in DEBTS.open(transaction):
        after = _after(transaction, debt, now)
        if after == debt:
            continue
        DEBTS.put(transaction, after)
        if after.state is not debt.state:
            _note(transaction, after, f"debt-{after.state.value}", after.because, now)
        if after.reminded_at != debt.reminded_at:
            because = f"{debt.gate} was due at {debt.due_at.isoformat()} (owner {debt.owner})"
            _note(transaction, after, "debt-overdue", because, now)
        yield after


def _note(transaction: Transaction, debt: Debt, rule: str, because: str, now: datetime) -> None:
    note_fact(
        transaction,
        at=now,
        actor=ENGINE,
        kind="evidence",
        rule=rule,
        because=because,
        service=debt.service,
        rollout_id=debt.rollout_id or "",
        details={"debt": debt.id, "emergency": debt.emergency_id, "owner": debt.owner},
    )


def _due_alarms(transaction: Transaction) -> tuple[Debt, ...]:
    """Return the debts that failed and whose rollout can't be halted any more."""
    return tuple(
        debt
        for debt in DEBTS.open(transaction)
        if debt.state is DebtState.FAILED
        and debt.alarmed_at is None
        and _is_over(transaction, debt.rollout_id)
    )


def _is_over(transaction: Transaction, rollout_id: RolloutId | None) -> bool:
    return rollout_id is None or transaction.rollout(rollout_id).is_final


async def _alarm(outside: Outside, debt: Debt, now: datetime) -> None:
    """Raise the alarm about *debt*, then note that; again when this process dies in between."""
    told = Told(
        kind=AlarmKind.ALERT,
        severity=Severity.PAGE,
        service=debt.service,
        target=None,
        summary=f"{debt.gate}, put off by emergency {debt.emergency_id}, is {debt.because}",
        source=ALARM_SOURCE,
        fingerprint=debt.id,
        began_at=debt.changed_at,
    )
    await raise_alarm(outside, told, actor=ENGINE)
    with outside.store.begin() as transaction:
        latest = DEBTS.get(transaction, debt.id)
        if latest is not None and latest.alarmed_at is None:
            DEBTS.put(transaction, replace(latest, alarmed_at=now))
