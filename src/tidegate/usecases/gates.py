"""
Gates of a rollout: which there are now, and how they stand by the evidence on file.

Asking them is done elsewhere and at its own pace, so that a slow gate delays no step.
"""

from datetime import datetime

from tidegate.documents.canonical import change_digest
from tidegate.domain.gates.model import GateMoment, GateSeen, GateSpec, gate_seen
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import Transaction
from tidegate.usecases.shelves import GATE_EVIDENCE, evidence_place


def gates_in_question(rollout: Rollout) -> tuple[GateSpec, ...]:
    """
    Return the gates that have a say on *rollout* now.

    While a phase is waited for, those before it; those of the start before the first. Deferred ones
    have a say as long as the rollout isn't over.
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
    specs = gates_in_question(rollout)
    if not specs:
        return ()
    digest = change_digest(rollout.change)
    return tuple(
        gate_seen(
            spec,
            GATE_EVIDENCE.get(transaction, evidence_place(rollout.service, spec.name, digest)),
            now,
        )
        for spec in specs
    )


def _is_before(spec: GateSpec, rollout: Rollout) -> bool:
    if spec.moment is GateMoment.BEFORE_START:
        return rollout.phase_index == 0
    return not spec.phases or rollout.phase.name in spec.phases
