"""
Closing an emergency, giving up what it owes, and the report of it.

It can't be closed as long as something of it runs or is owed: what was put off doesn't get lost with it.
The report is made from the ledger and the records each time it is asked for.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.access.model import Caller
from tidegate.domain.emergency.debts import after_waiver, refusal_to_waive
from tidegate.domain.emergency.model import Debt, DebtState, Emergency, EmergencyId, Word
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import NotFoundError, RefusedError
from tidegate.ports.store import LedgerEntry, Transaction
from tidegate.usecases.commands import need_reason
from tidegate.usecases.debts import quieten, wake_blocked
from tidegate.usecases.emergency_people import person_counted
from tidegate.usecases.emergency_records import EMERGENCIES, debts_of, find_emergency
from tidegate.usecases.outside import Outside
from tidegate.usecases.record import note_fact
from tidegate.usecases.shelves import DEBTS

PAGE: Final = 1000
ENTRIES_AT_MOST: Final = 50_000
"""How much of the ledger is read for one report, from the declaration on."""

TOLD_AT_MOST: Final = 500
_START: Final = "start-under-emergency"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One rollout under an emergency: how long it took, against the bakes that the plan has otherwise."""

    rollout: Rollout
    took: timedelta
    routine: timedelta
    shortened: timedelta
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that is to be known of an emergency afterwards. `is_cut` says that the timeline isn't whole."""

    emergency: Emergency
    runs: tuple[RunReport, ...]
    debts: tuple[Debt, ...]
    timeline: tuple[LedgerEntry, ...]
    is_cut: bool


def close_emergency(
    outside: Outside, caller: Caller, emergency_id: EmergencyId, *, reason: str
) -> Emergency:
    """
    Close an emergency, with what was learned.

    Raises:
        InvalidRequestError: nothing was said.
        NotFoundError: there is no such emergency.
        RefusedError: it is closed, something of it runs, or something is owed.
    """
    why = need_reason(reason, "closing an emergency")
    now = outside.clock.now()
    with outside.store.begin() as transaction:
        emergency = find_emergency(transaction, emergency_id)
        _refuse_to_close(transaction, emergency)
        emergency = replace(emergency, closed_at=now, closed_by=caller.name, closing=why)
        EMERGENCIES.put(transaction, emergency)
        note_fact(
            transaction,
            at=now,
            actor=caller.name,
            kind="command",
            rule="close-emergency",
            because=why,
            service=emergency.service,
            details={"emergency": emergency.id, "rollouts": list(emergency.rollouts)},
        )
    return emergency


def waive_debt(outside: Outside, caller: Caller, debt_id: str, *, reason: str) -> Debt:
    """
    Say that a debt may be given up; it is when a second person says so.

    Raises:
        InvalidRequestError: no reason was given.
        NotFoundError: there is no such debt.
        ForbiddenError: no person stands behind *caller*.
        RefusedError: it is paid already, or it is this person's own.
    """
    why = need_reason(reason, "giving up a debt")
    now = outside.clock.now()
    with outside.store.begin() as transaction:
        debt = find_debt(transaction, debt_id)
        emergency = find_emergency(transaction, debt.emergency_id)
        person = person_counted(transaction, caller, debt.organisation, "gives up a debt")
        because = why_not_to_waive(transaction, debt, emergency, caller, person)
        if because:
            raise RefusedError(
                f"{caller.name} can't give up debt {debt.id}: {because}",
                hint="two persons that it isn't the debt of can; better let its gate turn green",
            )
        debt = after_waiver(debt, Word(by=caller.name, person=person, at=now, reason=why))
        DEBTS.put(transaction, debt)
        note_fact(
            transaction,
            at=now,
            actor=caller.name,
            kind="command",
            rule="waive-debt",
            because=why,
            service=debt.service,
            rollout_id=debt.rollout_id or "",
            details={
                "debt": debt.id,
                "emergency": debt.emergency_id,
                "person": person,
                "state": debt.state.value,
            },
        )
    if debt.state is DebtState.WAIVED:
        if debt.alarmed_at is not None:
            quieten(outside, debt)
        wake_blocked(outside)
    return debt


def find_debt(transaction: Transaction, debt_id: str) -> Debt:
    """Return the debt *debt_id*. Raises NotFoundError when there is none."""
    debt = DEBTS.get(transaction, debt_id)
    if debt is None:
        raise NotFoundError(f"there is no debt {debt_id!r}", hint="`tidegate debt list` lists them")
    return debt


def report_of(transaction: Transaction, emergency: Emergency, now: datetime) -> Report:
    """Return the report of *emergency* as it stands at *now*."""
    told, is_cut = _told(transaction, emergency)
    return Report(
        emergency=emergency,
        runs=tuple(_runs(transaction, emergency, told, now)),
        debts=debts_of(transaction, emergency),
        timeline=told[:TOLD_AT_MOST],
        is_cut=is_cut or len(told) > TOLD_AT_MOST,
    )


def why_not_to_waive(
    transaction: Transaction, debt: Debt, emergency: Emergency, caller: Caller, person: str
) -> str:
    """Return why *caller*, who is *person*, can't say that *debt* may be given up; "" when they can."""
    because = refusal_to_waive(debt, emergency, person)
    starters: set[str | None] = set()
    for one in emergency.rollouts:
        rollout = transaction.rollout(one)
        starters |= {rollout.created_by, rollout.created_by_person}
    if not because and {caller.name, person} & starters:
        return f"{caller.name} started what owes it, and nobody waives their own debt"
    return because


def why_not_to_close(transaction: Transaction, emergency: Emergency) -> str:
    """Return what keeps *emergency* from being closed, "" when nothing does."""
    owed = [debt for debt in debts_of(transaction, emergency) if debt.is_unpaid]
    running = [one for one in emergency.rollouts if not transaction.rollout(one).is_final]
    if not emergency.is_open:
        return "it is closed already"
    if running:
        return f"rollout {running[0]} isn't over"
    if owed:
        gates = ", ".join(f"{debt.gate} ({debt.state.value})" for debt in owed)
        return f"it still owes {gates}"
    return ""


def _refuse_to_close(transaction: Transaction, emergency: Emergency) -> None:
    because = why_not_to_close(transaction, emergency)
    if because:
        raise RefusedError(
            f"emergency {emergency.id} can't be closed: {because}",
            hint=f"see what is left: tidegate emergency report {emergency.id}",
        )


def _told(transaction: Transaction, emergency: Emergency) -> tuple[tuple[LedgerEntry, ...], bool]:
    """Return what the ledger says of *emergency*, oldest first, and whether there may be more."""
    found: list[LedgerEntry] = []
    after = emergency.told_from - 1
    end = emergency.closed_at
    for _ in range(ENTRIES_AT_MOST // PAGE):
        entries = transaction.ledger(after=after, limit=PAGE)
        found += (entry for entry in entries if _is_about(entry, emergency))
        if len(entries) < PAGE or (end is not None and entries[-1].at > end):
            return tuple(found), False
        after = entries[-1].number
    return tuple(found), True


def _is_about(entry: LedgerEntry, emergency: Emergency) -> bool:
    # Of the rollouts what moved them; that they still wait is said every time it's looked at.
    moved = entry.state_before != entry.state_after or entry.kind != "decision"
    return (entry.rollout_id in emergency.rollouts and moved) or _names(entry, emergency)


def _names(entry: LedgerEntry, emergency: Emergency) -> bool:
    details = json.loads(entry.details_json) if entry.details_json else {}
    return isinstance(details, dict) and details.get("emergency") == emergency.id


def _runs(
    transaction: Transaction, emergency: Emergency, told: Sequence[LedgerEntry], now: datetime
) -> Iterable[RunReport]:
    starts = {
        entry.rollout_id: json.loads(entry.details_json or "{}")
        for entry in told
        if entry.rule == _START
    }
    for rollout_id in emergency.rollouts:
        rollout = transaction.rollout(rollout_id)
        start = starts.get(rollout_id, {})
        bakes = sum((phase.bake for phase in rollout.plan.phases), timedelta(0))
        yield RunReport(
            rollout=rollout,
            took=(rollout.finished_at or now) - rollout.created_at,
            routine=timedelta(seconds=start.get("routine_seconds", bakes.total_seconds())),
            shortened=bakes,
            changes=tuple(start.get("shortened", ())),
        )
