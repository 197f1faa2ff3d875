"""
What becomes of a debt: made by a start, settled or failed by its gate, waived by two people. Pure.

Only evidence about the very change settles one, and only while it hasn't expired. Red fails it, and a
later green settles it all the same: what was owed is the answer, and it is there. A gate that asks
about the surroundings (`OF_THE_SURROUNDINGS`) doesn't fail by being red: that it is was the emergency.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from tidegate.domain.emergency.model import Debt, DebtId, DebtState, Emergency, Word
from tidegate.domain.emergency.protocol import OF_THE_SURROUNDINGS
from tidegate.domain.gates.model import GateEvidence, GateSpec, GateVerdict
from tidegate.domain.quantities import RolloutId

WAIVERS_NEEDED: Final = 2


def debt_id(emergency: Emergency, gate: GateSpec) -> DebtId:
    """Return the id of what *emergency* owes of *gate*: one debt, however often it is started."""
    return DebtId(f"{emergency.id}-{gate.name}")


def new_debt(
    emergency: Emergency, gate: GateSpec, *, rollout_id: RolloutId, owner: str, now: datetime
) -> Debt:
    """Return what a rollout that begins at *now* under *emergency* owes of *gate*."""
    return Debt(
        id=debt_id(emergency, gate),
        emergency_id=emergency.id,
        rollout_id=rollout_id,
        service=emergency.service,
        project=emergency.project,
        organisation=emergency.organisation,
        gate=gate.name,
        owner=emergency.protocol.debt_owner or owner,
        due_at=now + emergency.protocol.debt_due,
        state=DebtState.OPEN,
        because=f"{gate.name} runs beside rollout {rollout_id} instead of before it",
        changed_at=now,
        opened_at=now,
        spec=replace(gate, is_deferred=True),
        change_digest=emergency.change_digest,
    )


def after_evidence(debt: Debt, evidence: GateEvidence | None, now: datetime) -> Debt:
    """Return *debt* after the latest answer of its gate; the same when that changes nothing."""
    if evidence is None or not debt.is_unpaid or not _is_about(debt, evidence):
        return debt
    match evidence.verdict:
        case GateVerdict.GREEN if now < evidence.expires_at:
            return _moved(debt, DebtState.SETTLED, f"green: {evidence.because}", now)
        case GateVerdict.RED if debt.state is DebtState.OPEN and not _of_surroundings(debt):
            return _moved(debt, DebtState.FAILED, f"red: {evidence.because}", now)
        case _:
            return debt


def refusal_to_waive(debt: Debt, emergency: Emergency, person: str) -> str:
    """
    Return why *person* can't say that *debt* may be given up, in words; empty when they can.

    Nobody waives what they owe: not the one who declared the emergency, nor the debt's owner.
    """
    if not debt.is_unpaid:
        return f"it is {debt.state.value} already"
    if person == emergency.declared_person:
        return f"{person} declared the emergency, and nobody waives their own debt"
    if person == debt.owner:
        return f"{person} owns it, and nobody waives their own debt"
    if any(word.person == person for word in debt.waivers):
        return f"{person} has said so already, and a second person has to"
    return ""


def after_waiver(debt: Debt, word: Word) -> Debt:
    """Return *debt* after one more person's word that it may be given up."""
    waivers = (*debt.waivers, word)
    if len({one.person for one in waivers}) < WAIVERS_NEEDED:
        return replace(debt, waivers=waivers, changed_at=word.at)
    said = "; ".join(f"{one.by}: {one.reason}" for one in waivers)
    return replace(_moved(debt, DebtState.WAIVED, f"given up by {said}", word.at), waivers=waivers)


def _is_about(debt: Debt, evidence: GateEvidence) -> bool:
    about = (evidence.service, evidence.gate, evidence.change_digest)
    return about == (debt.service, debt.gate, debt.change_digest)


def _of_surroundings(debt: Debt) -> bool:
    return debt.spec is not None and debt.spec.kind in OF_THE_SURROUNDINGS


def _moved(debt: Debt, state: DebtState, because: str, now: datetime) -> Debt:
    return replace(debt, state=state, because=because, changed_at=now)
