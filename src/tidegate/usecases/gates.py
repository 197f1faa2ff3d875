"""
Gates of a rollout: which there are now, and how they stand by the evidence on file.

Asking them is done elsewhere and at its own pace (`gatekeeping`), so that a slow gate delays no step.
"""

from datetime import datetime
from typing import Final

from tidegate.documents.canonical import change_digest
from tidegate.documents.gate_kinds import GATE_KINDS
from tidegate.domain.gates.model import GateMoment, GateSeen, GateSpec, gate_seen
from tidegate.domain.plan.model import Plan
from tidegate.domain.quantities import Environment
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import must_prove_again
from tidegate.ports.store import Transaction
from tidegate.usecases.gate_records import binding_of, standing_evidence
from tidegate.usecases.record import note_fact

PROVENANCE: Final = "provenance"
"""The kind of gate whose absence is said in the ledger."""


def gates_in_question(rollout: Rollout) -> tuple[GateSpec, ...]:
    """
    Return the gates that have a say on *rollout* now.

    While a phase is waited for, those before it; those of the start as long as nobody is served, which
    is so again after a stop. Deferred ones have a say as long as the rollout isn't over.
    """
    if rollout.is_return:
        return ()
    waits = rollout.state is State.WAITING
    return tuple(
        spec
        for spec in rollout.plan.gates
        if spec.is_deferred or (waits and _is_before(spec, rollout))
    )


def gates_seen(transaction: Transaction, rollout: Rollout, now: datetime) -> tuple[GateSeen, ...]:
    """Return how the gates in question stand, by the latest evidence about this very change."""
    return tuple(
        gate_seen(
            spec,
            standing_evidence(transaction, rollout, spec),
            now,
            bound_to=binding_of(rollout, spec),
        )
        for spec in gates_in_question(rollout)
    )


def not_configured(plan: Plan) -> tuple[str, ...]:
    """Return the kinds of gates that *plan* asks nothing of, by name; people ought to see them."""
    return tuple(sorted(GATE_KINDS.keys() - {gate.kind for gate in plan.gates}))


def note_waivers(transaction: Transaction, rollout: Rollout) -> None:
    """
    Write into the ledger what *rollout* is started without: nobody checks where its versions are from.

    Rollouts on lab targets alone need none.
    """
    is_lab = all(target.environment is Environment.LAB for target in rollout.targets)
    if is_lab or any(gate.kind == PROVENANCE for gate in rollout.plan.gates):
        return
    note_fact(
        transaction,
        at=rollout.created_at,
        actor=rollout.created_by,
        kind="command",
        rule="waive-gate",
        because=f"no {PROVENANCE} gate is configured: nobody checks where the versions are from",
        service=rollout.service,
        rollout_id=rollout.id,
        details={"kind": PROVENANCE, "change_digest": change_digest(rollout.change)},
    )


def _is_before(spec: GateSpec, rollout: Rollout) -> bool:
    if spec.moment is GateMoment.BEFORE_START:
        return must_prove_again(rollout)
    return not spec.phases or rollout.phase.name in spec.phases
